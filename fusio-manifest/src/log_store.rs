//! Log objects in the store: written under names that are never used twice, read once however many wait for
//! them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{sync::OnceCell, task::JoinSet};

use crate::{
    access::{Access, Purpose, patience},
    clock::{Moment, within},
    error::{Error, ErrorKind, Result},
    head::{LogReference, ObjectReference},
    id::{ManifestId, Nonce, ObjectName},
    log::{self, LogObject},
    store::{GetAnswer, GetOptions, PutMode, StoreErrorKind},
};

/// How many objects are read at once by one handle that is behind: enough to hide their latency, few enough to
/// leave the connections to others.
const READS_AT_ONCE: usize = 64;

/// How often a name may be taken already before the store is not believed any more.
const RENAMES_MAX: u32 = 16;

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

/// An object that is being read, or has been and is not part of a state yet.
#[derive(Debug, Clone)]
struct Flight {
    last_txn: u64,
    object: Arc<OnceCell<Arc<LogObject>>>,
}

#[derive(Debug)]
pub(crate) struct LogStore {
    access: Arc<Access>,
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
        let (length, crc32c) = (bytes.len() as u64, crc32c::crc32c(&bytes));
        let mut name = self.draw_name(epoch)?;
        let mut renamed = 0;
        let mut backoff = patience();
        loop {
            let key = self.access.keys.log(manifest, name);
            let limit = self.access.limit(deadline);
            let put = self
                .access
                .put(&key, bytes.clone(), PutMode::Create, purpose, limit)
                .await;
            match put {
                Ok(_) => break,
                // An earlier copy of this PUT is there, or a proxy's; or somebody drew the same name, as a cloned
                // machine may; or the store is wrong. Nobody has named it yet, so another name is right in any case.
                Err(error) if error.kind == StoreErrorKind::PreconditionFailed => {
                    renamed += 1;
                    if renamed > RENAMES_MAX {
                        return Err(Error::from_store("writing a log object under a new name", error));
                    }
                    name = self.draw_name(epoch)?;
                }
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
        Ok(ObjectReference {
            name,
            bytes: length,
            crc32c,
        })
    }

    fn draw_name(&self, epoch: u64) -> Result<ObjectName> {
        let nonce = Nonce::draw(&*self.access.entropy)?;
        Ok(ObjectName { epoch, nonce })
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

    /// A state with every commit up to `txn` is known: what was read for it is let go.
    pub(crate) fn settled(&self, txn: u64) {
        self.flights.lock().retain(|_, flight| flight.last_txn > txn);
    }

    /// Reads one. Who comes while it is being read shares the request; who comes before a state is known that
    /// holds it shares the object, also if the look that read it ran out of time over others.
    pub(crate) async fn load(
        &self,
        manifest: ManifestId,
        reference: LogReference,
        deadline: Moment,
    ) -> Result<Arc<LogObject>, Unread> {
        let name = reference.object.name;
        let flight = {
            let mut flights = self.flights.lock();
            let flight = flights.entry(name).or_insert_with(|| Flight {
                last_txn: reference.last_txn(),
                object: Arc::default(),
            });
            Arc::clone(&flight.object)
        };
        let limit = deadline.saturating_sub(self.access.clock.now());
        let read = flight.get_or_try_init(|| self.read(manifest, reference, deadline));
        // Another's read may have a later deadline than this one's.
        match within(&*self.access.clock, limit, read).await {
            Some(Ok(object)) => Ok(Arc::clone(object)),
            Some(Err(unread)) => Err(unread),
            None => Err(Error::new(
                ErrorKind::Unavailable,
                format!("log object {name} could not be read in time"),
            )
            .into()),
        }
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
