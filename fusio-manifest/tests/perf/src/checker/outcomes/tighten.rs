//! What the reads of one key say of the unknown commits that write it.
//!
//! A read bears only on commits whose window begins or ends among the numbers that it rules out, and they are found by
//! where it begins and ends: however many crowd on a key, a read costs no more than the windows that it moves.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    floating::Floating,
    sightings::{SightedKey, Sighting},
};
use crate::{
    checker::commits::{Commits, Version},
    history::OperationId,
};

/// The undecided commits of one key, by where their windows begin and end.
#[derive(Default)]
struct Ends {
    low: BTreeSet<(u64, OperationId)>,
    high: BTreeSet<(u64, OperationId)>,
}

impl Ends {
    fn add(&mut self, floating: &Floating<'_>) {
        self.low.insert((floating.low, floating.operation.id));
        self.high.insert((floating.high, floating.operation.id));
    }

    /// Those of which one end lies above `after`, up to `to`.
    fn among(&self, after: u64, to: u64) -> Vec<OperationId> {
        if after >= to {
            return Vec::new();
        }
        let range = (after + 1, OperationId(0))..=(to, OperationId(u64::MAX));
        let low = self.low.range(range.clone());
        low.chain(self.high.range(range)).map(|(_, id)| *id).collect()
    }
}

/// One key at work.
pub(super) struct Tighten<'a, 'h> {
    commits: &'a Commits<'h>,
    sighted: &'a SightedKey<'h>,
    floating: &'a mut BTreeMap<OperationId, Floating<'h>>,
    ends: Ends,
    moved: BTreeSet<OperationId>,
}

impl<'a, 'h> Tighten<'a, 'h> {
    /// Moves the ends of windows as far as these reads do. Returns whose windows are smaller than before.
    pub(super) fn by(
        sighted: &'a SightedKey<'h>,
        commits: &'a Commits<'h>,
        floating: &'a mut BTreeMap<OperationId, Floating<'h>>,
    ) -> BTreeSet<OperationId> {
        let mut ends = Ends::default();
        for id in &sighted.writers {
            if let Some(floating) = floating.get(id) {
                ends.add(floating);
            }
        }
        if ends.low.is_empty() {
            return BTreeSet::new();
        }
        let mut tighten = Self {
            commits,
            sighted,
            floating,
            ends,
            moved: BTreeSet::new(),
        };
        // Upwards moves the lower ends as far as they go, downwards the upper ones.
        for sighting in sighted.sightings.iter().chain(sighted.sightings.iter().rev()) {
            tighten.learn(sighting);
        }
        tighten.moved
    }

    fn learn(&mut self, sighting: &Sighting<'h>) {
        let Sighting { at, value, by, shows } = *sighting;
        let latest = self.commits.version_at(self.sighted.key, at);
        let matches = latest.value.map(AsRef::as_ref) == value;
        if let Some(id) = shows {
            self.change(id, |floating| floating.show(latest.txn, at, by));
        }
        let forbidden = match value {
            Some(_) => matches,
            None => {
                let (deleter, only) = self.deleter(latest, at);
                if let (false, true, Some(id)) = (matches, only, deleter) {
                    self.change(id, |floating| floating.show(latest.txn, at, by));
                }
                matches && deleter.is_none()
            }
        };
        if forbidden {
            for id in self.ends.among(latest.txn, at) {
                self.change(id, |floating| floating.forbid(latest.txn, at, by));
            }
        }
    }

    /// One that may have deleted the key since its latest version, and whether it is the only one.
    fn deleter(&self, latest: Version<'h>, at: u64) -> (Option<OperationId>, bool) {
        let possible = |id: &&OperationId| {
            let floating = self.floating.get(id);
            floating.is_some_and(|floating| floating.low <= at && floating.high > latest.txn)
        };
        let mut deleters = self.sighted.deleters.iter().filter(possible);
        let deleter = deleters.next().copied();
        (deleter, deleters.next().is_none())
    }

    fn change(&mut self, id: OperationId, change: impl FnOnce(&mut Floating<'h>)) {
        let Some(floating) = self.floating.get_mut(&id) else {
            return;
        };
        let (low, high) = (floating.low, floating.high);
        change(floating);
        if floating.low != low && self.ends.low.remove(&(low, id)) {
            self.ends.low.insert((floating.low, id));
            self.moved.insert(id);
        }
        if floating.high != high && self.ends.high.remove(&(high, id)) {
            self.ends.high.insert((floating.high, id));
            self.moved.insert(id);
        }
    }
}
