//! One cell from beginning to end: warm-up, measure, drain, and what the check needs.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fusio_manifest::{Clock, Moment, RequestMeter};

use crate::{
    client::{Alarm, Arrival, Client, Driver, KeptCounts, MonotonicWriter, Own, Shared},
    config::WorkloadConfig,
    history::{ClientId, History, State},
    interrupt::Interrupt,
    metrics::{MetricsCollector, Role, Timeline},
    progress::Progress,
    requests::{CellRequests, RequestCounts},
    s3::accounting::report_counts,
    schedule::{Plan, serve, serve_in_virtual_time},
    settings::Settings,
    store_under_test::{Meters, StoreUnderTest},
    target::{Target, TargetHandle},
};

pub use ask::Asked;
pub use clients::{Clients, FirstWriter};
pub use crew::{Crew, ReaderTask, WriterTask};

mod ask;
mod clients;
mod crew;

/// How long operations may take to end once nothing new is issued: longer than any deadline of theirs.
const DRAIN_MAX: Duration = Duration::from_secs(60);

/// Sets the seeds of cells apart from those of clients, which use the same numbers.
const OF_CELLS: u64 = 0x63_656c_6c73;

/// The client that makes the manifest and commits its first key.
pub const SETTER_UP: ClientId = ClientId(0);

/// What a cell needs.
pub struct Cell<'a> {
    /// Its name: part of its prefix.
    pub name: String,
    /// The load.
    pub config: &'a WorkloadConfig,
    /// Everything else that was set.
    pub settings: &'a Settings,
    /// Where.
    pub store: &'a StoreUnderTest,
    /// What counts its requests: meters of its own if other cells run at the same time.
    pub meters: Arc<Meters>,
    /// What is measured.
    pub target: &'a dyn Target,
    /// Whether all writers share one handle, as tasks of one process do. Else each has its own.
    pub shared_handle: bool,
    /// What each client does, if not all of a role do the same. Then no bare requests run beside them.
    pub crew: Option<&'a Crew>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Whether to stop early.
    pub interrupt: &'a Interrupt,
    /// Who is told how far it is.
    pub progress: &'a Progress,
}

/// What a cell left behind.
#[derive(Debug)]
pub struct CellOutcome {
    /// All clients, merged.
    pub metrics: MetricsCollector,
    /// Response times of the bare conditional PUTs.
    pub floor_put: Timeline,
    /// Response times of the bare conditional GETs.
    pub floor_get: Timeline,
    /// The requests of the measurement.
    pub requests: CellRequests,
    /// Everything that clients did.
    pub history: History,
    /// What a new handle saw after the drain.
    pub final_state: Result<State, String>,
    /// When the measurement began.
    pub t0: Moment,
    /// How long operations fell due.
    pub measured: Duration,
    /// True if it was stopped early.
    pub interrupted: bool,
    /// Operations that had not ended when the drain was over.
    pub undrained: u64,
    /// How many errors clients met, and the first few.
    pub errors: (u64, Vec<String>),
    /// Those that no fault explains: the first few.
    pub alarms: Vec<Alarm>,
    /// What became of states that were held and pinned.
    pub kept: KeptCounts,
}

/// A cell whose manifest is made, whose clients are connected and warm.
pub struct Prepared<'a> {
    cell: &'a Cell<'a>,
    shared: Arc<Shared>,
    prefix: String,
    setter_up: Arc<dyn TargetHandle>,
    /// The clients.
    pub clients: Clients,
    before: Counts,
}

/// Runs one cell.
///
/// # Errors
///
/// One line: why it could not begin.
pub async fn run_loop(cell: &Cell<'_>) -> Result<CellOutcome, String> {
    let mut prepared = Prepared::new(cell).await?;
    let offered = prepared.offer().await?;
    Ok(prepared
        .finish(offered.measured, offered.stopped, offered.undrained)
        .await)
}

/// A load that was offered and has ended.
#[derive(Debug, Clone, Copy)]
pub struct Offered {
    /// When it began.
    pub t0: Moment,
    /// How long operations fell due.
    pub measured: Duration,
    /// True if it was stopped early.
    pub stopped: bool,
    /// Operations that had not ended when the drain was over.
    pub undrained: u64,
}

