//! Histories that are known to be bad, each caught and named; random good ones, none flagged; random good ones
//! with one corruption, all flagged.

mod accounting;
mod conflicts;
mod known_bad;
mod known_bad_table;
mod lists;
mod random;
mod simulated;
#[cfg(unix)]
mod throughput;
mod unknown;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Verdict, ViolationKind, check};
use crate::history::{
    ClientId, History, Operation, OperationId, OperationKind, Outcome, Read, Row, State, Write,
};

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn optional(text: &str) -> Option<Bytes> {
    (!text.is_empty()).then(|| bytes(text))
}

/// A state from `key=value` pairs.
fn state(txn: u64, entries: &[(&str, &str)]) -> State {
    State {
        txn,
        entries: entries
            .iter()
            .map(|(key, value)| (bytes(key), bytes(value)))
            .collect(),
    }
}

/// Builds a history by hand. An empty value means absent, or a delete.
#[derive(Default)]
struct Run {
    history: History,
}

impl Run {
    fn push(&mut self, kind: OperationKind, time: (u64, u64), outcome: Outcome) -> &mut Operation {
        let operations = &mut self.history.operations;
        let id = OperationId(operations.len() as u64);
        operations.push(Operation {
            id,
            client: ClientId(1),
            kind,
            invoked: time.0,
            completed: Some(time.1),
            reads: Vec::new(),
            writes: Vec::new(),
            outcome,
        });
        operations.last_mut().unwrap()
    }

    fn commit(&mut self, time: (u64, u64), snapshot: u64, txn: u64) -> &mut Operation {
        self.push(
            OperationKind::Commit,
            time,
            Outcome::Ok {
                snapshot,
                txn: Some(txn),
            },
        )
    }

    fn failed(&mut self, time: (u64, u64), snapshot: u64) -> &mut Operation {
        self.push(
            OperationKind::Commit,
            time,
            Outcome::Failed {
                snapshot: Some(snapshot),
            },
        )
    }

    fn conflict(&mut self, time: (u64, u64), snapshot: u64) -> &mut Operation {
        self.push(OperationKind::Commit, time, Outcome::Conflict { snapshot })
    }

    fn unknown(&mut self, time: (u64, u64)) -> &mut Operation {
        self.push(OperationKind::Commit, time, Outcome::Unknown { snapshot: None })
    }

    fn read(&mut self, time: (u64, u64), snapshot: u64) -> &mut Operation {
        self.push(OperationKind::Read, time, Outcome::Ok { snapshot, txn: None })
    }

    fn check(&self, final_state: Option<&State>) -> Verdict {
        let verdict = check(&self.history, final_state);
        assert_eq!(
            verdict,
            check(&self.history, final_state),
            "a verdict is deterministic"
        );
        verdict
    }
}

impl Operation {
    fn put(&mut self, key: &str, value: &str) -> &mut Self {
        self.writes.push(Write {
            key: bytes(key),
            value: optional(value),
        });
        self
    }

    fn saw(&mut self, key: &str, value: &str) -> &mut Self {
        self.reads.push(Read::Point {
            key: bytes(key),
            value: optional(value),
        });
        self
    }

    fn scanned(&mut self, from: &str, to: &str, rows: &[(&str, &str)]) -> &mut Self {
        let rows = rows
            .iter()
            .map(|(key, value)| Row {
                key: bytes(key),
                value: bytes(value),
            })
            .collect();
        self.reads.push(Read::Range {
            from: bytes(from),
            to: optional(to),
            rows,
        });
        self
    }
}

fn assert_kinds(verdict: &Verdict, expected: &[ViolationKind]) {
    let found: Vec<_> = verdict.counts.keys().copied().collect();
    assert_eq!(found, expected, "{verdict}");
    assert!(!verdict.strictly_serializable());
}

fn assert_good(verdict: &Verdict) {
    assert_eq!(verdict.counts, BTreeMap::new(), "{verdict}");
}
