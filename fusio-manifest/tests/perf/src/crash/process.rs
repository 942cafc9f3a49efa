//! The life of one process, from its order until it is killed or its standard input ends.

mod founder;
mod maintainer;
pub(crate) mod reader;
pub(crate) mod writer;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _, Write as _},
    path::Path,
    process::{ExitStatus, exit},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, Error, ErrorKind, Maintenance, Manifest, Options, RequestMeter, SystemClock, store::Store,
};
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{
    doomed::{DoomedStore, Phase},
    journal::Journal,
    order::{Order, Ordered, Role},
    points::Point,
    shared_settings,
};
use crate::{history::Write, interrupt::Interrupt, target::Ask};

/// How it ends if it could not begin, if its journal cannot be written, and if it could not stop.
const NO_BEGINNING: i32 = 2;
pub(super) const NO_JOURNAL: i32 = 3;
const NO_END: i32 = 4;

/// How long it may take to stop: its parent may be gone, and the store with it.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Keys of the pool are read together in ranges of this many.
const RANGE: u32 = 8;
/// Keys that only large transactions write.
const LARGE_KEYS: u32 = 60;
/// Large transactions write this many of them, of this many bytes: more than a log object's worth of small ones.
const LARGE_WRITES: u32 = 24;
const LARGE_VALUE_BYTES: usize = 1_500;

/// Why a process ended that was not to: its last words, which it puts into this file.
pub(crate) fn last_words(status: ExitStatus, errors: &Path) -> String {
    let said = fs::read_to_string(errors).unwrap_or_default();
    let said = match (said.lines().next_back(), status.code()) {
        (Some(said), _) => said,
        // A disk that is full holds no words either.
        (None, Some(NO_JOURNAL)) => "its journal cannot be written: is there room where PERF_OUT is?",
        (None, _) => "it said nothing",
    };
    format!("ended by itself ({status}): {said}")
}

/// Carries out an order, and ends this process.
pub(crate) fn carry_out(ordered: Result<Ordered, String>) -> ! {
    let done = ordered.and_then(|Ordered(order)| {
        let stop = stop_at_end_of_input();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime: {error}"))?;
        runtime.block_on(live(order, stop))
    });
    end_with(done)
}

/// Ends this process, and tells its parent why if it could not do its work.
pub(crate) fn end_with(done: Result<(), String>) -> ! {
    match done {
        Ok(()) => exit(0),
        Err(why) => {
            let _ = writeln!(io::stderr(), "error: {why}");
            exit(NO_BEGINNING)
        }
    }
}

/// Standard input ends when the parent says so, and when the parent is gone, however that came.
pub(crate) fn stop_at_end_of_input() -> Interrupt {
    let stop = Interrupt::new();
    let told = stop.clone();
    thread::spawn(move || {
        // Nothing is ever written there.
        let _ = io::stdin().read(&mut [0]);
        told.set();
        thread::park_timeout(STOP_MAX);
        exit(NO_END);
    });
    stop
}

async fn live(order: Order, stop: Interrupt) -> Result<(), String> {
    let s3 = order.address.connect(&Arc::new(RequestMeter::new())).await?;
    let journal = Journal::create(&order.journal).map_err(|error| format!("no journal: {error}"))?;
    let journal = Arc::new(journal);
    let phase = Arc::new(Phase::default());
    let points: BTreeSet<Point> = order
        .points
        .iter()
        .filter_map(|name| Point::named(name))
        .collect();
    let store = DoomedStore::new(
        Arc::new(s3),
        order.role,
        Arc::clone(&phase),
        points,
        Arc::clone(&journal),
    );
    let process = Process {
        store: Arc::new(store),
        phase,
        rng: Mutex::new(StdRng::seed_from_u64(order.seed)),
        order,
        journal,
        stop,
    };
    match process.order.role {
        Role::Writer => writer::live(&process).await,
        Role::Reader => reader::live(&process).await,
        Role::Maintainer => maintainer::live(&process).await,
        Role::Founder => founder::live(&process).await,
    }
}

/// One process, as all roles have it.
pub(crate) struct Process {
    order: Order,
    store: Arc<dyn Store>,
    phase: Arc<Phase>,
    journal: Arc<Journal>,
    rng: Mutex<StdRng>,
    stop: Interrupt,
}

