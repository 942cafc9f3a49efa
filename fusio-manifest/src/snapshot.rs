//! An immutable view of one committed state.

use std::{collections::VecDeque, ops::Bound, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{clock::Clock, error::Result, head_cache::Certified, key_range::KeyRange, state::State};

/// How many entries a scan takes from the state at once.
const READ_AHEAD: usize = 256;

/// One committed state, which never changes. A clone is two pointers.
#[derive(Debug, Clone)]
pub struct Snapshot {
    certified: Certified,
    clock: Arc<dyn Clock>,
}

impl Snapshot {
    pub(crate) fn new(certified: Certified, clock: Arc<dyn Clock>) -> Self {
        Self { certified, clock }
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
    /// was sent, on a clock that counts suspended time.
    pub fn age(&self) -> Duration {
        self.clock.now().saturating_sub(self.certified.sent.at)
    }

    /// The value of a key in this state.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        Ok(self
            .state()
            .overlay
            .get(key.as_ref())
            .and_then(|version| version.value.clone()))
    }

    /// The entries of a range in this state, in key order.
    pub fn scan(&self, range: KeyRange) -> Scan {
        Scan::new(Arc::clone(self.state()), range)
    }
}

/// Entries in key order. The state is not copied: memory stays bounded however long the range is.
#[derive(Debug)]
pub struct Scan {
    state: Arc<State>,
    rest: KeyRange,
    ahead: VecDeque<(Bytes, Bytes)>,
}

impl Scan {
    fn new(state: Arc<State>, range: KeyRange) -> Self {
        Self {
            state,
            rest: range,
            ahead: VecDeque::new(),
        }
    }

    /// The next entry; `None` at the end of the range.
    pub async fn next(&mut self) -> Result<Option<(Bytes, Bytes)>> {
        if self.ahead.is_empty() {
            self.read_ahead();
        }
        Ok(self.ahead.pop_front())
    }

    /// All entries that are left.
    pub async fn collect(mut self) -> Result<Vec<(Bytes, Bytes)>> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next().await? {
            entries.push(entry);
        }
        Ok(entries)
    }

    fn read_ahead(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let bounds = (self.rest.start.clone(), self.rest.end.clone());
        let live =
            self.state.overlay.range(bounds).filter_map(|(key, version)| {
                version.value.as_ref().map(|value| (key.clone(), value.clone()))
            });
        self.ahead.extend(live.take(READ_AHEAD));
        if let Some((last, _)) = self.ahead.back() {
            self.rest.start = Bound::Excluded(last.clone());
        }
    }
}
