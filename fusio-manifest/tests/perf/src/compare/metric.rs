//! What is compared of a cell.

use crate::summary::{CellSummary, Columns, LogErrors, Spread};

/// A percentile of response times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Percentile {
    /// The median.
    P50,
    /// 95 in 100.
    P95,
    /// 99 in 100.
    P99,
}

impl Percentile {
    /// As a share.
    pub fn quantile(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
        }
    }

    /// Its error, of those of one role.
    pub(super) fn of(self, errors: &LogErrors) -> Option<f64> {
        match self {
            Self::P50 => errors.p50,
            Self::P95 => errors.p95,
            Self::P99 => errors.p99,
        }
    }

    /// Its value of bare requests.
    pub fn of_floor(self, floor: &Floor) -> Option<f64> {
        let ms = match self {
            Self::P50 => floor.p50_ms,
            Self::P95 => floor.p95_ms,
            Self::P99 => floor.p99_ms,
        };
        ms.filter(|ms| *ms > 0.0)
    }
}

/// One number of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Response time of acknowledged writes, ms.
    Write(Percentile),
    /// Response time of successful reads, ms.
    Read(Percentile),
    /// A percentile of writes / the same percentile of the bare conditional PUTs beside them.
    WriteOfFloor(Percentile),
    /// A percentile of reads / the same percentile of the bare conditional GETs beside them.
    ReadOfFloor(Percentile),
    /// The share of attempts that lost their precondition.
    LostPreconditions,
    /// Acknowledged writes a second.
    WriteTps,
    /// Successful reads a second.
    ReadTps,
    /// Requests that callers of writes waited for / acknowledged writes.
    RequestsPerCommit,
    /// The same with maintenance.
    RequestsPerCommitTotal,
    /// Requests that callers of reads waited for / successful reads.
    RequestsPerRead,
}

/// What kind of number it is: how its noise is told, and which direction is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Latency,
    Multiple,
    Share,
    Rate,
    Requests,
}

impl Metric {
    /// Those of the table of two runs, in its order.
    pub const ALL: [Self; 12] = [
        Self::Write(Percentile::P50),
        Self::Write(Percentile::P95),
        Self::Write(Percentile::P99),
        Self::Read(Percentile::P50),
        Self::Read(Percentile::P95),
        Self::Read(Percentile::P99),
        Self::LostPreconditions,
        Self::WriteTps,
        Self::ReadTps,
        Self::RequestsPerCommit,
        Self::RequestsPerCommitTotal,
        Self::RequestsPerRead,
    ];

    /// Its name in the table: the column's, where it is one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write(Percentile::P50) => "write_p50_ms",
            Self::Write(Percentile::P95) => "write_p95_ms",
            Self::Write(Percentile::P99) => "write_p99_ms",
            Self::Read(Percentile::P50) => "read_p50_ms",
            Self::Read(Percentile::P95) => "read_p95_ms",
            Self::Read(Percentile::P99) => "read_p99_ms",
            Self::WriteOfFloor(Percentile::P50) => "write_p50 / bare PUT",
            Self::WriteOfFloor(Percentile::P95) => "write_p95 / bare PUT",
            Self::WriteOfFloor(Percentile::P99) => "write_p99 / bare PUT",
            Self::ReadOfFloor(Percentile::P50) => "read_p50 / bare GET",
            Self::ReadOfFloor(Percentile::P95) => "read_p95 / bare GET",
            Self::ReadOfFloor(Percentile::P99) => "read_p99 / bare GET",
            Self::LostPreconditions => "precondition_failure_rate",
            Self::WriteTps => "write_tps",
            Self::ReadTps => "read_tps",
            Self::RequestsPerCommit => "requests_per_commit_path",
            Self::RequestsPerCommitTotal => "requests_per_commit_total",
            Self::RequestsPerRead => "requests_per_read",
        }
    }

    /// A value as people read it.
    pub fn show(self, value: Option<f64>) -> String {
        let Some(value) = value else {
            return "-".to_owned();
        };
        match self.kind() {
            Kind::Latency => format!("{value:.1}"),
            Kind::Share => format!("{:.2}%", value * 100.0),
            Kind::Rate | Kind::Multiple => format!("{value:.2}"),
            Kind::Requests => format!("{value:.3}"),
        }
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Write(_) | Self::Read(_) => Kind::Latency,
            Self::WriteOfFloor(_) | Self::ReadOfFloor(_) => Kind::Multiple,
            Self::LostPreconditions => Kind::Share,
            Self::WriteTps | Self::ReadTps => Kind::Rate,
            Self::RequestsPerCommit | Self::RequestsPerCommitTotal | Self::RequestsPerRead => Kind::Requests,
        }
    }

    /// Its value in this row; none if there are no samples, or no details where it is among them.
    pub fn value(self, row: &Row) -> Option<f64> {
        match self {
            Self::RequestsPerCommit => row.detail.as_ref()?.requests_per_commit_path,
            Self::RequestsPerCommitTotal => row.detail.as_ref()?.requests_per_commit_total,
            Self::RequestsPerRead => row.detail.as_ref()?.requests_per_read,
            Self::WriteOfFloor(percentile) => {
                let floor = percentile.of_floor(&row.detail.as_ref()?.floor_put)?;
                Some(Self::Write(percentile).of_columns(&row.columns)? / floor)
            }
            Self::ReadOfFloor(percentile) => {
                let floor = percentile.of_floor(&row.detail.as_ref()?.floor_get)?;
                Some(Self::Read(percentile).of_columns(&row.columns)? / floor)
            }
            _ => self.of_columns(&row.columns),
        }
    }

    /// Its value among the 26 columns.
    pub fn of_columns(self, columns: &Columns) -> Option<f64> {
        match self {
            Self::Write(Percentile::P50) => columns.write_p50_ms,
            Self::Write(Percentile::P95) => columns.write_p95_ms,
            Self::Write(Percentile::P99) => columns.write_p99_ms,
            Self::Read(Percentile::P50) => columns.read_p50_ms,
            Self::Read(Percentile::P95) => columns.read_p95_ms,
            Self::Read(Percentile::P99) => columns.read_p99_ms,
            // Nothing is no number: a role without clients has no rate.
            Self::LostPreconditions => (columns.num_writers > 0).then_some(columns.precondition_failure_rate),
            Self::WriteTps => (columns.num_writers > 0).then_some(columns.write_tps),
            Self::ReadTps => (columns.num_readers > 0).then_some(columns.read_tps),
            Self::RequestsPerCommit
            | Self::RequestsPerCommitTotal
            | Self::RequestsPerRead
            | Self::WriteOfFloor(_)
            | Self::ReadOfFloor(_) => None,
        }
    }
}

