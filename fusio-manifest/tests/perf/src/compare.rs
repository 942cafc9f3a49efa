//! Comparing runs: what changed, and whether it changed by more than runs of one thing differ. Pure: whoever calls
//! it reads and writes the files.
//!
//! Two runs are held against each other by [`compare`], line by line, each with the [noise] that such a
//! number has; it fails nothing but request counts. Several repeats of each are held against each other by the
//! [`gate`](gate::judge), which finds regressions of latency.

pub mod gate;
pub mod metric;
pub mod noise;
pub mod recording;
mod table;
#[cfg(test)]
mod tests;
pub mod turns;

pub use metric::{Floor, Metric, Percentile, Row, RowDetail};
pub use recording::{Expected, Facts, Recording};
pub use table::Table;

use metric::Kind;
use noise::{Limit, Noise};

/// What two runs are compared under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions<'a> {
    /// `embedded`, `s3` or `simulated`: how much machines and networks add from run to run.
    pub store: &'a str,
    /// Whether things are broken on purpose: request counts are then left alone.
    pub has_faults: bool,
    /// Whether a schedule offered the load. Else rates are results, and part of the label: the only row of one
    /// run is held against the only row of the other.
    pub open_loop: bool,
}

/// What a line came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// The change is within the noise.
    Within,
    /// It is beyond the noise, for the better.
    Better,
    /// It is beyond the noise, for the worse.
    Worse,
    /// A count that must not grow has grown: this fails a run.
    Grew,
    /// Nothing can be said, for this reason.
    Open(&'static str),
}

/// One metric of one cell in both runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The cell.
    pub label: String,
    /// What is compared.
    pub metric: Metric,
    /// As it was.
    pub old: Option<f64>,
    /// As it is.
    pub new: Option<f64>,
    /// The change that is noise; none if it is not known.
    pub limit: Option<Limit>,
    /// What that comes to.
    pub judged: Judged,
}

/// Two runs, line by line.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The lines, cell by cell.
    pub lines: Vec<Line>,
    /// What people should know besides.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Counts that grew, each in a line: what fails the run.
    pub fn failures(&self) -> Vec<String> {
        let grew = self.lines.iter().filter(|line| line.judged == Judged::Grew);
        grew.map(|line| {
            let (cell, metric) = (&line.label, line.metric.name());
            let [old, new] = [line.old, line.new].map(|value| line.metric.show(value));
            format!("{cell}: {metric} grew from {old} to {new}")
        })
        .collect()
    }

    /// True if any number is beyond its noise, in either direction.
    pub fn has_changes(&self) -> bool {
        let changed = |line: &Line| matches!(line.judged, Judged::Better | Judged::Worse | Judged::Grew);
        self.lines.iter().any(changed)
    }

    /// The table that people read.
    pub fn table(&self) -> Table {
        table::of_comparison(self)
    }
}

/// Holds the rows of a run against those of an earlier one.
pub fn compare(old: &Recording, new: &[Row], conditions: Conditions<'_>) -> Comparison {
    let pairs = pairs(&old.rows, new, conditions.open_loop);
    let lines = pairs.len() * Metric::ALL.len();
    let noise = Noise::new(conditions, lines, &old.repeats);
    let mut comparison = Comparison {
        lines: Vec::with_capacity(lines),
        notes: Vec::new(),
    };
    for (before, after) in &pairs {
        for metric in Metric::ALL {
            comparison.lines.push(line(metric, before, after, &noise));
        }
    }
    if pairs.len() < new.len() {
        let missing = new.len() - pairs.len();
        comparison
            .notes
            .push(format!("{missing} cells are not in the earlier run"));
    }
    if pairs.iter().any(|(before, _)| before.detail.is_none()) {
        comparison.notes.push(
            "no detail CSV lies beside the earlier one: its store is not checked, request counts are not compared"
                .to_owned(),
        );
    }
    comparison
}

fn pairs<'a>(old: &'a [Row], new: &'a [Row], by_label: bool) -> Vec<(&'a Row, &'a Row)> {
    match (old, new, by_label) {
        ([old], [new], false) => vec![(old, new)],
        _ => new
            .iter()
            .filter_map(|new| {
                let label = &new.columns.config_label;
                let old = old.iter().find(|old| old.columns.config_label == *label)?;
                Some((old, new))
            })
            .collect(),
    }
}

fn line(metric: Metric, before: &Row, after: &Row, noise: &Noise<'_>) -> Line {
    let (old, new) = (metric.value(before), metric.value(after));
    let invalid = [before, after]
        .iter()
        .any(|row| row.detail.as_ref().is_some_and(|detail| !detail.valid));
    let (limit, judged) = match (old, new) {
        (Some(_), Some(_)) if invalid => (None, Judged::Open("invalid cell")),
        (Some(old), Some(new)) => match noise.limit(metric, before, after) {
            Ok(limit) => (Some(limit), judge(metric, old, new, limit)),
            Err(why) => (None, Judged::Open(why)),
        },
        _ => (None, Judged::Open("no value")),
    };
    Line {
        label: after.columns.config_label.clone(),
        metric,
        old,
        new,
        limit,
        judged,
    }
}

fn judge(metric: Metric, old: f64, new: f64, limit: Limit) -> Judged {
    if !limit.is_exceeded(old, new) {
        return Judged::Within;
    }
    match (metric.kind(), new > old) {
        (Kind::Requests, true) => Judged::Grew,
        (Kind::Rate, more) if more => Judged::Better,
        (Kind::Rate, _) => Judged::Worse,
        (_, true) => Judged::Worse,
        (_, false) => Judged::Better,
    }
}
