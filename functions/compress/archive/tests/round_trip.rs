//! Laws of the encoders: what goes in comes out of an independent reader, and equal input gives equal bytes.

#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::io::Read;

use archive::{ArchiveError, Encoder, Format, Spec};
use proptest::prelude::*;

const PART_BYTES: usize = 64 * 1024;

fn spec(format: Format, level: u32, input_bytes: u64) -> Spec {
    Spec {
        format,
        level,
        name: "ünit.json".into(),
        input_bytes,
        part_bytes: PART_BYTES,
    }
}

/// Encodes `input` fed in pieces of `chunk` bytes, taking parts as they fill.
fn encode(format: Format, level: u32, input: &[u8], chunk: usize) -> Vec<u8> {
    let mut encoder = Encoder::new(spec(format, level, input.len() as u64));
    let mut out = Vec::new();
    for piece in input.chunks(chunk) {
        encoder.write(piece).unwrap();
        while let Some(part) = encoder.next_part() {
            assert_eq!(part.len(), PART_BYTES);
            out.extend(part);
        }
    }
    out.extend(encoder.finish().unwrap().into_iter().flatten());
    out
}

fn decode(format: Format, archive: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        Format::Zip => {
            let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
            assert_eq!(zip.len(), 1);
            let mut entry = zip.by_index(0).unwrap();
            assert_eq!(entry.name().unwrap(), "ünit.json");
            assert_eq!(entry.unix_mode(), Some(0o100_644));
            assert_eq!(entry.last_modified(), Some(zip::DateTime::default()));
            entry.read_to_end(&mut out).unwrap();
        }
        Format::Gzip => {
            flate2::read::GzDecoder::new(archive)
                .read_to_end(&mut out)
                .unwrap();
        }
        Format::Zstd => {
            // Source: RFC 8878, section 3.1.1.1.1, the frame header's descriptor.
            let descriptor = archive[4];
            assert_ne!(descriptor & 0b1110_0000, 0, "the content's size is told");
            assert_ne!(descriptor & 0b0000_0100, 0, "a checksum follows");
            out = zstd::stream::decode_all(archive).unwrap();
        }
    }
    out
}

/// Text, noise or a mixture, of up to about 700 KB so that probe and block borders are crossed.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let small = proptest::collection::vec(any::<u8>(), 0..600);
    (small, 0_usize..1200, any::<bool>()).prop_map(|(seed, times, noisy)| {
        let mut out = Vec::new();
        let mut state = 1_u32;
        for _ in 0..times {
            if noisy {
                out.extend(seed.iter().map(|byte| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    byte ^ state.to_le_bytes()[3]
                }));
            } else {
                out.extend(&seed);
            }
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_content_in_any_pieces_comes_back_and_equal_input_gives_equal_bytes(
        input in content(), chunk in 1_usize..400_000, level in 1_u32..=9,
    ) {
        for format in Format::ALL {
            let archive = encode(format, level, &input, chunk);
            prop_assert_eq!(&decode(format, &archive), &input);
            prop_assert_eq!(&encode(format, level, &input, input.len().max(1)), &archive);
        }
    }
}

#[test]
fn sizes_around_block_and_probe_borders_come_back() {
    for border in [0, 128 * 1024, 256 * 1024, 384 * 1024] {
        for size in [border, border + 1, border.max(1) - 1] {
            let input = b"0123456789abcdef,".repeat(size / 17 + 1)[..size].to_vec();
            for format in Format::ALL {
                let archive = encode(format, format.default_level(), &input, 100_000);
                assert_eq!(decode(format, &archive), input, "{format:?} {size}");
            }
        }
    }
}

#[test]
fn input_that_does_not_shrink_grows_by_less_than_a_thousandth() {
    let mut state = 7_u64;
    let noise: Vec<u8> = (0..2_000_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .collect();
    for format in Format::ALL {
        let archive = encode(format, format.default_level(), &noise, 65_536);
        assert!(
            archive.len() < noise.len() + noise.len() / 1000 + 500,
            "{format:?} {}",
            archive.len()
        );
        assert_eq!(decode(format, &archive), noise);
    }
}

#[test]
fn a_length_that_was_not_declared_is_an_error() {
    for format in Format::ALL {
        let mut long = Encoder::new(spec(format, 3, 2));
        assert!(matches!(
            long.write(b"abc"),
            Err(ArchiveError::LengthMismatch {
                declared_bytes: 2,
                actual_bytes: 3
            })
        ));
        let mut short = Encoder::new(spec(format, 3, 4));
        short.write(b"abc").unwrap();
        assert!(matches!(
            short.finish(),
            Err(ArchiveError::LengthMismatch {
                declared_bytes: 4,
                actual_bytes: 3
            })
        ));
    }
}

#[test]
fn every_level_of_every_format_works() {
    let input = b"level,level,level\n".repeat(2000);
    for format in Format::ALL {
        for level in format.levels() {
            assert_eq!(
                decode(format, &encode(format, level, &input, 4096)),
                input,
                "{format:?} {level}"
            );
        }
    }
}
