//! `backfill`: what is already in the bucket, handed to `compress`.

mod error;
pub mod found;
pub mod listing;
pub mod pages;
pub mod part;
pub mod refusal;
pub mod work;

pub use error::BackfillError;
pub use refusal::Refusal;
