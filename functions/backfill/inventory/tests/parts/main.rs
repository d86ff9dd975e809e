//! What is read of a part, in either format and however it was written.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod damage;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use inventory::made::{self, CSV_SCHEMA, Line, PARQUET_SCHEMA, Writing};
use inventory::{BATCH_ROWS_MAX, Layout, Object, PartError, Row, RowRange, Rows};
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use proptest::prelude::*;

const ETAG: &str = "5d41402abc4b2a76b9719d911017c592";

fn csv_layout() -> Layout {
    Layout::read("CSV", CSV_SCHEMA).unwrap()
}

fn csv(lines: &[Line]) -> File {
    made::csv(lines, tempfile::tempfile().unwrap()).unwrap()
}

fn parquet(lines: &[Line], group_rows: usize, writing: &Writing) -> File {
    let to = tempfile::tempfile().unwrap();
    made::parquet(PARQUET_SCHEMA, lines.chunks(group_rows), writing, to).unwrap()
}

fn open(file: &File, layout: &Layout, from: u64, until: Option<u64>) -> Result<Rows, PartError> {
    let range = RowRange { from, until };
    Rows::open(file.try_clone().unwrap(), "data/1", layout, range)
}

fn all(file: &File, layout: &Layout, from: u64, until: Option<u64>) -> Result<Vec<Row>, PartError> {
    let mut reading = open(file, layout, from, until)?;
    let mut rows = Vec::new();
    while let Some(batch) = reading.next_batch()? {
        assert!(batch.rows.len() <= BATCH_ROWS_MAX);
        rows.extend(batch.rows);
    }
    Ok(rows)
}

/// The rows of these lines, by the plainest of readings.
fn expected(lines: &[Line]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let repeats = number > 0 && lines[number - 1] == *line;
        if line.is_latest && !line.is_delete_marker && !repeats {
            let object = Object {
                key: line.key.clone(),
                size_bytes: line.size.map(i64::unsigned_abs),
                etag: line.etag.clone(),
                storage_class: line.storage_class.clone(),
                version_id: line.version_id.clone(),
            };
            let number = number as u64;
            rows.push(Row { number, object });
        }
    }
    rows
}

fn numbered(count: i64) -> Vec<Line> {
    let line = |number| Line::of(&format!("incoming/{number:06}.json"), number, ETAG);
    (0..count).map(line).collect()
}

/// Every way of writing that is read.
fn writings() -> Vec<Writing> {
    let mut writings = Vec::new();
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        for (dictionary, version_2) in [(false, false), (true, false), (false, true), (true, true)]
        {
            writings.push(Writing {
                compression,
                dictionary,
                version_2,
                page_rows: 7,
                ..Writing::default()
            });
        }
    }
    for encoding in [
        Encoding::DELTA_BYTE_ARRAY,
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
    ] {
        let key_encoding = Some(encoding);
        writings.push(Writing {
            key_encoding,
            ..Writing::default()
        });
    }
    writings
}

fn some_lines() -> impl Strategy<Value = Vec<Line>> {
    let key = prop_oneof!["[ab]", "[ +%\"\n,;a-c/é]{1,12}", "\\PC{1,30}"];
    let class = prop_oneof![
        Just(None),
        Just(Some("STANDARD".to_owned())),
        Just(Some("GLACIER".to_owned()))
    ];
    let etag = prop_oneof![Just(None), "[0-9a-f]{32}(-[1-9])?".prop_map(Some)];
    let version = prop_oneof![Just(None), "[A-Za-z0-9._]{1,32}".prop_map(Some)];
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.1));
    let size = prop_oneof![Just(None), (0..=i64::MAX).prop_map(Some)];
    let line = (key, version, flags, size, etag, class).prop_map(
        |(key, version_id, (is_latest, is_delete_marker), size, etag, storage_class)| Line {
            key,
            version_id,
            is_latest,
            is_delete_marker,
            size,
            etag,
            storage_class,
        },
    );
    // Some come several times in a row.
    let repeated = (line, 1_usize..4).prop_map(|(line, times)| vec![line; times]);
    prop::collection::vec(repeated, 0..20).prop_map(|lines| lines.concat())
}

#[test]
fn every_way_of_writing_is_read_alike() {
    let mut lines = numbered(50);
    lines[3].etag = None;
    lines[4].is_latest = false;
    lines[5].is_delete_marker = true;
    lines[6].storage_class = None;
    lines[9] = lines[8].clone();
    let read = all(&csv(&lines), &csv_layout(), 0, None).unwrap();
    assert_eq!(read, expected(&lines));
    for writing in writings() {
        let file = parquet(&lines, 20, &writing);
        let read = all(&file, &Layout::Parquet, 0, None);
        assert_eq!(read.unwrap(), expected(&lines), "{writing:?}");
    }
}

