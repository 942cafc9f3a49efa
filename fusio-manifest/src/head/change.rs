//! How one HEAD becomes the next.

use std::collections::BTreeMap;

use super::{Edit, FOLDED_MAX, FoldedCommit, Head, LogItem, LogReference, NONCES_KEPT, Run};
use crate::{
    frame::FormatError,
    id::{Nonce, ObjectName, TransactionId},
};

/// Inline commits that one log object takes the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Swap {
    /// Their transaction ids, oldest first: numbers alone do not tell whose commits they are.
    pub(crate) ids: Vec<TransactionId>,
    /// The object that holds the same commits.
    pub(crate) reference: LogReference,
}

/// One item of the log that is folded, by what it is, not by its numbers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Commit(TransactionId),
    Object(ObjectName),
}

/// The oldest items of the log, which one run takes the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fold {
    pub(crate) inputs: Vec<Input>,
    /// Their commits, sorted.
    pub(crate) run: Run,
}

/// Runs that stand one behind the other, which one run takes the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merge {
    /// Newest first, as in HEAD.
    pub(crate) inputs: Vec<Run>,
    pub(crate) run: Run,
}

/// What a replacement of HEAD changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    /// New items of the log, which follow `last_txn` in order.
    pub(crate) items: Vec<LogItem>,
    /// Inline commits that were spilled.
    pub(crate) swaps: Vec<Swap>,
    /// What was folded, of the log as it is after the swaps.
    pub(crate) fold: Option<Fold>,
    /// What was merged, of the runs as they are before the fold.
    pub(crate) merge: Option<Merge>,
    /// A step of a collection, or a pin.
    pub(crate) edit: Option<Edit>,
}

impl Change {
    /// True if it changes anything beside new commits.
    pub(crate) fn maintains(&self) -> bool {
        !self.swaps.is_empty() || self.fold.is_some() || self.merge.is_some() || self.edit.is_some()
    }
}

impl Input {
    pub(crate) fn of(item: &LogItem) -> Self {
        match item {
            LogItem::Inline(commit) => Self::Commit(commit.id),
            LogItem::Object(reference) => Self::Object(reference.object.name),
        }
    }
}

impl Head {
    /// The HEAD that replaces this one.
    pub(crate) fn replaced(&self, nonce: Nonce, change: &Change) -> Result<Self, FormatError> {
        let mut next = self.clone();
        next.revision += 1;
        next.nonces.push((next.revision, nonce));
        if next.nonces.len() > NONCES_KEPT {
            next.nonces.drain(..next.nonces.len() - NONCES_KEPT);
        }
        if !change.swaps.is_empty() {
            next.log = self.swapped(&change.swaps)?;
        }
        if let Some(merge) = &change.merge {
            next.merge(merge)?;
        }
        if let Some(fold) = &change.fold {
            next.fold(fold)?;
        }
        for item in &change.items {
            if let LogItem::Object(reference) = item
                && reference.object.name.epoch < self.epoch
            {
                // I3: behind the collector's fence, it may be deleted any moment.
                return Err(FormatError::damaged(format!(
                    "object {} is of an epoch before {}",
                    reference.object.name, self.epoch
                )));
            }
            next.last_txn = next.last_txn.saturating_add(item.count());
            next.log.push(item.clone());
        }
        if let Some(edit) = &change.edit {
            next.apply(edit)?;
        }
        next.check()?;
        Ok(next)
    }

    /// True if all that `fold` was made of stands here still, in place: these items are the oldest of the log, behind
    /// the same runs, and none of the new objects lies behind the collector's fence.
    pub(crate) fn stands_fold(&self, fold: &Fold) -> bool {
        let oldest = self.log.get(..fold.inputs.len()).unwrap_or_default();
        let same = oldest.len() == fold.inputs.len()
            && oldest
                .iter()
                .zip(&fold.inputs)
                .all(|(item, input)| Input::of(item) == *input);
        let first = self.folded_through().checked_add(1);
        let last = oldest.last().map(LogItem::last_txn);
        same && first == Some(fold.run.first_txn)
            && last == Some(fold.run.last_txn)
            && self.may_name(&fold.run)
    }

