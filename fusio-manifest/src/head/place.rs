//! What HEAD shows at one place in the order of commits.

use super::{Head, LogItem, LogReference};
use crate::id::TransactionId;

/// Who took a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// This transaction.
    Holds(TransactionId),
    /// Nobody yet.
    Empty,
    /// One whose id stands in this log object, so many commits after its first.
    InObject(LogReference, usize),
    /// Somebody, but HEAD no longer tells who.
    Hidden,
}

impl Head {
    /// Who took the place `txn`.
    pub(crate) fn place(&self, txn: u64) -> Place {
        if txn > self.last_txn {
            return Place::Empty;
        }
        let after = self.log.partition_point(|item| item.first_txn() <= txn);
        let item = after.checked_sub(1).and_then(|index| self.log.get(index));
        let reference = match item {
            Some(LogItem::Inline(commit)) if commit.txn == txn => return Place::Holds(commit.id),
            Some(LogItem::Inline(_)) => return Place::Hidden,
            Some(LogItem::Object(reference)) => Some(reference),
            None => {
                if let Some(commit) = self.folded_commits.iter().find(|commit| commit.txn == txn) {
                    return Place::Holds(commit.id);
                }
                self.folded.iter().find(|reference| reference.holds(txn))
            }
        };
        match reference {
            Some(reference) if reference.holds(txn) => match reference.id {
                Some(id) => Place::Holds(id),
                None => usize::try_from(txn - reference.first_txn)
                    .map_or(Place::Hidden, |index| Place::InObject(*reference, index)),
            },
            _ => Place::Hidden,
        }
    }
}
