//! The refusals of S3, with the status that belongs to each code.

use std::borrow::Cow;

/// An S3 error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct S3Error {
    pub(super) status: u16,
    pub(super) code: Cow<'static, str>,
    /// Headers that this error carries besides the usual ones.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// Codes and their status. Source: S3 API reference, "Error responses".
const STATUS_OF: &[(&str, u16)] = &[
    ("AccessDenied", 403),
    ("BadDigest", 400),
    ("EntityTooSmall", 400),
    ("IncompleteBody", 400),
    ("InvalidArgument", 400),
    ("InvalidDigest", 400),
    ("InvalidObjectState", 403),
    ("InvalidPart", 400),
    ("InvalidPartOrder", 400),
    ("InvalidRange", 416),
    ("InvalidURI", 400),
    ("KeyTooLongError", 400),
    ("MalformedTrailerError", 400),
    ("MalformedXML", 400),
    ("MetadataTooLarge", 400),
    ("MethodNotAllowed", 405),
    ("MissingContentLength", 411),
    ("NoSuchBucket", 404),
    ("NoSuchKey", 404),
    ("NoSuchUpload", 404),
    ("NoSuchVersion", 404),
    ("NotImplemented", 501),
    ("PreconditionFailed", 412),
    ("XAmzContentSHA256Mismatch", 400),
];

impl S3Error {
    /// The error of this code; a code that is not in the table is a defect of the fake.
    pub(super) fn of(code: &'static str) -> Self {
        let entry = STATUS_OF.iter().find(|(known, _)| *known == code);
        let (_, status) = entry.unwrap_or_else(|| panic!("no status for {code}"));
        Self {
            status: *status,
            code: code.into(),
            headers: Vec::new(),
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
