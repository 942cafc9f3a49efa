//! An open manifest in one process: the newest HEAD that it has seen, its queue, its wire, its maintenance.

use std::sync::Arc;

use crate::{
    body::Body,
    caller::Stage,
    configuration::TransactionId,
    head::{Head, ObjectName},
    refresh::{Look, Waiting},
    state::{State, Step},
    store::Request,
    upkeep::Upkeep,
};

/// What the wire waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Leg {
    Put,
    Look { after_failed_precondition: bool },
}

/// A body whose fate is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Publishing {
    pub(crate) body: Arc<Body>,
    /// A copy of it may have been applied, or may be yet.
    pub(crate) any_unknown: bool,
    pub(crate) leg: Leg,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle {
    /// The newest HEAD that it knows to have landed.
    pub(crate) cache: Arc<Head>,
    /// Bodies that it made on `cache`.
    attempts: u8,
    /// Names that it has drawn.
    objects_named: u8,
    pub(crate) queue: Vec<TransactionId>,
    pub(crate) wire: Option<Publishing>,
    pub(crate) upkeep: Option<Upkeep>,
    pub(crate) looks: Vec<Look>,
    /// Fresh reads that wait for a look to be sent.
    pub(crate) waiting: Vec<Waiting>,
    /// It has seen the store go back, and writes nothing any more.
    pub(crate) stopped: bool,
}

impl Handle {
    pub(crate) fn open(cache: Arc<Head>) -> Self {
        Self {
            cache,
            attempts: 0,
            objects_named: 0,
            queue: Vec::new(),
            wire: None,
            upkeep: None,
            looks: Vec::new(),
            waiting: Vec::new(),
            stopped: false,
        }
    }

    /// Only a higher revision is installed.
    pub(crate) fn install(&mut self, head: &Arc<Head>) {
        if head.revision > self.cache.revision {
            self.cache = Arc::clone(head);
            self.attempts = 0;
            self.looks
                .iter_mut()
                .for_each(|look| look.sent_after_newest = false);
        }
    }

    /// The number of the next body on this base.
    pub(crate) fn next_attempt(&mut self) -> u8 {
        self.attempts += 1;
        self.attempts - 1
    }

    pub(crate) fn is_at_work(&self) -> bool {
        self.wire.is_some() || self.upkeep.is_some() || !self.queue.is_empty()
    }
}

impl Step<'_> {
    /// A name that was never used, of the epoch of the HEAD that the handle holds.
    pub(crate) fn draw_name(&mut self, handle: usize) -> ObjectName {
        let author = u8::try_from(handle).unwrap_or(u8::MAX);
        let handle = &mut self.state.handles[handle];
        handle.objects_named += 1;
        ObjectName {
            epoch: handle.cache.epoch,
            author,
            number: handle.objects_named,
        }
    }

    /// Its process dies, and another takes its place. A PUT that was on the wire may arrive, or not.
    pub(crate) fn crash(&mut self, handle: usize) {
        self.state.budget.crash -= 1;
        let died = self.state.handles[handle].clone();
        if let Some(Publishing {
            body, leg: Leg::Put, ..
        }) = &died.wire
            && body.base.revision == self.state.store.head.revision
        {
            let late = Request::PutHead(Arc::clone(body));
            self.state.store.under_way.push(late);
        }
        for id in self.configuration.ids() {
            let mine = self.configuration.transaction(id).handle == handle;
            if mine && matches!(self.state.caller(id).stage, Stage::Queued | Stage::InBody(_)) {
                self.caller_mut(id).stage = Stage::Died;
            }
        }
        let head = Arc::clone(&self.state.store.head);
        let mut opened = Handle::open(Arc::clone(&head));
        // Names and nonces are random: no later process draws one of these again.
        opened.objects_named = died.objects_named;
        if head.revision == died.cache.revision {
            opened.attempts = died.attempts;
        }
        self.state.handles[handle] = opened;
    }

    /// True if what the handle knows of HEAD still matters to anybody.
    pub(crate) fn has_plans(&self, handle: usize) -> bool {
        let State { handles, budget, .. } = &self.state;
        let mut ids = self.configuration.ids();
        handles[handle].is_at_work()
            || budget.maintenance() > 0
            || ids.any(|id| {
                self.configuration.transaction(id).handle == handle
                    && self.state.caller(id).stage == Stage::Waiting
            })
    }
}
