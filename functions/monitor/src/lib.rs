//! `monitor`: as many mount targets as the files of a file system want, one change at a time, and a list of them that
//! others can trust.
//!
//! One tick: [`observe`] what is there, ask [`count`] when the cached number is too old, let [`scaling`] decide, [`act`],
//! [`publish`], answer. The order of the steps is [`scaling::tick`]; this crate makes the calls. What a refused call means
//! is [`scaling::class::Class`]; why a whole tick fails is a [`MonitorError`].

pub mod act;
pub mod answer;
pub mod clients;
pub mod config;
pub mod count;
pub mod ec2;
mod error;
pub mod handler;
pub mod lease;
pub mod observe;
pub mod publish;
mod refusal;

pub use clients::Clients;
pub use config::Config;
pub use error::MonitorError;
pub use handler::App;
pub use refusal::Refusal;
