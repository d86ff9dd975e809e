//! How fast a job is, and what is left at that pace. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::show::count;

/// How far a watched job is looked back on.
const WINDOW: Duration = Duration::from_mins(1);

/// Below this many objects a second a tenth is worth saying.
const SLOW: u64 = 10;

/// So many objects in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    objects: u64,
    over: Duration,
}

impl Pace {
    /// Nothing without objects, or within less than a second: that is no pace yet.
    pub(super) fn of(objects: u64, over: Duration) -> Option<Self> {
        let is_one = objects > 0 && over >= Duration::from_secs(1);
        is_one.then_some(Self { objects, over })
    }

    /// Such as `1,234 objects a second, about 5 min left`; `left` is objects, where that is known.
    pub(super) fn words(self, left: Option<u64>) -> String {
        let left = self.time(left);
        let left = left.map_or_else(String::new, |left| format!(", about {left} left"));
        format!("{} objects a second{left}", self.a_second())
    }

    /// Such as `1,234/s, 5 min left`, where there is little room.
    pub(super) fn brief(self, left: Option<u64>) -> String {
        let left = self.time(left);
        let left = left.map_or_else(String::new, |left| format!(", {left} left"));
        format!("{}/s{left}", self.a_second())
    }

    fn a_second(self) -> String {
        let tenths = u128::from(self.objects) * 10_000 / self.over.as_millis();
        let tenths = u64::try_from(tenths).unwrap_or(u64::MAX);
        match tenths / 10 {
            whole @ 0..SLOW => format!("{whole}.{}", tenths % 10),
            whole => count(whole),
        }
    }

    /// How long so many take, if there are any.
    fn time(self, left: Option<u64>) -> Option<String> {
        let left = left.filter(|left| *left > 0)?;
        let seconds = u128::from(left) * self.over.as_millis() / u128::from(self.objects) / 1_000;
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        let (minutes, hours) = (seconds / 60, seconds / 3_600);
        Some(match (hours, minutes) {
            (0, 0) => format!("{} s", seconds.max(1)),
            (0, _) => format!("{minutes} min"),
            (0..48, _) => format!("{hours} h {} min", minutes % 60),
            _ => format!("{} days", hours / 24),
        })
    }
}

/// The last minute of a job that is watched.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Of what the objects are counted: what is listed is not what is done.
    of: Option<&'static str>,
    /// When so many were counted; the first is as old as the window, or older.
    seen: VecDeque<(Duration, u64)>,
}

impl Window {
    /// Looks once more, `at` after some beginning; the pace since the window began.
    pub(super) fn look(&mut self, of: &'static str, at: Duration, objects: u64) -> Option<Pace> {
        let is_less = self.seen.back().is_some_and(|(_, last)| objects < *last);
        if self.of != Some(of) || is_less {
            self.of = Some(of);
            self.seen.clear();
        }
        self.seen.push_back((at, objects));
        while self
            .seen
            .get(1)
            .is_some_and(|(second, _)| at.saturating_sub(*second) >= WINDOW)
        {
            self.seen.pop_front();
        }
        let (since, first) = self.seen.front()?;
        Pace::of(objects - first, at.saturating_sub(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_pace_is_said_with_what_is_left_at_it() {
        for (objects, over, left, words) in [
            (100, 10, None, "10 objects a second"),
            (99, 10, Some(0), "9.9 objects a second"),
            (1, 100, None, "0.0 objects a second"),
            (
                12_345,
                10,
                Some(1),
                "1,234 objects a second, about 1 s left",
            ),
            (10, 10, Some(59), "1.0 objects a second, about 59 s left"),
            (10, 10, Some(60), "1.0 objects a second, about 1 min left"),
            (
                10,
                10,
                Some(3_660),
                "1.0 objects a second, about 1 h 1 min left",
            ),
            (
                10,
                10,
                Some(172_800),
                "1.0 objects a second, about 2 days left",
            ),
        ] {
            let pace = Pace::of(objects, seconds(over)).unwrap();
            assert_eq!(pace.words(left), words);
        }
        let pace = Pace::of(12_345, seconds(10)).unwrap();
        assert_eq!(pace.brief(None), "1,234/s");
        assert_eq!(pace.brief(Some(123_450)), "1,234/s, 1 min left");
    }

    #[test]
    fn nothing_yet_is_no_pace() {
        assert_eq!(Pace::of(0, seconds(10)), None);
        assert_eq!(Pace::of(10, Duration::from_millis(999)), None);
        assert!(Pace::of(1, seconds(1)).is_some());
    }

    #[test]
    fn a_window_forgets_what_is_older_than_a_minute() {
        let mut window = Window::default();
        assert_eq!(window.look("done", seconds(0), 1_000), None);
        assert_eq!(
            window.look("done", seconds(10), 1_100),
            Pace::of(100, seconds(10))
        );
        assert_eq!(
            window.look("done", seconds(60), 1_100),
            Pace::of(100, seconds(60))
        );
        // The first look is out of it, the second is as old as it is.
        assert_eq!(
            window.look("done", seconds(70), 1_160),
            Pace::of(60, seconds(60))
        );
        // At rest for a minute.
        assert_eq!(window.look("done", seconds(130), 1_160), None);
    }

    #[test]
    fn what_is_counted_anew_has_a_pace_of_its_own() {
        let mut window = Window::default();
        let _ = window.look("listed", seconds(0), 5_000);
        assert_eq!(window.look("done", seconds(10), 6_000), None);
        assert_eq!(
            window.look("done", seconds(20), 6_010),
            Pace::of(10, seconds(10))
        );
        assert_eq!(window.look("done", seconds(30), 3), None);
    }
}
