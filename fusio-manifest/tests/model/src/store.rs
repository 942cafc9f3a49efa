//! The store: HEAD under compare-and-swap, immutable objects, and requests that are still on their way.

use std::sync::Arc;

use crate::{
    body::Body,
    configuration::{Configuration, Key, TransactionId},
    head::{Head, LogItem, LogReference, ObjectName},
};

/// What an immutable object holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    /// Commits, oldest first. `inside` are other objects that hold some of them: only a broken variant has any.
    Log {
        ids: Vec<TransactionId>,
        inside: Vec<ObjectName>,
    },
    Table(Vec<Entry>),
    Pin(Arc<Head>),
    List(Vec<ObjectName>),
}

/// The newest version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) txn: u8,
    pub(crate) id: TransactionId,
}

/// A request that nobody waits for any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    PutHead(Arc<Body>),
    PutObject(ObjectName, Object),
    Delete(Vec<ObjectName>),
}

/// An object that HEAD names is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    pub(crate) head: Arc<Head>,
    /// By name.
    objects: Vec<(ObjectName, Object)>,
    pub(crate) under_way: Vec<Request>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            head: Arc::new(Head::first()),
            objects: Vec::new(),
            under_way: Vec::new(),
        }
    }

    /// With these objects, in whatever order.
    pub(crate) fn of(
        head: Arc<Head>,
        mut objects: Vec<(ObjectName, Object)>,
        under_way: Vec<Request>,
    ) -> Self {
        objects.sort_by_key(|(name, _)| *name);
        Self {
            head,
            objects,
            under_way,
        }
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = &(ObjectName, Object)> {
        self.objects.iter()
    }

    pub(crate) fn get(&self, name: ObjectName) -> Option<&Object> {
        let at = self.objects.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        Some(&self.objects[at].1)
    }

    /// PUT with If-None-Match: *. What is there stays.
    pub(crate) fn create(&mut self, name: ObjectName, object: Object) {
        if let Err(at) = self.objects.binary_search_by_key(&name, |(name, _)| *name) {
            self.objects.insert(at, (name, object));
        }
    }

    pub(crate) fn delete(&mut self, names: &[ObjectName]) {
        self.objects.retain(|(name, _)| !names.contains(name));
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = ObjectName> {
        self.objects.iter().map(|(name, _)| *name)
    }

    /// The commits of a log object, if it and all that it needs are there.
    pub(crate) fn commits(&self, reference: &LogReference) -> Result<&[TransactionId], Gone> {
        match self.get(reference.object) {
            Some(Object::Log { ids, inside }) if inside.iter().all(|name| self.get(*name).is_some()) => {
                Ok(ids)
            }
            _ => Err(Gone),
        }
    }

    pub(crate) fn table(&self, name: ObjectName) -> Result<&[Entry], Gone> {
        match self.get(name) {
            Some(Object::Table(entries)) => Ok(entries),
            _ => Err(Gone),
        }
    }

    pub(crate) fn pinned(&self, name: ObjectName) -> Result<&Arc<Head>, Gone> {
        match self.get(name) {
            Some(Object::Pin(head)) => Ok(head),
            _ => Err(Gone),
        }
    }

    pub(crate) fn listed(&self, name: ObjectName) -> Result<&[ObjectName], Gone> {
        match self.get(name) {
            Some(Object::List(names)) => Ok(names),
            _ => Err(Gone),
        }
    }

    /// The newest version of a key in the log of `head`: what the overlay holds.
    pub(crate) fn newest_in_log(
        &self,
        configuration: &Configuration,
        head: &Head,
        key: Key,
    ) -> Result<Option<(u8, TransactionId)>, Gone> {
        for item in head.log.iter().rev() {
            match item {
                LogItem::Inline { txn, id } if configuration.writes(*id, key) => {
                    return Ok(Some((*txn, *id)));
                }
                LogItem::Inline { .. } => {}
                LogItem::Object(reference) => {
                    let ids = (reference.first_txn..).zip(self.commits(reference)?);
                    let written = ids.filter(|(_, id)| configuration.writes(**id, key)).last();
                    if let Some((txn, id)) = written {
                        return Ok(Some((txn, *id)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// What a reader of `head` sees under a key.
    pub(crate) fn value(
        &self,
        configuration: &Configuration,
        head: &Head,
        key: Key,
    ) -> Result<Option<TransactionId>, Gone> {
        if let Some((_, id)) = self.newest_in_log(configuration, head, key)? {
            return Ok(configuration.value(id));
        }
        for run in &head.runs {
            let entry = self.table(run.table)?.iter().find(|entry| entry.key == key);
            if let Some(entry) = entry {
                return Ok(configuration.value(entry.id));
            }
        }
        Ok(None)
    }

    /// True if every object is there that the state of `head` consists of.
    pub(crate) fn has_state_of(&self, head: &Head) -> bool {
        let log = head.log.iter().all(|item| match item {
            LogItem::Inline { .. } => true,
            LogItem::Object(reference) => self.commits(reference).is_ok(),
        });
        log && head.runs.iter().all(|run| self.table(run.table).is_ok())
    }

    /// Every object that `head` needs, and its pins, as far as names are followed: the collector spares them.
    pub(crate) fn spared_by(&self, head: &Head, pins: bool) -> Vec<ObjectName> {
        let mut spared = head.live_objects();
        if pins {
            spared.extend(self.pinned_objects(head));
        }
        spared
    }

    /// What the pins of `head` hold.
    pub(crate) fn pinned_objects(&self, head: &Head) -> Vec<ObjectName> {
        let pinned = head.pins.iter().filter_map(|pin| self.pinned(pin.object).ok());
        pinned.flat_map(|copy| copy.state_objects()).collect()
    }
}
