//! When each call is answered: at most so many of a client at once, the others wait in line; all of them share what the
//! server can do. Pure: time is a parameter, and what a call does is the caller's.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::model::{Budget, KINDS, Kind};

/// How long the server may catch up when it had nothing to do.
const BURST: Duration = Duration::from_millis(5);

/// A call that came in.
#[derive(Debug)]
pub(crate) struct Call<J> {
    /// Which mount.
    pub(crate) client: usize,
    /// What it is.
    pub(crate) kind: Kind,
    /// The directory that it is about.
    pub(crate) directory: u64,
    /// When it came in.
    pub(crate) arrived: Instant,
    /// What is done when it is answered.
    pub(crate) job: J,
}

/// All calls that are not answered.
pub(crate) struct Schedule<J> {
    slots_max: usize,
    clients: Vec<Client<J>>,
    due: BinaryHeap<Due<J>>,
    sequence: u64,
    budget: Budget,
    free_at: Option<Instant>,
    counters: Counters,
}

struct Client<J> {
    in_flight: usize,
    waiting: VecDeque<Call<J>>,
    unlinks: HashMap<u64, usize>,
}

/// What was seen since the last reset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    /// How many of each kind were answered, in the order of `KINDS`.
    pub(crate) calls: [u64; KINDS.len()],
    /// How long they took, the wait for a slot included.
    pub(crate) took: [Duration; KINDS.len()],
    /// Most calls that had a slot at once, of all clients.
    pub(crate) in_flight_peak: usize,
    /// Most removals of files that one client had under way in one directory.
    pub(crate) unlinks_per_directory_peak: usize,
}

impl<J> Schedule<J> {
    pub(crate) fn new(clients: usize, slots_max: usize, budget: Budget) -> Self {
        let client = || Client {
            in_flight: 0,
            waiting: VecDeque::new(),
            unlinks: HashMap::new(),
        };
        Self {
            slots_max,
            clients: (0..clients).map(|_| client()).collect(),
            due: BinaryHeap::new(),
            sequence: 0,
            budget,
            free_at: None,
            counters: Counters::default(),
        }
    }

    /// Takes a call in; whether it is the next to be answered.
    pub(crate) fn admit(&mut self, call: Call<J>, now: Instant) -> bool {
        let client = &mut self.clients[call.client];
        if call.kind == Kind::Unlink {
            let under_way = client.unlinks.entry(call.directory).or_default();
            *under_way += 1;
            let peak = &mut self.counters.unlinks_per_directory_peak;
            *peak = (*peak).max(*under_way);
        }
        if call.kind.is_call() {
            if client.in_flight >= self.slots_max {
                client.waiting.push_back(call);
                return false;
            }
            client.in_flight += 1;
        }
        self.start(call, now)
    }

    fn start(&mut self, call: Call<J>, now: Instant) -> bool {
        let in_flight = self.clients.iter().map(|client| client.in_flight).sum();
        self.counters.in_flight_peak = self.counters.in_flight_peak.max(in_flight);
        let at = self.begins_at(call.kind, now) + call.kind.latency();
        self.sequence += 1;
        let is_first = self.due.peek().is_none_or(|first| at < first.at);
        self.due.push(Due {
            at,
            sequence: self.sequence,
            call,
        });
        is_first
    }

    /// When the server has time for it; what it never hears of needs none.
    fn begins_at(&mut self, kind: Kind, now: Instant) -> Instant {
        if !kind.is_call() {
            return now;
        }
        let idle_since = now.checked_sub(BURST).unwrap_or(now);
        let begins = self.free_at.map_or(now, |free_at| free_at.max(idle_since));
        self.free_at = Some(begins + self.budget.busy_for(kind));
        begins.max(now)
    }

    /// When the next call is answered.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.due.peek().map(|due| due.at)
    }

    /// The call to answer now, if there is one. Its slot goes to the next in line.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Call<J>> {
        if self.next_at()? > now {
            return None;
        }
        let Due { call, .. } = self.due.pop()?;
        let client = &mut self.clients[call.client];
        if call.kind == Kind::Unlink
            && let Some(under_way) = client.unlinks.get_mut(&call.directory)
        {
            *under_way -= 1;
            if *under_way == 0 {
                client.unlinks.remove(&call.directory);
            }
        }
        self.counters.calls[call.kind as usize] += 1;
        self.counters.took[call.kind as usize] += now.duration_since(call.arrived);
        if call.kind.is_call() {
            client.in_flight -= 1;
            if let Some(next) = client.waiting.pop_front() {
                client.in_flight += 1;
                self.start(next, now);
            }
        }
        Some(call)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Counts from zero.
    pub(crate) fn reset(&mut self) {
        self.counters = Counters::default();
    }
}

