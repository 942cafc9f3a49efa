//! Real time: what was over before an operation was invoked precedes it in the order of commits.
//!
//! Equal times count as concurrent. A fresh read must see every commit that was acknowledged, and every
//! snapshot that was seen, before it was invoked. A commit must stand after both; its snapshot may be older,
//! and so may that of a transaction that did not commit: their reads promise one consistent state, no more.

use super::{
    commits::Commits,
    violation::{Findings, ViolationKind},
};
use crate::history::{History, Operation, OperationKind, Outcome};

/// The highest number that is told up to each moment.
struct Frontier<'h> {
    /// Ascending in time and in number.
    steps: Vec<(u64, u64, &'h Operation)>,
}

impl<'h> Frontier<'h> {
    fn new(mut told: Vec<(u64, u64, &'h Operation)>) -> Self {
        told.sort_by_key(|(time, number, operation)| (*time, *number, operation.id));
        let mut highest = None;
        told.retain(|(_, number, _)| {
            let higher = highest.is_none_or(|highest| *number > highest);
            if higher {
                highest = Some(*number);
            }
            higher
        });
        Self { steps: told }
    }

    /// The highest number told before `time`, and who was told.
    fn before(&self, time: u64) -> Option<(u64, &'h Operation)> {
        let after = self.steps.partition_point(|(told, _, _)| *told < time);
        let (_, number, operation) = self.steps.get(after.checked_sub(1)?)?;
        Some((*number, operation))
    }
}

/// What was known to be committed at each moment.
pub(super) struct RealTime<'h> {
    acknowledged: Frontier<'h>,
    seen: Frontier<'h>,
}

impl<'h> RealTime<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        let over = || {
            let operations = history.operations.iter();
            let over = operations.filter_map(|operation| Some((operation.completed?, operation)));
            over.filter(|(completed, operation)| *completed >= operation.invoked)
        };
        let acknowledged = over().filter_map(|(time, operation)| Some((time, operation.txn()?, operation)));
        let seen = over().filter_map(|(time, operation)| Some((time, operation.snapshot()?, operation)));
        Self {
            acknowledged: Frontier::new(acknowledged.collect()),
            seen: Frontier::new(seen.collect()),
        }
    }

    /// The highest number known before `operation` was invoked, and who knew it: its own must be higher.
    pub(super) fn known_before(&self, operation: &Operation) -> Option<(u64, &'h Operation)> {
        let acknowledged = self.acknowledged.before(operation.invoked);
        let seen = self.seen.before(operation.invoked);
        acknowledged
            .into_iter()
            .chain(seen)
            .max_by_key(|(number, _)| *number)
    }

    /// Checks every acknowledged operation.
    pub(super) fn check(&self, history: &'h History, commits: &Commits<'h>, findings: &mut Findings) {
        for operation in &history.operations {
            let Outcome::Ok { snapshot, txn } = operation.outcome else {
                continue;
            };
            if let Some(txn) = txn {
                self.check_commit(operation, txn, findings);
            } else if operation.kind == OperationKind::Read {
                self.check_read(operation, snapshot, commits.base_txn, findings);
            }
        }
    }

    fn check_commit(&self, operation: &Operation, txn: u64, findings: &mut Findings) {
        if let Some((number, earlier)) = self.known_before(operation)
            && txn <= number
        {
            findings.add(ViolationKind::RealTimeOrder, [earlier, operation], || {
                format!("commit {txn} was invoked after commit {number} was known, but stands no later")
            });
        }
    }

    fn check_read(&self, operation: &Operation, snapshot: u64, base_txn: u64, findings: &mut Findings) {
        if snapshot < base_txn {
            findings.add(ViolationKind::StaleRead, [operation], || {
                format!("snapshot {snapshot} is older than the base of the run, {base_txn}")
            });
        }
        if let Some((txn, earlier)) = self.acknowledged.before(operation.invoked)
            && snapshot < txn
        {
            findings.add(ViolationKind::StaleRead, [earlier, operation], || {
                format!(
                    "commit {txn} was acknowledged before the read was invoked, which saw only {snapshot}"
                )
            });
        }
        if let Some((seen, earlier)) = self.seen.before(operation.invoked)
            && snapshot < seen
        {
            findings.add(ViolationKind::NonMonotonicRead, [earlier, operation], || {
                format!("snapshot {seen} was seen before the read was invoked, which saw only {snapshot}")
            });
        }
    }
}
