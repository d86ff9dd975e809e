//! The fakes that the tests run against: AWS, the Lambda Runtime API, and the machine around a binary.
//!
//! Nothing here is shipped. A fake that cannot do its work stops the test where it stands.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test support: a panic here is a failed test, with the reason in its message"
)]

pub mod backfilled;
pub mod compressor;
pub mod content;
pub mod fake_aws;
pub mod function;
pub mod monitored;
pub mod running;
pub mod runtime_api;
mod server;
pub mod unpack;
