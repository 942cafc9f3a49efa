//! A second opinion on the same history, by another's program and by other means: the `adya` crate looks for cycles of
//! dependencies between transactions on lists, as Elle does.
//!
//! It is told nothing that the engine says about order: neither the numbers of commits nor those of snapshots. Lists
//! speak for themselves, since each read of one shows every append before it. So it cannot be misled by an engine that
//! numbers its commits wrongly and consistently, and it finds fault with what [`crate::checker`] takes as given.
//!
//! It sees the lists of a history and nothing else, and knows no phantoms. What it flags is wrong; what it lets pass
//! may still be wrong in all the ways that only numbers, other keys or ranges show.

use std::{collections::BTreeSet, time::Duration};

use adya::{
    History as Lists, Opts, Report, Valid, Workload,
    history::{Id, Interner, Mop, Op, OpType, ReadValue, Scalar},
};
use bytes::Bytes;

use crate::history::{History, Operation, OperationKind, Outcome, Read, State, show};

/// What the keys of lists begin with. A list is its elements, numbers, with commas between them.
pub const LISTS: &str = "list_";

/// The search for the worst cycle is given up after so long on the wall: longer than any takes here, because what it
/// then says would depend on the machine.
const SEARCH_MAX: Duration = Duration::from_secs(3_600);

/// What it said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opinion {
    /// Transactions on lists that it looked at.
    pub transactions: u64,
    /// Whether it found something to go by: without a list that two transactions share there is nothing.
    pub informed: bool,
    /// What it found, by the names that Adya and Elle gave: `G0`, `G1a`, `G-single-item`, `lost-update`, ...
    pub anomalies: Vec<String>,
    /// One of each, explained.
    pub explanations: Vec<String>,
}

impl Opinion {
    /// True if nothing was found.
    pub fn agrees(&self) -> bool {
        self.anomalies.is_empty()
    }
}

/// The range of all lists: the first key, and the first behind it.
pub fn all_lists() -> (Bytes, Bytes) {
    (Bytes::from_static(b"list_"), Bytes::from_static(b"list`"))
}

/// Judges the lists of a history, and of the state that a new handle saw after its end, as strictly serializable or
/// not.
///
/// # Errors
///
/// One line: a value is no list.
pub fn judge(history: &History, final_state: Option<&State>) -> Result<Opinion, String> {
    let mut translation = Translation::new(history, final_state);
    for operation in &history.operations {
        translation.add(operation)?;
    }
    if let Some(state) = final_state {
        translation.add_final(state)?;
    }
    let transactions = translation.transactions;
    let lists = translation.finish();
    let options = Opts {
        models: vec!["strict-serializable".to_owned()],
        timeout: SEARCH_MAX,
        ..Opts::default()
    };
    let report = adya::check(&lists, Workload::ListAppend, &options);
    Ok(Opinion {
        transactions,
        informed: report.valid != Valid::Unknown,
        ..opinion(report)
    })
}

fn opinion(report: Report) -> Opinion {
    if report.valid != Valid::False {
        return Opinion::default();
    }
    let explained = report.anomalies.into_iter().filter_map(|(kind, anomalies)| {
        // Which of several cycles comes first is left to chance there.
        let first = anomalies.into_iter().min_by_key(|anomaly| anomaly.ops.clone())?;
        Some(format!("{kind}: {}", first.explanation.trim_end()))
    });
    Opinion {
        explanations: explained.collect(),
        anomalies: report.anomaly_types,
        ..Opinion::default()
    }
}

/// Events in the making. Invocations come before answers of the same moment: equal times count as concurrent.
struct Translation {
    interner: Interner,
    /// Every list of the history.
    keys: BTreeSet<Bytes>,
    events: Vec<(u64, bool, Op)>,
    transactions: u64,
    /// After everything that the history tells of.
    end: u64,
    /// The first name that no operation has.
    free_id: u64,
}

impl Translation {
    fn new(history: &History, final_state: Option<&State>) -> Self {
        let written = history.operations.iter().flat_map(|operation| &operation.writes);
        let base = history.base.entries.keys();
        let last = final_state.into_iter().flat_map(|state| state.entries.keys());
        let keys = written.map(|write| &write.key).chain(base).chain(last);
        let times = history
            .operations
            .iter()
            .flat_map(|operation| std::iter::once(operation.invoked).chain(operation.completed));
        Self {
            interner: Interner::default(),
            keys: keys.filter(|key| is_list(key)).cloned().collect(),
            events: Vec::new(),
            transactions: 0,
            end: times.max().unwrap_or_default().saturating_add(1),
            free_id: history
                .operations
                .iter()
                .map(|operation| operation.id.0 + 1)
                .max()
                .unwrap_or_default(),
        }
    }

