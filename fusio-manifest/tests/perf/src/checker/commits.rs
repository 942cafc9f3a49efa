//! The order of commits, and the versions of every key that follow from it.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use bytes::Bytes;

use super::violation::{Findings, ViolationKind};
use crate::history::{History, Operation, OperationId, Outcome, State};

/// What a key became at one commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version<'h> {
    /// The commit's number.
    pub(super) txn: u64,
    /// Who wrote it; `None` if it was there when the run began.
    pub(super) writer: Option<&'h Operation>,
    /// `None` if the key was deleted.
    pub(super) value: Option<&'h Bytes>,
}

/// Who wrote a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Writer<'h> {
    /// It was there when the run began.
    Base,
    /// This operation asked for it.
    Operation(&'h Operation),
}

/// Every commit whose number is known, and the numbers that are free.
pub(super) struct Commits<'h> {
    pub(super) base_txn: u64,
    /// The highest number of which the history gives evidence.
    pub(super) last: u64,
    pub(super) by_txn: BTreeMap<u64, &'h Operation>,
    /// Numbers held by no acknowledged commit, ascending; empty if `overfull`.
    pub(super) holes: Vec<u64>,
    /// True if there are more such numbers than unknown commits: the history cannot be right.
    pub(super) overfull: bool,
    gaps: Vec<(u64, u64)>,
    placed: HashMap<OperationId, u64>,
    versions: BTreeMap<&'h [u8], Vec<Version<'h>>>,
    writers: HashMap<(&'h [u8], &'h [u8]), Writer<'h>>,
}

impl<'h> Commits<'h> {
    /// Orders the acknowledged commits and reports numbers that are doubled, impossible or foreign.
    pub(super) fn order(history: &'h History, final_state: Option<&State>, findings: &mut Findings) -> Self {
        let base_txn = history.base.txn;
        let mut commits = Self {
            base_txn,
            last: final_state.map_or(base_txn, |state| state.txn.max(base_txn)),
            by_txn: BTreeMap::new(),
            holes: Vec::new(),
            overfull: false,
            gaps: Vec::new(),
            placed: HashMap::new(),
            versions: BTreeMap::new(),
            writers: HashMap::new(),
        };
        for (key, value) in &history.base.entries {
            commits.versions.entry(key).or_default().push(Version {
                txn: base_txn,
                writer: None,
                value: Some(value),
            });
            commits.writers.insert((key, value), Writer::Base);
        }
        for operation in &history.operations {
            commits.last = commits.last.max(operation.snapshot().unwrap_or(base_txn));
            commits.learn_values(operation, findings);
            commits.take_number(operation, findings);
        }
        commits.find_gaps(history, findings);
        let ordered: Vec<_> = commits
            .by_txn
            .iter()
            .map(|(txn, operation)| (*txn, *operation))
            .collect();
        for (txn, operation) in ordered {
            commits.add_versions(txn, operation);
        }
        commits
    }

    fn take_number(&mut self, operation: &'h Operation, findings: &mut Findings) {
        if operation
            .completed
            .is_some_and(|completed| completed < operation.invoked)
        {
            findings.add(ViolationKind::BadRecord, [operation], || {
                "answered before it was invoked".to_owned()
            });
        }
        let Outcome::Ok { snapshot, txn } = operation.outcome else {
            return;
        };
        let Some(txn) = txn else {
            if !operation.writes.is_empty() {
                findings.add(ViolationKind::BadRecord, [operation], || {
                    "acknowledged with writes, but without a number".to_owned()
                });
            }
            return;
        };
        if txn <= snapshot || txn <= self.base_txn {
            findings.add(ViolationKind::ImpossibleNumber, [operation], || {
                format!(
                    "commit {txn} must come after its snapshot {snapshot} and the base {}",
                    self.base_txn
                )
            });
        }
        self.last = self.last.max(txn);
        if let Some(other) = self.by_txn.get(&txn) {
            findings.add(ViolationKind::DuplicateTxn, [*other, operation], || {
                format!("two commits were told number {txn}")
            });
        } else {
            self.by_txn.insert(txn, operation);
        }
    }

