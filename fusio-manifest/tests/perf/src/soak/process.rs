//! The life of the process, from its order until its time is over or its standard input ends.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    sync::Arc,
    time::Duration,
};

use fusio_manifest::{
    Clock as _, Info, Maintenance, Manifest, Moment, Options, RequestMeter, S3Store, SystemClock,
    store::Store,
};
use tokio::task::JoinSet;

use super::{
    JOURNAL, ROWS,
    client::{Client, VISIT_EVERY, Visit},
    counts::Counts,
    open_loop::{Schedule, offer},
    order::{Order, shared_settings},
    resources::{Resources, medians},
    row::Row,
};
use crate::{
    crash::{
        journal::Journal,
        order::{Order as ClientOrder, Role},
        process::{Process, end_with, stop_at_end_of_input},
    },
    interrupt::Interrupt,
    requests::RequestCounts,
    s3::accounting::report_counts,
    statistics::ranks::median,
};

/// Threads of its runtime: each has memory of its own, and how many cores a machine has must not decide how much.
const WORKERS: usize = 2;
/// Handles of the writers, who share them.
const WRITER_HANDLES: u32 = 2;
/// A reader keeps a state once in so many reads.
const READS_PER_KEPT: f64 = 5.0;
/// Longer than the retention: some of the states that are held expire.
const HELD_MAX: Duration = Duration::from_secs(4);
/// Blocks in memory, of each handle: so few that they are full when trends begin to be judged. What lies in a cache was of
/// tables that are gone, until other blocks drive it out, so it fills whatever there is to be read.
const CACHE_BYTES: u64 = 1 << 20;
/// How often resources are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Carries out an order, and ends this process.
pub(crate) fn carry_out(order: Result<Order, String>) -> ! {
    end_with(order.and_then(|order| {
        let stop = stop_at_end_of_input();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .map_err(|error| format!("no runtime: {error}"))?;
        runtime.block_on(live(order, stop))
    }))
}

/// What requests are for.
#[derive(Default)]
struct Meters {
    writers: Arc<RequestMeter>,
    readers: Arc<RequestMeter>,
    keepers: Arc<RequestMeter>,
}

/// Everything that the clients have in common.
struct Soak {
    order: Order,
    s3: S3Store,
    meters: Meters,
    writers: Vec<Manifest>,
    reader: Manifest,
    keeper: Manifest,
    journal: Arc<Journal>,
    counts: Arc<Counts>,
    stop: Interrupt,
}

async fn live(order: Order, stop: Interrupt) -> Result<(), String> {
    let journal =
        Journal::create(&order.folder.join(JOURNAL)).map_err(|error| format!("no journal: {error}"))?;
    let rows = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(order.folder.join(ROWS))
        .map_err(|error| format!("no rows: {error}"))?;
    let meters = Meters::default();
    let s3 = order.address.connect(&meters.keepers).await?;
    let open = async |meter: &Arc<RequestMeter>, maintenance| {
        let store: Arc<dyn Store> = Arc::new(s3.with_meter(Arc::clone(meter)));
        let opened = Manifest::open(store, &order.prefix, options(&order, maintenance)).await;
        opened.map_err(|error| format!("the manifest cannot be opened: {error}"))
    };
    let mut writers = Vec::new();
    for _ in 0..WRITER_HANDLES {
        writers.push(open(&meters.writers, Maintenance::Beside).await?);
    }
    let reader = open(&meters.readers, Maintenance::OnDemand).await?;
    let keeper = open(&meters.keepers, Maintenance::OnDemand).await?;
    let soak = Soak {
        order,
        s3,
        meters,
        writers,
        reader,
        keeper,
        journal: Arc::new(journal),
        counts: Arc::default(),
        stop,
    };
    soak.run(rows).await
}

fn options(order: &Order, maintenance: Maintenance) -> Options {
    Options {
        shared: shared_settings(),
        maintenance,
        cache_bytes: CACHE_BYTES,
        mutant: order.mutant(),
        ..Options::default()
    }
}

impl Soak {
    async fn run(&self, mut rows: File) -> Result<(), String> {
        let t0 = SystemClock.now();
        let mut clients = self.start_clients(t0);
        let mut sampler = Sampler::new(self, t0);
        let told = loop {
            let Some(row) = sampler.interval().await else {
                break Ok(());
            };
            if let Err(error) = put_down(&mut rows, &row) {
                break Err(error);
            }
        };
        while clients.join_next().await.is_some() {}
        for manifest in self.writers.iter().chain([&self.reader, &self.keeper]) {
            manifest.close().await;
        }
        told
    }

