//! Replays all commits in order and compares what every operation saw with the state that it must have seen.
//!
//! Every read must equal the state of its snapshot, also that of a failed transaction. A committed transaction
//! must besides find the same just before its own commit: values are unique, so an equal value means that
//! nothing happened to the key, and an absence that came back is as good as one that stayed.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;

use super::{
    blame::{Blame, Seen},
    commits::{Commits, Live, bounds},
    judge::{Judgement, judge},
    outcomes::{Unplaced, may_stand},
    violation::{Findings, ViolationKind},
};
use crate::history::{History, Operation, OperationId, Read, Row};

/// A key and what was seen of it.
pub(super) type Shown<'h> = (&'h [u8], Option<&'h Bytes>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Snapshot,
    CommitPoint,
}

/// What a replay has looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Replayed {
    /// Points and ranges that were compared with the state of their snapshot.
    pub(super) reads: u64,
    /// Those of them that depend on where an unknown commit stands.
    pub(super) left_open: u64,
}

/// What the reads are compared with.
pub(super) struct Replay<'a, 'h> {
    pub(super) history: &'h History,
    pub(super) commits: &'a Commits<'h>,
    pub(super) unplaced: &'a Unplaced<'h>,
    pub(super) seen: &'a Seen<'h>,
}

impl<'h> Replay<'_, 'h> {
    /// Checks every read of every operation whose snapshot or number is known.
    pub(super) fn check(&self, findings: &mut Findings) -> Replayed {
        let mut replayed = Replayed::default();
        let mut steps = Vec::with_capacity(self.history.operations.len());
        for operation in self
            .history
            .operations
            .iter()
            .filter(|operation| !operation.reads.is_empty())
        {
            let snapshot = operation.snapshot();
            steps.extend(snapshot.map(|snapshot| (snapshot, Stage::Snapshot, operation)));
            let point = self.commits.txn_of(operation).map(|txn| txn.saturating_sub(1));
            let point = point.filter(|point| snapshot.is_none_or(|snapshot| *point > snapshot));
            steps.extend(point.map(|point| (point, Stage::CommitPoint, operation)));
            if self
                .unplaced
                .get(operation.id)
                .is_some_and(|own| may_stand(own, self.commits, 0, u64::MAX))
            {
                replayed.left_open += operation.reads.len() as u64;
            }
        }
        steps.sort_by_key(|(position, stage, operation)| (*position, *stage, operation.id));
        let open_keys = self.unplaced.keys();
        let mut live = Live::new(self.history);
        let mut wrong = HashSet::new();
        for (position, stage, operation) in steps {
            live.advance(self.commits, position);
            for read in &operation.reads {
                let mut look = Look {
                    replay: self,
                    live: &live,
                    open_keys: &open_keys,
                    position,
                    open: false,
                };
                match stage {
                    Stage::Snapshot => {
                        replayed.reads += 1;
                        look.check_snapshot(operation, read, &mut wrong, findings);
                        let open = look.open || position < self.commits.base_txn;
                        replayed.left_open += u64::from(open);
                    }
                    Stage::CommitPoint if !wrong.contains(&operation.id) => {
                        look.check_commit_point(operation, read, findings);
                        replayed.left_open += u64::from(look.open);
                    }
                    Stage::CommitPoint => {}
                }
            }
        }
        replayed
    }
}

/// One read, held against the state at one position.
struct Look<'a, 'b, 'h> {
    replay: &'a Replay<'b, 'h>,
    live: &'a Live<'h>,
    open_keys: &'a BTreeSet<&'h [u8]>,
    position: u64,
    open: bool,
}

impl<'h> Look<'_, '_, 'h> {
    fn check_snapshot(
        &mut self,
        operation: &'h Operation,
        read: &'h Read,
        wrong: &mut HashSet<OperationId>,
        findings: &mut Findings,
    ) {
        let Replay { commits, seen, .. } = self.replay;
        if self.position < commits.base_txn {
            return;
        }
        if let Read::Range { from, to, rows } = read
            && let Some(row) = misplaced(from, to.as_ref(), rows)
        {
            wrong.insert(operation.id);
            findings.add(ViolationKind::BadScan, [operation], || {
                format!(
                    "row {} is out of order, doubled, or out of range",
                    crate::history::show(&row.key)
                )
            });
            return;
        }
        for (key, value) in self.contradictions(read) {
            let blame = Blame {
                commits,
                seen,
                key,
                value,
                position: self.position,
            };
            let first = wrong.insert(operation.id);
            blame.report_read(operation, first, findings);
        }
    }

