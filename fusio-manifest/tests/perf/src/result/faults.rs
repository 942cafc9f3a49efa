//! The fields of `test_faults`.

use serde::{Deserialize, Serialize};

use super::rounded;

/// The fields of `test_faults`. Counts are of the writers' commits, as their clients were told at first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultsFields {
    /// Told that they are committed.
    pub commits_ok: u64,
    /// Told that they are not.
    pub commits_failed: u64,
    /// Told neither.
    pub commits_unknown: u64,
    /// Unknown ones that turned out to be committed.
    pub unknown_applied: u64,
    /// Unknown ones of which nothing final was said, and which the final state does not show.
    pub unknown_open: u64,
    /// Committed ones that are missing in the end.
    pub lost: u64,
    /// Commits that are there more than once.
    pub doubled: u64,
    /// From the end of the outage to the first answer of a commit that was ok; null without an outage.
    #[serde(serialize_with = "rounded")]
    pub recovery_ms: Option<f64>,
}
