//! Log objects in the store: written under names that are never used twice, read once however many wait for
//! them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{sync::OnceCell, task::JoinSet};

use crate::{
    access::{Access, Purpose, patience},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::{LogReference, ObjectReference},
    id::{ManifestId, Nonce, ObjectName},
    log::{self, LogObject},
    store::{GetAnswer, GetOptions, PutMode, StoreErrorKind},
};

/// How many objects are read at once by one handle that is behind: enough to hide their latency, few enough to
/// leave the connections to others.
const READS_AT_ONCE: usize = 64;

/// The log objects that a state needs, by name.
pub(crate) type Logged = BTreeMap<ObjectName, Arc<LogObject>>;

/// Why log objects could not be read.
#[derive(Debug, Clone)]
pub(crate) enum Unread {
    /// This one is not there.
    Gone(ObjectName),
    /// The store or the object is at fault.
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

type Flight = Arc<OnceCell<Arc<LogObject>>>;

#[derive(Debug)]
pub(crate) struct LogStore {
    access: Arc<Access>,
    /// Objects that are being read.
    flights: Mutex<BTreeMap<ObjectName, Flight>>,
}

impl LogStore {
    pub(crate) fn new(access: Arc<Access>) -> Arc<Self> {
        Arc::new(Self {
            access,
            flights: Mutex::default(),
        })
    }

    /// Writes a log object of the epoch that its writer holds.
    ///
    /// An error means that HEAD may not name it. What was sent may arrive all the same: then nothing ever names it.
    pub(crate) async fn put(
        &self,
        manifest: ManifestId,
        epoch: u64,
        bytes: Bytes,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<ObjectReference> {
        let nonce = Nonce::draw(&*self.access.entropy)?;
        let name = ObjectName { epoch, nonce };
        let key = self.access.keys.log(manifest, name);
        let written = ObjectReference {
            name,
            bytes: bytes.len() as u64,
            crc32c: crc32c::crc32c(&bytes),
        };
        let mut backoff = patience();
        loop {
            let put = self
                .access
                .put(&key, bytes.clone(), PutMode::Create, purpose)
                .await;
            match put {
                Ok(_) => return Ok(written),
                // The name is ours alone: an earlier copy of this PUT is what is there.
                Err(error) if error.kind == StoreErrorKind::PreconditionFailed => return Ok(written),
                Err(error) if error.is_transient() || error.kind == StoreErrorKind::Conflict => {
                    if !self.access.wait(&mut backoff, deadline).await? {
                        return Err(Error::from_store_as(
                            ErrorKind::Unavailable,
                            "writing a log object, which no commit names yet",
                            error,
                        ));
                    }
                }
                Err(error) => return Err(Error::from_store("writing a log object", error)),
            }
        }
    }

    /// Reads all of these, at once.
    pub(crate) async fn load_all(
        self: &Arc<Self>,
        manifest: ManifestId,
        references: Vec<LogReference>,
        deadline: Moment,
    ) -> Result<Logged, Unread> {
        let mut logged = Logged::new();
        if let [one] = references.as_slice() {
            logged.insert(one.object.name, self.load(manifest, *one, deadline).await?);
            return Ok(logged);
        }
        let mut left = references.into_iter();
        let mut reads = JoinSet::new();
        loop {
            while reads.len() < READS_AT_ONCE
                && let Some(reference) = left.next()
            {
                let store = Arc::clone(self);
                reads.spawn(async move {
                    let object = store.load(manifest, reference, deadline).await;
                    (reference.object.name, object)
                });
            }
            match reads.join_next().await {
                None => return Ok(logged),
                Some(Ok((name, object))) => {
                    logged.insert(name, object?);
                }
                Some(Err(stopped)) => {
                    let message = format!("reading log objects was stopped: {stopped}");
                    return Err(Error::new(ErrorKind::Closed, message).into());
                }
            }
        }
    }

    /// Reads one; who comes while it is being read shares the request.
    pub(crate) async fn load(
        &self,
        manifest: ManifestId,
        reference: LogReference,
        deadline: Moment,
    ) -> Result<Arc<LogObject>, Unread> {
        let name = reference.object.name;
        let flight = Arc::clone(self.flights.lock().entry(name).or_default());
        let loaded = flight
            .get_or_try_init(|| self.read(manifest, reference, deadline))
            .await
            .cloned();
        // Those who wait hold it; who comes later has no need of it once the state is known.
        self.flights.lock().remove(&name);
        loaded
    }

    async fn read(
        &self,
        manifest: ManifestId,
        reference: LogReference,
        deadline: Moment,
    ) -> Result<Arc<LogObject>, Unread> {
        let key = self.access.keys.log(manifest, reference.object.name);
        let mut backoff = patience();
        loop {
            let error = match self.access.get(&key, GetOptions::default(), deadline).await {
                Ok(GetAnswer::Found { bytes, .. }) => {
                    return log::decode(manifest, &reference, bytes)
                        .map(Arc::new)
                        .map_err(|error| error.in_object(&key).into());
                }
                Ok(GetAnswer::NotModified) => {
                    let message = format!("object {key}: 304 to a request without a condition");
                    return Err(Error::new(ErrorKind::Unavailable, message).into());
                }
                Err(error) => error,
            };
            if error.kind == StoreErrorKind::NotFound {
                return Err(Unread::Gone(reference.object.name));
            }
            if !error.is_transient() || !self.access.wait(&mut backoff, deadline).await? {
                return Err(Error::from_store("reading a log object", error).into());
            }
        }
    }
}
