//! What the embedded endpoint was asked for: counts of everything, and the latest requests one by one.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use parking_lot::Mutex;

use crate::latency::RequestClass;

/// How many of the latest requests are kept one by one (about 10 MB). Counts are of all requests.
pub const ENTRIES_MAX: usize = 65_536;

/// One request, as the endpoint saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// Its class.
    pub class: RequestClass,
    /// Its key; of a listing the prefix; empty if its address names none.
    pub key: String,
    /// The HTTP status of the answer; none if a fault took the answer away.
    pub status: Option<u16>,
    /// Length of the request's body.
    pub bytes_in: u64,
    /// Length of the answer's body.
    pub bytes_out: u64,
    /// The delay that was drawn from the profile, without that of the answer's bytes and of faults.
    pub drawn: Duration,
    /// The injected delay that really elapsed: `drawn`, the answer's bytes, faults, and the timer's error.
    pub delay: Duration,
    /// When it arrived, since the endpoint was started.
    pub at: Duration,
}

/// The sums of one class of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassCounts {
    /// Requests that arrived whole, answered or not.
    pub requests: u64,
    /// Those whose answer a fault took away.
    pub unanswered: u64,
    /// Lengths of the bodies of requests.
    pub bytes_in: u64,
    /// Lengths of the bodies of answers.
    pub bytes_out: u64,
    /// Answers by HTTP status.
    pub statuses: BTreeMap<u16, u64>,
}

/// The requests by class; a class without requests is missing.
pub type RequestCounts = BTreeMap<RequestClass, ClassCounts>;

/// A copy of the log at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestSnapshot {
    /// Sums over all requests.
    pub counts: RequestCounts,
    /// The latest requests, at most [`ENTRIES_MAX`], in the order in which they were finished.
    pub latest: VecDeque<LoggedRequest>,
}

/// The log itself.
#[derive(Debug, Default)]
pub(super) struct RequestLog(Mutex<RequestSnapshot>);

impl RequestLog {
    pub(super) fn record(&self, request: LoggedRequest) {
        let mut log = self.0.lock();
        log.counts.entry(request.class).or_default().add(&request);
        if log.latest.len() == ENTRIES_MAX {
            log.latest.pop_front();
        }
        log.latest.push_back(request);
    }

    pub(super) fn counts(&self) -> RequestCounts {
        self.0.lock().counts.clone()
    }

    pub(super) fn snapshot(&self) -> RequestSnapshot {
        self.0.lock().clone()
    }
}

impl ClassCounts {
    fn add(&mut self, request: &LoggedRequest) {
        self.requests += 1;
        self.bytes_in += request.bytes_in;
        self.bytes_out += request.bytes_out;
        match request.status {
            Some(status) => *self.statuses.entry(status).or_default() += 1,
            None => self.unanswered += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(status: Option<u16>, at: u64) -> LoggedRequest {
        LoggedRequest {
            class: RequestClass::Cas,
            key: "k".to_owned(),
            status,
            bytes_in: 10,
            bytes_out: 2,
            drawn: Duration::ZERO,
            delay: Duration::ZERO,
            at: Duration::from_nanos(at),
        }
    }

    #[test]
    fn memory_is_bounded_and_counts_are_not() {
        let log = RequestLog::default();
        let total = u64::try_from(ENTRIES_MAX).unwrap() + 5;
        for at in 0..total {
            log.record(request(Some(200), at));
        }
        let RequestSnapshot { counts, latest } = log.snapshot();
        assert_eq!(counts[&RequestClass::Cas].requests, total);
        assert_eq!(latest.len(), ENTRIES_MAX);
        assert_eq!(latest[0].at, Duration::from_nanos(5));
    }

    #[test]
    fn counts_are_by_class_and_status() {
        let log = RequestLog::default();
        for status in [Some(200), Some(412), Some(412), None] {
            log.record(request(status, 0));
        }
        let counts = log.counts();
        let expected = ClassCounts {
            requests: 4,
            unanswered: 1,
            bytes_in: 40,
            bytes_out: 8,
            statuses: BTreeMap::from([(200, 1), (412, 2)]),
        };
        assert_eq!(counts, BTreeMap::from([(RequestClass::Cas, expected)]));
    }
}
