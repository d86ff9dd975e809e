//! Queues: batches in, receives out, and what a queue says of itself.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use tests::fake_aws::{FakeAws, Operation};

use crate::code;

fn queue() -> (FakeAws, Client, String) {
    let fake = FakeAws::start();
    let url = fake.queue_url("q");
    let client = fake.sqs_client();
    (fake, client, url)
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(body);
    entry.message_group_id("job-1").build().unwrap()
}

fn numbered(count: usize) -> Vec<SendMessageBatchRequestEntry> {
    (0..count)
        .map(|number| entry(&number.to_string(), &format!("body {number}")))
        .collect()
}

#[tokio::test]
async fn a_batch_arrives_with_its_group_and_digests() {
    let (fake, client, url) = queue();
    let batch = client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(numbered(10)));
    let sent = batch.send().await.unwrap();
    assert_eq!((sent.successful().len(), sent.failed().len()), (10, 0));
    let digest = format!("{:x}", md5::compute("body 3"));
    assert_eq!(sent.successful()[3].md5_of_message_body(), digest);
    let messages = fake.messages("q");
    assert_eq!(messages[3].body, "body 3");
    assert_eq!(messages[3].group_id.as_deref(), Some("job-1"));
}

#[tokio::test]
async fn a_batch_that_breaks_a_rule_is_refused_whole() {
    let (fake, client, url) = queue();
    let large = "x".repeat(524_289);
    for (entries, expected) in [
        (vec![], "EmptyBatchRequest"),
        (numbered(11), "TooManyEntriesInBatchRequest"),
        (
            vec![entry("a", "1"), entry("a", "2")],
            "BatchEntryIdsNotDistinct",
        ),
        (vec![entry("a b", "1")], "InvalidBatchEntryId"),
        (vec![entry(&"x".repeat(81), "1")], "InvalidBatchEntryId"),
        (
            vec![entry("a", &large), entry("b", &large)],
            "BatchRequestTooLong",
        ),
    ] {
        let batch = client
            .send_message_batch()
            .queue_url(&url)
            .set_entries(Some(entries));
        assert_eq!(code(batch.send().await), expected);
    }
    assert!(fake.messages("q").is_empty());
}

#[tokio::test]
async fn entries_fail_one_by_one_as_scripted_or_by_their_own_fault() {
    let (fake, client, url) = queue();
    fake.fail_entries("q", &[0, 2], "InternalError", false);
    let entries = vec![
        entry("a", "1"),
        entry("b", "bell \u{7}"),
        entry("c", "3"),
        entry("d", "4"),
    ];
    let batch = client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(entries));
    let sent = batch.clone().send().await.unwrap();
    let failed: Vec<_> = sent
        .failed()
        .iter()
        .map(|it| (it.id(), it.sender_fault()))
        .collect();
    assert_eq!(failed, [("a", false), ("b", true), ("c", false)]);
    assert_eq!(fake.messages("q").len(), 1);
    let again = batch.send().await.unwrap();
    assert_eq!((again.successful().len(), again.failed().len()), (3, 1));
}

#[tokio::test]
async fn a_group_is_printable_and_not_too_long() {
    let (_fake, client, url) = queue();
    let send = |group: &str| {
        let send = client.send_message().queue_url(&url).message_body("b");
        send.message_group_id(group).send()
    };
    send(&"g".repeat(128)).await.unwrap();
    for group in ["", "a b", "ä", &"g".repeat(129)] {
        assert_eq!(code(send(group).await), "InvalidParameterValue", "{group}");
    }
    let ordered = client.send_message().queue_url(&url).message_body("b");
    let ordered = ordered.message_deduplication_id("d").send().await;
    assert_eq!(code(ordered), "NotImplemented");
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_time_is_over_or_it_is_deleted() {
    let (fake, client, url) = queue();
    let batch = client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(numbered(3)));
    batch.send().await.unwrap();
    let receive = client
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(10);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    let hidden = receive.clone().send().await.unwrap();
    assert_eq!(hidden.messages().len(), 3);
    let system = hidden.messages()[0].attributes().unwrap();
    assert_eq!(system[&MessageSystemAttributeName::MessageGroupId], "job-1");
    assert!(receive.clone().send().await.unwrap().messages().is_empty());
    let handle = |number: usize| hidden.messages()[number].receipt_handle().unwrap();
    let show = client
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle(handle(0));
    show.visibility_timeout(0).send().await.unwrap();
    let again = receive.visibility_timeout(60).send().await.unwrap();
    let system = again.messages()[0].attributes().unwrap();
    assert_eq!(
        system[&MessageSystemAttributeName::ApproximateReceiveCount],
        "2"
    );
    // The handle of an earlier receive is taken and does nothing.
    for handle in [handle(0), handle(1)] {
        let delete = client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(handle);
        delete.send().await.unwrap();
    }
    assert_eq!(fake.messages("q").len(), 2);
    let entry = |id: &str, handle: &str| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(id);
        entry.receipt_handle(handle).build().unwrap()
    };
    let delete = client
        .delete_message_batch()
        .queue_url(&url)
        .entries(entry("a", handle(2)));
    let deleted = delete.entries(entry("b", "nonsense")).send().await.unwrap();
    assert_eq!((deleted.successful().len(), deleted.failed().len()), (1, 1));
    assert_eq!(fake.messages("q").len(), 1);
}

#[tokio::test]
async fn a_queue_says_who_it_is_and_how_full() {
    let (fake, client, url) = queue();
    let batch = client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(numbered(3)));
    batch.send().await.unwrap();
    client
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    let attributes = client.get_queue_attributes().queue_url(&url);
    let attributes = attributes
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap();
    let attributes = attributes.attributes().unwrap();
    let told = |name| attributes[&name].as_str();
    assert_eq!(
        told(QueueAttributeName::QueueArn),
        "arn:aws:sqs:us-east-1:123456789012:q"
    );
    assert_eq!(told(QueueAttributeName::ApproximateNumberOfMessages), "2");
    assert_eq!(
        told(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        "1"
    );
    let found = client.get_queue_url().queue_name("q").send().await.unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));
    let missing = client
        .get_queue_url()
        .queue_name("no")
        .send()
        .await
        .unwrap_err();
    assert!(missing.into_service_error().is_queue_does_not_exist());
    let moved = client
        .start_message_move_task()
        .source_arn("arn")
        .send()
        .await;
    assert_eq!(code(moved), "NotImplemented");
    assert_eq!(fake.take_messages("q").len(), 3);
    assert!(fake.messages("q").is_empty());
}

#[tokio::test]
async fn what_is_only_counted_is_counted() {
    let (fake, client, url) = queue();
    fake.keep_no_requests();
    client
        .send_message()
        .queue_url(&url)
        .message_body("b")
        .send()
        .await
        .unwrap();
    assert_eq!(fake.count(Operation::SendMessage), 1);
    assert!(fake.requests().is_empty());
}
