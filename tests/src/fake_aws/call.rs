//! A request as S3 or SQS understands it: which operation, on what.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use super::object::Properties;
use super::state::Target;
use super::{account, dynamo, sqs, states};

/// The operations that the fake models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// S3 `GetObject`
    GetObject,
    /// S3 `HeadObject`
    HeadObject,
    /// S3 `PutObject`
    PutObject,
    /// S3 `DeleteObject`
    DeleteObject,
    /// S3 `CreateMultipartUpload`
    CreateMultipartUpload,
    /// S3 `UploadPart`
    UploadPart,
    /// S3 `CompleteMultipartUpload`
    CompleteMultipartUpload,
    /// S3 `AbortMultipartUpload`
    AbortMultipartUpload,
    /// S3 `ListObjectsV2`
    ListObjectsV2,
    /// SQS `SendMessage`
    SendMessage,
    /// SQS `SendMessageBatch`
    SendMessageBatch,
    /// SQS `ReceiveMessage`
    ReceiveMessage,
    /// SQS `DeleteMessage`
    DeleteMessage,
    /// SQS `DeleteMessageBatch`
    DeleteMessageBatch,
    /// SQS `ChangeMessageVisibility`
    ChangeMessageVisibility,
    /// SQS `ChangeMessageVisibilityBatch`
    ChangeMessageVisibilityBatch,
    /// SQS `StartMessageMoveTask`
    StartMessageMoveTask,
    /// SQS `ListMessageMoveTasks`
    ListMessageMoveTasks,
    /// SQS `GetQueueAttributes`
    GetQueueAttributes,
    /// SQS `GetQueueUrl`
    GetQueueUrl,
    /// `DynamoDB` `GetItem`
    GetItem,
    /// `DynamoDB` `PutItem`
    PutItem,
    /// `DynamoDB` `UpdateItem`
    UpdateItem,
    /// `DynamoDB` `BatchWriteItem`
    BatchWriteItem,
    /// `DynamoDB` `TransactWriteItems`
    TransactWriteItems,
    /// `DynamoDB` `Query`
    Query,
    /// Step Functions `StartExecution`
    StartExecution,
    /// Step Functions `DescribeExecution`
    DescribeExecution,
    /// Step Functions `ListExecutions`
    ListExecutions,
    /// Step Functions `StopExecution`
    StopExecution,
    /// SSM `GetParameter`
    GetParameter,
    /// SSM `PutParameter`
    PutParameter,
    /// EFS `DescribeFileSystems`
    DescribeFileSystems,
    /// EFS `DescribeMountTargets`
    DescribeMountTargets,
    /// EFS `CreateMountTarget`
    CreateMountTarget,
    /// EFS `DeleteMountTarget`
    DeleteMountTarget,
    /// EC2 `DescribeSubnets`
    DescribeSubnets,
    /// CloudWatch `GetMetricData`
    GetMetricData,
    /// CloudWatch `PutMetricData`
    PutMetricData,
    /// ECS `DescribeServices`
    DescribeServices,
    /// ECS `UpdateService`
    UpdateService,
    /// Lambda `Invoke`
    Invoke,
    /// Anything else: refused with `NotImplemented`, so that no test passes by accident.
    Unknown,
}

/// The headers that S3 keeps with an object. Source: S3 API reference, "`PutObject`".
const KEPT_HEADERS: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// Headers that would change what an operation does, in ways that the fake does not model.
const UNMODELLED_HEADERS: &[&str] = &[
    "if-modified-since",
    "if-unmodified-since",
    "transfer-encoding",
    "x-amz-acl",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-copy-source",
    "x-amz-object-lock-mode",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-tagging",
    "x-amz-write-offset-bytes",
];

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) operation: Operation,
    /// Empty for SQS.
    pub(super) bucket: String,
    /// For SQS the name of the queue; for `DynamoDB` tables and the texts of keys.
    pub(super) key: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Bytes,
    /// Whether bucket and key were valid UTF-8 below the percent signs.
    pub(super) readable: bool,
}

impl Call {
    pub(super) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Self {
        let headers = text_of(headers);
        let target = headers.get("x-amz-target").map_or("", String::as_str);
        if let Some(operation) = sqs::operation(target) {
            let queue = sqs::queue_of(&body).unwrap_or_default();
            return Self::named(operation, queue, headers, body);
        }
        if let Some(operation) = dynamo::operation(target) {
            let subject = dynamo::subject(&body);
            return Self::named(operation, subject, headers, body);
        }
        if let Some(operation) = states::operation(target) {
            let subject = states::subject(&body);
            return Self::named(operation, subject, headers, body);
        }
        if let Some(operation) = account::operation(method.as_str(), uri.path(), &headers) {
            return Self::to_account(operation, uri, headers, body);
        }
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let (bucket, key) = (decoded(bucket), decoded(key));
        let query = query_of(uri);
        let modelled = !UNMODELLED_HEADERS
            .iter()
            .any(|name| headers.contains_key(*name));
        let has_key = key.as_ref().is_none_or(|key| !key.is_empty());
        let operation = if modelled {
            operation(method, has_key, &query)
        } else {
            Operation::Unknown
        };
        Self {
            operation,
            readable: bucket.is_some() && key.is_some(),
            bucket: bucket.unwrap_or_default(),
            key: key.unwrap_or_default(),
            query,
            headers,
            body,
        }
    }

