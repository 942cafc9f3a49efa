//! Holding a run against an earlier one: which one, whether it may be, and what came of it.

use std::{
    io::{self, Write as _},
    path::Path,
};

use super::{Context, conclude::Run, judge::Judgement};
use crate::{
    compare::{
        Comparison, Conditions, Expected, Recording, Row, Table, compare,
        gate::{self, Gate, Order, REPEATS_MIN},
        noise::Machine,
    },
    config::WorkloadConfig,
    export::read_recording,
    settings::Settings,
    summary::{CellSummary, Columns},
};

#[cfg(test)]
mod tests;

/// What of a scenario is held against an earlier run of it.
pub(super) struct Comparable {
    /// The cells that it will measure.
    pub(super) cells: fn(&Settings) -> Vec<WorkloadConfig>,
    /// Whether a schedule offers their load.
    pub(super) open_loop: bool,
    /// Whether it can measure repeats.
    pub(super) has_repeats: bool,
}

/// The earlier run that the settings name, if they do.
///
/// # Errors
///
/// One line: why this scenario cannot be held against it.
pub(super) fn earlier(
    scenario: &str,
    comparable: Option<&Comparable>,
    settings: &Settings,
) -> Result<Option<Recording>, String> {
    if settings.gate_latency && !comparable.is_some_and(|comparable| comparable.has_repeats) {
        return Err(format!(
            "PERF_GATE_LATENCY is for test_baseline, not for {scenario}: unset it"
        ));
    }
    let Some(path) = &settings.compare else {
        return Ok(None);
    };
    let Some(comparable) = comparable else {
        return Err(format!("PERF_COMPARE is not for {scenario}: unset it"));
    };
    let told = |why: String| {
        format!("PERF_COMPARE: {why}. Set it to the CSV of an earlier run of {scenario}, or unset it")
    };
    let recording = read_recording(path).map_err(told)?;
    let cells = (comparable.cells)(settings);
    recording
        .check(&Expected::new(cells, comparable.open_loop, settings))
        .map_err(told)?;
    let repeats = recording.repeats.len();
    if settings.gate_latency && repeats < REPEATS_MIN {
        return Err(format!(
            "PERF_COMPARE: {} was recorded with {repeats} repeats, PERF_GATE_LATENCY needs {REPEATS_MIN}: record it \
             again with PERF_GATE_LATENCY=1",
            recording.name
        ));
    }
    Ok(Some(recording))
}

/// A run held against an earlier one.
pub(super) struct Against {
    name: String,
    comparison: Comparison,
    gate: Option<Gate>,
}

/// Holds the cells of a run, and its repeats if it has some, against the earlier one, if there is one; what fails the
/// run is added to its judgement. A run that was interrupted is held against nothing.
pub(super) fn hold(
    context: &Context,
    run: &Run,
    cells: &[CellSummary],
    repeats: &[CellSummary],
    judgement: &mut Judgement,
) -> Option<Against> {
    let earlier = context.earlier.as_ref()?;
    if context.interrupt.is_set() {
        return None;
    }
    let store = context.settings.store.name();
    let conditions = Conditions {
        store,
        has_faults: context.has_faults(),
        open_loop: run.open_loop,
    };
    let rows: Vec<Row> = cells.iter().map(Row::from).collect();
    let comparison = compare(earlier, &rows, conditions);
    judgement.failures.extend(comparison.failures());
    let gate = (!repeats.is_empty()).then(|| {
        let new: Vec<Columns> = repeats.iter().map(|cell| cell.columns.clone()).collect();
        let gate = gate::judge(&earlier.repeats, &new, Order::Apart(Machine::of_store(store)));
        judgement.failures.extend(gate.failures());
        gate
    });
    Some(Against {
        name: earlier.name.clone(),
        comparison,
        gate,
    })
}

/// The same for a run that has written its CSV already, of cells whose load a schedule offers. What fails it is added
/// to `failures`.
pub(super) fn hold_written(context: &Context, csv: &Path, failures: &mut Vec<String>) -> Option<Against> {
    let earlier = context.earlier.as_ref()?;
    if context.interrupt.is_set() {
        return None;
    }
    let written = match read_recording(csv) {
        Ok(written) => written,
        Err(why) => {
            failures.push(why);
            return None;
        }
    };
    let conditions = Conditions {
        store: context.settings.store.name(),
        has_faults: context.has_faults(),
        open_loop: true,
    };
    let comparison = compare(earlier, &written.rows, conditions);
    failures.extend(comparison.failures());
    Some(Against {
        name: earlier.name.clone(),
        comparison,
        gate: None,
    })
}

impl Against {
    fn tables(&self) -> Vec<(String, Table)> {
        let name = &self.name;
        let gate = (self.gate.as_ref()).map(|gate| (format!("Latency gate against {name}"), gate.table()));
        std::iter::once((format!("Compared with {name}"), self.comparison.table()))
            .chain(gate)
            .collect()
    }

    /// Prints its tables.
    ///
    /// # Errors
    ///
    /// `out` cannot be written to.
    pub(super) fn write(&self, out: &mut io::StdoutLock<'_>) -> io::Result<()> {
        for (title, table) in self.tables() {
            writeln!(out, "\n{title}:")?;
            table.write(out)?;
        }
        Ok(())
    }

    /// Its tables in markdown.
    pub(super) fn markdown(&self) -> String {
        let tables = self.tables();
        tables
            .iter()
            .map(|(title, table)| table.markdown(title))
            .collect()
    }
}