    /// The same of runs: where the newest of them stands.
    fn merge_at(&self, merge: &Merge) -> Option<usize> {
        let newest = merge.inputs.first()?;
        let at = self.runs.iter().position(|run| run == newest)?;
        let standing = self.runs.get(at..at.checked_add(merge.inputs.len())?)?;
        let oldest = standing.last()?;
        let same = standing == merge.inputs.as_slice()
            && (merge.run.first_txn, merge.run.last_txn) == (oldest.first_txn, newest.last_txn)
            && self.may_name(&merge.run);
        same.then_some(at)
    }

    /// True if all that `merge` was made of stands here still, in place.
    pub(crate) fn stands_merge(&self, merge: &Merge) -> bool {
        self.merge_at(merge).is_some()
    }

    /// I3: an object behind the collector's fence may be deleted any moment.
    fn may_name(&self, run: &Run) -> bool {
        run.tables
            .iter()
            .all(|table| table.object.name.epoch >= self.epoch)
    }

    fn fold(&mut self, fold: &Fold) -> Result<(), FormatError> {
        if !self.stands_fold(fold) {
            return Err(FormatError::damaged(format!(
                "the commits from {} on are not those that were folded",
                fold.run.first_txn
            )));
        }
        for item in self.log.drain(..fold.inputs.len()) {
            match item {
                LogItem::Inline(commit) => self.folded_commits.push(FoldedCommit {
                    txn: commit.txn,
                    id: commit.id,
                }),
                LogItem::Object(reference) => self.folded.push(reference),
            }
        }
        self.folded.drain(..self.folded.len().saturating_sub(FOLDED_MAX));
        self.folded_commits
            .drain(..self.folded_commits.len().saturating_sub(FOLDED_MAX));
        self.runs.insert(0, fold.run.clone());
        Ok(())
    }

    fn merge(&mut self, merge: &Merge) -> Result<(), FormatError> {
        let at = self.merge_at(merge).ok_or_else(|| {
            FormatError::damaged(format!(
                "the runs of commits {} to {} are not those that were merged",
                merge.run.first_txn, merge.run.last_txn
            ))
        })?;
        self.runs.splice(at..at + merge.inputs.len(), [merge.run.clone()]);
        Ok(())
    }

    /// True if all that `swaps` replace stands here still, in place, as it was when their objects were written.
    pub(crate) fn stands(&self, swaps: &[Swap]) -> bool {
        swaps
            .iter()
            .all(|swap| swap.reference.object.name.epoch >= self.epoch && self.inline_at(swap).is_some())
    }

    /// True if all that stands here still, but the epoch was raised since.
    pub(crate) fn stands_behind_fence(&self, swaps: &[Swap]) -> bool {
        let behind = |swap: &Swap| swap.reference.object.name.epoch < self.epoch;
        swaps.iter().any(behind) && swaps.iter().all(|swap| self.inline_at(swap).is_some())
    }

    /// Where the first of the swap's commits stands.
    fn inline_at(&self, swap: &Swap) -> Option<usize> {
        let first = swap.reference.first_txn;
        let start = self.log.binary_search_by_key(&first, LogItem::first_txn).ok()?;
        let items = self.log.get(start..start.checked_add(swap.ids.len())?)?;
        let same = items.iter().zip(&swap.ids).zip(first..).all(|((item, id), txn)| {
            matches!(item, LogItem::Inline(commit) if commit.id == *id && commit.txn == txn)
        });
        same.then_some(start)
    }

    fn swapped(&self, swaps: &[Swap]) -> Result<Vec<LogItem>, FormatError> {
        let mut starts = BTreeMap::new();
        for swap in swaps {
            let start = self.inline_at(swap).ok_or_else(|| {
                FormatError::damaged(format!(
                    "the commits from {} on are not those that were spilled",
                    swap.reference.first_txn
                ))
            })?;
            starts.insert(start, swap);
        }
        let mut log = Vec::with_capacity(self.log.len());
        let mut passed_over = 0;
        for (index, item) in self.log.iter().enumerate() {
            if let Some(swap) = starts.get(&index) {
                log.push(LogItem::Object(swap.reference));
                passed_over = index + swap.ids.len();
            }
            if index >= passed_over {
                log.push(item.clone());
            }
        }
        Ok(log)
    }
}

#[cfg(test)]
mod tests;
