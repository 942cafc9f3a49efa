//! How much a number changes from run to run although nothing has changed.
//!
//! The change that is noise is told so that of all lines of a table together about one table in 200 has a line
//! beyond it by chance. Where it comes from:
//!
//! - **blocks**: percentiles of which both runs have left their error, from blocks of time
//!   ([`time_blocks`](crate::statistics::time_blocks)).
//! - **prior**: percentiles without one, because an older version wrote the CSV or there are too few samples. A
//!   percentile q of n independent lognormal samples has the error sigma sqrt(q (1 - q)) / (phi(z) sqrt(n)) in its
//!   logarithm; sigma is read off the percentiles themselves. Because samples depend on each other half as much again
//!   is added, and of several writers, which queue, twice as much. Fewer than 5 samples beyond the percentile say nothing.
//! - **counts**: rates as counts of independent events, shares with at least half as much again.
//! - **races**: requests per commit of several writers, of which each may lose, or look first.
//! - **rounding**: request counts else, and what sharing a request has saved by chance.
//!
//! On top of percentiles comes what machines and networks do to a whole run: nothing in virtual time, else the
//! table in [`Machine`], from pairs of equal runs (A/A); and if the earlier run was recorded with repeats, what these
//! differ by in halves.

use super::{Conditions, Metric, Percentile, Row, metric::Kind};
use crate::{
    statistics::{distribution::student_quantile, ranks::split_difference, time_blocks::blocks_of},
    summary::Columns,
};

/// The chance that any line of a table is beyond its noise although nothing has changed.
const TABLE_CHANCE: f64 = 0.005;
/// What the prior adds to the error of independent samples; and where writers wait for each other, queues grow and
/// empty again for seconds.
const PRIOR_FACTOR: f64 = 1.5;
const PRIOR_FACTOR_OF_QUEUES: f64 = 3.0;
/// Samples beyond a percentile, in the smaller run, without which nothing is said.
const BEYOND_MIN: f64 = 5.0;
/// And those without which blocks of time say nothing.
const BEYOND_MIN_OF_BLOCKS: f64 = 10.0;
/// Lost races come in runs, and the more of them the longer: what a share adds to the error of independent losses.
/// From 100 pairs of equal runs of four writers whose queues grow and empty again.
fn share_factor(share: f64) -> f64 {
    1.5 + 2.5 * share
}

/// Requests per operation are compared with so many decimals, rounded.
const ROUNDING: f64 = 0.005;
/// Standard errors that requests per commit of several writers may grow by.
const RACES_ERRORS: f64 = 4.0;
/// The variance of the requests of a commit: whether it looks first, and what lost races cost, two requests each, if so
/// many are lost for each commit. They come in runs, from the same pairs.
fn variance_of_races(lost: f64) -> f64 {
    0.25 + 4.0 * lost * (1.0 + 8.0 * lost)
}

/// So much is saved by chance, where operations share a request because a stall has brought them together.
const SHARED_BY_CHANCE: f64 = 0.1;

/// What of the requests that an earlier run saved by sharing them may come back: a little altogether, of more half.
fn saved(old: f64) -> f64 {
    let saved = (1.0 - old).max(0.0);
    if saved <= SHARED_BY_CHANCE {
        saved
    } else {
        saved / 2.0
    }
}

/// Where the noise of a number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Blocks of time of both runs.
    Blocks,
    /// An assumption.
    Prior,
    /// Counting.
    Counts,
    /// Chance among several writers.
    Races,
    /// Rounding alone.
    Rounding,
}

impl Source {
    /// As the table has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Prior => "prior",
            Self::Counts => "counts",
            Self::Races => "races",
            Self::Rounding => "rounding",
        }
    }
}

/// The largest change that is noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// How much.
    pub size: Size,
    /// Where it comes from.
    pub source: Source,
}

/// How a change is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// By the logarithm of new / old.
    Log(f64),
    /// By new - old.
    Difference(f64),
}

impl Limit {
    /// True if this change is more than noise.
    pub fn is_exceeded(self, old: f64, new: f64) -> bool {
        match self.size {
            Size::Log(limit) => (new / old).ln().abs() > limit,
            Size::Difference(limit) => (new - old).abs() > limit,
        }
    }
}

/// What machine and network add to percentiles, from run to run: a share of the value and so many ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    share: [f64; 3],
    ms: [f64; 3],
}

