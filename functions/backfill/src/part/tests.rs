//! Plans and parts, through the real client, against an S3 that is told what to hold.

use ::tests::fake_aws::{FakeAws, Fault, Operation};
use inventory::made::{CSV_SCHEMA, Line, PARQUET_SCHEMA, Writing, csv, parquet};
use serde_json::{Value, json};
use shared::Retryable;

use super::*;

const MANIFEST: &str = "lists/photos/all/2024-11-02T00-00Z/manifest.json";
const ETAG: &str = "5d41402abc4b2a76b9719d911017c592";

/// Buckets with an inventory in it.
struct Delivered {
    aws: FakeAws,
}

impl Delivered {
    /// Files by name, as the manifest names them.
    fn of(format: &str, schema: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let aws = FakeAws::start();
        aws.bucket("inventories", false);
        let mut named = Vec::new();
        for (name, content) in files {
            let key = format!("lists/photos/all/data/{name}");
            let md5 = format!("{:x}", md5::compute(content));
            named.push(json!({"key": key, "size": content.len(), "MD5checksum": md5}));
            aws.put("inventories", &key, content.clone());
        }
        let delivered = Self { aws };
        delivered.manifest(&json!({
            "sourceBucket": "photos",
            "destinationBucket": "arn:aws:s3:::inventories",
            "version": "2016-11-30",
            "creationTimestamp": "1730505600000",
            "fileFormat": format,
            "fileSchema": schema,
            "files": named,
        }));
        delivered
    }

    fn manifest(&self, manifest: &Value) {
        let json = manifest.to_string();
        let checksum = format!("{:x}\n", md5::compute(&json));
        self.aws.put("inventories", MANIFEST, json.into_bytes());
        let key = checksum_key(MANIFEST);
        self.aws.put("inventories", &key, checksum.into_bytes());
    }

    async fn plan(&self) -> Result<(Inventory, Vec<Part>), BackfillError> {
        plan(&self.aws.s3_client(), "inventories", MANIFEST, "photos").await
    }

    /// The keys of a part below `incoming/`, from a row on, and where each page ends.
    async fn keys(
        &self,
        inventory: &Inventory,
        part: &Part,
        from_row: u64,
    ) -> Result<Vec<String>, BackfillError> {
        let s3 = self.aws.s3_client();
        let mut rows = Rows::open(&s3, inventory, part, "incoming/", from_row).await?;
        let mut keys = Vec::new();
        while let Some(page) = rows.next().await? {
            keys.extend(page.found.into_iter().map(|found| found.key));
        }
        assert_eq!(rows.next().await?, None, "an end stays one");
        Ok(keys)
    }
}

fn lines(count: i64) -> Vec<Line> {
    let line = |number| Line::of(&format!("incoming/{number:07}"), number, ETAG);
    (0..count).map(line).collect()
}

fn keys(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| line.key.clone()).collect()
}

fn as_csv(lines: &[Line]) -> Vec<u8> {
    csv(lines, Vec::new()).unwrap()
}

fn as_parquet(groups: &[Vec<Line>]) -> Vec<u8> {
    parquet(PARQUET_SCHEMA, groups, &Writing::default(), Vec::new()).unwrap()
}

fn message(error: &BackfillError) -> String {
    assert_eq!((error.label(), error.is_retryable()), ("Inventory", false));
    shared::telemetry::error_chain(error)
}

#[tokio::test]
async fn parts_of_either_format_are_planned_and_read() {
    let lines = lines(2_500);
    let (first, second) = lines.split_at(1_000);
    for (format, schema, files) in [
        ("CSV", CSV_SCHEMA, [as_csv(first), as_csv(second)]),
        (
            "Parquet",
            PARQUET_SCHEMA,
            [
                as_parquet(&[first.to_vec()]),
                as_parquet(&[second.to_vec()]),
            ],
        ),
    ] {
        let [one, two] = files;
        let delivered = Delivered::of(format, schema, &[("1", one), ("2", two)]);
        let (inventory, parts) = delivered.plan().await.unwrap();
        let numbers: Vec<u64> = parts.iter().map(|part| part.part).collect();
        assert_eq!(numbers, [0, 1]);
        let mut read = Vec::new();
        for part in &parts {
            assert_eq!(part.rows, None);
            read.extend(delivered.keys(&inventory, part, 0).await.unwrap());
        }
        assert_eq!(read, keys(&lines), "{format}");
        let rest = delivered.keys(&inventory, &parts[1], 1_499).await;
        assert_eq!(rest.unwrap(), ["incoming/0002499"], "{format}");
    }
}

