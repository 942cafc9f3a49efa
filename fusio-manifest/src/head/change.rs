//! How one HEAD becomes the next.

use std::collections::BTreeMap;

use super::{Head, LogItem, LogReference, NONCES_KEPT};
use crate::{
    frame::FormatError,
    id::{Nonce, TransactionId},
};

/// Inline commits that one log object takes the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Swap {
    /// Their transaction ids, oldest first: numbers alone do not tell whose commits they are.
    pub(crate) ids: Vec<TransactionId>,
    /// The object that holds the same commits.
    pub(crate) reference: LogReference,
}

/// What a replacement of HEAD changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    /// New items of the log, which follow `last_txn` in order.
    pub(crate) items: Vec<LogItem>,
    /// Inline commits that were spilled.
    pub(crate) swaps: Vec<Swap>,
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
        next.check()?;
        Ok(next)
    }

    /// True if all that `swaps` replace stands here still, in place, as it was when their objects were written.
    pub(crate) fn stands(&self, swaps: &[Swap]) -> bool {
        swaps
            .iter()
            .all(|swap| swap.reference.object.name.epoch >= self.epoch && self.inline_at(swap).is_some())
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
