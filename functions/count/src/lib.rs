//! `count`: how many files, directories, links and special files are below a root, and never a lower number passed
//! off as the truth.
//!
//! [`handler`] turns an invocation into a walk and its outcome into an answer, [`request`] is what may be asked,
//! [`census`] is what counts on the way. The walk itself is [`shared::walk`]; it reads no attributes where the type of
//! an entry is known. No AWS API is called, and no SDK is linked.

pub mod census;
pub mod config;
mod error;
pub mod handler;
pub mod request;

pub use config::Config;
pub use error::CountError;
pub use handler::App;
