//! Validation: whether what a transaction read was overwritten since. Pure, no I/O.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use bytes::Bytes;

use crate::{
    key_range::KeyRange,
    mutant::{Broken, Mutant},
    state::Overlay,
};

/// What a transaction read: keys, present or absent, and the ranges that it consumed by scanning.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadSet {
    /// Whether each was there.
    keys: BTreeMap<Bytes, bool>,
    /// How many keys of each were there.
    ranges: Vec<(KeyRange, u64)>,
}

/// A commit that wrote what a transaction had read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) key: Bytes,
    /// `None` if the other transaction is of the same batch and has no number yet, or is no longer known.
    pub(crate) txn: Option<u64>,
}

impl ReadSet {
    /// Adds a key, and whether it was there.
    pub(crate) fn add_key(&mut self, key: Bytes, present: bool) {
        self.keys.insert(key, present);
    }

    /// Adds a range, and how many keys were there in it; one that begins where the range added last ended makes that one
    /// longer.
    pub(crate) fn add_range(&mut self, range: KeyRange, present: u64) {
        if range.is_empty() {
            return;
        }
        match self.ranges.last_mut() {
            Some((last, so_far)) if continues(&last.end, &range.start) => {
                last.end = range.end;
                *so_far += present;
            }
            _ => self.ranges.push((range, present)),
        }
    }

    /// The keys that were read, and whether each was there.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&Bytes, &bool)> {
        self.keys.iter()
    }

    /// The ranges that were read, and how many keys were there in each.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = &(KeyRange, u64)> {
        self.ranges.iter()
    }

    /// True if nothing was read, so that nothing can conflict.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty()
    }

    /// What of it is validated: all, unless the engine is broken.
    pub(crate) fn validated(&self, broken: Broken) -> Cow<'_, Self> {
        if broken.by(Mutant::SkipValidation) {
            return Cow::Owned(Self::default());
        }
        if broken.by(Mutant::SkipKeyValidation) {
            return Cow::Owned(Self {
                ranges: self.ranges.clone(),
                ..Self::default()
            });
        }
        if broken.by(Mutant::SkipRangeValidation) {
            return Cow::Owned(Self {
                keys: self.keys.clone(),
                ..Self::default()
            });
        }
        Cow::Borrowed(self)
    }

    /// The first commit after `snapshot` that wrote what was read, where `overlay` has all that was written since.
    pub(crate) fn conflict_with_state(&self, snapshot: u64, overlay: &Overlay) -> Option<Conflict> {
        let newer = |key: &Bytes, txn: u64| {
            (txn > snapshot).then(|| Conflict {
                key: key.clone(),
                txn: Some(txn),
            })
        };
        let by_key = self.keys.keys().find_map(|key| newer(key, overlay.get(key)?.txn));
        by_key.or_else(|| {
            self.ranges
                .iter()
                .filter(|(range, _)| !range.is_empty())
                .find_map(|(range, _)| {
                    let bounds: (Bound<Bytes>, Bound<Bytes>) = (range.start.clone(), range.end.clone());
                    overlay
                        .range(bounds)
                        .find_map(|(key, version)| newer(key, version.txn))
                })
        })
    }

    /// The first key of `written`, by transactions of the same batch, that was read.
    pub(crate) fn conflict_with_batch(&self, written: &BTreeSet<Bytes>) -> Option<Conflict> {
        let by_key = self.keys.keys().find(|key| written.contains(*key));
        let by_range = || {
            self.ranges
                .iter()
                .filter(|(range, _)| !range.is_empty())
                .find_map(|(range, _)| written.range((range.start.clone(), range.end.clone())).next())
        };
        by_key.or_else(by_range).map(|key| Conflict {
            key: key.clone(),
            txn: None,
        })
    }
}

fn continues(end: &Bound<Bytes>, start: &Bound<Bytes>) -> bool {
    matches!((end, start), (Bound::Included(end), Bound::Excluded(start)) if end == start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Version;

    fn overlay(entries: &[(&'static str, u64)]) -> Overlay {
        entries
            .iter()
            .map(|(key, txn)| {
                (
                    Bytes::from_static(key.as_bytes()),
                    Version {
                        txn: *txn,
                        value: None,
                    },
                )
            })
            .collect()
    }

    fn keys(keys: &[&'static str]) -> ReadSet {
        let mut reads = ReadSet::default();
        keys.iter()
            .for_each(|key| reads.add_key(Bytes::from_static(key.as_bytes()), true));
        reads
    }

    fn range(range: KeyRange) -> ReadSet {
        let mut reads = ReadSet::default();
        reads.add_range(range, 1);
        reads
    }

    #[test]
    fn only_writes_after_the_snapshot_conflict() {
        let overlay = overlay(&[("a", 5), ("b", 7)]);
        assert_eq!(keys(&["a"]).conflict_with_state(5, &overlay), None);
        assert_eq!(
            keys(&["a"]).conflict_with_state(4, &overlay).unwrap().txn,
            Some(5)
        );
        assert_eq!(keys(&["absent"]).conflict_with_state(0, &overlay), None);
    }

    #[test]
    fn a_key_that_appears_in_a_consumed_range_conflicts_though_it_was_absent() {
        let overlay = overlay(&[("b", 9)]);
        assert!(
            range(KeyRange::between("a", "c"))
                .conflict_with_state(8, &overlay)
                .is_some()
        );
        assert!(
            range(KeyRange::between("a", "b"))
                .conflict_with_state(8, &overlay)
                .is_none()
        );
        assert!(range(KeyRange::all()).conflict_with_state(9, &overlay).is_none());
        assert!(
            range(KeyRange::between("c", "a"))
                .conflict_with_state(0, &overlay)
                .is_none()
        );
    }

    #[test]
    fn blind_writes_never_conflict() {
        let reads = ReadSet::default();
        assert_eq!(reads.conflict_with_state(0, &overlay(&[("a", 9)])), None);
        assert_eq!(
            reads.conflict_with_batch(&BTreeSet::from([Bytes::from_static(b"a")])),
            None
        );
    }

    #[test]
    fn a_batch_conflicts_by_key_and_by_range() {
        let written = BTreeSet::from([Bytes::from_static(b"m")]);
        assert!(keys(&["m"]).conflict_with_batch(&written).is_some());
        assert!(keys(&["n"]).conflict_with_batch(&written).is_none());
        assert!(
            range(KeyRange::prefix("m"))
                .conflict_with_batch(&written)
                .is_some()
        );
        assert!(
            range(KeyRange::prefix("n"))
                .conflict_with_batch(&written)
                .is_none()
        );
    }

    #[test]
    fn a_scan_that_goes_on_keeps_one_range() {
        let mut reads = ReadSet::default();
        reads.add_range(KeyRange::bounds(Bound::Included("a"), Bound::Included("b")), 2);
        reads.add_range(KeyRange::bounds(Bound::Excluded("b"), Bound::Excluded("c")), 1);
        assert_eq!(reads.ranges, [(KeyRange::between("a", "c"), 3)]);
    }
}
