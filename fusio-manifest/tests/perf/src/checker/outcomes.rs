//! Commits of unknown outcome: which of them are applied, and at which number.
//!
//! Nobody was told where such a commit stands, so its place is deduced. Every number up to the last is held
//! by exactly one commit, so one that no acknowledged commit holds (a hole) is held by an unknown one, and
//! each unknown one holds at most one. A window of numbers is kept for each:
//! - it stands after its snapshot and after whatever was known before it was invoked; it may land at any time
//!   later, so the moment at which its caller gave up bounds nothing;
//! - a read that shows its value puts it at or before the read's snapshot, and after the latest other write
//!   of that key there; it is then known to be applied;
//! - a read that shows another value puts it outside the numbers from that value's commit to the snapshot;
//! - a value that it read was still there when it committed.
//!
//! A hole that only one can fill, and an applied commit with only one hole left, are decided; that repeats
//! until nothing moves. Each step holds in *every* explanation of the history, so no correct history is
//! flagged. What remains is checked only for whether every hole can be filled and every applied commit has
//! a hole (a matching of windows, which exists or not); that all remaining choices fit *together* is left
//! open, and reads that depend on them are counted as such.

mod floating;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
};

use super::{
    commits::{Commits, Writer, bounds},
    real_time::RealTime,
    violation::{Findings, ViolationKind},
};
use crate::history::{History, Operation, OperationId, Read, State};
use floating::Cause;
pub(super) use floating::{Floating, may_stand};

/// Bounds the work on chains of deductions; what is not decided by then stays open.
const ROUNDS_MAX: usize = 64;

/// One key as one read showed it.
struct Sighting<'h> {
    at: u64,
    key: &'h [u8],
    value: Option<&'h [u8]>,
    /// `None` if it is the final state.
    by: Option<&'h Operation>,
}

/// The commits whose place is not known.
pub(super) struct Unplaced<'h> {
    floating: BTreeMap<OperationId, Floating<'h>>,
    by_key: HashMap<&'h [u8], Vec<OperationId>>,
}

impl<'h> Unplaced<'h> {
    /// Decides what can be decided, puts it into `commits`, and reports contradictions.
    pub(super) fn resolve(
        history: &'h History,
        final_state: Option<&'h State>,
        real_time: &RealTime<'h>,
        commits: &mut Commits<'h>,
        findings: &mut Findings,
    ) -> Self {
        let unknown = history
            .operations
            .iter()
            .filter(|operation| operation.is_unknown_commit());
        let mut unplaced = Self {
            floating: BTreeMap::new(),
            by_key: HashMap::new(),
        };
        for operation in unknown {
            let floating = Floating::new(operation, real_time, commits.base_txn);
            unplaced.floating.insert(operation.id, floating);
            let keys: BTreeSet<&[u8]> = operation.writes.iter().map(|write| write.key.as_ref()).collect();
            for key in keys {
                unplaced.by_key.entry(key).or_default().push(operation.id);
            }
        }
        if unplaced.floating.is_empty() {
            return unplaced;
        }
        let sightings = unplaced.sightings(history, final_state, commits);
        for _ in 0..ROUNDS_MAX {
            for floating in unplaced.floating.values_mut() {
                *floating = Floating::new(floating.operation, real_time, commits.base_txn);
            }
            unplaced.tighten(commits, &sightings);
            if !unplaced.place_forced(commits) {
                break;
            }
        }
        unplaced.report(commits, findings);
        unplaced
    }

