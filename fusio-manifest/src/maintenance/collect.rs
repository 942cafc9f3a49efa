//! The requests of a collection: what nothing references is listed, and, once it is condemned, deleted.
//!
//! A HEAD whose epoch was raised is the mark: no name of an earlier epoch that it does not reference can ever become
//! referenced, because names are written into HEAD only while their epoch is HEAD's own. Whoever dies between two
//! requests leaves an object that nothing names, or a step that anybody else can do.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{list, object, pin};
use crate::{
    access::{Access, Purpose, patience},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::{Collection, Head, Pin},
    id::{Folder, ObjectName},
    immutable::{Destination, Unread},
    mutant::{Broken, Mutant},
    pages::Pages,
    store::{StoreError, meter::RequestClass},
};

/// What one deletion takes at most.
pub(crate) const DELETE_MAX: usize = 1_000;

/// The most that one collection lists: about 3 MiB. What is left is found by the next.
const LISTED_MAX: usize = 100_000;

/// What a deletion came to.
#[derive(Debug)]
pub(crate) struct Deleted {
    pub(crate) list: ObjectName,
    /// The log objects that are gone.
    pub(crate) log: Vec<ObjectName>,
}

/// One collection's requests, each repeated for at most `patience`.
#[derive(Debug)]
pub(crate) struct Collect {
    pub(crate) access: Arc<Access>,
    /// The HEAD that everything is held against.
    pub(crate) head: Head,
    pub(crate) patience: Duration,
    pub(crate) broken: Broken,
}

