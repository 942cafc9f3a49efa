//! Brings a lost HEAD back, from the newest copy of an earlier one whose objects are all there.
//!
//! It is never the very bytes of that earlier HEAD that are written: their ETag would be back, and a PUT that some writer
//! sent on it long ago could land. The same state gets a HEAD of its own, where there is none.

use std::{cmp::Reverse, sync::Arc};

use bytes::Bytes;

use crate::{
    access::{Access, Purpose},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    frame::{self, FormatError, Kind},
    head::{Head, Pin},
    id::{Folder, Keys, ManifestId, ObjectName},
    immutable::{Portion, Unread, bytes_read_max},
    listing::Listing,
    maintenance::pin,
    new_head,
    options::Options,
    store::Store,
    verify::{Progress, States},
};

/// Which earlier HEAD is to come back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RestoreFrom {
    /// The newest copy in the bucket that has all that it needs.
    #[default]
    NewestPin,
    /// The copy in this object, as [`verify`](crate::verify()) names it.
    Pin(String),
    /// A HEAD, or a pin's object, from elsewhere: a noncurrent version, a backup.
    Bytes(Bytes),
}

/// A HEAD that was brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The manifest.
    pub manifest: ManifestId,
    /// The object that it was restored from; `None`: from the bytes that were given.
    pub object: Option<String>,
    /// The revision of the earlier HEAD. The one that is there now has one more.
    pub revision: u64,
    /// The newest commit that is there again. What was committed after it is lost.
    pub last_txn: u64,
    /// The pins that are there again.
    pub pins: Vec<String>,
    /// Pins that the earlier HEAD named and that could not be kept, because something that they need is gone.
    pub pins_lost: Vec<String>,
    /// Newer copies that could not be used, each with an object that it needs and that is missing or damaged.
    pub unusable: Vec<(String, String)>,
    /// Whether HEAD was written: false of a dry run.
    pub written: bool,
}