    /// Every read of a key that an unknown commit writes, by snapshot.
    fn sightings(
        &self,
        history: &'h History,
        final_state: Option<&'h State>,
        commits: &Commits<'h>,
    ) -> Vec<Sighting<'h>> {
        let keys: BTreeSet<&'h [u8]> = self.by_key.keys().copied().collect();
        let mut sightings = Vec::new();
        for operation in &history.operations {
            let Some(snapshot) = operation.snapshot() else {
                continue;
            };
            let certified = operation
                .txn()
                .map(|txn| txn.saturating_sub(1))
                .filter(|at| *at > snapshot);
            for at in [Some(snapshot), certified].into_iter().flatten() {
                for read in &operation.reads {
                    see(read, &keys, |key, value| {
                        sightings.push(Sighting {
                            at,
                            key,
                            value,
                            by: Some(operation),
                        });
                    });
                }
            }
        }
        if let Some(state) = final_state {
            for key in keys {
                let value = state.entries.get(key).map(AsRef::as_ref);
                sightings.push(Sighting {
                    at: state.txn,
                    key,
                    value,
                    by: None,
                });
            }
        }
        sightings.retain(|sighting| sighting.at >= commits.base_txn);
        sightings.sort_by_key(|sighting| (sighting.at, sighting.by.map(|operation| operation.id)));
        sightings
    }

    fn tighten(&mut self, commits: &Commits<'h>, sightings: &[Sighting<'h>]) {
        for floating in self.floating.values_mut() {
            for read in &floating.operation.reads {
                // A value cannot come back, an absence can.
                if let Read::Point { key, value: Some(_) } = read
                    && let Some(snapshot) = floating.operation.snapshot()
                    && let Some(next) = commits.version_after(key, snapshot)
                {
                    floating.lower_high(next.txn - 1, Cause::OwnRead, next.writer);
                }
            }
        }
        // Upwards moves the lower ends as far as they go, downwards the upper ones.
        for sighting in sightings.iter().chain(sightings.iter().rev()) {
            self.learn(commits, sighting);
        }
    }

    fn learn(&mut self, commits: &Commits<'h>, sighting: &Sighting<'h>) {
        let Sighting { at, key, value, by } = *sighting;
        let latest = commits.version_at(key, at);
        let matches = latest.value.map(AsRef::as_ref) == value;
        let forbidden = match value {
            Some(value) => {
                if let Some(Writer::Operation(writer)) = commits.writer(key, value)
                    && let Some(floating) = self.floating.get_mut(&writer.id)
                {
                    floating.show(latest.txn, at, by);
                }
                matches
            }
            None => {
                let possible = |floating: &&Floating<'_>| floating.low <= at && floating.high > latest.txn;
                let mut deleters = self
                    .of_key(key)
                    .filter(possible)
                    .filter(|floating| floating.deletes(key));
                let deleter = deleters.next().map(|floating| floating.operation.id);
                let only = deleters.next().is_none();
                drop(deleters);
                if !matches
                    && only
                    && let Some(floating) = deleter.and_then(|id| self.floating.get_mut(&id))
                {
                    floating.show(latest.txn, at, by);
                }
                matches && deleter.is_none()
            }
        };
        if forbidden {
            for id in self.by_key.get(key).into_iter().flatten() {
                if let Some(floating) = self.floating.get_mut(id) {
                    floating.forbid(latest.txn, at, by);
                }
            }
        }
    }

    /// Places what has only one place, and fills what only one can fill. True if there was any.
    fn place_forced(&mut self, commits: &mut Commits<'h>) -> bool {
        let mut chosen = BTreeMap::new();
        for floating in self.floating.values().filter(|floating| floating.applied()) {
            let first = commits.holes.partition_point(|hole| *hole < floating.low);
            let mut holes = commits
                .holes
                .iter()
                .skip(first)
                .take_while(|hole| **hole <= floating.high);
            if let (Some(only), None) = (holes.next(), holes.next()) {
                chosen.entry(*only).or_insert(floating.operation.id);
            }
        }
        for (hole, id) in &chosen {
            if let Some(floating) = self.floating.remove(id) {
                commits.place(*hole, floating.operation);
            }
        }
        commits.holes.retain(|hole| !chosen.contains_key(hole));
        // One that is placed is out of the way of all later holes.
        let mut waiting: Vec<_> = self
            .floating
            .values()
            .map(|floating| (floating.low, floating.high, floating.operation.id))
            .collect();
        waiting.sort_by_key(|window| Reverse(*window));
        let mut able = BTreeSet::new();
        let mut filled = BTreeSet::new();
        for hole in commits.holes.clone() {
            while let Some((_, high, id)) = waiting.pop_if(|(low, _, _)| *low <= hole) {
                able.insert((high, id));
            }
            while able.first().is_some_and(|(high, _)| *high < hole) {
                able.pop_first();
            }
            if able.len() == 1
                && let Some((_, id)) = able.pop_first()
                && let Some(floating) = self.floating.remove(&id)
            {
                commits.place(hole, floating.operation);
                filled.insert(hole);
            }
        }
        commits.holes.retain(|hole| !filled.contains(hole));
        !chosen.is_empty() || !filled.is_empty()
    }

    fn report(&mut self, commits: &Commits<'h>, findings: &mut Findings) {
        let impossible = |floating: &Floating<'h>| floating.applied() && floating.low > floating.high;
        for floating in self.floating.values_mut().filter(|floating| impossible(floating)) {
            floating.report_contradiction(findings);
        }
        if commits.overfull {
            return;
        }
        // A commit that can stand nowhere leaves its hole empty: one contradiction, not two.
        if !self.floating.values().any(|floating| floating.contradicted) {
            let (unfilled, _) = fill(&commits.holes, self.floating.values());
            for hole in unfilled {
                let after = commits
                    .by_txn
                    .range(hole..)
                    .next()
                    .map(|(_, operation)| *operation);
                findings.add(ViolationKind::ForeignCommit, after, || {
                    format!("no operation can hold number {hole}: a commit is foreign, or applied twice")
                });
            }
        }
        let applied = self
            .floating
            .values()
            .filter(|floating| floating.applied() && !floating.contradicted);
        let (_, homeless) = fill(&commits.holes, applied);
        for id in homeless {
            let Some(floating) = self.floating.get_mut(&id) else {
                continue;
            };
            floating.contradicted = true;
            let operations = [Some(floating.operation), floating.last_by()]
                .into_iter()
                .flatten();
            findings.add(ViolationKind::DirtyRead, operations, || {
                "its writes were seen, but no number is left at which it could be committed".to_owned()
            });
        }
    }

    /// The undecided commits that write `key`.
    pub(super) fn of_key(&self, key: &[u8]) -> impl Iterator<Item = &Floating<'h>> {
        self.by_key
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|id| self.floating.get(id))
    }

    /// The undecided commit of this name.
    pub(super) fn get(&self, id: OperationId) -> Option<&Floating<'h>> {
        self.floating.get(&id)
    }

    /// Every key that an undecided commit writes.
    pub(super) fn keys(&self) -> BTreeSet<&'h [u8]> {
        self.floating
            .values()
            .flat_map(|floating| &floating.operation.writes)
            .map(|write| write.key.as_ref())
            .collect()
    }

    /// The undecided commits that may be applied.
    pub(super) fn open<'a>(&'a self, commits: &'a Commits<'h>) -> impl Iterator<Item = &'a Floating<'h>> {
        self.floating
            .values()
            .filter(|floating| may_stand(floating, commits, 0, u64::MAX))
    }
}

