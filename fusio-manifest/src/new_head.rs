//! Puts a HEAD where there is none: the last step of a copy, and of bringing a lost HEAD back.

use crate::{
    access::{Access, Purpose, patience},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    frame::FormatError,
    head::Head,
    head_io::useless,
    id::Nonce,
    store::{PutMode, StoreErrorKind},
};

/// Puts it there if no HEAD is there.
///
/// # Errors
///
/// [`AlreadyExists`](ErrorKind::AlreadyExists) if somebody was faster. [`Unavailable`](ErrorKind::Unavailable): it may be
/// there all the same, now or later. Anything else: it is not there, and never will be.
pub(crate) async fn put(access: &Access, head: &Head, deadline: Moment) -> Result<()> {
    let bytes = head.encode().map_err(unbuilt)?;
    let mut backoff = patience();
    // Whether a copy of this request may be applied of which nobody has heard.
    let mut in_doubt = false;
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
            Ok(etag) => match etag.flaw() {
                None => return Ok(()),
                // A success that is not believed: HEAD itself proves it.
                Some(flaw) => useless(access.keys.head(), &format!("an ETag {flaw}")),
            },
            Err(error) => error,
        };
        // It may be an earlier copy of this very request that was faster.
        let lost = matches!(
            error.kind,
            StoreErrorKind::PreconditionFailed | StoreErrorKind::Conflict
        );
        let again = lost || error.is_transient();
        if error.is_definite() && !again && !in_doubt {
            return Err(Error::from_store("writing HEAD", error));
        }
        in_doubt = true;
        match found(access, deadline).await {
            Ok(Some(there)) => return judged(access, &there, head),
            Ok(None) if again && access.wait(&mut backoff, deadline).await? => {}
            Ok(None) => return Err(Error::from_store_as(ErrorKind::Unavailable, IN_DOUBT, error)),
            Err(looking) => return Err(doubt(&looking.to_string())),
        }
    }
}

const IN_DOUBT: &str = "writing HEAD, which may be there all the same: look before you try again";

fn doubt(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{IN_DOUBT}: {why}"))
}

/// Whether it is this HEAD that is there, or was: whoever found it may have committed.
fn judged(access: &Access, there: &Head, head: &Head) -> Result<()> {
    if there.manifest != head.manifest {
        return Err(taken(access, there));
    }
    match there.nonce_of(head.revision) {
        None if there.revision > head.revision => {
            Err(doubt("the HEAD that is there has moved on too far to tell"))
        }
        nonce if nonce == head.nonce_of(head.revision) => Ok(()),
        _ => Err(taken(access, there)),
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

fn unbuilt(error: FormatError) -> Error {
    Error::new(ErrorKind::Corrupt, format!("building HEAD: {error}"))
}
