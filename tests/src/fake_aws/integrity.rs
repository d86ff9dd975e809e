//! What S3 verifies about an uploaded body before it believes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::error::S3Error;

const CRC32_HEADER: &str = "x-amz-checksum-crc32";

/// A verified body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    /// The CRC-32 that the client vouched for, in base64.
    pub(super) crc32: Option<String>,
}

/// Undoes the transfer coding and checks length, MD5, CRC-32 and SHA-256 where they were given.
pub(super) fn payload(call: &Call) -> Result<Payload, S3Error> {
    if call.header("content-length").is_none() {
        return Err(S3Error::of("MissingContentLength"));
    }
    let sha256 = call.header("x-amz-content-sha256").unwrap_or_default();
    if sha256.len() == 64 && sha256 != format!("{:x}", HexOf(Sha256::digest(&call.body).as_ref())) {
        return Err(S3Error::of("XAmzContentSHA256Mismatch"));
    }
    let mut crc32 = call.header(CRC32_HEADER).map(str::to_owned);
    let mut bytes = call.body.clone();
    if sha256.starts_with("STREAMING-") {
        let decoded = unchunk(&bytes).ok_or_else(|| S3Error::of("IncompleteBody"))?;
        let promised = call.header("x-amz-decoded-content-length");
        if promised.and_then(|length| length.parse().ok()) != Some(decoded.bytes.len()) {
            return Err(S3Error::of("IncompleteBody"));
        }
        crc32 = decoded.trailer_of(CRC32_HEADER).or(crc32);
        if crc32.is_none() && call.header("x-amz-trailer").is_some() {
            return Err(S3Error::of("MalformedTrailerError"));
        }
        bytes = decoded.bytes;
    }
    if let Some(expected) = &crc32 {
        let actual = crc32fast::hash(&bytes).to_be_bytes();
        if *expected != STANDARD.encode(actual) {
            return Err(S3Error::of("BadDigest"));
        }
    }
    if let Some(expected) = call.header("content-md5") {
        if STANDARD.decode(expected).is_ok_and(|md5| md5.len() != 16) {
            return Err(S3Error::of("InvalidDigest"));
        }
        if expected != STANDARD.encode(md5::compute(&bytes).0) {
            return Err(S3Error::of("BadDigest"));
        }
    }
    Ok(Payload { bytes, crc32 })
}

struct HexOf<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexOf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

struct Unchunked {
    bytes: Bytes,
    trailers: Vec<(String, String)>,
}

impl Unchunked {
    fn trailer_of(&self, name: &str) -> Option<String> {
        let trailer = self.trailers.iter().find(|(known, _)| known == name);
        trailer.map(|(_, value)| value.clone())
    }
}

/// Decodes `aws-chunked`: `size[;signature] CRLF bytes CRLF`, a chunk of size 0, trailers.
/// Source: S3 API reference, "Signature calculations for the authorization header: chunked upload".
fn unchunk(body: &[u8]) -> Option<Unchunked> {
    let mut rest = body;
    let mut bytes = BytesMut::new();
    loop {
        let (line, after) = line_of(rest)?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        rest = after;
        if size == 0 {
            break;
        }
        bytes.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    let mut trailers = Vec::new();
    while let Some((line, after)) = line_of(rest) {
        rest = after;
        if let Some((name, value)) = line.split_once(':') {
            trailers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    Some(Unchunked {
        bytes: bytes.freeze(),
        trailers,
    })
}

fn line_of(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    Some((line, &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_and_trailers_are_taken_apart() {
        let body =
            b"3;chunk-signature=00\r\nabc\r\n2\r\n\r\n\r\n0\r\nx-amz-checksum-crc32:YQ==\r\n\r\n";
        let decoded = unchunk(body).unwrap();
        assert_eq!(decoded.bytes, &b"abc\r\n"[..]);
        assert_eq!(decoded.trailer_of(CRC32_HEADER).as_deref(), Some("YQ=="));
    }

    #[test]
    fn a_body_that_ends_within_a_chunk_is_refused() {
        assert!(unchunk(b"4\r\nabc").is_none());
        assert!(unchunk(b"3\r\nabc\r\n").is_none());
    }
}
