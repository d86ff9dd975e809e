use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tests::fake_aws::{Content, FakeAws, Fault, Operation};

use crate::{TIMEOUT, code, status, text};

fn with_bucket() -> (FakeAws, Client) {
    let fake = FakeAws::start();
    fake.bucket("b", false);
    let client = fake.s3_client();
    (fake, client)
}

#[tokio::test]
async fn what_was_put_comes_back_with_its_headers_and_metadata() {
    let (fake, client) = with_bucket();
    let put = client
        .put_object()
        .bucket("b")
        .key("k")
        .body(ByteStream::from_static(b"hello"));
    let put = put
        .content_type("text/plain")
        .cache_control("max-age=60")
        .content_language("de")
        .content_disposition("inline")
        .storage_class("STANDARD_IA".into())
        .metadata("Owner", "me");
    put.send().await.unwrap();

    let got = client
        .get_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_type(), Some("text/plain"));
    assert_eq!(got.cache_control(), Some("max-age=60"));
    assert_eq!(got.content_language(), Some("de"));
    assert_eq!(got.content_disposition(), Some("inline"));
    assert_eq!(got.storage_class().unwrap().as_str(), "STANDARD_IA");
    assert_eq!(got.metadata().unwrap()["owner"], "me");
    assert_eq!(got.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(got.content_length(), Some(5));
    assert_eq!(text(got).await, "hello");
    assert_eq!(
        fake.object("b", "k").unwrap().content,
        Content::from("hello")
    );
}

#[tokio::test]
async fn a_kms_key_is_kept_and_told() {
    let (_fake, client) = with_bucket();
    let put = client
        .put_object()
        .bucket("b")
        .key("k")
        .server_side_encryption("aws:kms".into());
    put.ssekms_key_id("key-1")
        .bucket_key_enabled(true)
        .send()
        .await
        .unwrap();
    let head = client
        .head_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(head.server_side_encryption().unwrap().as_str(), "aws:kms");
    assert_eq!(head.ssekms_key_id(), Some("key-1"));
    assert_eq!(head.bucket_key_enabled(), Some(true));
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let (fake, client) = with_bucket();
    fake.put("b", "k", "one");
    let get = |bucket: &str, key: &str| client.get_object().bucket(bucket).key(key);
    assert_eq!(code(get("b", "other").send().await), "NoSuchKey");
    assert_eq!(code(get("other", "k").send().await), "NoSuchBucket");
    assert_eq!(
        code(get("b", "k").version_id("0").send().await),
        "NoSuchVersion"
    );
    let head = client.head_object().bucket("b").key("other").send().await;
    assert_eq!(status(head), Some(404));
}

#[tokio::test]
async fn keys_are_taken_as_they_are() {
    let (fake, client) = with_bucket();
    let long = "x".repeat(1_024);
    let keys = [
        "a b", "a+b", "a%2Bb", "a%25", "ä/ö", "../up", "a//b", "folder/", "a/./b", &long,
    ];
    for key in keys {
        client
            .put_object()
            .bucket("b")
            .key(key)
            .send()
            .await
            .unwrap();
        client
            .head_object()
            .bucket("b")
            .key(key)
            .send()
            .await
            .unwrap();
        assert!(fake.object("b", key).is_some(), "{key}");
    }
    assert_eq!(fake.keys("b").len(), keys.len());
    let too_long = client
        .put_object()
        .bucket("b")
        .key("x".repeat(1_025))
        .send()
        .await;
    assert_eq!(code(too_long), "KeyTooLongError");
}

#[tokio::test]
async fn metadata_is_limited_to_two_kibibytes_of_names_and_values() {
    let (_fake, client) = with_bucket();
    let put = |value_bytes| {
        let put = client.put_object().bucket("b").key("k");
        put.metadata("name", "v".repeat(value_bytes)).send()
    };
    put(2_044).await.unwrap();
    assert_eq!(code(put(2_045).await), "MetadataTooLarge");
}

