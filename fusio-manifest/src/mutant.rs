//! Deliberate breakages that a test can switch on: each must be noticed by a test or a checker. Without the
//! feature `mutants` none can be switched on.

#![cfg_attr(
    not(feature = "mutants"),
    expect(unreachable_pub, reason = "public with the feature")
)]

/// One way to break the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mutant {
    /// Commits are not validated: what they read may have been overwritten.
    SkipValidation,
    /// Keys that were read are not validated, ranges are.
    SkipKeyValidation,
    /// Ranges that were scanned are not validated, keys are.
    SkipRangeValidation,
    /// A scan that came to the end of its range counts only up to its last entry.
    ScanEndForgotten,
    /// Keys that were found absent are not validated.
    AbsenceForgotten,
    /// Transactions of one batch are not validated against each other.
    SkipBatchValidation,
    /// A fresh read uses the cached state without looking at HEAD.
    ReadCached,
    /// A read shares a look at HEAD that was sent before it began.
    RefreshSentTooEarly,
    /// The answer to an own PUT serves reads that began after it was sent.
    PutServesLaterReads,
    /// Whatever a look shows is installed, also a revision below the one that is known.
    LowerRevisionInstalled,
    /// A failed precondition is believed without looking whether it was this commit's own success.
    SkipOwnIdCheck,
    /// A commit without an answer is reported as lost and sent again in a new body.
    UnknownMeansLost,
    /// A commit that is unknown at its deadline is reported as not committed.
    UnknownToldAsFailed,
    /// A commit that is unknown at its deadline is reported as committed.
    UnknownToldAsCommitted,
    /// Asked later, a commit counts as not committed while HEAD still stands where its PUT expects it.
    AtBaseToldAsNotCommitted,
    /// A transaction whose caller is gone goes into a new body all the same.
    DroppedCallerCommits,
    /// HEAD counts as a body's base as long as it has no more commits, whoever has replaced it meanwhile.
    BaseJudgedByCommits,
    /// A body whose nonce is no longer remembered counts as dead, wherever its transactions stand.
    ForgottenMeansDead,
    /// A refusal of a later copy is believed although an earlier one is unknown.
    RefusalBelievedWhileUnknown,
    /// A spill leaves out what its last commit wrote.
    SpillLeavesOutLast,
    /// A spill leaves out deletions.
    SpillLeavesOutDeletions,
    /// A spill is taken from a body that is still on the wire.
    SpillOfUnlanded,
    /// The same, and it is swapped in wherever its numbers fit, whosever commits stand there.
    SwapByNumbers,
    /// What a transaction read is not read again where commits since its snapshot have been folded away unseen.
    SkipReadAgain,
    /// A fold, or a merge of all runs but the oldest, keeps no deletions.
    DropsTombstones,
    /// A fold is swapped in though its inputs no longer stand: they stay in the log.
    FoldLeavesInputs,
    /// A run is built from what this handle believes to be the state while its body is on the wire, instead of from
    /// what lies in the log.
    FoldOfOverlay,
    /// A log object is named although one of its transactions dropped out of the batch.
    ObjectNamedWithoutMember,
    /// A collection takes names of HEAD's own epoch for garbage, which may be about to be referenced.
    NoEpochFence,
    /// A collection does not spare what pins need.
    PinsNotSubtracted,
    /// A state is pinned though what it needs may be deleted already.
    CollectedStatePinned,
    /// What is to be condemned is deleted before the HEAD that condemns it is acknowledged.
    DeletedBeforeCondemned,
}

#[cfg(feature = "mutants")]
impl Mutant {
    /// Every one of them.
    pub const ALL: [Self; 32] = [
        Self::SkipValidation,
        Self::SkipKeyValidation,
        Self::SkipRangeValidation,
        Self::ScanEndForgotten,
        Self::AbsenceForgotten,
        Self::SkipBatchValidation,
        Self::ReadCached,
        Self::RefreshSentTooEarly,
        Self::PutServesLaterReads,
        Self::LowerRevisionInstalled,
        Self::SkipOwnIdCheck,
        Self::UnknownMeansLost,
        Self::UnknownToldAsFailed,
        Self::UnknownToldAsCommitted,
        Self::AtBaseToldAsNotCommitted,
        Self::DroppedCallerCommits,
        Self::BaseJudgedByCommits,
        Self::ForgottenMeansDead,
        Self::RefusalBelievedWhileUnknown,
        Self::SpillLeavesOutLast,
        Self::SpillLeavesOutDeletions,
        Self::SpillOfUnlanded,
        Self::SwapByNumbers,
        Self::SkipReadAgain,
        Self::DropsTombstones,
        Self::FoldLeavesInputs,
        Self::FoldOfOverlay,
        Self::ObjectNamedWithoutMember,
        Self::NoEpochFence,
        Self::PinsNotSubtracted,
        Self::CollectedStatePinned,
        Self::DeletedBeforeCondemned,
    ];
}

/// How the engine is broken, if it is: passed to where a breakage is switched.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Broken(#[cfg(feature = "mutants")] pub(crate) Option<Mutant>);

impl Broken {
    /// True if it is broken in this way: never, without the feature `mutants`.
    #[cfg(feature = "mutants")]
    pub(crate) fn by(self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }

    /// Never, without the feature `mutants`.
    #[cfg(not(feature = "mutants"))]
    #[expect(
        clippy::unused_self,
        reason = "the same call whether the feature is there or not"
    )]
    pub(crate) fn by(self, _: Mutant) -> bool {
        false
    }
}
