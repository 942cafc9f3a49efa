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
    /// The seeds of cases in which something was wrong, the first few.
    pub failing_seeds: Vec<u64>,
}
