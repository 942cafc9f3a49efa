//! Runs of two builds that were measured by turns, or one run of each, held against each other from their files.

use std::collections::BTreeMap;

use super::{
    Conditions, Judged, Recording, Table, compare,
    gate::{self, Order, REPEATS_MIN},
};
use crate::summary::Columns;

/// What the runs of two builds come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What people read.
    pub table: Table,
    /// What makes the second build worse, each in a line; empty if nothing does.
    pub failures: Vec<String>,
}

/// Holds the runs of a build, in their order, against those of an earlier one: one against one by the noise of a
/// single run, where only request counts fail; six or more on each side by the latency gate.
///
/// # Errors
///
/// One line: why these runs cannot be held against each other.
pub fn hold(old: &[Recording], new: &[Recording], across_stores: bool) -> Result<Verdict, String> {
    let (Some(first), Some(newest)) = (old.first(), new.first()) else {
        return Err("no runs".to_owned());
    };
    if let (Some(facts), false) = (&first.facts, across_stores) {
        for other in old.iter().chain(new) {
            let theirs = other.facts.as_ref().unwrap_or(facts);
            facts
                .check(theirs)
                .map_err(|what| format!("{} {what}: {}", first.name, other.name))?;
        }
    }
    let facts = newest.facts.as_ref();
    let conditions = |before: &Recording, after: &Recording| Conditions {
        store: facts.and_then(|facts| facts.store()).unwrap_or("s3"),
        has_faults: facts.is_some_and(|facts| facts.has_faults()),
        open_loop: before.rows.len() != 1 || after.rows.len() != 1 || same_label(before, after),
    };
    let compared =
        |before: &Recording, after: &Recording| compare(before, &after.rows, conditions(before, after));
    match (old, new) {
        ([before], [after]) => {
            let comparison = compared(before, after);
            if comparison.lines.is_empty() {
                return Err(format!(
                    "{} and {} have no cell in common",
                    before.name, after.name
                ));
            }
            Ok(Verdict {
                table: comparison.table(),
                failures: comparison.failures(),
            })
        }
        _ if old.len().min(new.len()) < REPEATS_MIN => Err(format!(
            "{} runs against {}: give one of each, or at least {REPEATS_MIN} of each, measured by turns",
            old.len(),
            new.len()
        )),
        _ => {
            let columns = |runs: &[Recording]| -> Vec<Columns> {
                let rows = runs.iter().flat_map(|run| &run.rows);
                rows.map(|row| row.columns.clone()).collect()
            };
            let gate = gate::judge(&columns(old), &columns(new), Order::ByTurns);
            if gate.lines.is_empty() {
                return Err(format!(
                    "{} and {} have no cell in common",
                    first.name, newest.name
                ));
            }
            let mut failures = gate.failures();
            failures.extend(grew(
                old.iter()
                    .zip(new)
                    .map(|(before, after)| compared(before, after).lines),
            ));
            Ok(Verdict {
                table: gate.table(),
                failures,
            })
        }
    }
}

fn same_label(before: &Recording, after: &Recording) -> bool {
    let label = |run: &Recording| run.rows.first().map(|row| row.columns.config_label.clone());
    label(before) == label(after)
}

/// Request counts that grew in more than half of all turns: in a single one it may be a race.
pub(crate) fn grew(turns: impl Iterator<Item = Vec<super::Line>>) -> Vec<String> {
    let (mut number, mut counts) = (0, BTreeMap::<(String, &str), u32>::new());
    for lines in turns {
        number += 1;
        for line in lines.into_iter().filter(|line| line.judged == Judged::Grew) {
            *counts.entry((line.label, line.metric.name())).or_default() += 1;
        }
    }
    (counts.into_iter())
        .filter(|(_, grown)| 2 * grown > number)
        .map(|((cell, metric), grown)| format!("{cell}: {metric} grew in {grown} of {number} turns"))
        .collect()
}
