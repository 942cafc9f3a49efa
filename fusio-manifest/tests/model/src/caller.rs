//! The caller of one transaction: where it stands (`src/commit/ticket.rs`), and what it was told.

use crate::{
    broken::Broken,
    configuration::TransactionId,
    fate::{Evidence, Fate},
    state::{State, Step},
    store::Gone,
};

/// A log object that holds the transaction ahead of HEAD (`src/commit/stored.rs`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) object: crate::head::ObjectName,
    pub(crate) ids: Vec<TransactionId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Not begun.
    Waiting,
    Queued,
    InBody(Evidence),
    /// Told `CommitUnknown`, with the token to ask by.
    Unknown(Evidence),
    Committed(u8),
    NotCommitted(Why),
    /// Its process died: told nothing.
    Died,
}

/// Why the caller was told "not committed".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    Conflict,
    Refused,
    LeftQueue,
    Asked,
    /// Of a broken variant.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    pub(crate) stage: Stage,
    pub(crate) snapshot: u8,
    /// The value under each key that it read.
    pub(crate) observed: Vec<Option<TransactionId>>,
    pub(crate) stored: Option<Stored>,
}

impl Caller {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Waiting,
            snapshot: 0,
            observed: Vec::new(),
            stored: None,
        }
    }

    /// Nobody waits for the wire's answer.
    pub(crate) fn is_left(&self) -> bool {
        !matches!(self.stage, Stage::Queued | Stage::InBody(_))
    }

    /// Told something final. What it read and wrote plays no part any more.
    pub(crate) fn told(&mut self, stage: Stage) {
        *self = Self { stage, ..Self::new() };
    }
}

impl State {
    pub(crate) fn caller(&self, id: TransactionId) -> &Caller {
        &self.callers[id.index()]
    }
}

impl Step<'_> {
    pub(crate) fn caller_mut(&mut self, id: TransactionId) -> &mut Caller {
        &mut self.state.callers[id.index()]
    }

    /// Begins on the state that its handle has, and is queued. Transactions of a handle begin in their order.
    pub(crate) fn may_begin(&self, id: TransactionId) -> bool {
        let transaction = self.configuration.transaction(id);
        let handle = &self.state.handles[transaction.handle];
        let before = self.configuration.ids().take_while(|before| *before != id);
        let mut mine =
            before.filter(|before| self.configuration.transaction(*before).handle == transaction.handle);
        let first_failed = transaction
            .again
            .is_none_or(|first| matches!(self.state.caller(first).stage, Stage::NotCommitted(_)));
        self.state.caller(id).stage == Stage::Waiting
            && !handle.stopped
            && first_failed
            && mine.all(|before| self.state.caller(before).stage != Stage::Waiting)
            && self.observe(id).is_ok()
    }

    fn observe(&self, id: TransactionId) -> Result<Vec<Option<TransactionId>>, Gone> {
        let transaction = self.configuration.transaction(id);
        let head = &self.state.handles[transaction.handle].cache;
        let value = |key: &u8| self.state.store.value(self.configuration, head, *key);
        transaction.reads.iter().map(value).collect()
    }

    pub(crate) fn begin(&mut self, id: TransactionId) {
        let handle = self.configuration.transaction(id).handle;
        let observed = self.observe(id).unwrap_or_default();
        let snapshot = self.state.handles[handle].cache.last_txn;
        *self.caller_mut(id) = Caller {
            stage: Stage::Queued,
            snapshot,
            observed,
            stored: None,
        };
        self.state.handles[handle].queue.push(id);
    }

    /// The caller gives up: of what is queued nothing was sent, a body may still be applied.
    pub(crate) fn leave(&mut self, id: TransactionId) {
        self.state.budget.leave -= 1;
        let told_as_failed = self.configuration.is_broken_by(Broken::UnknownToldAsFailed);
        match self.state.caller(id).stage {
            Stage::InBody(_) if told_as_failed => {
                self.caller_mut(id).stage = Stage::NotCommitted(Why::Unknown)
            }
            Stage::InBody(token) => self.caller_mut(id).stage = Stage::Unknown(token),
            _ => self.caller_mut(id).stage = Stage::NotCommitted(Why::LeftQueue),
        }
    }

    /// What `outcome(token)` answers now, if it is final. Whoever asks looks at HEAD.
    pub(crate) fn outcome(&self, id: TransactionId) -> Option<Stage> {
        let Stage::Unknown(token) = self.state.caller(id).stage else {
            return None;
        };
        let store = &self.state.store;
        match token.fate(self.configuration, store, &store.head) {
            Fate::Landed => token.commit.map(|(txn, _)| Stage::Committed(txn)),
            Fate::Dead => Some(Stage::NotCommitted(Why::Asked)),
            Fate::AtBase if self.configuration.is_broken_by(Broken::AtBaseToldAsNotCommitted) => {
                Some(Stage::NotCommitted(Why::Asked))
            }
            Fate::AtBase | Fate::NotVisible => None,
        }
    }

    pub(crate) fn ask(&mut self, id: TransactionId) {
        if let Some(stage) = self.outcome(id) {
            self.certify(&stage);
            self.caller_mut(id).stage = stage;
        }
    }

    /// Somebody knows of this commit from now on: reads that begin later must see it.
    pub(crate) fn certify(&mut self, stage: &Stage) {
        if let Stage::Committed(txn) = stage {
            self.state.history.known(*txn, self.configuration);
        }
    }
}
