//! How a manifest comes to be, and how a handle finds it.

use std::{sync::Arc, time::Duration};

use crate::{
    backoff::Backoff,
    clock::{Moment, within},
    error::{Error, ErrorKind, Result},
    head::Head,
    head_io::{decode, get, timed_out},
    id::{Keys, ManifestId, Nonce, is_manifest_object},
    options::Options,
    state::State,
    store::{ETag, GetAnswer, GetOptions, PutMode, Store, StoreError, StoreErrorKind, probe},
};

/// What `create` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Creation {
    /// Nothing was there: the manifest is new, with the settings that were given.
    Created,
    /// It was there already, or somebody else was faster: its settings are the ones in force.
    Adopted,
}

/// A HEAD that was read, and when the request for it was sent.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) state: State,
    pub(crate) sent_at: Moment,
}

/// Finding a manifest answers soon even where the store does not: nobody waits half a minute for a typing
/// error in an endpoint.
const RETRIES: u32 = 4;

fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(1), RETRIES)
}

/// Reads HEAD; `None` if there is none.
async fn find(store: &dyn Store, keys: &Keys, options: &Options) -> Result<Option<Found>> {
    let mut backoff = backoff();
    loop {
        let sent_at = options.clock.now();
        let limit = options.request_timeout;
        let error = match get(store, &*options.clock, keys.head(), GetOptions::default(), limit).await {
            Ok(GetAnswer::Found { bytes, etag }) => {
                let length = bytes.len();
                let state = State::build(decode(keys.head(), bytes)?, etag, length)?;
                return Ok(Some(Found { state, sent_at }));
            }
            Ok(GetAnswer::NotModified) => StoreError::new(
                StoreErrorKind::Unexpected,
                "GET",
                keys.head(),
                "304 to a request without a condition",
            ),
            Err(error) if error.kind == StoreErrorKind::NotFound => {
                tracing::debug!(%error, "no HEAD");
                return Ok(None);
            }
            Err(error) => error,
        };
        retry_or_fail(&mut backoff, options, "reading HEAD", error).await?;
    }
}

/// Opens what is there.
pub(crate) async fn open(store: &dyn Store, keys: &Keys, options: &Options) -> Result<Found> {
    find(store, keys, options).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "no manifest at \"{}\" in {}: create it, or check bucket and prefix",
                keys.head(),
                store.describe()
            ),
        )
    })
}

/// Opens what is there, or makes the first HEAD.
pub(crate) async fn create(
    store: &Arc<dyn Store>,
    keys: &Keys,
    options: &Options,
) -> Result<(Found, Creation)> {
    if let Some(found) = find(&**store, keys, options).await? {
        return Ok((found, Creation::Adopted));
    }
    probe::probe(store, &*options.clock, &*options.entropy, keys.prefix()).await?;
    if let Some(orphan) = find_orphan(&**store, keys, options).await? {
        // Another creator may have been faster than the probe: then what was found is no orphan.
        return match find(&**store, keys, options).await? {
            Some(found) => Ok((found, Creation::Adopted)),
            None => Err(Error::new(
                ErrorKind::HeadLost,
                format!(
                    "\"{orphan}\" belongs to a manifest whose HEAD is gone from \"{}\": restore HEAD, or remove \
                     what is left, or choose another prefix",
                    keys.head()
                ),
            )),
        };
    }
    if let Ok(Some(warning)) = store.warning().await {
        tracing::warn!(store = store.describe(), "{warning}");
    }
    first_head(&**store, keys, options).await
}

/// An object of a manifest below the prefix. Without a HEAD it means that HEAD was lost, and a new one would
/// bury what it holds.
async fn find_orphan(store: &dyn Store, keys: &Keys, options: &Options) -> Result<Option<String>> {
    let mut after: Option<String> = None;
    let mut backoff = backoff();
    loop {
        let listed = bounded(
            options,
            "LIST",
            keys.prefix(),
            store.list(keys.prefix(), after.as_deref()),
        )
        .await;
        let page = match listed {
            Ok(page) => page,
            Err(error) => {
                retry_or_fail(
                    &mut backoff,
                    options,
                    "looking for objects of a lost manifest",
                    error,
                )
                .await?;
                continue;
            }
        };
        if let Some(orphan) = page
            .objects
            .iter()
            .find(|object| is_manifest_object(keys.prefix(), &object.key))
        {
            return Ok(Some(orphan.key.clone()));
        }
        match page.objects.last() {
            Some(last) if page.more => after = Some(last.key.clone()),
            _ => return Ok(None),
        }
    }
}

async fn first_head(store: &dyn Store, keys: &Keys, options: &Options) -> Result<(Found, Creation)> {
    let manifest = ManifestId::draw(&*options.entropy)?;
    let head = Head::first(manifest, Nonce::draw(&*options.entropy)?, options.shared);
    let bytes = head
        .encode()
        .map_err(|error| Error::new(ErrorKind::Corrupt, format!("building the first HEAD: {error}")))?;
    let mut backoff = backoff();
    loop {
        let sent_at = options.clock.now();
        let put = store.put(keys.head(), bytes.clone(), PutMode::Create);
        let error = match bounded(options, "PUT", keys.head(), put).await {
            Ok(etag) => return new_state(head, etag, bytes.len(), sent_at),
            Err(error) => error,
        };
        // Whatever the answer was, HEAD tells who was first: a creation that went unanswered may be ours.
        if let Some(found) = find(store, keys, options).await? {
            let ours = found.state.head.manifest == manifest;
            return Ok((
                found,
                if ours {
                    Creation::Created
                } else {
                    Creation::Adopted
                },
            ));
        }
        retry_or_fail(&mut backoff, options, "creating HEAD", error).await?;
    }
}

fn new_state(head: Head, etag: ETag, bytes: usize, sent_at: Moment) -> Result<(Found, Creation)> {
    let state = State::build(head, etag, bytes)?;
    Ok((Found { state, sent_at }, Creation::Created))
}

/// A request that the store may never answer.
async fn bounded<T>(
    options: &Options,
    operation: &'static str,
    key: &str,
    request: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let limit = options.request_timeout;
    within(&*options.clock, limit, request)
        .await
        .unwrap_or_else(|| Err(timed_out(operation, key, limit)))
}

async fn retry_or_fail(
    backoff: &mut Backoff,
    options: &Options,
    doing: &str,
    error: StoreError,
) -> Result<()> {
    let again = error.is_transient() || error.kind == StoreErrorKind::Conflict;
    let wait = if again {
        backoff.next(options.entropy.unit()?)
    } else {
        None
    };
    match wait {
        Some(wait) => {
            options.clock.sleep(wait).await;
            Ok(())
        }
        None => Err(Error::from_store(doing, error)),
    }
}
