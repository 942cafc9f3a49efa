//! The latency gate: repeats of one build against repeats of another.
//!
//! One run against one run cannot tell a regression from the machine's mood, whatever its statistics. So a gate
//! takes at least [`REPEATS_MIN`] repeats of each side, one number of each repeat (its p50 or p99, so that samples
//! within a repeat need not be independent), and calls it a regression if both hold:
//!
//! - the new repeats rank above the old ones by more than chance: Mann and Whitney's test, exact, one-sided, at 1 %
//!   over all numbers of the table together;
//! - the medians differ by more than those of halves of either side do (A/A), by more than [`EFFECT_MIN`], and, if
//!   the two sides were not measured by turns, by more than what the machine adds from one session to the next.

use super::{Metric, Percentile, noise::Machine};
use crate::{
    statistics::ranks::{median, probability_of_as_high, split_difference},
    summary::Columns,
};

/// Fewer repeats cannot tell: of 6 and 6 the clearest outcome has a chance of 1 in 924.
pub const REPEATS_MIN: usize = 6;
/// A change that nobody would do anything about.
pub const EFFECT_MIN: f64 = 0.03;
/// The chance that any number of a table is called a regression although nothing has changed.
const TABLE_CHANCE: f64 = 0.01;

/// The numbers of a repeat.
const METRICS: [Metric; 4] = [
    Metric::Write(Percentile::P50),
    Metric::Write(Percentile::P99),
    Metric::Read(Percentile::P50),
    Metric::Read(Percentile::P99),
];

/// How the repeats of the two sides were measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    /// By turns: what the machine does meets both.
    ByTurns,
    /// One side earlier than the other.
    Apart(Machine),
}

/// What a number came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gated {
    /// No regression was found.
    Within,
    /// Better by more than chance and noise.
    Better,
    /// Worse by more than chance and noise: this fails a run.
    Regression,
    /// So few repeats for so many numbers cannot tell anything.
    TooFew,
    /// What this number changes by from session to session is not known yet: nothing is said.
    Uncalibrated,
}

/// One number of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct GateLine {
    /// The cell.
    pub label: String,
    /// Which number.
    pub metric: Metric,
    /// The median of the earlier repeats.
    pub old: f64,
    /// The median of the new ones.
    pub new: f64,
    /// The chance to rank so high if nothing has changed.
    pub probability: f64,
    /// The logarithm of the ratio that the medians must differ by.
    pub effect_log: f64,
    /// What it comes to.
    pub gated: Gated,
}

/// Repeats against repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The lines, cell by cell.
    pub lines: Vec<GateLine>,
    /// The fewest repeats of a side of any line.
    pub repeats: usize,
}

impl Gate {
    /// What fails the run, each in a line.
    pub fn failures(&self) -> Vec<String> {
        (self.lines.iter())
            .filter_map(|line| {
                let (cell, metric) = (&line.label, line.metric.name());
                match line.gated {
                    Gated::Regression => Some(format!(
                        "{cell}: {metric} went from {} to {} ({:+.1}%), beyond the noise of {} repeats",
                        line.metric.show(Some(line.old)),
                        line.metric.show(Some(line.new)),
                        (line.new / line.old - 1.0) * 100.0,
                        self.repeats
                    )),
                    Gated::TooFew => Some(format!(
                        "{cell}: {} repeats cannot tell anything of {metric} among {} numbers: repeat more often",
                        self.repeats,
                        self.lines.len()
                    )),
                    Gated::Within | Gated::Better | Gated::Uncalibrated => None,
                }
            })
            .collect()
    }

    /// The table that people read.
    pub fn table(&self) -> super::Table {
        super::table::of_gate(self)
    }
}

/// A number of one repeat of a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The cell.
    pub label: String,
    /// Which number.
    pub metric: Metric,
    /// Its value.
    pub value: f64,
}

