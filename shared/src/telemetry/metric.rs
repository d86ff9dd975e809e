//! Metrics as embedded metric format (EMF) lines: CloudWatch reads them out of the log, no call is made.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Number, Value, json};
use tracing::Level;

use super::line::rfc3339;

/// Metrics one directive may declare. Source: CloudWatch user guide, "Embedded metric format specification".
const METRICS_MAX: usize = 100;

/// One value under one name. The only dimension is `service`: one more by key or path would be one more bill each.
#[derive(Clone, Debug)]
pub struct Metric {
    name: &'static str,
    unit: &'static str,
    value: Option<Number>,
}

impl Metric {
    /// A number of things.
    #[must_use]
    pub fn count(name: &'static str, value: u64) -> Self {
        Self {
            name,
            unit: "Count",
            value: Some(value.into()),
        }
    }

    /// A size.
    #[must_use]
    pub fn bytes(name: &'static str, value: u64) -> Self {
        Self {
            name,
            unit: "Bytes",
            value: Some(value.into()),
        }
    }

    /// A duration. Not a number and infinity are left out: CloudWatch would refuse the whole line.
    #[must_use]
    pub fn milliseconds(name: &'static str, value: f64) -> Self {
        Self {
            name,
            unit: "Milliseconds",
            value: Number::from_f64(value),
        }
    }
}

/// Where metrics belong.
pub(super) struct Origin<'a> {
    pub(super) namespace: &'a str,
    pub(super) service: &'a str,
    /// The floor below which Lambda drops lines.
    pub(super) floor: Level,
}

/// The documents that carry `metrics`, as few as the limit and repeated names allow.
///
/// Lambda's log-level filter goes by the root `level` (and takes a line without `timestamp` for INFO), so metrics
/// carry INFO or, where that would be dropped, the floor itself.
pub(super) fn documents(metrics: &[Metric], origin: &Origin<'_>, now: SystemTime) -> Vec<Value> {
    let mut parts: Vec<(Map<String, Value>, Vec<Value>)> = Vec::new();
    for Metric { name, unit, value } in metrics {
        let Some(value) = value else { continue };
        let fits = |(values, directive): &&mut (Map<String, Value>, Vec<Value>)| {
            directive.len() < METRICS_MAX && !values.contains_key(*name)
        };
        let directive = json!({ "Name": name, "Unit": unit });
        match parts.iter_mut().find(fits) {
            Some((values, directives)) => {
                values.insert((*name).to_owned(), value.clone().into());
                directives.push(directive);
            }
            None => parts.push((
                Map::from_iter([((*name).to_owned(), value.clone().into())]),
                vec![directive],
            )),
        }
    }
    parts
        .into_iter()
        .map(|(values, directives)| document(values, &directives, origin, now))
        .collect()
}

fn document(
    mut root: Map<String, Value>,
    directives: &[Value],
    origin: &Origin<'_>,
    now: SystemTime,
) -> Value {
    let epoch_ms = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let directive = json!({
        "Namespace": origin.namespace,
        "Dimensions": [["service"]],
        "Metrics": directives,
    });
    let aws = json!({
        "Timestamp": u64::try_from(epoch_ms).unwrap_or(u64::MAX),
        "CloudWatchMetrics": [directive],
    });
    root.extend([
        ("timestamp".to_owned(), rfc3339(now).into()),
        (
            "level".to_owned(),
            origin.floor.min(Level::INFO).as_str().into(),
        ),
        ("service".to_owned(), origin.service.into()),
        ("_aws".to_owned(), aws),
    ]);
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn written(metrics: &[Metric]) -> Vec<Value> {
        written_under(Level::DEBUG, metrics)
    }

    fn written_under(floor: Level, metrics: &[Metric]) -> Vec<Value> {
        let origin = Origin {
            namespace: "Sluice",
            service: "compress",
            floor,
        };
        documents(
            metrics,
            &origin,
            UNIX_EPOCH + Duration::from_millis(1_763_683_200_007),
        )
    }

    fn declared(document: &Value) -> usize {
        document["_aws"]["CloudWatchMetrics"][0]["Metrics"]
            .as_array()
            .unwrap()
            .len()
    }

    #[test]
    fn no_floor_of_lambdas_drops_metrics() {
        for (floor, level) in [
            (Level::DEBUG, "INFO"),
            (Level::INFO, "INFO"),
            (Level::WARN, "WARN"),
            (Level::ERROR, "ERROR"),
        ] {
            assert_eq!(
                written_under(floor, &[Metric::count("A", 1)])[0]["level"],
                level
            );
        }
    }

    #[test]
    fn one_document_declares_and_carries_every_metric() {
        let metrics = [
            Metric::count("Objects", 3),
            Metric::bytes("Saved", u64::MAX),
            Metric::milliseconds("Took", 1.5),
        ];
        assert_eq!(
            written(&metrics),
            [json!({
                "timestamp": "2025-11-21T00:00:00.007Z", "level": "INFO", "service": "compress",
                "Objects": 3, "Saved": u64::MAX, "Took": 1.5,
                "_aws": { "Timestamp": 1_763_683_200_007_u64, "CloudWatchMetrics": [{
                    "Namespace": "Sluice", "Dimensions": [["service"]], "Metrics": [
                        { "Name": "Objects", "Unit": "Count" },
                        { "Name": "Saved", "Unit": "Bytes" },
                        { "Name": "Took", "Unit": "Milliseconds" },
                    ]
                }] }
            })]
        );
    }

    #[test]
    fn no_directive_exceeds_a_hundred_metrics() {
        let names: Vec<&'static str> = (0..201).map(|n| &*format!("M{n}").leak()).collect();
        for (count, expected) in [
            (0, vec![]),
            (99, vec![99]),
            (100, vec![100]),
            (101, vec![100, 1]),
            (201, vec![100, 100, 1]),
        ] {
            let metrics: Vec<_> = names[..count]
                .iter()
                .map(|name| Metric::count(name, 1))
                .collect();
            assert_eq!(
                written(&metrics).iter().map(declared).collect::<Vec<_>>(),
                expected
            );
        }
    }

    #[test]
    fn a_repeated_name_loses_no_value() {
        let documents = written(&[
            Metric::count("A", 1),
            Metric::count("A", 2),
            Metric::count("B", 3),
        ]);
        assert_eq!(
            documents
                .iter()
                .map(|document| document["A"].as_u64().unwrap())
                .collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(documents[0]["B"], 3);
    }

    #[test]
    fn a_duration_that_is_no_number_is_left_out() {
        assert!(written(&[Metric::milliseconds("Took", f64::NAN)]).is_empty());
    }
}
