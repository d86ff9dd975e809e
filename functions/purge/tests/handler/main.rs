//! The function through its handler, on real directories.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod ahead;
mod answer;
mod audit;
mod clock;
mod direct;
mod empty_dirs;
mod errors;
mod faults;
mod lanes;
mod lease;
mod model;
mod moved;
mod names;
mod planned;
mod refusal;
mod steps;
mod storm;
mod support;
mod turns;
