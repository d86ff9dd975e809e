//! Which columns an inventory has, by its manifest's `fileSchema`, and which of them rows are read from.

/// How the parts of an inventory are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// gzip, no header, columns in the manifest's order, keys form-encoded.
    Csv(CsvColumns),
    /// Columns by name, keys as they are. Each part says in its footer which columns it has.
    Parquet,
}

impl Layout {
    /// Reads a manifest's `fileFormat` and `fileSchema`, and refuses what rows cannot be read from.
    pub fn read(file_format: &str, file_schema: &str) -> Result<Self, LayoutError> {
        match file_format.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv(CsvColumns::parse(file_schema)?)),
            "parquet" => check_parquet_schema(file_schema).map(|()| Self::Parquet),
            "orc" => Err(LayoutError::Orc),
            _ => Err(LayoutError::Format {
                format: file_format.to_owned(),
            }),
        }
    }
}

/// Whether a `fileSchema`, of either format, has the lengths of objects.
pub(crate) fn has_sizes(file_schema: &str) -> bool {
    let mut csv = file_schema.split(',').map(str::trim);
    csv.any(|name| name == "Size") || parquet_names(file_schema).contains(&"size")
}

/// Where in a CSV row what is read stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvColumns {
    pub(crate) count: usize,
    pub(crate) key: usize,
    pub(crate) size: Option<usize>,
    pub(crate) etag: Option<usize>,
    pub(crate) storage_class: Option<usize>,
    pub(crate) version_id: Option<usize>,
    pub(crate) is_latest: Option<usize>,
    pub(crate) is_delete_marker: Option<usize>,
}

/// Why rows cannot be read from these columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// ORC is not read.
    #[error(
        "it is in ORC, which is not read: configure an inventory in Parquet or CSV, or go by a listing"
    )]
    Orc,
    /// A format that this code was not written for.
    #[error("it is in {format:?}; Parquet and CSV are read")]
    Format {
        /// What the manifest says.
        format: String,
    },
    /// A column that nothing can be done without.
    #[error("it has no column {column}, which {why}")]
    MissingColumn {
        /// As the format spells it.
        column: &'static str,
        /// What it is needed for.
        why: &'static str,
    },
    /// A column is there, and is something else.
    #[error("its column {column} is {found}, not {expected}")]
    OtherType {
        /// As the format spells it.
        column: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        expected: String,
    },
}

const KEY_WHY: &str = "every inventory has";
const VERSIONS_WHY: &str = "tells current objects from old versions where versions are listed";

impl LayoutError {
    pub(crate) const fn missing_key(column: &'static str) -> Self {
        Self::MissingColumn {
            column,
            why: KEY_WHY,
        }
    }

    pub(crate) const fn missing_version_flag(column: &'static str) -> Self {
        Self::MissingColumn {
            column,
            why: VERSIONS_WHY,
        }
    }
}

impl CsvColumns {
    /// Reads a `fileSchema` such as `Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag`.
    pub(crate) fn parse(file_schema: &str) -> Result<Self, LayoutError> {
        let names: Vec<&str> = file_schema.split(',').map(str::trim).collect();
        let position = |name: &str| names.iter().position(|column| *column == name);
        let columns = Self {
            count: names.len(),
            key: position("Key").ok_or(LayoutError::missing_key("Key"))?,
            size: position("Size"),
            etag: position("ETag"),
            storage_class: position("StorageClass"),
            version_id: position("VersionId"),
            is_latest: position("IsLatest"),
            is_delete_marker: position("IsDeleteMarker"),
        };
        if columns.version_id.is_some() {
            if columns.is_latest.is_none() {
                return Err(LayoutError::missing_version_flag("IsLatest"));
            }
            if columns.is_delete_marker.is_none() {
                return Err(LayoutError::missing_version_flag("IsDeleteMarker"));
            }
        }
        Ok(columns)
    }
}