/// Holds repeats against earlier ones. Cells and numbers that one side does not have are left out.
pub fn judge(old: &[Columns], new: &[Columns], order: Order) -> Gate {
    let samples = |side: &[Columns]| -> Vec<Sample> {
        let of_row = |columns: &Columns| {
            let label = columns.config_label.clone();
            let sample = |metric: Metric| {
                let (label, value) = (label.clone(), metric.of_columns(columns)?);
                Some(Sample { label, metric, value })
            };
            METRICS.into_iter().filter_map(sample).collect::<Vec<_>>()
        };
        side.iter().flat_map(of_row).collect()
    };
    judge_samples(&samples(old), &samples(new), |metric, ms| match (order, metric) {
        (Order::Apart(machine), Metric::Write(percentile) | Metric::Read(percentile)) => {
            Some(machine.log(percentile, ms))
        }
        _ => Some(0.0),
    })
}

/// The same of whatever numbers there are. `between` tells what a number of this size changes by, in its logarithm,
/// from one session to the next; none if that is not known.
pub fn judge_samples(old: &[Sample], new: &[Sample], between: impl Fn(Metric, f64) -> Option<f64>) -> Gate {
    let mut keys: Vec<(&str, Metric)> = Vec::new();
    for sample in new {
        let key = (sample.label.as_str(), sample.metric);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let values = |side: &[Sample], (label, metric): (&str, Metric)| -> Vec<f64> {
        let same = |sample: &&Sample| sample.label == label && sample.metric == metric;
        let values = side.iter().filter(same).map(|sample| sample.value);
        values.filter(|value| value.is_finite() && *value > 0.0).collect()
    };
    let pairs: Vec<_> = (keys.into_iter())
        .map(|key| (key, values(old, key), values(new, key)))
        .filter(|(_, before, after)| !before.is_empty() && !after.is_empty())
        .collect();
    let chance = TABLE_CHANCE / pairs.len().max(1) as f64;
    let fewest = |(_, before, after): &(_, Vec<f64>, Vec<f64>)| before.len().min(after.len());
    let repeats = pairs.iter().map(fewest).min().unwrap_or_default();
    let lines = (pairs.into_iter())
        .filter_map(|(key, before, after)| line(key, &before, &after, chance, &between))
        .collect();
    Gate { lines, repeats }
}

fn line(
    (label, metric): (&str, Metric),
    before: &[f64],
    after: &[f64],
    chance: f64,
    between: &impl Fn(Metric, f64) -> Option<f64>,
) -> Option<GateLine> {
    let (old, new) = (median(before)?, median(after)?);
    let probability = probability_of_as_high(before, after);
    let between = between(metric, old.min(new));
    let effect_log = effect(before, after).max(between.unwrap_or_default());
    let change = (new / old).ln();
    let gated = if before.len().min(after.len()) < REPEATS_MIN || clearest(before.len(), after.len()) > chance
    {
        Gated::TooFew
    } else if between.is_none() {
        Gated::Uncalibrated
    } else if probability <= chance && change > effect_log {
        Gated::Regression
    } else if probability_of_as_high(after, before) <= chance && -change > effect_log {
        Gated::Better
    } else {
        Gated::Within
    };
    Some(GateLine {
        label: label.to_owned(),
        metric,
        old,
        new,
        probability,
        effect_log,
        gated,
    })
}

/// The least chance that any outcome of so many repeats has: that of groups which do not overlap.
fn clearest(before: usize, after: usize) -> f64 {
    (1..=before).fold(1.0, |chance, place| {
        chance * place as f64 / (after + place) as f64
    })
}

/// What halves of either side differ by, and what nobody would do anything about.
fn effect(before: &[f64], after: &[f64]) -> f64 {
    let logs = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| value.ln()).collect() };
    let halves = [before, after].map(|values| split_difference(&logs(values)).unwrap_or_default());
    halves.into_iter().fold(EFFECT_MIN.ln_1p(), f64::max)
}
