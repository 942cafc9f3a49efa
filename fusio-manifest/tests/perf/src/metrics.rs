//! What the clients of a cell measured.
//!
//! Each client has a [`MetricsCollector`] of its own, so that recording takes no lock; they are merged by
//! addition, and a percentile is taken of the merged histogram, never averaged over clients.

use std::time::Duration;

use fusio_manifest::Moment;

mod latencies;
mod sample;
mod series;
#[cfg(test)]
mod tests;

pub use latencies::{Latencies, Timeline};
pub use sample::{AttemptResult, AttemptSample, ReadOutcome, ReadSample, Role, WriteOutcome, WriteSample};
pub use series::Series;

/// The times of operations that ended the same way.
#[derive(Debug, Clone, Default)]
pub struct OutcomeTimes {
    /// Completed minus due: what a user waited for, by when it was due.
    pub response: Timeline,
    /// Completed minus started: what the operation itself took.
    pub service: Latencies,
    /// The response times once more, with the times at which they were due.
    pub series: Series,
}

impl OutcomeTimes {
    /// How many operations ended so.
    pub fn count(&self) -> u64 {
        self.response.count()
    }

    fn record(&mut self, due: Duration, started: Duration, completed: Duration) {
        let response = completed.saturating_sub(due);
        self.response.record(due, response);
        self.series.push(due, response);
        self.service.record(completed.saturating_sub(started));
    }

    fn merge(&mut self, other: &Self) {
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.series.merge(&other.series);
    }
}

/// How the generator and the queues of one role fared.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// Issued minus due: how late the generator itself was.
    pub lateness: Latencies,
    /// Arrivals that were not issued because too many operations were open.
    pub dropped: u64,
    /// The most operations of one client that were open at once.
    pub in_flight_max: u64,
    /// The most operations of one client that waited for an earlier one.
    pub backlog_max: u64,
    /// Successes that completed before the measurement ended.
    pub succeeded_in_window: u64,
}

impl Arrival {
    /// How many operations the schedule wanted: those issued and those dropped.
    pub fn offered(&self) -> u64 {
        self.lateness.count() + self.dropped
    }

    fn merge(&mut self, other: &Self) {
        self.lateness.merge(&other.lateness);
        self.dropped += other.dropped;
        self.in_flight_max = self.in_flight_max.max(other.in_flight_max);
        self.backlog_max = self.backlog_max.max(other.backlog_max);
        self.succeeded_in_window += other.succeeded_in_window;
    }
}

/// How many PUTs of HEAD came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// Landed.
    pub committed: u64,
    /// Lost to another writer (412).
    pub lost_race: u64,
    /// Lost to a concurrent request (409).
    pub lost_conflict: u64,
    /// Met their own earlier copy.
    pub own_earlier_success: u64,
    /// Found no HEAD (404).
    pub head_missing: u64,
    /// Refused or never sent.
    pub refused: u64,
    /// Without an answer that proves anything.
    pub unknown: u64,
}

impl AttemptCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.lost_precondition() + self.committed + self.refused + self.unknown
    }

    /// Those whose precondition did not hold.
    pub fn lost_precondition(&self) -> u64 {
        self.lost_race + self.lost_conflict + self.own_earlier_success + self.head_missing
    }

    fn count(&mut self, outcome: AttemptResult) {
        *match outcome {
            AttemptResult::Committed => &mut self.committed,
            AttemptResult::LostRace => &mut self.lost_race,
            AttemptResult::LostConflict => &mut self.lost_conflict,
            AttemptResult::OwnEarlierSuccess => &mut self.own_earlier_success,
            AttemptResult::HeadMissing => &mut self.head_missing,
            AttemptResult::Refused => &mut self.refused,
            AttemptResult::Unknown => &mut self.unknown,
        } += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.committed += other.committed;
        self.lost_race += other.lost_race;
        self.lost_conflict += other.lost_conflict;
        self.own_earlier_success += other.own_earlier_success;
        self.head_missing += other.head_missing;
        self.refused += other.refused;
        self.unknown += other.unknown;
    }
}

