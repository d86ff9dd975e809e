//! Every key S3 can hold is compressed under a key of its own, and comes back byte for byte.

use tests::compressor::{BUCKET, Compressor, batch};
use tests::unpack;

#[tokio::test]
async fn any_key_becomes_one_output_whose_content_is_the_source() {
    let long = format!("incoming/{}", "k".repeat(1024 - "processed/00/.zip".len()));
    let keys = [
        "incoming/plain.json",
        "incoming/with space.json",
        "incoming/plus+plus.json",
        "incoming/literal%2B.json",
        "incoming/percent%25.json",
        "incoming/100%.json",
        "incoming/ünïcödé/файл.csv",
        "incoming/../outside.txt",
        "incoming/a/../b.txt",
        "incoming//double//slash.txt",
        "incoming/ends-in-slash/",
        "incoming/\u{202e}gpj.exe",
        "incoming/amp&=?#;:@$,'\"<>.txt",
        long.as_str(),
    ];
    let compressor = Compressor::default();
    for key in keys {
        compressor.compress(key, key).await;
        let outputs = compressor.outputs();
        let path = key.strip_prefix("incoming/").unwrap();
        let output = outputs
            .iter()
            .find(|output| output.ends_with(&format!("/{path}.zip")));
        let output = output.unwrap_or_else(|| panic!("no output for {key}: {outputs:?}"));
        let stored = compressor.fake.object(BUCKET, output).unwrap();
        assert_eq!(
            unpack::zip(&stored.content.bytes()).1,
            key.as_bytes(),
            "{key}"
        );
        assert!(!compressor.has_source(key), "{key}");
    }
    assert_eq!(compressor.outputs().len(), keys.len());
    assert!(compressor.dead_letters().is_empty());
}

#[tokio::test]
async fn equal_names_in_other_folders_or_with_other_extensions_have_outputs_of_their_own() {
    let compressor = Compressor::default();
    for key in ["incoming/a.json", "incoming/a.csv", "incoming/x/a.json"] {
        compressor.compress(key, key).await;
    }
    let outputs = compressor.outputs();
    assert_eq!(outputs.len(), 3, "{outputs:?}");
    for (ending, content) in [
        ("/x/a.json.zip", "incoming/x/a.json"),
        ("/a.csv.zip", "incoming/a.csv"),
        ("/a.json.zip", "incoming/a.json"),
    ] {
        let shortest = outputs
            .iter()
            .filter(|key| key.ends_with(ending))
            .min_by_key(|key| key.len())
            .unwrap();
        let stored = compressor.fake.object(BUCKET, shortest).unwrap();
        assert_eq!(unpack::zip(&stored.content.bytes()).1, content.as_bytes());
    }
}

#[tokio::test]
async fn a_partitioned_source_keeps_its_partition() {
    let compressor = Compressor::default();
    compressor.compress("incoming/5d/hello", "x").await; // md5("hello") = 5d41…
    assert_eq!(compressor.outputs(), ["processed/5d/hello.zip"]);
}

#[tokio::test]
async fn an_entry_is_named_by_the_base_name() {
    let compressor = Compressor::default();
    compressor.compress("incoming/a/b/report é.csv", "x").await;
    assert_eq!(
        unpack::zip(&compressor.output().content.bytes()).0,
        "report é.csv"
    );
}

#[tokio::test]
async fn keys_outside_the_prefix_and_folder_markers_are_left_alone() {
    let compressor = Compressor::default();
    for key in ["other/a.txt", "processed/00/a.txt.zip", "incoming/folder/"] {
        compressor.source(key, "");
    }
    let bodies = ["other/a.txt", "processed/00/a.txt.zip", "incoming/folder/"]
        .map(|key| compressor.fake.s3_notification(BUCKET, key));
    assert_eq!(compressor.deliver(&bodies).await, [""; 0]);
    // Without a size in the event the marker is recognised by what is there.
    let answer = compressor
        .invoke(batch(&[(BUCKET, "incoming/folder/")]))
        .await
        .unwrap();
    assert_eq!(answer["skipped"], 1);
    assert_eq!(
        compressor.fake.keys(BUCKET),
        ["incoming/folder/", "other/a.txt", "processed/00/a.txt.zip"]
    );
}
