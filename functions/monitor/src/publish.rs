//! What others go by: documents, the service, metrics.

use std::time::SystemTime;

use aws_config::retry::RetryConfig;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use aws_sdk_ssm::types::ParameterType;
use serde::Serialize;

use crate::clients::Clients;
use crate::config::{Config, Service};
use crate::refusal::Refusal;

/// Writes a document over whatever is there.
pub async fn parameter(
    clients: &Clients,
    name: &str,
    document: &impl Serialize,
) -> Result<(), Refusal> {
    // Text, numbers and lists of them: there is nothing in a document that could not be written.
    let text = serde_json::to_string(document).unwrap_or_default();
    text_parameter(clients, name, &text).await
}

/// The same for a text.
pub async fn text_parameter(clients: &Clients, name: &str, text: &str) -> Result<(), Refusal> {
    let asked = clients.ssm.put_parameter().name(name).value(text);
    let asked = asked.r#type(ParameterType::String).overwrite(true);
    let answer = asked.send().await;
    let answer = answer.map_err(|error| Refusal::new("PutParameter", error));
    answer.map(|_| ())
}

/// Lets the service start anew, with the list that is there now.
pub async fn redeploy(clients: &Clients, service: &Service) -> Result<(), Refusal> {
    let asked = clients.ecs.update_service();
    let asked = asked.cluster(&service.cluster).service(&service.name);
    // Once: a second attempt after an answer that was lost would be a second deployment.
    let once = aws_sdk_ecs::config::Config::builder().retry_config(RetryConfig::disabled());
    let asked = asked.force_new_deployment(true).customize();
    let answer = asked.config_override(once).send().await;
    let answer = answer.map_err(|error| Refusal::new("UpdateService", error));
    answer.map(|_| ())
}

/// The numbers of a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbers {
    /// Files and seconds since they were counted, if that is known.
    pub count: Option<(u64, f64)>,
    /// Mount targets that can be used.
    pub targets: usize,
    /// Mount targets made.
    pub created: u8,
    /// Mount targets that are wanted and were not made.
    pub skipped: u8,
}

/// Writes them, under the file system's id.
pub async fn metrics(
    clients: &Clients,
    config: &Config,
    numbers: Numbers,
    at: SystemTime,
) -> Result<(), Refusal> {
    let dimension = Dimension::builder()
        .name("FileSystemId")
        .value(&config.file_system_id)
        .build();
    let datum = |name: &str, unit, value| {
        MetricDatum::builder()
            .metric_name(name)
            .unit(unit)
            .value(value)
            .timestamp(at.into())
            .dimensions(dimension.clone())
            .build()
    };
    let targets = u32::try_from(numbers.targets).unwrap_or(u32::MAX);
    let mut data = vec![
        datum("MountTargets", StandardUnit::Count, targets.into()),
        datum(
            "MountTargetsCreated",
            StandardUnit::Count,
            numbers.created.into(),
        ),
        datum(
            "MountTargetsSkipped",
            StandardUnit::Count,
            numbers.skipped.into(),
        ),
    ];
    if let Some((files, age_seconds)) = numbers.count {
        #[expect(clippy::cast_precision_loss, reason = "a metric has 53 bits")]
        data.push(datum("FileCount", StandardUnit::Count, files as f64));
        data.push(datum("FileCountAge", StandardUnit::Seconds, age_seconds));
    }
    let asked = clients.cloudwatch.put_metric_data();
    let asked = asked.namespace(&config.telemetry.namespace);
    let answer = asked.set_metric_data(Some(data)).send().await;
    let answer = answer.map_err(|error| Refusal::new("PutMetricData", error));
    answer.map(|_| ())
}
