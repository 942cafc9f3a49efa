//! How a manifest comes to be, and how a handle finds it.

use std::{sync::Arc, time::Duration};

use crate::{
    access::{Access, Purpose, unread, whole_head},
    backoff::Backoff,
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::Head,
    head_io::{Fetched, Gone, useless},
    id::{ManifestId, Nonce},
    immutable::Unread,
    impatient::Impatient,
    log_store::{LogStore, Logged},
    options::Options,
    pages,
    spawned::Spawned,
    state::State,
    store::{GetAnswer, PutMode, Store, StoreError, StoreErrorKind, probe},
    table_store::TableStore,
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
    pub(crate) tables: Arc<TableStore>,
    pub(crate) state: State,
    pub(crate) sent_at: Moment,
}

/// Finding a manifest answers soon even where the store does not: nobody waits half a minute for a typing
/// error in an endpoint.
const RETRIES: u32 = 4;

fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(1), RETRIES)
}

/// Reads HEAD and the log objects that it names; `None` if there is no HEAD.
async fn find(log: &Arc<LogStore>, access: &Arc<Access>, options: &Options) -> Result<Option<Found>> {
    let mut backoff = backoff();
    let mut gone = Gone::default();
    // Of all of it: a store that shows another HEAD each time is not followed for ever.
    let deadline = access.clock.now().saturating_add(options.read_timeout);
    let mut failed: Option<StoreError> = None;
    loop {
        let sent_at = access.clock.now();
        let key = access.keys.head();
        if let Some(error) = failed.take_if(|_| sent_at >= deadline) {
            return Err(unread("reading HEAD", key, error));
        }
        let error = match access.get(key, whole_head(None), deadline, Purpose::Path).await {
            Ok(GetAnswer::Found { bytes, etag }) => {
                let fetched = Fetched::decode(key, bytes, etag)?;
                fetched.check_etag(access)?;
                let tables = table_store(access, fetched.head.manifest, options);
                // Beside the log objects, and on when the handle is open: nobody waits for them here.
                tables
                    .warm(&fetched.head.runs)
                    .into_iter()
                    .for_each(Spawned::detach);
                match fetched.into_state(log, None, deadline).await {
                    Ok(state) => {
                        log.settled(&state.head);
                        return Ok(Some(Found {
                            tables,
                            state,
                            sent_at,
                        }));
                    }
                    Err(Unread::Gone(name)) => gone.again(access, name)?,
                    Err(Unread::Failed(error)) => return Err(error),
                }
                continue;
            }
            Ok(GetAnswer::NotModified) => StoreError::new(
                StoreErrorKind::Unexpected,
                "GET",
                key,
                "304 to a request without a condition",
            ),
            Err(error) if error.kind == StoreErrorKind::NotFound => {
                tracing::debug!(%error, "no HEAD");
                return Ok(None);
            }
            Err(error) => error,
        };
        if error.kind == StoreErrorKind::TooLong {
            return Err(unread("reading HEAD", key, error));
        }
        failed = Some(error.clone());
        retry_or_fail(&mut backoff, access, "reading HEAD", error).await?;
    }
}

/// Opens what is there.
pub(crate) async fn open(log: &Arc<LogStore>, access: &Arc<Access>, options: &Options) -> Result<Found> {
    find(log, access, options).await?.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "no manifest at \"{}\" in {}: create it, or check bucket and prefix",
                access.keys.head(),
                access.store.describe()
            ),
        )
    })
}

/// Opens what is there, or makes the first HEAD.
pub(crate) async fn create(
    log: &Arc<LogStore>,
    access: &Arc<Access>,
    options: &Options,
) -> Result<(Found, Creation)> {
    if let Some(found) = find(log, access, options).await? {
        return Ok((found, Creation::Adopted));
    }
    let store: Arc<dyn Store> = Arc::new(Impatient::new(access));
    probe::probe(&store, &*access.clock, &*access.entropy, access.keys.prefix()).await?;
    if let Some(orphan) = find_orphan(access).await? {
        // Another creator may have been faster than the probe: then what was found is no orphan.
        return match find(log, access, options).await? {
            Some(found) => Ok((found, Creation::Adopted)),
            None => Err(Error::new(
                ErrorKind::HeadLost,
                format!(
                    "\"{orphan}\" belongs to a manifest whose HEAD is gone from \"{}\": restore it \
                     (`restore_head`), or remove what is left, or choose another prefix",
                    access.keys.head()
                ),
            )),
        };
    }
    if let Ok(Some(warning)) = store.warning().await {
        tracing::warn!(store = access.store.describe(), "{warning}");
    }
    first_head(log, access, options).await
}

