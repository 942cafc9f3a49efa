//! Validation where an overlay alone cannot tell: commits since the snapshot were folded away before this handle saw
//! them, or have left its overlay. Then what was read is read again.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    conflict::{Conflict, ReadSet},
    error::Result,
    head_io::HeadIo,
    key_range::KeyRange,
    run::Direction,
    state::State,
    version::Version,
    versions::Versions,
};

impl HeadIo {
    /// The first difference between what a transaction read at commit `snapshot` and `state`; none if all of it still
    /// holds there.
    pub(crate) async fn conflict(
        self: &Arc<Self>,
        reads: &ReadSet,
        snapshot: u64,
        state: &Arc<State>,
    ) -> Result<Option<Conflict>> {
        if snapshot >= state.complete_after {
            return Ok(reads.conflict_with_state(snapshot, &state.overlay));
        }
        for (key, present) in reads.keys() {
            let version = self.version(state, key).await?;
            if changed(version.as_ref(), *present, snapshot) {
                return Ok(Some(conflict(key, version.as_ref())));
            }
        }
        for (range, present) in reads.ranges() {
            let conflict = self.conflict_in_range(range, *present, snapshot, state).await?;
            if conflict.is_some() {
                return Ok(conflict);
            }
        }
        Ok(None)
    }

    async fn conflict_in_range(
        self: &Arc<Self>,
        range: &KeyRange,
        present: u64,
        snapshot: u64,
        state: &Arc<State>,
    ) -> Result<Option<Conflict>> {
        let mut found = 0;
        let mut versions = match Versions::of(state, &self.tables, range, Direction::Forward).await {
            Ok(versions) => versions,
            Err(unread) => return Err(self.unreadable(unread, self.tables.deadline()).await),
        };
        loop {
            match versions.next().await {
                Ok(Some(entry)) if entry.version.txn > snapshot => {
                    return Ok(Some(conflict(&entry.key, Some(&entry.version))));
                }
                Ok(Some(entry)) => found += u64::from(entry.version.value.is_some()),
                Ok(None) => break,
                Err(unread) => return Err(self.unreadable(unread, self.tables.deadline()).await),
            }
        }
        // All that is there was there. If it is fewer, something was deleted, and the oldest run keeps no deletions.
        let start = match &range.start {
            std::ops::Bound::Included(key) | std::ops::Bound::Excluded(key) => key.clone(),
            std::ops::Bound::Unbounded => Bytes::new(),
        };
        Ok((found != present).then(|| conflict(&start, None)))
    }
}

/// A version tells by its number whether it is the one that was read. Of a deletion that the oldest run no longer keeps
/// only the absence tells.
fn changed(version: Option<&Version>, present: bool, snapshot: u64) -> bool {
    match version {
        Some(version) => version.txn > snapshot,
        None => present,
    }
}

fn conflict(key: &Bytes, version: Option<&Version>) -> Conflict {
    Conflict {
        key: key.clone(),
        txn: version.map(|version| version.txn),
    }
}
