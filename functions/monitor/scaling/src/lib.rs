//! How many mount targets a file system should have, and what to change next. Nothing here does I/O or reads a clock.
//!
//! [`observed`] is what is known, [`policy`] what is wanted, [`mod@decide`] what follows: one [`decide::Decision`] with its
//! reason. [`cache`], [`state`] and [`targets`] are the documents that outlive a tick; [`advice`] says where more mount
//! targets would not help. [`tick`] is the order in which a tick acts and publishes, one call of [`steps`] at a time; what a
//! refused call means is a [`class::Class`].

pub mod advice;
pub mod cache;
pub mod class;
pub mod count;
pub mod decide;
pub mod observed;
pub mod policy;
pub mod state;
pub mod steps;
pub mod targets;
pub mod tick;
pub mod when;
mod words;

pub use decide::{Change, Decision, Hold, decide};
pub use observed::{Count, LifeCycle, MountTarget, Observed, Subnet};
pub use policy::{Mode, Policy};
pub use tick::Tick;
