//! The state that one HEAD stands for: HEAD itself, and the newest version of every key that it changed.

use bytes::Bytes;
use imbl::OrdMap;

use crate::{
    error::{Error, ErrorKind, Result},
    head::{Head, LogItem},
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
    /// From nothing: `open`, `create`.
    pub(crate) fn build(head: Head, etag: ETag, head_bytes: usize) -> Result<Self> {
        Self::after(0, Overlay::new(), head, etag, head_bytes)
    }

    /// From a state that this HEAD continues.
    pub(crate) fn follow(&self, head: Head, etag: ETag, head_bytes: usize) -> Result<Self> {
        Self::after(self.head.last_txn, self.overlay.clone(), head, etag, head_bytes)
    }

    fn after(known: u64, mut overlay: Overlay, head: Head, etag: ETag, head_bytes: usize) -> Result<Self> {
        if !head.runs.is_empty() || head.log.iter().any(|item| matches!(item, LogItem::Object(_))) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "HEAD names log objects or runs, which this version does not read: upgrade the program",
            ));
        }
        // Newest first, so that a handle that is one commit behind looks at one commit.
        let new: Vec<_> = head
            .inline_commits()
            .rev()
            .take_while(|commit| commit.txn > known)
            .cloned()
            .collect();
        for commit in new.iter().rev() {
            for write in &commit.writes {
                // Copied: a slice of the HEAD that it came in would keep all of that HEAD in memory.
                let value = write.value.as_deref().map(Bytes::copy_from_slice);
                let version = Version {
                    txn: commit.txn,
                    value,
                };
                overlay.insert(Bytes::copy_from_slice(&write.key), version);
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