/// What writers measured.
#[derive(Debug, Clone, Default)]
pub struct WriterMetrics {
    /// Writes that committed.
    pub acknowledged: OutcomeTimes,
    /// Writes that lost too often.
    pub given_up: OutcomeTimes,
    /// Writes that failed.
    pub failed: OutcomeTimes,
    /// Writes whose outcome is unknown.
    pub unknown: OutcomeTimes,
    /// The generator's side.
    pub arrival: Arrival,
    /// Every PUT of HEAD.
    pub attempts: AttemptCounts,
    /// The PUTs of HEAD after the first of their write.
    pub retries: AttemptCounts,
    /// Durations of the PUTs that lost their precondition, by when their write was due.
    pub lost_attempts: Timeline,
    /// When PUTs were answered that lost their precondition, since the start of the measurement, and how long they took.
    pub lost: Series,
    /// The same of every PUT after the first of its write.
    pub repeated: Series,
    /// How long each PUT was at risk, from the sending of the request that showed its base last to its own answer.
    pub windows: Latencies,
    /// Acknowledged writes of each writer.
    pub acknowledged_by_writer: Vec<u64>,
    /// The most PUTs in a row that one writer lost.
    pub losing_streak_max: u64,
    losing_streak: u64,
}

impl WriterMetrics {
    /// How many writes ended, whatever came of them.
    pub fn count(&self) -> u64 {
        self.acknowledged.count() + self.given_up.count() + self.failed.count() + self.unknown.count()
    }

