//! Hash partitions: where a key sits among the 256 folders `00/` to `ff/`.

/// The folder of `path`, two lowercase hex digits: the first byte of MD5 over its raw bytes.
#[must_use]
pub fn partition(path: &str) -> String {
    format!("{:02x}", md5::compute(path)[0])
}

/// `rest` without a leading `hh/`, if `hh` is the partition of what follows; else `rest` whole.
///
/// The flat spelling `a.json` and the partitioned one `hh/a.json` are one name.
#[must_use]
pub fn strip_partition(rest: &str) -> &str {
    match rest.split_once('/') {
        Some((folder, path))
            if folder.len() == 2 && !path.is_empty() && folder == partition(path) =>
        {
            path
        }
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn md5_of_the_path_decides() {
        assert_eq!(partition(""), "d4");
        assert_eq!(partition("hello"), "5d");
    }

    #[test]
    fn a_folder_that_only_looks_like_a_partition_stays() {
        assert_eq!(strip_partition("5d/hello"), "hello");
        assert_eq!(strip_partition("5D/hello"), "5D/hello");
        assert_eq!(strip_partition("5e/hello"), "5e/hello");
        assert_eq!(strip_partition("d4/"), "d4/");
    }

    proptest! {
        #[test]
        fn flat_and_partitioned_spelling_are_one_name(path in "\\PC{1,40}") {
            let flat = strip_partition(&path);
            let partitioned = format!("{}/{flat}", partition(flat));
            prop_assert_eq!(strip_partition(&partitioned), flat);
        }
    }
}
