//! What can be wrong with a history, and how it is told.

use std::{collections::BTreeMap, fmt};

use crate::history::{Operation, OperationId};

/// How a history contradicts the guarantees, named by what a user would have suffered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The harness recorded something that no engine can be blamed for; the history cannot be judged.
    BadRecord,
    /// A commit's number is not above its own snapshot, or not above the base of the run.
    ImpossibleNumber,
    /// Two commits were told the same number.
    DuplicateTxn,
    /// One write stands at two places of the order.
    DuplicateCommit,
    /// Commits stand at numbers at which no operation of the history can: they are foreign, or applied twice.
    ForeignCommit,
    /// An effect of a commit that had to be visible is gone, or never was.
    LostWrite,
    /// A value that was seen to be overwritten came back.
    ResurrectedWrite,
    /// A key that was deleted came back.
    ResurrectedDelete,
    /// A failed commit's value is in the final state.
    FailedCommitVisible,
    /// A read saw a value of a commit that failed, or that cannot stand anywhere in the order.
    DirtyRead,
    /// A read saw what a transaction had written on the way to something else.
    IntermediateRead,
    /// A read saw a value that nobody wrote to that key.
    UnwrittenValue,
    /// What one operation saw fits no single state.
    TornRead,
    /// A read saw a commit that is later than its snapshot.
    FutureRead,
    /// A scan's rows are out of order, doubled, or outside its range.
    BadScan,
    /// A read missed a commit that was acknowledged before it was invoked, or that its snapshot holds.
    StaleRead,
    /// A read was given an older snapshot than an operation that was over before it was invoked.
    NonMonotonicRead,
    /// A commit was ordered before something that was over before it was invoked.
    RealTimeOrder,
    /// A transaction overwrote a key whose value had changed since it read it.
    LostUpdate,
    /// A transaction committed although a key that it read, and did not write, had changed.
    WriteSkew,
    /// A transaction committed although a range that it scanned had changed.
    Phantom,
    /// The final state ends before an acknowledged commit, or holds what it cannot hold.
    WrongFinalState,
    /// A transaction was told of a conflict, and nothing that it had read was overwritten in time.
    UnjustifiedConflict,
    /// A writer's keys do not rise with its commits.
    KeyNotMonotonic,
    /// Two commits wrote the same key in a run in which keys are unique.
    DuplicateKey,
}

/// One contradiction, with the few operations that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong.
    pub kind: ViolationKind,
    /// One sentence.
    pub message: String,
    /// The operations that contradict each other.
    pub operations: Vec<OperationId>,
    described: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        for line in &self.described {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Collects violations: counts all of them, keeps the first few of each kind.
#[derive(Debug)]
pub(super) struct Findings {
    listed_max: u64,
    counts: BTreeMap<ViolationKind, u64>,
    listed: Vec<Violation>,
}

impl Findings {
    pub(super) fn new(listed_max: u64) -> Self {
        Self {
            listed_max,
            counts: BTreeMap::new(),
            listed: Vec::new(),
        }
    }

    /// `message` is only called for what is kept.
    pub(super) fn add<'h>(
        &mut self,
        kind: ViolationKind,
        operations: impl IntoIterator<Item = &'h Operation>,
        message: impl FnOnce() -> String,
    ) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count > self.listed_max {
            return;
        }
        let mut ids = Vec::new();
        let mut described = Vec::new();
        for operation in operations {
            if !ids.contains(&operation.id) {
                ids.push(operation.id);
                described.push(operation.to_string());
            }
        }
        self.listed.push(Violation {
            kind,
            message: message(),
            operations: ids,
            described,
        });
    }

    /// The violations by kind, in the order in which they were found, and how many there are of each kind.
    pub(super) fn finish(mut self) -> (Vec<Violation>, BTreeMap<ViolationKind, u64>) {
        self.listed.sort_by_key(|violation| violation.kind);
        (self.listed, self.counts)
    }
}
