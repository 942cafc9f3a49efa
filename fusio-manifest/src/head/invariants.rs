//! What holds of every HEAD (DESIGN.md, "Invariants").

use std::collections::HashSet;

use super::{Head, NONCES_KEPT, references::FOLDED_MAX};
use crate::{
    frame::FormatError,
    limits::{PIN_NAME_BYTES_MAX, PINS_MAX},
};

impl Head {
    /// Checks every invariant that one HEAD can show by itself.
    pub(crate) fn check(&self) -> Result<(), FormatError> {
        self.check_order_of_commits()?;
        self.check_nonces()?;
        self.check_objects()?;
        self.check_tables()?;
        self.check_pins()
    }

    /// I1: runs and log cover `1..=last_txn` exactly: with `<` instead of equality a commit can be lost.
    fn check_order_of_commits(&self) -> Result<(), FormatError> {
        let mut next = 1_u64;
        let parts = (self
            .runs
            .iter()
            .rev()
            .map(|run| (run.first_txn, run.last_txn.checked_add(1))))
        .chain(self.log.iter().map(|item| {
            let first = item.first_txn();
            (first, first.checked_add(item.count()).filter(|end| *end > first))
        }));
        for (first, end) in parts {
            if first != next {
                return Err(FormatError::damaged(format!(
                    "commit {next} should follow, {first} does"
                )));
            }
            next = end
                .filter(|end| *end > first)
                .ok_or_else(|| FormatError::damaged(format!("an empty or endless part at commit {first}")))?;
        }
        if next != self.last_txn.saturating_add(1) {
            return Err(FormatError::damaged(format!(
                "its commits end at {}, its last is {}",
                next - 1,
                self.last_txn
            )));
        }
        Ok(())
    }

    /// I2 and I4: revisions grow by one, and this HEAD's own comes last.
    fn check_nonces(&self) -> Result<(), FormatError> {
        let kept = usize::try_from(self.revision)
            .unwrap_or(usize::MAX)
            .min(NONCES_KEPT);
        if self.revision == 0 || self.epoch == 0 {
            return Err(FormatError::damaged("revision or epoch 0"));
        }
        // No manifest gets there by steps of 1, and the next one must have a number.
        if self.revision == u64::MAX || self.last_txn == u64::MAX {
            return Err(FormatError::damaged("a revision or a commit without a next one"));
        }
        if self.nonces.len() != kept {
            return Err(FormatError::damaged(format!(
                "{} nonces, {kept} belong",
                self.nonces.len()
            )));
        }
        for ((revision, _), back) in self.nonces.iter().rev().zip(0..) {
            if revision.checked_add(back) != Some(self.revision) {
                return Err(FormatError::damaged(format!(
                    "nonce of revision {revision} out of its place"
                )));
            }
        }
        Ok(())
    }

    /// A name is never used twice, and no object is of a later epoch than HEAD.
    fn check_objects(&self) -> Result<(), FormatError> {
        let folded = self.folded.len().max(self.folded_commits.len());
        if folded > FOLDED_MAX {
            return Err(FormatError::damaged(format!("{folded} folded references")));
        }
        for reference in self.log_objects().chain(&self.folded) {
            if reference.id.is_some() != (reference.count == 1) {
                return Err(FormatError::damaged(
                    "a log object whose id does not go with its count",
                ));
            }
        }
        let mut seen = HashSet::new();
        for (_, name) in self.live() {
            if name.epoch > self.epoch {
                return Err(FormatError::damaged(format!("object {name} is of a later epoch")));
            }
            if !seen.insert(name) {
                return Err(FormatError::damaged(format!("object {name} is named twice")));
            }
        }
        let logged = self.log_objects().map(|reference| reference.object.bytes);
        let tables = self.runs.iter().flat_map(|run| &run.tables);
        let mut bytes = logged.chain(tables.map(|table| table.object.bytes));
        // So that whoever adds them up can.
        if bytes.try_fold(0_u64, u64::checked_add).is_none() {
            return Err(FormatError::damaged(
                "objects of more bytes than a number can tell",
            ));
        }
        let marked = self.collection.map_or(0, |collection| collection.marked_revision);
        if self.collected_through.max(marked) > self.revision {
            return Err(FormatError::damaged("a collection of a later revision"));
        }
        Ok(())
    }

    /// The tables of a run stand in the order of their keys and do not overlap.
    fn check_tables(&self) -> Result<(), FormatError> {
        for run in &self.runs {
            let ordered = run
                .tables
                .iter()
                .all(|table| table.lower_bound <= table.upper_bound)
                && run
                    .tables
                    .is_sorted_by(|table, next| table.lower_bound < next.lower_bound);
            if !ordered {
                return Err(FormatError::damaged(format!(
                    "the tables of the run of commits {} to {} are out of order",
                    run.first_txn, run.last_txn
                )));
            }
        }
        Ok(())
    }

    fn check_pins(&self) -> Result<(), FormatError> {
        let mut names = HashSet::new();
        for pin in &self.pins {
            if pin.name.is_empty() || pin.name.len() > PIN_NAME_BYTES_MAX || !names.insert(&pin.name) {
                return Err(FormatError::damaged(
                    "a pin's name is empty, too long or there twice",
                ));
            }
            if pin.revision > self.revision {
                return Err(FormatError::damaged(format!(
                    "pin {} is of a later revision",
                    pin.name
                )));
            }
        }
        if self.pins.len() > PINS_MAX {
            return Err(FormatError::damaged(format!(
                "{} pins, {PINS_MAX} at most",
                self.pins.len()
            )));
        }
        Ok(())
    }
}