#[tokio::test]
async fn a_page_says_what_is_known_of_its_objects_and_nothing_of_their_versions() {
    let mut lines = lines(4);
    lines[0].storage_class = Some("DEEP_ARCHIVE".to_owned());
    lines[0].version_id = Some("null".to_owned());
    lines[1].key = "elsewhere/1".to_owned();
    lines[2].is_latest = false;
    lines[3].version_id = Some("v3".to_owned());
    let delivered = Delivered::of("CSV", CSV_SCHEMA, &[("1", as_csv(&lines))]);
    let (inventory, parts) = delivered.plan().await.unwrap();
    let s3 = delivered.aws.s3_client();
    let rows = Rows::open(&s3, &inventory, &parts[0], "incoming/", 0).await;
    let page = rows.unwrap().next().await.unwrap().unwrap();
    assert_eq!(page.next, Continuation::Row { row: 4 });
    let archived = Found {
        key: "incoming/0000000".to_owned(),
        size_bytes: 0,
        etag: None,
        version_id: None,
        is_archived: true,
        modified_s: None,
        next_row: Some(1),
    };
    let last = Found {
        key: "incoming/0000003".to_owned(),
        size_bytes: 3,
        is_archived: false,
        next_row: Some(4),
        ..archived.clone()
    };
    assert_eq!(page.found, [archived, last]);
}

#[tokio::test]
async fn a_part_of_many_rows_becomes_several_partitions() {
    // Rows that differ in nothing take no room, and are one object: what counts here is how many there are.
    let schema = "message m { required binary key; required int64 size; }";
    let group = vec![Line::of("incoming/same", 1, ETAG); 700_000];
    let groups = [&group, &group, &group];
    let part = parquet(schema, groups, &Writing::default(), Vec::new()).unwrap();
    let delivered = Delivered::of("Parquet", schema, &[("1", part)]);
    let (inventory, parts) = delivered.plan().await.unwrap();
    let ranges: Vec<_> = parts.iter().map(|part| part.rows).collect();
    assert_eq!(ranges, [Some([0, 1_400_000]), Some([1_400_000, 2_100_000])]);
    let read = delivered.keys(&inventory, &parts[1], 2_099_000).await;
    assert_eq!(read.unwrap(), [""; 0], "given by the part before");
}

#[tokio::test]
async fn a_range_of_rows_is_not_left_wherever_reading_goes_on() {
    let lines = lines(30);
    for (format, schema, content) in [
        ("CSV", CSV_SCHEMA, as_csv(&lines)),
        (
            "Parquet",
            PARQUET_SCHEMA,
            as_parquet(std::slice::from_ref(&lines)),
        ),
    ] {
        let delivered = Delivered::of(format, schema, &[("1", content)]);
        let (inventory, mut parts) = delivered.plan().await.unwrap();
        parts[0].rows = Some([10, 20]);
        for (from_row, expected) in [(0, 10..20), (15, 15..20), (20, 20..20)] {
            let read = delivered.keys(&inventory, &parts[0], from_row).await;
            assert_eq!(read.unwrap(), keys(&lines[expected]), "{format} {from_row}");
        }
    }
}

#[tokio::test]
async fn a_footer_longer_than_what_is_read_first_is_read_whole() {
    let groups: Vec<Vec<Line>> = lines(300).chunks(1).map(<[Line]>::to_vec).collect();
    let part = as_parquet(&groups);
    let delivered = Delivered::of("Parquet", PARQUET_SCHEMA, &[("1", part)]);
    delivered.plan().await.unwrap();
    let gets = delivered.aws.requests();
    let of_part = gets.iter().filter(|get| get.key.contains("/data/1"));
    assert_eq!(of_part.count(), 2);
}

