//! A backfill of a million messages and fifty small senders on one fair queue, by the documented rule, simulated.
//!
//! Source: SQS developer guide, "How Amazon SQS fair queues work". A group is noisy while it has more than a tenth of all
//! messages in flight, and at least 30; whoever is quiet is served first, oldest message first; of noisy groups the one with
//! the fewest in flight. A message without a group is a group of its own. The other measure, a group's share of processing
//! time, is not simulated: it can only make the large group noisy sooner. AWS calls both thresholds approximate.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// `MaximumConcurrency` of the mapping, and its `BatchSize`.
const CONCURRENCY: usize = 50;
const BATCH: u64 = 10;

/// A group of fewer in flight is never noisy.
const NOISY_MIN: u64 = 30;
/// Without a send for so long, milliseconds, a group is not noisy any more.
const FORGOTTEN_MS: u64 = 5 * 60 * 1_000;

const SMALL_GROUPS: u64 = 50;
const SMALL_MESSAGES: u64 = 20;
const MILLION: u64 = 1_000_000;

/// Milliseconds of the simulation.
type Time = u64;

/// What a sender does: so many messages at each of these times.
#[derive(Clone, Debug)]
struct Sender {
    has_group: bool,
    sends: Vec<(Time, u64)>,
}

impl Sender {
    fn at_once(at: Time, messages: u64) -> Self {
        Self {
            has_group: true,
            sends: vec![(at, messages)],
        }
    }

    /// Every second so many, until all are sent.
    fn paced(messages: u64, per_second: u64) -> Self {
        let seconds = 0..messages.div_ceil(per_second);
        let left = |second: u64| per_second.min(messages - second * per_second);
        Self {
            has_group: true,
            sends: seconds
                .map(|second| (second * 1_000, left(second)))
                .collect(),
        }
    }

    fn without_group(self) -> Self {
        Self {
            has_group: false,
            ..self
        }
    }

    fn began(&self) -> Time {
        self.sends[0].0
    }
}

/// Whether a group that has a large share and has not sent for five minutes is found noisy again at once. The guide can be
/// read either way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Silence {
    FoundAgain,
    Quiet,
}

/// A sender as the queue sees it.
#[derive(Debug)]
struct Group {
    is_named: bool,
    /// Oldest first.
    waiting: VecDeque<(Time, u64)>,
    in_flight: u64,
    last_send: Time,
    unfinished: u64,
    finished: Time,
}

struct Queue {
    groups: Vec<Group>,
    silence: Silence,
    in_flight: u64,
    /// The groups of which messages wait.
    busy: Vec<usize>,
}

impl Queue {
    fn of(senders: &[Sender], silence: Silence) -> Self {
        let group = |sender: &Sender| Group {
            is_named: sender.has_group,
            waiting: VecDeque::new(),
            in_flight: 0,
            last_send: 0,
            unfinished: 0,
            finished: 0,
        };
        Self {
            groups: senders.iter().map(group).collect(),
            silence,
            in_flight: 0,
            busy: Vec::new(),
        }
    }

    fn send(&mut self, group: usize, at: Time, messages: u64) {
        let sender = &mut self.groups[group];
        if sender.waiting.is_empty() {
            self.busy.push(group);
        }
        sender.waiting.push_back((at, messages));
        sender.last_send = at;
        sender.unfinished += messages;
    }

    fn is_noisy(&self, group: &Group, now: Time) -> bool {
        let is_silent = now - group.last_send >= FORGOTTEN_MS && self.silence == Silence::Quiet;
        let has_share = group.in_flight >= NOISY_MIN && group.in_flight * 10 > self.in_flight;
        group.is_named && has_share && !is_silent
    }

    /// Whose message comes next.
    fn next(&self, now: Time) -> Option<usize> {
        let rank = |group: &&usize| {
            let group = &self.groups[**group];
            if self.is_noisy(group, now) {
                (true, group.in_flight)
            } else {
                (false, group.waiting[0].0)
            }
        };
        self.busy.iter().min_by_key(rank).copied()
    }

