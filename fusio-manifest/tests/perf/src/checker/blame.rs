//! Finds the right name for a read that is wrong.

use std::{cell::OnceCell, collections::HashMap};

use bytes::Bytes;

use super::{
    commits::{Commits, Version, Writer},
    violation::{Findings, ViolationKind},
};
use crate::history::{History, Operation, Outcome, Read};

/// The first and the last snapshot at which a version, named by key and number, was seen.
type Spans<'h> = HashMap<(&'h [u8], u64), (u64, u64)>;

/// Where each version was seen. Worked out only when something is wrong.
pub(super) struct Seen<'h> {
    history: &'h History,
    spans: OnceCell<Spans<'h>>,
}

impl<'h> Seen<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        Self {
            history,
            spans: OnceCell::new(),
        }
    }

    fn span(&self, commits: &Commits<'h>, key: &'h [u8], txn: u64) -> Option<(u64, u64)> {
        self.spans
            .get_or_init(|| self.collect(commits))
            .get(&(key, txn))
            .copied()
    }

    fn collect(&self, commits: &Commits<'h>) -> Spans<'h> {
        let mut spans = HashMap::new();
        let mut note = |key: &'h [u8], txn: u64, at: u64| {
            let span = spans.entry((key, txn)).or_insert((at, at));
            *span = (span.0.min(at), span.1.max(at));
        };
        for operation in &self.history.operations {
            let Some(at) = operation.snapshot() else { continue };
            for read in &operation.reads {
                match read {
                    Read::Point {
                        key,
                        value: Some(value),
                    } => {
                        if let Some(txn) = commits.txn_of_value(key, value) {
                            note(key, txn, at);
                        }
                    }
                    Read::Point { key, value: None } => {
                        let latest = commits.version_at(key, at);
                        if latest.value.is_none() {
                            note(key, latest.txn, at);
                        }
                    }
                    Read::Range { rows, .. } => {
                        for row in rows {
                            if let Some(txn) = commits.txn_of_value(&row.key, &row.value) {
                                note(&row.key, txn, at);
                            }
                        }
                    }
                }
            }
        }
        spans
    }
}

/// A key that was shown as it cannot have been at a position.
pub(super) struct Blame<'a, 'h> {
    pub(super) commits: &'a Commits<'h>,
    pub(super) seen: &'a Seen<'h>,
    pub(super) key: &'h [u8],
    pub(super) value: Option<&'h Bytes>,
    pub(super) position: u64,
}

impl<'h> Blame<'_, 'h> {
    /// Reports a read of `operation`. One that is torn is reported only for the `first` wrong key.
    pub(super) fn report_read(&self, operation: &'h Operation, first: bool, findings: &mut Findings) {
        let (mut kind, writer) = self.name(false);
        if matches!(kind, ViolationKind::StaleRead | ViolationKind::FutureRead) && self.is_torn(operation) {
            if !first {
                return;
            }
            kind = ViolationKind::TornRead;
        }
        let latest = self.latest();
        let operations = writer.into_iter().chain(latest.writer).chain([operation]);
        findings.add(kind, operations, || self.message("a read"));
    }

    /// Reports an entry of the final state.
    pub(super) fn report_final(&self, findings: &mut Findings) {
        let (kind, writer) = self.name(true);
        let operations = writer.into_iter().chain(self.latest().writer);
        findings.add(kind, operations, || self.message("the final state"));
    }

    fn latest(&self) -> Version<'h> {
        self.commits.version_at(self.key, self.position)
    }

    fn message(&self, who: &str) -> String {
        let latest = self.latest();
        format!(
            "{who} at commit {} shows {}, but commit {} made that {}",
            self.position,
            super::pair(self.key, self.value),
            latest.txn,
            super::value_text(latest.value),
        )
    }

    /// The name of what is wrong, and who wrote what was shown.
    fn name(&self, is_final: bool) -> (ViolationKind, Option<&'h Operation>) {
        let Some(value) = self.value else {
            return (self.name_missing(self.latest(), is_final), None);
        };
        let Some(writer) = self.commits.writer(self.key, value) else {
            return (ViolationKind::UnwrittenValue, None);
        };
        let (txn, writer) = match writer {
            Writer::Base => (Some(self.commits.base_txn), None),
            Writer::Operation(writer) => (self.commits.txn_of(writer), Some(writer)),
        };
        let kind = match txn {
            None if is_final
                && writer.is_some_and(|writer| {
                    matches!(writer.outcome, Outcome::Failed { .. } | Outcome::Conflict { .. })
                }) =>
            {
                ViolationKind::FailedCommitVisible
            }
            None => ViolationKind::DirtyRead,
            Some(_) if writer.is_some_and(|writer| self.is_intermediate(writer, value)) => {
                ViolationKind::IntermediateRead
            }
            Some(txn) if txn > self.position && is_final => ViolationKind::WrongFinalState,
            Some(txn) if txn > self.position => ViolationKind::FutureRead,
            Some(_) => self.name_overwritten(is_final),
        };
        (kind, writer)
    }

    /// True if the writer wrote something else to this key after `value`.
    fn is_intermediate(&self, writer: &Operation, value: &Bytes) -> bool {
        let last = writer.writes.iter().rfind(|write| write.key == self.key);
        last.is_some_and(|last| last.value.as_ref() != Some(value))
    }

    /// A put should be there, and nothing is.
    fn name_missing(&self, latest: Version<'h>, is_final: bool) -> ViolationKind {
        let seen = self.seen.span(self.commits, self.key, latest.txn);
        match seen {
            Some((_, last)) if last >= self.position && !is_final => ViolationKind::StaleRead,
            _ => ViolationKind::LostWrite,
        }
    }

    /// An older version is there.
    fn name_overwritten(&self, is_final: bool) -> ViolationKind {
        let latest = self.latest();
        if self.commits.may_be_doubled(latest.txn, self.position) {
            return ViolationKind::DuplicateCommit;
        }
        let seen = self.seen.span(self.commits, self.key, latest.txn);
        match seen {
            Some((_, last)) if last >= self.position && !is_final => ViolationKind::StaleRead,
            _ if latest.value.is_none() => ViolationKind::ResurrectedDelete,
            Some(_) => ViolationKind::ResurrectedWrite,
            None => ViolationKind::LostWrite,
        }
    }

    /// True if no state holds all that the operation saw.
    fn is_torn(&self, operation: &'h Operation) -> bool {
        let (mut from, mut to) = (self.commits.base_txn, u64::MAX);
        let mut narrow = |key: &[u8], txn: u64| {
            from = from.max(txn);
            to = to.min(
                self.commits
                    .version_after(key, txn)
                    .map_or(u64::MAX, |next| next.txn - 1),
            );
        };
        let mut shown = |key: &[u8], value: Option<&Bytes>| {
            if let Some(txn) = value.and_then(|value| self.commits.txn_of_value(key, value)) {
                narrow(key, txn);
            } else if value.is_none() {
                // The last time that the key was absent, up to the snapshot.
                let latest = self.commits.version_at(key, self.position);
                let absent = match latest.value {
                    None => latest,
                    Some(_) => self.commits.version_at(key, latest.txn.saturating_sub(1)),
                };
                if absent.value.is_none() {
                    narrow(key, absent.txn);
                }
            }
        };
        shown(self.key, self.value);
        for read in &operation.reads {
            match read {
                Read::Point { key, value } => shown(key, value.as_ref()),
                Read::Range { rows, .. } => rows.iter().for_each(|row| shown(&row.key, Some(&row.value))),
            }
        }
        from > to
    }
}
