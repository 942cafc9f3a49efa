//! The tracing collector: the epoch is raised, names of earlier epochs are listed, after the retention one HEAD
//! condemns what neither it nor a pin needs, and once that HEAD is known to have landed it is deleted.

use crate::{
    broken::Broken,
    configuration::Configuration,
    head::{Collection, Head, ObjectName},
    state::Step,
    store::{Object, Request},
    upkeep::Upkeep,
};

impl Step<'_> {
    pub(crate) fn may_raise_epoch(&self, handle: usize) -> bool {
        self.state.handles[handle].cache.collection.is_none()
    }

    pub(crate) fn raise_epoch(&mut self, handle: usize) {
        self.state.budget.collect -= 1;
        let upkeep = if self.configuration.is_broken_by(Broken::NoEpochFence) {
            let head = self.built_from(handle);
            self.fenced(&head, head.epoch)
        } else {
            Upkeep::RaiseEpoch
        };
        self.state.handles[handle].upkeep = Some(upkeep);
    }

    /// From `head` on no name of `epoch` or before can become referenced.
    pub(crate) fn fenced(&self, head: &Head, epoch: u8) -> Upkeep {
        let mut spared = self.state.store.spared_by(head, true);
        spared.sort_unstable();
        spared.dedup();
        Upkeep::Fenced {
            marked_revision: head.revision,
            epoch,
            spared,
        }
    }

    /// LIST, and its result as an object.
    pub(crate) fn list(&mut self, handle: usize) {
        let Some(Upkeep::Fenced {
            marked_revision,
            epoch,
            spared,
        }) = self.state.handles[handle].upkeep.take()
        else {
            return;
        };
        let names = self.state.store.names();
        let listed: Vec<ObjectName> = names
            .filter(|name| name.epoch <= epoch && !spared.contains(name))
            .collect();
        if listed.is_empty() {
            return;
        }
        let list = self.draw_name(handle);
        self.state.store.create(list, Object::List(listed));
        self.state.handles[handle].upkeep = Some(Upkeep::NameList {
            marked_revision,
            list,
        });
    }

    pub(crate) fn may_condemn(&self, handle: usize) -> bool {
        let known = self.state.handles[handle].cache.collection;
        // How long ago the list was named, any handle that knows the list can tell.
        let waited = self.state.retention_over && known == self.state.store.head.collection;
        known.is_some_and(|collection| !collection.condemned)
            && (waited || self.configuration.is_broken_by(Broken::RetentionNotAwaited))
    }

    pub(crate) fn condemn(&mut self, handle: usize) {
        let known = self.state.handles[handle].cache.collection;
        self.state.handles[handle].upkeep = known.map(|Collection { list, .. }| Upkeep::Condemn { list });
    }

    /// What the handle knows to be condemned, less what pins hold, as far as it is there.
    pub(crate) fn deletable(&self, handle: usize) -> Vec<ObjectName> {
        let handle = &self.state.handles[handle];
        let head = match &handle.wire {
            Some(publishing) if self.configuration.is_broken_by(Broken::DeletedBeforeCondemned) => {
                &publishing.body.head
            }
            _ => &handle.cache,
        };
        let store = &self.state.store;
        let Some(Collection {
            list,
            condemned: true,
            ..
        }) = head.collection
        else {
            return Vec::new();
        };
        let pinned = match self.configuration.is_broken_by(Broken::PinsNotSubtracted) {
            true => Vec::new(),
            false => store.pinned_objects(head),
        };
        let listed = store.listed(list).unwrap_or_default().iter().copied();
        listed
            .filter(|name| !pinned.contains(name) && store.get(*name).is_some())
            .collect()
    }

    pub(crate) fn delete(&mut self, handle: usize, late: bool) {
        let names = self.deletable(handle);
        if late {
            self.state.budget.late -= 1;
            self.state.store.under_way.push(Request::Delete(names));
        } else {
            self.state.store.delete(&names);
        }
    }

    pub(crate) fn may_drop_list(&self, handle: usize) -> bool {
        let known = self.state.handles[handle].cache.collection;
        known.is_some_and(|collection| collection.condemned)
    }

    pub(crate) fn drop_list(&mut self, handle: usize) {
        let known = self.state.handles[handle].cache.collection;
        self.state.handles[handle].upkeep = known.map(|Collection { list, .. }| Upkeep::DropList { list });
    }

    /// The retention has passed since HEAD named its list: snapshots from before the fence are older.
    pub(crate) fn pass_retention(&mut self) {
        self.state.retention_over = true;
        let Some(collection) = self.state.store.head.collection else {
            return;
        };
        for reader in &mut self.state.readers {
            reader.expired |= reader.head.revision < collection.marked_revision;
        }
    }

    pub(crate) fn collection_applies(&self, upkeep: &Upkeep, base: &Head) -> bool {
        match (upkeep, base.collection) {
            (Upkeep::NameList { list, .. }, None) => list.epoch >= base.epoch,
            (Upkeep::Condemn { list }, Some(collection)) => collection.list == *list && !collection.condemned,
            (Upkeep::DropList { list }, Some(collection)) => collection.list == *list && collection.condemned,
            _ => false,
        }
    }
}

impl Upkeep {
    pub(crate) fn move_collection(&self, next: &mut Head, configuration: &Configuration) {
        match self {
            Self::RaiseEpoch => next.epoch += 1,
            Self::NameList {
                marked_revision,
                list,
            } => {
                next.collection = Some(Collection {
                    marked_revision: *marked_revision,
                    list: *list,
                    condemned: false,
                });
            }
            Self::Condemn { .. } => {
                if let Some(collection) = &mut next.collection {
                    collection.condemned = true;
                    if !configuration.is_broken_by(Broken::CollectedStatePinned) {
                        next.collected_through = next.collected_through.max(collection.marked_revision);
                    }
                }
            }
            Self::DropList { .. } => next.collection = None,
            _ => {}
        }
    }
}
