//! The fields of `plot_latency_sweep`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The fields of `plot_latency_sweep`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencySweepPlotFields {
    /// What was drawn: the report, and each plot.
    pub files: Vec<PathBuf>,
}