    /// At most [`BATCH`] messages, each as its group.
    fn receive(&mut self, now: Time) -> Vec<usize> {
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            let Some(next) = self.next(now) else {
                break;
            };
            let group = &mut self.groups[next];
            group.in_flight += 1;
            self.in_flight += 1;
            group.waiting[0].1 -= 1;
            if group.waiting[0].1 == 0 {
                group.waiting.pop_front();
            }
            if group.waiting.is_empty() {
                self.busy.retain(|busy| *busy != next);
            }
            batch.push(next);
        }
        batch
    }

    fn finish(&mut self, batch: &[usize], now: Time) {
        for group in batch {
            let group = &mut self.groups[*group];
            group.in_flight -= 1;
            self.in_flight -= 1;
            group.unfinished -= 1;
            group.finished = now;
        }
    }
}

/// How long an invocation takes: 800 to 1,199 ms, the same every time.
fn duration(invocation: u64) -> Time {
    800 + invocation.wrapping_mul(2_654_435_761) % 400
}

/// All sends in the order of time: when, whose, how many.
fn agenda(senders: &[Sender]) -> VecDeque<(Time, usize, u64)> {
    let senders = senders.iter().enumerate();
    let mut sends: Vec<_> = senders
        .flat_map(|(group, sender)| {
            sender
                .sends
                .iter()
                .map(move |(at, count)| (*at, group, *count))
        })
        .collect();
    sends.sort_unstable();
    sends.into()
}

/// How long each sender waits from its first message until its last one is done.
fn simulate(senders: &[Sender], silence: Silence) -> Vec<Time> {
    let mut queue = Queue::of(senders, silence);
    let mut sends = agenda(senders);
    // By their end: what each invocation has received.
    let mut running = BinaryHeap::<Reverse<(Time, Vec<usize>)>>::new();
    let mut invocations = 0;
    loop {
        let ends = running.peek().map(|Reverse((at, _))| *at);
        let sent = sends.front().map(|(at, ..)| *at);
        let Some(now) = ends.into_iter().chain(sent).min() else {
            break;
        };
        while let Some((_, group, messages)) = sends.pop_front_if(|(at, ..)| *at == now) {
            queue.send(group, now, messages);
        }
        while let Some(Reverse((_, batch))) = running.peek().filter(|Reverse((at, _))| *at == now) {
            queue.finish(batch, now);
            running.pop();
        }
        while running.len() < CONCURRENCY && !queue.busy.is_empty() {
            invocations += 1;
            let batch = queue.receive(now);
            running.push(Reverse((now + duration(invocations), batch)));
        }
    }
    let waits = queue.groups.iter().zip(senders);
    waits
        .map(|(group, sender)| {
            assert_eq!(group.unfinished, 0);
            group.finished - sender.began()
        })
        .collect()
}

/// One after the other while the large one lasts, which is at least 2,000 seconds.
fn small_senders() -> Vec<Sender> {
    let at = |number: u64| 30_000 + number * 37_123;
    (0..SMALL_GROUPS)
        .map(|number| Sender::at_once(at(number), SMALL_MESSAGES))
        .collect()
}

/// How much longer each of `small` waits beside `large` than alone: the factors.
fn slowdowns(large: Sender, small: &[Sender], silence: Silence) -> Vec<f64> {
    let all = [vec![large], small.to_vec()].concat();
    let together = simulate(&all, silence);
    let seconds = |time: Time| u32::try_from(time).map_or(f64::INFINITY, f64::from);
    let pairs = small.iter().zip(&together[1..]);
    pairs
        .map(|(sender, together)| {
            let alone = simulate(std::slice::from_ref(sender), silence)[0];
            seconds(*together) / seconds(alone)
        })
        .collect()
}

fn most(factors: &[f64]) -> f64 {
    factors.iter().copied().fold(0.0, f64::max)
}

