//! The books of a run: what became of every commit that was asked for, by what its client was told and by what
//! the final state holds. Counts alone, by values and numbers; where a commit stands is for [`super::check`].

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use crate::history::{History, Operation, Outcome, State, Write};

/// How many commits were told what, and how many the final state contradicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Told that they are committed.
    pub acknowledged: u64,
    /// Told that they are not.
    pub failed: u64,
    /// Told neither.
    pub unknown: u64,
    /// Unknown ones that the final state shows.
    pub unknown_seen: u64,
    /// Acknowledged ones that are missing: the last to write a key of which the final state shows something
    /// else, and nothing that an unknown one wrote.
    pub lost: u64,
    /// Places in the order of commits that are taken twice, or by nobody who can be.
    pub doubled: u64,
    /// Failed ones that the final state shows.
    pub failed_seen: u64,
}

impl Accounting {
    /// True if every commit is accounted for: acknowledged ones once, failed ones never, unknown ones at most
    /// once.
    pub fn balanced(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.failed_seen == 0
    }
}

/// Settles the books of a run that is over.
pub fn account(history: &History, final_state: &State) -> Accounting {
    let mut books = Books::new(final_state);
    let commits = history
        .operations
        .iter()
        .filter(|operation| !operation.writes.is_empty());
    for operation in commits {
        books.enter(operation);
    }
    let mut result = books.told;
    result.lost = books.lost();
    // Every number up to the last is held by exactly one commit.
    let taken = final_state.txn.saturating_sub(history.base.txn);
    let unclaimed = taken.saturating_sub(books.numbers.len() as u64);
    result.doubled = books.doubled_numbers + unclaimed.saturating_sub(result.unknown_seen + books.hidden());
    result
}

/// The last acknowledged write of a key.
struct Last<'h> {
    txn: u64,
    write: &'h Write,
}

struct Books<'h> {
    final_state: &'h State,
    told: Accounting,
    last: HashMap<&'h Bytes, Last<'h>>,
    numbers: HashSet<u64>,
    doubled_numbers: u64,
    /// Unknown commits that the final state shows.
    seen: Vec<&'h Operation>,
    /// Unknown commits that it does not show.
    unseen: Vec<&'h Operation>,
}

impl<'h> Books<'h> {
    fn new(final_state: &'h State) -> Self {
        Self {
            final_state,
            told: Accounting::default(),
            last: HashMap::new(),
            numbers: HashSet::new(),
            doubled_numbers: 0,
            seen: Vec::new(),
            unseen: Vec::new(),
        }
    }

    fn enter(&mut self, operation: &'h Operation) {
        let seen = operation
            .writes
            .iter()
            .any(|write| write.value.is_some() && shows(self.final_state, write));
        match operation.outcome {
            Outcome::Ok { txn, .. } => {
                self.told.acknowledged += 1;
                self.acknowledged(operation, txn.unwrap_or_default());
            }
            Outcome::Failed { .. } | Outcome::Conflict { .. } => {
                self.told.failed += 1;
                self.told.failed_seen += u64::from(seen);
            }
            Outcome::Unknown { .. } => {
                self.told.unknown += 1;
                self.told.unknown_seen += u64::from(seen);
                if seen {
                    self.seen.push(operation);
                } else {
                    self.unseen.push(operation);
                }
            }
        }
    }

    fn acknowledged(&mut self, operation: &'h Operation, txn: u64) {
        self.doubled_numbers += u64::from(!self.numbers.insert(txn));
        for write in &operation.writes {
            let last = self.last.entry(&write.key).or_insert(Last { txn, write });
            if last.txn <= txn {
                *last = Last { txn, write };
            }
        }
    }

    fn lost(&self) -> u64 {
        let lost = self.last.values().filter(|last| {
            let unknown = self.seen.iter().flat_map(|operation| &operation.writes);
            let mut unknown = unknown.chain(self.unseen.iter().flat_map(|operation| &operation.writes));
            !shows(self.final_state, last.write)
                && !unknown.any(|write| write.key == last.write.key && shows(self.final_state, write))
        });
        lost.count() as u64
    }

    /// Unknown commits that may be applied and covered by others: each of their keys shows something else.
    fn hidden(&self) -> u64 {
        let covered = |write: &Write| write.value.is_none() || self.last.contains_key(&write.key);
        let hidden = self
            .unseen
            .iter()
            .filter(|operation| operation.writes.iter().all(covered));
        hidden.count() as u64
    }
}

fn shows(state: &State, write: &Write) -> bool {
    state.entries.get(&write.key) == write.value.as_ref()
}
