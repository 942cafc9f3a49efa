//! Pins and lists in the store.

use bytes::Bytes;

use crate::{
    access::{Access, Purpose},
    clock::Moment,
    error::Result,
    frame::FormatError,
    head::ObjectReference,
    id::{Folder, ManifestId},
    immutable::{Destination, Portion, Unread},
};

/// Writes one, and returns how HEAD names it.
pub(crate) async fn put(
    access: &Access,
    folder: Folder,
    to: Destination,
    bytes: Bytes,
) -> Result<ObjectReference> {
    let (length, crc32c) = (bytes.len() as u64, crc32c::crc32c(&bytes));
    Ok(ObjectReference {
        name: access.put_new(folder, to, bytes).await?,
        bytes: length,
        crc32c,
    })
}

/// Reads the object that `reference` names, and checks that it is the one.
pub(crate) async fn read(
    access: &Access,
    folder: Folder,
    manifest: ManifestId,
    reference: &ObjectReference,
    deadline: Moment,
    purpose: Purpose,
) -> Result<Bytes, Unread> {
    let name = reference.name;
    let bytes = access
        .read(
            folder,
            manifest,
            name,
            Portion::Whole(reference.bytes),
            deadline,
            purpose,
        )
        .await?;
    match damage(reference, &bytes) {
        None => Ok(bytes),
        Some(what) => {
            let key = access.key(folder, manifest, name);
            Err(FormatError::damaged(what).in_object(&key).into())
        }
    }
}

/// What shows that these bytes are not those that HEAD names.
fn damage(reference: &ObjectReference, bytes: &Bytes) -> Option<String> {
    if bytes.len() as u64 != reference.bytes {
        return Some(format!(
            "{} bytes where HEAD names {}",
            bytes.len(),
            reference.bytes
        ));
    }
    (crc32c::crc32c(bytes) != reference.crc32c).then(|| "it does not match the checksum in HEAD".to_owned())
}
