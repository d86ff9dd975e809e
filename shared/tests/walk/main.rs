//! The walk over real directories: against a naive model, in slices, under faults, and among what must not be touched.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod faults;
mod limits;
mod model;
mod plan;
mod safety;
mod support;
