//! `backfill`: what is already in the bucket, handed to `compress`: found by listing or in an inventory, enqueued at a
//! bounded rate, and verified in the end.
//!
//! One job goes through many invocations, which a state machine makes: [`start`] cuts it into partitions ([`plan`],
//! [`outline`]), each [`enqueue`]s some of them, [`ending`] follows it until [`verify`] has looked for what is left. What is
//! done of a partition is in its item of the table ([`job`], [`mod@table`]), so that any invocation can go on with it. What
//! fails is a [`BackfillError`].
//!
//! A page is checkpointed once the queue has all of it. Between the two an invocation can die; then the page is enqueued
//! again, and `compress` finds each of its objects done.

pub mod backoff;
pub mod change;
pub mod config;
pub mod context;
pub mod discover;
pub mod ending;
pub mod enqueue;
mod error;
pub mod failure;
pub mod found;
pub mod handler;
pub mod job;
pub mod listing;
pub mod message;
pub mod outline;
pub mod pages;
pub mod part;
pub mod plan;
pub mod progress;
pub mod rate;
pub mod refusal;
pub mod request;
pub mod resume;
pub mod roll;
pub mod send;
pub mod start;
pub mod table;
pub mod verdict;
pub mod verify;
pub mod work;

pub use config::Config;
pub use error::BackfillError;
pub use handler::App;
pub use refusal::Refusal;
