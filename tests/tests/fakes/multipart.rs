use aws_sdk_s3::Client;
use aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tests::fake_aws::FakeAws;

use crate::code;

const PART_BYTES: usize = 5 * 1024 * 1024;

struct Started {
    client: Client,
    id: String,
}

impl Started {
    async fn on(fake: &FakeAws) -> Self {
        fake.bucket("b", false);
        let client = fake.s3_client();
        let create = client.create_multipart_upload().bucket("b").key("k");
        let created = create
            .content_type("application/zip")
            .metadata("a", "b")
            .send();
        let id = created.await.unwrap().upload_id().unwrap().to_owned();
        Self { client, id }
    }

    async fn part(&self, number: i32, bytes: Vec<u8>) -> CompletedPart {
        let part = self
            .client
            .upload_part()
            .bucket("b")
            .key("k")
            .upload_id(&self.id);
        let part = part
            .part_number(number)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .unwrap();
        let done = CompletedPart::builder().part_number(number);
        done.set_e_tag(part.e_tag().map(str::to_owned)).build()
    }

    fn complete(&self, parts: &[CompletedPart]) -> CompleteMultipartUploadFluentBuilder {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.to_vec()))
            .build();
        let complete = self.client.complete_multipart_upload().bucket("b").key("k");
        complete.upload_id(&self.id).multipart_upload(parts)
    }
}

#[tokio::test]
async fn parts_become_one_object_only_when_completed() {
    let fake = FakeAws::start();
    let upload = Started::on(&fake).await;
    let parts = [
        upload.part(1, vec![1; PART_BYTES]).await,
        upload.part(2, vec![2; 3]).await,
    ];
    assert!(fake.object("b", "k").is_none());
    assert_eq!(fake.open_uploads("b")[0].part_sizes_bytes[&2], 3);

    let done = upload
        .complete(&parts)
        .if_none_match("*")
        .send()
        .await
        .unwrap();
    let stored = fake.object("b", "k").unwrap();
    assert_eq!(done.e_tag().unwrap().trim_matches('"'), stored.etag);
    let digests = [md5::compute(vec![1; PART_BYTES]).0, md5::compute([2; 3]).0].concat();
    assert_eq!(stored.etag, format!("{:x}-2", md5::compute(digests)));
    assert_eq!(
        stored.content.bytes(),
        [vec![1; PART_BYTES], vec![2; 3]].concat()
    );
    assert_eq!(stored.headers["content-type"], "application/zip");
    assert_eq!(stored.metadata["a"], "b");
    assert!(fake.open_uploads("b").is_empty());
}

#[tokio::test]
async fn a_completion_that_would_overwrite_is_refused_and_stays_open() {
    let fake = FakeAws::start();
    let upload = Started::on(&fake).await;
    let parts = [upload.part(1, vec![1; 3]).await];
    let there = fake.put("b", "k", "first");
    let refused = upload.complete(&parts).if_none_match("*").send().await;
    assert_eq!(code(refused), "PreconditionFailed");
    assert_eq!(
        code(upload.complete(&parts).if_match("\"0\"").send().await),
        "PreconditionFailed"
    );
    assert_eq!(fake.open_uploads("b").len(), 1);
    upload
        .complete(&parts)
        .if_match(there.etag)
        .send()
        .await
        .unwrap();
    assert_eq!(fake.object("b", "k").unwrap().content.len(), 3);
}

#[tokio::test]
async fn a_small_part_is_allowed_only_at_the_end() {
    let fake = FakeAws::start();
    let upload = Started::on(&fake).await;
    let small = upload.part(1, vec![1; PART_BYTES - 1]).await;
    let last = upload.part(2, vec![2; 1]).await;
    assert_eq!(
        code(upload.complete(&[small, last.clone()]).send().await),
        "EntityTooSmall"
    );
    let enough = upload.part(1, vec![1; PART_BYTES]).await;
    upload.complete(&[enough, last]).send().await.unwrap();
}

#[tokio::test]
async fn parts_are_checked_against_what_was_uploaded() {
    let fake = FakeAws::start();
    let upload = Started::on(&fake).await;
    let (one, two) = (
        upload.part(1, vec![1; PART_BYTES]).await,
        upload.part(2, vec![2]).await,
    );
    let foreign = CompletedPart::builder()
        .part_number(1)
        .e_tag("\"0\"")
        .build();
    let missing = CompletedPart::builder()
        .part_number(3)
        .set_e_tag(one.e_tag.clone())
        .build();
    assert_eq!(
        code(upload.complete(&[foreign]).send().await),
        "InvalidPart"
    );
    assert_eq!(
        code(upload.complete(&[missing]).send().await),
        "InvalidPart"
    );
    assert_eq!(
        code(upload.complete(&[two, one]).send().await),
        "InvalidPartOrder"
    );
    assert_eq!(code(upload.complete(&[]).send().await), "MalformedXML");
}

#[tokio::test]
async fn an_aborted_or_completed_upload_is_gone() {
    let fake = FakeAws::start();
    let upload = Started::on(&fake).await;
    let parts = [upload.part(1, vec![1]).await];
    let abort = || {
        upload
            .client
            .abort_multipart_upload()
            .bucket("b")
            .key("k")
            .upload_id(&upload.id)
    };
    abort().send().await.unwrap();
    assert!(fake.open_uploads("b").is_empty());
    assert_eq!(code(abort().send().await), "NoSuchUpload");
    assert_eq!(code(upload.complete(&parts).send().await), "NoSuchUpload");

    let again = Started::on(&fake).await;
    let parts = [again.part(1, vec![1]).await];
    again.complete(&parts).send().await.unwrap();
    assert_eq!(code(again.complete(&parts).send().await), "NoSuchUpload");
}
