//! The objects of a listing page, read in one pass.
//!
//! A page is a thousand entries of few plain elements, and reading it takes more time than anything else that is done with
//! it. The SDK's reader of XML asks of every element what it could be; this one takes the entries out of the document and
//! leaves the rest of it, and every entry with anything but plain elements, to the SDK.

use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2, ListObjectsV2Output};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, Object, ObjectStorageClass};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, OutputOrError,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer};

const OPEN: &str = "<Contents>";
/// Between the brackets of an entry's end.
const CLOSE: &str = "/Contents";

/// For one call of `ListObjectsV2`: its answer is read here as far as possible.
#[derive(Debug)]
pub(crate) struct InOnePass;

impl Intercept for InOnePass {
    fn name(&self) -> &'static str {
        "InOnePass"
    }

    fn modify_before_serialization(
        &self,
        _: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(sdk) = ListObjectsV2::new().config() {
            let ours = SharedResponseDeserializer::new(Reader { sdk });
            config.interceptor_state().store_put(ours);
        }
        Ok(())
    }
}

/// Reads the entries, and has the SDK read what they leave.
#[derive(Debug)]
struct Reader {
    /// Where the operation has its own reader.
    sdk: FrozenLayer,
}

impl Reader {
    fn sdk(&self, response: &HttpResponse, config: &ConfigBag) -> OutputOrError {
        let Some(sdk) = self.sdk.load::<SharedResponseDeserializer>() else {
            return Err(OrchestratorError::other("ListObjectsV2 has no reader"));
        };
        sdk.deserialize_nonstreaming_with_config(response, config)
    }
}

impl DeserializeResponse for Reader {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        config: &ConfigBag,
    ) -> OutputOrError {
        let document = response
            .body()
            .bytes()
            .filter(|_| response.status().is_success());
        let document = document.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some((rest, objects)) = document.and_then(taken) else {
            return self.sdk(response, config);
        };
        let mut thin = HttpResponse::new(response.status(), SdkBody::from(rest));
        *thin.headers_mut() = response.headers().clone();
        let mut output = self.sdk(&thin, config)?;
        if let Some(listed) = output.downcast_mut::<ListObjectsV2Output>() {
            listed.contents = Some(objects);
        }
        Ok(output)
    }
}

/// The document without its entries, and these; none if that is not for us to say.
fn taken(document: &str) -> Option<(String, Vec<Object>)> {
    let first = document.find(OPEN)?;
    let (head, mut rest) = document.split_at(first);
    let mut objects = Vec::with_capacity(crate::found::PAGE_OBJECTS_MAX);
    while let Some(entry) = rest.strip_prefix(OPEN) {
        let (object, behind) = object(entry)?;
        objects.push(object);
        rest = behind;
    }
    // A comment or a section could hide what looks like an entry.
    let is_plain = |text: &str| !text.contains("<!") && !text.contains(OPEN);
    (is_plain(head) && is_plain(rest)).then(|| (format!("{head}{rest}"), objects))
}

/// An entry up to its end, and what is behind it.
fn object(mut rest: &str) -> Option<(Object, &str)> {
    let mut object = Object::builder();
    loop {
        let name_end = rest.bytes().position(|byte| byte == b'>')?;
        let name = rest.get(..name_end)?.strip_prefix('<')?;
        let behind = &rest[name_end + 1..];
        if name == CLOSE {
            return Some((object.build(), behind));
        }
        let (text, behind) = text(name, behind)?;
        rest = behind;
        object = match name {
            "Key" => object.key(unescaped(text)?),
            "ETag" => object.e_tag(unescaped(text)?),
            "Size" => object.size(text.parse().ok()?),
            "LastModified" => {
                let format = DateTimeFormat::DateTimeWithOffset;
                object.last_modified(DateTime::from_str(text, format).ok()?)
            }
            "StorageClass" => object.storage_class(ObjectStorageClass::from(plain(text)?)),
            "ChecksumAlgorithm" => object.checksum_algorithm(ChecksumAlgorithm::from(plain(text)?)),
            "ChecksumType" => object.checksum_type(ChecksumType::from(plain(text)?)),
            _ => return None,
        };
    }
}

/// The text of an element without any element in it, and what is behind it.
fn text<'d>(name: &str, rest: &'d str) -> Option<(&'d str, &'d str)> {
    // Plain loops, here and above: what is looked for is a few bytes away.
    let end = rest.bytes().position(|byte| byte == b'<')?;
    let (text, rest) = rest.split_at(end);
    let behind = rest.strip_prefix("</")?.strip_prefix(name)?;
    Some((text, behind.strip_prefix('>')?))
}

/// A text without references.
fn plain(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.contains('&')).then_some(text)
}