/// A cell of a run, measured just now or read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The row of the CSV.
    pub columns: Columns,
    /// What is needed of its details, if they are there.
    pub detail: Option<RowDetail>,
}

/// How long the bare requests beside a workload took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Floor {
    /// The median, ms.
    pub p50_ms: Option<f64>,
    /// 95 in 100 took no longer.
    pub p95_ms: Option<f64>,
    /// 99 in 100 took no longer.
    pub p99_ms: Option<f64>,
}

impl From<&Spread> for Floor {
    fn from(spread: &Spread) -> Self {
        Self {
            p50_ms: spread.p50_ms,
            p95_ms: spread.p95_ms,
            p99_ms: spread.p99_ms,
        }
    }
}

/// What a comparison needs of the details. What an older version did not write is none.
#[derive(Debug, Clone, PartialEq)]
pub struct RowDetail {
    /// Whether the load was offered as configured.
    pub valid: bool,
    /// How far the percentiles of writes may be off.
    pub write_log_errors: LogErrors,
    /// How far the percentiles of reads may be off.
    pub read_log_errors: LogErrors,
    /// Requests that callers of writes waited for / acknowledged writes.
    pub requests_per_commit_path: Option<f64>,
    /// The same with maintenance.
    pub requests_per_commit_total: Option<f64>,
    /// Requests that callers of reads waited for / successful reads.
    pub requests_per_read: Option<f64>,
    /// Bare conditional PUTs.
    pub floor_put: Floor,
    /// Bare conditional GETs.
    pub floor_get: Floor,
    /// What an acknowledged write cost at list prices.
    pub dollars_per_commit: Option<f64>,
    /// What a successful read cost.
    pub dollars_per_read: Option<f64>,
}

impl From<&CellSummary> for Row {
    fn from(cell: &CellSummary) -> Self {
        let detail = &cell.detail;
        Self {
            columns: cell.columns.clone(),
            detail: Some(RowDetail {
                valid: detail.validity.is_valid(),
                write_log_errors: detail.write.response_log_errors,
                read_log_errors: detail.read.response_log_errors,
                requests_per_commit_path: detail.requests_per_commit_path,
                requests_per_commit_total: detail.requests_per_commit_total,
                requests_per_read: detail.requests_per_read,
                floor_put: Floor::from(&detail.floor_put),
                floor_get: Floor::from(&detail.floor_get),
                dollars_per_commit: detail.dollars_per_commit,
                dollars_per_read: detail.dollars_per_read,
            }),
        }
    }
}

impl Row {
    /// Acknowledged writes.
    pub(super) fn writes(&self) -> f64 {
        (self.columns.write_tps * self.columns.duration).round()
    }

    /// Successful reads.
    pub(super) fn reads(&self) -> f64 {
        self.columns.total_reads as f64
    }

    /// PUTs of HEAD, about.
    pub(super) fn attempts(&self) -> f64 {
        (self.writes() * (1.0 + self.columns.avg_retry_count)).round()
    }

    /// Those of them that lost, about.
    pub(super) fn lost_attempts(&self) -> f64 {
        self.attempts() * self.columns.precondition_failure_rate
    }
}
