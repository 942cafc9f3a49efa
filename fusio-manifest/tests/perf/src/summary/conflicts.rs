//! How many attempts a load should lose, by how long each was at risk and how often others commit.
//!
//! A client does not see when the store reads its look or applies its PUT. A window counts from the *sending* of the
//! request that showed the base last, a look or the handle's own PUT, to the answer of the PUT: no change that made
//! the attempt lose lies outside of it. So it is too long, by up to that request's own duration, and light loads
//! lose less than is predicted. Losers look at once and all together, so their retries meet each other more often
//! than a Poisson process would have it; at 4 writers with 2 commits/s each that makes up for the surplus. Counted
//! from the answer, the prediction of that load falls short by a quarter.

use std::time::Duration;

use super::{per_second, share};
use crate::metrics::{Latencies, WriterMetrics};

/// What was predicted, and how it compares to what came about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conflicts {
    /// The share of attempts that lost their precondition.
    pub rate: f64,
    /// The share that a Poisson process of foreign commits makes lose: the mean of 1 - e^(-rate x window) over all
    /// attempts.
    pub predicted: f64,
    /// Commits a second that one writer sees of all others.
    pub foreign_per_s: f64,
    /// How long an attempt was at risk, on average; none without attempts.
    pub window_mean_ms: Option<f64>,
}

impl Conflicts {
    pub(super) fn new(writer: &WriterMetrics, measured: Duration) -> Self {
        let attempts = &writer.attempts;
        let foreign_per_s = foreign_per_s(&writer.acknowledged_by_writer, measured);
        Self {
            rate: share(attempts.lost_precondition(), attempts.total()),
            predicted: predicted(&writer.windows, foreign_per_s),
            foreign_per_s,
            window_mean_ms: writer.windows.mean_ms(),
        }
    }

    /// Measured minus predicted.
    pub fn residual(&self) -> f64 {
        self.rate - self.predicted
    }
}

/// Commits a second of all but one of the writers, the one being each in turn.
///
/// Of what was committed, not of what was offered: only who wins changes HEAD, and a queue commits less than is
/// offered.
fn foreign_per_s(commits_of_writers: &[u64], measured: Duration) -> f64 {
    let all: u64 = commits_of_writers.iter().sum();
    let writers = commits_of_writers.len() as u64;
    share(writers.saturating_sub(1), writers) * per_second(all, measured)
}

/// The mean over all windows, not that of the mean window: a base that is minutes old is lost almost surely, but
/// weighs no more than any other.
fn predicted(windows: &Latencies, foreign_per_s: f64) -> f64 {
    let Some(histogram) = windows.histogram() else {
        return 0.0;
    };
    let lost: f64 = (histogram.iter_recorded())
        .map(|step| {
            let seconds = step.value_iterated_to() as f64 / 1e6;
            -(-foreign_per_s * seconds).exp_m1() * step.count_at_value() as f64
        })
        .sum();
    lost / histogram.len() as f64
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn an_attempt_at_risk_among_poisson_commits_loses_as_often_as_predicted() {
        // Windows of 30 ms to 1 s among commits that come at 3/s, drawn: each one hit or not.
        let mut rng = StdRng::seed_from_u64(7);
        let (mut windows, mut hit) = (Latencies::default(), 0_u32);
        let attempts = 20_000;
        for _ in 0..attempts {
            let window: f64 = rng.random_range(0.03..1.0);
            let next = -(1.0 - rng.random_range(0.0..1.0_f64)).ln() / 3.0;
            hit += u32::from(next < window);
            windows.record(Duration::from_secs_f64(window));
        }
        let measured = f64::from(hit) / f64::from(attempts);
        let predicted = predicted(&windows, 3.0);
        // Four standard errors of a share of 0.7 are 0.013.
        assert!((measured - predicted).abs() < 0.013, "{measured} {predicted}");
        let of_the_mean = 1.0 - (-3.0 * windows.mean_ms().unwrap() / 1_000.0_f64).exp();
        assert!((measured - of_the_mean).abs() > 0.05, "{measured} {of_the_mean}");
    }

    #[test]
    fn each_writer_sees_the_commits_of_the_others() {
        let second = Duration::from_secs(1);
        assert_eq!(foreign_per_s(&[4, 2], second), 3.0);
        assert_eq!(foreign_per_s(&[9], second), 0.0);
        assert_eq!(foreign_per_s(&[], second), 0.0);
        assert_eq!(foreign_per_s(&[3, 3, 3, 3], second * 2), 4.5);
    }

    #[test]
    fn without_attempts_nothing_is_predicted() {
        assert_eq!(predicted(&Latencies::default(), 3.0), 0.0);
    }
}
