//! Tables: one write, many, and many as one.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, PutRequest, ReturnValue, TransactWriteItem, Update,
    WriteRequest,
};
use serde_json::json;
use tests::fake_aws::{FakeAws, Fault, Operation};

use crate::code;

const TABLE: &str = "jobs";

fn table() -> (FakeAws, Client) {
    let fake = FakeAws::start();
    fake.tables(|tables| tables.create(TABLE, "job_id", "item"));
    let client = fake.dynamodb_client();
    (fake, client)
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn put(item: &str, n: u64) -> Put {
    let put = Put::builder().table_name(TABLE).item("job_id", text("j"));
    put.item("item", text(item))
        .item("n", number(n))
        .build()
        .unwrap()
}

fn add(item: &str, n: u64) -> Update {
    let update = Update::builder().table_name(TABLE).key("job_id", text("j"));
    let update = update.key("item", text(item)).update_expression("ADD n :n");
    update
        .expression_attribute_values(":n", number(n))
        .build()
        .unwrap()
}

fn only_if(item: &str, condition: &str) -> ConditionCheck {
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .key("job_id", text("j"));
    check
        .key("item", text(item))
        .condition_expression(condition)
        .build()
        .unwrap()
}

fn write(item: &str, n: u64) -> WriteRequest {
    let put = PutRequest::builder().item("job_id", text("j"));
    let put = put
        .item("item", text(item))
        .item("n", number(n))
        .build()
        .unwrap();
    WriteRequest::builder().put_request(put).build()
}

fn n(fake: &FakeAws, item: &str) -> Option<u64> {
    fake.tables(|tables| tables.item(TABLE, "j", item))?["n"].as_u64()
}

#[tokio::test]
async fn an_item_is_put_under_a_condition_and_read_back() {
    let (fake, client) = table();
    let put = || {
        let put = client
            .put_item()
            .table_name(TABLE)
            .item("job_id", text("j"));
        let put = put
            .item("item", text("job"))
            .item("flag", AttributeValue::Bool(true));
        put.condition_expression("attribute_not_exists(job_id)")
            .send()
    };
    put().await.unwrap();
    assert_eq!(code(put().await), "ConditionalCheckFailedException");
    let get = client.get_item().table_name(TABLE).key("job_id", text("j"));
    let got = get
        .clone()
        .key("item", text("job"))
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    assert_eq!(got.item.unwrap()["flag"], AttributeValue::Bool(true));
    assert!(
        get.clone()
            .key("item", text("no"))
            .send()
            .await
            .unwrap()
            .item
            .is_none()
    );
    assert_eq!(code(get.send().await), "ValidationException");
    let item = fake.tables(|tables| tables.item(TABLE, "j", "job"));
    assert_eq!(
        item,
        Some(json!({"job_id": "j", "item": "job", "flag": true}))
    );
    let elsewhere = client
        .get_item()
        .table_name("other")
        .key("job_id", text("j"));
    let elsewhere = elsewhere.key("item", text("job")).send().await;
    assert_eq!(code(elsewhere), "ResourceNotFoundException");
}

#[tokio::test]
async fn an_item_of_more_than_400_kib_is_refused() {
    let (fake, client) = table();
    let put = |bytes: usize| {
        let put = client
            .put_item()
            .table_name(TABLE)
            .item("job_id", text("j"));
        put.item("item", text("i"))
            .item("t", text(&"x".repeat(bytes)))
            .send()
    };
    let besides = "job_id".len() + "j".len() + "item".len() + "i".len() + "t".len();
    put(400 * 1024 - besides).await.unwrap();
    assert_eq!(
        code(put(400 * 1024 - besides + 1).await),
        "ValidationException"
    );
    assert_eq!(fake.count(Operation::PutItem), 2);
}

#[tokio::test]
async fn an_update_creates_what_is_not_there_and_tells_what_is_asked() {
    let (_fake, client) = table();
    let update = || {
        let update = client
            .update_item()
            .table_name(TABLE)
            .key("job_id", text("j"));
        let update = update
            .key("item", text("job"))
            .update_expression("ADD n :n");
        update.expression_attribute_values(":n", number(2))
    };
    update().send().await.unwrap();
    let told = update()
        .return_values(ReturnValue::UpdatedNew)
        .send()
        .await
        .unwrap();
    let told = told.attributes.unwrap();
    assert_eq!((told.len(), &told["n"]), (1, &number(4)));
    let told = update()
        .return_values(ReturnValue::AllOld)
        .send()
        .await
        .unwrap();
    assert_eq!(told.attributes.unwrap()["n"], number(4));
    let key = update().update_expression("SET job_id = :n").send().await;
    assert_eq!(code(key), "ValidationException");
}

#[tokio::test]
async fn a_batch_is_25_writes_and_may_leave_some_unprocessed() {
    let (fake, client) = table();
    let batch = |count: u64| {
        let writes = (0..count)
            .map(|number| write(&format!("{number:02}"), number))
            .collect();
        client
            .batch_write_item()
            .request_items(TABLE, writes)
            .send()
    };
    assert_eq!(code(batch(26).await), "ValidationException");
    let twice = vec![write("a", 1), write("a", 2)];
    let twice = client
        .batch_write_item()
        .request_items(TABLE, twice)
        .send()
        .await;
    assert_eq!(code(twice), "ValidationException");
    fake.tables(|tables| tables.unprocessed.push_back(5));
    let left = batch(25).await.unwrap().unprocessed_items.unwrap();
    assert_eq!(left[TABLE].len(), 5);
    assert_eq!((n(&fake, "19"), n(&fake, "20")), (Some(19), None));
    let none = client
        .batch_write_item()
        .set_request_items(Some(left))
        .send()
        .await
        .unwrap();
    assert!(none.unprocessed_items.unwrap().is_empty());
    assert_eq!(n(&fake, "24"), Some(24));
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing_and_says_which_item_was_why() {
    let (fake, client) = table();
    let transact = |condition: &str| {
        let items = [
            TransactWriteItem::builder().put(put("a", 1)).build(),
            TransactWriteItem::builder().update(add("b", 5)).build(),
            TransactWriteItem::builder()
                .condition_check(only_if("c", condition))
                .build(),
        ];
        client
            .transact_write_items()
            .set_transact_items(Some(items.into()))
            .send()
    };
    let refused = transact("attribute_exists(job_id)").await.unwrap_err();
    let refused = refused.into_service_error();
    assert!(refused.is_transaction_canceled_exception(), "{refused:?}");
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        refused,
    ) = refused
    else {
        panic!("{refused:?}")
    };
    let codes: Vec<_> = refused
        .cancellation_reasons()
        .iter()
        .filter_map(|reason| reason.code())
        .collect();
    assert_eq!(codes, ["None", "None", "ConditionalCheckFailed"]);
    assert_eq!((n(&fake, "a"), n(&fake, "b")), (None, None));
    transact("attribute_not_exists(job_id)").await.unwrap();
    assert_eq!((n(&fake, "a"), n(&fake, "b")), (Some(1), Some(5)));
}

#[tokio::test]
async fn a_conflict_cancels_a_transaction_once_for_each_that_was_scripted() {
    let (fake, client) = table();
    fake.tables(|tables| tables.conflicts = 1);
    let transact = || {
        let item = TransactWriteItem::builder().update(add("a", 1)).build();
        client.transact_write_items().transact_items(item).send()
    };
    assert_eq!(code(transact().await), "TransactionCanceledException");
    assert_eq!(n(&fake, "a"), None);
    transact().await.unwrap();
    assert_eq!(n(&fake, "a"), Some(1));
}

#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_not_done_twice() {
    let (fake, client) = table();
    fake.fault(
        Fault::on(Operation::TransactWriteItems)
            .key("jobs/j/a")
            .reset_after_effect(),
    );
    let item = TransactWriteItem::builder().update(add("a", 1)).build();
    client
        .transact_write_items()
        .transact_items(item)
        .send()
        .await
        .unwrap();
    assert_eq!(fake.count(Operation::TransactWriteItems), 2);
    assert_eq!(n(&fake, "a"), Some(1));
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_done_twice() {
    let (fake, client) = table();
    fake.fault(
        Fault::on(Operation::UpdateItem)
            .key("j/a")
            .reset_after_effect(),
    );
    let update = client
        .update_item()
        .table_name(TABLE)
        .key("job_id", text("j"));
    let update = update.key("item", text("a")).update_expression("ADD n :n");
    update
        .expression_attribute_values(":n", number(1))
        .send()
        .await
        .unwrap();
    assert_eq!(n(&fake, "a"), Some(2));
}

#[tokio::test]
async fn a_query_gives_a_partition_in_pages_in_the_order_of_its_sort_keys() {
    let (fake, client) = table();
    for item in [
        "job",
        "partition#00010",
        "partition#00002",
        "partition#00001",
    ] {
        let item = json!({"job_id": {"S": "j"}, "item": {"S": item}, "n": {"N": "1"}});
        fake.tables(|tables| tables.put(TABLE, &item));
    }
    let other = json!({"job_id": {"S": "other"}, "item": {"S": "partition#00003"}});
    fake.tables(|tables| tables.put(TABLE, &other));
    fake.tables(|tables| tables.page_items_max = Some(2));
    let query = client
        .query()
        .table_name(TABLE)
        .projection_expression("#item");
    let query = query
        .key_condition_expression("job_id = :job AND begins_with(#item, :start)")
        .expression_attribute_names("#item", "item")
        .expression_attribute_values(":job", text("j"))
        .expression_attribute_values(":start", text("partition#"));
    let first = query.clone().send().await.unwrap();
    assert_eq!(first.count(), 2);
    let start = first.last_evaluated_key.clone();
    assert_eq!(start.as_ref().unwrap()["item"], text("partition#00002"));
    let second = query
        .clone()
        .set_exclusive_start_key(start)
        .send()
        .await
        .unwrap();
    let items: Vec<_> = [first.items(), second.items()].concat();
    let items: Vec<_> = items
        .iter()
        .map(|item| item["item"].as_s().unwrap().as_str())
        .collect();
    assert_eq!(
        items,
        ["partition#00001", "partition#00002", "partition#00010"]
    );
    assert!(second.last_evaluated_key.is_none());
    let backwards = query
        .scan_index_forward(false)
        .limit(1)
        .send()
        .await
        .unwrap();
    assert_eq!(backwards.items()[0]["item"], text("partition#00010"));
}

#[tokio::test]
async fn a_table_refuses_when_it_is_told_to_and_what_it_does_not_know() {
    let (fake, client) = table();
    fake.fault(Fault::on(Operation::GetItem).answer(400, "AccessDeniedException"));
    let get = client.get_item().table_name(TABLE).key("job_id", text("j"));
    let get = get.key("item", text("job"));
    assert_eq!(code(get.clone().send().await), "AccessDeniedException");
    get.send().await.unwrap();
    assert_eq!(
        code(client.scan().table_name(TABLE).send().await),
        "NotImplemented"
    );
}