fn parquet_names(file_schema: &str) -> Vec<&str> {
    let body = file_schema.split_once('{').map_or("", |(_, body)| body);
    // Each statement: repetition, type, name, and what the type stands for in parentheses.
    let names = body
        .split(';')
        .filter_map(|statement| statement.split_whitespace().nth(2))
        .map(|name| name.split_once('(').map_or(name, |(name, _)| name));
    names.collect()
}

/// Refuses a `fileSchema` such as `message s3.inventory { required binary key (STRING); … }` that has not the columns.
fn check_parquet_schema(file_schema: &str) -> Result<(), LayoutError> {
    let names = parquet_names(file_schema);
    check_parquet_names(|name| names.contains(&name))
}

/// The same for the columns of a part.
pub(crate) fn check_parquet_names(has: impl Fn(&str) -> bool) -> Result<(), LayoutError> {
    if !has("key") {
        return Err(LayoutError::missing_key("key"));
    }
    for flag in ["is_latest", "is_delete_marker"] {
        if has("version_id") && !has(flag) {
            return Err(LayoutError::missing_version_flag(flag));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parquet_and_csv_are_read_and_nothing_else() {
        let schema = "message m { required binary key (UTF8); }";
        assert_eq!(Layout::read("Parquet", schema), Ok(Layout::Parquet));
        assert!(matches!(Layout::read("CSV", "Key"), Ok(Layout::Csv(_))));
        let orc = Layout::read("ORC", "struct<key:string>").unwrap_err();
        assert_eq!(orc, LayoutError::Orc);
        assert!(orc.to_string().contains("Parquet or CSV"), "{orc}");
        let unknown = Layout::read("Avro", "").unwrap_err();
        assert!(unknown.to_string().contains("\"Avro\""), "{unknown}");
    }

    #[test]
    fn csv_columns_are_found_by_name_in_any_order() {
        let columns = CsvColumns::parse("Size, Bucket ,Key").unwrap();
        assert_eq!((columns.count, columns.key, columns.size), (3, 2, Some(0)));
        assert_eq!(columns.etag, None);
    }

    #[test]
    fn whether_there_are_sizes_is_known_beforehand() {
        assert!(has_sizes("Bucket, Key, Size"));
        assert!(!has_sizes("Bucket, Key, ETag"));
        assert!(has_sizes(
            "message m { required binary key; optional int64 size; }"
        ));
        assert!(!has_sizes("message m { required binary key; }"));
    }

    #[test]
    fn an_inventory_without_keys_is_refused() {
        let missing = Err(LayoutError::missing_key("Key"));
        assert_eq!(CsvColumns::parse("Bucket, Size").map(|_| ()), missing);
        assert_eq!(CsvColumns::parse("").map(|_| ()), missing);
        let schema = "message s3.inventory { required binary bucket (STRING); }";
        let missing = Err(LayoutError::missing_key("key"));
        assert_eq!(check_parquet_schema(schema), missing);
        assert_eq!(check_parquet_schema(""), missing);
    }

    #[test]
    fn versions_without_the_columns_that_tell_them_apart_are_refused() {
        for (schema, column) in [
            ("Key, VersionId, IsDeleteMarker", "IsLatest"),
            ("Key, VersionId, IsLatest", "IsDeleteMarker"),
        ] {
            let refused = Err(LayoutError::missing_version_flag(column));
            assert_eq!(CsvColumns::parse(schema).map(|_| ()), refused);
        }
        let refused = Err(LayoutError::missing_version_flag("is_latest"));
        let schema = "message m { required binary key; optional binary version_id (UTF8); }";
        assert_eq!(check_parquet_schema(schema), refused);
    }

    #[test]
    fn both_spellings_of_parquet_types_are_read() {
        for text in ["UTF8", "STRING"] {
            let schema = format!(
                "message s3.inventory {{  required binary bucket ({text});  required binary key({text}); optional \
                 binary version_id ({text});  optional boolean is_latest;  optional boolean is_delete_marker;  optional \
                 int64 last_modified_date (TIMESTAMP(MILLIS,true));}}"
            );
            assert_eq!(check_parquet_schema(&schema), Ok(()));
        }
    }
}