impl Machine {
    /// Of a store of this name. Assumed, until recordings with repeats tell more; a few A/A pairs of the embedded
    /// store on two shared cores did not contradict it.
    pub fn of_store(store: &str) -> Self {
        match store {
            "simulated" => Self {
                share: [0.0; 3],
                ms: [0.0; 3],
            },
            "embedded" => Self {
                share: [0.02, 0.03, 0.05],
                ms: [1.0, 2.0, 5.0],
            },
            _ => Self {
                share: [0.10, 0.15, 0.25],
                ms: [1.0, 2.0, 5.0],
            },
        }
    }

    /// What it adds to the logarithm of a percentile of this many ms.
    pub fn log(&self, percentile: Percentile, ms: f64) -> f64 {
        let [share, added] = [self.share, self.ms].map(|[p50, p95, p99]| match percentile {
            Percentile::P50 => p50,
            Percentile::P95 => p95,
            Percentile::P99 => p99,
        });
        (share + added / ms.max(f64::MIN_POSITIVE)).ln_1p()
    }
}

/// The noise of all lines of one table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise<'a> {
    conditions: Conditions<'a>,
    machine: Machine,
    /// The probability below which a line must stay, so that the table does below its own.
    quantile: f64,
    repeats: &'a [Columns],
}

impl<'a> Noise<'a> {
    pub(super) fn new(conditions: Conditions<'a>, lines: usize, repeats: &'a [Columns]) -> Self {
        Self {
            conditions,
            machine: Machine::of_store(conditions.store),
            quantile: 1.0 - TABLE_CHANCE / 2.0 / lines.max(1) as f64,
            repeats,
        }
    }

    /// The largest change of this metric that is noise, or why it cannot be told.
    pub(super) fn limit(&self, metric: Metric, old: &Row, new: &Row) -> Result<Limit, &'static str> {
        match metric {
            Metric::Write(percentile) => {
                self.latency(metric, percentile, (old, old.writes()), (new, new.writes()))
            }
            Metric::Read(percentile) => {
                self.latency(metric, percentile, (old, old.reads()), (new, new.reads()))
            }
            Metric::WriteOfFloor(_) | Metric::ReadOfFloor(_) => Err("multiples are for nights"),
            Metric::LostPreconditions => self.share(old, new),
            Metric::WriteTps => Ok(self.rate(old.writes(), new.writes(), old, new, metric)),
            Metric::ReadTps => Ok(self.rate(old.reads(), new.reads(), old, new, metric)),
            Metric::RequestsPerCommit | Metric::RequestsPerCommitTotal | Metric::RequestsPerRead => {
                self.requests(metric, old, new)
            }
        }
    }

    fn latency(
        &self,
        metric: Metric,
        percentile: Percentile,
        (old, old_samples): (&Row, f64),
        (new, new_samples): (&Row, f64),
    ) -> Result<Limit, &'static str> {
        let errors = [old, new].map(|row| {
            let detail = row.detail.as_ref()?;
            percentile.of(match metric {
                Metric::Write(_) => &detail.write_log_errors,
                _ => &detail.read_log_errors,
            })
        });
        let beyond = old_samples.min(new_samples) * (1.0 - percentile.quantile());
        let (error, degrees, source) = match errors {
            [Some(before), Some(after)] if beyond >= BEYOND_MIN_OF_BLOCKS => {
                let blocks = |samples: f64| blocks_of(as_count(samples)).unwrap_or_default() as f64;
                let degrees = blocks(old_samples) + blocks(new_samples) - 2.0;
                (before.hypot(after), degrees, Source::Blocks)
            }
            _ => {
                let error = prior(metric, percentile, (old, old_samples), (new, new_samples))?;
                (error, old_samples + new_samples - 2.0, Source::Prior)
            }
        };
        let values = [metric.value(old), metric.value(new)].map(Option::unwrap_or_default);
        let [before, after] = values;
        let between = self.between_runs(metric, percentile, before.min(after));
        Ok(Limit {
            size: Size::Log(student_quantile(self.quantile, degrees) * error + between),
            source,
        })
    }

    /// What a whole run may be off by.
    fn between_runs(&self, metric: Metric, percentile: Percentile, ms: f64) -> f64 {
        let logs: Vec<f64> = (self.repeats.iter())
            .filter_map(|columns| metric.of_columns(columns))
            .map(f64::ln)
            .collect();
        let repeats = split_difference(&logs).unwrap_or_default();
        self.machine.log(percentile, ms).max(repeats)
    }

    fn share(&self, old: &Row, new: &Row) -> Result<Limit, &'static str> {
        let (before, after) = (old.attempts(), new.attempts());
        if before < 1.0 || after < 1.0 {
            return Err("no samples");
        }
        // One more that lost and one more that did not: none in twelve does not mean never.
        let share = (old.lost_attempts() + new.lost_attempts() + 1.0) / (before + after + 2.0);
        let error = share_factor(share) * (share * (1.0 - share) * (1.0 / before + 1.0 / after)).sqrt();
        Ok(Limit {
            size: Size::Difference(student_quantile(self.quantile, before + after) * error),
            source: Source::Counts,
        })
    }

    fn rate(&self, before: f64, after: f64, old: &Row, new: &Row, metric: Metric) -> Limit {
        let (seconds_before, seconds_after) = (old.columns.duration, new.columns.duration);
        let error = ((before + 1.0).sqrt() / seconds_before).hypot((after + 1.0).sqrt() / seconds_after);
        let machine = self.machine.share.first().copied().unwrap_or_default();
        let machine = machine * metric.value(old).unwrap_or_default();
        Limit {
            size: Size::Difference(student_quantile(self.quantile, before + after + 2.0) * error + machine),
            source: Source::Counts,
        }
    }

    fn requests(&self, metric: Metric, old: &Row, new: &Row) -> Result<Limit, &'static str> {
        if self.conditions.has_faults {
            return Err("faults");
        }
        let (before, after) = (old.writes(), new.writes());
        let each = 1.0 / before.max(1.0) + 1.0 / after.max(1.0);
        let races = new.columns.num_writers > 1 && metric != Metric::RequestsPerRead;
        let mut limit = ROUNDING + metric.value(old).map(saved).unwrap_or_default();
        if races {
            let lost = (old.lost_attempts() + new.lost_attempts() + 1.0) / (before + after).max(1.0);
            limit += RACES_ERRORS * (variance_of_races(lost) * each).sqrt();
        }
        if metric == Metric::RequestsPerCommitTotal {
            // What maintenance one run did just before its end may have waited until after it in the other.
            limit += 2.0 * each;
        }
        Ok(Limit {
            size: Size::Difference(limit),
            source: if races { Source::Races } else { Source::Rounding },
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of samples; `as` saturates"
)]
fn as_count(samples: f64) -> usize {
    samples as usize
}

