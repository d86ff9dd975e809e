//! The one call of EC2 that is made: `DescribeSubnets`.
//!
//! The SDK's crate for EC2 is 1.2 million lines, more than those of all other services here together, and offers no
//! features to leave something out: it would double every build for one call. This is the SDK without that crate: its
//! orchestrator, credentials, signature, retries, timeouts, and its endpoint variables; only the request and the answer are
//! written here. Source: EC2 API reference, "`DescribeSubnets`", version 2016-11-15.

use std::fmt::{self, Write};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::ServiceClockSkewInterceptor;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Asks EC2.
#[derive(Clone, Debug)]
pub struct Client {
    describe_subnets: Operation<Asked, Page, Ec2Error>,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// These subnets.
    pub subnet_ids: Vec<String>,
    /// From here on.
    pub next_token: Option<String>,
}

/// A part of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Subnets, as they are described.
    pub subnets: Vec<Described>,
    /// Where the next part begins.
    pub next_token: Option<String>,
}

/// A subnet, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// `subnetId`
    pub id: Option<String>,
    /// `availabilityZoneId`
    pub zone_id: Option<String>,
    /// `availabilityZone`
    pub zone: Option<String>,
    /// `availableIpAddressCount`
    pub free_addresses: Option<u32>,
}

/// What EC2 says instead of an answer.
#[derive(Debug)]
pub struct Ec2Error {
    metadata: ErrorMetadata,
}

impl Client {
    /// From the SDK's own configuration.
    #[must_use]
    pub fn new(aws: &SdkConfig) -> Self {
        let mut operation = Operation::builder()
            .service_name("ec2")
            .operation_name("DescribeSubnets")
            .endpoint_url(&endpoint(aws))
            .runtime_plugin(signature(aws))
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(AwsErrorCodeClassifier::<Ec2Error>::new())
            .retry_classifier(TransientErrorClassifier::<Ec2Error>::new())
            .standard_retry(
                &aws.retry_config()
                    .cloned()
                    .unwrap_or_else(RetryConfig::standard),
            )
            .with_connection_poisoning()
            .interceptor(ServiceClockSkewInterceptor::new())
            .serializer(request)
            .deserializer(answer);
        if let Some(version) = aws.behavior_version() {
            operation = operation.behavior_version(version);
        }
        if let Some(timeouts) = aws.timeout_config() {
            operation = operation.timeout_config(timeouts.clone());
        }
        if let Some(http) = aws.http_client() {
            operation = operation.http_client(http);
        }
        if let Some(sleep) = aws.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        if let Some(clock) = aws.time_source() {
            operation = operation.time_source(clock);
        }
        Self {
            describe_subnets: operation.build(),
        }
    }

    /// One page.
    pub async fn describe_subnets(
        &self,
        asked: Asked,
    ) -> Result<Page, SdkError<Ec2Error, HttpResponse>> {
        self.describe_subnets.invoke(asked).await
    }
}

/// As the SDK's clients find theirs: the service's own variable, the one for all, the region's.
fn endpoint(aws: &SdkConfig) -> String {
    let key = ServiceConfigKey::builder()
        .service_id("EC2")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = key.ok().zip(aws.service_config());
    let own = own.and_then(|(key, config)| config.load_config(key));
    own.or_else(|| aws.endpoint_url().map(str::to_owned))
        .unwrap_or_else(|| {
            let region = aws.region().map_or("", |region| region.as_ref());
            let wants = |setting: Option<bool>| setting == Some(true);
            regional(region, wants(aws.use_fips()), wants(aws.use_dual_stack()))
        })
}

/// Source: AWS general reference, "Service endpoints"; EC2 developer guide, "Service endpoints", for dual stack and FIPS.
/// Isolated partitions need `AWS_ENDPOINT_URL_EC2`.
fn regional(region: &str, fips: bool, dual_stack: bool) -> String {
    let suffix = match (region.split('-').next(), dual_stack) {
        (Some("cn"), false) => "amazonaws.com.cn",
        (Some("cn"), true) => "api.amazonwebservices.com.cn",
        (Some("eusc"), _) => "amazonaws.eu",
        (_, false) => "amazonaws.com",
        (_, true) => "api.aws",
    };
    let name = if fips { "ec2-fips" } else { "ec2" };
    format!("https://{name}.{region}.{suffix}")
}

fn signature(aws: &SdkConfig) -> StaticRuntimePlugin {
    let mut layer = Layer::new("ec2");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: aws.region().cloned().map(SigningRegion::from),
        name: Some(SigningName::from_static("ec2")),
        region_set: None,
        signing_options: SigningOptions::default(),
    });
    let mut components = RuntimeComponentsBuilder::new("ec2")
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
            SCHEME_ID,
        ])));
    if let Some(credentials) = aws.credentials_provider() {
        let credentials: SharedCredentialsProvider = credentials;
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    if let Some(cache) = aws.identity_cache() {
        components.set_identity_cache(Some(cache));
    }
    StaticRuntimePlugin::new()
        .with_config(layer.freeze())
        .with_runtime_components(components)
}