    fn check_commit_point(&mut self, operation: &'h Operation, read: &'h Read, findings: &mut Findings) {
        for (key, value) in self.contradictions(read) {
            let kind = match read {
                Read::Range { .. } => ViolationKind::Phantom,
                Read::Point { .. } if operation.writes.iter().any(|write| write.key == key) => {
                    ViolationKind::LostUpdate
                }
                Read::Point { .. } => ViolationKind::WriteSkew,
            };
            let now = self.replay.commits.version_at(key, self.position);
            findings.add(kind, now.writer.into_iter().chain([operation]), || {
                format!(
                    "it read {} and committed at {}, although commit {} had made that {}",
                    super::pair(key, value),
                    self.position.saturating_add(1),
                    now.txn,
                    super::value_text(now.value),
                )
            });
        }
    }

    /// What the read shows that the state at this position cannot be.
    fn contradictions(&mut self, read: &'h Read) -> Vec<Shown<'h>> {
        let mut suspects = match read {
            // Mostly so, and cheaper than to look for the version.
            Read::Point { key, value } if self.is_certain(key, value.as_ref()) => return Vec::new(),
            Read::Point { key, value } => vec![(key.as_ref(), value.as_ref())],
            Read::Range { from, to, rows } => {
                let rows = rows.iter().map(|row| (row.key.as_ref(), &row.value));
                let expected = self.live.range(from, to.as_deref());
                differences(rows, expected, |key| self.open_keys.contains(key))
            }
        };
        if let Read::Range { from, to, rows } = read {
            suspects.extend(self.open_absences(from, to.as_ref(), rows));
        }
        let Replay {
            commits, unplaced, ..
        } = self.replay;
        suspects.retain(
            |(key, value)| match judge(commits, unplaced, key, *value, self.position) {
                Judgement::Right => false,
                Judgement::Open => {
                    self.open = true;
                    false
                }
                Judgement::Wrong => true,
            },
        );
        suspects
    }

    /// True if the replayed state holds it, and no undecided commit writes it.
    fn is_certain(&self, key: &[u8], value: Option<&Bytes>) -> bool {
        self.position >= self.replay.commits.base_txn
            && self.live.get(key) == value
            && !self.open_keys.contains(key)
    }

    /// Keys of the range that are neither shown nor in the replayed state, but that an undecided commit writes.
    fn open_absences(&self, from: &Bytes, to: Option<&Bytes>, rows: &[Row]) -> Vec<Shown<'h>> {
        let keys = self
            .open_keys
            .range::<[u8], _>(bounds(from, to.map(AsRef::as_ref)));
        let absent = keys.filter(|key| {
            let shown = rows.binary_search_by(|row| row.key.as_ref().cmp(key)).is_ok();
            let expected = self.replay.commits.version_at(key, self.position).value.is_some();
            !shown && !expected
        });
        absent.map(|key| (*key, None)).collect()
    }
}

/// Walks two ascending lists and returns what is shown of the keys on which they differ, or that are `doubtful`.
pub(super) fn differences<'h>(
    shown: impl Iterator<Item = (&'h [u8], &'h Bytes)>,
    expected: impl Iterator<Item = (&'h [u8], &'h Bytes)>,
    doubtful: impl Fn(&[u8]) -> bool,
) -> Vec<Shown<'h>> {
    let mut expected = expected.peekable();
    let mut differing = Vec::new();
    for (key, value) in shown {
        while let Some((missing, _)) = expected.next_if(|(other, _)| *other < key) {
            differing.push((missing, None));
        }
        let equal = expected
            .next_if(|(other, _)| *other == key)
            .is_some_and(|(_, other)| other == value);
        if !equal || doubtful(key) {
            differing.push((key, Some(value)));
        }
    }
    differing.extend(expected.map(|(missing, _)| (missing, None)));
    differing
}

fn misplaced<'h>(from: &Bytes, to: Option<&Bytes>, rows: &'h [Row]) -> Option<&'h Row> {
    let outside = |row: &&Row| row.key < *from || to.is_some_and(|to| row.key >= *to);
    let descending = rows
        .iter()
        .zip(rows.iter().skip(1))
        .find(|(row, next)| row.key >= next.key);
    rows.iter().find(outside).or(descending.map(|(_, next)| next))
}
