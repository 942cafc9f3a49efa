//! What the clients of the process count: fixed in size, however long they run.

use std::time::Duration;

use parking_lot::Mutex;

use super::row::Row;
use crate::{history::Outcome, metrics::Latencies};

/// Shared by all clients; taken once an interval.
#[derive(Debug, Default)]
pub(super) struct Counts {
    counted: Mutex<Row>,
    commits: Mutex<Latencies>,
    reads: Mutex<Latencies>,
}

impl Counts {
    pub(super) fn offer(&self, field: fn(&mut Row) -> &mut u64) {
        *field(&mut self.counted.lock()) += 1;
    }

    pub(super) fn drop_one(&self) {
        self.counted.lock().dropped += 1;
    }

    /// A transaction was answered this long after it was due.
    pub(super) fn committed(&self, outcome: Outcome, large: bool, response: Duration) {
        let mut counted = self.counted.lock();
        match outcome {
            Outcome::Ok { .. } => counted.commits += 1,
            Outcome::Conflict { .. } => counted.conflicts += 1,
            Outcome::Failed { .. } => counted.commits_failed += 1,
            Outcome::Unknown { .. } => counted.commits_unknown += 1,
        }
        drop(counted);
        if !large && matches!(outcome, Outcome::Ok { .. }) {
            self.commits.lock().record(response);
        }
    }

    pub(super) fn read(&self, response: Duration) {
        self.counted.lock().reads += 1;
        self.reads.lock().record(response);
    }

    /// What was counted since the last call.
    pub(super) fn take(&self) -> Row {
        let mut row = std::mem::take(&mut *self.counted.lock());
        let [commits, reads] = [&self.commits, &self.reads].map(|times| std::mem::take(&mut *times.lock()));
        row.commit_p50_ms = commits.quantile_ms(0.5);
        row.commit_p99_ms = commits.quantile_ms(0.99);
        row.read_p50_ms = reads.quantile_ms(0.5);
        row.read_p99_ms = reads.quantile_ms(0.99);
        row
    }
}
