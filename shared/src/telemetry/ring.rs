//! The lines of an invocation that nobody has asked for yet.

use std::collections::VecDeque;

/// What one invocation keeps back at most, bytes. Source: the default buffer of Powertools for AWS Lambda.
pub(super) const RING_BYTES: usize = 20_480;

/// The newest lines that fit into [`RING_BYTES`]; older ones give way and are counted.
#[derive(Default)]
pub(super) struct Ring {
    lines: VecDeque<String>,
    bytes: usize,
    lost: u64,
}

/// What was kept, oldest first, and how many lines were not.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) lines: VecDeque<String>,
    pub(super) lost: u64,
}

impl Ring {
    /// Keeps `line`; one that alone exceeds the ring is lost and evicts nothing.
    pub(super) fn push(&mut self, line: String) {
        if line.len() > RING_BYTES {
            self.lost += 1;
            return;
        }
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > RING_BYTES {
            self.bytes -= self.lines.pop_front().map_or(0, |oldest| oldest.len());
            self.lost += 1;
        }
    }

    /// Empties the ring.
    pub(super) fn take(&mut self) -> Kept {
        let Self { lines, lost, .. } = std::mem::take(self);
        Kept { lines, lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(bytes: usize) -> String {
        "x".repeat(bytes)
    }

    #[test]
    fn exactly_the_limit_is_kept_and_one_byte_more_evicts_the_oldest() {
        let mut ring = Ring::default();
        ring.push(line(1));
        ring.push(line(RING_BYTES - 1));
        ring.push(String::new());
        assert_eq!(ring.lost, 0);
        ring.push(line(2));
        let kept = ring.take();
        assert_eq!((kept.lines.len(), kept.lost), (2, 2));
    }

    #[test]
    fn a_line_larger_than_the_ring_is_lost_alone() {
        let mut ring = Ring::default();
        ring.push(line(10));
        ring.push(line(RING_BYTES + 1));
        let kept = ring.take();
        assert_eq!((kept.lines.len(), kept.lost), (1, 1));
    }

    proptest! {
        #[test]
        fn the_newest_lines_stay_within_the_limit_and_every_other_is_counted(
            lengths in proptest::collection::vec(0..RING_BYTES, 0..40)
        ) {
            let mut ring = Ring::default();
            for length in &lengths {
                ring.push(line(*length));
                prop_assert!(ring.bytes <= RING_BYTES);
                prop_assert_eq!(ring.bytes, ring.lines.iter().map(String::len).sum::<usize>());
            }
            let kept = ring.take();
            prop_assert_eq!(kept.lost, (lengths.len() - kept.lines.len()) as u64);
            let newest = &lengths[lengths.len() - kept.lines.len()..];
            prop_assert!(kept.lines.iter().map(String::len).eq(newest.iter().copied()));
        }
    }
}
