//! From single operations to intervals.

use std::{collections::BTreeMap, time::Duration};

use super::{Row, What};
use crate::{
    fault::SLOT,
    metrics::{Latencies, Series},
};

/// More are not told apart in a picture.
const INTERVALS_MAX: u32 = 80;

/// The lengths that an interval can have: each holds a whole number of slots in which faults are counted.
const LENGTHS_MS: [u64; 12] = [
    250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
];

/// A commit, as its client was told of it at first. Times are since the measurement began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Which client's.
    pub client: u32,
    /// When it was begun.
    pub invoked: Duration,
    /// When its client was told; none if it never was.
    pub told: Option<Duration>,
    /// What it was told, and what became of it.
    pub outcome: Counted,
}

/// What becomes of a commit, in the words of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// Told that it is committed.
    Acknowledged,
    /// Told that it lost.
    Conflict,
    /// Told that it is not committed.
    Failed,
    /// Told that nobody knows; it was committed.
    UnknownApplied,
    /// Told that nobody knows; it was not and never will be committed.
    UnknownNotApplied,
    /// Told that nobody knows, and nobody knows yet.
    UnknownOpen,
}

impl Counted {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Acknowledged,
        Self::UnknownApplied,
        Self::UnknownNotApplied,
        Self::UnknownOpen,
        Self::Conflict,
        Self::Failed,
    ];

    /// As the file has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::UnknownApplied => "unknown, applied",
            Self::UnknownNotApplied => "unknown, not applied",
            Self::UnknownOpen => "unknown, still open",
        }
    }
}

/// The intervals of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals(Duration);

impl Intervals {
    /// The shortest intervals with which a run that ends then is not cut into too many.
    pub fn of(end: Duration) -> Self {
        let lengths = LENGTHS_MS.map(Duration::from_millis);
        let fits = |length: &Duration| *length * INTERVALS_MAX >= end;
        let last = lengths.last().copied().unwrap_or(SLOT);
        Self(lengths.into_iter().find(fits).unwrap_or(last))
    }

    /// How long one is.
    pub fn length(&self) -> Duration {
        self.0
    }

    fn place(&self, at: Duration) -> u32 {
        u32::try_from(at.as_nanos() / self.0.as_nanos()).unwrap_or(u32::MAX)
    }

    fn span(&self, place: u32) -> (f64, f64) {
        let length = self.0.as_secs_f64();
        (f64::from(place) * length, length)
    }

    /// How many of these moments fall into each interval.
    pub fn counts(&self, what: What, name: &str, moments: impl Iterator<Item = (Duration, u64)>) -> Vec<Row> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for (at, count) in moments {
            *counts.entry(self.place(at)).or_default() += count;
        }
        let rows = counts.into_iter().filter(|(_, count)| *count > 0);
        rows.map(|(place, count)| Row::new(what, name, self.span(place), count))
            .collect()
    }

    /// The response times of operations that ended in one way, by when they were due.
    pub fn responses(&self, what: What, name: &str, series: &Series) -> Vec<Row> {
        let mut intervals: BTreeMap<u32, Latencies> = BTreeMap::new();
        for (due, response) in series.iter() {
            intervals.entry(self.place(due)).or_default().record(response);
        }
        let row = |(place, times): (u32, Latencies)| Row {
            p50_ms: times.quantile_ms(0.5),
            p99_ms: times.quantile_ms(0.99),
            max_ms: times.quantile_ms(1.0),
            ..Row::new(what, name, self.span(place), times.count())
        };
        intervals.into_iter().map(row).collect()
    }

    /// The most operations that were due and not answered at once, by when they were due and when they were answered.
    pub fn open(&self, name: &str, operations: impl Iterator<Item = (Duration, Duration)>) -> Vec<Row> {
        let mut changes: BTreeMap<Duration, i64> = BTreeMap::new();
        for (due, answered) in operations {
            *changes.entry(due).or_default() += 1;
            *changes.entry(answered).or_default() -= 1;
        }
        let (mut open, mut last) = (0_i64, 0);
        let mut most: BTreeMap<u32, i64> = BTreeMap::new();
        for (at, change) in changes {
            let place = self.place(at);
            // What was open after the last change stayed so in the intervals between.
            for between in last..=place {
                let held = most.entry(between).or_default();
                *held = (*held).max(open);
            }
            open += change;
            let held = most.entry(place).or_default();
            *held = (*held).max(open);
            last = place;
        }
        let counted = most
            .into_iter()
            .filter_map(|(place, most)| Some((place, u64::try_from(most).ok().filter(|most| *most > 0)?)));
        counted
            .map(|(place, most)| Row::new(What::Open, name, self.span(place), most))
            .collect()
    }
}
