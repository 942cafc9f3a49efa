//! Removes a whole manifest.
//!
//! HEAD goes first: from then on nobody can commit, open or adopt it, and no reader meets a manifest of which half is
//! missing. What lies below the prefix without a HEAD is what a destruction that was killed has left, or what a lost
//! HEAD named; `create` refuses to begin there, and a second call finishes.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    access::{Access, Purpose, patience},
    clock::Moment,
    error::{Error, Result},
    frame::{self, Kind},
    id::{Keys, ManifestId, is_probe_object, manifest_of},
    maintenance::collect::{DELETE_MAX, delete_all},
    options::Options,
    pages::Pages,
    store::{Store, meter::RequestClass},
};

/// How many of the keys that stay are told.
const NAMED_MAX: usize = 16;

/// What became of a manifest that was to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destroyed {
    /// Whether there was a HEAD.
    pub head: bool,
    /// A DELETE went unanswered, or a gateway may have answered for the store. All of it is gone, but a copy of that request
    /// may arrive late, as long as the store takes its signature (15 minutes on S3), and delete whatever HEAD is there then,
    /// or objects of a copy of this very manifest: create and copy nothing to this prefix before.
    pub unanswered: bool,
    /// How many other objects were deleted.
    pub objects: u64,
    /// How many objects below the prefix were left because they are not this manifest's.
    pub foreign: u64,
    /// The first keys of those.
    pub foreign_keys: Vec<String>,
}

/// What is to go.
enum Target {
    /// HEAD is there, and belongs to this manifest.
    Manifest(ManifestId),
    /// There is no HEAD: what lies there belongs to nobody.
    Remains,
}

pub(crate) async fn destroy(store: Arc<dyn Store>, prefix: &str, options: &Options) -> Result<Destroyed> {
    options.validate()?;
    let access = Access::new(store, Keys::new(prefix)?, options);
    let patience = options.commit_timeout;
    let deadline = || access.clock.now().saturating_add(patience);
    let mut destroyed = Destroyed::default();
    let target = match owner(&access, deadline()).await? {
        Some(manifest) => {
            destroyed.unanswered = delete_head(&access, manifest, deadline()).await?;
            destroyed.head = true;
            Target::Manifest(manifest)
        }
        None => Target::Remains,
    };
    let doing = "listing the objects of the manifest";
    let mut pages = Pages::of(&access, access.keys.prefix(), doing);
    let mut keys = Vec::new();
    while let Some(page) = pages.next(deadline()).await? {
        let listed: BTreeSet<ManifestId> = page
            .iter()
            .filter_map(|object| manifest_of(access.keys.prefix(), &object.key))
            .collect();
        let spared = spared(&access, &target, &listed, deadline()).await?;
        for object in &page {
            let prefix = access.keys.prefix();
            let ours = match manifest_of(prefix, &object.key) {
                Some(manifest) => access.keys.is_object(&object.key) && !spared.contains(&manifest),
                None => is_probe_object(prefix, &object.key),
            };
            if ours {
                keys.push(object.key.clone());
            } else if object.key != access.keys.head() {
                destroyed.foreign += 1;
                if destroyed.foreign_keys.len() < NAMED_MAX {
                    destroyed.foreign_keys.push(object.key.clone());
                }
            }
        }
        for batch in keys.chunks(DELETE_MAX) {
            destroyed.unanswered |= delete_all(&access, batch, deadline()).await?;
        }
        destroyed.objects += keys.len() as u64;
        keys.clear();
    }
    Ok(destroyed)
}

/// Deletes HEAD of this manifest; true if a copy of the request may arrive later.
///
/// It is not sent again blindly: once HEAD is gone somebody may create another.
async fn delete_head(access: &Access, manifest: ManifestId, deadline: Moment) -> Result<bool> {
    let keys = [access.keys.head().to_owned()];
    let mut backoff = patience();
    let mut unanswered = false;
    loop {
        access.maintenance.count(RequestClass::Delete);
        let delete = access.store.delete(&keys);
        let limit = access.limit(deadline);
        let error = match access.bounded("DELETE", access.keys.head(), limit, delete).await {
            Ok(()) => return Ok(unanswered),
            Err(error) => error,
        };
        // A gateway that answers for a store which did not has sent the request on all the same.
        unanswered |= !error.is_definite();
        if !error.is_transient() || !access.wait(&mut backoff, deadline).await? {
            let doing = match unanswered {
                true => "deleting HEAD, which may be gone, or go later",
                false => "deleting HEAD",
            };
            return Err(Error::from_store(doing, error));
        }
        if owner(access, deadline).await? != Some(manifest) {
            return Ok(unanswered);
        }
    }
}

/// Whose HEAD is there, if one is.
async fn owner(access: &Access, deadline: Moment) -> Result<Option<ManifestId>> {
    match access.read_head(deadline, Purpose::Path).await? {
        None => Ok(None),
        Some((bytes, _)) => match frame::open(Kind::Head, bytes) {
            Ok((manifest, _)) => Ok(Some(manifest)),
            Err(error) => Err(error.in_object(access.keys.head())),
        },
    }
}

/// The manifests of these whose objects stay.
///
/// Somebody may create one where there is no HEAD. Its HEAD is there before any object of it, so that objects of a
/// manifest which has no HEAD after they were listed belong to nobody; or to a copy that somebody is making here, or to a
/// HEAD that somebody is restoring, who must not be destroyed meanwhile.
async fn spared(
    access: &Access,
    target: &Target,
    listed: &BTreeSet<ManifestId>,
    deadline: Moment,
) -> Result<BTreeSet<ManifestId>> {
    match target {
        Target::Manifest(manifest) => Ok(listed.iter().filter(|id| *id != manifest).copied().collect()),
        Target::Remains if listed.is_empty() => Ok(BTreeSet::new()),
        Target::Remains => Ok(owner(access, deadline).await?.into_iter().collect()),
    }
}
