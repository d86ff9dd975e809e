//! Whether deflating is worth it, decided on the first bytes.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Input that the decision looks at, bytes.
pub(crate) const PROBE_BYTES: usize = 256 * 1024;

/// Beginnings of formats whose content is always compressed already. (A zip may hold stored
/// entries, a PDF text: those take the trial.)
const COMPRESSED_MAGIC: [&[u8]; 8] = [
    b"\x1f\x8b\x08",       // gzip
    b"\x28\xb5\x2f\xfd",   // zstd
    b"\xfd7zXZ\0",         // xz
    b"BZh",                // bzip2
    b"7z\xbc\xaf\x27\x1c", // 7z
    b"\xff\xd8\xff",       // JPEG
    b"\x89PNG\r\n\x1a\n",  // PNG
    b"Rar!\x1a\x07",       // RAR
];

/// Whether input that begins with `head` should be stored: it begins as a compressed format does, or
/// a fast trial gains less than 3 %. The trial costs under 1 ms for its 256 KiB.
pub(crate) fn is_incompressible(head: &[u8]) -> bool {
    let known = COMPRESSED_MAGIC.iter().any(|magic| head.starts_with(magic));
    known || trial_bytes(head).is_some_and(|trial| trial * 100 > head.len() * 97)
}

/// Deflated size at the fastest level that does not grow random data, or nothing when the trial itself failed.
fn trial_bytes(head: &[u8]) -> Option<usize> {
    let mut trial = DeflateEncoder::new(Vec::with_capacity(head.len() / 2), Compression::new(2));
    trial.write_all(head).ok()?;
    Some(trial.finish().ok()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift: repeatable bytes that no deflate can shrink.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        (0..len)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect()
    }

    #[test]
    fn noise_is_stored_and_text_is_not() {
        assert!(is_incompressible(&noise(PROBE_BYTES)));
        assert!(is_incompressible(&noise(1000)));
        assert!(!is_incompressible(&b"{\"level\":\"info\"}\n".repeat(1000)));
    }

    #[test]
    fn known_formats_are_stored_whatever_follows() {
        let mut gzip = b"\x1f\x8b\x08".to_vec();
        gzip.extend_from_slice(&[b'a'; 4096]);
        assert!(is_incompressible(&gzip));
        assert!(!is_incompressible(&gzip[1..]));
    }

    #[test]
    fn a_tiny_input_is_tried_too() {
        assert!(is_incompressible(b"ab"));
        assert!(!is_incompressible(&[b'a'; 64]));
    }
}
