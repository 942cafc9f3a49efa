//! What the updates cost beside their commits, request by request.

use std::collections::VecDeque;

use fusio_manifest::RequestClass;
use serde::{Deserialize, Serialize};

use crate::{latency, s3::request_log::LoggedRequest, trace::TracedRequest};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    Head,
    Log,
    Table,
    Other,
}

impl Folder {
    pub(super) fn of(key: &str) -> Self {
        let mut names = key.rsplit('/');
        match (names.next(), names.next()) {
            (Some("HEAD"), _) => Self::Head,
            (_, Some("log")) => Self::Log,
            (_, Some("table")) => Self::Table,
            _ => Self::Other,
        }
    }
}

/// Requests and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) requests: u64,
    pub(super) bytes: u64,
}

impl Sum {
    pub(super) fn add(&mut self, bytes: u64) {
        self.requests += 1;
        self.bytes += bytes;
    }
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Upkeep {
    /// PUTs of HEAD: commits, most of all.
    pub(super) head_puts: Sum,
    pub(super) head_bytes_max: u64,
    /// Commits that went out of HEAD.
    pub(super) spills: Sum,
    /// What folds and merges wrote.
    pub(super) table_puts: Sum,
    /// What merges read.
    pub(super) table_gets: Sum,
    /// Looks, log objects, collections.
    pub(super) other: Sum,
}

impl Upkeep {
    pub(super) fn of(requests: &[TracedRequest]) -> Self {
        let mut upkeep = Self::default();
        for request in requests {
            let is_put = matches!(request.class, RequestClass::Put | RequestClass::ConditionalPut);
            let is_get = matches!(request.class, RequestClass::Get | RequestClass::ConditionalGet);
            upkeep.add(&request.key, is_put, is_get, request.bytes);
        }
        upkeep
    }

    /// The same as the server saw it, of the requests below `prefix`.
    pub(super) fn served(log: &VecDeque<LoggedRequest>, prefix: &str) -> Self {
        let mut upkeep = Self::default();
        for request in log.iter().filter(|request| request.key.starts_with(prefix)) {
            let is_put = matches!(
                request.class,
                latency::RequestClass::Put | latency::RequestClass::Cas
            );
            let is_get = request.class == latency::RequestClass::Get;
            let bytes = if is_put {
                request.bytes_in
            } else {
                request.bytes_out
            };
            upkeep.add(&request.key, is_put, is_get, bytes);
        }
        upkeep
    }

    fn add(&mut self, key: &str, is_put: bool, is_get: bool, bytes: u64) {
        let sum = match (Folder::of(key), is_put, is_get) {
            (Folder::Head, true, _) => {
                self.head_bytes_max = self.head_bytes_max.max(bytes);
                &mut self.head_puts
            }
            (Folder::Log, true, _) => &mut self.spills,
            (Folder::Table, true, _) => &mut self.table_puts,
            (Folder::Table, _, true) => &mut self.table_gets,
            _ => &mut self.other,
        };
        sum.add(bytes);
    }

    /// What was sent since `earlier`, a former sum of the same requests.
    pub(super) fn since(self, earlier: Self) -> Self {
        let since = |sum: Sum, earlier: Sum| Sum {
            requests: sum.requests.saturating_sub(earlier.requests),
            bytes: sum.bytes.saturating_sub(earlier.bytes),
        };
        Self {
            head_puts: since(self.head_puts, earlier.head_puts),
            head_bytes_max: self.head_bytes_max,
            spills: since(self.spills, earlier.spills),
            table_puts: since(self.table_puts, earlier.table_puts),
            table_gets: since(self.table_gets, earlier.table_gets),
            other: since(self.other, earlier.other),
        }
    }

    /// True if both are the same requests. Of what ended before, only one of them may know the largest HEAD.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let comparable = |upkeep: &Self| Self {
            head_bytes_max: 0,
            ..*upkeep
        };
        comparable(self) == comparable(other)
    }

    /// Requests that were no commit, per MiB of log.
    pub(super) fn requests_per_mib(&self) -> Option<f64> {
        let parts = [self.spills, self.table_puts, self.table_gets, self.other];
        let requests: u64 = parts.iter().map(|sum| sum.requests).sum();
        let mib = self.spills.bytes as f64 / (1024.0 * 1024.0);
        (mib > 0.0).then(|| requests as f64 / mib)
    }

    /// Bytes of tables that were written per byte of log.
    pub(super) fn rewritten_per_byte(&self) -> Option<f64> {
        let log = self.spills.bytes as f64;
        (log > 0.0).then(|| self.table_puts.bytes as f64 / log)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn traced(class: RequestClass, key: &str, bytes: u64) -> TracedRequest {
        TracedRequest {
            class,
            key: key.to_owned(),
            range: None,
            bytes,
            round: 0,
            sent: Duration::ZERO,
            answered: None,
        }
    }

    fn served(class: latency::RequestClass, key: &str, bytes_in: u64, bytes_out: u64) -> LoggedRequest {
        LoggedRequest {
            class,
            key: key.to_owned(),
            status: Some(200),
            bytes_in,
            bytes_out,
            drawn: Duration::ZERO,
            delay: Duration::ZERO,
            at: Duration::ZERO,
        }
    }

    #[test]
    fn what_the_client_sent_and_what_the_server_saw_add_up_alike() {
        const MIB: u64 = 1024 * 1024;
        let of = Upkeep::of(&[
            traced(RequestClass::ConditionalPut, "p/HEAD", 300),
            traced(RequestClass::ConditionalPut, "p/HEAD", 200),
            traced(RequestClass::ConditionalPut, "p/id/log/0-1", 2 * MIB),
            traced(RequestClass::ConditionalPut, "p/id/table/0-1", 3 * MIB),
            traced(RequestClass::Get, "p/id/table/0-1", MIB),
            traced(RequestClass::ConditionalGet, "p/HEAD", 0),
        ]);
        let log = VecDeque::from([
            served(latency::RequestClass::Cas, "p/HEAD", 300, 0),
            served(latency::RequestClass::Cas, "p/HEAD", 200, 0),
            served(latency::RequestClass::Cas, "p/id/log/0-1", 2 * MIB, 0),
            served(latency::RequestClass::Cas, "p/id/table/0-1", 3 * MIB, 0),
            served(latency::RequestClass::Get, "p/id/table/0-1", 0, MIB),
            served(latency::RequestClass::Get, "p/HEAD", 0, 0),
            served(latency::RequestClass::Cas, "other/HEAD", 9_999, 0),
        ]);
        assert_eq!(of, Upkeep::served(&log, "p/"));
        assert_eq!((of.head_puts.requests, of.head_bytes_max), (2, 300));
        // A spill, a table, a read of one and a look.
        assert_eq!(of.requests_per_mib(), Some(2.0));
        assert_eq!(of.rewritten_per_byte(), Some(1.5));
        assert_eq!(of.since(of).requests_per_mib(), None);
    }
}