    /// Each begins at a moment of its own within its period.
    fn start_clients(&self, t0: Moment) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        let order = &self.order;
        let schedule = |every: Duration, number: u32, of: u32| Schedule {
            first: t0 + every.mul_f64(f64::from(number) / f64::from(of.max(1))),
            every,
            end: t0 + order.duration,
            in_flight: order.in_flight,
            stop: self.stop.clone(),
        };
        let period = |rate: f64| Duration::from_secs_f64(1.0 / rate);
        for number in 0..order.writers {
            let handle = self.writers.get((number % WRITER_HANDLES) as usize);
            let Some(handle) = handle else { continue };
            let client = self.client(Role::Writer, number, handle);
            let when = schedule(period(order.writer_rate), number, order.writers);
            clients.spawn(offer(when, Arc::clone(&self.counts), move |number, due| {
                let client = Arc::clone(&client);
                async move { client.write(number, due).await }
            }));
        }
        for number in 0..order.readers {
            let client = self.client(Role::Reader, order.writers + number, &self.reader);
            let when = schedule(period(order.reader_rate), number, order.readers);
            clients.spawn(offer(when, Arc::clone(&self.counts), move |_, due| {
                let client = Arc::clone(&client);
                async move { client.read(due).await }
            }));
            let keeper = order.writers + order.readers + number;
            let client = self.client(Role::Reader, keeper, &self.keeper);
            let when = schedule(period(order.reader_rate / READS_PER_KEPT), number, order.readers);
            clients.spawn(offer(when, Arc::clone(&self.counts), move |number, _| {
                let client = Arc::clone(&client);
                async move { client.keep(number).await }
            }));
        }
        let visit = Arc::new(Visit {
            store: Arc::new(self.s3.with_meter(Arc::clone(&self.meters.keepers))),
            prefix: order.prefix.clone(),
            options: options(order, Maintenance::OnDemand),
            process: self.process(Role::Reader, order.writers + 2 * order.readers),
            counts: Arc::clone(&self.counts),
        });
        let when = schedule(VISIT_EVERY, 1, 2);
        clients.spawn(offer(when, Arc::clone(&self.counts), move |_, _| {
            let visit = Arc::clone(&visit);
            async move { visit.carry_out().await }
        }));
        clients
    }

    fn client(&self, role: Role, number: u32, manifest: &Manifest) -> Arc<Client> {
        Arc::new(Client {
            number,
            process: self.process(role, number),
            manifest: manifest.clone(),
            journal: Arc::clone(&self.journal),
            counts: Arc::clone(&self.counts),
        })
    }

    fn process(&self, role: Role, number: u32) -> Process {
        let order = ClientOrder {
            role,
            slot: number,
            number,
            address: self.order.address.clone(),
            prefix: self.order.prefix.clone(),
            journal: self.order.folder.join(JOURNAL),
            seed: crate::run::seed_of(self.order.seed, number),
            pause: Duration::ZERO,
            pool: self.order.pool,
            held_max: HELD_MAX,
            points: Vec::new(),
            mutant: None,
        };
        let store = Arc::new(self.s3.with_meter(Arc::clone(&self.meters.keepers)));
        Process::undying(order, store, Arc::clone(&self.journal), self.stop.clone())
    }

    /// By purpose, since the beginning.
    fn requests(&self) -> [Requests; 4] {
        let maintenance = self.writers.iter().filter_map(|handle| handle.info().ok());
        let maintenance = maintenance.fold(RequestCounts::default(), |sum, info| {
            sum.plus(&report_counts(&info.maintenance))
        });
        let of = |meter: &RequestMeter| report_counts(&meter.counts());
        [
            of(&self.meters.writers).since(&maintenance),
            maintenance,
            of(&self.meters.readers),
            of(&self.meters.keepers),
        ]
        .map(|counts| Requests {
            puts: counts.put.requests + counts.conditional_put.requests,
            gets: counts.get.requests + counts.conditional_get.requests,
            lists: counts.list.requests,
            deletes: counts.delete.requests,
        })
    }
}

fn put_down(rows: &mut File, row: &Row) -> Result<(), String> {
    let failed = |error: &dyn ToString| format!("the rows cannot be written: {}", error.to_string());
    let mut line = serde_json::to_vec(row).map_err(|error| failed(&error))?;
    line.push(b'\n');
    rows.write_all(&line).map_err(|error| failed(&error))
}