#[tokio::test]
async fn a_wrong_digest_is_refused_and_stores_nothing() {
    let (fake, client) = with_bucket();
    let put = || {
        client
            .put_object()
            .bucket("b")
            .key("k")
            .body(ByteStream::from_static(b"hello"))
    };
    assert_eq!(
        code(put().checksum_crc32("AAAAAA==").send().await),
        "BadDigest"
    );
    let md5 = put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(code(md5.send().await), "BadDigest");
    assert_eq!(
        code(put().content_md5("AAAA").send().await),
        "InvalidDigest"
    );
    assert!(fake.keys("b").is_empty());
    put()
        .content_md5("XUFAKrxLKna5cZ2REBfFkg==")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_streamed_body_is_decoded_and_its_trailing_checksum_kept() {
    let (fake, client) = with_bucket();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"from a file").unwrap();
    let body = ByteStream::from_path(file.path()).await.unwrap();
    client
        .put_object()
        .bucket("b")
        .key("k")
        .body(body)
        .send()
        .await
        .unwrap();

    let stored = fake.object("b", "k").unwrap();
    assert_eq!(stored.content, Content::from("from a file"));
    assert!(!stored.headers.contains_key("content-encoding"));
    let request = &fake.requests()[0];
    assert!(request.headers["x-amz-content-sha256"].starts_with("STREAMING-"));
    let got = client
        .get_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert!(got.checksum_crc32().is_some());
}

#[tokio::test]
async fn listings_are_paged_by_a_thousand() {
    let (fake, client) = with_bucket();
    for number in 0..1_500 {
        fake.put("b", &format!("p/{number:04}"), Content::Zeros(0));
    }
    fake.put("b", "q", "outside");
    let list = client.list_objects_v2().bucket("b").prefix("p/");
    let first = list.clone().send().await.unwrap();
    assert_eq!(
        (first.contents().len(), first.is_truncated()),
        (1_000, Some(true))
    );
    let next = list.continuation_token(first.next_continuation_token().unwrap());
    let second = next.send().await.unwrap();
    assert_eq!(
        (second.contents().len(), second.is_truncated()),
        (500, Some(false))
    );
    assert_eq!(second.contents()[0].key(), Some("p/1000"));
    assert_eq!(second.contents()[0].size(), Some(0));
}

#[tokio::test]
async fn five_sparse_gibibytes_cost_nothing_until_they_are_read() {
    let (fake, client) = with_bucket();
    let size_bytes = 5 * 1024 * 1024 * 1024;
    fake.put("b", "k", Content::Zeros(size_bytes));
    let got = client
        .get_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(
        got.content_length(),
        Some(i64::try_from(size_bytes).unwrap())
    );
    drop(got);
    let tail = client
        .get_object()
        .bucket("b")
        .key("k")
        .range("bytes=-3")
        .send()
        .await
        .unwrap();
    assert_eq!(
        tail.body.collect().await.unwrap().into_bytes(),
        Bytes::from_static(&[0; 3])
    );
}

#[tokio::test]
async fn an_archived_object_is_not_read() {
    let (fake, client) = with_bucket();
    fake.seed("b", "k")
        .header("x-amz-storage-class", "GLACIER")
        .put("cold");
    let got = client.get_object().bucket("b").key("k").send().await;
    assert_eq!(code(got), "InvalidObjectState");
}

#[tokio::test]
async fn what_is_not_modelled_is_refused() {
    let (_fake, client) = with_bucket();
    let tagging = client
        .get_object_tagging()
        .bucket("b")
        .key("k")
        .send()
        .await;
    assert_eq!(code(tagging), "NotImplemented");
    let copy = client
        .copy_object()
        .bucket("b")
        .key("k")
        .copy_source("b/other")
        .send()
        .await;
    assert_eq!(code(copy), "NotImplemented");
}

#[test]
fn a_notification_names_what_is_there() {
    let fake = FakeAws::start();
    fake.bucket("b", true);
    let written = fake.put("b", "incoming/a b+c.json", "four");
    let event = fake.s3_notification("b", "incoming/a b+c.json");
    assert_eq!(event, written.notification());
    let object = &event["Records"][0]["s3"]["object"];
    assert_eq!(object["key"], "incoming/a+b%2Bc.json");
    assert_eq!(object["size"], 4);
    assert_eq!(object["eTag"], written.etag.as_str());
    assert_eq!(object["versionId"], written.version_id.unwrap().as_str());
}

#[tokio::test]
async fn requests_are_told_with_their_headers_and_answers() {
    let (fake, client) = with_bucket();
    fake.fault(Fault::on(Operation::PutObject).answer(503, "SlowDown"));
    client
        .put_object()
        .bucket("b")
        .key("k")
        .if_none_match("*")
        .send()
        .await
        .unwrap();
    let requests = fake.requests();
    let told = requests
        .iter()
        .map(|request| (request.operation, request.status));
    let expected = [
        (Operation::PutObject, Some(503)),
        (Operation::PutObject, Some(200)),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(requests[1].headers["if-none-match"], "*");
    assert!(fake.wait_for(Operation::PutObject, 2, TIMEOUT));
    assert!(!fake.wait_for(Operation::PutObject, 3, Duration::ZERO));
}
