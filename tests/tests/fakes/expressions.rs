//! Expressions of the tables, through the real client.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tests::fake_aws::FakeAws;

use crate::code;

/// The item that every expression meets.
fn before() -> Value {
    json!({
        "job_id": {"S": "j"}, "item": {"S": "i"}, "n": {"N": "5"}, "words": {"S": "abc"}, "revision": {"N": "7"},
    })
}

/// What `update` under `condition` makes of the item, or the refusal's code.
async fn updated(update: &str, condition: Option<&str>) -> Result<Value, String> {
    let fake = FakeAws::start();
    fake.tables(|tables| {
        tables.create("t", "job_id", "item");
        tables.put("t", &before());
    });
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let number = |value: &str| AttributeValue::N(value.to_owned());
    let expressions = format!("{update} {}", condition.unwrap_or_default());
    let mut request = fake
        .dynamodb_client()
        .update_item()
        .table_name("t")
        .key("job_id", text("j"))
        .key("item", text("i"))
        .update_expression(update)
        .set_condition_expression(condition.map(str::to_owned));
    for (name, value) in [
        (":one", number("1")),
        (":five", number("5")),
        (":six", number("6")),
        (":ten", number("10")),
        (":abc", text("abc")),
        (":start", text("ab")),
    ] {
        if expressions.contains(name) {
            request = request.expression_attribute_values(name, value);
        }
    }
    for (name, attribute) in [("#n", "n"), ("#state", "state"), ("#no", "no")] {
        if expressions
            .split(|char: char| !(char.is_alphanumeric() || char == '#'))
            .any(|word| word == name)
        {
            request = request.expression_attribute_names(name, attribute);
        }
    }
    match request.send().await {
        Ok(_) => Ok(fake.tables(|tables| tables.item("t", "j", "i")).unwrap()),
        refused => Err(code(refused)),
    }
}

#[tokio::test]
async fn updates_do_what_they_say() {
    for (update, name, value) in [
        ("SET n = :one", "n", json!(1)),
        ("set n = n + :one", "n", json!(6)),
        ("SET n = n - :ten", "n", json!(-5)),
        ("SET a = if_not_exists(a, :one) + :five", "a", json!(6)),
        ("SET n = if_not_exists(n, :one) + :five", "n", json!(10)),
        ("SET a = revision, revision = :one", "a", json!(7)),
        ("ADD n :ten, a :one SET b = :abc", "a", json!(1)),
        ("ADD n :ten, a :one SET b = :abc", "n", json!(15)),
        ("SET #state = :abc REMOVE n", "state", json!("abc")),
        ("REMOVE #n, no_such", "n", Value::Null),
    ] {
        assert_eq!(
            updated(update, None).await.unwrap()[name],
            value,
            "{update}"
        );
    }
}

#[tokio::test]
async fn conditions_hold_or_do_not() {
    for (condition, holds) in [
        ("attribute_exists(n)", true),
        ("attribute_exists(#no)", false),
        ("attribute_not_exists(#no)", true),
        ("n = :five", true),
        ("n <> :five", false),
        ("n < :six AND n > :one", true),
        ("n <= :five and n >= :five", true),
        // As numbers, not as texts.
        ("n < :ten", true),
        ("n = :abc", false),
        ("n <> :abc", true),
        ("n < :abc", false),
        ("#no = :five", false),
        ("#no <> :five", true),
        ("#no < :five", false),
        ("begins_with(words, :start)", true),
        ("n = :one OR n = :five AND n = :six", false),
        ("(n = :five OR n = :one) AND NOT n = :six", true),
        ("n = :five OR n = :one AND n = :six", true),
    ] {
        let expected = if holds {
            "no error"
        } else {
            "ConditionalCheckFailedException"
        };
        let told = updated("SET a = :one", Some(condition)).await;
        assert_eq!(
            told.map_or_else(|code| code, |_| "no error".to_owned()),
            expected,
            "{condition}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    for (update, condition) in [
        ("SET state = :one", None),
        ("SET n = :one", Some("mode = :abc")),
        ("SET n = :one, n = :five", None),
        ("SET n = :one ADD n :five", None),
        ("SET n = :one SET a = :five", None),
        ("SET n = no_such + :one", None),
        ("SET n = n + :abc", None),
        ("SET a = :no", None),
        ("SET #what = :one", None),
        ("SET n :one", None),
        ("SET n = :one", Some("n = ")),
        ("SET n = :one", Some("(n = :five")),
        ("SET n = :one", Some("n = :five n = :six")),
    ] {
        let told = updated(update, condition).await;
        assert_eq!(
            told,
            Err("ValidationException".to_owned()),
            "{update} {condition:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_modelled_is_refused_as_such() {
    for (update, condition) in [
        ("SET n.a = :one", None),
        ("SET n[0] = :one", None),
        ("DELETE n :one", None),
        ("SET n = list_append(n, :one)", None),
        ("ADD n :abc", None),
        ("SET n = :one", Some("contains(n, :abc)")),
        ("SET n = :one", Some("n BETWEEN :one AND :five")),
        ("SET n = :one", Some("n IN (:five)")),
    ] {
        let told = updated(update, condition).await;
        assert_eq!(
            told,
            Err("NotImplemented".to_owned()),
            "{update} {condition:?}"
        );
    }
}

#[tokio::test]
async fn a_placeholder_that_nothing_uses_is_refused() {
    let fake = FakeAws::start();
    fake.tables(|tables| tables.create("t", "job_id", "item"));
    let text = || AttributeValue::S("j".to_owned());
    let update = fake
        .dynamodb_client()
        .update_item()
        .table_name("t")
        .key("job_id", text());
    let update = update.key("item", text()).update_expression("SET a = :a");
    let update = update.expression_attribute_values(":a", text());
    let value = update
        .clone()
        .expression_attribute_values(":b", text())
        .send()
        .await;
    assert_eq!(code(value), "ValidationException");
    let name = update
        .clone()
        .expression_attribute_names("#b", "b")
        .send()
        .await;
    assert_eq!(code(name), "ValidationException");
    update.send().await.unwrap();
}
