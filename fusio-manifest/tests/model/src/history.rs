//! What really happened, as only the explorer knows it, and what was seen to go wrong on the way.

use crate::{
    configuration::{Configuration, Key, TransactionId},
    head::{Head, LogItem, ObjectName},
    state::Step,
    store::Gone,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct History {
    /// Every commit, in the order in which they landed.
    pub(crate) commits: Vec<TransactionId>,
    /// The last commit that somebody outside knows of: its caller, or a fresh read that returned.
    pub(crate) known_through: u8,
    /// A commit that landed had read what was not so in that order.
    pub(crate) unserializable: bool,
    /// A fresh read returned less than was known when it began.
    pub(crate) stale_read: bool,
    /// Who was told of a conflict that was none then.
    pub(crate) without_reason: Vec<TransactionId>,
    /// A body was sent again that can never land, as its handle had seen.
    pub(crate) futile_copy: bool,
    /// A HEAD landed that breaks I2.
    pub(crate) went_back: bool,
    /// A HEAD landed that breaks I3.
    pub(crate) unfenced: bool,
}

impl History {
    /// The newest commit up to `txn` that wrote `key`.
    pub(crate) fn newest(
        &self,
        configuration: &Configuration,
        key: Key,
        txn: u8,
    ) -> Option<(u8, TransactionId)> {
        let commits = (1..=txn).zip(&self.commits);
        let mut written = commits.filter(|(_, id)| configuration.writes(**id, key));
        written.next_back().map(|(txn, id)| (txn, *id))
    }

    pub(crate) fn value(&self, configuration: &Configuration, key: Key, txn: u8) -> Option<TransactionId> {
        let (_, id) = self.newest(configuration, key, txn)?;
        configuration.value(id)
    }

    /// Kept only where there are fresh reads to be held against it.
    pub(crate) fn known(&mut self, txn: u8, configuration: &Configuration) {
        if configuration.budget.read > 0 {
            self.known_through = self.known_through.max(txn);
        }
    }

    pub(crate) fn holds(&self, id: TransactionId) -> bool {
        self.commits.contains(&id)
    }
}

impl Step<'_> {
    /// `new` has taken the place of `old`.
    pub(crate) fn replaced(&mut self, old: &Head, new: &Head) {
        let back = new.revision != old.revision + 1 || new.last_txn < old.last_txn || new.epoch < old.epoch;
        self.state.history.went_back |= back;
        let named_before = old.live_objects();
        let unfenced = |name: &ObjectName| {
            !named_before.contains(name) && (name.epoch < old.epoch || self.state.store.get(*name).is_none())
        };
        if new.live_objects().iter().any(unfenced) {
            self.state.history.unfenced = true;
        }
        if new.collection.map(|it| it.list) != old.collection.map(|it| it.list) {
            self.state.retention_over = false;
        }
        for item in &new.log {
            if item.last_txn() > old.last_txn {
                // What cannot be read is told by other properties.
                let ids = self.ids_of(item).unwrap_or_default();
                ids.into_iter().for_each(|id| self.append(id));
            }
        }
    }

    fn ids_of(&self, item: &LogItem) -> Result<Vec<TransactionId>, Gone> {
        Ok(match item {
            LogItem::Inline { id, .. } => vec![*id],
            LogItem::Object(reference) => self.state.store.commits(reference)?.to_vec(),
        })
    }

    fn append(&mut self, id: TransactionId) {
        let before = crate::head::count(&self.state.history.commits);
        let transaction = self.configuration.transaction(id);
        let read = transaction.reads.iter().zip(&self.state.caller(id).observed);
        let history = &self.state.history;
        let mut overwritten =
            read.filter(|(key, observed)| history.value(self.configuration, **key, before) != **observed);
        let unserializable = overwritten.next().is_some();
        self.state.history.unserializable |= unserializable;
        self.state.history.commits.push(id);
    }

    /// Whether a commit that landed is a reason to tell `id` of a conflict.
    pub(crate) fn has_reason(&self, id: TransactionId) -> bool {
        let history = &self.state.history;
        let snapshot = self.state.caller(id).snapshot;
        let last = crate::head::count(&history.commits);
        let mut reads = self.configuration.transaction(id).reads.iter();
        reads.any(|key| {
            let newest = history.newest(self.configuration, *key, last);
            newest.is_some_and(|(txn, _)| txn > snapshot)
        })
    }
}
