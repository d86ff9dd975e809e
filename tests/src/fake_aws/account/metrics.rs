//! CloudWatch over CBOR. Source: Smithy 2.0, "Smithy RPC v2 CBOR protocol"; CloudWatch API reference.

use std::collections::BTreeMap;

use ciborium::Value;

use super::{Account, Datum, Refused};
use crate::fake_aws::object::Content;
use crate::fake_aws::reply::Answer;

fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    let entries = map.as_map()?.iter();
    let mut found = entries.filter(|(key, _)| key.as_text() == Some(name));
    found.next().map(|(_, value)| value)
}

fn text(map: &Value, name: &str) -> String {
    let found = field(map, name).and_then(Value::as_text);
    found.unwrap_or_default().to_owned()
}

fn list<'a>(map: &'a Value, name: &str) -> &'a [Value] {
    let found = field(map, name).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    let entries = entries.into_iter();
    Value::Map(entries.map(|(name, value)| (name.into(), value)).collect())
}

fn answer(status: u16, value: &Value) -> Answer {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("a Vec takes everything");
    Answer {
        content: Content::Bytes(bytes.into()),
        ..Answer::empty(status)
    }
    .header("content-type", "application/cbor")
    .header("smithy-protocol", "rpc-v2-cbor")
}

pub(super) fn error(status: u16, code: &str) -> Answer {
    answer(status, &map(vec![("__type", code.into())]))
}

fn read(body: &[u8]) -> Result<Value, Refused> {
    let read = ciborium::from_reader(body);
    read.map_err(|_| Refused(400, "SerializationException", String::new()))
}

pub(super) fn put(account: &mut Account, body: &[u8]) -> Result<Answer, Refused> {
    let asked = read(body)?;
    for datum in list(&asked, "MetricData") {
        let dimensions = list(datum, "Dimensions").iter();
        let dimensions = dimensions.map(|it| (text(it, "Name"), text(it, "Value")));
        let value = field(datum, "Value").expect("a value");
        let whole = value.as_integer().map(i128::from);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let value = value.as_float().or(whole.map(|whole| whole as f64));
        account.written_metrics.push(Datum {
            namespace: text(&asked, "Namespace"),
            name: text(datum, "MetricName"),
            value: value.expect("a number"),
            unit: text(datum, "Unit"),
            dimensions: dimensions.collect::<BTreeMap<_, _>>(),
        });
    }
    Ok(answer(200, &map(Vec::new())))
}

pub(super) fn get(account: &Account, body: &[u8]) -> Result<Answer, Refused> {
    let asked = read(body)?;
    if text(&asked, "ScanBy") != "TimestampAscending" {
        return Err(Refused(501, "NotImplemented", "another order".to_owned()));
    }
    let results = list(&asked, "MetricDataQueries").iter().map(|query| {
        let stat = field(query, "MetricStat").expect("no expressions");
        let metric = field(stat, "Metric").expect("a metric");
        let known = text(metric, "Namespace") == "AWS/EFS";
        let name = text(metric, "MetricName");
        let values = account.efs_metrics.get(&name).filter(|_| known);
        let values = values.cloned().unwrap_or_default();
        let times = (0_u64..)
            .take(values.len())
            .map(|minute| Value::Tag(1, Box::new((minute * 60).into())));
        map(vec![
            ("Id", text(query, "Id").into()),
            ("Label", name.into()),
            ("Timestamps", Value::Array(times.collect())),
            (
                "Values",
                Value::Array(values.iter().map(|value| Value::Float(*value)).collect()),
            ),
            ("StatusCode", "Complete".into()),
        ])
    });
    let results = Value::Array(results.collect());
    Ok(answer(200, &map(vec![("MetricDataResults", results)])))
}
