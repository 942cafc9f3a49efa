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
mod sightings;
mod tighten;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use super::{
    commits::Commits,
    real_time::RealTime,
    violation::{Findings, ViolationKind},
};
use crate::history::{History, Operation, OperationId, Read, State};
use floating::Cause;
pub(super) use floating::{Floating, may_stand};
use sightings::SightedKeys;
use tighten::Tighten;

/// Bounds the work on chains of deductions; what is not decided by then stays open.
const ROUNDS_MAX: usize = 64;

/// The commits whose place is not known.
pub(super) struct Unplaced<'h> {
    floating: BTreeMap<OperationId, Floating<'h>>,
    sighted: SightedKeys<'h>,
    /// Those of each key that may be applied, in the order of the keys; once all is decided that can be.
    open: Vec<Vec<OperationId>>,
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
        let floating: BTreeMap<_, _> = unknown
            .map(|operation| {
                (
                    operation.id,
                    Floating::new(operation, real_time, commits.base_txn),
                )
            })
            .collect();
        let mut unplaced = Self {
            sighted: SightedKeys::of(&floating),
            floating,
            open: Vec::new(),
        };
        if unplaced.floating.is_empty() {
            return unplaced;
        }
        unplaced.sighted.look(history, final_state, commits);
        let mut changed: BTreeSet<usize> = (0..unplaced.sighted.keys.len()).collect();
        for _ in 0..ROUNDS_MAX {
            unplaced.tighten(commits, changed);
            let placed = unplaced.place_forced(commits);
            if placed.is_empty() {
                break;
            }
            changed = unplaced.begin_anew(&placed, real_time, commits.base_txn);
        }
        unplaced.report(commits, findings);
        unplaced.keep_open(commits);
        unplaced
    }

    /// Works out the windows that these keys bear on, and those that depend on them in turn.
    fn tighten(&mut self, commits: &Commits<'h>, mut keys: BTreeSet<usize>) {
        for floating in self.floating.values_mut() {
            let high = floating.high;
            for read in &floating.operation.reads {
                // A value cannot come back, an absence can.
                if let Read::Point { key, value: Some(_) } = read
                    && let Some(snapshot) = floating.operation.snapshot()
                    && let Some(next) = commits.version_after(key, snapshot)
                {
                    floating.lower_high(next.txn - 1, Cause::OwnRead, next.writer);
                }
            }
            if floating.high != high {
                keys.extend(places(&self.sighted, floating.operation));
            }
        }
        let mut left = keys.len().saturating_mul(ROUNDS_MAX);
        while let Some(place) = keys.pop_first()
            && left > 0
        {
            left -= 1;
            let Some(sighted) = self.sighted.keys.get(place) else {
                continue;
            };
            for id in Tighten::by(sighted, commits, &mut self.floating) {
                if let Some(floating) = self.floating.get(&id) {
                    let others = places(&self.sighted, floating.operation);
                    keys.extend(others.filter(|other| *other != place));
                }
            }
        }
    }

    /// These are placed: what was deduced from the keys that they write begins anew. Returns the keys that bear on it.
    fn begin_anew(
        &mut self,
        placed: &[&'h Operation],
        real_time: &RealTime<'h>,
        base_txn: u64,
    ) -> BTreeSet<usize> {
        let written: BTreeSet<usize> = placed
            .iter()
            .flat_map(|operation| places(&self.sighted, operation))
            .collect();
        let mut bearing = written.clone();
        for place in written {
            let writers = self.sighted.keys.get(place).map(|sighted| &sighted.writers);
            for id in writers.into_iter().flatten() {
                if let Some(floating) = self.floating.get_mut(id) {
                    *floating = Floating::new(floating.operation, real_time, base_txn);
                    bearing.extend(places(&self.sighted, floating.operation));
                }
            }
        }
        bearing
    }

    /// What is judged afterwards asks only for those that may be applied.
    fn keep_open(&mut self, commits: &Commits<'h>) {
        let may = |id: &OperationId| {
            let floating = self.floating.get(id);
            floating.is_some_and(|floating| may_stand(floating, commits, 0, u64::MAX))
        };
        let keys = self.sighted.keys.iter();
        self.open = keys
            .map(|sighted| sighted.writers.iter().copied().filter(may).collect())
            .collect();
    }

    /// Places what has only one place, and fills what only one can fill. Returns what was placed.
    fn place_forced(&mut self, commits: &mut Commits<'h>) -> Vec<&'h Operation> {
        let mut placed = Vec::new();
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
                placed.push(floating.operation);
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
                placed.push(floating.operation);
                filled.insert(hole);
            }
        }
        commits.holes.retain(|hole| !filled.contains(hole));
        placed
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

    /// The undecided commits that write `key` and may be applied.
    pub(super) fn of_key(&self, key: &[u8]) -> impl Iterator<Item = &Floating<'h>> {
        let open = self.sighted.place(key).and_then(|place| self.open.get(place));
        open.into_iter().flatten().filter_map(|id| self.floating.get(id))
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

/// Where the keys stand that it writes.
fn places<'a>(sighted: &'a SightedKeys<'_>, operation: &'a Operation) -> impl Iterator<Item = usize> + 'a {
    let writes = operation.writes.iter();
    writes.filter_map(|write| sighted.place(&write.key))
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