impl<'a> Prepared<'a> {
    /// Makes the manifest, commits the first key, opens every client, and lets readers run for the warm-up.
    ///
    /// # Errors
    ///
    /// One line: why the cell could not begin.
    pub async fn new(cell: &'a Cell<'a>) -> Result<Self, String> {
        tokio::select! {
            biased;
            prepared = Self::prepare(cell) => prepared,
            // What it has written so far goes when the run's prefix is cleaned up.
            () = cell.interrupt.wait() => Err("interrupted before the measurement began".to_owned()),
        }
    }

    async fn prepare(cell: &'a Cell<'a>) -> Result<Self, String> {
        let shared = Arc::new(Shared::new(Arc::clone(&cell.clock)));
        let prefix = cell.store.prefix(&cell.name);
        let setter_up = cell
            .target
            .create(cell.store.store(&cell.meters.other), &prefix)
            .await?;
        commit_first_key(cell, &shared, &setter_up).await?;
        let clients = Clients::open(cell, &shared, &prefix).await?;
        warm_up(cell, &clients).await?;
        let before = Counts::now(&cell.meters, &clients);
        Ok(Self {
            cell,
            shared,
            prefix,
            setter_up,
            clients,
            before,
        })
    }

    /// The measurement begins.
    pub fn begin(&mut self) -> Moment {
        self.before = Counts::now(&self.cell.meters, &self.clients);
        // Windows and counts of faults begin with it; the store's a moment later, so that nobody is said to have
        // recovered sooner than it was.
        let t0 = self.cell.clock.now();
        self.cell.store.restart_faults();
        self.shared.epoch.begin(t0);
        t0
    }

    /// Measures: issues what falls due, and waits for what was issued.
    ///
    /// # Errors
    ///
    /// One line: why nothing could be issued.
    pub async fn offer(&mut self) -> Result<Offered, String> {
        let (cell, t0) = (self.cell, self.begin());
        let window = cell.config.duration;
        let everyone = self.clients.everyone();
        let stopped = issue(cell, t0, window, everyone.clone(), Some(&self.shared)).await?;
        let measured = cell.clock.now().saturating_sub(t0).min(window);
        let undrained = drain(cell, &everyone).await;
        Ok(Offered {
            t0,
            measured,
            stopped,
            undrained,
        })
    }

    /// The measurement is over and what it issued has ended: closes everything, and looks at the manifest with a
    /// new handle.
    pub async fn finish(self, measured: Duration, interrupted: bool, undrained: u64) -> CellOutcome {
        let Self {
            cell,
            shared,
            prefix,
            setter_up,
            clients,
            before,
        } = self;
        let mut requests = Counts::now(&cell.meters, &clients).since(&before);
        for own in &clients.owns {
            own.handle.close().await;
        }
        setter_up.close().await;
        let final_state = cold_contents(cell, &prefix).await;
        // Everything so far is on the bill, warm-up and probe as well.
        requests.total = report_counts(&cell.meters.total());
        let collectors: Vec<MetricsCollector> = clients.owns.iter().map(|own| own.metrics()).collect();
        CellOutcome {
            metrics: MetricsCollector::merged(cell.config.duration, &collectors),
            floor_put: clients.floor_put.times(),
            floor_get: clients.floor_get.times(),
            requests,
            history: shared.recorder.history(State::default()),
            final_state,
            t0: shared.epoch.t0().unwrap_or_default(),
            measured,
            interrupted,
            undrained,
            errors: shared.errors.all(),
            alarms: shared.errors.alarms(),
            kept: shared.kept.counts(),
        }
    }
}

/// The seed of one client's draws.
pub fn seed_of(seed: u64, client: u32) -> u64 {
    // An odd multiplier keeps the seeds of all clients apart.
    seed.wrapping_add(
        u64::from(client)
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15),
    )
}

/// The seed of one of the cells of a run, by its place among them.
pub fn cell_seed(seed: u64, place: usize) -> u64 {
    // Apart from the seeds of clients, which are derived from it in turn.
    seed_of(seed ^ OF_CELLS, u32::try_from(place).unwrap_or(u32::MAX))
}

/// Readers need something to read before the measurement begins.
async fn commit_first_key(
    cell: &Cell<'_>,
    shared: &Arc<Shared>,
    handle: &Arc<dyn TargetHandle>,
) -> Result<(), String> {
    set_up_commit(cell, shared, handle).await;
    if shared.registry.acknowledged() > 0 {
        return Ok(());
    }
    let (_, errors) = shared.errors.all();
    Err(format!("the first commit did not succeed: {}", errors.join("; ")))
}

