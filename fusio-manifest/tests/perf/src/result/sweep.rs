//! The fields of `test_comprehensive_sweep`.

use serde::{Deserialize, Serialize};

/// What the sweep came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepFields {
    /// Cells that have ended, in this run or in the one that it goes on with.
    pub cells: usize,
    /// Those to which the load was offered as configured.
    pub valid_cells: usize,
    /// Those of which a check did not hold.
    pub failed_cells: usize,
    /// Those that an earlier run had ended.
    pub resumed_cells: usize,
    /// Those that had to be run more than once.
    pub repeated_cells: usize,
    /// Those that have not ended, by label.
    pub missing: Vec<String>,
    /// How long it took, by the clock of the run: virtual time if it is simulated.
    pub wall_s: f64,
    /// What this run sent, everything counted.
    pub requests: u64,
    /// What that costs.
    pub dollars: f64,
}
