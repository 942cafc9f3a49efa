//! Checks HEAD: its bytes, its sections, its invariants, and whether it is the HEAD of what lies below the prefix.

use bytes::Bytes;

use super::{
    finding::{Damage, Flaw, Place},
    log::contradiction,
};
use crate::{
    error::Result,
    frame::{self, FormatError, HEADER_BYTES, Header, Kind},
    head::{Head, extents},
    id::ManifestId,
    listing::Listing,
};

/// What lies under the key of HEAD.
#[derive(Debug)]
pub(super) enum Seen {
    Sound(Box<Head>),
    /// Nothing, or not a HEAD that this program can read; and what its sound sections name.
    Broken(Vec<Flaw>, Option<Box<Head>>),
}

/// Reads HEAD from its bytes; `None`: it is not there.
///
/// # Errors
///
/// [`Unsupported`](crate::ErrorKind::Unsupported) of a HEAD that a newer version wrote.
pub(super) fn read(key: &str, bytes: Option<Bytes>) -> Result<Seen> {
    let Some(bytes) = bytes else {
        let detail = "there is none, though objects of a manifest lie below the prefix";
        let flaw = Flaw::new(Damage::Missing, Place::Whole, detail);
        return Ok(Seen::Broken(vec![flaw], None));
    };
    match Head::decode(bytes.clone()) {
        Ok(head) => Ok(Seen::Sound(Box::new(head))),
        Err(FormatError::NewerVersion { .. }) if frame::has_wrong_header(&bytes) => {
            let detail = "it does not match its checksum: damaged, or written by a newer version";
            let flaw = Flaw::new(Damage::Checksum, Place::Header, detail);
            Ok(Seen::Broken(vec![flaw], None))
        }
        Err(error @ (FormatError::NewerVersion { .. } | FormatError::UnknownFeatures { .. })) => {
            Err(error.in_object(key))
        }
        Err(error) => Ok(Seen::Broken(
            flaws(&bytes, &error),
            Head::salvaged(&bytes).map(Box::new),
        )),
    }
}

/// What is wrong with the bytes of a HEAD that cannot be decoded, section by section where these can be told.
fn flaws(bytes: &Bytes, error: &FormatError) -> Vec<Flaw> {
    let header = match Header::read(bytes) {
        Ok(header) => header,
        Err(FormatError::Foreign) => {
            return vec![Flaw::new(Damage::Foreign, Place::Whole, error.to_string())];
        }
        Err(_) if bytes.len() < HEADER_BYTES => {
            return vec![Flaw::new(Damage::Length, Place::Whole, error.to_string())];
        }
        Err(_) => return vec![Flaw::new(Damage::Checksum, Place::Header, error.to_string())],
    };
    if header.kind() != Some(Kind::Head) {
        return vec![Flaw::new(Damage::Foreign, Place::Whole, error.to_string())];
    }
    let body = bytes.slice(HEADER_BYTES..);
    let complete = header.length == body.len() as u64;
    if complete && header.crc32c == crc32c::crc32c(&body) {
        return vec![Flaw::new(Damage::Contradiction, Place::Whole, error.to_string())];
    }
    let mut flaws = Vec::new();
    if !complete {
        flaws.push(Flaw::new(Damage::Length, Place::Whole, error.to_string()));
    }
    for extent in extents(&body).unwrap_or_default() {
        if !extent.sound {
            let start = HEADER_BYTES + extent.start;
            let detail = format!(
                "{} bytes from byte {start} on do not match their checksum",
                extent.bytes
            );
            flaws.push(Flaw::new(Damage::Checksum, Place::Section(extent.name()), detail));
        }
    }
    if flaws.is_empty() {
        flaws.push(Flaw::new(
            Damage::Checksum,
            Place::Section("directory"),
            error.to_string(),
        ));
    }
    flaws
}

/// What a HEAD says that cannot be, though it can be read.
pub(super) fn contradictions(head: &Head, listing: &Listing) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut add = |damage, detail: String| flaws.push(Flaw::new(damage, Place::Whole, detail));
    for commit in head.inline_commits() {
        if let Some(detail) = contradiction(commit.txn, &commit.writes) {
            add(Damage::Contradiction, detail);
        }
    }
    let folded = head.folded_through();
    for reference in &head.folded {
        if reference.last_txn() > folded {
            let detail = format!(
                "log object {} is named as folded, and its commits up to {} are not in runs",
                reference.object.name,
                reference.last_txn()
            );
            add(Damage::Contradiction, detail);
        }
    }
    for commit in &head.folded_commits {
        if commit.txn > folded {
            let detail = format!("commit {} is named as folded and is not in a run", commit.txn);
            add(Damage::Contradiction, detail);
        }
    }
    if let Some((folder, name)) = listing
        .latest_epoch(head.manifest)
        .filter(|(_, name)| name.epoch > head.epoch)
    {
        let detail = format!(
            "it is of epoch {}, and object {}/{name} of epoch {} is there: HEAD was set back to an earlier version",
            head.epoch,
            folder.name(),
            name.epoch
        );
        add(Damage::WentBack, detail);
    }
    if let Some(other) = replaced(head, listing) {
        let detail = format!(
            "it is of manifest {}, of which nothing lies below the prefix, while objects of manifest {other} do: HEAD \
             was replaced by that of another manifest, or manifest {other} was destroyed and left something",
            head.manifest
        );
        add(Damage::Foreign, detail);
    }
    flaws
}

/// The manifest whose objects lie here instead of those of HEAD's.
fn replaced(head: &Head, listing: &Listing) -> Option<ManifestId> {
    let manifests = listing.manifests();
    match manifests.contains(&head.manifest) {
        true => None,
        false => manifests.first().copied(),
    }
}
