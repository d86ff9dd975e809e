//! What an output says about its source, and what it takes over from it.

use tests::compressor::{BUCKET, Compressor};
use tests::content::noise;
use tests::fake_aws::{Stored, Written};

const KEY: &str = "incoming/data.csv";

async fn output_of(written: &Written, compressor: &Compressor) -> Stored {
    assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
    compressor.output()
}

#[tokio::test]
async fn an_output_names_its_source_version() {
    let compressor = Compressor::default();
    let written = compressor
        .fake
        .seed(BUCKET, KEY)
        .header("Content-Type", "text/csv")
        .put("a,b\n");
    let output = output_of(&written, &compressor).await;
    // printf %s incoming/data.csv | sha256sum
    let sha256 = "1f18f44fbecf93366c41efb96dd9ba261e33bc25c143fb91daec86908b12a813";
    assert_eq!(output.metadata["source-key-sha256"], sha256);
    assert_eq!(output.metadata["source-etag"], written.etag);
    assert_eq!(
        output.metadata["source-version-id"],
        written.version_id.unwrap()
    );
    assert_eq!(output.metadata["source-size"], "4");
    assert_eq!(
        output.metadata["source-sequencer"].to_ascii_lowercase(),
        written.sequencer.to_ascii_lowercase()
    );
    assert_eq!(output.metadata["source-content-type"], "text/csv");
    assert_eq!(output.headers["content-type"], "application/zip");
}

#[tokio::test]
async fn user_metadata_cache_headers_storage_class_and_key_carry_over() {
    for content in [vec![b'x'; 10], large()] {
        let compressor = Compressor::default();
        let seed = compressor.fake.seed(BUCKET, KEY);
        let seed = seed
            .metadata("team", "data")
            .header("Cache-Control", "max-age=60")
            .header("Content-Language", "de")
            .header("Expires", "Wed, 21 Oct 2026 07:28:00 GMT")
            .header("Content-Encoding", "br")
            .header("Content-Disposition", "attachment; filename=data.csv")
            .header("x-amz-storage-class", "STANDARD_IA")
            .header("x-amz-server-side-encryption", "aws:kms")
            .header("x-amz-server-side-encryption-bucket-key-enabled", "true")
            .header(
                "x-amz-server-side-encryption-aws-kms-key-id",
                "arn:aws:kms:us-east-1:123456789012:key/k",
            );
        let written = seed.put(content);
        let output = output_of(&written, &compressor).await;
        assert_eq!(output.metadata["team"], "data");
        assert_eq!(output.metadata["source-content-encoding"], "br");
        for (name, value) in [
            ("cache-control", "max-age=60"),
            ("content-language", "de"),
            ("expires", "Wed, 21 Oct 2026 07:28:00 GMT"),
            ("x-amz-storage-class", "STANDARD_IA"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
            (
                "x-amz-server-side-encryption-aws-kms-key-id",
                "arn:aws:kms:us-east-1:123456789012:key/k",
            ),
        ] {
            assert_eq!(
                output.headers.get(name).map(String::as_str),
                Some(value),
                "{name}"
            );
        }
        assert!(!output.headers.contains_key("content-encoding"));
        assert!(!output.headers.contains_key("content-disposition"));
    }
}

/// 9 MB that do not shrink: a multipart output.
fn large() -> Vec<u8> {
    noise(9_000_000)
}

#[tokio::test]
async fn metadata_that_does_not_fit_is_left_out_and_ours_stays() {
    let compressor = Compressor::default();
    let seed = compressor
        .fake
        .seed(BUCKET, KEY)
        .metadata("a-big", &"v".repeat(1900))
        .metadata("b-small", "kept");
    let written = seed.metadata("source-etag", "forged").put("x");
    let output = output_of(&written, &compressor).await;
    assert_eq!(output.metadata["source-etag"], written.etag);
    assert_eq!(output.metadata["b-small"], "kept");
    assert!(!output.metadata.contains_key("a-big"));
    let bytes: usize = output
        .metadata
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    assert!(bytes <= 2048);
}

#[tokio::test]
async fn encryption_without_a_key_is_left_to_the_outputs_bucket() {
    let compressor = Compressor::default();
    let seed = compressor.fake.seed(BUCKET, KEY);
    let written = seed
        .header("x-amz-server-side-encryption", "AES256")
        .put("x");
    let output = output_of(&written, &compressor).await;
    assert!(!output.headers.contains_key("x-amz-server-side-encryption"));
}
