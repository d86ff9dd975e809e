//! Parts that are not what they should be: refused by name and row, never used, never a panic.

use super::*;
use inventory::{LayoutError, PAGE_BYTES_MAX};

#[test]
fn a_row_that_makes_no_sense_is_named() {
    let layout = Layout::read("CSV", "Key, Size, IsLatest").unwrap();
    for bad in [
        "b,1",
        "b,1,true,x",
        "b,-1,true",
        "b,1x,true",
        "b,1,yes",
        "%zz,1,true",
        ",1,true",
        "%ff,1,true",
    ] {
        let file = gzipped(&format!("a,1,true\na2,1,false\n{bad}\nc,1,true\n"));
        let error = all(&file, &layout, 0, None).unwrap_err();
        assert!(
            matches!(error, PartError::Damaged { row: 2, .. }),
            "{bad}: {error}"
        );
        assert!(error.to_string().contains("data/1, row 2"), "{error}");
    }
}

#[test]
fn a_quote_that_is_never_closed_is_not_read_into_memory() {
    let file = gzipped(&format!("a\n\"b{}", "x".repeat(8 * 1024 * 1024)));
    let layout = Layout::read("CSV", "Key").unwrap();
    let error = all(&file, &layout, 0, None).unwrap_err();
    assert!(
        error.to_string().contains("longer than 1048576 bytes"),
        "{error}"
    );
}

#[test]
fn a_page_that_is_too_large_is_refused() {
    let lines = vec![Line::of(&"k".repeat(1000), 1, ETAG); 9_500];
    for (page_bytes, fits) in [
        (PAGE_BYTES_MAX - 2_000_000, true),
        (PAGE_BYTES_MAX + 1, false),
    ] {
        let writing = Writing {
            dictionary: false,
            page_bytes,
            ..Writing::default()
        };
        let read = all(
            &parquet(&lines, 10_000, &writing),
            &Layout::Parquet,
            0,
            None,
        );
        assert_eq!(read.is_ok(), fits);
        if let Err(error) = read {
            assert!(error.to_string().contains("larger than 8388608"), "{error}");
        }
    }
}

#[test]
fn a_part_whose_columns_are_others_is_refused() {
    for (schema, missing) in [
        ("message m { optional int64 size; }", "key"),
        (
            "message m { required binary key; optional binary version_id; }",
            "is_latest",
        ),
        (
            "message m { required int64 size; repeated binary key; }",
            "in a list",
        ),
        (
            "message m { required binary key; optional binary size; }",
            "BYTE_ARRAY",
        ),
    ] {
        let schema = schema.to_owned();
        let to = tempfile::tempfile().unwrap();
        let file =
            made::parquet(&schema, [[]; 0] as [[Line; 0]; 0], &Writing::default(), to).unwrap();
        let error = all(&file, &Layout::Parquet, 0, None).unwrap_err();
        let PartError::Layout { source, .. } = &error else {
            panic!("{error}")
        };
        assert!(source.to_string().contains(missing), "{source}");
        assert!(!matches!(source, LayoutError::Orc));
    }
}

#[test]
fn what_is_no_part_at_all_is_refused() {
    for content in [
        "",
        "PAR1",
        "PAR1PAR1PAR1",
        "not a part, but long enough for a tail",
        "\x1f\u{8b}",
    ] {
        for layout in [Layout::Parquet, csv_layout()] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let read = all(&file, &layout, 0, None);
            assert!(read.is_err(), "{content:?}: {read:?}");
        }
    }
}

#[test]
fn no_single_bit_makes_a_reader_panic() {
    let schema = "message m { required binary key; optional int64 size; }";
    let writing = Writing {
        dictionary: false,
        version_2: true,
        ..Writing::default()
    };
    let content = made::parquet(schema, [numbered(3)], &writing, Vec::new()).unwrap();
    let mut errors = Vec::new();
    for bit in 0..content.len() * 8 {
        let mut content = content.clone();
        content[bit / 8] ^= 1 << (bit % 8);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        let read = all(&file, &Layout::Parquet, 0, None);
        errors.extend(read.err().map(|error| error.to_string()));
    }
    // What is checked here and not by the decoder, and what the decoder does not check at all.
    for words in ["ends before its row group does", "the decoder broke off"] {
        assert!(errors.iter().any(|error| error.contains(words)), "{words}");
    }
}

/// Cuts or flips what is written, and reads it: rows, or an error that names the part.
fn damaged(file: &File, layout: &Layout, cut: Option<u64>, flips: &[(u64, u8)]) {
    use std::os::unix::fs::FileExt;
    let length = file.metadata().unwrap().len();
    for (at, bit) in flips {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at % length).unwrap();
        file.write_all_at(&[byte[0] ^ (1 << (bit % 8))], at % length)
            .unwrap();
    }
    if let Some(cut) = cut {
        file.set_len(cut % length).unwrap();
    }
    for from in [0, 13] {
        if let Err(error) = all(file, layout, from, None) {
            assert!(error.to_string().contains("data/1"), "{error}");
            assert!(!matches!(error, PartError::Io { .. }), "{error:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_part_is_an_error_or_rows_and_never_a_panic(
        way in 0_usize..18, cut in prop::option::of(any::<u64>()), flips in prop::collection::vec(any::<(u64, u8)>(), 0..4),
    ) {
        let lines = numbered(40);
        damaged(&parquet(&lines, 15, &writings()[way]), &Layout::Parquet, cut, &flips);
        let mut file = csv(&lines);
        file.seek(SeekFrom::Start(0)).unwrap();
        damaged(&file, &csv_layout(), cut, &flips);
    }
}
