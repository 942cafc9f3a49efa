//! Whether a rate was sustained. Pure: it judges what a probe measured.

use std::{fmt, time::Duration};

use crate::metrics::Series;

/// The least share of what was offered that must be done within the measurement.
const ACHIEVED_MIN: f64 = 0.99;
/// The longest that 99 in 100 commits may take from due to answer.
pub(super) const SLO: Duration = Duration::from_secs(1);
/// A queue grows if what waits became more by as much as arrives in this time.
const GROWTH_MAX: Duration = Duration::from_millis(500);

/// What a probe measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Probe {
    /// Commits due, a second.
    pub(super) offered_per_s: f64,
    /// Commits acknowledged within the measurement, a second.
    pub(super) achieved_per_s: f64,
    /// Response time.
    pub(super) p99_ms: Option<f64>,
    /// By how much more waited in the last quarter than in the second, as time of arrivals.
    pub(super) growth: Duration,
    /// Commits that failed, were dropped, or never ended.
    pub(super) errors: u64,
}

/// Why a rate was not sustained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Missed {
    /// Too little of what was offered was done.
    Achieved(f64),
    /// It took too long.
    Slo(Option<f64>),
    /// The queue grew.
    Growing(Duration),
    /// Not everything succeeded.
    Errors(u64),
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Achieved(share) => write!(f, "{:.1}% achieved", share * 100.0),
            Self::Slo(Some(ms)) => write!(f, "p99 {ms:.0} ms"),
            Self::Slo(None) => f.write_str("no commit"),
            Self::Growing(by) => write!(f, "queue grew by {:.1} s", by.as_secs_f64()),
            Self::Errors(errors) => write!(f, "{errors} not committed"),
        }
    }
}

impl Probe {
    /// Whether the rate was sustained.
    ///
    /// # Errors
    ///
    /// Why it was not.
    pub(super) fn sustained(&self) -> Result<(), Missed> {
        let share = self.achieved_per_s / self.offered_per_s.max(f64::MIN_POSITIVE);
        if self.errors > 0 {
            return Err(Missed::Errors(self.errors));
        }
        if share < ACHIEVED_MIN {
            return Err(Missed::Achieved(share));
        }
        if self.p99_ms.is_none_or(|ms| ms > SLO.as_secs_f64() * 1_000.0) {
            return Err(Missed::Slo(self.p99_ms));
        }
        if self.growth > GROWTH_MAX {
            return Err(Missed::Growing(self.growth));
        }
        Ok(())
    }
}

/// By how much more commits waited, on average, in the last quarter of the measurement than in the second (the first
/// fills the queue), as the time in which so many arrive at this rate.
pub(super) fn growth(series: &Series, window: Duration, per_s: f64) -> Duration {
    let quarter = |number: u32| {
        let (from, to) = (window * number / 4, window * (number + 1) / 4);
        // What each waits within the quarter, summed up: the mean number that waits, by Little's law.
        let waited: Duration = series
            .iter()
            .map(|(due, response)| (due + response).min(to).saturating_sub(due.max(from)))
            .sum();
        waited.as_secs_f64() / (to - from).as_secs_f64().max(f64::MIN_POSITIVE)
    };
    let more = (quarter(3) - quarter(1)).max(0.0) / per_s.max(f64::MIN_POSITIVE);
    Duration::try_from_secs_f64(more).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: Probe = Probe {
        offered_per_s: 100.0,
        achieved_per_s: 99.5,
        p99_ms: Some(200.0),
        growth: Duration::from_millis(20),
        errors: 0,
    };

    #[test]
    fn a_rate_is_sustained_if_nothing_speaks_against_it() {
        assert_eq!(STEADY.sustained(), Ok(()));
        for (probe, missed) in [
            (
                Probe {
                    achieved_per_s: 98.0,
                    ..STEADY
                },
                Missed::Achieved(0.98),
            ),
            (
                Probe {
                    p99_ms: Some(1_001.0),
                    ..STEADY
                },
                Missed::Slo(Some(1_001.0)),
            ),
            (
                Probe {
                    p99_ms: None,
                    ..STEADY
                },
                Missed::Slo(None),
            ),
            (
                Probe {
                    growth: SLO,
                    ..STEADY
                },
                Missed::Growing(SLO),
            ),
            (Probe { errors: 1, ..STEADY }, Missed::Errors(1)),
        ] {
            assert_eq!(probe.sustained(), Err(missed));
        }
    }

    /// Ten commits a second for 40 s, the one due at `t` answered after `wait(t)` seconds.
    fn grown(wait: impl Fn(f64) -> f64) -> f64 {
        let mut series = Series::default();
        for number in 0..400_u32 {
            let due = f64::from(number) / 10.0;
            series.push(Duration::from_secs_f64(due), Duration::from_secs_f64(wait(due)));
        }
        growth(&series, Duration::from_secs(40), 10.0).as_secs_f64()
    }

    #[test]
    fn a_queue_grows_by_what_waits_longer_and_longer() {
        assert!(grown(|_| 0.2) < 0.01);
        // Each second it falls behind by 0.1 s: between the middles of the quarters, 20 s apart, by 2 s of commits.
        let growing = grown(|due| 0.1 * due);
        assert!((1.7..=2.2).contains(&growing), "{growing}");
        // One that has filled up at the start and shrinks does not grow.
        assert!(grown(|due| 4.0 - 0.1 * due) < 0.01);
        // A burst in the first quarter is over.
        assert!(grown(|due| if due < 10.0 { 3.0 } else { 0.1 }) < 0.01);
    }
}
