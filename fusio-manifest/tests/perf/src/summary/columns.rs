//! The 26 columns of the CSV.

use serde::{Deserialize, Serialize};

use super::{CellInput, WriterMetrics, create_config_label, per_second, share};

/// One row of the CSV. The fields are its columns, in their order; neither changes.
///
/// Percentiles are none, an empty field, without samples; shares of nothing are 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// The cell's name.
    pub config_label: String,
    /// Writers.
    pub num_writers: u32,
    /// Readers.
    pub num_readers: u32,
    /// Commits/s that each writer offered.
    pub writer_rate: f64,
    /// Reads/s that each reader offered.
    pub reader_rate: f64,
    /// Keys that a read-modify-writer draws from.
    pub key_pool_size: u32,
    /// The share of them that all writers have in common.
    pub key_overlap_ratio: f64,
    /// Retries that a write was allowed.
    pub max_retry_count: u32,
    /// Measured seconds.
    pub duration: f64,
    /// Attempts that lost their precondition / attempts.
    pub precondition_failure_rate: f64,
    /// Acknowledged writes due within the measurement / measured seconds.
    pub write_tps: f64,
    /// Successful reads due within the measurement / measured seconds.
    pub read_tps: f64,
    /// Response time (due to answer) of acknowledged writes, ms.
    pub write_p50_ms: Option<f64>,
    /// The same.
    pub write_p95_ms: Option<f64>,
    /// The same.
    pub write_p99_ms: Option<f64>,
    /// Duration of attempts that lost their precondition, ms.
    pub precond_p50_ms: Option<f64>,
    /// The same.
    pub precond_p99_ms: Option<f64>,
    /// Response time (due to answer) of successful reads, ms.
    pub read_p50_ms: Option<f64>,
    /// The same.
    pub read_p95_ms: Option<f64>,
    /// The same.
    pub read_p99_ms: Option<f64>,
    /// (Attempts - writes that made one) / writes.
    pub avg_retry_count: f64,
    /// Successful reads.
    pub total_reads: u64,
    /// Attempts after the first of their write that lost their precondition.
    pub total_retry_failures: u64,
    /// Writes given up after `max_retry_count` retries.
    pub total_max_retries_exceeded: u64,
    /// `total_retry_failures` / retries.
    pub retry_failure_rate: f64,
    /// Retries that committed / retries.
    pub retry_success_rate: f64,
}

impl Columns {
    /// The names, in their order.
    pub const NAMES: [&'static str; 26] = [
        "config_label",
        "num_writers",
        "num_readers",
        "writer_rate",
        "reader_rate",
        "key_pool_size",
        "key_overlap_ratio",
        "max_retry_count",
        "duration",
        "precondition_failure_rate",
        "write_tps",
        "read_tps",
        "write_p50_ms",
        "write_p95_ms",
        "write_p99_ms",
        "precond_p50_ms",
        "precond_p99_ms",
        "read_p50_ms",
        "read_p95_ms",
        "read_p99_ms",
        "avg_retry_count",
        "total_reads",
        "total_retry_failures",
        "total_max_retries_exceeded",
        "retry_failure_rate",
        "retry_success_rate",
    ];

    pub(super) fn new(input: &CellInput<'_>) -> Self {
        let CellInput {
            config,
            measured,
            metrics,
            ..
        } = *input;
        let (writer, reader) = (&metrics.writer, &metrics.reader);
        let WriterMetrics {
            attempts,
            retries,
            lost_attempts,
            ..
        } = writer;
        let (writes, reads) = (
            writer.acknowledged.response.total(),
            reader.succeeded.response.total(),
        );
        let lost_attempts = lost_attempts.total();
        Self {
            config_label: create_config_label(config),
            num_writers: config.num_writers,
            num_readers: config.num_readers,
            writer_rate: config.writer_rate,
            reader_rate: config.reader_rate,
            key_pool_size: config.keys.size,
            key_overlap_ratio: config.keys.overlap_ratio,
            max_retry_count: config.max_retry_count,
            duration: measured.as_secs_f64(),
            precondition_failure_rate: share(attempts.lost_precondition(), attempts.total()),
            write_tps: per_second(writes.count(), measured),
            read_tps: per_second(reads.count(), measured),
            write_p50_ms: writes.quantile_ms(0.5),
            write_p95_ms: writes.quantile_ms(0.95),
            write_p99_ms: writes.quantile_ms(0.99),
            precond_p50_ms: lost_attempts.quantile_ms(0.5),
            precond_p99_ms: lost_attempts.quantile_ms(0.99),
            read_p50_ms: reads.quantile_ms(0.5),
            read_p95_ms: reads.quantile_ms(0.95),
            read_p99_ms: reads.quantile_ms(0.99),
            avg_retry_count: share(retries.total(), writer.count()),
            total_reads: reads.count(),
            total_retry_failures: retries.lost_precondition(),
            total_max_retries_exceeded: writer.given_up.count(),
            retry_failure_rate: share(retries.lost_precondition(), retries.total()),
            retry_success_rate: share(retries.committed, retries.total()),
        }
    }
}
