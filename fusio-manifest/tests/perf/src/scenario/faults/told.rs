//! What clients were told of their commits at first, and what became of those that were told nothing.

use std::{collections::BTreeMap, time::Duration};

use fusio_manifest::{CommitOutcome, Moment};

use crate::{
    faults_timeline::{Commit, Counted},
    history::{History, OperationId, OperationKind, Outcome},
    run::{Asked, SETTER_UP},
};

/// The writers' commits. The history holds the last answers.
pub(super) fn commits(history: &History, asked: &[Asked], t0: Moment) -> Vec<Commit> {
    let asked: BTreeMap<OperationId, &Asked> = asked.iter().map(|asked| (asked.operation, asked)).collect();
    let since = |nanos: u64| Duration::from_nanos(nanos).saturating_sub(t0);
    let commits = history
        .operations
        .iter()
        .filter(|operation| operation.kind == OperationKind::Commit && operation.client != SETTER_UP);
    let commits = commits.map(|operation| {
        let asked = asked.get(&operation.id);
        Commit {
            client: operation.client.0,
            invoked: since(operation.invoked),
            told: asked.map(|asked| asked.told).or(operation.completed).map(since),
            outcome: outcome(asked.map(|asked| asked.answer), operation.outcome),
        }
    });
    commits.collect()
}

fn outcome(asked: Option<Option<CommitOutcome>>, last: Outcome) -> Counted {
    match (asked, last) {
        (Some(Some(CommitOutcome::Committed { .. })), _) => Counted::UnknownApplied,
        (Some(Some(CommitOutcome::NotCommitted)), _) => Counted::UnknownNotApplied,
        (Some(Some(CommitOutcome::StillUnknown) | None), _) | (None, Outcome::Unknown { .. }) => {
            Counted::UnknownOpen
        }
        (None, Outcome::Ok { .. }) => Counted::Acknowledged,
        (None, Outcome::Failed { .. }) => Counted::Failed,
        (None, Outcome::Conflict { .. }) => Counted::Conflict,
    }
}

/// How many there are of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) unknown: u64,
    pub(super) unknown_committed: u64,
    pub(super) unknown_open: u64,
}

impl Told {
    pub(super) fn of(commits: &[Commit]) -> Self {
        let mut told = Self::default();
        for commit in commits {
            match commit.outcome {
                Counted::Acknowledged => told.ok += 1,
                Counted::Conflict | Counted::Failed => told.failed += 1,
                Counted::UnknownApplied => {
                    told.unknown += 1;
                    told.unknown_committed += 1;
                }
                Counted::UnknownNotApplied => told.unknown += 1,
                Counted::UnknownOpen => {
                    told.unknown += 1;
                    told.unknown_open += 1;
                }
            }
        }
        told
    }
}
