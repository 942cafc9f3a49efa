//! What a commit tells its caller: where it stands in the history, and every attempt that it took.

use std::time::Duration;

use crate::{
    clock::Moment,
    id::{ManifestId, Nonce, TransactionId},
    store::ETag,
};

/// The answer to a commit that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction's id.
    pub id: TransactionId,
    /// Its place in the total order of commits; `None` if it wrote nothing and so took no place.
    pub txn: Option<u64>,
    /// The commit whose state its reads saw last: every one up to this txn, none after.
    pub snapshot: u64,
    /// Each PUT of HEAD that carried this transaction, in the order in which they were sent.
    pub attempts: Vec<Attempt>,
}

/// One PUT of HEAD, as seen by one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When the look or the PUT was sent that showed last that HEAD was the one to be replaced: a change by others
    /// that made the attempt lose came after it. On the clock of the handle, and not after `sent`.
    pub base_seen: Moment,
    /// When it was sent, on the clock of the handle.
    pub sent: Moment,
    /// From sending it to its answer.
    pub duration: Duration,
    /// What came of it.
    pub outcome: AttemptOutcome,
}

/// What came of one PUT of HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It landed.
    Committed,
    /// It lost its precondition: somebody else replaced HEAD (412).
    LostRace,
    /// The store saw a concurrent write of HEAD (409).
    LostConflict,
    /// Its condition failed because an earlier copy of it had already landed: a proxy sent it twice, or a
    /// reply was lost and the copy that was sent again met the first.
    OwnEarlierSuccess,
    /// HEAD was gone (404).
    HeadMissing,
    /// The store refused the request itself (400, 403, 413), or it never left.
    Refused,
    /// No answer, or one that proves nothing.
    Unknown,
}

impl AttemptOutcome {
    /// True if the PUT's precondition did not hold.
    pub fn lost_precondition(self) -> bool {
        matches!(
            self,
            Self::LostRace | Self::LostConflict | Self::OwnEarlierSuccess | Self::HeadMissing
        )
    }
}

/// What a caller holds of a commit whose outcome is unknown, to ask about it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitToken {
    pub(crate) manifest: ManifestId,
    pub(crate) id: TransactionId,
    pub(crate) body_nonce: Nonce,
    pub(crate) base_revision: u64,
    pub(crate) base_etag: ETag,
    pub(crate) expected_txn: u64,
}

impl CommitToken {
    /// The transaction's id.
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// The place that the transaction has in the order of commits, if it landed.
    pub fn expected_txn(&self) -> u64 {
        self.expected_txn
    }
}

/// What became of a commit that was unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommitOutcome {
    /// It is committed, at this place in the order.
    Committed {
        /// The transaction's number.
        txn: u64,
    },
    /// It is not committed and never will be.
    NotCommitted,
    /// Neither can be proved: HEAD has not moved yet, or has moved too far to see. Ask again in the first
    /// case; in the second, read what the transaction would have written.
    StillUnknown,
}
