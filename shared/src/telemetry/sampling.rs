//! Which invocations write everything.

use sha2::{Digest, Sha256};

/// Whether the invocation `request_id` is one of the fraction `rate` (0 to 1) that is sampled.
///
/// The identifier is hashed, so a retry of the same invocation decides alike, and raising the rate only ever adds
/// invocations.
pub(super) fn is_sampled(request_id: &str, rate: f64) -> bool {
    let [a, b, c, d, ..] = Sha256::digest(request_id.as_bytes()).0;
    let place = f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0);
    place < rate
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn none_at_zero_all_at_one(id in ".*") {
            prop_assert!(!is_sampled(&id, 0.0));
            prop_assert!(is_sampled(&id, 1.0));
        }

        #[test]
        fn a_higher_rate_only_adds_invocations(id in ".*", low in 0.0..=1.0, high in 0.0..=1.0) {
            let (low, high) = if low < high { (low, high) } else { (high, low) };
            prop_assert!(!is_sampled(&id, low) || is_sampled(&id, high));
        }
    }

    #[test]
    fn about_the_asked_for_fraction_is_sampled() {
        for (rate, expected) in [(0.01, 70..130), (0.5, 4_800..5_200)] {
            let sampled = (0..10_000)
                .filter(|n| is_sampled(&format!("id-{n}"), rate))
                .count();
            assert!(expected.contains(&sampled), "{rate}: {sampled}");
        }
    }
}
