//! Judges a recorded run: is there one order of its commits, in agreement with real time, that explains what
//! every client saw?
//!
//! The engine tells each commit its number and each read the number of the commit whose state it saw. So the
//! checker need not search for an order: it takes the one that it is told, and looks for contradictions, in
//! time that grows with the size of the history (and the logarithm, for sorting). Nothing here does I/O.
//!
//! - `commits` orders the acknowledged commits: no number twice, none missing.
//! - `outcomes` deduces which unknown commits are applied, and where. See there for what it decides.
//! - `real_time` checks that what was over before an operation began precedes it.
//! - `replay` checks every read against the state of its snapshot, and, for transactions that committed,
//!   against the state just before their commit (`judge` decides, `blame` finds the name for what is wrong).
//! - `final_state` compares the end of the replay with what a new handle saw.
//!
//! Beside that: `conflicts` asks whether every conflict that was told had a reason, `accounting` counts what is
//! missing and what is there too often, and `monotonic_keys` holds writers that never repeat a key to that.
//!
//! A history without unknown commits is decided completely: it is flagged if and only if the numbers that
//! the engine told are no strictly serializable explanation of it (aborted and read-only transactions may
//! have seen an old, but consistent state). With unknown commits, what is flagged is certainly wrong, and
//! [`Verdict::left_open`] counts the reads that could not be decided; if it is 0, nothing was left out.
//!
//! What it relies on: the history holds every commit of the run; values are unique per key; no operation
//! records reads of its own staged writes; times are of one monotonic clock.

mod accounting;
mod blame;
mod commits;
mod conflicts;
mod final_state;
mod judge;
mod monotonic_keys;
mod outcomes;
mod real_time;
mod replay;
mod violation;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;

pub use accounting::{Accounting, account};
pub use conflicts::conflicts_justified;
pub use monotonic_keys::keys_monotonic;
pub use violation::{Violation, ViolationKind};

use crate::history::{History, State, show};
use blame::Seen;
use commits::Commits;
use outcomes::Unplaced;
use real_time::RealTime;
use replay::Replay;
use violation::Findings;

/// So many violations of each kind are listed; the others are only counted.
const LISTED_MAX: u64 = 5;

/// What a check found, and what it looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The first few violations of each kind, always in the same order for the same history.
    pub violations: Vec<Violation>,
    /// How many there are of each kind.
    pub counts: BTreeMap<ViolationKind, u64>,
    /// Commits whose place in the order is known, those of unknown outcome included.
    pub commits: u64,
    /// Points and ranges that were compared with the state of their snapshot.
    pub reads: u64,
    /// Commits whose outcome was never told.
    pub unknown: u64,
    /// Those of them that are applied, at a place that is known.
    pub unknown_applied: u64,
    /// Those of them that may be applied, or not, or at several places.
    pub unknown_open: u64,
    /// Transactions that were told of a conflict. Only of a verdict of [`conflicts_justified`].
    pub conflicts: u64,
    /// Reads, and keys of the final state, that depend on where an unknown commit stands.
    pub left_open: u64,
    /// True if a final state was compared.
    pub final_state_checked: bool,
}

impl Verdict {
    /// True if no contradiction was found.
    pub fn passed(&self) -> bool {
        self.counts.is_empty()
    }

    /// True if the history is strictly serializable for certain: no contradiction, and nothing left open.
    /// Only of a verdict of [`check`].
    pub fn strictly_serializable(&self) -> bool {
        self.passed() && self.left_open == 0
    }

    fn with(self, findings: Findings) -> Self {
        let (violations, counts) = findings.finish();
        Self {
            violations,
            counts,
            ..self
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commits, {} reads, {} unknown outcomes ({} applied, {} open), {} reads left open, final state {}",
            self.commits,
            self.reads,
            self.unknown,
            self.unknown_applied,
            self.unknown_open,
            self.left_open,
            if self.final_state_checked {
                "compared"
            } else {
                "not compared"
            },
        )?;
        for violation in &self.violations {
            write!(f, "\n{violation}")?;
        }
        for (kind, count) in self.counts.iter().filter(|(_, count)| **count > LISTED_MAX) {
            write!(f, "\n{kind:?}: {count} in all, {LISTED_MAX} shown")?;
        }
        Ok(())
    }
}

/// Judges a whole history, and the state that a new handle saw after its end.
///
/// Call it when nothing of the run is under way any more: a commit that lands after the final state was read
/// is no contradiction, but one that a client is still told of is.
pub fn check(history: &History, final_state: Option<&State>) -> Verdict {
    let mut findings = Findings::new(LISTED_MAX);
    let mut commits = Commits::order(history, final_state, &mut findings);
    let real_time = RealTime::new(history);
    let unplaced = Unplaced::resolve(history, final_state, &real_time, &mut commits, &mut findings);
    real_time.check(history, &commits, &mut findings);
    let seen = Seen::new(history);
    let replay = Replay {
        history,
        commits: &commits,
        unplaced: &unplaced,
        seen: &seen,
    };
    let replayed = replay.check(&mut findings);
    let final_open = final_state.map_or(0, |state| {
        final_state::check(history, &commits, &unplaced, &seen, state, &mut findings)
    });
    let unknown = history
        .operations
        .iter()
        .filter(|operation| operation.is_unknown_commit())
        .count();
    Verdict {
        commits: commits.by_txn.len() as u64,
        reads: replayed.reads,
        unknown: unknown as u64,
        unknown_applied: commits.placed_count() as u64,
        unknown_open: unplaced.open(&commits).count() as u64,
        left_open: replayed.left_open + final_open,
        final_state_checked: final_state.is_some(),
        ..Verdict::default()
    }
    .with(findings)
}

fn value_text(value: Option<&Bytes>) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| show(value))
}

fn pair(key: &[u8], value: Option<&Bytes>) -> String {
    format!("{}={}", show(key), value_text(value))
}
