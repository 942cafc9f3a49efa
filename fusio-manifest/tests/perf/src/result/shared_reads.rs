//! The fields of `test_shared_reads`.

use serde::{Deserialize, Serialize};

use super::rounded;
use crate::summary::CellSummary;

/// The fields of `test_shared_reads`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharedReadsFields {
    /// One for each number of looks at HEAD that may be on the wire at once.
    pub points: Vec<SharedReadsPoint>,
}

/// One point. Numbers without samples are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharedReadsPoint {
    /// Looks at HEAD that may be on the wire at once.
    pub refreshes_in_flight: usize,
    /// Response time of reads.
    #[serde(serialize_with = "rounded")]
    pub read_p50_ms: Option<f64>,
    /// Response time of reads.
    #[serde(serialize_with = "rounded")]
    pub read_p99_ms: Option<f64>,
    /// Bare conditional GET.
    #[serde(serialize_with = "rounded")]
    pub floor_get_p50_ms: Option<f64>,
    /// GETs of the readers' handle, per second.
    #[serde(serialize_with = "rounded")]
    pub gets_per_s: Option<f64>,
    /// Requests that callers waited for, per read.
    #[serde(serialize_with = "rounded")]
    pub requests_per_read: Option<f64>,
    /// What a million reads cost.
    #[serde(serialize_with = "rounded")]
    pub dollars_per_million_reads: Option<f64>,
}

impl SharedReadsPoint {
    /// The point of this cell.
    pub fn new(refreshes_in_flight: usize, cell: &CellSummary) -> Self {
        let (detail, readers) = (&cell.detail, &cell.requests.readers);
        let gets = readers.conditional_get.requests + readers.get.requests;
        let seconds = cell.columns.duration;
        Self {
            refreshes_in_flight,
            read_p50_ms: detail.read.response.p50_ms,
            read_p99_ms: detail.read.response.p99_ms,
            floor_get_p50_ms: detail.floor_get.p50_ms,
            gets_per_s: (seconds > 0.0).then(|| gets as f64 / seconds),
            requests_per_read: detail.requests_per_read,
            dollars_per_million_reads: detail.dollars_per_read.map(|dollars| dollars * 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn a_point_tells_what_its_cell_measured() {
        let cell = example::cell();
        let point = SharedReadsPoint::new(4, &cell);
        assert_eq!(point.refreshes_in_flight, 4);
        assert_eq!(point.read_p50_ms, cell.columns.read_p50_ms);
        assert_eq!(point.requests_per_read, cell.detail.requests_per_read);
        let gets = cell.requests.readers.conditional_get.requests + cell.requests.readers.get.requests;
        assert_eq!(point.gets_per_s, Some(gets as f64 / cell.columns.duration));
        let per_million = cell.detail.dollars_per_read.map(|dollars| dollars * 1e6);
        assert_eq!(point.dollars_per_million_reads, per_million);
        assert!(gets > 0 && per_million.is_some());
    }
}
