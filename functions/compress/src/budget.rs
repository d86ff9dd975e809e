//! How much memory objects in flight may take together.

use archive::Format;

const MIB: u64 = 1024 * 1024;

/// Size of an upload's parts and of the largest single put, bytes.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

/// Uploads of parts at the same time, per object.
pub const PARTS_IN_FLIGHT: usize = 2;

/// Parts in memory per object: two being sent, one waiting, one being filled.
const PARTS_IN_MEMORY: u64 = PARTS_IN_FLIGHT as u64 + 2;

/// The process itself: code, runtime, TLS, the SDK's clients. Source: resident set after start, rounded up.
const PROCESS_BYTES: u64 = 20 * MIB;

/// Received but not yet encoded, and the pieces in between, per object.
const PIPE_BYTES: u64 = 2 * MIB;

/// Above this an object takes turns with others of its kind: side by side they would share the core, and none might
/// be done by the deadline. Ten just below it are done in under a minute with 256 MB. Source: `make bench`, CPU.
pub const LARGE_BYTES: u64 = 64 * MIB;

/// Blocks of a body between the socket and the codec thread, per object: half a megabyte.
pub const BLOCKS_IN_FLIGHT: usize = 4;

/// Memory for all objects in flight, in KiB: what the function has, less the process, less a fifth for the allocator.
#[must_use]
pub fn batch_kib(function_memory_mb: u64) -> u32 {
    let bytes = (function_memory_mb * MIB).saturating_sub(PROCESS_BYTES) * 4 / 5;
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

/// Memory for one object, in KiB. An output is hardly larger than its input, and never more than four parts of it
/// are held; an unknown size counts as large.
#[must_use]
pub fn object_kib(size_bytes: Option<u64>, format: Format, level: u32) -> u32 {
    let parts = PARTS_IN_MEMORY * PART_BYTES as u64;
    let output = size_bytes.map_or(parts, |size| (size + size / 1000 + 64 * 1024).min(parts));
    let bytes = output + PIPE_BYTES + format.codec_memory_bytes(level);
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_objects_of_10_mb_fit_in_256_mb() {
        let object = object_kib(Some(10_000_000), Format::Zip, 5);
        assert!(object * 10 <= batch_kib(256));
        let object = object_kib(Some(10_000_000), Format::Zstd, 3);
        assert!(object * 10 <= batch_kib(256));
    }

    #[test]
    fn size_stops_counting_at_four_parts() {
        let large = object_kib(Some(1 << 40), Format::Zip, 5);
        assert_eq!(large, object_kib(None, Format::Zip, 5));
        assert_eq!(large, (32 + 2 + 1) * 1024);
        assert!(object_kib(Some(0), Format::Zip, 5) < 4 * 1024);
    }
}
