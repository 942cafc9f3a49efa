//! The bytes of one PUT of HEAD (`src/commit/body.rs`).

use std::sync::Arc;

use crate::{
    configuration::TransactionId,
    head::{Head, Nonce},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Body {
    pub(crate) base: Arc<Head>,
    pub(crate) head: Arc<Head>,
    pub(crate) nonce: Nonce,
    pub(crate) members: Vec<TransactionId>,
    /// Those that conflict with a member. The conflict is final only when the body has landed.
    pub(crate) deferred: Vec<TransactionId>,
    /// The handle's maintenance rides along.
    pub(crate) carries_upkeep: bool,
}

impl Body {
    pub(crate) fn first_txn(&self) -> u8 {
        self.base.last_txn + 1
    }

    /// The place of a member.
    pub(crate) fn txn_of(&self, id: TransactionId) -> Option<u8> {
        let mut members = self.members.iter().zip(self.first_txn()..);
        members.find(|(member, _)| **member == id).map(|(_, txn)| txn)
    }
}
