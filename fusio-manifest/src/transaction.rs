//! A transaction: a snapshot, what was read of it, and what is to be written.

use std::{collections::BTreeMap, ops::Bound, time::Duration};

use bytes::Bytes;

use crate::{
    commit::Prepared,
    conflict::ReadSet,
    error::Result,
    head::Write,
    id::TransactionId,
    key_range::KeyRange,
    limits,
    manifest::Manifest,
    mutant::Mutant,
    receipt::Receipt,
    snapshot::{Scan, Snapshot},
};

/// How a transaction is to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommitOptions {
    /// How long it may take; `None` means [`crate::Options::commit_timeout`].
    pub timeout: Option<Duration>,
    /// Build one body only: if its PUT loses to somebody else's, return
    /// [`PreconditionFailed`](crate::ErrorKind::PreconditionFailed) even if nothing that was read changed. (The
    /// same bytes may be sent again while it is unknown whether they landed.)
    pub single_attempt: bool,
}

/// Reads of one snapshot and writes to be applied all at once, or not at all.
///
/// # Guarantee
///
/// A transaction that wrote and committed is strictly serializable: it behaves as if it happened at one
/// moment between its beginning and the return of [`commit`](Self::commit). Its reads are certified by that
/// commit and by nothing else: one that is dropped, or commits without having written, has read one
/// consistent state that may be old.
///
/// Dropping it before `commit` is called costs nothing and commits nothing.
#[derive(Debug)]
pub struct Transaction {
    manifest: Manifest,
    id: TransactionId,
    snapshot: Snapshot,
    reads: ReadSet,
    staged: BTreeMap<Bytes, Option<Bytes>>,
    staged_bytes: usize,
}

impl Transaction {
    pub(crate) fn new(manifest: Manifest, id: TransactionId, snapshot: Snapshot) -> Self {
        let (reads, staged) = Default::default();
        Self {
            manifest,
            id,
            snapshot,
            reads,
            staged,
            staged_bytes: 0,
        }
    }

    /// The transaction's id, by which it can be found in the log.
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// The state that it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The value of a key: what this transaction staged, else what its snapshot holds.
    ///
    /// What comes from the snapshot, an absence too, must still hold when the transaction commits.
    pub async fn get(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        let key = key.as_ref();
        if let Some(staged) = self.staged.get(key) {
            return Ok(staged.clone());
        }
        limits::check_key(key)?;
        let read = self.snapshot.get(key).await?;
        let forgotten = read.is_none() && self.manifest.options().broken_by(Mutant::AbsenceForgotten);
        if !forgotten {
            self.reads.add_key(Bytes::copy_from_slice(key), read.is_some());
        }
        Ok(read)
    }