impl Process {
    /// One that lives until it is told to stop, with a journal that it shares.
    pub(crate) fn undying(
        order: Order,
        store: Arc<dyn Store>,
        journal: Arc<Journal>,
        stop: Interrupt,
    ) -> Self {
        Self {
            store,
            phase: Arc::default(),
            rng: Mutex::new(StdRng::seed_from_u64(order.seed)),
            order,
            journal,
            stop,
        }
    }

    fn options(&self) -> Options {
        let maintains = self.order.role == Role::Maintainer || self.order.slot == 0;
        Options {
            shared: shared_settings(),
            commit_timeout: Duration::from_secs(10),
            // One of the writers does what writers do by default; the others leave it to those whose work it is.
            maintenance: match maintains {
                true => Maintenance::Beside,
                false => Maintenance::OnDemand,
            },
            mutant: self.order.mutant(),
            ..Options::default()
        }
    }

    /// Opens the manifest of the run, again where that fails as it may; none if it is to stop.
    async fn open(&self) -> Result<Option<Manifest>, String> {
        while !self.stop.is_set() {
            match Manifest::open(Arc::clone(&self.store), &self.order.prefix, self.options()).await {
                Ok(manifest) => return Ok(Some(manifest)),
                Err(error) if is_wrong(error.kind()) => return Err(error.to_string()),
                Err(error) => self.note("open", &error),
            }
            self.pause(Duration::from_millis(50)).await;
        }
        Ok(None)
    }

    /// Puts down that something failed: as it may, or as no kill excuses.
    pub(crate) fn note(&self, doing: &str, error: &Error) {
        if is_wrong(error.kind()) {
            self.wrong(format!("{doing}: {error}"));
        } else {
            self.journal.failed(format!("{doing}: {:?}", error.kind()));
        }
    }

    fn wrong(&self, what: impl Into<String>) {
        let (role, number) = (self.order.role.as_str(), self.order.number);
        self.journal.wrong(format!("{role} {number}: {}", what.into()));
    }

    /// Waits, but not past the end.
    async fn pause(&self, span: Duration) {
        tokio::select! {
            biased;
            () = self.stop.wait() => {}
            () = SystemClock.sleep(span) => {}
        }
    }

    /// The pause between two operations: half to one and a half of the ordered one.
    async fn rest(&self) {
        let share = self.draw(50..150);
        self.pause(self.order.pause * share / 100).await;
    }

    pub(crate) fn draw(&self, range: std::ops::Range<u32>) -> u32 {
        self.rng.lock().random_range(range)
    }

    fn pool_key(&self) -> Bytes {
        pool_key(self.draw(0..self.order.pool))
    }

    /// A few neighbours of the pool.
    fn pool_range(&self) -> Ask {
        let first = self.draw(0..self.order.pool);
        Ask::Range(pool_key(first), pool_key(first + RANGE))
    }
}

fn pool_key(number: u32) -> Bytes {
    Bytes::from(format!("pool_{number:06}"))
}

fn large_key(number: u32) -> Bytes {
    Bytes::from(format!("large_{number:06}"))
}

/// A key that one transaction writes, and no other one ever does: so the end shows whether it is committed.
fn mark(client: u32, number: u32) -> Write {
    Write {
        key: Bytes::from(format!("mark_{client:06}_{number:06}")),
        value: Some(Bytes::from(format!("{client}.{number}"))),
    }
}

/// True of what happens to nobody whose store works, whoever is killed beside.
fn is_wrong(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::Conflict
            | ErrorKind::PreconditionFailed
            | ErrorKind::CommitUnknown
            | ErrorKind::DeadlineExceeded
            | ErrorKind::Busy
            | ErrorKind::Full
            // A pin that expired, or that somebody released. A manifest that is gone is HeadLost to who has it open.
            | ErrorKind::NotFound
            | ErrorKind::SnapshotExpired
            | ErrorKind::Unavailable
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn who_ends_by_itself_says_why_also_where_the_disk_is_full() {
        let folder = std::env::temp_dir().join(format!("last-words-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let errors = folder.join("stderr");
        let words = |code: i32| last_words(ExitStatus::from_raw(code << 8), &errors);
        assert!(words(NO_BEGINNING).ends_with("it said nothing"));
        let full = words(NO_JOURNAL);
        assert!(full.contains("journal") && full.contains("PERF_OUT"), "{full}");
        fs::write(&errors, "first\nlast\n").unwrap();
        assert_eq!(words(NO_JOURNAL), "ended by itself (exit status: 3): last");
        fs::remove_dir_all(&folder).unwrap();
    }
}
