//! `purge`: files older than an age go, and whatever is in doubt stays.
//!
//! [`handler`] turns an invocation into walks and their outcome into an [`answer`]; [`request`] is what may be asked
//! and how far a payload may go beyond the settings of [`config`]. What is decided is pure: [`retention`] (is it old
//! enough?), [`patterns`] (is it meant at all?), [`budget`] (is it too much?), [`place`] (is it a place to purge?).
//! [`sweep`] acts: it asks the file system once more right before each removal, and [`audit`] writes it down. [`lease`]
//! keeps a second sweep away. The walk itself is [`shared::walk`].

pub mod answer;
pub mod audit;
pub mod budget;
pub mod config;
pub mod empty_dirs;
mod error;
mod finish;
pub mod handler;
mod job;
pub mod lease;
pub mod notes;
pub mod patterns;
pub mod place;
pub mod plan_file;
mod planned;
mod range;
pub mod request;
pub mod retention;
mod staying;
pub mod sweep;
pub mod tally;
pub mod task;

pub use config::Config;
pub use error::PurgeError;
pub use handler::App;
