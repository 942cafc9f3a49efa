//! Sends one body and finds out what became of it (`src/commit/publish.rs`).

use std::sync::Arc;

use crate::{
    body::Body,
    broken::Broken,
    caller::{Stage, Why},
    configuration::TransactionId,
    fate::{Evidence, Fate},
    fault::Delivery,
    handle::{Leg, Publishing},
    head::Head,
    state::Step,
    store::Request,
};

impl Step<'_> {
    /// The store takes one copy of a body. True if it was applied.
    pub(crate) fn apply(&mut self, body: &Body) -> bool {
        if self.state.store.head != body.base {
            return false;
        }
        let old = Arc::clone(&self.state.store.head);
        self.replaced(&old, &body.head);
        self.state.store.head = Arc::clone(&body.head);
        // The ETag of their base never returns, so these will never be applied.
        let revision = body.head.revision;
        self.state
            .store
            .under_way
            .retain(|request| !matches!(request, Request::PutHead(body) if body.base.revision < revision));
        true
    }

    /// Puts one copy on the wire.
    pub(crate) fn put_copy(&mut self, handle: usize, publishing: Publishing) {
        let handle = &mut self.state.handles[handle];
        handle.waiting.iter_mut().for_each(|read| read.before_put = true);
        handle.wire = Some(publishing);
    }

    /// What becomes of the copy on the wire, and what its handle makes of that.
    pub(crate) fn deliver(&mut self, handle: usize, delivery: Delivery) {
        let Some(mut publishing) = self.state.handles[handle].wire.take() else {
            return;
        };
        delivery.spend(&mut self.state.budget);
        let body = Arc::clone(&publishing.body);
        let applied = delivery.is_applied() && self.apply(&body);
        if delivery.stays_under_way() {
            let late = Request::PutHead(Arc::clone(&body));
            self.state.store.under_way.push(late);
        }
        match delivery {
            Delivery::Answered if applied => {
                self.landed(handle, &body, &body.head);
            }
            Delivery::Answered | Delivery::Replayed | Delivery::AnsweredEarly => {
                if self.configuration.is_broken_by(Broken::SkipOwnIdCheck) {
                    return self.lost(handle, &body);
                }
                publishing.leg = Leg::Look {
                    after_failed_precondition: true,
                };
                self.state.handles[handle].wire = Some(publishing);
            }
            Delivery::Refused
                if !publishing.any_unknown
                    || self
                        .configuration
                        .is_broken_by(Broken::RefusalBelievedWhileUnknown) =>
            {
                self.refused(handle, &body);
            }
            Delivery::RequestLost | Delivery::ReplyLost | Delivery::Late | Delivery::Refused => {
                if self.configuration.is_broken_by(Broken::UnknownMeansLost) {
                    return self.put_back(handle, &body);
                }
                publishing.any_unknown = true;
                publishing.leg = Leg::Look {
                    after_failed_precondition: false,
                };
                self.state.handles[handle].wire = Some(publishing);
            }
        }
    }

    /// What HEAD tells of the body.
    pub(crate) fn look(&mut self, handle: usize, gives_up: bool) {
        let Some(mut publishing) = self.state.handles[handle].wire.take() else {
            return;
        };
        let body = Arc::clone(&publishing.body);
        let head = Arc::clone(&self.state.store.head);
        let fate = Evidence::of(&body).fate(self.configuration, &self.state.store, &head);
        let failed_precondition = publishing.leg
            == Leg::Look {
                after_failed_precondition: true,
            };
        match fate {
            Fate::Landed => self.landed(handle, &body, &head),
            Fate::Dead => self.lost(handle, &body),
            Fate::AtBase
                if failed_precondition && self.configuration.is_broken_by(Broken::EarlyAnswerBelieved) =>
            {
                self.lost(handle, &body);
            }
            Fate::AtBase if !gives_up && !self.nobody_waits(&body) => {
                self.state.history.futile_copy |= head.revision != body.base.revision;
                publishing.any_unknown = true;
                publishing.leg = Leg::Put;
                self.put_copy(handle, publishing);
            }
            Fate::AtBase | Fate::NotVisible => self.unknown(handle, &body, &head),
        }
    }

    /// True if every caller of the body is gone. Maintenance is waited for by its handle.
    fn nobody_waits(&self, body: &Body) -> bool {
        let mut members = body.members.iter();
        !body.members.is_empty() && members.all(|id| self.state.caller(*id).is_left())
    }

    fn landed(&mut self, handle: usize, body: &Body, seen: &Arc<Head>) {
        self.install(handle, seen);
        for id in &body.members {
            if let (Some(txn), false) = (body.txn_of(*id), self.state.caller(*id).is_left()) {
                let stage = Stage::Committed(txn);
                self.certify(&stage);
                self.caller_mut(*id).told(stage);
            }
        }
        for id in &body.deferred {
            self.tell_conflict(*id);
        }
        if body.carries_upkeep {
            self.upkeep_landed(handle, body);
        }
        self.serve_who_came_before_the_put(handle);
    }

    /// The body is dead: its members may enter the next one.
    fn lost(&mut self, handle: usize, body: &Body) {
        let head = Arc::clone(&self.state.store.head);
        self.install(handle, &head);
        self.put_back(handle, body);
    }

    /// Members and those that wait for them go back to the queue.
    fn put_back(&mut self, handle: usize, body: &Body) {
        for id in &body.members {
            let caller = self.caller_mut(*id);
            if matches!(caller.stage, Stage::InBody(_)) {
                caller.stage = Stage::Queued;
            }
        }
        self.queue_again(handle, &body.members);
        self.queue_again(handle, &body.deferred);
    }

    fn queue_again(&mut self, handle: usize, ids: &[TransactionId]) {
        let mut queue = std::mem::take(&mut self.state.handles[handle].queue);
        let waits =
            |id: &&TransactionId| !self.state.caller(**id).is_left() || self.may_enter_though_left(**id);
        queue.extend(ids.iter().filter(waits));
        // They were queued in the order of their numbers.
        queue.sort_unstable();
        self.state.handles[handle].queue = queue;
    }

    /// Not applied and never will be: the only copy was refused.
    fn refused(&mut self, handle: usize, body: &Body) {
        for id in &body.members {
            if !self.state.caller(*id).is_left() {
                self.caller_mut(*id).told(Stage::NotCommitted(Why::Refused));
            }
        }
        self.queue_again(handle, &body.deferred);
        if body.carries_upkeep {
            self.upkeep_given_up(handle);
        }
    }

    fn unknown(&mut self, handle: usize, body: &Body, seen: &Arc<Head>) {
        self.install(handle, seen);
        for id in &body.members {
            if let Stage::InBody(token) = self.state.caller(*id).stage {
                self.caller_mut(*id).stage =
                    match self.configuration.is_broken_by(Broken::UnknownToldAsFailed) {
                        true => Stage::NotCommitted(Why::Unknown),
                        false => Stage::Unknown(token),
                    };
            }
        }
        self.queue_again(handle, &body.deferred);
        if body.carries_upkeep {
            self.upkeep_given_up(handle);
        }
    }

    pub(crate) fn install(&mut self, handle: usize, head: &Arc<Head>) {
        self.state.handles[handle].install(head);
    }
}