#[tokio::test]
async fn a_part_that_is_not_what_the_manifest_names_gives_no_row() {
    let content = as_csv(&lines(10));
    let delivered = Delivered::of("CSV", CSV_SCHEMA, &[("1", content.clone())]);
    let (inventory, parts) = delivered.plan().await.unwrap();
    let key = &parts[0].key;
    let mut flipped = content.clone();
    flipped[40] ^= 1;
    for (other, words) in [
        (flipped, "has MD5"),
        ([content.clone(), vec![0]].concat(), "bytes or more"),
        (content[1..].to_vec(), "bytes or more"),
    ] {
        delivered.aws.put("inventories", key, other);
        let error = delivered.keys(&inventory, &parts[0], 0).await.unwrap_err();
        assert!(message(&error).contains(words), "{}", message(&error));
    }
    delivered.aws.delete("inventories", key);
    let error = delivered.keys(&inventory, &parts[0], 0).await.unwrap_err();
    assert!(
        message(&error).contains("no such object"),
        "{}",
        message(&error)
    );
}

#[tokio::test]
async fn a_plan_is_refused_where_a_file_is_missing_or_of_another_length() {
    for (format, schema, content) in [
        ("CSV", CSV_SCHEMA, as_csv(&lines(10))),
        ("Parquet", PARQUET_SCHEMA, as_parquet(&[lines(10)])),
    ] {
        let delivered = Delivered::of(format, schema, &[("1", content.clone())]);
        let (_, parts) = delivered.plan().await.unwrap();
        let longer = [content.clone(), vec![0]].concat();
        for other in [longer, content[1..].to_vec(), Vec::new()] {
            delivered.aws.put("inventories", &parts[0].key, other);
            let error = message(&delivered.plan().await.unwrap_err());
            assert!(error.contains("that it should be"), "{format}: {error}");
        }
        delivered.aws.delete("inventories", &parts[0].key);
        let error = message(&delivered.plan().await.unwrap_err());
        assert!(error.contains("no such object"), "{format}: {error}");
    }
}

#[tokio::test]
async fn an_inventory_that_cannot_be_used_is_refused_at_the_start() {
    let part = as_csv(&lines(1));
    for (format, schema, words) in [
        ("ORC", "struct<key:string>", "Parquet or CSV"),
        ("CSV", "Bucket, Size", "no column Key"),
        ("CSV", "Bucket, Key", "no column Size"),
        ("Parquet", PARQUET_SCHEMA, "inventory part"),
    ] {
        let delivered = Delivered::of(format, schema, &[("1", part.clone())]);
        let error = message(&delivered.plan().await.unwrap_err());
        assert!(error.contains(words), "{error}");
    }
    let delivered = Delivered::of("CSV", CSV_SCHEMA, &[("1", part)]);
    let checksum = checksum_key(MANIFEST);
    delivered
        .aws
        .put("inventories", &checksum, ETAG.as_bytes().to_vec());
    let error = message(&delivered.plan().await.unwrap_err());
    assert!(error.contains("manifest.checksum says"), "{error}");
    delivered.aws.delete("inventories", &checksum);
    let error = message(&delivered.plan().await.unwrap_err());
    assert!(error.contains("manifest.checksum"), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_may_be_asked_for_again() {
    let delivered = Delivered::of("CSV", CSV_SCHEMA, &[("1", as_csv(&lines(500)))]);
    let (inventory, parts) = delivered.plan().await.unwrap();
    let cut = Fault::on(Operation::GetObject).key("data/1").cut_body(100);
    delivered.aws.fault(cut);
    let error = delivered.keys(&inventory, &parts[0], 0).await.unwrap_err();
    assert_eq!((error.label(), error.is_retryable()), ("Unavailable", true));
    let read = delivered.keys(&inventory, &parts[0], 0).await;
    assert_eq!(read.unwrap().len(), 500);
}

#[test]
fn a_part_for_which_there_is_no_room_says_which_setting_gives_it_some() {
    let part = Part {
        part: 0,
        key: "data/1".to_owned(),
        md5: ETAG.to_owned(),
        size: 600_000_000,
        rows: None,
    };
    let io = |kind: io::ErrorKind| PartError::Io {
        part: part.key.clone(),
        source: kind.into(),
    };
    let full = message(&unusable(&part, io(io::ErrorKind::StorageFull)));
    assert!(
        full.contains("EphemeralStorage") && full.contains("600000000"),
        "{full}"
    );
    assert!(unusable(&part, io(io::ErrorKind::Other)).is_retryable());
}
