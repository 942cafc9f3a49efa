//! Lists of what a collection is to delete, as objects of their own.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    frame::{self, FormatError, Kind},
    head::wire,
    id::{Folder, ManifestId, Nonce, ObjectName},
};

/// The bytes of a list.
pub(crate) fn encode(manifest: ManifestId, objects: &[(Folder, ObjectName)]) -> Bytes {
    let listed = objects.iter().map(|(folder, name)| wire::ListedObject {
        folder: folder.number(),
        epoch: name.epoch,
        nonce: Bytes::copy_from_slice(&name.nonce.to_bytes()),
    });
    let message = wire::List {
        objects: listed.collect(),
    };
    frame::seal(Kind::List, manifest, &message.encode_to_vec())
}

/// Reads it back.
pub(crate) fn decode(manifest: ManifestId, framed: Bytes) -> Result<Vec<(Folder, ObjectName)>, FormatError> {
    let (owner, body) = frame::open(Kind::List, framed)?;
    if owner != manifest {
        return Err(FormatError::damaged(format!(
            "it belongs to manifest {owner}, this is {manifest}"
        )));
    }
    let message =
        wire::List::decode(body).map_err(|error| FormatError::damaged(format!("a list: {error}")))?;
    message.objects.into_iter().map(listed).collect()
}

fn listed(object: wire::ListedObject) -> Result<(Folder, ObjectName), FormatError> {
    let folder = Folder::from_number(object.folder)
        .ok_or_else(|| FormatError::damaged(format!("folder {} in a list", object.folder)))?;
    let nonce = Nonce::from_slice(&object.nonce)
        .ok_or_else(|| FormatError::damaged("an object name whose nonce is not 16 bytes"))?;
    let epoch = object.epoch;
    Ok((folder, ObjectName { epoch, nonce }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: ManifestId = ManifestId::from_bits(3);

    fn objects() -> Vec<(Folder, ObjectName)> {
        let name = |bits| ObjectName {
            epoch: 2,
            nonce: Nonce::from_bits(bits),
        };
        vec![
            (Folder::Log, name(1)),
            (Folder::Table, name(2)),
            (Folder::Pin, name(3)),
            (Folder::List, name(4)),
        ]
    }

    #[test]
    fn names_come_back_with_their_folders() {
        assert_eq!(decode(MANIFEST, encode(MANIFEST, &objects())), Ok(objects()));
    }

    #[test]
    fn every_flipped_bit_every_truncation_and_a_foreign_list_are_found() {
        let whole = encode(MANIFEST, &objects());
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(MANIFEST, bytes.into()).is_err(), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(
                decode(MANIFEST, whole.slice(..length)).is_err(),
                "cut to {length}"
            );
        }
        assert!(decode(ManifestId::from_bits(4), whole).is_err());
    }

    #[test]
    fn an_unknown_folder_is_refused() {
        let message = wire::List {
            objects: vec![wire::ListedObject {
                folder: 9,
                epoch: 1,
                nonce: vec![0; 16].into(),
            }],
        };
        let framed = frame::seal(Kind::List, MANIFEST, &message.encode_to_vec());
        assert!(
            decode(MANIFEST, framed)
                .unwrap_err()
                .to_string()
                .contains("folder 9")
        );
    }
}
