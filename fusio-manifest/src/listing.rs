//! What lies below a prefix, as one listing shows it, and what of it nothing references.

use std::collections::{BTreeMap, HashSet};

use crate::{
    access::Access,
    clock::Moment,
    error::Result,
    id::{Folder, ManifestId, ObjectName, is_probe_object, manifest_of},
    pages::{self, Pages},
};

/// Some objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    /// Of objects of these sizes.
    pub(crate) fn of(sizes: impl Iterator<Item = u64>) -> Self {
        sizes.fold(Self::default(), |mut sum, bytes| {
            sum.add(bytes);
            sum
        })
    }

    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// What lies below the prefix and nothing references. A collection deletes it; it harms nobody and costs what its bytes
/// cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Garbage {
    /// Log objects.
    pub log: Amount,
    /// Tables.
    pub tables: Amount,
    /// Copies of HEADs.
    pub pins: Amount,
    /// Lists of collections.
    pub lists: Amount,
    /// What of these the next collection cannot list yet: it may be part of a commit that is under way.
    pub young: Amount,
    /// Objects of other manifests below the same prefix. No collection deletes them.
    pub other_manifests: Amount,
    /// What a probe of the store has left. No collection deletes it.
    pub probes: Amount,
    /// What is not the engine's. No collection deletes it.
    pub foreign: Amount,
}

impl Garbage {
    /// Of this manifest, all kinds.
    pub fn own(&self) -> Amount {
        let kinds = [self.log, self.tables, self.pins, self.lists];
        kinds.iter().fold(Amount::default(), |sum, kind| Amount {
            objects: sum.objects + kind.objects,
            bytes: sum.bytes.saturating_add(kind.bytes),
        })
    }
}

const DOING: &str = "listing what lies below the prefix";

/// The most objects of manifests that are kept of one listing: some 100 MiB.
const OBJECTS_MAX: usize = 1_000_000;

/// One listing of a prefix.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    objects: BTreeMap<(ManifestId, Folder, ObjectName), u64>,
    probes: Amount,
    foreign: Amount,
}

impl Listing {
    pub(crate) async fn read(access: &Access, deadline: impl Fn() -> Moment) -> Result<Self> {
        let prefix = access.keys.prefix();
        let mut listing = Self::default();
        let mut pages = Pages::of(access, prefix, DOING);
        while let Some(page) = pages.next(deadline()).await? {
            for object in &page {
                let parsed = manifest_of(prefix, &object.key).and_then(|manifest| {
                    let (folder, name) = access.keys.parse(manifest, &object.key)?;
                    Some((manifest, folder, name))
                });
                if let Some(parsed) = parsed {
                    listing.objects.insert(parsed, object.bytes);
                } else if is_probe_object(prefix, &object.key) {
                    listing.probes.add(object.bytes);
                } else if object.key != access.keys.head() {
                    listing.foreign.add(object.bytes);
                }
            }
            if listing.objects.len() > OBJECTS_MAX {
                let flaw = format!("more than {OBJECTS_MAX} objects of manifests");
                return Err(pages::wrong(access, prefix, DOING, &flaw));
            }
        }
        Ok(listing)
    }

    /// The manifests of which objects lie here.
    pub(crate) fn manifests(&self) -> Vec<ManifestId> {
        let mut manifests: Vec<ManifestId> = self.objects.keys().map(|(manifest, _, _)| *manifest).collect();
        manifests.dedup();
        manifests
    }

    /// The bytes of this object, if it lies here.
    pub(crate) fn bytes_of(&self, manifest: ManifestId, folder: Folder, name: ObjectName) -> Option<u64> {
        self.objects.get(&(manifest, folder, name)).copied()
    }

    /// The copies of HEADs that lie here, and their bytes.
    pub(crate) fn pins(&self) -> impl Iterator<Item = (ManifestId, ObjectName, u64)> {
        let pins = self
            .objects
            .iter()
            .filter(|((_, folder, _), _)| *folder == Folder::Pin);
        pins.map(|((manifest, _, name), bytes)| (*manifest, *name, *bytes))
    }

    /// The latest epoch in the names of this manifest's objects.
    pub(crate) fn latest_epoch(&self, manifest: ManifestId) -> Option<(Folder, ObjectName)> {
        let own = self.objects.keys().filter(|(owner, _, _)| *owner == manifest);
        own.map(|(_, folder, name)| (*folder, *name))
            .max_by_key(|(_, name)| name.epoch)
    }

    /// What nothing references: neither `named`, nor what lies outside the manifest.
    pub(crate) fn garbage(
        &self,
        manifest: ManifestId,
        epoch: u64,
        named: &HashSet<(Folder, ObjectName)>,
    ) -> Garbage {
        let mut garbage = Garbage {
            probes: self.probes,
            foreign: self.foreign,
            ..Garbage::default()
        };
        for ((owner, folder, name), bytes) in &self.objects {
            if *owner != manifest {
                garbage.other_manifests.add(*bytes);
                continue;
            }
            if named.contains(&(*folder, *name)) {
                continue;
            }
            match folder {
                Folder::Log => garbage.log.add(*bytes),
                Folder::Table => garbage.tables.add(*bytes),
                Folder::Pin => garbage.pins.add(*bytes),
                Folder::List => garbage.lists.add(*bytes),
            }
            if name.epoch >= epoch {
                garbage.young.add(*bytes);
            }
        }
        garbage
    }
}
