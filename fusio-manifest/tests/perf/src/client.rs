//! Clients: what issues operations, and what each one records.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{Clock, Moment, store::BoxFuture};
use parking_lot::Mutex;
use tokio::{runtime, sync::mpsc};

use crate::{history::Recorder, registry::KeyRegistry};

pub use appender::Appender;
pub use holder::Holder;
pub use kept::{Kept, KeptCounts};
pub use maintainer::Maintainer;
pub use monotonic_writer::MonotonicWriter;
pub use own::Own;
pub use pinner::Pinner;
pub use reader::Reader;
pub use scanner::Scanner;
pub use transactor::Transactor;
pub use unknown::{UnknownCommit, UnknownCommits};
pub use writer::Writer;

mod appender;
mod draws;
mod held;
mod holder;
mod kept;
mod maintainer;
mod monotonic_writer;
mod own;
mod pinner;
mod reader;
mod scanner;
mod transactor;
mod unknown;
mod writer;

/// The length of each value. With its key a commit is then 110 bytes of payload.
pub const VALUE_BYTES: usize = 100;

/// The kinds of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientType {
    /// Commits the registry's next key, one after the other, with the engine's own rebase.
    MonotonicWriter,
    /// Reads a key of the pool and writes it back, trying again by itself when it loses.
    Writer,
    /// Reads lists and appends to some of them, in transactions that the engine rebases.
    Appender,
    /// Reads keys and ranges, puts and deletes keys, in transactions that the engine rebases.
    Transactor,
    /// Asks for maintenance.
    Maintainer,
    /// Reads an acknowledged key, fresh.
    Reader,
    /// Reads keys and ranges of one state, fresh.
    Scanner,
    /// Reads one state again and again, for longer than the retention.
    Holder,
    /// Keeps states under names, opens them later and lets go of them.
    Pinner,
    /// Replaces an object under a condition, and nothing else.
    FloorPut,
    /// Reads an object under a condition, and nothing else.
    FloorGet,
}

impl ClientType {
    /// True if the client does one operation after the other, and those that arrive meanwhile queue up.
    pub fn is_serial(self) -> bool {
        match self {
            Self::MonotonicWriter | Self::FloorPut => true,
            Self::Writer
            | Self::Appender
            | Self::Transactor
            | Self::Maintainer
            | Self::Reader
            | Self::Scanner
            | Self::Holder
            | Self::Pinner
            | Self::FloorGet => false,
        }
    }
}

/// An operation that the schedule wants. Times are on the run's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it was wanted.
    pub due: Moment,
    /// When the generator handed it over.
    pub issued: Moment,
}

/// One client.
pub trait Client: Send + Sync {
    /// Which kind it is.
    fn kind(&self) -> ClientType;

    /// Does one operation from beginning to end, and records it.
    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()>;

    /// The generator refused an arrival because too many were open.
    fn dropped(&self, due: Moment);

    /// So many operations of this client are open, of which so many wait for an earlier one.
    fn load(&self, open: u64, waiting: u64);
}

/// The time that a run's measurements count from. Zero until the measurement begins: nothing is recorded then.
#[derive(Debug, Default)]
pub struct Epoch(AtomicU64);

impl Epoch {
    /// The measurement begins.
    pub fn begin(&self, t0: Moment) {
        self.0.store(nanos(t0).max(1), Ordering::Release);
    }

    /// When it began; `None` during warm-up.
    pub fn t0(&self) -> Option<Moment> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }
}

/// What the clients of a run share.
pub struct Shared {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The start of the measurement.
    pub epoch: Epoch,
    /// The keys.
    pub registry: KeyRegistry,
    /// The history.
    pub recorder: Recorder,
    /// What went wrong, for people: the first few.
    pub errors: Errors,
    /// Commits whose outcome nobody knows yet.
    pub unknown: UnknownCommits,
    /// What became of states that were held and pinned.
    pub kept: Kept,
    /// Operations that ended, for the progress line.
    pub ended: AtomicU64,
    values: AtomicU64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Nothing recorded yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            epoch: Epoch::default(),
            registry: KeyRegistry::new(),
            recorder: Recorder::new(),
            errors: Errors::default(),
            unknown: UnknownCommits::default(),
            kept: Kept::default(),
            ended: AtomicU64::new(0),
            values: AtomicU64::new(0),
        }
    }

    /// A number that no other write of the run has.
    pub fn unique_number(&self) -> u64 {
        self.values.fetch_add(1, Ordering::Relaxed)
    }

    /// A value of [`VALUE_BYTES`] bytes that no other write of the run has.
    pub fn unique_value(&self) -> Bytes {
        let number = self.unique_number();
        Bytes::from(format!("{number:-<VALUE_BYTES$}"))
    }

    /// Now, as histories have it.
    pub fn nanos(&self) -> u64 {
        nanos(self.clock.now())
    }
}

