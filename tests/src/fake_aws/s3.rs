//! Each S3 operation: the request's headers to the store and back.

use std::ops::Range;

use super::call::{Call, Operation};
use super::error::S3Error;
use super::integrity::payload;
use super::listing::{Asked, PAGE_ENTRIES_MAX};
use super::object::Stored;
use super::reply::{Answer, http_time};
use super::state::{Draft, Precondition, Store, Target, matches_etag};
use super::xml;

/// Storage classes that must be restored before they can be read.
const ARCHIVED: &[&str] = &["DEEP_ARCHIVE", "GLACIER"];

pub(super) fn perform(store: &mut Store, call: &Call) -> Answer {
    let answered = match call.operation {
        Operation::GetObject => get(store, call),
        Operation::HeadObject => head(store, call),
        Operation::PutObject => put(store, call),
        Operation::DeleteObject => delete(store, call),
        Operation::CreateMultipartUpload => create_upload(store, call),
        Operation::UploadPart => upload_part(store, call),
        Operation::CompleteMultipartUpload => complete_upload(store, call),
        Operation::AbortMultipartUpload => abort_upload(store, call),
        Operation::ListObjectsV2 => list(store, call),
        _ => Err(S3Error::of("NotImplemented")),
    };
    answered.unwrap_or_else(|refused| refusal(&refused, call))
}

/// The error answer; the one to a `HEAD` has no body, so its code is lost, as on S3.
pub(super) fn refusal(refused: &S3Error, call: &Call) -> Answer {
    let answer = Answer::refusal(refused, call.at());
    if call.operation == Operation::HeadObject {
        return Answer {
            content: Answer::empty(0).content,
            ..answer
        };
    }
    answer
}

fn get(store: &Store, call: &Call) -> Result<Answer, S3Error> {
    let stored = readable(store, call)?;
    if stored
        .headers
        .get("x-amz-storage-class")
        .is_some_and(|class| ARCHIVED.contains(&&**class))
    {
        return Err(S3Error::of("InvalidObjectState"));
    }
    let size_bytes = stored.content.len();
    let wanted = call
        .header("range")
        .and_then(|range| range_of(range, size_bytes));
    let answer = match wanted {
        None => Answer {
            content: stored.content.clone(),
            ..Answer::empty(200)
        },
        Some(Err(refused)) => {
            return Err(refused.with_header("content-range", format!("bytes */{size_bytes}")));
        }
        Some(Ok(range)) => {
            let told = format!("bytes {}-{}/{size_bytes}", range.start, range.end - 1);
            let content = stored.content.slice(range);
            Answer {
                content,
                ..Answer::empty(206)
            }
            .header("content-range", &told)
        }
    };
    let whole = answer.status == 200;
    Ok(described(
        answer,
        stored,
        whole && call.header("x-amz-checksum-mode").is_some(),
    ))
}

fn head(store: &Store, call: &Call) -> Result<Answer, S3Error> {
    let stored = readable(store, call)?;
    let content = stored.content.clone();
    let answer = Answer {
        content,
        headers_only: true,
        ..Answer::empty(200)
    };
    Ok(described(
        answer,
        stored,
        call.header("x-amz-checksum-mode").is_some(),
    ))
}

fn readable<'a>(store: &'a Store, call: &Call) -> Result<&'a Stored, S3Error> {
    let stored = store.find(call.at(), call.query("versionId"))?;
    if let Some(etag) = call.header("if-match") {
        matches_etag(etag, stored)?;
    }
    if call.header("if-none-match").is_some() {
        return Err(S3Error::of("NotImplemented"));
    }
    Ok(stored)
}

fn described(answer: Answer, stored: &Stored, with_checksum: bool) -> Answer {
    let mut answer = answer
        .header("etag", &format!("\"{}\"", stored.etag))
        .header("last-modified", &http_time(stored.modified))
        .header("accept-ranges", "bytes")
        .header_if("x-amz-version-id", stored.version_id.as_deref());
    for (name, default) in [
        ("content-type", "binary/octet-stream"),
        ("x-amz-server-side-encryption", "AES256"),
    ] {
        let given = stored.headers.contains_key(name);
        answer = answer.header_if(name, (!given).then_some(default));
    }
    for (name, value) in &stored.headers {
        // S3 does not tell the class of standard objects.
        if !(name == "x-amz-storage-class" && value == "STANDARD") {
            answer = answer.header(name, value);
        }
    }
    for (name, value) in &stored.metadata {
        answer = answer.header(&format!("x-amz-meta-{name}"), value);
    }
    answer.header_if(
        "x-amz-checksum-crc32",
        stored.crc32.as_deref().filter(|_| with_checksum),
    )
}

fn put(store: &mut Store, call: &Call) -> Result<Answer, S3Error> {
    let precondition = precondition(call)?;
    let properties = call.properties();
    store.admit(call.at(), &properties)?;
    let payload = payload(call)?;
    let etag = format!("{:x}", md5::compute(&payload.bytes));
    let crc32 = payload.crc32.clone();
    let draft = Draft {
        content: payload.bytes.into(),
        etag,
        properties,
        crc32,
    };
    let written = store.write(call.at(), draft, &precondition)?;
    let answer = Answer::empty(200)
        .header("etag", &format!("\"{}\"", written.etag))
        .header_if("x-amz-checksum-crc32", payload.crc32.as_deref())
        .header_if("x-amz-version-id", written.version_id.as_deref());
    Ok(with_encryption(answer, store, call.at()))
}