    fn record(&mut self, sample: &WriteSample, t0: Moment) {
        let times = match sample.outcome {
            WriteOutcome::Acknowledged => &mut self.acknowledged,
            WriteOutcome::GivenUp => &mut self.given_up,
            WriteOutcome::Failed => &mut self.failed,
            WriteOutcome::Unknown => &mut self.unknown,
        };
        times.record(sample.due, sample.started, sample.completed);
        if sample.outcome == WriteOutcome::Acknowledged {
            // A client's own collector holds one entry, its own.
            if let Some(own) = self.acknowledged_by_writer.first_mut() {
                *own += 1;
            }
        }
        for (place, attempt) in sample.attempts.iter().enumerate() {
            self.attempts.count(attempt.outcome);
            self.windows.record(attempt.window);
            let answered = (attempt.sent + attempt.duration).saturating_sub(t0);
            if place > 0 {
                self.retries.count(attempt.outcome);
                self.repeated.push(answered, attempt.duration);
            }
            if attempt.outcome.lost_precondition() {
                self.lost.push(answered, attempt.duration);
                self.lost_attempts.record(sample.due, attempt.duration);
                self.losing_streak += 1;
                self.losing_streak_max = self.losing_streak_max.max(self.losing_streak);
            } else {
                self.losing_streak = 0;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.acknowledged.merge(&other.acknowledged);
        self.given_up.merge(&other.given_up);
        self.failed.merge(&other.failed);
        self.unknown.merge(&other.unknown);
        self.arrival.merge(&other.arrival);
        self.attempts.merge(&other.attempts);
        self.retries.merge(&other.retries);
        self.lost_attempts.merge(&other.lost_attempts);
        self.lost.merge(&other.lost);
        self.repeated.merge(&other.repeated);
        self.windows.merge(&other.windows);
        self.acknowledged_by_writer.extend(&other.acknowledged_by_writer);
        self.losing_streak_max = self.losing_streak_max.max(other.losing_streak_max);
    }
}

/// What readers measured.
#[derive(Debug, Clone, Default)]
pub struct ReaderMetrics {
    /// Reads that returned a version.
    pub succeeded: OutcomeTimes,
    /// Reads that failed.
    pub failed: OutcomeTimes,
    /// The generator's side.
    pub arrival: Arrival,
    /// Reads that missed a commit acknowledged before they were invoked.
    pub stale: u64,
    /// The most commits that one read missed.
    pub behind_max: u64,
}

impl ReaderMetrics {
    fn record(&mut self, sample: &ReadSample) {
        let times = match sample.outcome {
            ReadOutcome::Read { behind } => {
                self.stale += u64::from(behind > 0);
                self.behind_max = self.behind_max.max(behind);
                &mut self.succeeded
            }
            ReadOutcome::Failed => &mut self.failed,
        };
        times.record(sample.due, sample.started, sample.completed);
    }

    fn merge(&mut self, other: &Self) {
        self.succeeded.merge(&other.succeeded);
        self.failed.merge(&other.failed);
        self.arrival.merge(&other.arrival);
        self.stale += other.stale;
        self.behind_max = self.behind_max.max(other.behind_max);
    }
}

/// What one client measured, or by [`merged`](Self::merged) all clients of a cell.
///
/// Only operations due within the measurement count; later ones are let go here, and are the checker's
/// business alone. Operations of the warm-up are not to be recorded: times are since the measurement's start.
#[derive(Debug, Clone)]
pub struct MetricsCollector {
    window: Duration,
    /// When the measurement began, on the run's clock.
    pub t0: Moment,
    /// What writers measured.
    pub writer: WriterMetrics,
    /// What readers measured.
    pub reader: ReaderMetrics,
}

impl MetricsCollector {
    /// A collector for one client of a measurement that lasts `window`.
    pub fn new(role: Role, window: Duration) -> Self {
        let mut collector = Self::empty(window);
        if role == Role::Writer {
            collector.writer.acknowledged_by_writer.push(0);
        }
        collector
    }

    /// The sum of all clients' collectors.
    pub fn merged<'a>(window: Duration, clients: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::empty(window);
        for client in clients {
            sum.writer.merge(&client.writer);
            sum.reader.merge(&client.reader);
        }
        sum
    }

    /// Counts everything as due so much later: for one of several measurements that are merged.
    pub fn delay(&mut self, by: Duration) {
        let (writer, reader) = (&mut self.writer, &mut self.reader);
        for times in [
            &mut writer.acknowledged,
            &mut writer.given_up,
            &mut writer.failed,
            &mut writer.unknown,
            &mut reader.succeeded,
            &mut reader.failed,
        ] {
            times.response.delay(by);
            times.series.delay(by);
        }
        writer.lost.delay(by);
        writer.repeated.delay(by);
    }

    /// Adds a write that ended.
    pub fn record_write(&mut self, sample: &WriteSample) {
        if sample.due >= self.window {
            return;
        }
        self.writer.record(sample, self.t0);
        let arrival = &mut self.writer.arrival;
        arrival.lateness.record(sample.issued.saturating_sub(sample.due));
        let succeeded = sample.outcome == WriteOutcome::Acknowledged;
        arrival.succeeded_in_window += u64::from(succeeded && sample.completed <= self.window);
    }

    /// Adds a read that ended.
    pub fn record_read(&mut self, sample: &ReadSample) {
        if sample.due >= self.window {
            return;
        }
        self.reader.record(sample);
        let arrival = &mut self.reader.arrival;
        arrival.lateness.record(sample.issued.saturating_sub(sample.due));
        let succeeded = sample.outcome != ReadOutcome::Failed;
        arrival.succeeded_in_window += u64::from(succeeded && sample.completed <= self.window);
    }

    /// Counts an arrival that was not issued because too many operations were open.
    pub fn record_dropped(&mut self, role: Role, due: Duration) {
        if due < self.window {
            self.arrival(role).dropped += 1;
        }
    }

    /// Notes how many operations of this client are open.
    pub fn record_in_flight(&mut self, role: Role, open: u64) {
        let arrival = self.arrival(role);
        arrival.in_flight_max = arrival.in_flight_max.max(open);
    }

    /// Notes how many operations of this client wait for an earlier one.
    pub fn record_backlog(&mut self, role: Role, waiting: u64) {
        let arrival = self.arrival(role);
        arrival.backlog_max = arrival.backlog_max.max(waiting);
    }

    fn arrival(&mut self, role: Role) -> &mut Arrival {
        match role {
            Role::Writer => &mut self.writer.arrival,
            Role::Reader => &mut self.reader.arrival,
        }
    }

    fn empty(window: Duration) -> Self {
        Self {
            window,
            t0: Moment::ZERO,
            writer: WriterMetrics::default(),
            reader: ReaderMetrics::default(),
        }
    }
}