fn nanos(moment: Moment) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

/// The first few errors, and how many there were; and the first few of those that no fault explains.
#[derive(Debug, Default)]
pub struct Errors(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    count: u64,
    first: Vec<String>,
    alarms: Vec<Alarm>,
}

/// An answer that nothing explains which may go wrong between a store and its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: &'static str,
    /// What was answered, and to whom.
    pub text: String,
}

impl Errors {
    const KEPT: usize = 5;

    /// What the engine says where an object is gone that it needs, and where HEAD is an older one.
    const ALARMING: [(&'static str, &'static str); 2] = [
        ("somebody deleted", "ObjectLost"),
        ("the store went back", "FalseAlarm"),
    ];

    /// Notes one.
    pub fn note(&self, what: impl FnOnce() -> String) {
        let what = what();
        let alarming = Self::ALARMING.iter().find(|(words, _)| what.contains(words));
        if let Some((_, name)) = alarming {
            self.alarm(name, what.clone());
        }
        let mut noted = self.0.lock();
        noted.count += 1;
        if noted.first.len() < Self::KEPT {
            noted.first.push(what);
        }
    }

    /// Notes one that no fault explains.
    pub fn alarm(&self, name: &'static str, text: String) {
        let mut noted = self.0.lock();
        if noted.alarms.len() < Self::KEPT {
            noted.alarms.push(Alarm { name, text });
        }
    }

    /// How many, and the first few.
    pub fn all(&self) -> (u64, Vec<String>) {
        let noted = self.0.lock();
        (noted.count, noted.first.clone())
    }

    /// Those that no fault explains: the first few.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.0.lock().alarms.clone()
    }
}

/// Hands arrivals to a client: at once, or through its queue.
pub struct Driver {
    client: Arc<dyn Client>,
    runtime: runtime::Handle,
    clock: Arc<dyn Clock>,
    queue: Option<mpsc::UnboundedSender<Arrival>>,
    open: Arc<AtomicU64>,
    open_max: u64,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("kind", &self.client.kind())
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Driver {
    /// Drives `client` on the current runtime with at most `open_max` operations open.
    pub fn new(client: Arc<dyn Client>, clock: Arc<dyn Clock>, open_max: u64) -> Arc<Self> {
        let runtime = runtime::Handle::current();
        let open = Arc::new(AtomicU64::new(0));
        let queue = client.kind().is_serial().then(|| {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let (client, open) = (Arc::clone(&client), Arc::clone(&open));
            runtime.spawn(async move {
                while let Some(arrival) = receiver.recv().await {
                    client.operate(arrival).await;
                    open.fetch_sub(1, Ordering::AcqRel);
                }
            });
            sender
        });
        Arc::new(Self {
            client,
            runtime,
            clock,
            queue,
            open,
            open_max,
        })
    }

    /// An operation has arrived: it is issued, whatever became of earlier ones, unless too many are open.
    pub fn arrive(&self, due: Moment) {
        let open = self.open.load(Ordering::Acquire);
        if open >= self.open_max {
            return self.client.dropped(due);
        }
        self.open.fetch_add(1, Ordering::AcqRel);
        self.client
            .load(open + 1, if self.queue.is_some() { open } else { 0 });
        match &self.queue {
            Some(queue) => {
                let arrival = Arrival {
                    due,
                    issued: self.clock.now(),
                };
                if queue.send(arrival).is_err() {
                    // The client's task is gone with its runtime; nobody counts any more.
                    self.open.fetch_sub(1, Ordering::AcqRel);
                }
            }
            None => {
                let (client, open) = (Arc::clone(&self.client), Arc::clone(&self.open));
                let clock = Arc::clone(&self.clock);
                self.runtime.spawn(async move {
                    // Issued when it begins to run: what the runtime's queue costs is the generator's fault.
                    client
                        .operate(Arrival {
                            due,
                            issued: clock.now(),
                        })
                        .await;
                    open.fetch_sub(1, Ordering::AcqRel);
                });
            }
        }
    }

    /// The client, to be operated without a schedule.
    pub fn client(&self) -> &Arc<dyn Client> {
        &self.client
    }

    /// How many operations are open.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
