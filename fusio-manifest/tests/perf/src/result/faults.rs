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
    /// From the end of the outage, by the store that had it, to the first acknowledgement that a client held: of a commit
    /// begun before, during or after it. Of clients that wanted nothing then, from their next commit on. Null without an
    /// outage, or if there was none.
    #[serde(serialize_with = "rounded")]
    pub recovery_ms: Option<f64>,
    /// The same of each writer's own first acknowledgement: the longest. Null if one of them held none.
    #[serde(serialize_with = "rounded")]
    pub recovery_every_writer_ms: Option<f64>,
    /// To the first commit that was due after the outage from which on the median response of eight in a row is at most
    /// twice that of before the outage.
    #[serde(serialize_with = "rounded")]
    pub recovery_latency_ms: Option<f64>,
}
