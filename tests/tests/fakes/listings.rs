//! Listings: in pages, below a delimiter, after a key, encoded, and of keys that are kept nowhere.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;
use tests::fake_aws::{FakeAws, Synthetic};

use crate::code;

fn bucket(keys: &[&str]) -> (FakeAws, Client) {
    let fake = FakeAws::start();
    fake.bucket("b", true);
    for key in keys {
        fake.put("b", key, "text");
    }
    let client = fake.s3_client();
    (fake, client)
}

fn keys(page: &ListObjectsV2Output) -> Vec<&str> {
    page.contents()
        .iter()
        .filter_map(|object| object.key())
        .collect()
}

fn prefixes(page: &ListObjectsV2Output) -> Vec<&str> {
    page.common_prefixes()
        .iter()
        .filter_map(|prefix| prefix.prefix())
        .collect()
}

#[tokio::test]
async fn a_delimiter_rolls_folders_up_and_a_rolled_up_folder_counts_as_one() {
    let (_fake, client) = bucket(&["p/a", "p/b/1", "p/b/2", "p/b/c/3", "p/d", "p/e/", "q/z"]);
    let list = client
        .list_objects_v2()
        .bucket("b")
        .prefix("p/")
        .delimiter("/");
    let all = list.clone().send().await.unwrap();
    assert_eq!(
        (keys(&all), prefixes(&all)),
        (vec!["p/a", "p/d"], vec!["p/b/", "p/e/"])
    );
    assert_eq!(
        (all.key_count(), all.is_truncated()),
        (Some(4), Some(false))
    );
    let first = list.clone().max_keys(2).send().await.unwrap();
    assert_eq!(
        (keys(&first), prefixes(&first)),
        (vec!["p/a"], vec!["p/b/"])
    );
    let second = list
        .max_keys(2)
        .continuation_token(first.next_continuation_token().unwrap());
    let second = second.send().await.unwrap();
    assert_eq!(
        (keys(&second), prefixes(&second)),
        (vec!["p/d"], vec!["p/e/"])
    );
    assert_eq!(second.is_truncated(), Some(false));
}

#[tokio::test]
async fn a_listing_starts_after_a_key_whether_it_is_there_or_not() {
    let (_fake, client) = bucket(&["a", "p/1", "p/10", "p/2", "q"]);
    let list = client.list_objects_v2().bucket("b").prefix("p/");
    for (after, expected) in [
        ("p/1", vec!["p/10", "p/2"]),
        ("p/11", vec!["p/2"]),
        ("a", vec!["p/1", "p/10", "p/2"]),
        ("q", vec![]),
    ] {
        let page = list.clone().start_after(after).send().await.unwrap();
        assert_eq!(keys(&page), expected, "after {after}");
    }
    let unknown = list.clone().delimiter("/").start_after("p/1").send().await;
    assert_eq!(code(unknown), "NotImplemented");
    let token = list.continuation_token("p/1").send().await;
    assert_eq!(code(token), "InvalidArgument");
}

#[tokio::test]
async fn keys_that_xml_cannot_hold_are_listed_in_their_encoding() {
    let (_fake, client) = bucket(&["p/a b+c", "p/\u{1}", "p/ä/x"]);
    let list = client
        .list_objects_v2()
        .bucket("b")
        .encoding_type(EncodingType::Url);
    let page = list.clone().send().await.unwrap();
    assert_eq!(keys(&page), ["p/%01", "p/a+b%2Bc", "p/%C3%A4/x"]);
    let folders = list.prefix("p/").delimiter("/").send().await.unwrap();
    assert_eq!(prefixes(&folders), ["p/%C3%A4/"]);
}

#[tokio::test]
async fn an_object_is_told_with_all_that_a_listing_knows() {
    let (fake, client) = bucket(&[]);
    let modified = UNIX_EPOCH + Duration::from_millis(1_795_262_400_900);
    let cold = fake.seed("b", "k").header("x-amz-storage-class", "GLACIER");
    let written = cold.modified(modified).put("four");
    let page = client.list_objects_v2().bucket("b").send().await.unwrap();
    let object = &page.contents()[0];
    assert_eq!(object.e_tag(), Some(&*format!("\"{}\"", written.etag)));
    assert_eq!(object.storage_class().unwrap().as_str(), "GLACIER");
    assert_eq!(object.size(), Some(4));
    let told = object.last_modified().unwrap();
    assert_eq!((told.secs(), told.subsec_nanos()), (1_795_262_400, 0));
    fake.delete("b", "k");
    let page = client.list_objects_v2().bucket("b").send().await.unwrap();
    assert_eq!(keys(&page), [""; 0]);
}

#[tokio::test]
async fn a_million_keys_are_listed_and_kept_nowhere() {
    let fake = FakeAws::start();
    let synthetic = Synthetic {
        prefix: "incoming/".to_owned(),
        folders: 256,
        keys_per_folder: 4_000,
        size_bytes: 10,
    };
    fake.synthetic_bucket("many", synthetic);
    let client = fake.s3_client();
    let list = client.list_objects_v2().bucket("many");
    let folders = list
        .clone()
        .prefix("incoming/")
        .delimiter("/")
        .send()
        .await
        .unwrap();
    assert_eq!(prefixes(&folders).len(), 256);
    assert_eq!(prefixes(&folders)[255], "incoming/ff/");
    let ending = list
        .clone()
        .prefix("incoming/")
        .start_after("incoming/ff/0000003998.json");
    assert_eq!(
        keys(&ending.send().await.unwrap()),
        ["incoming/ff/0000003999.json"]
    );
    let one = list.prefix("incoming/0a/");
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let page = one
            .clone()
            .set_continuation_token(token)
            .send()
            .await
            .unwrap();
        seen.extend(keys(&page).into_iter().map(str::to_owned));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), seen.is_sorted()), (4_000, true));
    let get = client
        .get_object()
        .bucket("many")
        .key(&seen[0])
        .send()
        .await;
    assert_eq!(code(get), "NotImplemented");
}
