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
                        "{cell}: {metric} went from {:.1} to {:.1} ({:+.1}%), beyond the noise of {} repeats",
                        line.old,
                        line.new,
                        (line.new / line.old - 1.0) * 100.0,
                        self.repeats
                    )),
                    Gated::TooFew => Some(format!(
                        "{cell}: {} repeats cannot tell anything of {metric} among {} numbers: repeat more often",
                        self.repeats,
                        self.lines.len()
                    )),
                    Gated::Within | Gated::Better => None,
                }
            })
            .collect()
    }

    /// The table that people read.
    pub fn table(&self) -> super::Table {
        super::table::of_gate(self)
    }
}

/// Holds repeats against earlier ones. Cells and numbers that one side does not have are left out.
pub fn judge(old: &[Columns], new: &[Columns], order: Order) -> Gate {
    let mut labels: Vec<&str> = Vec::new();
    for columns in new {
        if !labels.contains(&columns.config_label.as_str()) {
            labels.push(&columns.config_label);
        }
    }
    let values = |side: &[Columns], label: &str, metric: Metric| -> Vec<f64> {
        (side.iter().filter(|columns| columns.config_label == label))
            .filter_map(|columns| metric.of_columns(columns))
            .filter(|value| *value > 0.0)
            .collect()
    };
    let mut pairs = Vec::new();
    for label in labels {
        for metric in METRICS {
            let (before, after) = (values(old, label, metric), values(new, label, metric));
            if !before.is_empty() && !after.is_empty() {
                pairs.push((label, metric, before, after));
            }
        }
    }
    let chance = TABLE_CHANCE / pairs.len().max(1) as f64;
    let fewest = |(_, _, before, after): &(&str, Metric, Vec<f64>, Vec<f64>)| before.len().min(after.len());
    let repeats = pairs.iter().map(fewest).min().unwrap_or_default();
    let lines = (pairs.into_iter())
        .filter_map(|(label, metric, before, after)| line(label, metric, &before, &after, chance, order))
        .collect();
    Gate { lines, repeats }
}

fn line(
    label: &str,
    metric: Metric,
    before: &[f64],
    after: &[f64],
    chance: f64,
    order: Order,
) -> Option<GateLine> {
    let (old, new) = (median(before)?, median(after)?);
    let probability = probability_of_as_high(before, after);
    let effect_log = effect(metric, before, after, old.min(new), order);
    let change = (new / old).ln();
    let clearest = clearest(before.len(), after.len());
    let gated = if before.len().min(after.len()) < REPEATS_MIN || clearest > chance {
        Gated::TooFew
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

fn effect(metric: Metric, before: &[f64], after: &[f64], ms: f64, order: Order) -> f64 {
    let logs = |values: &[f64]| -> Vec<f64> { values.iter().map(|value| value.ln()).collect() };
    let halves = [before, after].map(|values| split_difference(&logs(values)).unwrap_or_default());
    let machine = match (order, metric) {
        (Order::Apart(machine), Metric::Write(percentile) | Metric::Read(percentile)) => {
            machine.log(percentile, ms)
        }
        _ => 0.0,
    };
    halves.into_iter().fold(EFFECT_MIN.ln_1p(), f64::max).max(machine)
}
