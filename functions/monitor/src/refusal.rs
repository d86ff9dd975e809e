//! A service's refusal, and its class.

use scaling::class::Class;
pub use shared::refusal::Refusal;

/// What can be done about it.
#[must_use]
pub(crate) fn class_of(refusal: &Refusal) -> Class {
    Class::of(refusal.status(), refusal.code())
}
