//! What a cell amounts to: every number of the reports, from what its clients measured. Pure arithmetic.

use std::time::Duration;

use crate::{
    config::{WorkloadConfig, create_config_label},
    interval_log::{CellIntervals, Series, series},
    metrics::{MetricsCollector, Timeline, WriterMetrics},
    price::PriceTable,
    requests::CellRequests,
};

mod columns;
mod conflicts;
mod detail;
#[cfg(test)]
mod tests;

pub use columns::Columns;
pub use conflicts::Conflicts;
pub use detail::{Detail, Load, LogErrors, Spread, jain};

/// A cell whose p99 lateness is above this is invalid: the generator did not keep its schedule.
pub const LATENESS_LIMIT_MS: f64 = 5.0;

/// Percentiles of fewer samples are marked: a p99 of them is little more than the maximum.
pub const SAMPLES_ENOUGH: u64 = 100;

/// What a cell left behind.
#[derive(Debug, Clone, Copy)]
pub struct CellInput<'a> {
    /// The load that was offered.
    pub config: &'a WorkloadConfig,
    /// How long operations fell due: shorter than configured if the run was interrupted.
    pub measured: Duration,
    /// All clients, merged.
    pub metrics: &'a MetricsCollector,
    /// Response times of the bare conditional PUTs.
    pub floor_put: &'a Timeline,
    /// Response times of the bare conditional GETs.
    pub floor_get: &'a Timeline,
    /// What was sent.
    pub requests: &'a CellRequests,
    /// What it costs.
    pub prices: &'static PriceTable,
}

/// A cell's results.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSummary {
    /// The row of the CSV.
    pub columns: Columns,
    /// Everything else.
    pub detail: Detail,
    /// The requests by class and purpose.
    pub requests: CellRequests,
    /// The times by role and outcome, as they went.
    pub series: Vec<Series>,
    /// When the measurement began, since the epoch of Unix; in virtual time, and if nobody said, since its beginning.
    pub began: Duration,
}

/// Whether the generator offered the load that it was to offer. It says nothing about the store's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// It did.
    Valid,
    /// It did not, for this reason.
    Invalid(String),
}

impl Validity {
    /// True if the load was offered as configured.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Valid => true,
            Self::Invalid(_) => false,
        }
    }

    /// Why it is invalid.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Valid => None,
            Self::Invalid(reason) => Some(reason),
        }
    }
}

impl CellSummary {
    /// Works out every number of a cell.
    pub fn new(input: &CellInput<'_>) -> Self {
        Self {
            columns: Columns::new(input),
            detail: Detail::new(input),
            requests: *input.requests,
            series: series(input.metrics, input.floor_put, input.floor_get),
            began: Duration::ZERO,
        }
    }

    /// What it has to log.
    pub fn intervals(&self) -> CellIntervals<'_> {
        CellIntervals {
            label: self.label(),
            began: self.began,
            series: &self.series,
        }
    }

    /// The cell's name.
    pub fn label(&self) -> &str {
        &self.columns.config_label
    }
}

/// `part / whole`, and 0 if there is no whole: a rate of nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// `part / whole`; none if there is no whole.
fn per(part: f64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part / whole as f64)
}

/// `count` per measured second; 0 if nothing was measured.
fn per_second(count: u64, measured: Duration) -> f64 {
    if measured.is_zero() {
        0.0
    } else {
        count as f64 / measured.as_secs_f64()
    }
}