    /// The entries of a range, in key order, with what this transaction staged in their places.
    ///
    /// The part of the range that is consumed must still be the same when the transaction commits: no key in
    /// it changed, none came, none went.
    pub fn scan(&mut self, range: KeyRange) -> TransactionScan<'_> {
        TransactionScan {
            scan: self.snapshot.scan(range.clone()),
            pending: None,
            started: false,
            range,
            transaction: self,
        }
    }

    /// Stages a write.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) if the key, the value or the transaction would be over its limit
    /// ([`limits`](crate::limits)); nothing is staged then.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<()> {
        let value = value.into();
        limits::check_value(&value)?;
        self.stage(key.into(), Some(value))
    }

    /// Stages a deletion. Deleting what is not there is not an error.
    pub fn delete(&mut self, key: impl Into<Bytes>) -> Result<()> {
        self.stage(key.into(), None)
    }

    /// True if nothing is staged.
    pub fn is_read_only(&self) -> bool {
        self.staged.is_empty()
    }

    /// Commits with the default options.
    ///
    /// # Errors
    ///
    /// Every error but [`CommitUnknown`](crate::ErrorKind::CommitUnknown) means that nothing was committed and
    /// nothing will be. See [`ErrorKind`](crate::ErrorKind) for what to do about each.
    pub async fn commit(self) -> Result<Receipt> {
        self.commit_with(CommitOptions::default()).await
    }

    /// Commits. Once the PUT is on the wire, dropping the future does not stop it: the outcome is then
    /// unknown to its caller.
    pub async fn commit_with(self, options: CommitOptions) -> Result<Receipt> {
        let snapshot = self.snapshot.txn();
        if self.staged.is_empty() {
            return Ok(Receipt {
                id: self.id,
                txn: None,
                snapshot,
                attempts: Vec::new(),
            });
        }
        let writes = self
            .staged
            .into_iter()
            .map(|(key, value)| Write { key, value })
            .collect();
        let prepared = Prepared {
            id: self.id,
            snapshot,
            holds_at: snapshot,
            reads: self.reads,
            writes,
            single_attempt: options.single_attempt,
        };
        self.manifest.submit(prepared, options.timeout).await
    }

    /// What was read, for a reader that has to certify it in another way.
    pub(crate) fn reads(&self) -> &ReadSet {
        &self.reads
    }

    fn stage(&mut self, key: Bytes, value: Option<Bytes>) -> Result<()> {
        limits::check_key(&key)?;
        let size = |value: &Option<Bytes>| key.len() + value.as_ref().map_or(0, Bytes::len);
        let before = self.staged.get(&key);
        let writes = self.staged.len() + usize::from(before.is_none());
        let bytes = self.staged_bytes + size(&value) - before.map_or(0, size);
        limits::check_transaction(writes, bytes)?;
        self.staged_bytes = bytes;
        self.staged.insert(key, value);
        Ok(())
    }
}

/// Entries of a range as a transaction sees them.
#[derive(Debug)]
pub struct TransactionScan<'a> {
    transaction: &'a mut Transaction,
    scan: Scan,
    range: KeyRange,
    /// The snapshot's next entry, taken but not yet passed on.
    pending: Option<(Bytes, Bytes)>,
    started: bool,
}

impl TransactionScan<'_> {
    /// The next entry; `None` at the end of the range.
    pub async fn next(&mut self) -> Result<Option<(Bytes, Bytes)>> {
        if !self.started {
            self.pending = self.scan.next().await?;
            self.started = true;
        }
        loop {
            let staged = self.next_staged();
            let stored = self.pending.as_ref().map(|(key, _)| key.clone());
            let entry = match (staged, stored) {
                (None, None) => {
                    let options = self.transaction.manifest.options();
                    if !options.broken_by(Mutant::ScanEndForgotten) {
                        self.consumed_through(None, 0);
                    }
                    return Ok(None);
                }
                (Some((key, value)), stored) if stored.as_ref().is_none_or(|stored| key <= *stored) => {
                    let both = stored.as_ref() == Some(&key);
                    if both {
                        self.pending = self.scan.next().await?;
                    }
                    self.consumed_through(Some(&key), u64::from(both));
                    value.map(|value| (key, value))
                }
                _ => {
                    let after = self.scan.next().await?;
                    let entry = std::mem::replace(&mut self.pending, after);
                    self.consumed_through(entry.as_ref().map(|(key, _)| key), 1);
                    entry
                }
            };
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }

    /// All entries that are left.
    pub async fn collect(mut self) -> Result<Vec<(Bytes, Bytes)>> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next().await? {
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The first staged write in the part of the range that is not consumed yet.
    fn next_staged(&self) -> Option<(Bytes, Option<Bytes>)> {
        if self.range.is_empty() {
            return None;
        }
        let bounds = (self.range.start.clone(), self.range.end.clone());
        self.transaction
            .staged
            .range(bounds)
            .next()
            .map(|(key, value)| (key.clone(), value.clone()))
    }

    /// Everything up to `key`, or up to the range's end, has now been seen; so many keys of the snapshot were there.
    fn consumed_through(&mut self, key: Option<&Bytes>, present: u64) {
        let end = key.map_or_else(|| self.range.end.clone(), |key| Bound::Included(key.clone()));
        let seen = KeyRange {
            start: self.range.start.clone(),
            end,
        };
        self.transaction.reads.add_range(seen, present);
        if let Some(key) = key {
            self.range.start = Bound::Excluded(key.clone());
        }
    }
}
