//! The fields of `test_knee`.

use serde::{Deserialize, Serialize};

use super::rounded;

/// The fields of `test_knee`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KneeFields {
    /// What p99 had to stay under, ms.
    pub slo_ms: u64,
    /// The knees.
    pub points: Vec<KneePoint>,
}

/// The highest rate that so many writers sustain together. Null if none was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KneePoint {
    /// Writers.
    pub writers: u32,
    /// `own` if each has a handle, `shared` if all have one.
    pub handle: String,
    /// Commits a second of all, the highest that was sustained.
    #[serde(serialize_with = "rounded")]
    pub knee_per_s: Option<f64>,
    /// The same: the lower end of what is known.
    #[serde(serialize_with = "rounded")]
    pub low: Option<f64>,
    /// The lowest rate that was not sustained.
    #[serde(serialize_with = "rounded")]
    pub high: Option<f64>,
    /// Response time at the knee.
    #[serde(serialize_with = "rounded")]
    pub p99_ms: Option<f64>,
    /// Why the rate above was not sustained.
    pub limited_by: Option<String>,
}
