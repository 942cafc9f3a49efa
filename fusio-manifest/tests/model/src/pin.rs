//! Pins: copies of a HEAD that the collector spares; and readers, which it spares for the retention.

use std::sync::Arc;

use crate::{
    head::{Head, Pin},
    state::{Reader, Step},
    store::Object,
    upkeep::Upkeep,
};

impl Step<'_> {
    pub(crate) fn may_pin(&self, handle: usize) -> bool {
        let head = &self.state.handles[handle].cache;
        head.last_txn > 0
    }

    /// The state that the handle has.
    pub(crate) fn pin_newest(&mut self, handle: usize) {
        let copy = Arc::clone(&self.state.handles[handle].cache);
        self.pin(handle, copy);
    }

    /// A snapshot that somebody holds, however old it is.
    pub(crate) fn pin_snapshot(&mut self, handle: usize) {
        if let Some(reader) = self.state.readers.first() {
            let copy = Arc::clone(&reader.head);
            self.pin(handle, copy);
        }
    }

    fn pin(&mut self, handle: usize, copy: Arc<Head>) {
        self.state.budget.pin -= 1;
        let object = self.draw_name(handle);
        let revision = copy.revision;
        self.state.store.create(object, Object::Pin(copy));
        self.state.handles[handle].upkeep = Some(Upkeep::Pin { revision, object });
    }

    pub(crate) fn may_unpin(&self, handle: usize) -> bool {
        !self.state.handles[handle].cache.pins.is_empty()
    }

    pub(crate) fn unpin(&mut self, handle: usize) {
        self.state.budget.unpin -= 1;
        let pin = self.state.handles[handle].cache.pins.first();
        let upkeep = pin.map(|pin| Upkeep::Unpin { object: pin.object });
        self.state.handles[handle].upkeep = upkeep;
    }

    /// A state from before what has been collected cannot be pinned any more.
    pub(crate) fn pin_applies(&self, upkeep: &Upkeep, base: &Head) -> bool {
        match upkeep {
            Upkeep::Pin { revision, object } => {
                *revision >= base.collected_through && self.is_before_fence(*object, base)
            }
            Upkeep::Unpin { object } => base.pins.iter().any(|pin| pin.object == *object),
            _ => false,
        }
    }

    /// A snapshot of the state that the handle has, unless it is older than the retention already.
    pub(crate) fn may_hold(&self, handle: usize) -> bool {
        let cache = &self.state.handles[handle].cache;
        let marked = self
            .state
            .store
            .head
            .collection
            .map(|collection| collection.marked_revision);
        let too_old = self.state.retention_over && marked.is_some_and(|marked| cache.revision < marked);
        cache.last_txn > 0 && cache.revision >= self.state.store.head.collected_through && !too_old
    }

    pub(crate) fn hold(&mut self, handle: usize) {
        self.state.budget.hold -= 1;
        let head = Arc::clone(&self.state.handles[handle].cache);
        self.state.readers.push(Reader { head, expired: false });
    }
}

impl Upkeep {
    pub(crate) fn change_pins(&self, next: &mut Head) {
        match self {
            Self::Pin { revision, object } => next.pins.push(Pin {
                revision: *revision,
                object: *object,
            }),
            Self::Unpin { object } => next.pins.retain(|pin| pin.object != *object),
            _ => {}
        }
    }
}