    fn learn_values(&mut self, operation: &'h Operation, findings: &mut Findings) {
        for write in &operation.writes {
            let Some(value) = &write.value else { continue };
            let place = (write.key.as_ref(), value.as_ref());
            match self.writers.insert(place, Writer::Operation(operation)) {
                None => {}
                Some(Writer::Operation(other)) if other.id == operation.id => {}
                Some(Writer::Operation(other)) if other.txn().is_some() && operation.txn().is_some() => {
                    findings.add(ViolationKind::DuplicateCommit, [other, operation], || {
                        format!(
                            "one write of {} stands at two places",
                            super::pair(&write.key, Some(value))
                        )
                    });
                }
                Some(other) => {
                    let other = match other {
                        Writer::Base => None,
                        Writer::Operation(other) => Some(other),
                    };
                    findings.add(
                        ViolationKind::BadRecord,
                        other.into_iter().chain([operation]),
                        || {
                            format!(
                                "{} was written by two operations",
                                super::pair(&write.key, Some(value))
                            )
                        },
                    );
                }
            }
        }
    }

    fn find_gaps(&mut self, history: &'h History, findings: &mut Findings) {
        let mut next = self.base_txn.saturating_add(1);
        for txn in self.by_txn.range(next..).map(|(txn, _)| *txn) {
            if txn > next {
                self.gaps.push((next, txn - 1));
            }
            next = txn.saturating_add(1);
        }
        if self.last >= next {
            self.gaps.push((next, self.last));
        }
        let unknown = history
            .operations
            .iter()
            .filter(|operation| operation.is_unknown_commit())
            .count() as u64;
        let free: u128 = self.gaps.iter().map(|(from, to)| u128::from(to - from) + 1).sum();
        self.overfull = free > u128::from(unknown);
        if !self.overfull {
            self.holes = self.gaps.iter().flat_map(|(from, to)| *from..=*to).collect();
            return;
        }
        for (from, to) in &self.gaps {
            let before = self
                .by_txn
                .range(..from)
                .next_back()
                .map(|(_, operation)| *operation);
            let after = self.by_txn.range(to..).next().map(|(_, operation)| *operation);
            findings.add(
                ViolationKind::ForeignCommit,
                before.into_iter().chain(after),
                || {
                    format!(
                        "no operation holds the numbers {from} to {to}; {free} such numbers in all, and only \
                     {unknown} unknown commits: a commit is foreign, or applied twice"
                    )
                },
            );
        }
    }

    fn add_versions(&mut self, txn: u64, operation: &'h Operation) {
        for write in &operation.writes {
            let versions = self.versions.entry(&write.key).or_default();
            let version = Version {
                txn,
                writer: Some(operation),
                value: write.value.as_ref(),
            };
            let place = versions.partition_point(|other| other.txn < txn);
            match versions.get_mut(place) {
                Some(own) if own.txn == txn => *own = version,
                _ => versions.insert(place, version),
            }
        }
    }

    /// Puts a commit whose number nobody was told at the hole where it must stand.
    pub(super) fn place(&mut self, txn: u64, operation: &'h Operation) {
        self.by_txn.insert(txn, operation);
        self.placed.insert(operation.id, txn);
        self.add_versions(txn, operation);
    }

    /// The number of a commit: what it was told, or where it was placed.
    pub(super) fn txn_of(&self, operation: &Operation) -> Option<u64> {
        operation
            .txn()
            .or_else(|| self.placed.get(&operation.id).copied())
    }

    /// How many commits were placed.
    pub(super) fn placed_count(&self) -> usize {
        self.placed.len()
    }

