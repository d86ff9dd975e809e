//! The services, and how long they may take.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;

/// How long an answer may take to begin, but for that of the function that counts.
pub const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// One client for each service.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Documents.
    pub ssm: aws_sdk_ssm::Client,
    /// Mount targets.
    pub efs: aws_sdk_efs::Client,
    /// Subnets.
    pub ec2: crate::ec2::Client,
    /// Metrics.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// The function that counts.
    pub lambda: aws_sdk_lambda::Client,
    /// The service to redeploy.
    pub ecs: aws_sdk_ecs::Client,
    /// Leases.
    pub s3: aws_sdk_s3::Client,
}

impl Clients {
    /// All from one configuration, with [`READ_TIMEOUT`].
    #[must_use]
    pub fn new(aws: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build();
        let aws = &aws.to_builder().timeout_config(timeouts).build();
        Self {
            ssm: aws_sdk_ssm::Client::new(aws),
            efs: aws_sdk_efs::Client::new(aws),
            ec2: crate::ec2::Client::new(aws),
            cloudwatch: aws_sdk_cloudwatch::Client::new(aws),
            lambda: aws_sdk_lambda::Client::new(aws),
            ecs: aws_sdk_ecs::Client::new(aws),
            s3: aws_sdk_s3::Client::new(aws),
        }
    }
}
