//! What one HEAD has to tell of the commits from some number on.

use std::{collections::VecDeque, sync::Arc};

use super::WatchedCommit;
use crate::{
    error::{Error, ErrorKind, Result},
    head::{Head, InlineCommit, LogItem, LogReference},
    id::ManifestId,
    immutable::Unread,
    log::LogObject,
    spawned::Spawned,
};

/// The parts of a HEAD's log that hold commits from some number on, oldest first. Where a part does not follow on the one
/// before, the commits between them lie in runs alone.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) parts: VecDeque<Part>,
    pub(super) manifest: ManifestId,
    /// The last commit of this HEAD.
    pub(super) last_txn: u64,
}

#[derive(Debug)]
pub(super) enum Part {
    Inline(Arc<InlineCommit>),
    Object(ObjectPart),
}

#[derive(Debug)]
pub(super) struct ObjectPart {
    pub(super) reference: LogReference,
    /// It is being read.
    pub(super) read: Option<Spawned<Result<Arc<LogObject>, Unread>>>,
    pub(super) object: Option<Arc<LogObject>>,
}

impl Plan {
    /// What `head` tells of the commits from `next` on. Log objects that were folded are there until they are collected, a
    /// retention later at least, and HEAD remembers the last of them.
    pub(super) fn of(head: &Head, next: u64) -> Self {
        let folded = head.folded.iter().map(|reference| Part::object(*reference));
        let log = head.log.iter().map(|item| match item {
            LogItem::Inline(commit) => Part::Inline(Arc::clone(commit)),
            LogItem::Object(reference) => Part::object(*reference),
        });
        Self {
            parts: folded.chain(log).filter(|part| part.last_txn() >= next).collect(),
            manifest: head.manifest,
            last_txn: head.last_txn,
        }
    }
}

impl Part {
    fn object(reference: LogReference) -> Self {
        Self::Object(ObjectPart {
            reference,
            read: None,
            object: None,
        })
    }

    pub(super) fn first_txn(&self) -> u64 {
        match self {
            Self::Inline(commit) => commit.txn,
            Self::Object(part) => part.reference.first_txn,
        }
    }

    pub(super) fn last_txn(&self) -> u64 {
        match self {
            Self::Inline(commit) => commit.txn,
            Self::Object(part) => part.reference.last_txn(),
        }
    }

    /// Its commit of this number, which it holds; a log object must have been read.
    pub(super) fn commit(&self, txn: u64) -> Result<WatchedCommit> {
        match self {
            Self::Inline(commit) => Ok(WatchedCommit::new(txn, commit.id, &commit.writes)),
            Self::Object(part) => part.commit(txn),
        }
    }
}

impl ObjectPart {
    fn commit(&self, txn: u64) -> Result<WatchedCommit> {
        let index = usize::try_from(txn - self.reference.first_txn).ok();
        let commits = self.object.as_ref().map(|object| &object.commits);
        let commit = index.zip(commits).and_then(|(index, commits)| commits.get(index));
        let commit = commit.ok_or_else(|| {
            let name = self.reference.object.name;
            Error::new(
                ErrorKind::Corrupt,
                format!("log object {name} has no commit {txn}"),
            )
        })?;
        Ok(WatchedCommit::new(txn, commit.id, &commit.writes))
    }
}
