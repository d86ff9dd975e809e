//! Where more mount targets would not help.
//!
//! A mount target is a way to the file system from one zone: it raises neither its operations per second nor its
//! throughput. Source: EFS user guide, "Amazon EFS performance".

use std::fmt;

/// What CloudWatch says of the file system, over the last quarter of an hour. What it does not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// `ClientConnections`, sum of the last period.
    pub client_connections: Option<f64>,
    /// `PercentIOLimit`, highest, percent.
    pub percent_io_limit: Option<f64>,
    /// `BurstCreditBalance`.
    pub burst_credits: Option<Credits>,
    /// `PermittedThroughput`, lowest, bytes per second.
    pub permitted_throughput: Option<f64>,
}

/// What became of burst credits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Credits {
    /// The first value, bytes.
    pub first_bytes: f64,
    /// The last one.
    pub last_bytes: f64,
    /// Between them.
    pub hours: f64,
}

/// Something an operator should look at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Advice {
    /// The file system is at its limit of operations.
    IoLimit {
        /// Percent of it.
        percent: f64,
    },
    /// Credits run out faster than they come in.
    BurstCredits {
        /// What is left, bytes.
        left_bytes: f64,
        /// Until there are none, at this pace, hours.
        hours: f64,
    },
}

/// From here on the limit is felt. Source: EFS user guide, "Using CloudWatch alarms": close to 100 is the advice to move.
const IO_LIMIT_PERCENT: f64 = 95.0;

/// Hours of credits below which it is time to say so.
const CREDIT_HOURS: f64 = 24.0;

/// What follows from the metrics.
#[must_use]
pub fn advise(metrics: &Metrics) -> Vec<Advice> {
    let mut advice = Vec::new();
    if let Some(percent) = metrics.percent_io_limit
        && percent >= IO_LIMIT_PERCENT
    {
        advice.push(Advice::IoLimit { percent });
    }
    if let Some(credits) = metrics.burst_credits
        && credits.last_bytes < credits.first_bytes
    {
        let left_bytes = credits.last_bytes.max(0.0);
        let hours = left_bytes / (credits.first_bytes - credits.last_bytes) * credits.hours;
        if hours < CREDIT_HOURS {
            advice.push(Advice::BurstCredits { left_bytes, hours });
        }
    }
    advice
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IoLimit { percent } => write!(
                f,
                "the file system is at {percent:.0} % of its I/O limit: more mount targets do not raise it, another \
                 throughput mode does"
            ),
            Self::BurstCredits { left_bytes, hours } => write!(
                f,
                "burst credits end in {hours:.1} hours ({:.1} GiB left): more mount targets do not save any, another \
                 throughput mode does",
                left_bytes / 1_073_741_824.0
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_felt_is_named() {
        for (percent, named) in [(94.9, false), (95.0, true), (100.0, true)] {
            let metrics = Metrics {
                percent_io_limit: Some(percent),
                ..Metrics::default()
            };
            assert_eq!(!advise(&metrics).is_empty(), named, "{percent}");
        }
    }

    #[test]
    fn credits_that_end_within_a_day_are_named() {
        for (first_bytes, last_bytes, hours, named) in [
            (100.0, 100.0, 0.25, false),
            (100.0, 101.0, 0.25, false),
            (100.0, 99.5, 0.25, false),
            (100.0, 99.5, 0.1, true),
            (100.0, 98.0, 0.25, true),
            (1.0, 0.0, 0.25, true),
        ] {
            let metrics = Metrics {
                burst_credits: Some(Credits {
                    first_bytes,
                    last_bytes,
                    hours,
                }),
                ..Metrics::default()
            };
            let is_named = !advise(&metrics).is_empty();
            assert_eq!(is_named, named, "{first_bytes} {last_bytes} {hours}");
        }
    }

    #[test]
    fn what_is_not_known_is_no_advice() {
        assert_eq!(advise(&Metrics::default()), []);
    }
}
