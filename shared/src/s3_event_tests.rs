use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

fn record(key: &str) -> Value {
    json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": "b"},
        "object": {"key": key, "size": 5, "eTag": "abc", "versionId": "v1", "sequencer": "0055AED6DCD90281E5"},
    }})
}

fn created(body: &Value) -> CreatedObject {
    match parse(&body.to_string()).unwrap().remove(0) {
        Ok(Notice::Created(object)) => object,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_envelope_names_the_same_object() {
    let notification = json!({"Records": [record("incoming/a+b%2Bc.json")]});
    let bridge = json!({"detail-type": "Object Created", "source": "aws.s3", "detail": {"bucket": {"name": "b"},
        "object": {"key": "incoming/a b+c.json", "size": 5, "etag": "abc", "version-id": "v1",
            "sequencer": "0055AED6DCD90281E5"}}});
    let batch = json!({"items": [{"bucket": "b", "key": "incoming/a b+c.json", "version_id": "v1", "etag": "\"abc\"",
        "size": 5, "sequencer": "0055aed6dcd90281e5"}]});
    let object = created(&notification);
    assert_eq!(object.key, "incoming/a b+c.json");
    assert_eq!(object.etag.as_deref(), Some("abc"));
    assert_eq!(created(&bridge), object);
    assert_eq!(created(&batch), object);

    let queue = json!({"Records": [
        {"eventSource": "aws:sqs", "messageId": "m1", "body": notification.to_string()},
        {"eventSource": "aws:sqs", "messageId": "m2"},
    ]});
    let Delivery::Queue(messages) = split(queue).unwrap() else {
        panic!("not a queue")
    };
    assert_eq!(
        messages[0],
        Message {
            id: "m1".into(),
            body: notification.to_string()
        }
    );
    assert_eq!(
        messages[1],
        Message {
            id: "m2".into(),
            body: String::new()
        }
    );
}

#[test]
fn a_direct_payload_is_split_by_object() {
    let two = json!({"Records": [record("a"), record("b")]});
    let Delivery::Direct(messages) = split(two).unwrap() else {
        panic!("not direct")
    };
    let keys: Vec<_> = messages
        .iter()
        .map(|m| created(&serde_json::from_str(&m.body).unwrap()).key)
        .collect();
    assert_eq!(keys, ["a", "b"]);
    let items = json!({"items": [{"bucket": "b", "key": "x"}, {"bucket": "b"}]});
    let Delivery::Direct(messages) = split(items).unwrap() else {
        panic!("not direct")
    };
    assert!(parse(&messages[0].body).unwrap()[0].is_ok());
    assert!(parse(&messages[1].body).unwrap()[0].is_err());
}

#[test]
fn a_test_event_and_a_removal_are_no_work() {
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"});
    let other = |name: &str| {
        vec![Ok(Notice::Other {
            event_name: name.to_owned(),
        })]
    };
    assert_eq!(parse(&test.to_string()).unwrap(), other("s3:TestEvent"));
    let mut removed = record("a");
    removed["eventName"] = json!("ObjectRemoved:Delete");
    assert_eq!(
        parse(&json!({"Records": [removed]}).to_string()).unwrap(),
        other("ObjectRemoved:Delete")
    );
}

#[test]
fn an_event_member_beside_records_hides_nothing() {
    let body = json!({"Event": "x", "Records": [record("a")]});
    assert_eq!(created(&body).key, "a");
}

#[test]
fn a_bad_record_does_not_hide_its_neighbour() {
    let entries = parse(
        &json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {}}, record("good")]})
            .to_string(),
    )
    .unwrap();
    assert!(matches!(&entries[0], Err(BadMessage::Shape { detail }) if detail.contains("bucket")));
    assert!(entries[1].is_ok());
}

#[test]
fn what_is_not_a_notification_is_refused() {
    for body in [
        "",
        "nonsense",
        "[]",
        "{}",
        "{\"Records\": 3}",
        "{\"items\": {}}",
        "null",
        "\"text\"",
    ] {
        assert!(parse(body).is_err(), "{body}");
    }
    for payload in [json!({}), json!([1]), json!("x"), json!({"Event": "other"})] {
        assert_eq!(split(payload), Err(BadMessage::UnknownEnvelope));
    }
    for name in ["Records", "items"] {
        let error = split(json!({name: "x"})).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    let mut future = record("a");
    future["eventVersion"] = json!("3.0");
    let entries = parse(&json!({"Records": [future]}).to_string()).unwrap();
    assert_eq!(
        entries[0],
        Err(BadMessage::Version {
            version: "3.0".into()
        })
    );
}

#[test]
fn keys_decode_as_forms_do() {
    for (encoded, key) in [
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("100%25", "100%"),
        ("caf%C3%A9", "café"),
        ("a%2Fb/c", "a/b/c"),
        ("..%2F..%2Fx", "../../x"),
    ] {
        assert_eq!(decode_key(encoded).unwrap(), key);
    }
    for encoded in ["%", "a%2", "%zz", "%ff", "%C3", "a%+1"] {
        assert!(decode_key(encoded).is_err(), "{encoded}");
    }
}

#[test]
fn a_job_is_named_at_the_top_of_a_body_or_nowhere() {
    let body = |job_id: Value| json!({"Records": [record("a")], "job_id": job_id}).to_string();
    let longest = "j".repeat(80);
    for name in ["a", "Job-2026_11", longest.as_str()] {
        assert_eq!(job_id(&body(json!(name))).as_deref(), Some(name));
        assert_eq!(parse(&body(json!(name))).unwrap().len(), 1);
    }
    let too_long = "j".repeat(81);
    for no_name in [
        json!(""),
        json!(too_long),
        json!("a b"),
        json!("ä"),
        json!("a/b"),
        json!(7),
        Value::Null,
    ] {
        assert_eq!(job_id(&body(no_name)), None);
    }
    for body in [
        "",
        "{",
        "[]",
        "\"job_id\"",
        r#"{"Records":[{"job_id":"inner"}]}"#,
    ] {
        assert_eq!(job_id(body), None, "{body}");
    }
}

#[test]
fn an_empty_key_is_refused() {
    assert!(matches!(
        parse(&json!({"Records": [record("")]}).to_string()).unwrap()[0],
        Err(BadMessage::Key { .. })
    ));
}

#[test]
fn a_shorter_sequencer_is_padded_on_the_right() {
    let sequencer = |text| Sequencer::new(text).unwrap();
    assert!(sequencer("0055AED6DCD9") < sequencer("0055AED6DCD902"));
    assert!(sequencer("0056") > sequencer("0055AED6DCD90281E5"));
    assert_eq!(sequencer("00ab"), sequencer("00AB00"));
    assert!(Sequencer::new("").is_none() && Sequencer::new("xyz").is_none());
}

proptest! {
    #[test]
    fn decoding_undoes_how_s3_encodes(key in "\\PC{1,80}") {
        const SAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b' ');
        let encoded = utf8_percent_encode(&key, SAFE).to_string().replace(' ', "+");
        prop_assert_eq!(decode_key(&encoded).unwrap(), key);
    }

    #[test]
    fn no_body_panics(body in "\\PC{0,200}", key in "\\PC{0,20}") {
        let _ = parse(&body);
        let _ = parse(&json!({"Records": [record(&key)]}).to_string());
        let _ = split(json!({"items": [body]}));
    }
}
