//! What a manifest is taken for.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const MD5: &str = "5d41402abc4b2a76b9719d911017c592";

fn manifest() -> Value {
    json!({
        "sourceBucket": "photos",
        "destinationBucket": "arn:aws:s3:::lists",
        "version": "2016-11-30",
        "creationTimestamp": "1514944800000",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [
            {"key": "photos/all/data/1.csv.gz", "size": 2_147_483_648_u64, "MD5checksum": MD5},
            {"key": "photos/all/data/2.csv.gz", "size": 5, "MD5checksum": MD5.to_uppercase()},
        ],
    })
}

fn read(manifest: &Value) -> Result<Manifest, ManifestError> {
    let json = manifest.to_string();
    let checksum = format!("{:x}", md5::compute(&json));
    Manifest::read(json.as_bytes(), checksum.as_bytes(), "photos")
}

/// The manifest with one member changed.
fn changed(pointer: &str, value: Value) -> Result<Manifest, ManifestError> {
    let mut manifest = manifest();
    *manifest.pointer_mut(pointer).unwrap() = value;
    read(&manifest)
}

#[test]
fn a_good_manifest_names_its_parts_in_order() {
    let read = read(&manifest()).unwrap();
    assert_eq!(read.destination_bucket, "lists");
    assert_eq!(read.created_ms, Some(1_514_944_800_000));
    assert!(Layout::read(&read.file_format, &read.file_schema).is_ok());
    let sizes: Vec<u64> = read.files.iter().map(|file| file.size_bytes).collect();
    assert_eq!(sizes, [2_147_483_648, 5]);
    assert!(read.files.iter().all(|file| file.md5 == MD5));
}

#[test]
fn the_checksum_beside_the_manifest_is_asked_first() {
    let json = manifest().to_string();
    let good = format!("{:X}\n", md5::compute(&json));
    assert!(Manifest::read(json.as_bytes(), good.as_bytes(), "photos").is_ok());
    let broken = json.replace("2016-11-30", "2016-11-31");
    let refused = Manifest::read(broken.as_bytes(), good.as_bytes(), "photos");
    assert!(
        matches!(refused, Err(ManifestError::Checksum { .. })),
        "{refused:?}"
    );
    for bad in ["", "d41d8cd9", "<Error>"] {
        let refused = Manifest::read(json.as_bytes(), bad.as_bytes(), "photos");
        assert!(
            matches!(refused, Err(ManifestError::NotAChecksum)),
            "{refused:?}"
        );
    }
    assert_eq!(
        checksum_key("a/2024-01-01T00-00Z/manifest.json"),
        "a/2024-01-01T00-00Z/manifest.checksum"
    );
}

#[test]
fn an_inventory_of_another_bucket_version_or_format_is_refused() {
    let other = changed("/sourceBucket", json!("photos-old")).unwrap_err();
    assert!(
        matches!(other, ManifestError::OtherSource { .. }),
        "{other}"
    );
    assert!(matches!(
        changed("/version", json!("2030-01-01")),
        Err(ManifestError::Version { .. })
    ));
    assert!(matches!(
        changed("/fileFormat", json!("ORC")),
        Err(ManifestError::Layout(LayoutError::Orc))
    ));
    assert!(matches!(
        changed("/fileSchema", json!("Bucket")),
        Err(ManifestError::Layout(_))
    ));
    assert!(matches!(
        changed("/files", json!(null)),
        Err(ManifestError::Shape { .. })
    ));
}

#[test]
fn an_inventory_without_files_or_with_one_twice_is_refused() {
    assert!(matches!(
        changed("/files", json!([])),
        Err(ManifestError::NoFiles)
    ));
    let twice = changed("/files/1/key", json!("photos/all/data/1.csv.gz"));
    assert!(
        matches!(twice, Err(ManifestError::DuplicateFile { .. })),
        "{twice:?}"
    );
    let md5 = changed("/files/0/MD5checksum", json!("XUFAKrxLKna5cZ2REBfFkg=="));
    assert!(matches!(md5, Err(ManifestError::FileMd5 { .. })), "{md5:?}");
    assert!(matches!(
        changed("/files/0/size", json!(-1)),
        Err(ManifestError::Shape { .. })
    ));
}

#[test]
fn a_file_key_that_s3_inventory_does_not_write_is_refused() {
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    for key in [
        "",
        "/etc/passwd",
        "../1.csv.gz",
        "a/../../b",
        "a/./b",
        "a\n.csv.gz",
        "a\0b",
        &long,
    ] {
        let refused = changed("/files/0/key", json!(key));
        assert!(
            matches!(refused, Err(ManifestError::FileKey { .. })),
            "{key:?}: {refused:?}"
        );
    }
    for key in ["a..b/1.csv.gz", "a//b", &long[1..]] {
        assert!(changed("/files/0/key", json!(key)).is_ok(), "{key:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_manifest_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let checksum = format!("{:x}", md5::compute(&bytes));
        prop_assert!(Manifest::read(&bytes, checksum.as_bytes(), "photos").is_err());
    }
}
