//! The few XML documents of S3, written and read.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::S3Error;
use super::listing::{Asked, Entry, Listed, Page};
use super::multipart::ClaimedPart;
use super::notify::url_encoded;
use super::reply::iso_time;
use super::state::Target;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

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

pub(super) fn listing(bucket: &str, asked: Asked<'_>, page: &Page<'_>, encoded: bool) -> String {
    let told = |text: &str| {
        if encoded {
            url_encoded(text)
        } else {
            escaped(text)
        }
    };
    let mut text = format!(
        "{HEAD}<ListBucketResult xmlns=\"{NAMESPACE}\"><Name>{}</Name><Prefix>{}</Prefix>",
        escaped(bucket),
        told(asked.prefix),
    );
    let mut member = |name: &str, value: String| {
        write!(text, "<{name}>{value}</{name}>").unwrap();
    };
    if let Some(key) = asked.start_after {
        member("StartAfter", told(key));
    }
    if let Some(token) = asked.token {
        member("ContinuationToken", escaped(token));
    }
    if let Some(delimiter) = asked.delimiter {
        member("Delimiter", told(delimiter));
    }
    if encoded {
        member("EncodingType", "url".to_owned());
    }
    member("KeyCount", page.entries.len().to_string());
    member("MaxKeys", asked.limit.to_string());
    if let Some(truncated) = page.truncated {
        member("IsTruncated", truncated.to_string());
    }
    if let Some(next) = &page.next {
        member("NextContinuationToken", escaped(next));
    }
    for listed in &page.entries {
        match listed {
            Listed::Object(entry) => push_object(&mut text, entry, &told(&entry.key)),
            Listed::CommonPrefix(prefix) => {
                let prefix = told(prefix);
                write!(
                    text,
                    "<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"
                )
                .unwrap();
            }
        }
    }
    text.push_str("</ListBucketResult>");
    text
}

fn push_object(text: &mut String, entry: &Entry<'_>, key: &str) {
    write!(
        text,
        "<Contents><Key>{key}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag>\
         <Size>{}</Size><StorageClass>{}</StorageClass></Contents>",
        iso_time(in_seconds(entry.modified)),
        entry.etag,
        entry.size_bytes,
        entry.storage_class,
    )
    .unwrap();
}

/// S3 tells no fractions of a second.
fn in_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs())
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
