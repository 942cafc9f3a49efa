//! An immutable view of one committed state.

use std::{ops::Bound, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    error::Result, head::Pin, head_cache::Certified, head_io::HeadIo, immutable::Unread, key_range::KeyRange,
    run::Direction, state::State, version::Entry, versions::Versions,
};

/// One committed state, which never changes. A clone is two pointers.
#[derive(Debug, Clone)]
pub struct Snapshot {
    certified: Certified,
    io: Arc<HeadIo>,
    pin: Option<Arc<Pin>>,
}

impl Snapshot {
    pub(crate) fn new(certified: Certified, io: Arc<HeadIo>) -> Self {
        Self {
            certified,
            io,
            pin: None,
        }
    }

    /// The same of a state that this pin keeps.
    pub(crate) fn kept_by(self, pin: Pin) -> Self {
        Self {
            pin: Some(Arc::new(pin)),
            ..self
        }
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.pin.is_some()
    }

    /// True if the look that showed this state was sent after `mark`.
    pub(crate) fn certified_after(&self, mark: u64) -> bool {
        self.certified.sent.is_after(mark)
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.certified.state
    }

    /// The number of the newest commit in this state.
    pub fn txn(&self) -> u64 {
        self.state().head.last_txn
    }

    /// The revision of HEAD that this state was read from.
    pub fn revision(&self) -> u64 {
        self.state().head.revision
    }

    /// How long ago, at most, this was the newest state: counted from when the look at HEAD that showed it
    /// was sent, on a clock that counts suspended time. Of a pinned state nobody knows: the longest span there is.
    pub fn age(&self) -> Duration {
        if self.is_pinned() {
            return Duration::MAX;
        }
        self.io.access.clock.now().saturating_sub(self.certified.sent.at)
    }

    /// The value of a key in this state: from memory where the key was written lately or is cached, else one GET, two
    /// where nothing of that part of the manifest was read before.
    ///
    /// # Errors
    ///
    /// [`SnapshotExpired`](crate::ErrorKind::SnapshotExpired) if the state is older than the retention and its
    /// objects are gone.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        let version = match self.io.version(self.state(), key.as_ref()).await {
            Ok(version) => version,
            Err(error) => return Err(self.io.unreadable_though_pinned(self.pin.as_deref(), error).await),
        };
        // Copied: a slice of a block would keep all of that block in memory.
        Ok(version.and_then(|version| version.value.as_deref().map(Bytes::copy_from_slice)))
    }

    /// The entries of a range in this state, in key order.
    pub fn scan(&self, range: KeyRange) -> Scan {
        Scan {
            state: Arc::clone(self.state()),
            io: Arc::clone(&self.io),
            pin: self.pin.clone(),
            rest: range.clone(),
            range,
            direction: Direction::Forward,
            versions: None,
        }
    }
}

/// Entries in key order, as a stream: blocks are asked for ahead of the reader, more of them the longer it reads, and
/// memory stays bounded however long the range is.
#[derive(Debug)]
pub struct Scan {
    state: Arc<State>,
    io: Arc<HeadIo>,
    pin: Option<Arc<Pin>>,
    range: KeyRange,
    /// What was not passed on yet.
    rest: KeyRange,
    direction: Direction,
    versions: Option<Versions>,
}

impl Scan {
    /// The same range from its end to its start. What was read so far is read again.
    #[must_use]
    pub fn reversed(self) -> Self {
        let direction = match self.direction {
            Direction::Forward => Direction::Backward,
            Direction::Backward => Direction::Forward,
        };
        Self {
            rest: self.range.clone(),
            direction,
            versions: None,
            ..self
        }
    }

    /// The next entry; `None` at the end of the range. After an error, and if the future is dropped, it may be asked for
    /// again: nothing is left out.
    pub async fn next(&mut self) -> Result<Option<(Bytes, Bytes)>> {
        loop {
            let Some(entry) = self.next_version().await? else {
                return Ok(None);
            };
            if let Some(value) = &entry.version.value {
                // Copied: a slice of a block would keep all of that block in memory.
                let [key, value] = [&entry.key, value].map(|bytes| Bytes::copy_from_slice(bytes));
                return Ok(Some((key, value)));
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

    /// The next key in its newest version, which may be its deletion.
    pub(crate) async fn next_version(&mut self) -> Result<Option<Entry>> {
        match self.advance().await {
            Ok(entry) => Ok(entry),
            Err(unread) => {
                let deadline = self.io.tables.deadline();
                let error = Box::pin(self.io.unreadable(unread, deadline)).await;
                Err(self.io.unreadable_though_pinned(self.pin.as_deref(), error).await)
            }
        }
    }

    async fn advance(&mut self) -> Result<Option<Entry>, Unread> {
        // Put back only with an answer: an error, or a caller that does not wait for it, may leave blocks behind that were
        // asked for and not passed on. What is left of the range is then begun anew.
        let mut versions = match self.versions.take() {
            Some(versions) => versions,
            None => Versions::of(&self.state, &self.io.tables, &self.rest, self.direction).await?,
        };
        let entry = versions.next().await?;
        self.versions = Some(versions);
        if let Some(entry) = &entry {
            self.passed(&entry.key);
        }
        Ok(entry)
    }

    fn passed(&mut self, key: &Bytes) {
        let passed = Bound::Excluded(key.clone());
        match self.direction {
            Direction::Forward => self.rest.start = passed,
            Direction::Backward => self.rest.end = passed,
        }
    }
}
