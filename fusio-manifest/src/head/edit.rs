//! What a HEAD changes that commits nothing: the steps of a collection, and pins.

use super::{Collection, Head, Pin};
use crate::{
    frame::FormatError,
    id::{Folder, ObjectName},
    limits::PINS_MAX,
};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Raises the epoch from this one: from then on no name of it can become referenced.
    Fence {
        epoch: u64,
        unix_ms: u64,
        /// The Date by which pins have expired, if one can be believed.
        believed_unix_ms: Option<u64>,
    },
    /// Names what a collection has listed.
    NameList(Collection),
    /// Nobody can need what this list names any more, pins excepted.
    Condemn {
        list: ObjectName,
        believed_unix_ms: Option<u64>,
    },
    /// What this list names is gone, these log objects among it.
    DropList {
        list: ObjectName,
        deleted: Vec<ObjectName>,
    },
    AddPin(Pin),
    RemovePin {
        name: String,
        object: ObjectName,
    },
}

/// Why an edit cannot be made of a HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Objection {
    /// HEAD has it already.
    Made,
    /// Somebody else did this step, or a later one.
    Overtaken,
    /// Its object lies behind the collector's fence: it has to be written again.
    Behind,
    NameTaken,
    NoRoom,
    /// What the pin needs may be deleted already.
    Collected,
}

impl Head {
    /// Every object that HEAD names directly. What was folded is named only to find transaction ids in it, and may go.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Folder, ObjectName)> {
        let pins = self.pins.iter().map(|pin| (Folder::Pin, pin.object.name));
        let list = self
            .collection
            .iter()
            .map(|collection| (Folder::List, collection.list.name));
        self.needed().chain(pins).chain(list)
    }

    /// Those that its state consists of.
    pub(crate) fn needed(&self) -> impl Iterator<Item = (Folder, ObjectName)> {
        let log = self
            .log_objects()
            .map(|reference| (Folder::Log, reference.object.name));
        let tables = self.runs.iter().flat_map(|run| &run.tables);
        log.chain(tables.map(|table| (Folder::Table, table.object.name)))
    }

    /// The pin of this name.
    pub(crate) fn pin(&self, name: &str) -> Option<&Pin> {
        self.pins.iter().find(|pin| pin.name == name)
    }

    /// Why a state of this revision cannot be pinned under this name.
    pub(crate) fn objection_to_pin(&self, name: &str, revision: u64) -> Option<Objection> {
        if self.pin(name).is_some() {
            return Some(Objection::NameTaken);
        }
        if revision < self.collected_through {
            return Some(Objection::Collected);
        }
        (self.pins.len() >= PINS_MAX).then_some(Objection::NoRoom)
    }

    /// Why `edit` cannot be made here, if it cannot.
    pub(crate) fn objection(&self, edit: &Edit) -> Option<Objection> {
        match edit {
            Edit::Fence { epoch, .. } => {
                (*epoch != self.epoch || self.collection.is_some()).then_some(Objection::Overtaken)
            }
            Edit::NameList(collection) => {
                let behind = collection.list.name.epoch < self.epoch;
                (behind || self.collection.is_some()).then_some(Objection::Overtaken)
            }
            Edit::Condemn { list, .. } => {
                let stands = |collection: &Collection| collection.list.name == *list && !collection.condemned;
                (!self.collection.as_ref().is_some_and(stands)).then_some(Objection::Overtaken)
            }
            Edit::DropList { list, .. } => {
                let stands = |collection: &Collection| collection.list.name == *list;
                (!self.collection.as_ref().is_some_and(stands)).then_some(Objection::Overtaken)
            }
            Edit::AddPin(pin) if self.pins.contains(pin) => Some(Objection::Made),
            Edit::AddPin(pin) if pin.object.name.epoch < self.epoch => Some(Objection::Behind),
            Edit::AddPin(pin) => self.objection_to_pin(&pin.name, pin.revision),
            Edit::RemovePin { name, object } => {
                let stands = self.pin(name).is_some_and(|pin| pin.object.name == *object);
                (!stands).then_some(Objection::Made)
            }
        }
    }

    /// Makes it. The epoch of a name is held against the HEAD that this one replaces, as that of all others.
    pub(super) fn apply(&mut self, edit: &Edit) -> Result<(), FormatError> {
        if let Some(objection) = self.objection(edit) {
            return Err(FormatError::damaged(format!("{edit:?}: {objection:?}")));
        }
        match edit {
            Edit::Fence {
                epoch,
                unix_ms,
                believed_unix_ms,
            } => {
                self.epoch = epoch.saturating_add(1);
                self.fenced_unix_ms = *unix_ms;
                self.drop_expired_pins(*believed_unix_ms);
            }
            Edit::NameList(collection) => self.collection = Some(*collection),
            Edit::Condemn { believed_unix_ms, .. } => {
                self.drop_expired_pins(*believed_unix_ms);
                if let Some(collection) = &mut self.collection {
                    collection.condemned = true;
                    self.collected_through = self.collected_through.max(collection.marked_revision);
                }
            }
            Edit::DropList { deleted, .. } => {
                self.collection = None;
                self.folded
                    .retain(|reference| !deleted.contains(&reference.object.name));
            }
            Edit::AddPin(pin) => self.pins.push(pin.clone()),
            Edit::RemovePin { name, .. } => self.pins.retain(|pin| pin.name != *name),
        }
        Ok(())
    }

    fn drop_expired_pins(&mut self, believed_unix_ms: Option<u64>) {
        if let Some(unix_ms) = believed_unix_ms {
            self.pins.retain(|pin| !pin.has_expired(unix_ms));
        }
    }
}

impl Pin {
    /// True if it is over at this Date of the store.
    pub(crate) fn has_expired(&self, unix_ms: u64) -> bool {
        self.expires_unix_ms != 0 && self.expires_unix_ms <= unix_ms
    }
}
