//! Commits whose outcome their clients were not told: after the drain the engine is asked about each, until it
//! gives a final answer.

use std::time::Duration;

use fusio_manifest::CommitOutcome;

use super::{Prepared, set_up_commit};
use crate::{
    client::UnknownCommit,
    history::{OperationId, Outcome},
};

/// How often the engine is asked about one commit: with every tenth request lost, far more than it takes.
const ASKED_MAX: u32 = 40;
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(250);

/// A commit that was unknown, and what the engine said of it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The commit.
    pub operation: OperationId,
    /// When its client was told that nobody knows, in nanoseconds on the run's clock.
    pub told: u64,
    /// The final answer; none if there was none, or the client held nothing to ask with.
    pub answer: Option<CommitOutcome>,
}

impl Prepared<'_> {
    /// Asks about every commit of unknown outcome, and puts final answers into the history, where they are held
    /// against the final state. Call it when nothing is under way any more.
    pub async fn ask_about_unknown(&self) -> Vec<Asked> {
        let unknown = self.shared.unknown.all();
        let mut asked = Vec::with_capacity(unknown.len());
        for commit in &unknown {
            let answer = self.ask(commit).await;
            let outcome = match answer {
                Some(CommitOutcome::Committed { txn }) => Some(Outcome::Ok {
                    snapshot: commit.snapshot.unwrap_or(txn.saturating_sub(1)),
                    txn: Some(txn),
                }),
                Some(CommitOutcome::NotCommitted) => Some(Outcome::Failed {
                    snapshot: commit.snapshot,
                }),
                Some(CommitOutcome::StillUnknown) | None => None,
            };
            if let Some(outcome) = outcome {
                let recorder = &self.shared.recorder;
                recorder.resolve(commit.operation, self.shared.nanos(), outcome);
            }
            asked.push(Asked {
                operation: commit.operation,
                told: commit.told,
                answer,
            });
        }
        asked
    }

    async fn ask(&self, commit: &UnknownCommit) -> Option<CommitOutcome> {
        let token = commit.token.as_ref()?;
        for _ in 0..ASKED_MAX {
            match commit.handle.outcome(token).await {
                Ok(CommitOutcome::StillUnknown) => {
                    // Nobody commits any more, so HEAD may stand where it stood for good. One more commit moves
                    // it, and then it tells.
                    set_up_commit(self.cell, &self.shared, &self.setter_up).await;
                }
                Ok(answer) => return Some(answer),
                Err(error) => tracing::debug!(%error, "asking about a commit"),
            }
            self.cell.clock.sleep(PAUSE).await;
        }
        None
    }
}
