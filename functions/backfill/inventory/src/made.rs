//! Inventories made for tests and measurements: the same lines in either format, as S3 writes them.

use std::io::{self, Write};
use std::sync::Arc;

use flate2::Compression as Deflate;
use flate2::write::GzEncoder;
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A line of the inventory of a versioned bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// As it is.
    pub key: String,
    /// Empty in a bucket without versions.
    pub version_id: Option<String>,
    /// Whether it is the newest of its key.
    pub is_latest: bool,
    /// Whether it says that the key was deleted.
    pub is_delete_marker: bool,
    /// Length, bytes; a delete marker has none.
    pub size: Option<i64>,
    /// Without quotes; a delete marker has none.
    pub etag: Option<String>,
    /// A delete marker has none.
    pub storage_class: Option<String>,
}

impl Line {
    /// A current object.
    #[must_use]
    pub fn of(key: &str, size: i64, etag: &str) -> Self {
        Self {
            key: key.to_owned(),
            version_id: None,
            is_latest: true,
            is_delete_marker: false,
            size: Some(size),
            etag: Some(etag.to_owned()),
            storage_class: Some("STANDARD".to_owned()),
        }
    }
}

/// `fileSchema` of what [`csv`] writes.
pub const CSV_SCHEMA: &str =
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass";

/// `fileSchema` that [`parquet`] takes, with all columns; those of it may be left out, made `required`, and reordered.
pub const PARQUET_SCHEMA: &str = "message s3.inventory { required binary bucket (STRING); \
    required binary key (STRING); optional binary version_id (STRING); optional boolean is_latest; \
    optional boolean is_delete_marker; optional int64 size; \
    optional int64 last_modified_date (TIMESTAMP(MILLIS,true)); optional binary e_tag (STRING); \
    optional binary storage_class (STRING); }";

/// Milliseconds since 1970 of every line's last change.
const MODIFIED_MS: i64 = 1_730_516_645_000;

/// What stays as it is in an encoded key; a space becomes a plus sign.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// Writes the lines as a CSV part.
pub fn csv<W: Write>(lines: &[Line], to: W) -> io::Result<W> {
    let mut encoder = GzEncoder::new(to, Deflate::fast());
    for line in lines {
        let key = utf8_percent_encode(&line.key, KEPT).to_string();
        writeln!(
            encoder,
            r#""photos","{}","{}","{}","{}","{}","2024-11-02T03:04:05.000Z","{}","{}""#,
            key.replace("%20", "+"),
            line.version_id.as_deref().unwrap_or_default(),
            line.is_latest,
            line.is_delete_marker,
            line.size.map(|size| size.to_string()).unwrap_or_default(),
            line.etag.as_deref().unwrap_or_default(),
            line.storage_class.as_deref().unwrap_or_default(),
        )?;
    }
    encoder.finish()
}

/// How a Parquet part is written.
#[derive(Clone, Debug)]
pub struct Writing {
    /// Of each page.
    pub compression: Compression,
    /// Whether columns have dictionaries as long as those are small.
    pub dictionary: bool,
    /// Pages of the second kind, and the encodings that came with them.
    pub version_2: bool,
    /// Encoding of the keys, which then have no dictionary.
    pub key_encoding: Option<Encoding>,
    /// Most rows in a page.
    pub page_rows: usize,
    /// How many bytes end a page; it is looked at every 1,024 rows.
    pub page_bytes: usize,
}

impl Default for Writing {
    /// What S3 does, as far as is known: snappy, dictionaries, pages of the first kind and the usual size.
    fn default() -> Self {
        Self {
            compression: Compression::SNAPPY,
            dictionary: true,
            version_2: false,
            key_encoding: None,
            page_rows: 20_000,
            page_bytes: 1024 * 1024,
        }
    }
}

impl Writing {
    fn properties(&self) -> WriterProperties {
        let mut properties = WriterProperties::builder()
            .set_compression(self.compression)
            .set_dictionary_enabled(self.dictionary)
            .set_data_page_size_limit(self.page_bytes)
            .set_data_page_row_count_limit(self.page_rows)
            .set_write_batch_size(self.page_rows.min(1024));
        if self.version_2 {
            properties = properties.set_writer_version(WriterVersion::PARQUET_2_0);
        }
        if let Some(encoding) = self.key_encoding {
            properties = properties
                .set_column_dictionary_enabled("key".into(), false)
                .set_column_encoding("key".into(), encoding);
        }
        properties.build()
    }
}

/// Writes a Parquet part of one row group for each of `groups`.
pub fn parquet<W: Write + Send, L: AsRef<[Line]>>(
    schema: &str,
    groups: impl IntoIterator<Item = L>,
    writing: &Writing,
    to: W,
) -> Result<W> {
    let schema = Arc::new(parse_message_type(schema)?);
    let mut writer = SerializedFileWriter::new(to, schema, Arc::new(writing.properties()))?;
    let columns = writer.schema_descr().columns().to_vec();
    for lines in groups {
        let lines = lines.as_ref();
        let mut group = writer.next_row_group()?;
        for column in &columns {
            let Some(mut writer) = group.next_column()? else {
                break;
            };
            let required = column.max_def_level() == 0;
            write(column.name(), required, lines, &mut writer)?;
            writer.close()?;
        }
        group.close()?;
    }
    writer.into_inner()
}

fn write(
    name: &str,
    required: bool,
    lines: &[Line],
    writer: &mut SerializedColumnWriter<'_>,
) -> Result<()> {
    let text = |text: &Option<String>| text.as_deref().map(ByteArray::from);
    match name {
        "is_latest" => cells::<BoolType>(lines, required, |line| Some(line.is_latest), writer),
        "is_delete_marker" => {
            cells::<BoolType>(lines, required, |line| Some(line.is_delete_marker), writer)
        }
        "size" => cells::<Int64Type>(lines, required, |line| line.size, writer),
        "last_modified_date" => cells::<Int64Type>(lines, required, |_| Some(MODIFIED_MS), writer),
        "key" => {
            let key = |line: &Line| Some(ByteArray::from(line.key.as_str()));
            cells::<ByteArrayType>(lines, required, key, writer)
        }
        "version_id" => {
            cells::<ByteArrayType>(lines, required, |line| text(&line.version_id), writer)
        }
        "e_tag" => cells::<ByteArrayType>(lines, required, |line| text(&line.etag), writer),
        "storage_class" => {
            cells::<ByteArrayType>(lines, required, |line| text(&line.storage_class), writer)
        }
        _ => cells::<ByteArrayType>(lines, required, |_| Some("photos".into()), writer),
    }
}

/// Values, and a level for each line, 1 where there is a value, where there need not be one. A piece at a time: a column of
/// a large row group has not to be there twice.
fn cells<T: DataType>(
    lines: &[Line],
    required: bool,
    cell: impl Fn(&Line) -> Option<T::T>,
    writer: &mut SerializedColumnWriter<'_>,
) -> Result<()> {
    let writer = writer.typed::<T>();
    for lines in lines.chunks(1024) {
        let cells: Vec<Option<T::T>> = lines.iter().map(&cell).collect();
        let levels: Vec<i16> = cells.iter().map(|cell| cell.is_some().into()).collect();
        let levels = (!required).then_some(levels);
        let values: Vec<T::T> = cells.into_iter().flatten().collect();
        writer.write_batch(&values, levels.as_deref(), None)?;
    }
    Ok(())
}
