//! The numbers at which a commit of unknown outcome may stand.

use crate::{
    checker::{
        commits::Commits,
        real_time::RealTime,
        violation::{Findings, ViolationKind},
    },
    history::Operation,
};

/// Why a window ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// By the operation's own beginning, or by nothing.
    Begin,
    /// A read showed it.
    Shown,
    /// A read did not show it.
    Missing,
    /// What it read was overwritten.
    OwnRead,
}

/// A commit that nobody was told the number of, and that is not decided yet.
#[derive(Debug, Clone)]
pub(in crate::checker) struct Floating<'h> {
    pub(in crate::checker) operation: &'h Operation,
    pub(in crate::checker) low: u64,
    pub(in crate::checker) high: u64,
    applied: bool,
    /// It cannot stand anywhere; reported, so that reads of it are not reported again.
    pub(in crate::checker) contradicted: bool,
    why: [(Cause, Option<&'h Operation>); 2],
}

impl<'h> Floating<'h> {
    pub(super) fn new(operation: &'h Operation, real_time: &RealTime<'h>, base_txn: u64) -> Self {
        let known = real_time.known_before(operation);
        let floor = known
            .map_or(0, |(number, _)| number)
            .max(operation.snapshot().unwrap_or(0))
            .max(base_txn);
        let why = [
            (Cause::Begin, known.map(|(_, earlier)| earlier)),
            (Cause::Begin, None),
        ];
        let low = floor.saturating_add(1);
        Self {
            operation,
            low,
            high: u64::MAX,
            applied: false,
            contradicted: false,
            why,
        }
    }

    pub(super) fn raise_low(&mut self, low: u64, cause: Cause, by: Option<&'h Operation>) {
        if low > self.low {
            self.low = low;
            self.why[0] = (cause, by);
        }
    }

    pub(super) fn lower_high(&mut self, high: u64, cause: Cause, by: Option<&'h Operation>) {
        if high < self.high {
            self.high = high;
            self.why[1] = (cause, by);
        }
    }

    pub(super) fn show(&mut self, after: u64, at: u64, by: Option<&'h Operation>) {
        self.applied = true;
        self.raise_low(after.saturating_add(1), Cause::Shown, by);
        self.lower_high(at, Cause::Shown, by);
    }

    /// It stands nowhere above `after` up to `to`.
    pub(super) fn forbid(&mut self, after: u64, to: u64, by: Option<&'h Operation>) {
        if after < self.low && self.low <= to {
            self.raise_low(to.saturating_add(1), Cause::Missing, by);
        }
        if after < self.high && self.high <= to {
            self.lower_high(after, Cause::Missing, by);
        }
    }

    /// True if it deletes `key`.
    pub(in crate::checker) fn deletes(&self, key: &[u8]) -> bool {
        self.operation
            .writes
            .iter()
            .rev()
            .find(|write| write.key == key)
            .is_some_and(|write| write.value.is_none())
    }

    /// True if something in the history proves that it is applied.
    pub(super) fn applied(&self) -> bool {
        self.applied
    }

    /// Who bounds it from above.
    pub(super) fn last_by(&self) -> Option<&'h Operation> {
        self.why[1].1
    }

    /// Reports that its window is empty although it is applied.
    pub(super) fn report_contradiction(&mut self, findings: &mut Findings) {
        self.contradicted = true;
        let [(low, low_by), (high, high_by)] = self.why;
        let (kind, message) = match (low, high) {
            (Cause::Shown, Cause::Shown) => (
                ViolationKind::DuplicateCommit,
                "it was seen, overwritten, and seen again: it is applied twice",
            ),
            (Cause::Missing, _) | (_, Cause::Missing) => (
                ViolationKind::LostWrite,
                "it was seen in one state and is missing in another that must hold it",
            ),
            (_, Cause::OwnRead) => (
                ViolationKind::LostUpdate,
                "it is applied, but only after what it had read was overwritten",
            ),
            _ => (
                ViolationKind::RealTimeOrder,
                "it was seen in a state that is older than its own beginning",
            ),
        };
        let operations = [low_by, high_by].into_iter().flatten().chain([self.operation]);
        findings.add(kind, operations, || {
            format!(
                "commit of unknown outcome can stand nowhere (not before {}, not after {}): {message}",
                self.low, self.high
            )
        });
    }
}

/// True if the commit may stand above `after`, up to `to`.
pub(in crate::checker) fn may_stand(
    floating: &Floating<'_>,
    commits: &Commits<'_>,
    after: u64,
    to: u64,
) -> bool {
    let (low, high) = (floating.low.max(after.saturating_add(1)), floating.high.min(to));
    let first = commits.holes.partition_point(|hole| *hole < low);
    low <= high && (commits.overfull || commits.holes.get(first).is_some_and(|hole| *hole <= high))
}
