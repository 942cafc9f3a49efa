//! The promise of optimistic transactions to those that lose: a conflict is told only where there is one.
//!
//! An engine that tells a conflict whenever it loses a race is serializable and useless. So each transaction
//! that was told of one must have read a key that a commit after its snapshot wrote, and that commit must have
//! been invoked before the transaction was answered.

use std::ops::Bound;

use super::{
    Verdict,
    commits::{Commits, bounds},
    outcomes::{Unplaced, may_stand},
    real_time::RealTime,
    violation::{Findings, ViolationKind},
};
use crate::history::{History, Operation, Outcome, Read, State};

/// Checks every conflict that was told. It says nothing about what else happened: that is [`super::check`].
///
/// A commit of unknown outcome that may stand after the snapshot is reason enough; such conflicts are counted
/// in [`Verdict::left_open`].
pub fn conflicts_justified(history: &History, final_state: Option<&State>) -> Verdict {
    let told = history
        .operations
        .iter()
        .filter_map(|operation| match operation.outcome {
            Outcome::Conflict { snapshot } => Some((operation, snapshot)),
            Outcome::Ok { .. } | Outcome::Failed { .. } | Outcome::Unknown { .. } => None,
        });
    let told: Vec<_> = told.collect();
    if told.is_empty() {
        return Verdict::default();
    }
    // Contradictions among the commits themselves are for the check of the whole history to tell.
    let mut elsewhere = Findings::new(0);
    let mut commits = Commits::order(history, final_state, &mut elsewhere);
    let real_time = RealTime::new(history);
    let unplaced = Unplaced::resolve(history, final_state, &real_time, &mut commits, &mut elsewhere);
    let mut findings = Findings::new(super::LISTED_MAX);
    let mut left_open = 0;
    for (operation, snapshot) in &told {
        if overwritten(operation, *snapshot, &commits) {
            continue;
        }
        if perhaps_overwritten(
            (operation, *snapshot),
            history,
            final_state.is_none(),
            &commits,
            &unplaced,
        ) {
            left_open += 1;
            continue;
        }
        findings.add(ViolationKind::UnjustifiedConflict, [*operation], || {
            format!("no commit after {snapshot} that began in time wrote what it had read")
        });
    }
    Verdict {
        commits: commits.by_txn.len() as u64,
        conflicts: told.len() as u64,
        left_open,
        ..Verdict::default()
    }
    .with(findings)
}

/// True if a commit that is known to stand after the snapshot wrote what the operation had read.
fn overwritten(operation: &Operation, snapshot: u64, commits: &Commits<'_>) -> bool {
    operation.reads.iter().any(|read| {
        commits
            .versions_after(keys(read), snapshot)
            .any(|version| version.writer.is_some_and(|writer| in_time(writer, operation)))
    })
}

/// True if a commit of unknown outcome may have. Without a final state one may stand after all that was seen.
fn perhaps_overwritten(
    (operation, snapshot): (&Operation, u64),
    history: &History,
    unseen_end: bool,
    commits: &Commits<'_>,
    unplaced: &Unplaced<'_>,
) -> bool {
    let unknown = history.operations.iter().filter(|other| {
        let floating = unplaced.get(other.id);
        floating.is_some_and(|floating| unseen_end || may_stand(floating, commits, snapshot, u64::MAX))
    });
    unknown.filter(|other| in_time(other, operation)).any(|other| {
        let mut writes = other.writes.iter();
        writes.any(|write| operation.reads.iter().any(|read| covers(read, &write.key)))
    })
}

/// Equal times count as concurrent.
fn in_time(writer: &Operation, operation: &Operation) -> bool {
    writer.id != operation.id
        && operation
            .completed
            .is_none_or(|completed| writer.invoked <= completed)
}

fn keys(read: &Read) -> (Bound<&[u8]>, Bound<&[u8]>) {
    match read {
        Read::Point { key, .. } => (Bound::Included(key), Bound::Included(key)),
        Read::Range { from, to, .. } => bounds(from, to.as_deref()),
    }
}

fn covers(read: &Read, key: &[u8]) -> bool {
    match read {
        Read::Point { key: own, .. } => own == key,
        Read::Range { from, to, .. } => {
            key >= from.as_ref() && to.as_ref().is_none_or(|to| key < to.as_ref())
        }
    }
}
