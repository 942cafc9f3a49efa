//! The order of commits as different objects tell it: one number has one transaction, one transaction one number.

use std::collections::HashMap;

use super::finding::{Damage, Flaw, Place};
use crate::id::TransactionId;

/// Who stands where, as far as was read. It takes less memory than a reader's state, which has the writes too.
#[derive(Debug, Default)]
pub(super) struct Ids {
    id_of: HashMap<u64, TransactionId>,
    txn_of: HashMap<TransactionId, u64>,
}

/// More are not told of one object.
const TOLD: usize = 8;

impl Ids {
    /// Adds what an object says, and returns what contradicts the ones before.
    pub(super) fn add(&mut self, commits: impl Iterator<Item = (u64, TransactionId)>) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        for (txn, id) in commits {
            let said = if *self.id_of.entry(txn).or_insert(id) != id {
                format!("commit {txn} is transaction {id} here and another one elsewhere")
            } else if *self.txn_of.entry(id).or_insert(txn) != txn {
                format!("transaction {id} is commit {txn} here and another one elsewhere")
            } else {
                continue;
            };
            if flaws.len() < TOLD {
                flaws.push(Flaw::new(Damage::Contradiction, Place::Whole, said));
            }
        }
        flaws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_told_twice_must_be_the_same_one() {
        let id = TransactionId::from_bits;
        let mut ids = Ids::default();
        assert!(ids.add([(1, id(1)), (2, id(2))].into_iter()).is_empty());
        assert!(ids.add([(2, id(2)), (3, id(3))].into_iter()).is_empty());
        let said = ids.add([(3, id(4))].into_iter());
        assert!(said[0].detail.contains("commit 3"), "{said:?}");
        let twice = ids.add([(5, id(1))].into_iter());
        assert!(twice[0].detail.contains("is commit 5"), "{twice:?}");
    }
}
