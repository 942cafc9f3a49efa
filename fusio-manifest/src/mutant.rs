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
    /// A fresh read uses the cached state without looking at HEAD.
    ReadCached,
    /// A failed precondition is believed without looking whether it was this commit's own success.
    SkipOwnIdCheck,
    /// A commit without an answer is reported as lost and sent again in a new body.
    UnknownMeansLost,
}
