//! The bytes around a zip entry: local header, data descriptor, central directory, end records.
//!
//! Written by hand because the `zip` crate refuses deflate level 0, which an input that does not shrink
//! needs here; the crate reads the result back in the tests. Source: APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.

/// Flags: sizes follow the data (bit 3), the name is UTF-8 (bit 11).
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
const METHOD_DEFLATE: u16 = 8;
const VERSION_DEFLATE: u16 = 20;
const VERSION_ZIP64: u16 = 45;
/// "Made by" Unix, so that the mode below counts.
const MADE_BY_UNIX: u16 = 3 << 8;
/// Regular file, `rw-r--r--`.
const EXTERNAL_ATTRIBUTES: u32 = 0o100_644 << 16;
/// 1980-01-01 00:00, the format's zero: a clock would break "equal input gives equal bytes".
const DOS_TIME: u16 = 0;
const DOS_DATE: u16 = (1 << 5) | 1;
const IN_ZIP64: u32 = u32::MAX;

/// One deflated entry, its sizes known only after its data.
pub(crate) struct Entry {
    name: String,
    zip64: bool,
}

/// What the data turned out to be.
pub(crate) struct Sizes {
    pub(crate) crc32: u32,
    pub(crate) compressed_bytes: u64,
    pub(crate) input_bytes: u64,
}

impl Entry {
    /// ZIP64 is decided by the length and never otherwise: strict stream readers reject a small entry that uses it.
    /// The margin of 0.1 % covers what level 0 adds.
    pub(crate) fn new(name: String, input_bytes: u64) -> Self {
        let worst = input_bytes
            .saturating_add(input_bytes / 1000)
            .saturating_add(1024);
        Self {
            name,
            zip64: worst >= u64::from(IN_ZIP64),
        }
    }

    const fn version(&self) -> u16 {
        if self.zip64 {
            VERSION_ZIP64
        } else {
            VERSION_DEFLATE
        }
    }

    /// Version, flags, method and time: what the local header and the directory have in common.
    fn common(&self, out: &mut Vec<u8>) {
        let utf8 = if self.name.is_ascii() { 0 } else { FLAG_UTF8 };
        for field in [
            self.version(),
            FLAG_DESCRIPTOR | utf8,
            METHOD_DEFLATE,
            DOS_TIME,
            DOS_DATE,
        ] {
            out.extend(field.to_le_bytes());
        }
    }

    /// A name comes from a key of at most 1,024 bytes, so the format's 16 bits hold it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`entry_name` keeps names at 1,024 bytes"
    )]
    const fn name_len(&self) -> u16 {
        self.name.len() as u16
    }

    pub(crate) fn local_header(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04".to_vec();
        self.common(&mut out);
        let unknown = if self.zip64 { IN_ZIP64 } else { 0 };
        for field in [0, unknown, unknown] {
            out.extend(field.to_le_bytes());
        }
        out.extend(self.name_len().to_le_bytes());
        let extra = if self.zip64 {
            zip64_extra(0, 0)
        } else {
            Vec::new()
        };
        out.extend(extra_len(&extra).to_le_bytes());
        out.extend(self.name.as_bytes());
        out.extend(extra);
        out
    }

    /// Everything after the data; `entry_bytes` is header plus data.
    pub(crate) fn trailer(&self, sizes: &Sizes, header_bytes: u64) -> Vec<u8> {
        let mut out = self.descriptor(sizes);
        let directory_at = header_bytes + sizes.compressed_bytes + out.len() as u64;
        let directory = self.directory(sizes);
        out.extend(&directory);
        end_records(&mut out, self.zip64, directory_at, directory.len() as u64);
        out
    }

    fn descriptor(&self, sizes: &Sizes) -> Vec<u8> {
        let mut out = b"PK\x07\x08".to_vec();
        out.extend(sizes.crc32.to_le_bytes());
        for size in [sizes.compressed_bytes, sizes.input_bytes] {
            if self.zip64 {
                out.extend(size.to_le_bytes());
            } else {
                out.extend(low_u32(size).to_le_bytes());
            }
        }
        out
    }

    fn directory(&self, sizes: &Sizes) -> Vec<u8> {
        let mut out = b"PK\x01\x02".to_vec();
        out.extend((MADE_BY_UNIX | self.version()).to_le_bytes());
        self.common(&mut out);
        out.extend(sizes.crc32.to_le_bytes());
        for size in [sizes.compressed_bytes, sizes.input_bytes] {
            out.extend(if self.zip64 { IN_ZIP64 } else { low_u32(size) }.to_le_bytes());
        }
        let extra = if self.zip64 {
            zip64_extra(sizes.input_bytes, sizes.compressed_bytes)
        } else {
            Vec::new()
        };
        for field in [self.name_len(), extra_len(&extra), 0, 0, 0] {
            out.extend(field.to_le_bytes());
        }
        out.extend(EXTERNAL_ATTRIBUTES.to_le_bytes());
        out.extend(0_u32.to_le_bytes()); // offset of the local header
        out.extend(self.name.as_bytes());
        out.extend(extra);
        out
    }
}

/// Header 0x0001: 64-bit sizes, input first.
fn zip64_extra(input_bytes: u64, compressed_bytes: u64) -> Vec<u8> {
    let mut out = vec![0x01, 0x00, 0x10, 0x00];
    out.extend(input_bytes.to_le_bytes());
    out.extend(compressed_bytes.to_le_bytes());
    out
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "an extra field here is 0 or 20 bytes"
)]
const fn extra_len(extra: &[u8]) -> u16 {
    extra.len() as u16
}

/// Sizes of an entry without ZIP64 fit: `Entry::new` saw to it.
fn low_u32(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(IN_ZIP64)
}

fn end_records(out: &mut Vec<u8>, zip64: bool, directory_at: u64, directory_bytes: u64) {
    if zip64 {
        let record_at = directory_at + directory_bytes;
        out.extend(b"PK\x06\x06");
        out.extend(44_u64.to_le_bytes()); // size of the rest of this record
        out.extend((MADE_BY_UNIX | VERSION_ZIP64).to_le_bytes());
        out.extend(VERSION_ZIP64.to_le_bytes());
        out.extend([0; 8]); // disk numbers
        for field in [1, 1, directory_bytes, directory_at] {
            out.extend(field.to_le_bytes());
        }
        out.extend(b"PK\x06\x07");
        out.extend([0; 4]);
        out.extend(record_at.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
    }
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    for entries in [1_u16, 1] {
        out.extend(entries.to_le_bytes());
    }
    for field in [directory_bytes, directory_at] {
        out.extend(low_u32(field).to_le_bytes());
    }
    out.extend(0_u16.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zip64_begins_just_below_four_gib() {
        let margin = |bytes| Entry::new("a".into(), bytes).zip64;
        assert!(!margin(4_290_000_000 - 4_300_000));
        assert!(margin(u64::from(u32::MAX)));
        assert!(margin(5 * 1024 * 1024 * 1024));
        assert!(!margin(0));
    }

    #[test]
    fn only_a_non_ascii_name_carries_the_utf8_flag() {
        assert_eq!(
            Entry::new("a.txt".into(), 1).local_header()[6..8],
            [0x08, 0x00]
        );
        assert_eq!(
            Entry::new("é.txt".into(), 1).local_header()[6..8],
            [0x08, 0x08]
        );
    }
}