    /// A request that says in its body what it is about.
    fn named(
        operation: Operation,
        subject: String,
        headers: BTreeMap<String, String>,
        body: Bytes,
    ) -> Self {
        Self {
            operation,
            bucket: String::new(),
            key: subject,
            query: BTreeMap::new(),
            headers,
            body,
            readable: true,
        }
    }

    fn to_account(
        operation: Operation,
        uri: &Uri,
        headers: BTreeMap<String, String>,
        body: Bytes,
    ) -> Self {
        let key = match operation {
            Operation::DescribeSubnets => account::subnet_of(&body),
            Operation::CreateMountTarget | Operation::GetMetricData | Operation::PutMetricData => {
                String::new()
            }
            Operation::DeleteMountTarget | Operation::Invoke => account::subject(uri.path()),
            _ => account::name_of(&body),
        };
        Self {
            operation,
            bucket: String::new(),
            key,
            query: query_of(uri),
            headers,
            body,
            readable: true,
        }
    }

    /// Whether it is for one of the services around a file system.
    pub(super) fn is_to_account(&self) -> bool {
        self.operation >= Operation::GetParameter && self.operation <= Operation::Invoke
    }

    /// Whether it is for SQS.
    pub(super) fn is_to_queue(&self) -> bool {
        self.operation >= Operation::SendMessage && self.operation <= Operation::GetQueueUrl
    }

    /// Whether it is for `DynamoDB`.
    pub(super) fn is_to_table(&self) -> bool {
        self.operation >= Operation::GetItem && self.operation <= Operation::Query
    }

    /// Whether it is for Step Functions.
    pub(super) fn is_to_states(&self) -> bool {
        self.operation >= Operation::StartExecution && self.operation <= Operation::StopExecution
    }

    /// Whether it is for a service that speaks JSON, and asks for what is not modelled.
    pub(super) fn is_unknown_to_json(&self) -> bool {
        self.operation == Operation::Unknown && self.header("x-amz-target").is_some()
    }

    pub(super) fn at(&self) -> Target<'_> {
        Target {
            bucket: &self.bucket,
            key: &self.key,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The headers to keep with the object that this request creates.
    pub(super) fn properties(&self) -> Properties {
        let mut properties = Properties::default();
        for (name, value) in &self.headers {
            if let Some(name) = name.strip_prefix("x-amz-meta-") {
                properties.metadata.insert(name.to_owned(), value.clone());
            } else if KEPT_HEADERS.contains(&name.as_str()) {
                properties.headers.insert(name.clone(), value.clone());
            }
        }
        // The one encoding that belongs to the upload, not to the object.
        if let Some(encoding) = properties.headers.remove("content-encoding") {
            let own = encoding
                .split(',')
                .map(str::trim)
                .filter(|coding| *coding != "aws-chunked");
            let own = own.collect::<Vec<_>>().join(",");
            if !own.is_empty() {
                properties
                    .headers
                    .insert("content-encoding".to_owned(), own);
            }
        }
        properties
    }
}

fn operation(method: &Method, has_key: bool, query: &BTreeMap<String, String>) -> Operation {
    // The SDK's own name for the operation, which changes nothing.
    let names = query
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "x-id");
    match (method.as_str(), has_key, &names.collect::<Vec<_>>()[..]) {
        ("GET", true, [] | ["versionId"]) => Operation::GetObject,
        ("HEAD", true, [] | ["versionId"]) => Operation::HeadObject,
        ("PUT", true, []) => Operation::PutObject,
        ("PUT", true, ["partNumber", "uploadId"]) => Operation::UploadPart,
        ("DELETE", true, [] | ["versionId"]) => Operation::DeleteObject,
        ("DELETE", true, ["uploadId"]) => Operation::AbortMultipartUpload,
        ("POST", true, ["uploads"]) => Operation::CreateMultipartUpload,
        ("POST", true, ["uploadId"]) => Operation::CompleteMultipartUpload,
        ("GET", false, names) if is_listing(names) => Operation::ListObjectsV2,
        _ => Operation::Unknown,
    }
}

fn is_listing(names: &[&str]) -> bool {
    let known = [
        "continuation-token",
        "delimiter",
        "encoding-type",
        "list-type",
        "max-keys",
        "prefix",
        "start-after",
    ];
    names.contains(&"list-type") && names.iter().all(|name| known.contains(name))
}

fn text_of(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let text = texts.entry(name.as_str().to_owned()).or_default();
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&value);
    }
    texts
}

fn query_of(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = |raw| percent_decode_str(raw).decode_utf8_lossy().into_owned();
        (text(name), text(value))
    });
    decoded.collect()
}

/// The raw bytes below the percent signs: never normalised, and `+` is a plus.
fn decoded(raw: &str) -> Option<String> {
    Some(percent_decode_str(raw).decode_utf8().ok()?.into_owned())
}