/// An object of a manifest below the prefix. Without a HEAD it means that HEAD was lost, and a new one would
/// bury what it holds.
async fn find_orphan(access: &Access) -> Result<Option<String>> {
    let prefix = access.keys.prefix();
    let doing = "looking for objects of a lost manifest";
    let mut after: Option<String> = None;
    let mut backoff = backoff();
    let mut read = 0;
    loop {
        let page = access.store.list(prefix, after.as_deref());
        let listed = access.bounded("LIST", prefix, access.request_timeout, page).await;
        let page = match listed {
            Ok(page) => page,
            Err(error) => {
                retry_or_fail(&mut backoff, access, doing, error).await?;
                continue;
            }
        };
        read += 1;
        if let Some(flaw) = pages::flaw(prefix, after.as_deref(), read, &page) {
            return Err(pages::wrong(access, prefix, doing, &flaw));
        }
        if let Some(orphan) = page
            .objects
            .iter()
            .find(|object| access.keys.is_object(&object.key))
        {
            return Ok(Some(orphan.key.clone()));
        }
        match page.objects.last() {
            Some(last) if page.more => after = Some(last.key.clone()),
            _ => return Ok(None),
        }
    }
}

async fn first_head(
    log: &Arc<LogStore>,
    access: &Arc<Access>,
    options: &Options,
) -> Result<(Found, Creation)> {
    let key = access.keys.head();
    let manifest = ManifestId::draw(&*access.entropy)?;
    let mut head = Head::first(manifest, Nonce::draw(&*access.entropy)?, options.shared);
    // There is nothing to collect before the first retention is over.
    head.fenced_unix_ms = access.date().unwrap_or_default();
    let bytes = head
        .encode()
        .map_err(|error| Error::new(ErrorKind::Corrupt, format!("building the first HEAD: {error}")))?;
    let mut backoff = backoff();
    loop {
        let sent_at = access.clock.now();
        let put = access.put(
            key,
            bytes.clone(),
            PutMode::Create,
            Purpose::Path,
            access.request_timeout,
        );
        let error = match put.await {
            Ok(etag) if etag.flaw().is_none() => {
                let tables = table_store(access, manifest, options);
                let state = State::build(head, etag, bytes.len(), &Logged::new())?;
                let found = Found {
                    tables,
                    state,
                    sent_at,
                };
                return Ok((found, Creation::Created));
            }
            Ok(etag) => useless(key, &format!("an ETag {}", etag.flaw().unwrap_or_default())),
            Err(error) => error,
        };
        // Whatever the answer was, HEAD tells who was first: a creation that went unanswered may be ours.
        if let Some(found) = find(log, access, options).await? {
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
        retry_or_fail(&mut backoff, access, "creating HEAD", error).await?;
    }
}

fn table_store(access: &Arc<Access>, manifest: ManifestId, options: &Options) -> Arc<TableStore> {
    TableStore::new(
        Arc::clone(access),
        manifest,
        options.cache_bytes,
        options.read_timeout,
    )
}

async fn retry_or_fail(backoff: &mut Backoff, access: &Access, doing: &str, error: StoreError) -> Result<()> {
    let again = error.is_transient() || error.kind == StoreErrorKind::Conflict;
    let wait = if again {
        backoff.next(access.entropy.unit()?)
    } else {
        None
    };
    match wait {
        Some(wait) => {
            access.clock.sleep(wait).await;
            Ok(())
        }
        None => Err(Error::from_store(doing, error)),
    }
}
