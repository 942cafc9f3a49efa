//! Immutable objects in the store: written under names that are never used twice, read by name.

use std::ops::Range;

use bytes::Bytes;

use crate::{
    access::{Access, Purpose, patience, unread},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::Head,
    id::{Folder, ManifestId, Nonce, ObjectName},
    limits::{HEAD_BYTES_READ_MAX, LIST_BYTES_READ_MAX, LOG_OBJECT_BYTES_READ_MAX},
    store::{GetAnswer, GetOptions, PutMode, StoreErrorKind},
};

/// How often a name may be taken already before the store is not believed any more.
const RENAMES_MAX: u32 = 16;

fn word(folder: Folder) -> &'static str {
    match folder {
        Folder::Log => "a log object",
        Folder::Table => "a table",
        Folder::Pin => "a pin",
        Folder::List => "a list of what is to be collected",
    }
}

/// The most that is read of an object in one piece, whatever its reference says. Of a table only ranges are read.
pub(crate) fn bytes_read_max(folder: Folder) -> u64 {
    match folder {
        Folder::Log => LOG_OBJECT_BYTES_READ_MAX,
        Folder::Table => u64::MAX,
        Folder::Pin => HEAD_BYTES_READ_MAX,
        Folder::List => LIST_BYTES_READ_MAX,
    }
}

/// Refuses an object that is named with more bytes than are ever read of one.
pub(crate) fn check_named(folder: Folder, key: &str, bytes: u64) -> Result<()> {
    let most = bytes_read_max(folder);
    if bytes <= most {
        return Ok(());
    }
    let message = format!("object {key}: damaged: named with {bytes} bytes, and {most} are the most");
    Err(Error::new(ErrorKind::Corrupt, message))
}

/// True of a 416: the object has no byte of the range that was asked for.
pub(crate) fn ends_before(error: &Error) -> bool {
    error.store_error().and_then(|source| source.status) == Some(416)
}

/// What of an object is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Portion {
    /// All of it, which is so many bytes by whoever names it.
    Whole(u64),
    Range(Range<u64>),
}

/// Why an object could not be read.
#[derive(Debug, Clone)]
pub(crate) enum Unread {
    /// This one is not there.
    Gone(ObjectName),
    /// The store or the object is at fault.
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Where an object is to be written, and by when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination {
    pub(crate) manifest: ManifestId,
    /// The epoch of the HEAD that the writer holds.
    pub(crate) epoch: u64,
    pub(crate) deadline: Moment,
    pub(crate) purpose: Purpose,
}

impl Destination {
    /// For a writer who holds `head`: the epoch is that of the HEAD held before the first copy is sent (I3).
    pub(crate) fn by(head: &Head, deadline: Moment, purpose: Purpose) -> Self {
        Self {
            manifest: head.manifest,
            epoch: head.epoch,
            deadline,
            purpose,
        }
    }
}

impl Access {
    /// The key of an immutable object.
    pub(crate) fn key(&self, folder: Folder, manifest: ManifestId, name: ObjectName) -> String {
        self.keys.object(manifest, folder, name)
    }

    /// Writes an object under a new name of the epoch that its writer holds.
    ///
    /// An error means that HEAD may not name it. What was sent may arrive all the same: then nothing ever names it.
    pub(crate) async fn put_new(&self, folder: Folder, to: Destination, bytes: Bytes) -> Result<ObjectName> {
        let what = word(folder);
        let mut name = self.draw_name(to.epoch)?;
        let mut renamed = 0;
        let mut backoff = patience();
        loop {
            let key = self.key(folder, to.manifest, name);
            let limit = self.limit(to.deadline);
            let put = self
                .put(&key, bytes.clone(), PutMode::Create, to.purpose, limit)
                .await;
            match put {
                Ok(_) => return Ok(name),
                // An earlier copy of this PUT is there, or a proxy's; or somebody drew the same name, as a cloned
                // machine may; or the store is wrong. Nobody has named it yet, so another name is right in any case.
                Err(error) if error.kind == StoreErrorKind::PreconditionFailed => {
                    renamed += 1;
                    if renamed > RENAMES_MAX {
                        let doing = format!("writing {what} under a new name");
                        return Err(Error::from_store(&doing, error));
                    }
                    name = self.draw_name(to.epoch)?;
                }
                Err(error) if error.is_transient() || error.kind == StoreErrorKind::Conflict => {
                    if !self.wait(&mut backoff, to.deadline).await? {
                        return Err(Error::from_store_as(
                            ErrorKind::Unavailable,
                            format!("writing {what}, which nothing names yet"),
                            error,
                        ));
                    }
                }
                Err(error) if error.is_not_believed() => {
                    if self.holds(&key, &bytes, to).await {
                        return Ok(name);
                    }
                    return Err(Error::from_store(&format!("writing {what}"), error));
                }
                Err(error) => return Err(Error::from_store(&format!("writing {what}"), error)),
            }
        }
    }

    /// True if exactly these bytes are there.
    async fn holds(&self, key: &str, bytes: &Bytes, to: Destination) -> bool {
        let whole = GetOptions {
            if_none_match: None,
            range: None,
            bytes_max: Some(bytes.len() as u64),
        };
        let found = self.get(key, whole, to.deadline, to.purpose).await;
        matches!(found, Ok(GetAnswer::Found { bytes: found, .. }) if found == *bytes)
    }

    fn draw_name(&self, epoch: u64) -> Result<ObjectName> {
        let nonce = Nonce::draw(&*self.entropy)?;
        Ok(ObjectName { epoch, nonce })
    }

    /// Reads an object, or a range of it, patiently.
    pub(crate) async fn read(
        &self,
        folder: Folder,
        manifest: ManifestId,
        name: ObjectName,
        portion: Portion,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<Bytes, Unread> {
        let key = self.key(folder, manifest, name);
        let (range, bytes_max) = match portion {
            Portion::Whole(bytes) => (None, Some(bytes)),
            Portion::Range(range) => (Some(range), None),
        };
        if let Some(bytes) = bytes_max {
            check_named(folder, &key, bytes)?;
        }
        let mut backoff = patience();
        loop {
            let options = GetOptions {
                if_none_match: None,
                range: range.clone(),
                bytes_max,
            };
            let error = match self.get(&key, options, deadline, purpose).await {
                Ok(GetAnswer::Found { bytes, .. }) => return Ok(bytes),
                Ok(GetAnswer::NotModified) => {
                    let message = format!("object {key}: 304 to a request without a condition");
                    return Err(Error::new(ErrorKind::Unavailable, message).into());
                }
                Err(error) => error,
            };
            if error.kind == StoreErrorKind::NotFound {
                return Err(Unread::Gone(name));
            }
            if error.status == Some(416) {
                let start = range.as_ref().map_or(0, |range| range.start);
                let message = format!("object {key}: damaged: it ends before byte {start}");
                return Err(Error::from_store_as(ErrorKind::Corrupt, message, error).into());
            }
            if !error.is_transient() || !self.wait(&mut backoff, deadline).await? {
                return Err(unread(&format!("reading {}", word(folder)), &key, error).into());
            }
        }
    }
}
