//! A night held against the last one that passed.
//!
//! What can be told of two nights on machines that are not the same:
//!
//! - **Request counts** exactly: a count that grew in most repeats, or in a cell of the sweep, fails the night.
//! - **Latency** by the gate of repeats (see [`gate`]), whose medians must differ by more than nights differ anyway.
//!   On the embedded store and in virtual time these are the response times themselves, for the store's
//!   delays are drawn and the machine adds a millisecond. On a real store they are multiples of the bare requests in
//!   the same run, because a slow machine or network slows both.
//!
//! How much nights differ anyway is read off the nights themselves, from [`NIGHTS_MIN`] of them on: the typical change
//! from one to the next (by its median, so that a regression among them hardly counts), and so many times
//! that as chance exceeds in one night of 200. Until then the embedded store has the assumption of
//! [`Machine`], and a real store is not judged by its latency.

use super::{Night, before};
use crate::{
    compare::{
        Comparison, Conditions, Metric, Percentile, Recording, Table, compare,
        gate::{self, Gate, Sample},
        noise::Machine,
        turns::grew,
    },
    statistics::{distribution::student_quantile, ranks::median},
};

/// Nights that must be known before their differences are believed.
pub const NIGHTS_MIN: usize = 8;
/// The nights that are looked back at.
const NIGHTS_MAX: usize = 30;
/// The chance that any number of a night is beyond the limit although nothing has changed.
const NIGHT_CHANCE: f64 = 0.005;
/// The median of the absolute values of a normal distribution, in standard deviations.
const MEDIAN_TO_SIGMA: f64 = 1.4826;

/// A number that is gated, and its column in the history.
type Gated = (Metric, fn(&Night) -> Option<f64>);

const ABSOLUTE: [Gated; 4] = [
    (Metric::Write(Percentile::P50), |night| night.write_p50_ms),
    (Metric::Write(Percentile::P99), |night| night.write_p99_ms),
    (Metric::Read(Percentile::P50), |night| night.read_p50_ms),
    (Metric::Read(Percentile::P99), |night| night.read_p99_ms),
];
const OF_FLOOR: [Gated; 4] = [
    (Metric::WriteOfFloor(Percentile::P50), |night| {
        night.write_p50_of_floor
    }),
    (Metric::WriteOfFloor(Percentile::P99), |night| {
        night.write_p99_of_floor
    }),
    (Metric::ReadOfFloor(Percentile::P50), |night| {
        night.read_p50_of_floor
    }),
    (Metric::ReadOfFloor(Percentile::P99), |night| {
        night.read_p99_of_floor
    }),
];

/// What a night measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The repeats of the baseline.
    pub baseline: Vec<Recording>,
    /// The sweep; none if it left nothing.
    pub sweep: Option<Recording>,
}

/// What a night comes to beside the last one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// What people read, each with its title.
    pub tables: Vec<(String, Table)>,
    /// What fails the night, each in a line.
    pub failures: Vec<String>,
    /// What people should know besides, each in a line.
    pub notes: Vec<String>,
}

/// Holds a night against the last one that passed. Nights of other settings are not compared, which is noted; unless
/// `across_settings`.
pub fn hold(
    last: &Measured,
    now: &Measured,
    night: &Night,
    history: &[Night],
    across_settings: bool,
) -> Judgement {
    let mut judgement = Judgement::default();
    if !across_settings && let Err(why) = same_settings(last, now) {
        judgement.notes.push(format!(
            "no comparison: {why}. The next night is held against this one, if it passes"
        ));
        return judgement;
    }
    baseline(last, now, night, history, &mut judgement);
    match (&last.sweep, &now.sweep) {
        (Some(before), Some(after)) => {
            let comparison = compared(before, after);
            judgement.failures.extend(comparison.failures());
            judgement
                .tables
                .push(("The sweep beside the last night's".to_owned(), comparison.table()));
        }
        (None, Some(_)) => judgement
            .notes
            .push("the last night has no sweep to compare with".to_owned()),
        (_, None) => {}
    }
    judgement
}

