//! Moves the oldest inline commits out of HEAD (`src/commit/spill.rs`, `src/head/change.rs`).

use crate::{
    broken::Broken,
    configuration::{Configuration, TransactionId},
    head::{Head, LogItem, LogReference, ObjectName},
    state::Step,
    store::Object,
    upkeep::Upkeep,
};

/// The first stretch of inline commits that are old enough to go.
fn selection(configuration: &Configuration, head: &Head) -> (u8, Vec<TransactionId>) {
    let over = head
        .inline_commits()
        .count()
        .saturating_sub(configuration.spill_keep);
    let mut stretch = (0, Vec::new());
    for (txn, id) in head.inline_commits().take(over) {
        if stretch.1.is_empty() {
            stretch.0 = txn;
        } else if stretch.0 + crate::head::count(&stretch.1) != txn {
            break;
        }
        stretch.1.push(id);
    }
    stretch
}

impl Step<'_> {
    pub(crate) fn may_spill(&self, handle: usize) -> bool {
        !selection(self.configuration, &self.built_from(handle))
            .1
            .is_empty()
    }

    pub(crate) fn spill(&mut self, handle: usize) {
        self.state.budget.spill -= 1;
        let head = self.built_from(handle);
        let (mut first_txn, mut ids) = selection(self.configuration, &head);
        let object = self.draw_name(handle);
        let mut nested = None;
        let mut inside = Vec::new();
        if self.configuration.is_broken_by(Broken::NamedInsideAnother) {
            (first_txn, ids, inside) = self.everything(&head);
            nested = Some(head.log.len());
        }
        let mut written = ids.clone();
        if self.configuration.is_broken_by(Broken::SpillLeavesOutLast) {
            written.pop();
        }
        let content = Object::Log { ids: written, inside };
        self.state.store.create(object, content);
        self.state.handles[handle].upkeep = Some(Upkeep::Spill {
            first_txn,
            ids,
            object,
            nested,
        });
    }

    /// A broken variant's selection: log objects too, which are then named inside the new one only.
    fn everything(&self, head: &Head) -> (u8, Vec<TransactionId>, Vec<ObjectName>) {
        let (mut ids, mut inside) = (Vec::new(), Vec::new());
        for item in &head.log {
            match item {
                LogItem::Inline { id, .. } => ids.push(*id),
                LogItem::Object(reference) => {
                    inside.push(reference.object);
                    ids.extend(self.state.store.commits(reference).unwrap_or_default());
                }
            }
        }
        (head.folded_through() + 1, ids, inside)
    }

    /// Every commit that it holds still stands, in place, compared by transaction ids.
    pub(crate) fn spill_applies(&self, upkeep: &Upkeep, base: &Head) -> bool {
        let Upkeep::Spill {
            first_txn,
            ids,
            object,
            nested,
        } = upkeep
        else {
            return false;
        };
        if let Some(items) = nested {
            let named = base.log.first().map(LogItem::first_txn) == Some(*first_txn)
                && base.log.len() >= *items
                && base
                    .log
                    .iter()
                    .take(*items)
                    .map(|item| usize::from(item.count()))
                    .sum::<usize>()
                    == ids.len();
            return named && object.epoch >= base.epoch;
        }
        let by_numbers = matches!(
            self.configuration.broken,
            Some(Broken::LandedSwapByNumbers | Broken::SwapByNumbers)
        );
        let standing: Vec<TransactionId> = match by_numbers {
            true => base
                .inline_commits()
                .filter(|(txn, _)| (*first_txn..*first_txn + crate::head::count(ids)).contains(txn))
                .map(|(_, id)| id)
                .collect(),
            false => ids.clone(),
        };
        standing.len() == ids.len()
            && base.inline_at(*first_txn, &standing).is_some()
            && self.is_before_fence(*object, base)
    }
}

impl Upkeep {
    /// What was spilled makes way for its object.
    pub(crate) fn swap_commits(&self, next: &mut Head) {
        let Self::Spill {
            first_txn,
            ids,
            object,
            nested,
        } = self
        else {
            return;
        };
        let reference = LogItem::Object(LogReference::new(*first_txn, ids, *object));
        let start = next.log.iter().position(|item| item.first_txn() == *first_txn);
        if let Some(start) = start {
            let items = nested.unwrap_or(ids.len());
            next.log.splice(start..start + items, [reference]);
        }
    }
}