    fn add(&mut self, operation: &Operation) -> Result<(), String> {
        let kind = match operation.outcome {
            // A transaction that wrote nothing has seen a state that may be old, and so may one that failed.
            Outcome::Ok { txn: None, .. } if operation.kind == OperationKind::Commit => return Ok(()),
            Outcome::Ok { .. } => OpType::Ok,
            Outcome::Failed { .. } | Outcome::Conflict { .. } => OpType::Fail,
            Outcome::Unknown { .. } => OpType::Info,
        };
        let mut parts = match kind {
            OpType::Ok => self.reads(operation)?,
            // What one read that is perhaps not committed proves nothing: nothing has certified it.
            OpType::Invoke | OpType::Fail | OpType::Info => Vec::new(),
        };
        for write in operation.writes.iter().filter(|write| is_list(&write.key)) {
            let elements = self.elements(write.value.as_ref())?;
            let element = elements.last().copied().ok_or("a list was deleted")?;
            parts.push(Mop::Append {
                key: self.key(&write.key),
                value: element,
            });
        }
        if parts.is_empty() {
            return Ok(());
        }
        let completed = match kind {
            OpType::Info => self.end,
            _ => operation.completed.unwrap_or(self.end),
        };
        self.push(operation.id.0, (operation.invoked, completed), kind, parts);
        Ok(())
    }

    fn add_final(&mut self, state: &State) -> Result<(), String> {
        let mut parts = Vec::new();
        for key in self.keys.clone() {
            parts.push(self.read(&key, state.entries.get(&key))?);
        }
        if !parts.is_empty() {
            self.push(self.free_id, (self.end + 1, self.end + 2), OpType::Ok, parts);
        }
        Ok(())
    }

    fn push(&mut self, id: u64, (invoked, completed): (u64, u64), kind: OpType, parts: Vec<Mop>) {
        // A process of its own each: operations of one client overlap.
        let event = |kind, index| Op {
            index,
            kind,
            process: Some(i64::try_from(id).unwrap_or(i64::MAX)),
            value: parts.clone(),
            time: None,
        };
        self.events.push((invoked, false, event(OpType::Invoke, id)));
        self.events.push((completed, true, event(kind, id)));
        self.transactions += 1;
    }

    fn reads(&mut self, operation: &Operation) -> Result<Vec<Mop>, String> {
        let mut parts = Vec::new();
        for read in &operation.reads {
            match read {
                Read::Point { key, value } if is_list(key) => parts.push(self.read(key, value.as_ref())?),
                Read::Point { .. } => {}
                Read::Range { from, to, rows } => {
                    let inside = |key: &&Bytes| *key >= from && to.as_ref().is_none_or(|to| *key < to);
                    let keys: Vec<Bytes> = self.keys.iter().filter(inside).cloned().collect();
                    for key in keys {
                        let row = rows.iter().find(|row| row.key == key);
                        parts.push(self.read(&key, row.map(|row| &row.value))?);
                    }
                }
            }
        }
        Ok(parts)
    }

    fn read(&mut self, key: &Bytes, value: Option<&Bytes>) -> Result<Mop, String> {
        Ok(Mop::Read {
            key: self.key(key),
            value: ReadValue::List(self.elements(value)?),
        })
    }

    fn key(&mut self, key: &Bytes) -> Id {
        self.interner.intern(Scalar::Str(show(key)))
    }

    fn elements(&mut self, list: Option<&Bytes>) -> Result<Vec<Id>, String> {
        let Some(list) = list else { return Ok(Vec::new()) };
        let text = std::str::from_utf8(list).unwrap_or_default();
        let mut elements = Vec::new();
        for element in text.split(',') {
            let number = element
                .parse()
                .map_err(|_| format!("{} is no list of numbers", show(list)))?;
            elements.push(self.interner.intern(Scalar::Int(number)));
        }
        Ok(elements)
    }

    fn finish(mut self) -> Lists {
        self.events
            .sort_by_key(|(time, answer, op)| (*time, *answer, op.index));
        let ops = self.events.into_iter().map(|(_, _, op)| op).collect();
        Lists::from_ops(ops, self.interner)
    }
}

fn is_list(key: &Bytes) -> bool {
    key.starts_with(LISTS.as_bytes())
}
