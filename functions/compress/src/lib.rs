//! `compress`: an object lands under `incoming/`, its compressed form appears under `processed/<hh>/`, the source
//! goes, and nothing is ever lost.
//!
//! The way of an object: [`handler`] splits the payload into messages, [`message`] runs each, [`object`] is the
//! straight line from GET to DELETE. What is decided is pure: [`decide`] (work or skip), [`existing`]
//! (whose output is there),
//! [`shared::key`], [`metadata`], [`budget`]. What fails is a [`CompressError`]; whether it goes back to the queue or to
//! the dead-letter queue is its [`CompressError::reason`].
//!
//! What messages of a backfill came to is told to its record, once for each job of a batch: [`jobs`].
//!
//! The output object is the record of what was done: a conditional write creates it, its metadata names the
//! source version, and a redelivery finds it.

pub mod budget;
pub mod config;
pub mod dead_letter;
pub mod decide;
mod error;
pub mod existing;
pub mod handler;
pub mod jobs;
pub mod message;
pub mod metadata;
pub mod object;
pub mod refusal;
pub mod source;
pub mod upload;

pub use config::Config;
pub use error::CompressError;
pub use handler::App;