/// A commit of the set-up, in the history like any other.
async fn set_up_commit(cell: &Cell<'_>, shared: &Arc<Shared>, handle: &Arc<dyn TargetHandle>) {
    let (window, seed) = (cell.config.duration, cell.settings.seed);
    let own = Own::new(
        SETTER_UP,
        Role::Writer,
        window,
        seed,
        Arc::clone(handle),
        Arc::clone(shared),
    );
    let now = cell.clock.now();
    MonotonicWriter::new(own)
        .operate(Arrival {
            due: now,
            issued: now,
        })
        .await;
}

/// Readers and bare requests run for a while: connections are made, caches warm. Nothing of it is measured,
/// all of it is checked.
async fn warm_up(cell: &Cell<'_>, clients: &Clients) -> Result<(), String> {
    let window = cell.settings.warmup;
    if window.is_zero() {
        return Ok(());
    }
    let warm: Vec<_> = clients.readers.iter().chain(&clients.floor).cloned().collect();
    issue(cell, cell.clock.now(), window, warm.clone(), None).await?;
    drain(cell, &warm).await;
    Ok(())
}

/// Issues what is due, until the window ends or the run is stopped. True if it was stopped.
async fn issue(
    cell: &Cell<'_>,
    t0: Moment,
    window: Duration,
    clients: Vec<(Plan, Arc<Driver>)>,
    shown: Option<&Shared>,
) -> Result<bool, String> {
    let clock = Arc::clone(&cell.clock);
    let schedule = if cell.settings.store.is_simulated() {
        serve_in_virtual_time(clock, t0, window, clients)
    } else {
        serve(clock, t0, window, clients)
            .map_err(|error| format!("the schedule's thread cannot start: {error}"))?
    };
    let progress = shown.map(|shared| (shared, cell.progress.cell(&cell.name, window)));
    let mut stopped = false;
    while cell.clock.now() < t0 + window && !stopped {
        let left = (t0 + window).saturating_sub(cell.clock.now());
        tokio::select! {
            biased;
            () = cell.clock.sleep(left.min(Duration::from_secs(1))) => {}
            () = cell.interrupt.wait() => {}
        }
        if let Some((shared, progress)) = &progress {
            progress.update(
                cell.clock.now().saturating_sub(t0),
                shared.ended.load(Ordering::Relaxed),
            );
        }
        stopped = cell.interrupt.is_set() || cell.store.budget_spent();
    }
    schedule.stop(&*cell.clock).await;
    Ok(stopped)
}

/// Waits for what was issued. How many operations had still not ended when that took too long.
async fn drain(cell: &Cell<'_>, clients: &[(Plan, Arc<Driver>)]) -> u64 {
    let deadline = cell.clock.now() + DRAIN_MAX;
    loop {
        let open: u64 = clients.iter().map(|(_, driver)| driver.open()).sum();
        if open == 0 || cell.clock.now() >= deadline {
            return open;
        }
        cell.clock.sleep(Duration::from_millis(5)).await;
    }
}

async fn cold_contents(cell: &Cell<'_>, prefix: &str) -> Result<State, String> {
    let handle = cell
        .target
        .open(cell.store.store(&cell.meters.other), prefix)
        .await?;
    let contents = handle.contents().await;
    handle.close().await;
    contents
}

/// The requests by purpose, at one moment; without the bill of the whole run.
#[derive(Debug)]
struct Counts(CellRequests);

impl Counts {
    /// As they are now.
    fn now(meters: &Meters, clients: &Clients) -> Self {
        let of = |meter: &RequestMeter| report_counts(&meter.counts());
        // Only who commits maintains, so all of it passed the writers' meter.
        let maintenance = clients.maintenance();
        Self(CellRequests {
            writers: of(&meters.writers).since(&maintenance),
            readers: of(&meters.readers),
            maintenance,
            floor: of(&meters.floor),
            total: RequestCounts::default(),
        })
    }

    /// What was sent since then.
    fn since(&self, earlier: &Self) -> CellRequests {
        CellRequests {
            writers: self.0.writers.since(&earlier.0.writers),
            readers: self.0.readers.since(&earlier.0.readers),
            maintenance: self.0.maintenance.since(&earlier.0.maintenance),
            floor: self.0.floor.since(&earlier.0.floor),
            total: self.0.total.since(&earlier.0.total),
        }
    }
}
