//! The fields of `test_simulation`.

use serde::{Deserialize, Serialize};

/// What the seeds came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SimulationFields {
    /// Cases that were played.
    pub seeds: u64,
    /// What was wrong in them: contradictions, of each kind the first few of a case.
    pub violations: u64,
    /// How long it took on the wall.
    pub wall_s: f64,
    /// Operations of all clients.
    pub operations: u64,
    /// Commits that were acknowledged.
    pub committed: u64,
    /// Conflicts that were told.
    pub conflicts: u64,
    /// Commits of which nobody was told the outcome.
    pub unknown: u64,
    /// Reads that were compared with the state of their snapshot.
    pub reads: u64,
    /// Of these, and of the keys of final states, those that depend on where an unknown commit stands.
    pub left_open: u64,
    /// Transactions on lists, judged by the oracle too.
    pub lists: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Of these, those in the midst of a fold, a merge or a collection: of a request that was waited for.
    pub kills_at_work: u64,
    /// Cases in which something was collected, or could be.
    pub collecting: u64,
    /// Collections that were begun while clients were at it.
    pub collections: u64,
    /// Objects that were deleted then.
    pub objects_deleted: u64,
    /// Objects that were left to the end, and deleted there, so that none was left that nothing needs.
    pub objects_left: u64,
    /// States that were read again after they had been held for a while.
    pub held: u64,
    /// States that were told to have expired, or whose pins had.
    pub expired: u64,
    /// States that were pinned.
    pub pins: u64,
    /// Pins that were opened and read while clients were at it.
    pub pins_opened: u64,
    /// Pins that were let go.
    pub pins_released: u64,
    /// Pins that were there in the end, and read.
    pub pins_left: u64,
    /// States that were refused a pin because they were too old.
    pub pins_refused: u64,
    /// The seeds of cases in which something was wrong, the first few.
    pub failing_seeds: Vec<u64>,
}
