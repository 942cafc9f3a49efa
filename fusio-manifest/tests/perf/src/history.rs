//! The record of a run: every operation that a client invoked, what it read and wrote, and what it was told.
//!
//! A history is evidence for [`crate::checker`]. It is of use only if it is complete: it must hold every
//! commit of the run, those of the set-up included, and every value written must be unlike every other value
//! written to the same key, so that a value names its writer.

mod jsonl;
mod recorder;

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use jsonl::{JsonlError, read_jsonl, write_jsonl};
pub use recorder::Recorder;

/// Names a client of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u32);

/// Names an operation of a run; given out in the order of invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationId(pub u64);

/// What an operation promised its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// A fresh read: it sees every commit that was acknowledged before it was invoked.
    Read,
    /// A write transaction: its reads are certified by its commit, and by nothing else.
    Commit,
}

/// One thing that an operation saw. What a transaction reads back of its own staged writes is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read {
    /// One key.
    Point {
        /// The key asked for.
        #[serde(with = "jsonl::text")]
        key: Bytes,
        /// Its value; `None` if it was absent.
        #[serde(with = "jsonl::optional_text")]
        value: Option<Bytes>,
    },
    /// All keys of a range. Of a scan that stopped early, only the part that was consumed.
    Range {
        /// The first key of the range.
        #[serde(with = "jsonl::text")]
        from: Bytes,
        /// The key before which the range ends; `None` means that it has no end.
        #[serde(with = "jsonl::optional_text")]
        to: Option<Bytes>,
        /// What was found, in the order in which it came.
        rows: Vec<Row>,
    },
}

/// A key that is present, and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The key.
    #[serde(with = "jsonl::text")]
    pub key: Bytes,
    /// Its value.
    #[serde(with = "jsonl::text")]
    pub value: Bytes,
}

/// One change that a transaction asked for. If a transaction writes a key twice, the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The key.
    #[serde(with = "jsonl::text")]
    pub key: Bytes,
    /// Its new value, never written to this key before; `None` deletes the key.
    #[serde(with = "jsonl::optional_text")]
    pub value: Option<Bytes>,
}

/// What the client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It succeeded.
    Ok {
        /// The number of the commit whose state the reads saw: every commit up to it, none after.
        snapshot: u64,
        /// The commit's own number; `None` for reads, and for transactions that wrote nothing.
        txn: Option<u64>,
    },
    /// It failed, and is definitely not committed.
    Failed {
        /// The snapshot of what it had read, if it got that far.
        snapshot: Option<u64>,
    },
    /// It was told that a commit had overwritten what it read, and is definitely not committed.
    Conflict {
        /// The snapshot of what it had read.
        snapshot: u64,
    },
    /// It may or may not be committed, now or later. So it is with one that was never answered.
    Unknown {
        /// The snapshot of what it had read, if it got that far.
        snapshot: Option<u64>,
    },
}

/// One operation, from its invocation to its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// Who invoked it.
    pub client: ClientId,
    /// What it promised.
    pub kind: OperationKind,
    /// When it was invoked: nanoseconds on the one monotonic clock of the run.
    pub invoked: u64,
    /// When it was answered, on the same clock; `None` if it never was. Equal times count as concurrent.
    pub completed: Option<u64>,
    /// What it saw.
    pub reads: Vec<Read>,
    /// What it asked to change.
    pub writes: Vec<Write>,
    /// What it was told.
    pub outcome: Outcome,
}

impl Operation {
    /// The snapshot of its reads, where it is known.
    pub fn snapshot(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Ok { snapshot, .. } | Outcome::Conflict { snapshot } => Some(snapshot),
            Outcome::Failed { snapshot } | Outcome::Unknown { snapshot } => snapshot,
        }
    }

    /// Its number in the order of commits, if it was told one.
    pub fn txn(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Ok { txn, .. } => txn,
            Outcome::Failed { .. } | Outcome::Conflict { .. } | Outcome::Unknown { .. } => None,
        }
    }

    /// True if it may be committed without anyone having been told so.
    pub fn is_unknown_commit(&self) -> bool {
        matches!(self.outcome, Outcome::Unknown { .. }) && !self.writes.is_empty()
    }
}

/// The state of the manifest at one commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The number of the last commit that it holds.
    pub txn: u64,
    /// Every key that is present.
    #[serde(with = "jsonl::map_text")]
    pub entries: BTreeMap<Bytes, Bytes>,
}

/// A whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The state in which the run found the manifest: commit 0 and nothing, for a new one.
    pub base: State,
    /// Every operation, in the order of invocation.
    pub operations: Vec<Operation>,
}

/// At most this many reads, and as many writes, are shown of one operation.
const SHOWN_MAX: usize = 6;

/// Bytes as a person wants to see them: ASCII as it is, the rest escaped, long ones cut.
pub(crate) fn show(bytes: &[u8]) -> String {
    const LENGTH_MAX: usize = 48;
    match bytes.get(..LENGTH_MAX) {
        Some(head) if bytes.len() > LENGTH_MAX => {
            format!("{}... ({} bytes)", head.escape_ascii(), bytes.len())
        }
        _ => bytes.escape_ascii().to_string(),
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point {
                key,
                value: Some(value),
            } => write!(f, "read {}={}", show(key), show(value)),
            Self::Point { key, value: None } => write!(f, "read {} absent", show(key)),
            Self::Range { from, to, rows } => {
                let to = to.as_ref().map_or_else(|| "end".to_owned(), |to| show(to));
                write!(f, "scan [{}, {to}) {} rows", show(from), rows.len())
            }
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "put {}={}", show(&self.key), show(value)),
            None => write!(f, "delete {}", show(&self.key)),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            OperationKind::Read => "read",
            OperationKind::Commit => "commit",
        };
        write!(
            f,
            "#{} client {} {kind}, {} ns to ",
            self.id.0, self.client.0, self.invoked
        )?;
        match self.completed {
            Some(completed) => write!(f, "{completed} ns, ")?,
            None => f.write_str("no answer, ")?,
        }
        f.write_str(match self.outcome {
            Outcome::Ok { .. } => "ok",
            Outcome::Failed { .. } => "failed",
            Outcome::Conflict { .. } => "conflict",
            Outcome::Unknown { .. } => "unknown",
        })?;
        if let Some(snapshot) = self.snapshot() {
            write!(f, ", snapshot {snapshot}")?;
        }
        if let Some(txn) = self.txn() {
            write!(f, ", txn {txn}")?;
        }
        f.write_str(":")?;
        for read in self.reads.iter().take(SHOWN_MAX) {
            write!(f, " {read};")?;
        }
        for write in self.writes.iter().take(SHOWN_MAX) {
            write!(f, " {write};")?;
        }
        let hidden = self.reads.len().saturating_sub(SHOWN_MAX) + self.writes.len().saturating_sub(SHOWN_MAX);
        if hidden > 0 {
            write!(f, " and {hidden} more")
        } else {
            Ok(())
        }
    }
}
