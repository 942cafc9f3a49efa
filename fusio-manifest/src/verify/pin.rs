//! Checks a pin: its copy of a HEAD, and that this is the HEAD which the pin says.

use super::{
    finding::{Damage, Flaw, Place},
    part::Checked,
    source::{Bits, Source, flaw_of_whole},
};
use crate::{
    error::Result,
    frame::{self, FormatError, Kind},
    head::{Head, Pin},
    id::{Folder, ManifestId, ObjectName},
    maintenance::pin,
};

/// The copy that a pin holds, or what is wrong with it.
#[derive(Debug)]
pub(super) enum Copied {
    Sound(Box<Head>),
    /// Nothing can be known of what it needs; no flaw if the object is not there.
    Unread(Checked),
}

/// Reads the copy of a pin that `head` names.
pub(super) async fn read(source: &Source, head: &Head, pin: &Pin) -> Result<Copied> {
    let manifest = head.manifest;
    let bytes = match source.read_whole(Folder::Pin, manifest, &pin.object).await? {
        Bits::Read(bytes) => bytes,
        Bits::Gone => return Ok(Copied::Unread(Checked::gone())),
    };
    if let Some(flaw) = flaw_of_whole(Kind::Pin, manifest, &pin.object, &bytes) {
        return Ok(Copied::Unread(Checked::flawed(flaw)));
    }
    Ok(match pin::decode(manifest, pin, bytes) {
        Ok(copy) => Copied::Sound(Box::new(copy)),
        Err(error) => Copied::Unread(Checked::flawed(Flaw::new(
            Damage::Malformed,
            Place::Whole,
            error.to_string(),
        ))),
    })
}

/// What a copy says that cannot be, if it is an earlier state of `head`.
pub(super) fn contradictions(head: &Head, pin: &Pin, copy: &Head) -> Vec<Flaw> {
    let mut said = Vec::new();
    if copy.revision != pin.revision {
        said.push(format!(
            "it is a copy of revision {} and HEAD says {}",
            copy.revision, pin.revision
        ));
    }
    if copy.last_txn > head.last_txn || copy.epoch > head.epoch {
        said.push("it is a copy of a later state than HEAD".to_owned());
    }
    let differs = |(revision, nonce): &(u64, crate::id::Nonce)| {
        head.nonce_of(*revision).is_some_and(|known| known != *nonce)
    };
    if copy.nonces.iter().any(differs) {
        said.push("it is a copy of a HEAD that was never before this one: HEAD was set back".to_owned());
    }
    let flaw = |detail| Flaw::new(Damage::Contradiction, Place::Whole, detail);
    said.into_iter().map(flaw).collect()
}

/// Reads a copy that only a listing tells of; its frame says all that is known of it.
pub(super) async fn read_unnamed(
    source: &Source,
    manifest: ManifestId,
    name: ObjectName,
    bytes: u64,
) -> Result<Copied> {
    let range = 0..bytes.saturating_add(1);
    let bytes = match source.read(Folder::Pin, manifest, name, range).await? {
        Bits::Read(bytes) => bytes,
        Bits::Gone => return Ok(Copied::Unread(Checked::gone())),
    };
    let decoded = frame::open(Kind::Pin, bytes).and_then(|(owner, body)| {
        let head = Head::decode(body)?;
        match owner == manifest && head.manifest == manifest {
            true => Ok(head),
            false => Err(FormatError::damaged(format!("it belongs to manifest {owner}"))),
        }
    });
    Ok(match decoded {
        Ok(copy) => Copied::Sound(Box::new(copy)),
        Err(error) => Copied::Unread(Checked::flawed(Flaw::new(
            Damage::Malformed,
            Place::Whole,
            error.to_string(),
        ))),
    })
}
