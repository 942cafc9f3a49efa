//! The fields of `test_contention`.

use serde::{Deserialize, Serialize};

use super::rounded;

/// The fields of `test_contention`. Numbers without samples are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContentionFields {
    /// Handles, each always with one commit under way, and as many bare loops.
    pub handles: u32,
    /// Commits of all handles, per second of their slices.
    #[serde(serialize_with = "rounded")]
    pub commits_per_s: Option<f64>,
    /// Replacements of all bare loops, per second of theirs.
    #[serde(serialize_with = "rounded")]
    pub floor_commits_per_s: Option<f64>,
    /// The ratio of the two.
    #[serde(serialize_with = "rounded")]
    pub ratio: Option<f64>,
    /// Commits that failed, were given up, or whose outcome is unknown.
    pub errors: u64,
    /// Acknowledged commits that are missing in the end.
    pub lost: u64,
    /// Commits that are there more than once.
    pub doubled: u64,
    /// Jain's index over the handles' commits: 1 if all got the same.
    #[serde(serialize_with = "rounded")]
    pub jain: Option<f64>,
    /// The same of the bare loops.
    #[serde(serialize_with = "rounded")]
    pub floor_jain: Option<f64>,
    /// Time of a commit, lost attempts included.
    #[serde(serialize_with = "rounded")]
    pub p50_ms: Option<f64>,
    /// Time of a commit, lost attempts included.
    #[serde(serialize_with = "rounded")]
    pub p99_ms: Option<f64>,
    /// The longest time of a commit.
    #[serde(serialize_with = "rounded")]
    pub worst_wait_ms: Option<f64>,
    /// Time of a bare replacement, lost attempts included.
    #[serde(serialize_with = "rounded")]
    pub floor_p50_ms: Option<f64>,
    /// The longest time of a bare replacement.
    #[serde(serialize_with = "rounded")]
    pub floor_worst_wait_ms: Option<f64>,
    /// The share of PUTs of HEAD that lost their precondition.
    #[serde(serialize_with = "rounded")]
    pub conflict_rate: Option<f64>,
    /// The same of the bare loops.
    #[serde(serialize_with = "rounded")]
    pub floor_conflict_rate: Option<f64>,
    /// The most PUTs in a row that one handle lost.
    pub losing_streak_max: u64,
    /// The same of the bare loops.
    pub floor_losing_streak_max: u64,
    /// Requests that callers waited for, per commit.
    #[serde(serialize_with = "rounded")]
    pub requests_per_commit: Option<f64>,
    /// Transactions that were told of a conflict.
    pub conflicts: u64,
    /// Those of them that had no reason.
    pub unjustified_conflicts: u64,
}
