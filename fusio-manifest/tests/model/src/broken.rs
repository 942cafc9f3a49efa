//! The rules of the protocol, each taken out. What the engine can be broken by too (`src/mutant.rs`) has its name.

/// One rule that is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Commits are not validated: what they read may have been overwritten.
    SkipValidation,
    /// What was folded away unseen is not read again: nothing in the tail means that nothing happened.
    SkipReadAgain,
    /// A conflict with a transaction of the same batch is told before the batch has landed.
    BatchConflictAtOnce,
    /// A failed precondition is believed without looking whether it was this body's own success.
    SkipOwnIdCheck,
    /// A failed precondition is believed although HEAD still is the base.
    EarlyAnswerBelieved,
    /// A body without an answer is taken for lost, and its transactions are sent again in a new one.
    UnknownMeansLost,
    /// A caller who leaves a body is told that it is not committed.
    UnknownToldAsFailed,
    /// `outcome` answers "no" while HEAD still is the base.
    AtBaseToldAsNotCommitted,
    /// A body whose nonce is no longer remembered counts as dead, wherever its transactions stand.
    ForgottenMeansDead,
    /// HEAD counts as a body's base as long as it has no more commits, whoever has replaced it meanwhile.
    BaseJudgedByCommits,
    /// A refusal of a later copy is believed although an earlier one is unknown.
    RefusalBelievedWhileUnknown,
    /// A transaction whose caller is gone goes into a new body all the same.
    DroppedCallerCommits,
    /// A log object is named although one of its transactions dropped out of the batch.
    ObjectNamedWithoutMember,
    /// A spill leaves out its last commit.
    SpillLeavesOutLast,
    /// A spill is taken from a body that is still on the wire (the swap still compares ids).
    SpillOfUnlanded,
    /// A spill is swapped in wherever its numbers fit (it still is taken from a HEAD that has landed).
    LandedSwapByNumbers,
    /// Both at once: taken from a body on the wire, and swapped in wherever its numbers fit.
    SwapByNumbers,
    /// A fold is swapped in where the log goes on behind it: I1 with `<` instead of equality.
    OrderByLess,
    /// Tombstones are dropped from a run that is not the oldest.
    DropsTombstones,
    /// A live object is named only inside another: a spill takes references along.
    NamedInsideAnother,
    /// Who loses a fold deletes the run that it wrote.
    LoserDeletes,
    /// Objects of an epoch before HEAD's are named all the same.
    OldEpochNamed,
    /// The collector lists without having raised the epoch first.
    NoEpochFence,
    /// What the fence refuses is written again under its old name, and counts as of the HEAD that is held by then.
    NameUsedTwice,
    /// What pins need is deleted with the rest.
    PinsNotSubtracted,
    /// A state can be pinned from before what has been collected.
    CollectedStatePinned,
    /// Objects are deleted when the HEAD that condemns them is sent, not when it has landed.
    DeletedBeforeCondemned,
    /// Objects are condemned as soon as they are listed.
    RetentionNotAwaited,
    /// A fresh read uses the state that its handle has.
    ReadCached,
    /// A fresh read shares a look that was sent before it began.
    RefreshSentTooEarly,
    /// A response that was overtaken counts as a store that went back.
    OvertakenMeansWentBack,
    /// A response that was overtaken is installed.
    LowerRevisionInstalled,
}
