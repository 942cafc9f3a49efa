//! Log objects become a run, and runs become one: sorted tables of the newest version of each key.

use std::collections::BTreeMap;

use crate::{
    broken::Broken,
    configuration::{Configuration, Key},
    head::{Head, LogItem, LogReference, Run},
    state::Step,
    store::{Entry, Gone, Object},
    upkeep::Upkeep,
};

/// The log objects that lead the log.
fn leading_objects(head: &Head) -> Vec<LogReference> {
    let leading = head.log.iter().map_while(|item| match item {
        LogItem::Inline { .. } => None,
        LogItem::Object(reference) => Some(*reference),
    });
    leading.collect()
}

/// The two oldest runs.
fn oldest_runs(head: &Head) -> Option<[Run; 2]> {
    match head.runs.as_slice() {
        [.., newer, older] => Some([*newer, *older]),
        _ => None,
    }
}

impl Step<'_> {
    pub(crate) fn may_fold(&self, handle: usize) -> bool {
        let head = &self.state.handles[handle].cache;
        let inputs = leading_objects(head);
        !inputs.is_empty() && inputs.iter().all(|input| self.state.store.commits(input).is_ok())
    }

    pub(crate) fn fold(&mut self, handle: usize) {
        self.state.budget.fold -= 1;
        let head = self.built_from(handle);
        let inputs = leading_objects(&head);
        let (Some(first), Some(last), Ok(mut newest)) =
            (inputs.first(), inputs.last(), self.read_log(&inputs))
        else {
            return;
        };
        let is_oldest = head.runs.is_empty() || self.configuration.is_broken_by(Broken::DropsTombstones);
        if is_oldest {
            newest.retain(|_, entry| self.configuration.value(entry.id).is_some());
        }
        let run = Run {
            first_txn: first.first_txn,
            last_txn: last.last_txn(),
            table: self.draw_name(handle),
        };
        let content = Object::Table(newest.into_values().collect());
        self.state.store.create(run.table, content);
        self.state.handles[handle].upkeep = Some(Upkeep::Fold { inputs, run });
    }

    fn read_log(&self, inputs: &[LogReference]) -> Result<BTreeMap<Key, Entry>, Gone> {
        let mut newest = BTreeMap::new();
        for input in inputs {
            for (txn, id) in (input.first_txn..).zip(self.state.store.commits(input)?) {
                for key in &self.configuration.transaction(*id).writes {
                    newest.insert(
                        *key,
                        Entry {
                            key: *key,
                            txn,
                            id: *id,
                        },
                    );
                }
            }
        }
        Ok(newest)
    }

    pub(crate) fn may_merge(&self, handle: usize) -> bool {
        let inputs = oldest_runs(&self.state.handles[handle].cache);
        inputs.is_some_and(|runs| runs.iter().all(|run| self.state.store.table(run.table).is_ok()))
    }

    pub(crate) fn merge(&mut self, handle: usize) {
        self.state.budget.merge -= 1;
        let Some(inputs) = oldest_runs(&self.built_from(handle)) else {
            return;
        };
        let [newer, older] = inputs;
        let mut newest = BTreeMap::new();
        for run in [older, newer] {
            for entry in self.state.store.table(run.table).unwrap_or_default() {
                newest.insert(entry.key, *entry);
            }
        }
        // The older of the two is the oldest of all: nothing lies below that a tombstone has to hide.
        newest.retain(|_, entry| self.configuration.value(entry.id).is_some());
        let run = Run {
            first_txn: older.first_txn,
            last_txn: newer.last_txn,
            table: self.draw_name(handle),
        };
        let content = Object::Table(newest.into_values().collect());
        self.state.store.create(run.table, content);
        self.state.handles[handle].upkeep = Some(Upkeep::Merge { inputs, run });
    }

    /// Its inputs still stand, all of them, in place, compared by the names of their objects.
    pub(crate) fn fold_applies(&self, upkeep: &Upkeep, base: &Head) -> bool {
        let (run, stand) = match upkeep {
            Upkeep::Fold { inputs, run } => (run, self.inputs_stand(inputs, run, base)),
            Upkeep::Merge { inputs, run } => (run, oldest_runs(base) == Some(*inputs)),
            _ => return false,
        };
        stand && self.is_before_fence(run.table, base)
    }

    fn inputs_stand(&self, inputs: &[LogReference], run: &Run, base: &Head) -> bool {
        if self.configuration.is_broken_by(Broken::OrderByLess) {
            // What is kept of the log lies behind the run: `<` where it should be equality.
            return base.last_txn >= run.last_txn;
        }
        inputs.len() <= base.log.len()
            && inputs
                .iter()
                .zip(&base.log)
                .all(|(input, item)| *item == LogItem::Object(*input))
    }
}

impl Upkeep {
    /// The inputs make way for the run.
    pub(crate) fn swap_runs(&self, next: &mut Head, configuration: &Configuration) {
        match self {
            Self::Fold { inputs, run } => {
                // In a broken variant the runs and the log may overlap what is there.
                next.runs.retain(|older| older.last_txn < run.first_txn);
                next.log.retain(|item| item.first_txn() > run.last_txn);
                next.runs.insert(0, *run);
                next.folded.extend(inputs);
                let over = next.folded.len().saturating_sub(configuration.folded_kept);
                next.folded.drain(..over);
            }
            Self::Merge { inputs, run } => {
                next.runs.retain(|run| !inputs.contains(run));
                next.runs.push(*run);
            }
            _ => {}
        }
    }
}
