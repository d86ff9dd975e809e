//! Outputs are archives for the formats' own tools, whatever the input.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use tests::compressor::{BUCKET, Compressor};
use tests::content::noise;
use tests::fake_aws::Content;
use tests::unpack;

fn unpack_as(format: &str, archive: &Bytes) -> Vec<u8> {
    match format {
        "zip" => unpack::zip(archive).1,
        "gzip" => unpack::gzip(archive),
        "zstd" => unpack::zstd(archive),
        _ => unreachable!("{format}"),
    }
}

#[tokio::test]
async fn every_format_is_read_back_by_its_own_tool() {
    let contents: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("one-byte", vec![b'x']),
        (
            "records",
            b"{\"level\":\"info\",\"message\":\"hello\"}\n".repeat(20_000),
        ),
        ("noise", noise(700_000)),
        ("two-parts", noise(9_000_000)),
    ];
    for (format, extension) in [("zip", ".zip"), ("gzip", ".gz"), ("zstd", ".zst")] {
        let compressor = Compressor::with(&[("COMPRESSION_FORMAT", format)]);
        for (name, content) in &contents {
            compressor
                .compress(&format!("incoming/{name}"), content.clone())
                .await;
            let outputs = compressor.outputs();
            let output = outputs
                .iter()
                .find(|key| key.ends_with(&format!("/{name}{extension}")))
                .unwrap();
            let stored = compressor.fake.object(BUCKET, output).unwrap();
            let archive = stored.content.bytes();
            assert_eq!(&unpack_as(format, &archive), content, "{format} {name}");
            assert!(
                archive.len() < content.len() + content.len() / 1000 + 300,
                "{format} {name} grew"
            );
            if *name == "records" {
                assert!(
                    archive.len() < content.len() / 50,
                    "{format} did not shrink"
                );
            }
            assert_eq!(
                stored.headers["content-type"],
                format!("application/{format}")
            );
        }
    }
}

#[tokio::test]
async fn what_is_compressed_already_is_stored() {
    let mut gzip = std::process::Command::new("gzip");
    let gzip = gzip
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = gzip.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&b"some text, ".repeat(5000))
        .unwrap();
    let gzipped = child.wait_with_output().unwrap().stdout;
    let compressor = Compressor::default();
    compressor
        .compress("incoming/already.gz", gzipped.clone())
        .await;
    let archive = compressor.output().content.bytes();
    assert!(
        archive
            .windows(gzipped.len())
            .any(|window| window == gzipped),
        "stored as it is"
    );
    assert_eq!(unpack::zip(&archive).1, gzipped);
}

#[tokio::test]
async fn a_higher_level_gives_a_smaller_output() {
    let records: Vec<u8> = (0..20_000_u32)
        .flat_map(|n| {
            format!(
                "{{\"id\":{n},\"hash\":{}}}\n",
                n.wrapping_mul(2_654_435_761)
            )
            .into_bytes()
        })
        .collect();
    for (format, low, high) in [("zip", "0", "9"), ("gzip", "1", "9"), ("zstd", "1", "19")] {
        let mut sizes = Vec::new();
        for level in [low, high] {
            let settings = [("COMPRESSION_FORMAT", format), ("COMPRESSION_LEVEL", level)];
            let compressor = Compressor::with(&settings);
            compressor
                .compress("incoming/records", records.clone())
                .await;
            sizes.push(compressor.output().content.len());
        }
        assert!(sizes[1] < sizes[0], "{format} {sizes:?}");
    }
}

#[tokio::test]
async fn equal_input_gives_equal_bytes_however_it_arrives() {
    let content = noise(300_000)
        .iter()
        .map(|byte| byte % 16)
        .collect::<Vec<_>>();
    let mut archives = Vec::new();
    for after_bytes in [None, Some(1), Some(200_001)] {
        let compressor = Compressor::default();
        if let Some(after_bytes) = after_bytes {
            let get = tests::fake_aws::Operation::GetObject;
            compressor
                .fake
                .fault(tests::fake_aws::Fault::on(get).cut_body(after_bytes));
        }
        compressor.compress("incoming/same", content.clone()).await;
        archives.push(compressor.output().content.bytes());
    }
    assert!(archives.iter().all(|archive| *archive == archives[0]));
}

#[tokio::test]
async fn five_gib_pass_through_zip64() {
    const GIB: u64 = 1024 * 1024 * 1024;
    let compressor = Compressor::default();
    let written = compressor.source("incoming/sparse", Content::Zeros(5 * GIB));
    let event = tests::fake_aws::sqs_event(&[("m", &written.notification().to_string())]);
    let response = compressor
        .invoke_within(event, Duration::from_mins(15))
        .await
        .unwrap();
    assert_eq!(tests::compressor::failed_ids(&response), [""; 0]);
    let mut file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    file.write_all(&compressor.output().content.bytes())
        .unwrap();
    unpack::unzip_test(file.path());
    let script =
        "import sys, zipfile; (i,) = zipfile.ZipFile(sys.argv[1]).infolist(); print(i.file_size)";
    let python = std::process::Command::new("python3")
        .arg("-c")
        .arg(script)
        .arg(file.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&python.stdout).trim(),
        (5 * GIB).to_string()
    );
    assert!(!compressor.has_source("incoming/sparse"));
}

#[tokio::test]
async fn one_byte_over_the_default_limit_is_refused() {
    let compressor = Compressor::default();
    let written = compressor.source(
        "incoming/sparse",
        Content::Zeros(5 * 1024 * 1024 * 1024 + 1),
    );
    assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
    assert_eq!(compressor.dead_letters()[0].0, "too_large");
}
