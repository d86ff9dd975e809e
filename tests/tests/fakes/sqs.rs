use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::types::MessageAttributeValue;
use tests::fake_aws::{FakeAws, Fault, Operation, sqs_event};

use crate::code;

const MESSAGE_BYTES_MAX: usize = 1_048_576;

fn queue() -> (FakeAws, Client, String) {
    let fake = FakeAws::start();
    let url = fake.queue_url("dlq");
    let client = fake.sqs_client();
    (fake, client, url)
}

fn with(send: SendMessageFluentBuilder, name: &str, value: &str) -> SendMessageFluentBuilder {
    let text = MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value);
    send.message_attributes(name, text.build().unwrap())
}

#[tokio::test]
async fn a_message_arrives_with_its_attributes_and_their_digests() {
    let (fake, client, url) = queue();
    let send = client.send_message().queue_url(url).message_body("héllo");
    let send = with(with(send, "reason", "too_large"), "key", "incoming/ä");
    let receipt = send.send().await.unwrap();
    let message = &fake.messages("dlq")[0];
    assert_eq!(message.body, "héllo");
    assert_eq!(message.attributes["reason"], "too_large");
    assert_eq!(message.attributes["key"], "incoming/ä");
    let mut digest = Vec::new();
    for (name, value) in [("key", "incoming/ä"), ("reason", "too_large")] {
        for (text, transport) in [(name, None), ("String", Some(1)), (value, None)] {
            digest.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            digest.extend(text.bytes().chain(transport));
        }
    }
    let expected = format!("{:x}", md5::compute(digest));
    assert_eq!(receipt.md5_of_message_attributes(), Some(expected.as_str()));
    assert_eq!(
        receipt.md5_of_message_body(),
        Some(&*format!("{:x}", md5::compute("héllo")))
    );
}

#[tokio::test]
async fn a_body_must_be_text_that_xml_can_hold() {
    let (fake, client, url) = queue();
    let send = |body: &str| {
        client
            .send_message()
            .queue_url(&url)
            .message_body(body)
            .send()
    };
    assert_eq!(code(send("").await), "MissingParameter");
    assert_eq!(code(send("bell \u{7}").await), "InvalidMessageContents");
    send("tab \t, newline \n, beyond the plane \u{1F980}")
        .await
        .unwrap();
    assert_eq!(fake.messages("dlq").len(), 1);
}

#[tokio::test]
async fn attributes_are_ten_at_most_and_never_empty() {
    let (_fake, client, url) = queue();
    let numbered = |count: usize| {
        let send = client.send_message().queue_url(&url).message_body("body");
        (0..count)
            .fold(send, |send, number| with(send, &format!("n{number}"), "v"))
            .send()
    };
    numbered(10).await.unwrap();
    assert_eq!(code(numbered(11).await), "InvalidParameterValue");
    for (name, value) in [
        ("empty", ""),
        ("control", "\u{1}"),
        ("AWS.own", "v"),
        ("a b", "v"),
    ] {
        let send = client.send_message().queue_url(&url).message_body("body");
        assert_eq!(
            code(with(send, name, value).send().await),
            "InvalidParameterValue",
            "{name}"
        );
    }
}

#[tokio::test]
async fn attributes_count_towards_the_size() {
    let (_fake, client, url) = queue();
    let send = |body_bytes| {
        let send = client
            .send_message()
            .queue_url(&url)
            .message_body("b".repeat(body_bytes));
        with(send, "name", "value").send()
    };
    let attribute_bytes = "name".len() + "String".len() + "value".len();
    send(MESSAGE_BYTES_MAX - attribute_bytes).await.unwrap();
    assert_eq!(
        code(send(MESSAGE_BYTES_MAX - attribute_bytes + 1).await),
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn a_queue_refuses_when_it_is_told_to_or_does_not_exist() {
    let (fake, client, url) = queue();
    fake.fault(
        Fault::on(Operation::SendMessage)
            .key("dlq")
            .answer(403, "AccessDenied"),
    );
    let send = |url: &str| {
        client
            .send_message()
            .queue_url(url)
            .message_body("body")
            .send()
    };
    assert_eq!(code(send(&url).await), "AccessDenied");
    assert!(fake.messages("dlq").is_empty());
    let elsewhere = send(&url.replace("dlq", "other")).await.unwrap_err();
    assert!(
        elsewhere
            .as_service_error()
            .unwrap()
            .is_queue_does_not_exist()
    );
    send(&url).await.unwrap();
    assert_eq!(fake.count(Operation::SendMessage), 3);
}

#[test]
fn an_event_carries_ids_and_bodies() {
    let event = sqs_event(&[("id-1", "{}"), ("id-2", "x")]);
    assert_eq!(event["Records"][1]["messageId"], "id-2");
    assert_eq!(event["Records"][1]["body"], "x");
    assert_eq!(event["Records"][0]["eventSource"], "aws:sqs");
}
