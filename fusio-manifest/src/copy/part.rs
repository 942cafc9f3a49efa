//! One object: read from the source, held against whoever names it, written to the target.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::{
    access::{Access, Purpose, patience},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    frame::{self, FormatError, Kind},
    head::{ObjectReference, TableReference},
    id::{Folder, ManifestId, ObjectName},
    immutable::{Portion, Unread, check_named, ends_before},
    store::{PutMode, StoreErrorKind},
    table::Footer,
};

/// What one GET asks for: a large table within the time of one request.
const SPAN_BYTES: u64 = 8 * 1024 * 1024;

/// An object, and what whoever names it says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// By its length and the checksum of all of it.
    Whole(Folder, ObjectReference),
    /// By its length and the checksum of its footer.
    Table(TableReference),
}

impl Named {
    pub(super) fn place(&self) -> (Folder, ObjectName) {
        match self {
            Self::Whole(folder, object) => (*folder, object.name),
            Self::Table(table) => (Folder::Table, table.object.name),
        }
    }

    fn object(&self) -> &ObjectReference {
        match self {
            Self::Whole(_, object) => object,
            Self::Table(table) => &table.object,
        }
    }
}

/// An object of one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) manifest: ManifestId,
    pub(super) named: Named,
}

impl Part {
    pub(super) fn place(&self) -> (Folder, ObjectName) {
        self.named.place()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.named.object().bytes
    }

    fn key(&self, access: &Access) -> String {
        let (folder, name) = self.place();
        access.key(folder, self.manifest, name)
    }

    /// Refuses bytes that are not those that were written.
    fn check(&self, bytes: &Bytes) -> Result<(), FormatError> {
        let length = bytes.len() as u64;
        if length != self.bytes() {
            let what = format!("{length} bytes where {} are named", self.bytes());
            return Err(FormatError::damaged(what));
        }
        let kind = match self.place().0 {
            Folder::Log => Kind::Log,
            Folder::Table => Kind::Table,
            Folder::Pin => Kind::Pin,
            Folder::List => Kind::List,
        };
        // All of a table is behind the checksum of its frame; whether it is this table its footer tells.
        let (owner, _) = frame::open(kind, bytes.clone())?;
        if owner != self.manifest {
            return Err(FormatError::damaged(format!("it belongs to manifest {owner}")));
        }
        match &self.named {
            Named::Whole(_, object) if crc32c::crc32c(bytes) == object.crc32c => Ok(()),
            Named::Whole(..) => Err(FormatError::damaged(
                "it does not match the checksum of whoever names it",
            )),
            Named::Table(table) => {
                let range = Footer::range(table)?;
                let start = usize::try_from(range.start).unwrap_or(usize::MAX);
                let footer = bytes
                    .get(start..)
                    .map(|_| bytes.slice(start..))
                    .unwrap_or_default();
                Footer::decode(self.manifest, table, footer).map(|_| ())
            }
        }
    }
}

/// What became of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Copied,
    /// It was in the target, as it should be.
    Present,
    /// It is not in the source.
    Gone,
}

/// From where, to where.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) source: Access,
    pub(super) target: Arc<Access>,
    pub(super) patience: std::time::Duration,
}

impl Fetch {
    pub(super) fn deadline(&self, access: &Access) -> Moment {
        access.clock.now().saturating_add(self.patience)
    }

    /// Copies it, unless it is there: `present` says that it seems so.
    pub(super) async fn part(&self, part: &Part, present: bool) -> Result<Outcome> {
        if present && self.is_there(part).await? {
            return Ok(Outcome::Present);
        }
        let bytes = match self.read(&self.source, part).await {
            Ok(bytes) => bytes,
            Err(Unread::Gone(_)) => return Ok(Outcome::Gone),
            Err(Unread::Failed(error)) => return Err(error),
        };
        part.check(&bytes).map_err(|error| {
            let error = error.in_object(&part.key(&self.source));
            Error::new(error.kind(), format!("the source: {error}"))
        })?;
        self.write(part, bytes).await
    }

    async fn write(&self, part: &Part, bytes: Bytes) -> Result<Outcome> {
        let (target, key) = (&self.target, part.key(&self.target));
        let deadline = self.deadline(target);
        let mut backoff = patience();
        loop {
            let limit = target.limit(deadline);
            let put = target.put(&key, bytes.clone(), PutMode::Create, Purpose::Maintenance, limit);
            let error = match put.await {
                Ok(_) => return Ok(Outcome::Copied),
                Err(error) => error,
            };
            // An earlier copy of this PUT, or another copy of the manifest to the same place.
            let taken = error.kind == StoreErrorKind::PreconditionFailed;
            if (taken || error.is_not_believed()) && self.is_there(part).await? {
                return Ok(Outcome::Copied);
            }
            let again = taken || error.is_transient() || error.kind == StoreErrorKind::Conflict;
            if !again || !target.wait(&mut backoff, deadline).await? {
                return Err(Error::from_store("writing to the target", error));
            }
        }
    }

    /// True if it is in the target; an error if something else is in its place.
    async fn is_there(&self, part: &Part) -> Result<bool> {
        let bytes = match self.read(&self.target, part).await {
            Ok(bytes) => bytes,
            Err(Unread::Gone(_)) => return Ok(false),
            Err(Unread::Failed(error)) => return Err(error),
        };
        match part.check(&bytes) {
            Ok(()) => Ok(true),
            Err(error) => {
                let key = part.key(&self.target);
                let message = format!("the target: object {key}: {error}: delete it, and resume");
                Err(Error::new(ErrorKind::Corrupt, message))
            }
        }
    }

    /// Reads all of it, and one byte more if there is one.
    async fn read(&self, access: &Access, part: &Part) -> Result<Bytes, Unread> {
        let (folder, name) = part.place();
        check_named(folder, &part.key(access), part.bytes())?;
        let end = part.bytes().saturating_add(1);
        let mut whole = BytesMut::new();
        let mut start = 0;
        while start < end {
            let range = start..end.min(start + SPAN_BYTES);
            let wanted = range.end - range.start;
            let deadline = self.deadline(access);
            let read = access.read(
                folder,
                part.manifest,
                name,
                Portion::Range(range),
                deadline,
                Purpose::Maintenance,
            );
            let bytes = match read.await {
                Ok(bytes) => bytes,
                // It ends where the range begins: what there is of it is judged by whoever asked.
                Err(Unread::Failed(error)) if ends_before(&error) => break,
                Err(error) => return Err(error),
            };
            whole.extend_from_slice(&bytes);
            start += wanted;
            if (bytes.len() as u64) < wanted {
                break;
            }
        }
        Ok(whole.freeze())
    }
}
