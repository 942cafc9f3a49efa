//! What may become of one copy of a PUT of HEAD, and of requests that nobody waits for.

use crate::{
    configuration::Budget,
    state::{State, Step},
    store::Request,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Delivery {
    /// Taken by the store, and its answer arrives.
    Answered,
    RequestLost,
    ReplyLost,
    /// Its sender gives up waiting; it may be applied later, or never.
    Late,
    /// Applied; a proxy repeats it and answers for the repetition: 412.
    Replayed,
    /// A proxy repeats it and answers for the repetition: 409 or 412, while the first copy is under way.
    AnsweredEarly,
    /// 400, 403 or 413: this copy is not applied.
    Refused,
}

pub(crate) const DELIVERIES: [Delivery; 7] = [
    Delivery::Answered,
    Delivery::RequestLost,
    Delivery::ReplyLost,
    Delivery::Late,
    Delivery::Replayed,
    Delivery::AnsweredEarly,
    Delivery::Refused,
];

impl Delivery {
    fn left(self, budget: &mut Budget) -> Option<&mut u8> {
        match self {
            Self::Answered => None,
            Self::RequestLost => Some(&mut budget.request_lost),
            Self::ReplyLost => Some(&mut budget.reply_lost),
            Self::Late => Some(&mut budget.late),
            Self::Replayed => Some(&mut budget.replayed),
            Self::AnsweredEarly => Some(&mut budget.answered_early),
            Self::Refused => Some(&mut budget.refused),
        }
    }

    pub(crate) fn spend(self, budget: &mut Budget) {
        if let Some(left) = self.left(budget) {
            *left -= 1;
        }
    }

    /// Whether it can happen, and is not the same as another: to a copy whose base is gone, that it is late or
    /// applied without an answer means no more than that it is lost.
    pub(crate) fn may_happen(self, budget: &Budget, base_stands: bool) -> bool {
        let mut budget = *budget;
        let allowed = self.left(&mut budget).is_none_or(|left| *left > 0);
        match self {
            Self::Answered | Self::RequestLost | Self::Refused => allowed,
            Self::ReplyLost | Self::Late | Self::Replayed | Self::AnsweredEarly => allowed && base_stands,
        }
    }

    pub(crate) fn is_applied(self) -> bool {
        matches!(self, Self::Answered | Self::ReplyLost | Self::Replayed)
    }

    pub(crate) fn stays_under_way(self) -> bool {
        matches!(self, Self::Late | Self::AnsweredEarly)
    }
}

impl Step<'_> {
    /// A request arrives that nobody waits for.
    pub(crate) fn arrive(&mut self, index: usize) {
        match self.state.store.under_way.remove(index) {
            Request::PutHead(body) => {
                self.apply(&body);
            }
            Request::PutObject(name, object) => self.state.store.create(name, object),
            Request::Delete(names) => self.state.store.delete(&names),
        }
    }
}

impl State {
    /// True if the copy on the wire of `handle` would be applied now.
    pub(crate) fn base_stands(&self, handle: usize) -> bool {
        let wire = &self.handles[handle].wire;
        wire.as_ref()
            .is_some_and(|publishing| publishing.body.base.revision == self.store.head.revision)
    }
}
