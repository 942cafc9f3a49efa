//! Reading of objects that may not be what they should be.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::finding::{Damage, Flaw, Place};
use crate::{
    access::{Access, Purpose},
    clock::Moment,
    error::Result,
    frame::{HEADER_BYTES, Header, Kind},
    head::ObjectReference,
    id::{Folder, ManifestId, ObjectName},
    immutable::{Portion, Unread, bytes_read_max, ends_before},
};

/// The store, as a check reads it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) access: Arc<Access>,
    pub(super) patience: Duration,
}

/// What came of reading a range of an object.
#[derive(Debug)]
pub(super) enum Bits {
    Read(Bytes),
    /// The object is not there.
    Gone,
}

impl Source {
    pub(super) fn deadline(&self) -> Moment {
        self.access.clock.now().saturating_add(self.patience)
    }

    /// Reads what there is of a range, as far as an object of its kind can go. Nothing, where the object ends before it begins.
    pub(super) async fn read(
        &self,
        folder: Folder,
        manifest: ManifestId,
        name: ObjectName,
        range: std::ops::Range<u64>,
    ) -> Result<Bits> {
        let range = range.start..range.end.min(bytes_read_max(folder).saturating_add(1));
        let read = self.access.read(
            folder,
            manifest,
            name,
            Portion::Range(range),
            self.deadline(),
            Purpose::Maintenance,
        );
        match read.await {
            Ok(bytes) => Ok(Bits::Read(bytes)),
            Err(Unread::Gone(_)) => Ok(Bits::Gone),
            Err(Unread::Failed(error)) if ends_before(&error) => Ok(Bits::Read(Bytes::new())),
            Err(Unread::Failed(error)) => Err(error),
        }
    }

    /// Reads a whole object, and one byte more if there is one.
    pub(super) async fn read_whole(
        &self,
        folder: Folder,
        manifest: ManifestId,
        object: &ObjectReference,
    ) -> Result<Bits> {
        let end = object.bytes.saturating_add(1);
        self.read(folder, manifest, object.name, 0..end).await
    }
}

/// What shows that these are not the bytes that `object` refers to; `bytes` has one more where there are more.
pub(super) fn flaw_of_whole(
    kind: Kind,
    manifest: ManifestId,
    object: &ObjectReference,
    bytes: &Bytes,
) -> Option<Flaw> {
    let length = bytes.len() as u64;
    if length == object.bytes && crc32c::crc32c(bytes) == object.crc32c {
        // Whoever named it had it in hand: what a frame says of itself is left to its decoder.
        return None;
    }
    if let Some(flaw) = foreign(kind, manifest, object.bytes, bytes) {
        return Some(flaw);
    }
    if length != object.bytes {
        return Some(wrong_length(object.bytes, length));
    }
    let place = match Header::read(bytes) {
        Ok(_) => Place::Whole,
        Err(_) => Place::Header,
    };
    let detail = "it does not match the checksum of whoever names it";
    Some(Flaw::new(Damage::Checksum, place, detail))
}

pub(super) fn wrong_length(expected: u64, found: u64) -> Flaw {
    let detail = match found > expected {
        true => format!("more than the {expected} bytes that were written"),
        false => format!("{found} bytes of {expected}: cut off"),
    };
    Flaw::new(Damage::Length, Place::Whole, detail)
}

/// Whose object these bytes begin, if it is not the one of `expected` bytes that belongs here: told by a header that is
/// sound, and by the body if there is all of it.
pub(super) fn foreign(kind: Kind, manifest: ManifestId, expected: u64, bytes: &Bytes) -> Option<Flaw> {
    let header = Header::read(bytes).ok()?;
    let say = |detail: String| Some(Flaw::new(Damage::Foreign, Place::Whole, detail));
    if header.manifest != manifest {
        return say(format!(
            "it belongs to manifest {}, this is {manifest}",
            header.manifest
        ));
    }
    if header.kind() != Some(kind) {
        return say("it is an object of another kind".to_owned());
    }
    let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let whole = header.length == body.len() as u64 && crc32c::crc32c(body) == header.crc32c;
    match whole || header.length.saturating_add(HEADER_BYTES as u64) != expected {
        true => say("it is another object of this manifest than the one that is named".to_owned()),
        false => None,
    }
}
