//! Puts a HEAD where there is none: the last step of a copy, and of bringing a lost HEAD back.

use crate::{
    access::{Access, Purpose, patience},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    frame::FormatError,
    head::Head,
    id::Nonce,
    store::{PutMode, StoreErrorKind},
};

/// Puts it there if no HEAD is there.
///
/// # Errors
///
/// [`AlreadyExists`](ErrorKind::AlreadyExists) if somebody was faster. [`Unavailable`](ErrorKind::Unavailable): it may be
/// there all the same, now or later.
pub(crate) async fn put(access: &Access, head: &Head, deadline: Moment) -> Result<()> {
    let bytes = head.encode().map_err(unbuilt)?;
    let mut backoff = patience();
    loop {
        let limit = access.limit(deadline);
        let put = access.put(
            access.keys.head(),
            bytes.clone(),
            PutMode::Create,
            Purpose::Maintenance,
            limit,
        );
        let error = match put.await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let lost = matches!(
            error.kind,
            StoreErrorKind::PreconditionFailed | StoreErrorKind::Conflict
        );
        if !lost && !error.is_transient() {
            return Err(Error::from_store("writing HEAD", error));
        }
        // It may be an earlier copy of this very request that is there.
        match found(access, deadline).await? {
            Some(there) if same(&there, head) => return Ok(()),
            Some(there) => return Err(taken(access, &there)),
            None if access.wait(&mut backoff, deadline).await? => {}
            None => {
                let doing = "writing HEAD, which may be there all the same: look before you try again";
                return Err(Error::from_store_as(ErrorKind::Unavailable, doing, error));
            }
        }
    }
}

/// The HEAD that is there, if there is one.
pub(crate) async fn found(access: &Access, deadline: Moment) -> Result<Option<Head>> {
    match access.read_head(deadline, Purpose::Maintenance).await? {
        None => Ok(None),
        Some((bytes, _)) => Head::decode(bytes)
            .map(Some)
            .map_err(|error| error.in_object(access.keys.head())),
    }
}

/// A nonce for it that no other HEAD has.
pub(crate) fn renewed(access: &Access, head: &Head, epoch: u64) -> Result<Head> {
    let nonce = Nonce::draw(&*access.entropy)?;
    head.renewed(nonce, epoch).map_err(unbuilt)
}

/// That there is a HEAD where there should be none.
pub(crate) fn taken(access: &Access, there: &Head) -> Error {
    let message = format!(
        "there is a HEAD at \"{}\" in {}, of manifest {}, revision {}, commit {}: nothing is ever written over one",
        access.keys.head(),
        access.store.describe(),
        there.manifest,
        there.revision,
        there.last_txn
    );
    Error::new(ErrorKind::AlreadyExists, message)
}

fn same(there: &Head, head: &Head) -> bool {
    there.manifest == head.manifest && there.nonces == head.nonces
}

fn unbuilt(error: FormatError) -> Error {
    Error::new(ErrorKind::Corrupt, format!("building HEAD: {error}"))
}