/// Requests of one purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Requests {
    puts: u64,
    gets: u64,
    lists: u64,
    deletes: u64,
}

/// Looks once a second, and makes a row of an interval's looks.
struct Sampler<'a> {
    soak: &'a Soak,
    t0: Moment,
    number: u32,
    requests: [Requests; 4],
    info: Option<Info>,
}

impl<'a> Sampler<'a> {
    fn new(soak: &'a Soak, t0: Moment) -> Self {
        Self {
            soak,
            t0,
            number: 0,
            requests: soak.requests(),
            info: soak.writers.first().and_then(|handle| handle.info().ok()),
        }
    }

    /// The next interval; none once the time is over or it is told to stop.
    async fn interval(&mut self) -> Option<Row> {
        let order = &self.soak.order;
        let start = self.t0 + order.interval.mul_f64(f64::from(self.number));
        self.number += 1;
        let end = self.t0 + order.interval.mul_f64(f64::from(self.number));
        // A short last one would hold too little.
        if end > self.t0 + order.duration + Duration::from_millis(1) {
            return None;
        }
        let (mut looks, mut infos) = (Vec::new(), Vec::new());
        let mut next = start;
        while next < end {
            next = (next + LOOK_EVERY).min(end);
            tokio::select! {
                biased;
                () = self.soak.stop.wait() => return None,
                () = SystemClock.sleep(next.saturating_sub(SystemClock.now())) => {}
            }
            looks.push(Resources::now());
            infos.extend(self.soak.writers.first().and_then(|handle| handle.info().ok()));
        }
        let mut row = self.soak.counts.take();
        row.second = SystemClock.now().saturating_sub(self.t0).as_secs_f64();
        row.seconds = order.interval.as_secs_f64();
        take_resources(&mut row, &medians(&looks));
        self.take_infos(&mut row, &infos);
        self.take_requests(&mut row);
        Some(row)
    }

    fn take_infos(&mut self, row: &mut Row, infos: &[Info]) {
        let of = |field: fn(&Info) -> usize| {
            let values: Vec<f64> = infos.iter().map(|info| field(info) as f64).collect();
            median(&values).unwrap_or_default()
        };
        row.head_bytes = of(|info| info.head_bytes);
        row.log_objects = of(|info| info.log_objects);
        row.runs = of(|info| info.runs);
        row.tables = of(|info| info.tables);
        row.pins = of(|info| info.pins);
        for info in infos {
            row.head_bytes_max = row.head_bytes_max.max(info.head_bytes as f64);
            if let Some(before) = &self.info {
                row.folds += u64::from(info.folded_through > before.folded_through);
                row.merges += u64::from(info.runs < before.runs);
                row.collections += info.epoch.saturating_sub(before.epoch);
            }
            self.info = Some(*info);
        }
    }

    fn take_requests(&mut self, row: &mut Row) {
        let now = self.soak.requests();
        let [commits, maintenance, reads, kept] = now;
        let [commits_before, maintenance_before, reads_before, kept_before] = self.requests;
        let others = |requests: Requests| requests.lists + requests.deletes;
        let all = |requests: Requests| requests.puts + requests.gets + others(requests);
        row.commit_puts = commits.puts.saturating_sub(commits_before.puts);
        row.commit_gets = commits.gets.saturating_sub(commits_before.gets);
        row.commit_others = others(commits).saturating_sub(others(commits_before));
        row.maintenance_puts = maintenance.puts.saturating_sub(maintenance_before.puts);
        row.maintenance_gets = maintenance.gets.saturating_sub(maintenance_before.gets);
        row.maintenance_lists = maintenance.lists.saturating_sub(maintenance_before.lists);
        row.maintenance_deletes = maintenance.deletes.saturating_sub(maintenance_before.deletes);
        row.read_gets = reads.gets.saturating_sub(reads_before.gets);
        row.read_others =
            (reads.puts + others(reads)).saturating_sub(reads_before.puts + others(reads_before));
        row.kept_requests = all(kept).saturating_sub(all(kept_before));
        self.requests = now;
    }
}

fn take_resources(row: &mut Row, resources: &Resources) {
    row.memory_bytes = resources.memory_bytes;
    row.anonymous_bytes = resources.anonymous_bytes;
    row.open_files = resources.open_files;
    row.threads = resources.threads;
    row.tasks = resources.tasks;
}