/// The error of the difference of the logarithms, where no run left its own.
fn prior(
    metric: Metric,
    percentile: Percentile,
    (old, old_samples): (&Row, f64),
    (new, new_samples): (&Row, f64),
) -> Result<f64, &'static str> {
    debug_assert_eq!(metric.kind(), Kind::Latency);
    let quantile = percentile.quantile();
    if old_samples.min(new_samples) * (1.0 - quantile) < BEYOND_MIN {
        return Err("few samples");
    }
    let shapes = [shape(metric, old, old_samples), shape(metric, new, new_samples)];
    let known: Vec<f64> = shapes.into_iter().flatten().collect();
    if known.is_empty() {
        return Err("no spread");
    }
    let sigma = (known.iter().map(|sigma| sigma * sigma).sum::<f64>() / known.len() as f64).sqrt();
    // sqrt(q (1 - q)) / phi(z) of the standard normal distribution.
    let factor = match percentile {
        Percentile::P50 => 1.253,
        Percentile::P95 => 2.113,
        Percentile::P99 => 3.733,
    };
    let queues = matches!(metric, Metric::Write(_)) && new.columns.num_writers > 1;
    let dependent = if queues {
        PRIOR_FACTOR_OF_QUEUES
    } else {
        PRIOR_FACTOR
    };
    Ok(dependent * sigma * factor * (1.0 / old_samples + 1.0 / new_samples).sqrt())
}

/// Sigma of the lognormal distribution that has these percentiles, the widest of those that can be told.
fn shape(metric: Metric, row: &Row, samples: f64) -> Option<f64> {
    let of = |percentile| match metric {
        Metric::Write(_) => Metric::Write(percentile).value(row),
        _ => Metric::Read(percentile).value(row),
    };
    let middle = of(Percentile::P50)?;
    let sigmas = [Percentile::P95, Percentile::P99].map(|percentile| {
        // The largest of few samples stands for a lower quantile than it is called.
        let quantile = percentile.quantile().min((samples - 0.375) / (samples + 0.25));
        let z = crate::statistics::distribution::normal_quantile(quantile);
        Some((of(percentile)? / middle).ln() / z)
    });
    let known = sigmas.into_iter().flatten().filter(|sigma| sigma.is_finite());
    known.reduce(f64::max).map(|sigma| sigma.max(0.0))
}