impl Collect {
    /// Lists what nothing references that is older than this HEAD's epoch, and writes it down; none if there is nothing.
    pub(crate) async fn list(self) -> Result<Option<Collection>> {
        let mut objects = self.unreferenced().await?;
        if !objects.is_empty() {
            let pinned = self.pinned(|_| true).await?;
            objects.retain(|object| !pinned.contains(object));
        }
        if objects.is_empty() {
            return Ok(None);
        }
        let bytes = list::encode(self.head.manifest, &objects);
        let to = Destination::by(&self.head, self.deadline(), Purpose::Maintenance);
        let list = object::put(&self.access, Folder::List, to, bytes).await?;
        let listed_unix_ms = self.access.date().ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "the store does not tell its Date, by which the retention counts, or tells now this, now that",
            )
        })?;
        tracing::debug!(objects = objects.len(), list = %list.name, "unreferenced objects listed");
        Ok(Some(Collection {
            marked_revision: self.head.revision,
            list,
            listed_unix_ms,
            condemned: false,
        }))
    }

    async fn unreferenced(&self) -> Result<Vec<(Folder, ObjectName)>> {
        let live: HashSet<(Folder, ObjectName)> = self.head.live().collect();
        let (manifest, keys) = (self.head.manifest, &self.access.keys);
        // Without the fence, what is being written just now would be taken for garbage.
        let behind = |name: ObjectName| name.epoch < self.head.epoch || self.broken.by(Mutant::NoEpochFence);
        let mut objects = Vec::new();
        let prefix = keys.objects(manifest);
        let mut pages = Pages::of(&self.access, &prefix, "listing what is to be collected");
        while objects.len() < LISTED_MAX
            && let Some(page) = pages.next(self.deadline()).await?
        {
            let listed = page
                .iter()
                .filter_map(|listed| keys.parse(manifest, &listed.key))
                .filter(|object| behind(object.1) && !live.contains(object));
            objects.extend(listed.take(LISTED_MAX - objects.len()));
        }
        Ok(objects)
    }

    /// Deletes what the list of this HEAD names, which must be condemned in it, and whose pins' needs are spared.
    ///
    /// A later HEAD would do as well: no pin of a state before the mark can be made once the list is condemned.
    pub(crate) async fn delete(self, collection: Collection) -> Result<Deleted> {
        let (manifest, list) = (self.head.manifest, collection.list);
        let read = object::read(
            &self.access,
            Folder::List,
            manifest,
            &list,
            self.deadline(),
            Purpose::Maintenance,
        );
        let bytes = match read.await {
            Ok(bytes) => bytes,
            Err(Unread::Failed(error)) => return Err(error),
            // HEAD still names it as far as is known here. If it does, dropping it is all that can be done, and what it
            // named is listed anew; if not, somebody has finished long ago.
            Err(Unread::Gone(name)) => {
                tracing::warn!(list = %name, "the list of a collection is gone");
                return Ok(Deleted {
                    list: list.name,
                    log: Vec::new(),
                });
            }
        };
        let key = self.access.key(Folder::List, manifest, list.name);
        let mut objects = list::decode(manifest, bytes).map_err(|error| error.in_object(&key))?;
        // A state at the mark or later needs nothing that the mark did not reference.
        let pinned = self
            .pinned(|pin| pin.revision < collection.marked_revision)
            .await?;
        let live = self.live_though_listed(&objects);
        objects.retain(|object| !pinned.contains(object) && !live.contains(object));
        let keys: Vec<String> = objects
            .iter()
            .map(|(folder, name)| self.access.keys.object(manifest, *folder, *name))
            .collect();
        for batch in keys.chunks(DELETE_MAX) {
            delete_all(&self.access, batch, self.deadline()).await?;
        }
        tracing::debug!(objects = objects.len(), list = %list.name, "unreferenced objects deleted");
        let log = objects.iter().filter(|(folder, _)| *folder == Folder::Log);
        Ok(Deleted {
            list: list.name,
            log: log.map(|(_, name)| *name).collect(),
        })
    }

    /// What of a list HEAD names all the same. The fence rules it out; if it fails, because the list, HEAD or this program is
    /// not as it should be, garbage stays rather than that commits go.
    fn live_though_listed(&self, listed: &[(Folder, ObjectName)]) -> HashSet<(Folder, ObjectName)> {
        if self.broken.by(Mutant::NoEpochFence) {
            return HashSet::new();
        }
        let mut live: HashSet<(Folder, ObjectName)> = self.head.live().collect();
        live.retain(|object| listed.contains(object));
        for (folder, name) in &live {
            tracing::error!(?folder, %name, "listed to be deleted, and HEAD names it: it is left");
        }
        live
    }

    /// Deletes a list that HEAD does not name any more. Whoever still deletes what it named finds that somebody has.
    pub(crate) async fn sweep(self, list: ObjectName) -> Result<()> {
        let key = self.access.keys.object(self.head.manifest, Folder::List, list);
        delete_all(&self.access, &[key], self.deadline()).await?;
        Ok(())
    }

    async fn pinned(&self, which: impl Fn(&&Pin) -> bool) -> Result<BTreeSet<(Folder, ObjectName)>> {
        if self.broken.by(Mutant::PinsNotSubtracted) {
            return Ok(BTreeSet::new());
        }
        let pins = self.head.pins.iter().filter(which);
        pin::needed(&self.access, self.head.manifest, pins, || self.deadline()).await
    }

    fn deadline(&self) -> Moment {
        self.access.clock.now().saturating_add(self.patience)
    }
}

/// Deletes these keys, all of them again where some could not be: what is gone already is no error. True if a copy of the
/// request went without a definite answer, and may arrive later.
pub(crate) async fn delete_all(access: &Access, keys: &[String], deadline: Moment) -> Result<bool> {
    let mut backoff = patience();
    let mut unanswered = false;
    loop {
        access.maintenance.count(RequestClass::Delete);
        let first = keys.first().map_or("", String::as_str);
        let delete = access.store.delete(keys);
        let error: StoreError = match access
            .bounded("DELETE", first, access.limit(deadline), delete)
            .await
        {
            Ok(()) => return Ok(unanswered),
            Err(error) => error,
        };
        unanswered |= !error.is_definite();
        if !error.is_transient() || !access.wait(&mut backoff, deadline).await? {
            return Err(Error::from_store("deleting what was collected", error));
        }
    }
}
