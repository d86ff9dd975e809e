//! `sluice key`.

use clap::{Args, ValueEnum};
use shared::key::Format;

/// Names.
#[derive(Debug, Args)]
#[command(after_help = "\
The folder hh is the first byte of the MD5 of NAME: uploads spread over 256 partitions of the bucket, which S3 can serve \
side by side. NAME may have the prefix and its folder already; the answer is the same.

Examples:
  sluice key photos/2024/a.json            incoming/a5/photos/2024/a.json
  sluice key a.json --output-key           where the compressed one will be
  aws s3 cp a.json \"s3://BUCKET/$(sluice key a.json)\"")]
pub(crate) struct Key {
    /// What the object is called, path included.
    #[arg(required = true, value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// What source keys begin with: the stack's `SOURCE_PREFIX`.
    #[arg(long, default_value = "incoming/")]
    pub(crate) prefix: String,
    /// Print where the output will be instead.
    #[arg(long = "output-key")]
    pub(crate) of_output: bool,
    /// What outputs begin with: the stack's `OUTPUT_PREFIX`.
    #[arg(long, value_name = "PREFIX", default_value = "processed/")]
    pub(crate) output_prefix: String,
    /// The stack's `COMPRESSION_FORMAT`.
    #[arg(long, value_enum, default_value_t = Compression::Zip)]
    pub(crate) format: Compression,
}

/// What outputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// `.zip`
    Zip,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

impl Compression {
    /// What is appended to the source's name.
    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Self::Zip => Format::Zip,
            Self::Gzip => Format::Gzip,
            Self::Zstd => Format::Zstd,
        }
        .extension()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archive::Format;

    #[test]
    fn formats_are_those_of_the_compressor() {
        for (ours, theirs) in Compression::value_variants().iter().zip(Format::ALL) {
            assert_eq!(ours.extension(), theirs.extension());
            let name = ours.to_possible_value().unwrap();
            assert_eq!(name.get_name(), theirs.label());
        }
        assert_eq!(Compression::value_variants().len(), Format::ALL.len());
    }
}
