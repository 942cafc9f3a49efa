//! Commits that were answered as unknown, kept with what it takes to ask about them later.

use std::sync::Arc;

use fusio_manifest::CommitToken;
use parking_lot::Mutex;

use super::Own;
use crate::{
    history::OperationId,
    target::{CommitAnswer, CommitReport, TargetHandle},
};

/// One of them.
#[derive(Clone)]
pub struct UnknownCommit {
    /// Its name in the history.
    pub operation: OperationId,
    /// The handle that tried it.
    pub handle: Arc<dyn TargetHandle>,
    /// When it was told that nobody knows, in nanoseconds on the run's clock.
    pub told: u64,
    /// What it read, if it got that far.
    pub snapshot: Option<u64>,
    /// What to ask with.
    pub token: Option<CommitToken>,
}

/// All of them, in the order in which they were answered.
#[derive(Default)]
pub struct UnknownCommits(Mutex<Vec<UnknownCommit>>);

impl UnknownCommits {
    /// Keeps the commit, if that was its answer.
    pub(super) fn note(&self, own: &Own, operation: OperationId, report: &CommitReport) {
        if let CommitAnswer::Unknown(_) = report.answer {
            self.0.lock().push(UnknownCommit {
                operation,
                handle: Arc::clone(&own.handle),
                told: own.shared.nanos(),
                snapshot: report.snapshot,
                token: report.token.clone(),
            });
        }
    }

    /// What was kept so far.
    pub fn all(&self) -> Vec<UnknownCommit> {
        self.0.lock().clone()
    }
}