fn baseline(last: &Measured, now: &Measured, night: &Night, history: &[Night], judgement: &mut Judgement) {
    let store = store_of(now);
    let numbers = if store == "s3" { OF_FLOOR } else { ABSOLUTE };
    let past = before(history, night);
    let limit = |metric: Metric, size: f64| {
        let (_, column) = numbers.iter().find(|(gated, _)| *gated == metric)?;
        between_nights(&past, *column, numbers.len()).or_else(|| match metric {
            Metric::Write(percentile) | Metric::Read(percentile) => {
                Some(Machine::of_store(store).log(percentile, size))
            }
            _ => None,
        })
    };
    let gate: Gate = gate::judge_samples(&samples(last, &numbers), &samples(now, &numbers), limit);
    judgement.failures.extend(gate.failures());
    let turns = last.baseline.iter().zip(&now.baseline);
    judgement
        .failures
        .extend(grew(turns.map(|(before, after)| compared(before, after).lines)));
    judgement
        .tables
        .push(("The baseline beside the last night's".to_owned(), gate.table()));
    let nights = past.iter().filter(|night| night.passed()).count();
    judgement.notes.push(if nights >= NIGHTS_MIN {
        format!(
            "how much nights differ is read off the last {}",
            nights.min(NIGHTS_MAX)
        )
    } else if store == "s3" {
        format!("latency is not judged before {NIGHTS_MIN} nights have passed; {nights} have")
    } else {
        format!("how much nights differ is assumed until {NIGHTS_MIN} nights have passed; {nights} have")
    });
}

/// The change in the logarithm of this number that is noise between nights; none while too few are known.
fn between_nights(past: &[&Night], column: fn(&Night) -> Option<f64>, numbers: usize) -> Option<f64> {
    let passed = past.iter().filter(|night| night.passed());
    let known: Vec<f64> = passed
        .filter_map(|night| column(night))
        .filter(|value| *value > 0.0)
        .map(f64::ln)
        .collect();
    if known.len() < NIGHTS_MIN {
        return None;
    }
    let recent = known.get(known.len().saturating_sub(NIGHTS_MAX)..)?;
    let changes: Vec<f64> = (recent.iter().zip(recent.iter().skip(1)))
        .map(|(one, next)| (next - one).abs())
        .collect();
    let sigma = MEDIAN_TO_SIGMA * median(&changes)?;
    let quantile = 1.0 - NIGHT_CHANCE / numbers.max(1) as f64;
    Some(student_quantile(quantile, changes.len() as f64 - 1.0) * sigma)
}

fn samples(measured: &Measured, numbers: &[Gated]) -> Vec<Sample> {
    let rows = measured.baseline.iter().flat_map(|run| &run.rows);
    // A load that was not offered as configured says nothing of latency.
    let valid = rows.filter(|row| row.detail.as_ref().is_none_or(|detail| detail.valid));
    valid
        .flat_map(|row| {
            numbers.iter().filter_map(|(metric, _)| {
                Some(Sample {
                    label: row.columns.config_label.clone(),
                    metric: *metric,
                    value: metric.value(row)?,
                })
            })
        })
        .collect()
}

fn compared(before: &Recording, after: &Recording) -> Comparison {
    let facts = after.facts.as_ref();
    let conditions = Conditions {
        store: facts.and_then(|facts| facts.store()).unwrap_or("s3"),
        has_faults: facts.is_some_and(|facts| facts.has_faults()),
        open_loop: true,
    };
    compare(before, &after.rows, conditions)
}

/// `embedded`, `s3` or `simulated`.
fn store_of(measured: &Measured) -> &str {
    let facts = measured.baseline.iter().find_map(|run| run.facts.as_ref());
    facts.and_then(|facts| facts.store()).unwrap_or("s3")
}

/// Whether both measured the same load on the same kind of store.
fn same_settings(last: &Measured, now: &Measured) -> Result<(), String> {
    let runs = |measured: &Measured| -> Vec<Recording> {
        let all = measured.baseline.iter().take(1).chain(&measured.sweep);
        all.cloned().collect()
    };
    for (before, after) in runs(last).iter().zip(&runs(now)) {
        if let (Some(old), Some(new)) = (&before.facts, &after.facts) {
            old.check(new).map_err(|what| format!("the last night {what}"))?;
        }
        let (Some(old), Some(new)) = (before.rows.first(), after.rows.first()) else {
            continue;
        };
        let load = |row: &crate::compare::Row| super::load_of(row);
        if load(old) != load(new) {
            return Err(format!(
                "the last night's load was {}, not {}",
                load(old),
                load(new)
            ));
        }
    }
    Ok(())
}
