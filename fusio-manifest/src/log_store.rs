//! Log objects in the store: written under names that are never used twice, read once however many wait for
//! them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{sync::OnceCell, task::JoinSet};

use crate::{
    access::{Access, Purpose},
    clock::{Moment, within},
    error::{Error, ErrorKind, Result},
    head::{Head, LogReference, ObjectReference},
    id::{Folder, ManifestId, ObjectName},
    immutable::{Destination, Unread},
    log::{self, LogObject},
};

/// How many objects are read at once by one handle that is behind: enough to hide their latency, few enough to
/// leave the connections to others.
const READS_AT_ONCE: usize = 64;

/// The log objects that a state needs, by name.
pub(crate) type Logged = BTreeMap<ObjectName, Arc<LogObject>>;

/// The bytes of log objects that a handle keeps to fold them, of those that it wrote: as much as one fold takes by
/// default.
const KEPT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// An object that is being read, or has been and is not part of a state yet; or was written and is not folded yet.
#[derive(Debug, Clone)]
struct Flight {
    last_txn: u64,
    /// Its bytes, if this handle wrote it.
    written: Option<Written>,
    object: Arc<OnceCell<Arc<LogObject>>>,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    bytes: u64,
    /// Some HEAD names it, or named it.
    named: bool,
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
    /// An error means that HEAD may not name it.
    pub(crate) async fn put(
        &self,
        to: Destination,
        bytes: Bytes,
        content: &Arc<LogObject>,
    ) -> Result<ObjectReference> {
        let (length, crc32c) = (bytes.len() as u64, crc32c::crc32c(&bytes));
        let name = self.access.put_new(Folder::Log, to, bytes).await?;
        // Who wrote it need not read it when it is folded.
        let written = Flight {
            last_txn: 0,
            written: Some(Written {
                bytes: length,
                named: false,
            }),
            object: Arc::new(OnceCell::new_with(Some(Arc::clone(content)))),
        };
        self.flights.lock().insert(name, written);
        Ok(ObjectReference {
            name,
            bytes: length,
            crc32c,
        })
    }

    /// Reads all of these, at once.
    pub(crate) async fn load_all(
        self: &Arc<Self>,
        manifest: ManifestId,
        references: Vec<LogReference>,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<Logged, Unread> {
        let mut logged = Logged::new();
        if let [one] = references.as_slice() {
            logged.insert(
                one.object.name,
                self.load(manifest, *one, deadline, purpose).await?,
            );
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
                    let object = store.load(manifest, reference, deadline, purpose).await;
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

    /// The state of `head` is known: what was read for it, and is not to be folded, is let go.
    pub(crate) fn settled(&self, head: &Head) {
        let mut flights = self.flights.lock();
        if flights.is_empty() {
            return;
        }
        let named: BTreeSet<ObjectName> = head
            .log_objects()
            .map(|reference| reference.object.name)
            .collect();
        let mut kept = 0;
        flights.retain(|name, flight| {
            // Some look waits for it.
            if flight.last_txn > head.last_txn {
                return true;
            }
            let Some(written) = &mut flight.written else {
                return false;
            };
            let (was_named, is_named) = (written.named, named.contains(name));
            written.named |= is_named;
            let keep = (is_named || !was_named) && kept + written.bytes <= KEPT_BYTES_MAX;
            kept += if keep { written.bytes } else { 0 };
            keep
        });
    }

    /// Reads one. Who comes while it is being read shares the request; who comes before a state is known that
    /// holds it shares the object, also if the look that read it ran out of time over others.
    pub(crate) async fn load(
        &self,
        manifest: ManifestId,
        reference: LogReference,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<Arc<LogObject>, Unread> {
        let name = reference.object.name;
        let flight = {
            let mut flights = self.flights.lock();
            let flight = flights.entry(name).or_insert_with(|| Flight {
                last_txn: reference.last_txn(),
                written: None,
                object: Arc::default(),
            });
            Arc::clone(&flight.object)
        };
        let limit = deadline.saturating_sub(self.access.clock.now());
        let read = flight.get_or_try_init(|| self.read(manifest, reference, deadline, purpose));
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
        purpose: Purpose,
    ) -> Result<Arc<LogObject>, Unread> {
        let name = reference.object.name;
        let bytes = self
            .access
            .read(Folder::Log, manifest, name, None, deadline, purpose)
            .await?;
        let key = self.access.key(Folder::Log, manifest, name);
        log::decode(manifest, &reference, bytes)
            .map(Arc::new)
            .map_err(|error| error.in_object(&key).into())
    }
}
