//! Pins: copies of a HEAD, each an object of its own, so that a pin holds exactly what that state needs, commits that
//! stood in HEAD included.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::object;
use crate::{
    access::{Access, Purpose},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    frame::{self, FormatError, Kind},
    head::{Head, Pin},
    id::{Folder, ManifestId, ObjectName},
    immutable::Unread,
};

/// The bytes of a pin: all of the HEAD, in a frame of its own, so that the one is never taken for the other.
pub(crate) fn encode(head: &Head) -> Result<Bytes, FormatError> {
    Ok(frame::seal(Kind::Pin, head.manifest, &head.encode()?))
}

pub(crate) fn decode(manifest: ManifestId, pin: &Pin, framed: Bytes) -> Result<Head, FormatError> {
    let (owner, body) = frame::open(Kind::Pin, framed)?;
    let head = Head::decode(body)?;
    if owner != manifest || head.manifest != manifest {
        return Err(FormatError::damaged(format!(
            "it belongs to manifest {owner}, this is {manifest}"
        )));
    }
    if head.revision > pin.revision {
        return Err(FormatError::damaged(format!(
            "revision {} where HEAD names {}",
            head.revision, pin.revision
        )));
    }
    Ok(head)
}

/// The HEAD that a pin is a copy of.
pub(crate) async fn read(
    access: &Access,
    manifest: ManifestId,
    pin: &Pin,
    deadline: Moment,
    purpose: Purpose,
) -> Result<Head, Unread> {
    let bytes = object::read(access, Folder::Pin, manifest, &pin.object, deadline, purpose).await?;
    decode(manifest, pin, bytes).map_err(|error| {
        let key = access.keys.object(manifest, Folder::Pin, pin.object.name);
        error.in_object(&key).into()
    })
}

/// What the states of these pins consist of. If one of them cannot be read nothing is known, so that nothing may be
/// deleted.
pub(crate) async fn needed<'a>(
    access: &Access,
    manifest: ManifestId,
    pins: impl Iterator<Item = &'a Pin>,
    deadline: impl Fn() -> Moment,
) -> Result<BTreeSet<(Folder, ObjectName)>> {
    let mut needed = BTreeSet::new();
    for pin in pins {
        match read(access, manifest, pin, deadline(), Purpose::Maintenance).await {
            Ok(head) => needed.extend(head.needed()),
            Err(Unread::Failed(error)) => return Err(error),
            Err(Unread::Gone(name)) => {
                let message = format!(
                    "pin {:?} cannot be read, object {name} is gone: nothing is collected until it is released",
                    pin.name
                );
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{head::ObjectReference, id::Nonce, options::SharedSettings};

    const MANIFEST: ManifestId = ManifestId::from_bits(3);

    fn head() -> Head {
        Head::first(MANIFEST, Nonce::from_bits(1), SharedSettings::default())
    }

    fn pin(revision: u64) -> Pin {
        Pin {
            name: "p".to_owned(),
            revision,
            object: ObjectReference {
                name: ObjectName {
                    epoch: 1,
                    nonce: Nonce::from_bits(1),
                },
                bytes: 0,
                crc32c: 0,
            },
            expires_unix_ms: 0,
        }
    }

    #[test]
    fn a_pin_is_a_copy_of_its_head() {
        let framed = encode(&head()).unwrap();
        assert_eq!(decode(MANIFEST, &pin(1), framed), Ok(head()));
    }

    #[test]
    fn a_head_is_no_pin_nor_is_another_manifests_or_a_later_state() {
        let framed = encode(&head()).unwrap();
        assert!(decode(MANIFEST, &pin(1), head().encode().unwrap()).is_err());
        assert!(decode(ManifestId::from_bits(4), &pin(1), framed.clone()).is_err());
        let later = head().replaced(Nonce::from_bits(2), &crate::head::Change::default());
        assert!(decode(MANIFEST, &pin(1), encode(&later.unwrap()).unwrap()).is_err());
        assert!(Head::decode(framed).is_err());
    }
}