/// The earliest is the greatest, and of several at once the one that came first.
struct Due<J> {
    at: Instant,
    sequence: u64,
    call: Call<J>,
}

impl<J> Ord for Due<J> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<J> PartialOrd for Due<J> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<J> PartialEq for Due<J> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<J> Eq for Due<J> {}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn call(kind: Kind, directory: u64, arrived: Instant, job: u32) -> Call<u32> {
        Call {
            client: 0,
            kind,
            directory,
            arrived,
            job,
        }
    }

    /// Answers everything; what was answered and after how long.
    fn run(schedule: &mut Schedule<u32>, began: Instant) -> Vec<(u32, Duration)> {
        let mut answered = Vec::new();
        while let Some(at) = schedule.next_at() {
            while let Some(call) = schedule.pop(at) {
                answered.push((call.job, at - began));
            }
        }
        answered
    }

    #[test]
    fn calls_overlap_and_are_answered_when_due() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1, 64, Budget::new(0));
        assert!(schedule.admit(call(Kind::Unlink, 1, now, 1), now));
        assert!(schedule.admit(call(Kind::Lookup, 1, now, 2), now));
        assert!(!schedule.admit(call(Kind::Readdir, 1, now, 3), now));
        assert!(schedule.pop(now).is_none());
        let answered = run(&mut schedule, now);
        assert_eq!(
            answered,
            [(2, MILLISECOND), (3, 3 * MILLISECOND), (1, 5 * MILLISECOND)]
        );
        assert_eq!(schedule.counters().in_flight_peak, 3);
    }

    #[test]
    fn beyond_the_slots_calls_wait_in_line() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1, 2, Budget::new(0));
        for job in 0..5 {
            schedule.admit(call(Kind::Lookup, 1, now, job), now);
        }
        let answered: Vec<u128> = run(&mut schedule, now)
            .iter()
            .map(|(_, after)| after.as_millis())
            .collect();
        assert_eq!(answered, [1, 1, 2, 2, 3]);
        let counters = schedule.counters();
        assert_eq!(counters.in_flight_peak, 2);
        assert_eq!(counters.took[Kind::Lookup as usize], 9 * MILLISECOND);
    }

    #[test]
    fn what_costs_nothing_needs_no_slot() {
        let now = Instant::now();
        let mut schedule = Schedule::new(1, 1, Budget::new(10));
        schedule.admit(call(Kind::Unlink, 1, now, 0), now);
        schedule.admit(call(Kind::Opendir, 1, now, 1), now);
        assert_eq!(schedule.pop(now).map(|call| call.job), Some(1));
    }

    #[test]
    fn a_budget_holds_for_all_clients_together_and_changes_cost_five_reads() {
        let now = Instant::now();
        let mut schedule = Schedule::new(2, 64, Budget::new(1_000));
        for client in [0, 1] {
            schedule.admit(
                Call {
                    client,
                    ..call(Kind::Unlink, 1, now, 0)
                },
                now,
            );
        }
        let answered = run(&mut schedule, now);
        assert_eq!(answered[0].1, 5 * MILLISECOND);
        assert_eq!(answered[1].1, 10 * MILLISECOND);
    }

    #[test]
    fn removals_are_counted_per_client_and_directory() {
        let now = Instant::now();
        let mut schedule = Schedule::new(2, 64, Budget::new(0));
        for (client, directory) in [(0, 1), (0, 2), (1, 1)] {
            let call = Call {
                client,
                ..call(Kind::Unlink, directory, now, 0)
            };
            schedule.admit(call, now);
        }
        assert_eq!(schedule.counters().unlinks_per_directory_peak, 1);
        schedule.admit(call(Kind::Unlink, 2, now, 0), now);
        assert_eq!(schedule.counters().unlinks_per_directory_peak, 2);
        run(&mut schedule, now);
        schedule.reset();
        schedule.admit(call(Kind::Unlink, 2, now, 0), now);
        assert_eq!(schedule.counters().unlinks_per_directory_peak, 1);
    }
}
