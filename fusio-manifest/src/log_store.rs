//! Log objects in the store: written under names that are never used twice, read once however many wait for
//! them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::{
    access::{Access, Purpose},
    clock::{Moment, within},
    error::{Error, ErrorKind, Result},
    head::{Head, LogReference, ObjectReference},
    id::{Folder, ManifestId, ObjectName},
    immutable::{Destination, Portion, Unread},
    log::{self, LogObject},
};

use flights::Flights;
pub(crate) use flights::Follower;

mod flights;

/// How many objects are read at once by one handle that is behind: enough to hide their latency, few enough to
/// leave the connections to others.
const READS_AT_ONCE: usize = 64;

/// The log objects that a state needs, by name.
pub(crate) type Logged = BTreeMap<ObjectName, Arc<LogObject>>;

/// The bytes of log objects that a handle keeps to fold them, of those that it wrote: as much as one fold takes by
/// default.
const KEPT_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct LogStore {
    access: Arc<Access>,
    flights: Mutex<Flights>,
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
        self.flights.lock().written(name, length, content);
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
        self.flights.lock().settled(head);
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
        let flight = self.flights.lock().of(&reference);
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
        let whole = Portion::Whole(reference.object.bytes);
        let bytes = self
            .access
            .read(Folder::Log, manifest, name, whole, deadline, purpose)
            .await?;
        let key = self.access.key(Folder::Log, manifest, name);
        log::decode(manifest, &reference, bytes)
            .map(Arc::new)
            .map_err(|error| error.in_object(&key).into())
    }
}