/// A text with those references that need no table; none if there are others.
fn unescaped(text: &str) -> Option<String> {
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte == b'&') {
        unescaped.push_str(&rest[..at]);
        let (name, behind) = rest[at + 1..].split_once(';')?;
        unescaped.push(match name {
            "quot" => '"',
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "apos" => '\'',
            _ => return None,
        });
        rest = behind;
    }
    unescaped.push_str(rest);
    (!unescaped.is_empty()).then_some(unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix>incoming/</Prefix>\
        <EncodingType>url</EncodingType><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>";
    const TAIL: &str = "<NextContinuationToken>t</NextContinuationToken></ListBucketResult>";
    const ENTRY: &str = "<Contents><Key>incoming/a</Key><LastModified>2026-11-21T10:11:12.000Z</LastModified>\
        <ETag>&quot;e1&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>\
        <ChecksumType>FULL_OBJECT</ChecksumType><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>";

    fn reader() -> Reader {
        let sdk = ListObjectsV2::new().config().unwrap();
        Reader { sdk }
    }

    fn response(status: u16, document: &str) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(document))
    }

    fn listed(output: OutputOrError) -> Option<ListObjectsV2Output> {
        output.ok()?.downcast().ok()
    }

    /// Whether it was read here and not by the SDK; what comes of it is what comes of the SDK's reader.
    fn is_ours(document: &str) -> bool {
        let (reader, config) = (reader(), ConfigBag::base());
        let response = response(200, document);
        let ours = listed(reader.deserialize_nonstreaming_with_config(&response, &config));
        let sdk = listed(reader.sdk(&response, &config));
        assert_eq!(ours, sdk, "{document}");
        ours.is_some() && taken(document).is_some()
    }

    #[test]
    fn a_page_as_s3_makes_it_is_read_in_one_pass() {
        assert!(is_ours(&format!("{HEAD}{ENTRY}{ENTRY}{TAIL}")));
        let (_, objects) = taken(&format!("{HEAD}{ENTRY}{TAIL}")).unwrap();
        assert_eq!(objects[0].key(), Some("incoming/a"));
        assert_eq!(objects[0].e_tag(), Some("\"e1\""));
        assert_eq!(objects[0].size(), Some(7));
        assert_eq!(objects[0].last_modified().unwrap().secs(), 1_795_255_872);
    }

    #[test]
    fn what_is_not_plain_is_read_by_the_sdk() {
        for (plain, other) in [
            ("<Size>7</Size>", "<Size unit=\"byte\">7</Size>"),
            ("<Size>7</Size>", "<Size><!-- 8 -->7</Size>"),
            ("<Size>7</Size>", "<Size><![CDATA[7]]></Size>"),
            ("<Size>7</Size>", "<Size>7</Size >"),
            ("<Size>7</Size>", "<Size/>"),
            ("<Size>7</Size>", "<Size>seven</Size>"),
            ("<Size>7</Size>", "<Owner><ID>o</ID></Owner>"),
            ("<Size>7</Size>", "<New>7</New>"),
            ("<Size>7</Size>", "\n<Size>7</Size>"),
            ("incoming/a", "incoming/&#x61;"),
            ("incoming/a", ""),
            ("<Contents>", "<Contents >"),
            (HEAD, &format!("{HEAD}<!-- <Contents> -->")),
        ] {
            let document = format!("{HEAD}{ENTRY}{TAIL}").replace(plain, other);
            assert!(!is_ours(&document), "{document}");
        }
        assert!(!is_ours(&format!("{HEAD}{ENTRY}\n{ENTRY}{TAIL}")));
        assert!(!is_ours(&format!("{HEAD}{TAIL}")));
    }

    #[test]
    fn a_page_that_breaks_off_is_no_page() {
        let document = format!("{HEAD}{ENTRY}{ENTRY}{TAIL}");
        for length in document.match_indices('<').map(|(at, _)| at) {
            is_ours(&document[..length]);
        }
    }

    #[test]
    fn an_error_is_the_sdks_to_read() {
        let body = "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>";
        for status in [200, 404] {
            let response = response(status, body);
            let answer =
                reader().deserialize_nonstreaming_with_config(&response, &ConfigBag::base());
            assert!(answer.is_err());
        }
    }

    proptest! {
        #[test]
        fn a_page_is_what_the_sdk_reads_of_it(
            keys in prop::collection::vec(("[a-z&<>\"'%+ é/]{1,12}", any::<u32>(), "[A-Z_]{1,9}", 0_i64..4_000_000_000), 1..5)
        ) {
            let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let entries: Vec<String> = keys.iter().map(|(key, size, class, at)| {
                let at = DateTime::from_secs(*at).fmt(DateTimeFormat::DateTime).unwrap();
                format!(
                    "<Contents><Key>{}</Key><LastModified>{at}</LastModified><Size>{size}</Size>\
                     <StorageClass>{class}</StorageClass></Contents>",
                    escaped(key)
                )
            }).collect();
            let document = format!("{HEAD}{}{TAIL}", entries.concat());
            prop_assert!(is_ours(&document));
        }
    }
}
