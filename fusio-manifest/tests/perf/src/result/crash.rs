//! The fields of `test_crash`.

use serde::{Deserialize, Serialize};

/// The fields of `test_crash`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CrashFields {
    /// Processes that were ended by SIGKILL.
    pub kills: u64,
    /// Acknowledged commits that are missing in the end.
    pub lost: u64,
    /// Commits that are there more than once.
    pub doubled: u64,
    /// Objects that nothing references after one collection.
    pub orphans_after_collect: u64,
    /// Killed at random moments.
    pub kills_at_random: u64,
    /// Killed between two requests.
    pub kills_at_points: u64,
    /// The places between two requests.
    pub points: u64,
    /// Those of them at which somebody was killed.
    pub points_hit: u64,
    /// Commits that were acknowledged.
    pub commits_ok: u64,
    /// Commits of which nobody was told the outcome.
    pub commits_unknown: u64,
    /// Those of them that are there.
    pub unknown_applied: u64,
    /// Reads that were compared with the state of their snapshot.
    pub reads: u64,
    /// Pinned states that were opened and read by who pinned them.
    pub pins_read: u64,
    /// Objects that nothing referenced before the last collection.
    pub orphans_before_collect: u64,
    /// Objects that HEAD references and that are not there.
    pub missing: u64,
    /// What the engine's own check found broken.
    pub verify_findings: u64,
}