fn delete(store: &mut Store, call: &Call) -> Result<Answer, S3Error> {
    let deleted = store.remove(call.at(), call.query("versionId"), call.header("if-match"))?;
    Ok(Answer::empty(204)
        .header_if(
            "x-amz-delete-marker",
            deleted.delete_marker.then_some("true"),
        )
        .header_if("x-amz-version-id", deleted.version_id.as_deref()))
}

fn create_upload(store: &mut Store, call: &Call) -> Result<Answer, S3Error> {
    let upload_id = store.create_upload(call.at(), call.properties())?;
    Ok(Answer::xml(200, xml::upload_created(call.at(), &upload_id)))
}

fn upload_part(store: &mut Store, call: &Call) -> Result<Answer, S3Error> {
    let payload = payload(call)?;
    let number = call
        .query("partNumber")
        .and_then(|number| number.parse().ok());
    let number = number.ok_or_else(|| S3Error::of("InvalidArgument"))?;
    let etag = store.upload_part(call.at(), upload_id(call), (number, payload.bytes))?;
    Ok(Answer::empty(200)
        .header("etag", &format!("\"{etag}\""))
        .header_if("x-amz-checksum-crc32", payload.crc32.as_deref()))
}

fn complete_upload(store: &mut Store, call: &Call) -> Result<Answer, S3Error> {
    let parts = xml::claimed_parts(&call.body)?;
    let written =
        store.complete_upload(call.at(), upload_id(call), &parts, &precondition(call)?)?;
    let answer = Answer::xml(200, xml::upload_completed(call.at(), &written.etag))
        .header_if("x-amz-version-id", written.version_id.as_deref());
    Ok(with_encryption(answer, store, call.at()))
}

fn abort_upload(store: &mut Store, call: &Call) -> Result<Answer, S3Error> {
    store.abort_upload(call.at(), upload_id(call))?;
    Ok(Answer::empty(204))
}

fn list(store: &Store, call: &Call) -> Result<Answer, S3Error> {
    let limit = match call.query("max-keys").map(str::parse::<usize>) {
        None => PAGE_ENTRIES_MAX,
        Some(Ok(limit)) => limit.min(PAGE_ENTRIES_MAX),
        Some(Err(_)) => return Err(S3Error::of("InvalidArgument")),
    };
    let encoded = match call.query("encoding-type") {
        None => false,
        Some("url") => true,
        Some(_) => return Err(S3Error::of("InvalidArgument")),
    };
    let asked = Asked {
        prefix: call.query("prefix").unwrap_or_default(),
        delimiter: call.query("delimiter").filter(|text| !text.is_empty()),
        start_after: call.query("start-after").filter(|key| !key.is_empty()),
        token: call.query("continuation-token"),
        limit,
    };
    if asked.delimiter.is_some_and(|delimiter| delimiter != "/") {
        return Err(S3Error::of("NotImplemented"));
    }
    let page = store.list(&call.bucket, asked)?;
    let text = xml::listing(&call.bucket, asked, &page, encoded);
    Ok(Answer::xml(200, text))
}

fn with_encryption(answer: Answer, store: &Store, at: Target<'_>) -> Answer {
    let stored = store.object(at.bucket, at.key);
    let given = stored.and_then(|stored| stored.headers.get("x-amz-server-side-encryption"));
    answer.header(
        "x-amz-server-side-encryption",
        given.map_or("AES256", String::as_str),
    )
}

fn upload_id(call: &Call) -> &str {
    call.query("uploadId").unwrap_or_default()
}

fn precondition(call: &Call) -> Result<Precondition, S3Error> {
    match (call.header("if-none-match"), call.header("if-match")) {
        (None, None) => Ok(Precondition::None),
        (Some("*"), None) => Ok(Precondition::Absent),
        (None, Some(etag)) if etag != "*" => Ok(Precondition::Matches(etag.to_owned())),
        _ => Err(S3Error::of("NotImplemented")),
    }
}

/// The bytes that a `Range` header asks for; `None` for one that S3 ignores.
fn range_of(header: &str, size_bytes: u64) -> Option<Result<Range<u64>, S3Error>> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let range = if first.is_empty() {
        let suffix = last.parse::<u64>().ok()?;
        size_bytes.saturating_sub(suffix)..size_bytes
    } else {
        let last = if last.is_empty() {
            u64::MAX - 1
        } else {
            last.parse().ok()?
        };
        first.parse().ok()?..size_bytes.min(last + 1)
    };
    if range.is_empty() {
        return Some(Err(S3Error::of("InvalidRange")));
    }
    Some(Ok(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_standard() {
        let range = |header| range_of(header, 10);
        assert_eq!(range("bytes=2-4"), Some(Ok(2..5)));
        assert_eq!(range("bytes=2-"), Some(Ok(2..10)));
        assert_eq!(range("bytes=9-99"), Some(Ok(9..10)));
        assert_eq!(range("bytes=-3"), Some(Ok(7..10)));
        assert_eq!(range("bytes=10-"), Some(Err(S3Error::of("InvalidRange"))));
        assert_eq!(range("lines=1-2"), None);
    }
}
