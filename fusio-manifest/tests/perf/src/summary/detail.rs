//! What the 26 columns leave out.

use std::time::Duration;

use super::{CellInput, LATENESS_LIMIT_MS, Validity, conflicts::Conflicts, per, per_second};
use crate::{
    metrics::{Arrival, AttemptCounts, Latencies, OutcomeTimes, Series, Timeline},
    statistics::time_blocks::{blocks_of, log_error},
};

/// Percentiles of one histogram, in ms; none without samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Samples.
    pub samples: u64,
    /// Half of them took no longer.
    pub p50_ms: Option<f64>,
    /// 95 in 100 took no longer.
    pub p95_ms: Option<f64>,
    /// 99 in 100 took no longer.
    pub p99_ms: Option<f64>,
    /// 999 in 1,000 took no longer.
    pub p999_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

impl Spread {
    /// The percentiles of these durations.
    pub fn new(latencies: &Latencies) -> Self {
        Self {
            samples: latencies.count(),
            p50_ms: latencies.quantile_ms(0.5),
            p95_ms: latencies.quantile_ms(0.95),
            p99_ms: latencies.quantile_ms(0.99),
            p999_ms: latencies.quantile_ms(0.999),
            max_ms: latencies.max_ms(),
        }
    }
}

/// How far percentiles may be off: the standard error of the logarithm of each, about its relative error, from
/// blocks of time of the run. It says nothing of what changes from run to run. None with too few samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LogErrors {
    /// Of the p50.
    pub p50: Option<f64>,
    /// Of the p95.
    pub p95: Option<f64>,
    /// Of the p99.
    pub p99: Option<f64>,
}

impl LogErrors {
    /// Of these response times, of a measurement that lasted this long. Of blocks and blocks twice as long the one
    /// that tells more is right: what lasts longer than a block makes neighbours alike.
    pub fn new(series: &Series, measured: Duration) -> Self {
        let Some(number) = blocks_of(series.len()) else {
            return Self::default();
        };
        let blocks = series.blocks(measured, number);
        let long = series.blocks(measured, number / 2);
        let error = |quantile| {
            let error = log_error(&blocks, quantile)?;
            Some(log_error(&long, quantile).map_or(error, |long| error.max(long)))
        };
        Self {
            p50: error(0.5),
            p95: error(0.95),
            p99: error(0.99),
        }
    }
}

/// How one role's load was offered and served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Operations due / measured seconds.
    pub offered_rate: f64,
    /// Successes completed within the measurement / measured seconds: below the offered rate if a queue grew.
    pub achieved_rate: f64,
    /// Arrivals that were never issued.
    pub dropped: u64,
    /// The most operations of one client that were open at once.
    pub in_flight_max: u64,
    /// The most operations of one client that waited for an earlier one.
    pub backlog_max: u64,
    /// Response times of successes: due to answer.
    pub response: Spread,
    /// Service times of successes: begun to answer.
    pub service: Spread,
    /// How far the percentiles of the response times may be off.
    pub response_log_errors: LogErrors,
}

impl Load {
    fn new(arrival: &Arrival, times: &OutcomeTimes, measured: Duration) -> Self {
        Self {
            offered_rate: per_second(arrival.offered(), measured),
            achieved_rate: per_second(arrival.succeeded_in_window, measured),
            dropped: arrival.dropped,
            in_flight_max: arrival.in_flight_max,
            backlog_max: arrival.backlog_max,
            response: Spread::new(&times.response.total()),
            service: Spread::new(&times.service),
            response_log_errors: LogErrors::new(&times.series, measured),
        }
    }
}

/// Everything about a cell that its row of 26 columns leaves out.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    /// The writers' load.
    pub write: Load,
    /// The readers' load.
    pub read: Load,
    /// How late the generator issued operations of all clients.
    pub lateness: Spread,
    /// Samples of any histogram that were longer than 60 s and count as 60 s.
    pub saturated: u64,
    /// Writes that ended, whatever came of them.
    pub writes: u64,
    /// Writes that failed for another reason than a lost race.
    pub writes_failed: u64,
    /// Writes whose outcome is unknown.
    pub writes_unknown: u64,
    /// Reads that failed.
    pub reads_failed: u64,
    /// Every PUT of HEAD by what came of it.
    pub attempts: AttemptCounts,
    /// Attempts that lost their precondition: how many did, and how many should.
    pub conflicts: Conflicts,
    /// Jain's index over the acknowledged writes x of n writers, (sum x)^2 / (n sum x^2): 1 if all got the same
    /// through, 1/n if one got everything. None without writers or successes.
    pub jain: Option<f64>,
    /// The most PUTs in a row that one writer lost.
    pub losing_streak_max: u64,
    /// Reads that missed a commit acknowledged before they were invoked.
    pub stale_reads: u64,
    /// The most commits that one read missed.
    pub behind_max: u64,
    /// Response times of bare conditional PUTs.
    pub floor_put: Spread,
    /// Response times of bare conditional GETs.
    pub floor_get: Spread,
    /// Response p50 of writes / p50 of bare PUTs.
    pub commit_floor_ratio: Option<f64>,
    /// Response p50 of reads / p50 of bare GETs.
    pub read_floor_ratio: Option<f64>,
    /// Requests that callers of writes waited for / acknowledged writes.
    pub requests_per_commit_path: Option<f64>,
    /// The same with the engine's maintenance.
    pub requests_per_commit_total: Option<f64>,
    /// Requests that callers of reads waited for / successful reads.
    pub requests_per_read: Option<f64>,
    /// Dollars for writers' requests and maintenance / acknowledged writes.
    pub dollars_per_commit: Option<f64>,
    /// Dollars for readers' requests / successful reads.
    pub dollars_per_read: Option<f64>,
    /// Dollars for attempts that lost their precondition.
    pub dollars_lost_races: f64,
    /// Dollars for everything that was sent.
    pub dollars_total: f64,
    /// The prices used.
    pub price_table: &'static str,
    /// Whether the load was offered as configured.
    pub validity: Validity,
}