    /// The version of `key` in the state after commit `txn`; absent and as old as the run if there is none.
    pub(super) fn version_at(&self, key: &[u8], txn: u64) -> Version<'h> {
        let versions = self.versions.get(key).map_or(&[][..], Vec::as_slice);
        let after = versions.partition_point(|version| version.txn <= txn);
        let none = Version {
            txn: self.base_txn,
            writer: None,
            value: None,
        };
        after
            .checked_sub(1)
            .and_then(|place| versions.get(place))
            .copied()
            .unwrap_or(none)
    }

    /// The first version of `key` after commit `txn`.
    pub(super) fn version_after(&self, key: &[u8], txn: u64) -> Option<Version<'h>> {
        let versions = self.versions.get(key)?;
        versions
            .get(versions.partition_point(|version| version.txn <= txn))
            .copied()
    }

    /// Every version after commit `txn` of a key in the bounds, by key, then by number.
    pub(super) fn versions_after<'a>(
        &'a self,
        keys: (Bound<&'a [u8]>, Bound<&'a [u8]>),
        txn: u64,
    ) -> impl Iterator<Item = Version<'h>> + 'a {
        self.versions
            .range::<[u8], _>(keys)
            .flat_map(move |(_, versions)| {
                let first = versions.partition_point(|version| version.txn <= txn);
                versions.iter().skip(first).copied()
            })
    }

    /// Who wrote `value` to `key`.
    pub(super) fn writer<'a>(&'a self, key: &'a [u8], value: &'a [u8]) -> Option<Writer<'h>> {
        self.writers.get(&(key, value)).copied()
    }

    /// The number of the commit that wrote `value` to `key`, if it has one.
    pub(super) fn txn_of_value(&self, key: &[u8], value: &[u8]) -> Option<u64> {
        match self.writers.get(&(key, value))? {
            Writer::Base => Some(self.base_txn),
            Writer::Operation(writer) => self.txn_of(writer),
        }
    }

    /// True if the history has too many free numbers and one of them lies above `after`, up to `to`.
    pub(super) fn may_be_doubled(&self, after: u64, to: u64) -> bool {
        let first = self.gaps.partition_point(|(_, end)| *end <= after);
        self.overfull && self.gaps.get(first).is_some_and(|(from, _)| *from <= to)
    }
}

/// The keys that are present, moved forward commit by commit.
pub(super) struct Live<'h> {
    entries: BTreeMap<&'h [u8], &'h Bytes>,
    position: u64,
}

impl<'h> Live<'h> {
    /// The base of the run.
    pub(super) fn new(history: &'h History) -> Self {
        let entries = history
            .base
            .entries
            .iter()
            .map(|(key, value)| (key.as_ref(), value))
            .collect();
        Self {
            entries,
            position: history.base.txn,
        }
    }

    /// Applies all commits up to `txn`. Going back is not possible.
    pub(super) fn advance(&mut self, commits: &Commits<'h>, txn: u64) {
        if txn <= self.position {
            return;
        }
        for (_, operation) in commits
            .by_txn
            .range((Bound::Excluded(self.position), Bound::Included(txn)))
        {
            for write in &operation.writes {
                match &write.value {
                    Some(value) => self.entries.insert(&write.key, value),
                    None => self.entries.remove(write.key.as_ref()),
                };
            }
        }
        self.position = txn;
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&'h Bytes> {
        self.entries.get(key).copied()
    }

    /// What is present from `from` up to, without, `to`.
    pub(super) fn range<'a>(
        &'a self,
        from: &'a [u8],
        to: Option<&'a [u8]>,
    ) -> impl Iterator<Item = (&'h [u8], &'h Bytes)> + 'a {
        self.entries
            .range::<[u8], _>(bounds(from, to))
            .map(|(key, value)| (*key, *value))
    }
}

/// The bounds of a range of keys. Maps refuse a range that ends before it begins: this one is empty.
pub(super) fn bounds<'a>(from: &'a [u8], to: Option<&'a [u8]>) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    (
        Bound::Included(from),
        to.map_or(Bound::Unbounded, |to| Bound::Excluded(to.max(from))),
    )
}