#[test]
fn columns_may_be_few_and_in_any_order() {
    let lines = numbered(3);
    let schema = "message m { optional int64 size; required binary key (UTF8); }";
    let to = tempfile::tempfile().unwrap();
    let file = made::parquet(schema, [&lines], &Writing::default(), to).unwrap();
    let mut bare = expected(&lines);
    for row in &mut bare {
        (row.object.etag, row.object.storage_class) = (None, None);
    }
    assert_eq!(all(&file, &Layout::Parquet, 0, None).unwrap(), bare);
}

#[test]
fn keys_in_csv_are_decoded_and_fields_may_hold_anything() {
    let text = concat!(
        "\"photos\",\"incoming/a+b%2Bc%25.json\",\"1\"\n",
        "\"photos\",\"incoming/%C3%BC%22%0A.json\",\"2\"\r\n",
        "\"pho\"\"tos,\n\",\"incoming/d.json\",\"3\"",
    );
    let file = gzipped(text);
    let layout = Layout::read("CSV", "Bucket, Key, Size").unwrap();
    let rows = all(&file, &layout, 0, None).unwrap();
    let keys: Vec<&str> = rows.iter().map(|row| row.object.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "incoming/a b+c%.json",
            "incoming/ü\"\n.json",
            "incoming/d.json"
        ]
    );
}

fn gzipped(text: &str) -> File {
    let to = tempfile::tempfile().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(to, flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_range_ends_and_begins_where_it_says() {
    let lines = numbered(2_500);
    for (file, layout) in both(&lines, 700) {
        for (from, until) in [
            (0, 0),
            (0, 1),
            (0, 1_000),
            (999, 2_001),
            (1_000, 2_500),
            (2_500, 2_500),
        ] {
            let rows = all(&file, &layout, from, Some(until)).unwrap();
            let wanted = usize::try_from(from).unwrap()..usize::try_from(until).unwrap();
            assert_eq!(rows, expected(&lines)[wanted], "{from}..{until}");
        }
        for (from, until, row) in [
            (2_501, None, 2_500),
            (9_999, None, 9_998),
            (0, Some(2_501), 2_500),
        ] {
            let error = all(&file, &layout, from, until).unwrap_err();
            assert!(
                matches!(error, PartError::NoSuchRow { row: named, .. } if named == row),
                "{error}"
            );
        }
    }
}

fn both(lines: &[Line], group_rows: usize) -> [(File, Layout); 2] {
    let writing = Writing {
        page_rows: 100,
        ..Writing::default()
    };
    [
        (csv(lines), csv_layout()),
        (parquet(lines, group_rows, &writing), Layout::Parquet),
    ]
}

#[test]
fn a_row_repeated_across_two_batches_is_given_once() {
    let mut lines = numbered(1_002);
    lines[1_000] = lines[999].clone();
    for (file, layout) in both(&lines, 500) {
        let rows = all(&file, &layout, 0, None).unwrap();
        assert_eq!(rows, expected(&lines));
    }
}

#[test]
fn a_part_without_rows_has_no_batches() {
    for (file, layout) in both(&[], 1) {
        assert!(
            open(&file, &layout, 0, None)
                .unwrap()
                .next_batch()
                .unwrap()
                .is_none()
        );
    }
}

#[test]
fn rows_that_are_not_given_still_move_on() {
    let mut lines = numbered(3_000);
    for line in &mut lines[10..] {
        line.is_latest = false;
    }
    for (file, layout) in both(&lines, 1_000) {
        let mut reading = open(&file, &layout, 0, None).unwrap();
        let batch = reading.next_batch().unwrap().unwrap();
        assert_eq!((batch.rows.len(), batch.next_row), (10, 3_000));
        assert!(reading.next_batch().unwrap().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_formats_agree(lines in some_lines(), way in 0_usize..18, group_rows in 1_usize..20) {
        let file = parquet(&lines, group_rows, &writings()[way]);
        let read = all(&file, &Layout::Parquet, 0, None).unwrap();
        prop_assert_eq!(&read, &all(&csv(&lines), &csv_layout(), 0, None).unwrap());
        prop_assert_eq!(read, expected(&lines));
    }

    #[test]
    fn stopped_at_any_row_and_gone_on_with_it_is_the_same(
        lines in some_lines(), stop: prop::sample::Index, group_rows in 1_usize..20,
    ) {
        let stop = stop.index(lines.len() + 1) as u64;
        for (file, layout) in both(&lines, group_rows) {
            let mut rows = all(&file, &layout, 0, Some(stop)).unwrap();
            prop_assert!(rows.iter().all(|row| row.number < stop));
            rows.extend(all(&file, &layout, stop, None).unwrap());
            prop_assert_eq!(rows, expected(&lines));
        }
    }
}
