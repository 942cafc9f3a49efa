//! The state that one HEAD stands for: HEAD itself, and the newest version of every key that it changed.

use bytes::Bytes;
use imbl::OrdMap;

use crate::{
    error::{Error, ErrorKind, Result},
    head::{Head, LogItem, LogReference, Write},
    log_store::Logged,
    store::ETag,
};

/// The newest version of each key, deletions included. Persistent: a clone costs two pointers.
pub(crate) type Overlay = OrdMap<Bytes, Version>;

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// The commit that wrote it.
    pub(crate) txn: u64,
    /// `None`: the key was deleted.
    pub(crate) value: Option<Bytes>,
}

/// One committed state of the manifest.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) head: Head,
    pub(crate) etag: ETag,
    pub(crate) head_bytes: usize,
    pub(crate) overlay: Overlay,
}

impl State {
    /// From nothing: `open`, `create`. `logged` has every log object of HEAD.
    pub(crate) fn build(head: Head, etag: ETag, head_bytes: usize, logged: &Logged) -> Result<Self> {
        Self::after(0, Overlay::new(), head, etag, head_bytes, logged)
    }

    /// From a state that this HEAD continues. `logged` has the log objects that [`unseen`] names.
    pub(crate) fn follow(&self, head: Head, etag: ETag, head_bytes: usize, logged: &Logged) -> Result<Self> {
        Self::after(
            self.head.last_txn,
            self.overlay.clone(),
            head,
            etag,
            head_bytes,
            logged,
        )
    }

    fn after(
        known: u64,
        mut overlay: Overlay,
        head: Head,
        etag: ETag,
        head_bytes: usize,
        logged: &Logged,
    ) -> Result<Self> {
        if !head.runs.is_empty() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "HEAD names runs, which this version does not read: upgrade the program",
            ));
        }
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
        Ok(Self {
            head,
            etag,
            head_bytes,
            overlay,
        })
    }
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
