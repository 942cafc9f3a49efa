//! What a manifest must offer to be measured.

use std::sync::Arc;

use bytes::Bytes;
use fusio_manifest::{
    CommitOutcome, CommitToken,
    store::{BoxFuture, Store},
};

use crate::{
    history::{Outcome, State},
    metrics::AttemptSample,
    requests::RequestCounts,
};

pub mod engine;

/// A kind of manifest: opens handles, each as a process of its own would.
pub trait Target: Send + Sync {
    /// Makes the manifest under `prefix`.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong.
    fn create<'a>(
        &'a self,
        store: Arc<dyn Store>,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn TargetHandle>, String>>;

    /// Opens it once more.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong.
    fn open<'a>(
        &'a self,
        store: Arc<dyn Store>,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn TargetHandle>, String>>;
}

/// An open manifest.
pub trait TargetHandle: Send + Sync {
    /// Writes a key without reading anything, however many attempts that takes.
    fn put(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport>;

    /// Reads a key and writes it back, in one transaction and a single attempt.
    fn rewrite(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport>;

    /// Reads a key and writes it back, in one transaction, however many attempts that takes: it is lost only if
    /// the key was written meanwhile.
    fn update(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport>;

    /// Reads a key of a state that holds every commit acknowledged before the call.
    fn read(&self, key: Bytes) -> BoxFuture<'_, Result<ReadReport, String>>;

    /// Everything, of a fresh state.
    fn contents(&self) -> BoxFuture<'_, Result<State, String>>;

    /// Asks what became of a commit that was answered as unknown.
    fn outcome<'a>(&'a self, token: &'a CommitToken) -> BoxFuture<'a, Result<CommitOutcome, String>>;

    /// The size of the object that each commit replaces, as this handle saw it last.
    fn head_bytes(&self) -> usize;

    /// How often that object has been replaced, as this handle saw it last.
    fn head_revision(&self) -> u64;

    /// The requests that this handle has sent so far and no caller waited for.
    fn maintenance(&self) -> RequestCounts;

    /// Ends the handle when its commits are answered.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// What came of a commit.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitReport {
    /// Each PUT that carried it.
    pub attempts: Vec<AttemptSample>,
    /// The commit whose state it read, if it got that far.
    pub snapshot: Option<u64>,
    /// What it read of the key that it was to change, if it read at all.
    pub read: Option<Option<Bytes>>,
    /// The answer.
    pub answer: CommitAnswer,
    /// What to ask with later, if the answer is that nothing is known.
    pub token: Option<CommitToken>,
}

impl CommitReport {
    /// The answer, as histories have it.
    pub fn told(&self) -> Outcome {
        let snapshot = self.snapshot;
        match (&self.answer, snapshot) {
            (CommitAnswer::Committed { txn }, _) => Outcome::Ok {
                snapshot: snapshot.unwrap_or(txn.saturating_sub(1)),
                txn: Some(*txn),
            },
            (CommitAnswer::Conflict, Some(snapshot)) => Outcome::Conflict { snapshot },
            (CommitAnswer::Lost | CommitAnswer::Conflict | CommitAnswer::Failed(_), _) => {
                Outcome::Failed { snapshot }
            }
            (CommitAnswer::Unknown(_), _) => Outcome::Unknown { snapshot },
        }
    }
}

/// What a writer was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitAnswer {
    /// Committed, at this place in the order.
    Committed {
        /// The commit's number.
        txn: u64,
    },
    /// Not committed, because others were faster: may be tried again.
    Lost,
    /// Not committed, because what it had read was overwritten: may be run again.
    Conflict,
    /// Not committed, for this reason.
    Failed(String),
    /// Perhaps committed; why that is not known.
    Unknown(String),
}

/// What a read saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadReport {
    /// The commit whose state it read.
    pub snapshot: u64,
    /// The key's value.
    pub value: Option<Bytes>,
}
