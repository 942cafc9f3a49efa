//! The state that one HEAD stands for: HEAD itself, and where the newest version of every key
//! is.

use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;

use crate::{
    error::{Error, ErrorKind, Result},
    head::{Head, LogItem, LogReference, Run, Write},
    log_store::Logged,
    store::ETag,
    version::Version,
};

/// The newest version of each key, deletions included. Persistent: a clone costs two pointers.
pub(crate) type Overlay = OrdMap<Bytes, Version>;

/// One committed state of the manifest: an overlay over runs.
///
/// Which runs is not decided by HEAD alone. When others have folded or merged, the runs that this handle reads from
/// and its overlay still are the same state, so it goes on with them until it has what reading the new ones takes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) head: Head,
    pub(crate) etag: ETag,
    pub(crate) head_bytes: usize,
    /// The newest version of every key that commits after `complete_after` wrote, and perhaps of others.
    pub(crate) overlay: Overlay,
    /// At most the last commit in `runs`.
    pub(crate) complete_after: u64,
    /// The runs to read from, newest first.
    runs: Arc<[Run]>,
}

impl State {
    /// From nothing: `open`, `create`. `logged` has every log object of HEAD.
    pub(crate) fn build(head: Head, etag: ETag, head_bytes: usize, logged: &Logged) -> Result<Self> {
        let complete_after = head.folded_through();
        let overlay = extended(Overlay::new(), complete_after, &head, logged)?;
        Ok(Self {
            runs: head.runs.clone().into(),
            complete_after,
            overlay,
            head,
            etag,
            head_bytes,
        })
    }

    /// From a state that this HEAD continues. `logged` has the log objects that [`unseen`] names.
    pub(crate) fn follow(&self, head: Head, etag: ETag, head_bytes: usize, logged: &Logged) -> Result<Self> {
        let known = self.head.last_txn;
        if head.folded_through() > known {
            // Commits that this handle never saw lie in runs.
            return Self::build(head, etag, head_bytes, logged);
        }
        let overlay = extended(self.overlay.clone(), known, &head, logged)?;
        Ok(Self {
            runs: Arc::clone(&self.runs),
            complete_after: self.complete_after,
            overlay,
            head,
            etag,
            head_bytes,
        })
    }

    /// The same, of a HEAD that has another ETag than was told.
    pub(crate) fn under(&self, etag: ETag) -> Self {
        Self {
            head: self.head.clone(),
            etag,
            head_bytes: self.head_bytes,
            overlay: self.overlay.clone(),
            complete_after: self.complete_after,
            runs: Arc::clone(&self.runs),
        }
    }

    /// True if it reads from other runs than HEAD names.
    pub(crate) fn lags(&self) -> bool {
        *self.runs != *self.head.runs
    }

    /// The same state, read from the runs that HEAD names.
    ///
    /// What the runs held before already leaves the overlay; what was folded since stays for one time more, so that a
    /// transaction that was open across a fold is validated by the overlay alone.
    #[must_use]
    pub(crate) fn caught_up(&self) -> Self {
        let complete_after = self.runs.first().map_or(0, |run| run.last_txn);
        let newer = |(_, version): &(&Bytes, &Version)| version.txn > complete_after;
        let copied = |(key, version): (&Bytes, &Version)| (key.clone(), version.clone());
        Self {
            head: self.head.clone(),
            etag: self.etag.clone(),
            head_bytes: self.head_bytes,
            overlay: self.overlay.iter().filter(newer).map(copied).collect(),
            complete_after,
            runs: self.head.runs.clone().into(),
        }
    }

    /// The runs that may hold what the overlay does not, newest first.
    pub(crate) fn runs_to_read(&self) -> &[Run] {
        let older = |run: &Run| run.first_txn <= self.complete_after;
        let first = self.runs.iter().position(older).unwrap_or(self.runs.len());
        self.runs.get(first..).unwrap_or_default()
    }
}

/// `overlay` and what commits of `head` after `known` wrote.
fn extended(mut overlay: Overlay, known: u64, head: &Head, logged: &Logged) -> Result<Overlay> {
    // Newest first, so that a handle that is one commit behind looks at one commit.
    let new = head.log.iter().rev().take_while(|item| item.last_txn() > known);
    for item in new.collect::<Vec<_>>().into_iter().rev() {
        match item {
            LogItem::Inline(commit) => apply(&mut overlay, commit.txn, &commit.writes),
            LogItem::Object(reference) => {
                let name = reference.object.name;
                let object = logged.get(&name).ok_or_else(|| {
                    Error::new(ErrorKind::Corrupt, format!("log object {name} was not read"))
                })?;
                let numbered = object.commits.iter().zip(reference.first_txn..);
                for (commit, txn) in numbered.filter(|(_, txn)| *txn > known) {
                    apply(&mut overlay, txn, &commit.writes);
                }
            }
        }
    }
    Ok(overlay)
}

/// The log objects of `head` that hold commits after `known`.
pub(crate) fn unseen(head: &Head, known: u64) -> Vec<LogReference> {
    let newest_first = head.log.iter().rev().take_while(|item| item.last_txn() > known);
    newest_first
        .filter_map(|item| match item {
            LogItem::Inline(_) => None,
            LogItem::Object(reference) => Some(*reference),
        })
        .collect()
}

fn apply(overlay: &mut Overlay, txn: u64, writes: &[Write]) {
    for write in writes {
        // Copied: a slice of the object that it came in would keep all of that object in memory.
        let value = write.value.as_deref().map(Bytes::copy_from_slice);
        overlay.insert(Bytes::copy_from_slice(&write.key), Version { txn, value });
    }
}