/// Calls `seen` for each of `keys` that the read shows, present or absent.
fn see<'h>(read: &'h Read, keys: &BTreeSet<&'h [u8]>, mut seen: impl FnMut(&'h [u8], Option<&'h [u8]>)) {
    match read {
        Read::Point { key, value } => {
            if keys.contains(key.as_ref()) {
                seen(key, value.as_deref());
            }
        }
        Read::Range { from, to, rows } => {
            for key in keys.range::<[u8], _>(bounds(from, to.as_deref())) {
                // A scan whose rows are out of order is reported elsewhere; what is not found is not judged.
                let row = rows.binary_search_by(|row| row.key.as_ref().cmp(key)).ok();
                seen(
                    key,
                    row.and_then(|place| rows.get(place))
                        .map(|row| row.value.as_ref()),
                );
            }
        }
    }
}

/// Gives each hole to the commit whose window closes first. Returns the holes that nobody can fill and the
/// commits that got none; if any assignment fills all holes, or houses all commits, this one does.
fn fill<'a, 'h: 'a>(
    holes: &[u64],
    floating: impl Iterator<Item = &'a Floating<'h>>,
) -> (Vec<u64>, Vec<OperationId>) {
    let mut waiting: Vec<_> = floating
        .map(|floating| Reverse((floating.low, floating.high, floating.operation.id)))
        .collect();
    waiting.sort();
    let (mut unfilled, mut homeless) = (Vec::new(), Vec::new());
    let mut ready = BinaryHeap::new();
    for hole in holes {
        while let Some(Reverse((_, high, id))) = waiting.pop_if(|Reverse((low, _, _))| *low <= *hole) {
            ready.push(Reverse((high, id)));
        }
        let mut filled = false;
        while let Some(Reverse((high, id))) = ready.pop() {
            if high >= *hole {
                filled = true;
                break;
            }
            homeless.push(id);
        }
        if !filled {
            unfilled.push(*hole);
        }
    }
    homeless.extend(ready.into_iter().map(|Reverse((_, id))| id));
    homeless.extend(waiting.into_iter().map(|Reverse((_, _, id))| id));
    homeless.sort();
    (unfilled, homeless)
}
