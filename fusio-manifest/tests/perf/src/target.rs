//! What a manifest must offer to be measured.

use std::sync::Arc;

use bytes::Bytes;
use fusio_manifest::{
    CommitOutcome, CommitToken,
    store::{BoxFuture, Store},
};

use crate::{
    history::{Outcome, Read, State, Write},
    metrics::AttemptSample,
    requests::RequestCounts,
};

pub use snapshot::{Inventory, Refusal, TargetSnapshot};

pub mod engine;
pub mod mortal;
mod snapshot;

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

    /// Reads what is asked for and writes what `stage` makes of it, in one transaction, however many attempts that
    /// takes: it is lost only if something that it read was written meanwhile. `stage` is called once, before anything
    /// is sent that could land. What was read comes with the answer.
    fn transact<'a>(&'a self, asks: Vec<Ask>, stage: Stage<'a>) -> BoxFuture<'a, (CommitReport, Vec<Read>)>;

    /// Reads what is asked for of one state that holds every commit acknowledged before the call; with the number of
    /// that state's last commit.
    fn view(&self, asks: Vec<Ask>) -> BoxFuture<'_, Result<(u64, Vec<Read>), String>>;

    /// Reads a key of a state that holds every commit acknowledged before the call.
    fn read(&self, key: Bytes) -> BoxFuture<'_, Result<ReadReport, String>>;

    /// A state that holds every commit acknowledged before the call.
    fn snapshot(&self) -> BoxFuture<'_, Result<Arc<dyn TargetSnapshot>, Refusal>>;

    /// The state that is kept under a name.
    fn open_pin(&self, name: String) -> BoxFuture<'_, Result<Arc<dyn TargetSnapshot>, Refusal>>;

    /// Lets go of the state that is kept under a name.
    fn release_pin(&self, name: String) -> BoxFuture<'_, Result<(), Refusal>>;

    /// What the manifest consists of, by a fresh look.
    fn inventory(&self) -> BoxFuture<'_, Result<Inventory, String>>;

    /// Everything, of a fresh state.
    fn contents(&self) -> BoxFuture<'_, Result<State, String>>;

    /// Asks what became of a commit that was answered as unknown.
    fn outcome<'a>(&'a self, token: &'a CommitToken) -> BoxFuture<'a, Result<CommitOutcome, String>>;

    /// Does the maintenance that is due.
    fn maintain(&self) -> BoxFuture<'_, Result<(), String>>;

    /// The size of the object that each commit replaces, as this handle saw it last.
    fn head_bytes(&self) -> usize;

    /// How often that object has been replaced, as this handle saw it last.
    fn head_revision(&self) -> u64;

    /// The requests that this handle has sent so far and no caller waited for.
    fn maintenance(&self) -> RequestCounts;

    /// Ends the handle when its commits are answered.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Makes writes of what a transaction has read.
pub type Stage<'a> = Box<dyn FnOnce(&[Read]) -> Vec<Write> + Send + 'a>;

/// Something to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// One key.
    Key(Bytes),
    /// Every key from the first up to, without, the second.
    Range(Bytes, Bytes),
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
    /// Of a commit that never got to its first attempt, or of which nothing more can be told.
    pub fn without_attempts(answer: CommitAnswer) -> Self {
        Self {
            attempts: Vec::new(),
            snapshot: None,
            read: None,
            answer,
            token: None,
        }
    }

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
