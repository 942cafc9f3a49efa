//! Copies a manifest to another place, while others go on writing it.
//!
//! One HEAD of the source is read, or a copy of one that a pin holds. All that it names is copied, each object checked by
//! the checksums of whoever names it, and its HEAD is written last, where there is none: until then nobody can open the
//! copy, and a copy that was killed is finished by another call. What the source deletes meanwhile is not needed any more
//! by a newer HEAD, so the copy goes on with that one.

use std::{collections::BTreeSet, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    access::Access,
    error::{Error, ErrorKind, Result},
    head::Head,
    id::{Folder, Keys, ManifestId, ObjectName},
    impatient::Impatient,
    listing::{Amount, Listing},
    new_head,
    options::Options,
    store::{Store, meter::RequestCounts, probe},
};

use part::{Fetch, Outcome, Part};
use plan::{Plan, plan};

mod part;
mod plan;

/// How often the source may delete what is being copied. What it named stays for the retention, so that once is rare.
const ROUNDS_MAX: u32 = 16;

/// How many objects are copied at once.
const AT_ONCE: usize = 8;

/// How many KiB of objects are in memory at once; a larger object is alone there.
const MEMORY_KIB: u32 = 64 * 1024;

/// What is to be copied, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// The state that this pin keeps, and no pins. `None`: the newest state, and every pin that has not expired.
    pub pin: Option<String>,
    /// Goes on with what a copy of the same manifest has left that did not end. Without it any object of a manifest in the
    /// target is refused.
    pub resume: bool,
    /// Only finds out what there is to copy; writes nothing.
    pub dry_run: bool,
}

/// How a copy is getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyProgress {
    /// The objects that are in the target.
    pub objects: u64,
    /// How many there will be, HEAD not among them.
    pub of_objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many bytes there will be.
    pub of_bytes: u64,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The manifest. The copy has the same id.
    pub manifest: ManifestId,
    /// The revision of the HEAD whose state was copied. The copy's own is one more.
    pub revision: u64,
    /// Its newest commit.
    pub last_txn: u64,
    /// The names of the pins that the copy has too.
    pub pins: Vec<String>,
    /// What the copy consists of, HEAD not among it.
    pub needed: Amount,
    /// What of that was in the target already. Of a dry run: by name and length, else by checksum.
    pub present: Amount,
    /// Whether HEAD was written: false of a dry run.
    pub written: bool,
    /// How often it began again with a newer HEAD, because the source had deleted what was still to be copied.
    pub begun_again: u32,
    /// Requests to the source.
    pub source_requests: RequestCounts,
    /// Requests to the target.
    pub target_requests: RequestCounts,
}

