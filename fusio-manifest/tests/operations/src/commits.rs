//! What commits came to, held against the model.

use bytes::Bytes;
use fusio_manifest::{CommitOutcome, CommitToken, Error, ErrorKind, KeyRange, Receipt};

use crate::{
    Verdict, ensure,
    model::{Read, Writes},
    succeeds,
    world::World,
};

/// A transaction that was to be committed.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) handle: usize,
    /// The commit whose state it read.
    pub(crate) snapshot: u64,
    /// It may be older than the retention.
    pub(crate) old: bool,
    pub(crate) reads: Vec<Read>,
    pub(crate) writes: Writes,
}

/// A commit whose outcome its caller was not told.
#[derive(Debug)]
pub(crate) struct Unknown {
    token: CommitToken,
    tried: Tried,
}

impl World {
    /// Takes what came of transactions that were committed at the same time.
    pub(crate) async fn conclude(&mut self, done: Vec<(Tried, Result<Receipt, Error>)>) -> Verdict {
        let mut landed = Vec::new();
        let mut conflicts = Vec::new();
        for (tried, result) in done {
            match result {
                Ok(receipt) => {
                    ensure!(
                        receipt.snapshot == tried.snapshot,
                        "{receipt:?} of a transaction on {}",
                        tried.snapshot
                    );
                    match receipt.txn {
                        Some(txn) => landed.push((txn, tried)),
                        None => ensure!(tried.writes.is_empty(), "{tried:?} took no place"),
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::Conflict => conflicts.push((tried, error)),
                    ErrorKind::CommitUnknown => {
                        let token = error.token().ok_or("an unknown commit without a token")?.clone();
                        self.unknown.push(Unknown { token, tried });
                    }
                    ErrorKind::SnapshotExpired => {
                        ensure!(tried.old, "a young transaction has expired: {error}");
                    }
                    _ => self.excused(tried.handle, "committing", &error)?,
                },
            }
        }
        self.land(landed).await?;
        for (tried, error) in conflicts {
            let last = self.model.last();
            let overwritten = |read: &Read| self.model.overwritten(read, tried.snapshot, last);
            ensure!(
                tried.reads.iter().any(overwritten),
                "nothing that it read was overwritten up to {last}: {tried:?}: {error}"
            );
        }
        Ok(())
    }

    /// Looks what became of commits whose outcome is unknown.
    pub(crate) async fn settle(&mut self) -> Verdict {
        match self.unknown.is_empty() {
            true => Ok(()),
            false => self.land(Vec::new()).await,
        }
    }

    /// Takes commits that are certain, and those unknown ones that turn out to be among them.
    async fn land(&mut self, mut landed: Vec<(u64, Tried)>) -> Verdict {
        if !self.unknown.is_empty() {
            let observer = self.observer().await?;
            let mut left = Vec::new();
            for unknown in std::mem::take(&mut self.unknown) {
                let outcome = succeeds("asking for an outcome", observer.outcome(&unknown.token).await)?;
                match outcome {
                    CommitOutcome::Committed { txn } => landed.push((txn, unknown.tried)),
                    CommitOutcome::NotCommitted => {}
                    CommitOutcome::StillUnknown => left.push(unknown),
                }
            }
            self.unknown = left;
            let info = succeeds("asking what is known", observer.info())?;
            ensure!(
                info.txn == self.model.last() + landed.len() as u64,
                "HEAD is at commit {}; after {} these are known: {landed:?}, and these are not: {:?}",
                info.txn,
                self.model.last(),
                self.unknown
            );
            landed.sort_by_key(|(txn, _)| *txn);
            self.apply(landed)?;
            let last = self.model.last();
            let scanned = observer.scan(KeyRange::all()).await;
            let scanned = succeeds("scanning", succeeds("looking", scanned)?.collect().await)?;
            let expected: Vec<(Bytes, Bytes)> =
                self.model.range(&KeyRange::all(), last).into_iter().collect();
            ensure!(
                scanned == expected,
                "after {last} it holds {scanned:?}, not {expected:?}"
            );
            observer.close().await;
            return Ok(());
        }
        landed.sort_by_key(|(txn, _)| *txn);
        self.apply(landed)
    }

    /// Each takes the next place, and what it read holds there.
    fn apply(&mut self, landed: Vec<(u64, Tried)>) -> Verdict {
        for (txn, tried) in landed {
            let before = self.model.last();
            ensure!(txn == before + 1, "commit {txn} came after {before}: {tried:?}");
            for read in &tried.reads {
                ensure!(
                    self.model.still_holds(read, tried.snapshot, before),
                    "commit {txn} read {read:?} of {}, which had changed: {tried:?}",
                    tried.snapshot
                );
            }
            self.model.apply(&tried.writes);
        }
        Ok(())
    }
}