impl Detail {
    pub(super) fn new(input: &CellInput<'_>) -> Self {
        let CellInput {
            metrics,
            measured,
            requests,
            prices,
            ..
        } = *input;
        let (writer, reader) = (&metrics.writer, &metrics.reader);
        let write = Load::new(&writer.arrival, &writer.acknowledged, measured);
        let read = Load::new(&reader.arrival, &reader.succeeded, measured);
        let (commits, reads) = (writer.acknowledged.count(), reader.succeeded.count());
        let mut lateness = writer.arrival.lateness.clone();
        lateness.merge(&reader.arrival.lateness);
        let lateness = Spread::new(&lateness);
        let (floor_put, floor_get) = (
            Spread::new(&input.floor_put.total()),
            Spread::new(&input.floor_get.total()),
        );
        let writing = requests.writers.plus(&requests.maintenance);
        let lost = writer.attempts.lost_precondition();
        Self {
            saturated: saturated(input),
            writes: writer.count(),
            writes_failed: writer.failed.count(),
            writes_unknown: writer.unknown.count(),
            reads_failed: reader.failed.count(),
            attempts: writer.attempts,
            conflicts: Conflicts::new(writer, measured),
            jain: jain(&writer.acknowledged_by_writer),
            losing_streak_max: writer.losing_streak_max,
            stale_reads: reader.stale,
            behind_max: reader.behind_max,
            commit_floor_ratio: ratio(write.response.p50_ms, floor_put.p50_ms),
            read_floor_ratio: ratio(read.response.p50_ms, floor_get.p50_ms),
            requests_per_commit_path: per(requests.writers.requests() as f64, commits),
            requests_per_commit_total: per(writing.requests() as f64, commits),
            requests_per_read: per(requests.readers.requests() as f64, reads),
            dollars_per_commit: per(prices.dollars(&writing), commits),
            dollars_per_read: per(prices.dollars(&requests.readers), reads),
            dollars_lost_races: prices.dollars_of_lost(lost, &requests.writers),
            dollars_total: prices.dollars(&requests.total),
            price_table: prices.name,
            validity: validity(&lateness, write.dropped, read.dropped),
            write,
            read,
            lateness,
            floor_put,
            floor_get,
        }
    }

    /// Arrivals of all clients that were never issued.
    pub fn dropped(&self) -> u64 {
        self.write.dropped + self.read.dropped
    }
}

fn saturated(input: &CellInput<'_>) -> u64 {
    let (writer, reader) = (&input.metrics.writer, &input.metrics.reader);
    let responses = [
        &writer.acknowledged,
        &writer.given_up,
        &writer.failed,
        &writer.unknown,
        &reader.succeeded,
        &reader.failed,
    ]
    .map(|times| &times.response);
    let others = [&writer.lost_attempts, input.floor_put, input.floor_get];
    let lateness = [&writer.arrival.lateness, &reader.arrival.lateness];
    let timelines = responses.into_iter().chain(others).map(Timeline::above_range);
    timelines.chain(lateness.map(Latencies::above_range)).sum()
}

/// Jain's index, (sum x)^2 / (n sum x^2): 1 if all got the same, 1/n if one got everything. None if nobody got
/// anything.
pub fn jain(successes: &[u64]) -> Option<f64> {
    let sum: f64 = successes.iter().map(|&x| x as f64).sum();
    let squares: f64 = successes.iter().map(|&x| (x as f64).powi(2)).sum();
    (squares > 0.0).then(|| sum * sum / (successes.len() as f64 * squares))
}

fn ratio(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    Some(part? / whole?)
}

fn validity(lateness: &Spread, writes_dropped: u64, reads_dropped: u64) -> Validity {
    let mut reasons = Vec::new();
    match lateness.p99_ms {
        None => reasons.push("no operation was issued".to_owned()),
        Some(p99) if p99 > LATENESS_LIMIT_MS => {
            reasons.push(format!(
                "p99 lateness {p99:.1} ms is above {LATENESS_LIMIT_MS:.1} ms"
            ));
        }
        Some(_) => {}
    }
    if writes_dropped + reads_dropped > 0 {
        reasons.push(format!(
            "dropped {writes_dropped} writes and {reads_dropped} reads"
        ));
    }
    if reasons.is_empty() {
        Validity::Valid
    } else {
        Validity::Invalid(reasons.join("; "))
    }
}