/// Copies the manifest under `source_prefix` to `target_prefix`, which may be in another bucket or store. Others may go on
/// writing it: the copy is one committed state of it, that of the HEAD which was read first, or a later one.
///
/// The source is only read. Where it takes longer than the retention, pin a state and copy that. Of several calls at once
/// with the same target at most one succeeds. Nobody may [`destroy`](crate::Manifest::destroy) in the target meanwhile: what
/// that deletes of the copy is not written again, and [`verify`](crate::verify()) tells.
///
/// # Errors
///
/// [`AlreadyExists`](ErrorKind::AlreadyExists) if the target has a HEAD, or, without [`resume`](CopyOptions::resume),
/// objects of this manifest; [`HeadLost`](ErrorKind::HeadLost) if objects of another one lie there;
/// [`Corrupt`](ErrorKind::Corrupt) if an object of the source is missing or not what was written: the target has no HEAD
/// then; [`NotFound`](ErrorKind::NotFound) if there is no such manifest or pin; [`UnfitStore`](ErrorKind::UnfitStore) if
/// the target does not keep the conditions that commits rely on; [`Unavailable`](ErrorKind::Unavailable) if a store does
/// not answer, and says so if the copy's HEAD may be there all the same.
pub async fn copy(
    source: Arc<dyn Store>,
    source_prefix: &str,
    target: Arc<dyn Store>,
    target_prefix: &str,
    options: &Options,
    what: &CopyOptions,
    progress: impl FnMut(CopyProgress) + Send,
) -> Result<Copied> {
    options.validate()?;
    let fetch = Arc::new(Fetch {
        source: Access::new(source, Keys::new(source_prefix)?, options),
        target: Arc::new(Access::new(target, Keys::new(target_prefix)?, options)),
        patience: options.read_timeout,
    });
    let mut planned = plan(&fetch, what).await?;
    let manifest = planned.head.manifest;
    let mut copy = Copy {
        listing: vacant(&fetch, manifest, what.resume).await?,
        fetch,
        progress,
        done: BTreeSet::new(),
        present: BTreeSet::new(),
    };
    if what.dry_run {
        let seems_present = |part: &Part| copy.seems_present(part);
        return Ok(copy.told(&planned, seems_present, false, 0));
    }
    let target = &copy.fetch.target;
    let store: Arc<dyn Store> = Arc::new(Impatient::new(target));
    probe::probe(&store, &*target.clock, &*target.entropy, target.keys.prefix()).await?;
    let mut begun_again = 0;
    while let Some(gone) = copy.parts(&planned).await? {
        begun_again += 1;
        if begun_again >= ROUNDS_MAX {
            let message = "the source deleted too often what was being copied: pin a state and copy that";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        planned = copy.again(what, manifest, &gone).await?;
    }
    let target = &copy.fetch.target;
    let latest = copy.listing.latest_epoch(manifest);
    let epoch = latest.map_or(0, |(_, name)| name.epoch);
    let head = new_head::renewed(target, &planned.head, epoch)?;
    new_head::put(target, &head, copy.fetch.deadline(target)).await?;
    let was_present = |part: &Part| copy.present.contains(&part.place());
    Ok(copy.told(&planned, was_present, true, begun_again))
}

/// What lies in the target, if nothing of it is in the way.
async fn vacant(fetch: &Fetch, manifest: ManifestId, resume: bool) -> Result<Listing> {
    let target = &fetch.target;
    let listing = Listing::read(target, || fetch.deadline(target)).await?;
    // After the listing: who creates a manifest there writes HEAD first.
    if let Some(there) = new_head::found(target, fetch.deadline(target)).await? {
        return Err(new_head::taken(target, &there));
    }
    let manifests = listing.manifests();
    let place = || format!("\"{}\" in {}", target.keys.prefix(), target.store.describe());
    if let Some(other) = manifests.iter().find(|other| **other != manifest) {
        let message = format!(
            "objects of manifest {other}, whose HEAD is gone, lie below {}: restore its HEAD, or remove what is left, or \
             choose another prefix",
            place()
        );
        return Err(Error::new(ErrorKind::HeadLost, message));
    }
    if !resume && !manifests.is_empty() {
        let message = format!(
            "objects of this manifest lie below {} without a HEAD: if a copy was stopped there, resume it; if HEAD was \
             lost there, restore it",
            place()
        );
        return Err(Error::new(ErrorKind::AlreadyExists, message));
    }
    Ok(listing)
}

/// A copy under way.
struct Copy<P> {
    fetch: Arc<Fetch>,
    /// The target, before anything was written there.
    listing: Listing,
    progress: P,
    /// What is in the target, and was checked.
    done: BTreeSet<(Folder, ObjectName)>,
    /// What of that was there before.
    present: BTreeSet<(Folder, ObjectName)>,
}

impl<P: FnMut(CopyProgress) + Send> Copy<P> {
    /// True if an object of this name and length lay in the target.
    fn seems_present(&self, part: &Part) -> bool {
        let (folder, name) = part.place();
        let manifest = part.manifest;
        self.listing.bytes_of(manifest, folder, name) == Some(part.bytes())
    }

    /// Copies what is not there yet. Returns the first object that was gone from the source, if one was.
    async fn parts(&mut self, planned: &Plan) -> Result<Option<(Folder, ObjectName)>> {
        let all = Amount::of(planned.parts.iter().map(Part::bytes));
        let not_done = |part: &&Part| !self.done.contains(&part.place());
        let missing: Vec<Part> = planned.parts.iter().filter(not_done).cloned().collect();
        let missed = Amount::of(missing.iter().map(Part::bytes));
        let mut seen = CopyProgress {
            objects: all.objects - missed.objects,
            of_objects: all.objects,
            bytes: all.bytes.saturating_sub(missed.bytes),
            of_bytes: all.bytes,
        };
        let memory = Arc::new(Semaphore::new(MEMORY_KIB as usize));
        let (mut left, mut running, mut gone) = (missing.into_iter(), JoinSet::new(), None);
        loop {
            while gone.is_none()
                && running.len() < AT_ONCE
                && let Some(part) = left.next()
            {
                let (fetch, memory) = (Arc::clone(&self.fetch), Arc::clone(&memory));
                let present = self.seems_present(&part);
                running.spawn(async move {
                    let kib = u32::try_from(part.bytes() / 1024 + 1).unwrap_or(u32::MAX);
                    let held = memory.acquire_many(kib.min(MEMORY_KIB)).await;
                    let outcome = fetch.part(&part, present).await;
                    drop(held);
                    (part, outcome)
                });
            }
            let Some(joined) = running.join_next().await else {
                return Ok(gone);
            };
            let (part, outcome) = joined.map_err(|stopped| {
                Error::new(ErrorKind::Closed, format!("copying was stopped: {stopped}"))
            })?;
            match outcome? {
                Outcome::Gone => gone = Some(part.place()),
                Outcome::Copied => {}
                Outcome::Present => {
                    self.present.insert(part.place());
                }
            }
            if gone != Some(part.place()) {
                self.done.insert(part.place());
                seen.objects += 1;
                seen.bytes += part.bytes();
                (self.progress)(seen);
            }
        }
    }

    /// What there is to copy now that `gone` is gone. It is damage if it is needed still.
    async fn again(
        &self,
        what: &CopyOptions,
        manifest: ManifestId,
        gone: &(Folder, ObjectName),
    ) -> Result<Plan> {
        let planned = plan(&self.fetch, what).await?;
        if planned.head.manifest != manifest {
            let message = format!(
                "HEAD of the source was replaced by that of manifest {} while it was copied",
                planned.head.manifest
            );
            return Err(Error::new(ErrorKind::Replaced, message));
        }
        if planned.parts.iter().any(|part| part.place() == *gone) {
            let key = self.fetch.source.key(gone.0, manifest, gone.1);
            let message = format!("object {key} of the source is not there: verify the source");
            return Err(Error::new(ErrorKind::Corrupt, message));
        }
        Ok(planned)
    }

    fn told(
        &self,
        planned: &Plan,
        present: impl Fn(&Part) -> bool,
        written: bool,
        begun_again: u32,
    ) -> Copied {
        let head: &Head = &planned.head;
        let present = planned.parts.iter().filter(|part| present(part));
        Copied {
            manifest: head.manifest,
            revision: head.revision,
            last_txn: head.last_txn,
            pins: head.pins.iter().map(|pin| pin.name.clone()).collect(),
            needed: Amount::of(planned.parts.iter().map(Part::bytes)),
            present: Amount::of(present.map(Part::bytes)),
            written,
            begun_again,
            source_requests: self.fetch.source.maintenance.counts(),
            target_requests: self.fetch.target.maintenance.counts(),
        }
    }
}
