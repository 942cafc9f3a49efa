//! The fields of `test_group_commit`.

use serde::{Deserialize, Serialize};

use super::rounded;

/// The fields of `test_group_commit`. Numbers without samples are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupCommitFields {
    /// Tasks that committed at once on one handle.
    pub tasks: u32,
    /// Commits of all tasks, per second.
    #[serde(serialize_with = "rounded")]
    pub commits_per_s: Option<f64>,
    /// Commits a second of one task alone.
    #[serde(serialize_with = "rounded")]
    pub single_task_commits_per_s: Option<f64>,
    /// Commits per PUT of HEAD: how many share one.
    #[serde(serialize_with = "rounded")]
    pub mean_batch_commits: Option<f64>,
    /// PUTs of all kinds, per second.
    #[serde(serialize_with = "rounded")]
    pub puts_per_s: Option<f64>,
    /// Requests of all kinds, maintenance included, per commit.
    #[serde(serialize_with = "rounded")]
    pub requests_per_commit: Option<f64>,
    /// Time of a commit of one of many tasks.
    #[serde(serialize_with = "rounded")]
    pub commit_p50_ms: Option<f64>,
    /// Time of a commit of one of many tasks.
    #[serde(serialize_with = "rounded")]
    pub commit_p99_ms: Option<f64>,
    /// Commits of one task alone, as many as bare PUTs beside it.
    pub single_commits: u64,
    /// Time of a commit of one task alone.
    #[serde(serialize_with = "rounded")]
    pub single_commit_p50_ms: Option<f64>,
    /// Bare conditional PUT beside it.
    #[serde(serialize_with = "rounded")]
    pub single_floor_put_p50_ms: Option<f64>,
    /// The ratio of the two.
    #[serde(serialize_with = "rounded")]
    pub single_floor_ratio: Option<f64>,
}
