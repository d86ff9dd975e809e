//! The few XML documents of S3, written and read.

use std::fmt::Write;

use super::error::S3Error;
use super::multipart::ClaimedPart;
use super::object::Stored;
use super::reply::iso_time;
use super::state::Target;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// One page of a listing.
pub(super) struct Page<'a> {
    pub(super) objects: Vec<(&'a str, &'a Stored)>,
    pub(super) key_limit: usize,
    /// Set when there are more: where the next page starts.
    pub(super) next: Option<String>,
}

pub(super) fn error(code: &str, at: Target<'_>, request_id: &str) -> String {
    let (bucket, key) = (escaped(at.bucket), escaped(at.key));
    format!(
        "{HEAD}<Error><Code>{code}</Code><Message>{code}, says the fake.</Message>\
         <BucketName>{bucket}</BucketName><Key>{key}</Key>\
         <RequestId>{request_id}</RequestId><HostId>fake</HostId></Error>"
    )
}

pub(super) fn upload_created(at: Target<'_>, upload_id: &str) -> String {
    let (bucket, key) = (escaped(at.bucket), escaped(at.key));
    format!(
        "{HEAD}<InitiateMultipartUploadResult xmlns=\"{NAMESPACE}\"><Bucket>{bucket}</Bucket>\
         <Key>{key}</Key><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
    )
}

pub(super) fn upload_completed(at: Target<'_>, etag: &str) -> String {
    let (bucket, key) = (escaped(at.bucket), escaped(at.key));
    format!(
        "{HEAD}<CompleteMultipartUploadResult xmlns=\"{NAMESPACE}\"><Bucket>{bucket}</Bucket>\
         <Key>{key}</Key><ETag>&quot;{etag}&quot;</ETag></CompleteMultipartUploadResult>"
    )
}

pub(super) fn listing(at: Target<'_>, page: &Page<'_>) -> String {
    let (bucket, prefix) = (escaped(at.bucket), escaped(at.key));
    let mut text = format!(
        "{HEAD}<ListBucketResult xmlns=\"{NAMESPACE}\"><Name>{bucket}</Name>\
         <Prefix>{prefix}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{}</MaxKeys>\
         <IsTruncated>{}</IsTruncated>",
        page.objects.len(),
        page.key_limit,
        page.next.is_some(),
    );
    if let Some(next) = &page.next {
        let next = escaped(next);
        write!(
            text,
            "<NextContinuationToken>{next}</NextContinuationToken>"
        )
        .unwrap();
    }
    for (key, stored) in &page.objects {
        let class = stored
            .headers
            .get("x-amz-storage-class")
            .map_or("STANDARD", String::as_str);
        write!(
            text,
            "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag>\
             <Size>{}</Size><StorageClass>{class}</StorageClass></Contents>",
            escaped(key),
            iso_time(stored.modified),
            stored.etag,
            stored.content.len(),
        )
        .unwrap();
    }
    text.push_str("</ListBucketResult>");
    text
}

/// Reads the body of a `CompleteMultipartUpload`.
pub(super) fn claimed_parts(body: &[u8]) -> Result<Vec<ClaimedPart>, S3Error> {
    let malformed = || S3Error::of("MalformedXML");
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    if !text.contains("<CompleteMultipartUpload") {
        return Err(malformed());
    }
    let parts = text.split("<Part>").skip(1).map(|part| {
        let number = between(part, "<PartNumber>", "</PartNumber>")?
            .trim()
            .parse()
            .ok()?;
        let etag = between(part, "<ETag>", "</ETag>")?
            .trim()
            .replace("&quot;", "\"");
        Some(ClaimedPart { number, etag })
    });
    parts.collect::<Option<_>>().ok_or_else(malformed)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            control if control < ' ' => write!(escaped, "&#{};", u32::from(control)).unwrap(),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_with_quoted_and_escaped_etags() {
        let body = b"<CompleteMultipartUpload xmlns=\"x\">\
            <Part><ETag>&quot;aa&quot;</ETag><PartNumber>1</PartNumber></Part>\
            <Part><PartNumber>2</PartNumber><ETag>\"bb\"</ETag></Part></CompleteMultipartUpload>";
        let parts = claimed_parts(body).unwrap();
        let read = parts.iter().map(|part| (part.number, part.etag.as_str()));
        assert_eq!(read.collect::<Vec<_>>(), [(1, "\"aa\""), (2, "\"bb\"")]);
    }

    #[test]
    fn a_part_without_its_etag_is_malformed() {
        let body = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>";
        assert_eq!(claimed_parts(body), Err(S3Error::of("MalformedXML")));
    }
}