/// Writes a HEAD for the manifest under `prefix` that has lost its own, with the state of an earlier one. What was committed
/// after that is lost. Everything that this state needs is read and checked before.
///
/// Stop everybody who has the manifest open before, and open it anew afterwards: commits get numbers for the second time,
/// and nobody who has seen the lost ones may go on. Nobody may [`destroy`](crate::Manifest::destroy) here meanwhile.
///
/// # Errors
///
/// [`AlreadyExists`](ErrorKind::AlreadyExists) if there is a HEAD, damaged or not; [`NotFound`](ErrorKind::NotFound) if
/// there is no copy of an earlier HEAD; [`Corrupt`](ErrorKind::Corrupt) if none has all that it needs;
/// [`Invalid`](ErrorKind::Invalid) if what was given is of another manifest than what lies there.
/// [`Unavailable`](ErrorKind::Unavailable) says so if HEAD may be there all the same.
pub async fn restore_head(
    store: Arc<dyn Store>,
    prefix: &str,
    options: &Options,
    from: &RestoreFrom,
    dry_run: bool,
    progress: impl FnMut(Progress<'_>) + Send,
) -> Result<Restored> {
    options.validate()?;
    let access = Arc::new(Access::new(store, Keys::new(prefix)?, options));
    let deadline = || access.clock.now().saturating_add(options.read_timeout);
    let listing = Listing::read(&access, deadline).await?;
    if access
        .read_head(deadline(), Purpose::Maintenance)
        .await?
        .is_some()
    {
        let message = format!(
            "there is a HEAD at \"{}\" in {}: if it is damaged, move it away first; nothing is ever written over one",
            access.keys.head(),
            access.store.describe()
        );
        return Err(Error::new(ErrorKind::AlreadyExists, message));
    }
    let candidates = candidates(&access, &listing, from, deadline).await?;
    let mut states = States::new(Arc::clone(&access), options.read_timeout, progress);
    let mut unusable = Vec::new();
    for (head, object) in candidates {
        let name = object
            .clone()
            .unwrap_or_else(|| "the HEAD that was given".to_owned());
        if let Some(lacking) = states.lacking(&head).await? {
            unusable.push((name, lacking));
            continue;
        }
        let mut restored = Restored {
            manifest: head.manifest,
            object,
            revision: head.revision,
            last_txn: head.last_txn,
            pins: Vec::new(),
            pins_lost: Vec::new(),
            unusable,
            written: false,
        };
        let mut head = head;
        for pin in std::mem::take(&mut head.pins) {
            match is_whole(&access, &mut states, &head, &pin, deadline()).await? {
                true => {
                    restored.pins.push(pin.name.clone());
                    head.pins.push(pin);
                }
                false => restored.pins_lost.push(pin.name),
            }
        }
        if !dry_run {
            let latest = listing.latest_epoch(head.manifest);
            let epoch = latest.map_or(0, |(_, name)| name.epoch);
            let head = new_head::renewed(&access, &head, epoch)?;
            new_head::put(&access, &head, deadline()).await?;
            restored.written = true;
        }
        return Ok(restored);
    }
    Err(none_usable(&unusable))
}

fn none_usable(unusable: &[(String, String)]) -> Error {
    match unusable.first() {
        None => Error::new(
            ErrorKind::NotFound,
            "no copy of an earlier HEAD lies here: give one from a noncurrent version or a backup",
        ),
        Some((copy, lacking)) => Error::new(
            ErrorKind::Corrupt,
            format!("{copy} needs {lacking}, which is missing or damaged: verify tells of all"),
        ),
    }
}

/// Earlier HEADs, the newest first, and the objects that they lie in.
async fn candidates(
    access: &Access,
    listing: &Listing,
    from: &RestoreFrom,
    deadline: impl Fn() -> Moment,
) -> Result<Vec<(Head, Option<String>)>> {
    match from {
        RestoreFrom::Bytes(bytes) => {
            let head = decode(bytes).map_err(|error| error.in_object("that was given"))?;
            let there = listing.manifests();
            if !there.is_empty() && !there.contains(&head.manifest) {
                let ids: Vec<String> = there.iter().map(ToString::to_string).collect();
                let message = format!(
                    "the HEAD that was given is of manifest {}, and what lies here is of {}",
                    head.manifest,
                    ids.join(", ")
                );
                return Err(Error::new(ErrorKind::Invalid, message));
            }
            Ok(vec![(head, None)])
        }
        RestoreFrom::Pin(key) => {
            let found = listing
                .pins()
                .find(|(manifest, name, _)| access.key(Folder::Pin, *manifest, *name) == *key);
            let (manifest, name, _) = found.ok_or_else(|| {
                let message =
                    format!("object {key} is no pin below this prefix: verify names those that are");
                Error::new(ErrorKind::NotFound, message)
            })?;
            let head = read(access, manifest, name, deadline()).await?;
            let head = head.map_err(|error| error.in_object(key))?;
            Ok(vec![(head, Some(key.clone()))])
        }
        RestoreFrom::NewestPin => newest(access, listing, deadline).await,
    }
}

async fn newest(
    access: &Access,
    listing: &Listing,
    deadline: impl Fn() -> Moment,
) -> Result<Vec<(Head, Option<String>)>> {
    let manifests = listing.manifests();
    if manifests.len() > 1 {
        let message = format!(
            "objects of {} manifests lie here: name the object of a pin; verify lists them",
            manifests.len()
        );
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let mut found = Vec::new();
    for (manifest, name, _) in listing.pins() {
        // One that cannot be read is no copy of anything; verify tells of it.
        if let Ok(head) = read(access, manifest, name, deadline()).await? {
            found.push((head, Some(access.key(Folder::Pin, manifest, name))));
        }
    }
    found.sort_by_key(|(head, _)| Reverse((head.last_txn, head.revision)));
    Ok(found)
}

async fn read(
    access: &Access,
    manifest: ManifestId,
    name: ObjectName,
    deadline: Moment,
) -> Result<Result<Head, FormatError>> {
    let whole = Portion::Whole(bytes_read_max(Folder::Pin));
    let read = access.read(Folder::Pin, manifest, name, whole, deadline, Purpose::Maintenance);
    match read.await {
        Ok(bytes) => Ok(decode(&bytes).and_then(|head| match head.manifest == manifest {
            true => Ok(head),
            false => Err(FormatError::damaged(format!(
                "it belongs to manifest {}",
                head.manifest
            ))),
        })),
        Err(Unread::Gone(_)) => Ok(Err(FormatError::damaged("it is not there any more"))),
        Err(Unread::Failed(error)) => Err(error),
    }
}

/// A HEAD, or a pin's copy of one.
fn decode(bytes: &Bytes) -> Result<Head, FormatError> {
    let head = match frame::open(Kind::Pin, bytes.clone()) {
        Ok((_, body)) => Head::decode(body)?,
        Err(_) => Head::decode(bytes.clone())?,
    };
    match head.unknown_writer_features() {
        0 => Ok(head),
        bits => Err(FormatError::UnknownFeatures { bits }),
    }
}

/// True if the state of a pin can be read, all of it.
async fn is_whole(
    access: &Access,
    states: &mut States<impl FnMut(Progress<'_>) + Send>,
    head: &Head,
    of: &Pin,
    deadline: Moment,
) -> Result<bool> {
    match pin::read(access, head.manifest, of, deadline, Purpose::Maintenance).await {
        Ok(copy) => Ok(states.lacking(&copy).await?.is_none()),
        Err(Unread::Failed(error)) if error.kind() != ErrorKind::Corrupt => Err(error),
        Err(_) => Ok(false),
    }
}
