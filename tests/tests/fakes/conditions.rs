use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use tests::fake_aws::{Content, FakeAws};

use crate::{code, text};

fn plain() -> (FakeAws, Client) {
    with_bucket(false)
}

fn versioned() -> (FakeAws, Client) {
    with_bucket(true)
}

fn with_bucket(versioned: bool) -> (FakeAws, Client) {
    let fake = FakeAws::start();
    fake.bucket("b", versioned);
    let client = fake.s3_client();
    (fake, client)
}

#[tokio::test]
async fn only_the_first_of_two_creating_puts_wins() {
    let (fake, client) = plain();
    let put = |body: &'static [u8]| {
        let put = client.put_object().bucket("b").key("k").if_none_match("*");
        put.body(ByteStream::from_static(body)).send()
    };
    put(b"one").await.unwrap();
    assert_eq!(code(put(b"two").await), "PreconditionFailed");
    assert_eq!(fake.object("b", "k").unwrap().content, Content::from("one"));
}

#[tokio::test]
async fn a_put_that_replaces_needs_the_etag_that_is_there() {
    let (fake, client) = plain();
    let put = |etag: &str| {
        client
            .put_object()
            .bucket("b")
            .key("k")
            .if_match(etag)
            .send()
    };
    assert_eq!(code(put("\"0\"").await), "NoSuchKey");
    let written = fake.put("b", "k", "one");
    assert_eq!(code(put("\"0\"").await), "PreconditionFailed");
    put(&written.etag).await.unwrap();
    assert!(fake.object("b", "k").unwrap().content.is_empty());
}

#[tokio::test]
async fn a_range_is_read_only_from_the_etag_that_was_asked_for() {
    let (fake, client) = plain();
    let written = fake.put("b", "k", "0123456789");
    let get = |range: &str| {
        let get = client
            .get_object()
            .bucket("b")
            .key("k")
            .if_match(&written.etag);
        get.range(range).send()
    };
    let got = get("bytes=3-").await.unwrap();
    assert_eq!(got.content_range(), Some("bytes 3-9/10"));
    assert_eq!(text(got).await, "3456789");
    assert_eq!(code(get("bytes=10-").await), "InvalidRange");
    fake.put("b", "k", "abcdefghij");
    assert_eq!(code(get("bytes=3-").await), "PreconditionFailed");
}

#[tokio::test]
async fn a_versioned_delete_leaves_a_marker_and_the_version() {
    let (fake, client) = versioned();
    let written = fake.put("b", "k", "one");
    let deleted = client
        .delete_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));

    let refused = client
        .get_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap_err();
    let marker = refused
        .raw_response()
        .unwrap()
        .headers()
        .get("x-amz-delete-marker");
    assert_eq!(marker, Some("true"));
    assert_eq!(code::<(), _, _>(Err(refused)), "NoSuchKey");
    let old = client
        .get_object()
        .bucket("b")
        .key("k")
        .version_id(written.version_id.unwrap());
    assert_eq!(text(old.send().await.unwrap()).await, "one");
    assert!(fake.keys("b").is_empty());

    let unmark = client.delete_object().bucket("b").key("k");
    unmark
        .version_id(deleted.version_id().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(fake.keys("b"), ["k"]);
}

#[tokio::test]
async fn a_conditional_delete_spares_a_newer_object() {
    let (fake, client) = plain();
    let old = fake.put("b", "k", "one");
    let new = fake.put("b", "k", "two");
    let delete = |etag: &str| {
        client
            .delete_object()
            .bucket("b")
            .key("k")
            .if_match(etag)
            .send()
    };
    assert_eq!(code(delete(&old.etag).await), "PreconditionFailed");
    delete(&new.etag).await.unwrap();
    assert_eq!(code(delete(&new.etag).await), "NoSuchKey");
    assert!(new.sequencer > old.sequencer);
}
