//! What reads showed of the keys that unknown commits write.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use super::floating::Floating;
use crate::{
    checker::commits::{Commits, Writer, bounds},
    history::{History, Operation, OperationId, Read, State},
};

/// A key as one read showed it.
pub(super) struct Sighting<'h> {
    pub(super) at: u64,
    pub(super) value: Option<&'h [u8]>,
    /// `None` if it is the final state.
    pub(super) by: Option<&'h Operation>,
    /// The unknown commit that wrote this value, if it was one.
    pub(super) shows: Option<OperationId>,
}

/// A key that unknown commits write, and all that was seen of it.
pub(super) struct SightedKey<'h> {
    pub(super) key: &'h [u8],
    /// Who writes it, ascending.
    pub(super) writers: Vec<OperationId>,
    /// Those of them that delete it.
    pub(super) deleters: Vec<OperationId>,
    /// The values that they write, ascending, so that one comparison tells most reads to show none of them.
    values: Vec<(&'h [u8], OperationId)>,
    /// Before this number none of them can stand: earlier reads bear on none, unless they show what it wrote.
    from: u64,
    /// By snapshot.
    pub(super) sightings: Vec<Sighting<'h>>,
}

/// All such keys.
pub(super) struct SightedKeys<'h> {
    /// Ascending by key.
    pub(super) keys: Vec<SightedKey<'h>>,
    places: HashMap<&'h [u8], usize>,
}

impl<'h> SightedKeys<'h> {
    /// The keys of these commits, of which nothing was seen yet.
    pub(super) fn of(unknown: &BTreeMap<OperationId, Floating<'h>>) -> Self {
        let mut by_key: BTreeMap<&'h [u8], BTreeMap<OperationId, Option<&'h [u8]>>> = BTreeMap::new();
        let mut values: BTreeSet<(&'h [u8], &'h [u8], OperationId)> = BTreeSet::new();
        for Floating { operation, .. } in unknown.values() {
            for write in &operation.writes {
                let (key, value) = (write.key.as_ref(), write.value.as_deref());
                // The last write of a key counts.
                by_key.entry(key).or_default().insert(operation.id, value);
                values.extend(value.map(|value| (key, value, operation.id)));
            }
        }
        let mut places = HashMap::with_capacity(by_key.len());
        let mut keys: Vec<SightedKey<'h>> = Vec::with_capacity(by_key.len());
        for (key, writes) in by_key {
            let deletes = writes.iter().filter(|(_, value)| value.is_none());
            let low = writes.keys().filter_map(|id| unknown.get(id));
            places.insert(key, keys.len());
            keys.push(SightedKey {
                key,
                deleters: deletes.map(|(id, _)| *id).collect(),
                from: low.map(|floating| floating.low).min().unwrap_or_default(),
                writers: writes.into_keys().collect(),
                values: Vec::new(),
                sightings: Vec::new(),
            });
        }
        for (key, value, id) in values {
            if let Some(known) = places.get(key).and_then(|place| keys.get_mut(*place)) {
                known.values.push((value, id));
            }
        }
        Self { keys, places }
    }

    pub(super) fn place(&self, key: &[u8]) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// Adds every read of them, and the final state.
    pub(super) fn look(
        &mut self,
        history: &'h History,
        final_state: Option<&'h State>,
        commits: &Commits<'h>,
    ) {
        let base_txn = commits.base_txn;
        for operation in &history.operations {
            let Some(snapshot) = operation.snapshot() else {
                continue;
            };
            let certified = operation
                .txn()
                .map(|txn| txn.saturating_sub(1))
                .filter(|at| *at > snapshot);
            for at in [Some(snapshot), certified].into_iter().flatten() {
                for read in operation.reads.iter().filter(|_| at >= base_txn) {
                    self.see(read, at, operation);
                }
            }
        }
        if let Some(state) = final_state.filter(|state| state.txn >= base_txn) {
            for known in &mut self.keys {
                let value = state.entries.get(known.key).map(AsRef::as_ref);
                known.sighted(state.txn, value, None);
            }
        }
        for known in &mut self.keys {
            known.order(commits);
        }
    }

    fn see(&mut self, read: &'h Read, at: u64, by: &'h Operation) {
        match read {
            Read::Point { key, value } => {
                let place = self.place(key);
                if let Some(known) = place.and_then(|place| self.keys.get_mut(place)) {
                    known.sighted(at, value.as_deref(), Some(by));
                }
            }
            Read::Range { from, to, rows } => {
                let (from, to) = bounds(from, to.as_deref());
                let above = self.keys.partition_point(|known| is_before(known.key, from));
                for known in self.keys.iter_mut().skip(above) {
                    if !is_within(known.key, to) {
                        break;
                    }
                    // A scan whose rows are out of order is reported elsewhere; what is not found is not judged.
                    let row = rows.binary_search_by(|row| row.key.as_ref().cmp(known.key)).ok();
                    let value = row
                        .and_then(|place| rows.get(place))
                        .map(|row| row.value.as_ref());
                    known.sighted(at, value, Some(by));
                }
            }
        }
    }
}

fn is_before(key: &[u8], from: Bound<&[u8]>) -> bool {
    match from {
        Bound::Included(from) => key < from,
        Bound::Excluded(from) => key <= from,
        Bound::Unbounded => false,
    }
}

fn is_within(key: &[u8], to: Bound<&[u8]>) -> bool {
    match to {
        Bound::Included(to) => key <= to,
        Bound::Excluded(to) => key < to,
        Bound::Unbounded => true,
    }
}

impl<'h> SightedKey<'h> {
    fn sighted(&mut self, at: u64, value: Option<&'h [u8]>, by: Option<&'h Operation>) {
        let place =
            value.and_then(|value| self.values.binary_search_by_key(&value, |(value, _)| *value).ok());
        let shows = place.and_then(|place| self.values.get(place)).map(|(_, id)| *id);
        if at < self.from && shows.is_none() {
            return;
        }
        self.sightings.push(Sighting { at, value, by, shows });
    }

    fn order(&mut self, commits: &Commits<'h>) {
        let key = self.key;
        for sighting in self
            .sightings
            .iter_mut()
            .filter(|sighting| sighting.shows.is_some())
        {
            // Who else wrote it is what counts, if anybody did.
            let writer = sighting.value.and_then(|value| commits.writer(key, value));
            sighting.shows = match writer {
                Some(Writer::Operation(writer)) => Some(writer.id),
                Some(Writer::Base) | None => None,
            };
        }
        let order = |sighting: &Sighting<'_>| (sighting.at, sighting.by.map(|operation| operation.id));
        if !self.sightings.is_sorted_by_key(order) {
            self.sightings.sort_by_key(order);
        }
    }
}
