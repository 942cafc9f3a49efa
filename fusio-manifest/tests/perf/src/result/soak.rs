//! The fields of `test_soak`.

use serde::{Deserialize, Serialize, Serializer};

/// What a soak came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SoakFields {
    /// How long the load was offered, in seconds.
    pub seconds: f64,
    /// Rows of `test_soak.csv`.
    pub intervals: u64,
    /// The second from which on trends were judged; null if the run was too short to judge them.
    pub judged_from_s: Option<f64>,
    /// Acknowledged commits that are missing in the end.
    pub lost: u64,
    /// Commits that are there more than once.
    pub doubled: u64,
    /// Objects that nothing references after one collection.
    pub orphans_after_collect: u64,
    /// Objects that HEAD references and that are not there.
    pub missing: u64,
    /// What the engine's own check found broken.
    pub verify_findings: u64,
    /// Transactions that were due.
    pub commits_offered: u64,
    /// Commits that were acknowledged.
    pub commits_ok: u64,
    /// Transactions that were told of a conflict.
    pub conflicts: u64,
    /// Commits of which nobody was told the outcome.
    pub commits_unknown: u64,
    /// Points and ranges that were compared with the state of their snapshot.
    pub reads: u64,
    /// States that were held or pinned.
    pub kept: u64,
    /// Handles that were opened and closed again.
    pub visits: u64,
    /// Folds, of those that looks a second apart could tell.
    pub folds: u64,
    /// Merges, of those that looks a second apart could tell.
    pub merges: u64,
    /// Collections that began.
    pub collections: u64,
    /// The largest HEAD, in bytes.
    pub head_bytes_max: f64,
    /// Answered transactions for each that was due, of all intervals.
    #[serde(serialize_with = "rounded")]
    pub achieved: Option<f64>,
    /// What must be flat, one entry each.
    pub trends: Vec<SoakTrend>,
}

/// How one number went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SoakTrend {
    /// Which.
    pub what: String,
    /// Its level.
    #[serde(serialize_with = "rounded")]
    pub median: Option<f64>,
    /// How much it moved in the direction that is bad, from the first judged interval to the last.
    #[serde(serialize_with = "rounded")]
    pub growth: Option<f64>,
    /// The standard error of that.
    #[serde(serialize_with = "rounded")]
    pub error: Option<f64>,
    /// How much it may move beyond three times its error.
    #[serde(serialize_with = "rounded")]
    pub allowed: Option<f64>,
    /// Whether it did not; null if it was not judged.
    pub flat: Option<bool>,
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn rounded<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    let finite = value.filter(|value| value.is_finite());
    finite
        .map(|value| (value * 1_000.0).round() / 1_000.0)
        .serialize(serializer)
}
