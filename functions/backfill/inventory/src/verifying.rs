//! Copying a part so that nothing of it is used unless all of it is what the manifest names.

use std::fmt::Write as _;
use std::io::Write;

use crate::error::PartError;

pub(crate) type Md5Digest = [u8; 16];

/// What a part has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// Its key, for messages.
    pub part: &'a str,
    /// Length, bytes.
    pub size_bytes: u64,
    /// MD5 of its content, 32 hex digits.
    pub md5: &'a str,
}

/// Writes a part through to `W`, and gives `W` back only if size and MD5 were right.
pub struct Verifying<W> {
    inner: W,
    part: String,
    expected_bytes: u64,
    expected_md5: String,
    written_bytes: u64,
    md5: md5::Context,
}

impl<W: Write> Verifying<W> {
    /// Nothing is written yet.
    pub fn new(inner: W, expected: Expected<'_>) -> Self {
        Self {
            inner,
            part: expected.part.to_owned(),
            expected_bytes: expected.size_bytes,
            expected_md5: expected.md5.to_ascii_lowercase(),
            written_bytes: 0,
            md5: md5::Context::new(),
        }
    }

    /// The next bytes. Refuses, before it writes them, those that make the part too long.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), PartError> {
        let written_bytes = self.written_bytes + bytes.len() as u64;
        if written_bytes > self.expected_bytes {
            return Err(self.wrong_size(written_bytes));
        }
        self.inner
            .write_all(bytes)
            .map_err(|source| self.io(source))?;
        self.written_bytes = written_bytes;
        self.md5.consume(bytes);
        Ok(())
    }

    /// The copy, whole.
    pub fn finish(mut self) -> Result<W, PartError> {
        if self.written_bytes != self.expected_bytes {
            return Err(self.wrong_size(self.written_bytes));
        }
        let actual = hex(&self.md5.clone().finalize().0);
        if actual != self.expected_md5 {
            return Err(PartError::Md5 {
                part: self.part,
                expected: self.expected_md5,
                actual,
            });
        }
        self.inner.flush().map_err(|source| self.io(source))?;
        Ok(self.inner)
    }

    fn wrong_size(&self, actual_bytes: u64) -> PartError {
        PartError::Size {
            part: self.part.clone(),
            expected_bytes: self.expected_bytes,
            actual_bytes,
        }
    }

    fn io(&self, source: std::io::Error) -> PartError {
        PartError::Io {
            part: self.part.clone(),
            source,
        }
    }
}

/// 32 hex digits of either case.
pub(crate) fn parse_md5(text: &str) -> Option<Md5Digest> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

pub(crate) fn hex(digest: &Md5Digest) -> String {
    digest
        .iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HELLO: Expected<'static> = Expected {
        part: "data/1.parquet",
        size_bytes: 5,
        md5: "5D41402ABC4B2A76B9719D911017C592",
    };

    fn copied(pieces: &[&[u8]]) -> Result<Vec<u8>, PartError> {
        let mut verifying = Verifying::new(Vec::new(), HELLO);
        for piece in pieces {
            verifying.write_all(piece)?;
        }
        verifying.finish()
    }

    #[test]
    fn what_the_manifest_names_comes_through_in_any_pieces() {
        assert_eq!(copied(&[b"hello"]).unwrap(), b"hello");
        assert_eq!(copied(&[b"he", b"", b"llo"]).unwrap(), b"hello");
    }

    #[test]
    fn a_part_of_another_length_or_content_is_never_given_out() {
        assert!(matches!(
            copied(&[b"hell"]),
            Err(PartError::Size {
                actual_bytes: 4,
                ..
            })
        ));
        assert!(matches!(
            copied(&[b"hello", b"!"]),
            Err(PartError::Size {
                actual_bytes: 6,
                ..
            })
        ));
        assert!(matches!(copied(&[b"hellO"]), Err(PartError::Md5 { .. })));
        let message = copied(&[b"hellO"]).unwrap_err().to_string();
        assert!(message.contains("data/1.parquet"), "{message}");
    }

    #[test]
    fn a_full_disk_is_an_io_error() {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let error = Verifying::new(full, HELLO).write_all(b"hello").unwrap_err();
        let PartError::Io { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    }

    proptest! {
        #[test]
        fn an_md5_is_read_as_it_is_written(digest: [u8; 16]) {
            prop_assert_eq!(parse_md5(&hex(&digest)), Some(digest));
            prop_assert_eq!(parse_md5(&hex(&digest).to_uppercase()), Some(digest));
        }
    }

    #[test]
    fn what_is_no_md5_is_not_read_as_one() {
        for text in [
            "",
            "+1402abc4b2a76b9719d911017c5925d",
            "5d41402abc4b2a76b9719d911017c59",
            "zz41402abc4b2a76b9719d911017c592",
        ] {
            assert_eq!(parse_md5(text), None, "{text}");
        }
    }
}