fn request(asked: Asked) -> Result<HttpRequest, BoxError> {
    let Asked {
        subnet_ids,
        next_token,
    } = asked;
    let mut body = "Action=DescribeSubnets&Version=2016-11-15".to_owned();
    let escaped = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    for (number, id) in (1..).zip(&subnet_ids) {
        write!(body, "&SubnetId.{number}={}", escaped(id))?;
    }
    if let Some(token) = &next_token {
        write!(body, "&NextToken={}", escaped(token))?;
    }
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-www-form-urlencoded");
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<Page, OrchestratorError<Ec2Error>> {
    let text = response.body().bytes().unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(OrchestratorError::other)?;
    if response.status().is_success() {
        return page(text).map_err(OrchestratorError::other);
    }
    // Whatever comes without a code goes by its status.
    let metadata = refused(text).unwrap_or_default();
    Err(OrchestratorError::operation(Ec2Error { metadata }))
}

fn page(text: &str) -> Result<Page, XmlDecodeError> {
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    if !root.start_el().matches("DescribeSubnetsResponse") {
        return Err(XmlDecodeError::custom("not an answer to DescribeSubnets"));
    }
    let mut page = Page::default();
    while let Some(mut tag) = root.next_tag() {
        if tag.start_el().matches("subnetSet") {
            while let Some(mut item) = tag.next_tag() {
                page.subnets.push(subnet(&mut item)?);
            }
        } else if tag.start_el().matches("nextToken") {
            page.next_token = Some(try_data(&mut tag)?.into_owned());
        }
    }
    page.next_token = page.next_token.filter(|token| !token.is_empty());
    Ok(page)
}

fn subnet(item: &mut ScopedDecoder<'_, '_>) -> Result<Described, XmlDecodeError> {
    let mut subnet = Described::default();
    while let Some(mut tag) = item.next_tag() {
        let name = tag.start_el().local().to_owned();
        let field = match &*name {
            "subnetId" => &mut subnet.id,
            "availabilityZoneId" => &mut subnet.zone_id,
            "availabilityZone" => &mut subnet.zone,
            "availableIpAddressCount" => {
                subnet.free_addresses = try_data(&mut tag)?.trim().parse().ok();
                continue;
            }
            _ => continue,
        };
        *field = Some(try_data(&mut tag)?.into_owned());
    }
    Ok(subnet)
}

/// `<Response><Errors><Error><Code>…<Message>…`
fn refused(text: &str) -> Result<ErrorMetadata, XmlDecodeError> {
    let mut metadata = ErrorMetadata::builder();
    let mut document = Document::new(text);
    let mut root = document.root_element()?;
    while let Some(mut errors) = root.next_tag() {
        while let Some(mut error) = errors.next_tag() {
            while let Some(mut tag) = error.next_tag() {
                if tag.start_el().matches("Code") {
                    metadata = metadata.code(try_data(&mut tag)?);
                } else if tag.start_el().matches("Message") {
                    metadata = metadata.message(try_data(&mut tag)?);
                }
            }
        }
    }
    Ok(metadata.build())
}

impl fmt::Display for Ec2Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.metadata.fmt(f)
    }
}

impl std::error::Error for Ec2Error {}

impl ProvideErrorMetadata for Ec2Error {
    fn meta(&self) -> &ErrorMetadata {
        &self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_far_as_it_matters() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
            <DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
              <requestId>r</requestId>
              <subnetSet>
                <item><subnetId>subnet-1</subnetId><availabilityZone>us-east-1a</availabilityZone>
                  <availabilityZoneId>use1-az4</availabilityZoneId><tagSet><item><key>a</key></item></tagSet>
                  <availableIpAddressCount>251</availableIpAddressCount></item>
                <item><subnetId>subnet-2</subnetId></item>
              </subnetSet>
              <nextToken>more</nextToken>
            </DescribeSubnetsResponse>"#;
        let read = page(text).unwrap();
        assert_eq!(read.next_token.as_deref(), Some("more"));
        let expected = Described {
            id: Some("subnet-1".to_owned()),
            zone_id: Some("use1-az4".to_owned()),
            zone: Some("us-east-1a".to_owned()),
            free_addresses: Some(251),
        };
        assert_eq!((&read.subnets[0], read.subnets.len()), (&expected, 2));
        assert!(page("<Other/>").is_err());
    }

    #[test]
    fn a_refusal_has_its_code() {
        let text = "<Response><Errors><Error><Code>InvalidSubnetID.NotFound</Code><Message>gone</Message></Error>\
            </Errors><RequestID>r</RequestID></Response>";
        let refused = refused(text).unwrap();
        assert_eq!(refused.code(), Some("InvalidSubnetID.NotFound"));
        assert_eq!(refused.message(), Some("gone"));
    }

    #[test]
    fn every_region_has_its_endpoint() {
        for (region, endpoint) in [
            ("us-east-1", "https://ec2.us-east-1.amazonaws.com"),
            ("us-gov-west-1", "https://ec2.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", "https://ec2.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", "https://ec2.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(regional(region, false, false), endpoint);
        }
        for (fips, dual_stack, endpoint) in [
            (true, false, "https://ec2-fips.us-east-1.amazonaws.com"),
            (false, true, "https://ec2.us-east-1.api.aws"),
            (true, true, "https://ec2-fips.us-east-1.api.aws"),
        ] {
            assert_eq!(regional("us-east-1", fips, dual_stack), endpoint);
        }
    }
}
