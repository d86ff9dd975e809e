//! The function through its handler, on real directories.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod answer;
mod audit;
mod empty_dirs;
mod faults;
mod lease;
mod model;
mod planned;
mod refusal;
mod support;