fn least(factors: &[f64]) -> f64 {
    factors.iter().copied().fold(f64::INFINITY, f64::min)
}

#[test]
fn beside_a_million_messages_of_one_group_small_groups_take_at_most_twice_their_time() {
    let large = Sender::at_once(0, MILLION);
    let factors = slowdowns(large, &small_senders(), Silence::FoundAgain);
    assert!(most(&factors) <= 2.0, "{factors:?}");
}

#[test]
fn without_group_ids_small_senders_wait_for_all_that_came_before_them() {
    let large = Sender::at_once(0, MILLION).without_group();
    let small: Vec<_> = small_senders()
        .into_iter()
        .map(Sender::without_group)
        .collect();
    let factors = slowdowns(large, &small, Silence::FoundAgain);
    assert!(
        least(&factors) > 2.0 && most(&factors) > 1_000.0,
        "{factors:?}"
    );
}

/// How much longer fifty small senders of one moment need together beside `large` than without it.
fn slowdown_at_once(large: Sender, small: &[Sender]) -> f64 {
    let last = |waits: &[Time]| waits.iter().copied().max().unwrap_or(0);
    let alone = last(&simulate(small, Silence::FoundAgain));
    let all = [vec![large], small.to_vec()].concat();
    let together = last(&simulate(&all, Silence::FoundAgain)[1..]);
    let seconds = |time: Time| u32::try_from(time).map_or(f64::INFINITY, f64::from);
    seconds(together) / seconds(alone)
}

#[test]
fn fifty_small_groups_at_once_take_at_most_twice_their_joint_time() {
    let small = vec![Sender::at_once(30_000, SMALL_MESSAGES); 50];
    let factor = slowdown_at_once(Sender::at_once(0, MILLION), &small);
    assert!(factor <= 2.0, "{factor}");
    let small: Vec<_> = small.into_iter().map(Sender::without_group).collect();
    let without = slowdown_at_once(Sender::at_once(0, MILLION).without_group(), &small);
    assert!(without > 100.0, "{without}");
}

#[test]
fn live_messages_need_no_group_if_the_large_job_has_one() {
    let large = Sender::at_once(0, MILLION);
    let small: Vec<_> = small_senders()
        .into_iter()
        .map(Sender::without_group)
        .collect();
    let factors = slowdowns(large, &small, Silence::FoundAgain);
    assert!(most(&factors) <= 2.0, "{factors:?}");
}

#[test]
fn a_large_job_that_stopped_sending_may_count_as_quiet_and_one_that_is_paced_does_not_come_to_that()
{
    let small = small_senders();
    let at_once = slowdowns(Sender::at_once(0, MILLION), &small, Silence::Quiet);
    let is_late = |sender: &Sender| sender.began() > FORGOTTEN_MS;
    let (early, late): (Vec<_>, Vec<_>) = at_once
        .iter()
        .zip(&small)
        .partition(|(_, sender)| !is_late(sender));
    let factors = |pairs: Vec<(&f64, _)>| {
        pairs
            .into_iter()
            .map(|(factor, _)| *factor)
            .collect::<Vec<_>>()
    };
    assert!(most(&factors(early)) <= 2.0, "{at_once:?}");
    assert!(least(&factors(late)) > 2.0, "{at_once:?}");
    // A little faster than it is worked on: its backlog never outlives its last send by five minutes.
    let paced = slowdowns(Sender::paced(MILLION, 550), &small, Silence::Quiet);
    assert!(most(&paced) <= 2.0, "{paced:?}");
}

#[test]
fn the_large_job_is_not_starved_either() {
    let alone = simulate(&[Sender::at_once(0, MILLION)], Silence::FoundAgain)[0];
    let all = [vec![Sender::at_once(0, MILLION)], small_senders()].concat();
    let beside = simulate(&all, Silence::FoundAgain)[0];
    assert!(
        beside < alone + alone / 50,
        "{alone} ms alone, {beside} ms beside others"
    );
}
