//! A reader of the large manifest: what it costs to open it, to read from it and to commit to it, and how fast all of it
//! is scanned. It knows only the store, so it can be a process of its own.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{Clock, Freshness, KeyRange, Manifest, RequestMeter, store::Store};
use serde::{Deserialize, Serialize};

use super::{
    dataset::{Dataset, Digest},
    plain,
    upkeep::{Folder, Sum},
};
use crate::{
    metrics::Latencies,
    statistics::ranks::median,
    target::engine::Engine,
    trace::{Trace, TracedRequest, TracedStore, peak_in_flight},
};

/// Opens whose latency is measured, beside the one whose round trips are counted.
const OPENS: usize = 3;
/// Reads and commits one after the other, for latencies and counts.
const IN_A_ROW: u64 = 100;
/// Reads at once, of those at random.
const READERS: usize = 16;
/// Scans, and plain reads of the same bytes.
const SCANS: usize = 3;
/// Sets the draws of reads apart from others.
const OF_READS: u64 = 2;

/// What the reader is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) dataset: Dataset,
    pub(super) prefix: String,
    /// Whether it only opens the manifest and reads one key.
    pub(super) only_opens: bool,
    /// Reads of keys drawn at random.
    pub(super) random_gets: u64,
}

/// What it has to do it with.
pub(super) struct Equipment {
    pub(super) store: Arc<dyn Store>,
    /// Counts what is sent to the store.
    pub(super) meter: Arc<RequestMeter>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) engine: Engine,
    /// The most memory that the process had so far, in bytes, if it is the reader's alone.
    pub(super) memory: fn() -> Option<u64>,
}

/// What it found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Findings {
    pub(super) cold: Cold,
    /// The most memory by then, and before anything was opened.
    pub(super) start_memory: Option<u64>,
    pub(super) cold_memory: Option<u64>,
    pub(super) warm: Option<Warm>,
}

/// Open to the first value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cold {
    /// Requests that had to wait for one another, in a row.
    pub(super) round_trips: u64,
    pub(super) head: Sum,
    pub(super) log: Sum,
    pub(super) footers: Sum,
    pub(super) blocks: Sum,
    /// The median of several opens.
    pub(super) ms: Option<f64>,
}

/// Everything after that, on one handle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Warm {
    pub(super) get_p50_ms: Option<f64>,
    pub(super) cached_get_p50_ms: Option<f64>,
    pub(super) random_gets: u64,
    pub(super) random_get_requests: u64,
    pub(super) gets_memory: Option<u64>,
    pub(super) digest: Digest,
    pub(super) scan_memory: Option<u64>,
    pub(super) scan_requests: usize,
    pub(super) scan_bytes: u64,
    pub(super) in_flight: usize,
    pub(super) scan_mb_per_s: Vec<f64>,
    pub(super) plain_mb_per_s: Vec<f64>,
    pub(super) commits: u64,
    pub(super) commit_requests: u64,
    pub(super) commit_p50_ms: Option<f64>,
}

impl Cold {
    pub(super) fn bytes(&self) -> u64 {
        [self.head, self.log, self.footers, self.blocks]
            .iter()
            .map(|sum| sum.bytes)
            .sum()
    }

    fn of(requests: &[TracedRequest]) -> Self {
        let round_trips = requests.iter().map(|request| request.round).max();
        let mut cold = Self {
            round_trips: round_trips.unwrap_or_default(),
            ..Self::default()
        };
        for request in requests {
            let sum = match Folder::of(&request.key) {
                Folder::Head => &mut cold.head,
                Folder::Log => &mut cold.log,
                // A block can be asked for only when its footer is there.
                Folder::Table if request.round == cold.round_trips => &mut cold.blocks,
                Folder::Table | Folder::Other => &mut cold.footers,
            };
            sum.add(request.bytes);
        }
        cold
    }
}

fn told(error: impl ToString) -> String {
    error.to_string()
}

/// Does what it was told to do.
pub(super) async fn read(equipment: &Equipment, assignment: &Assignment) -> Result<Findings, String> {
    let reader = Reader {
        equipment,
        assignment,
    };
    let start_memory = (equipment.memory)();
    let cold = reader.cold().await?;
    let cold_memory = (equipment.memory)();
    let warm = match assignment.only_opens {
        true => None,
        false => Some(reader.warm().await?),
    };
    Ok(Findings {
        cold,
        start_memory,
        cold_memory,
        warm,
    })
}

struct Reader<'a> {
    equipment: &'a Equipment,
    assignment: &'a Assignment,
}

impl Reader<'_> {
    async fn open(&self, store: Arc<dyn Store>) -> Result<Manifest, String> {
        let options = self.equipment.engine.next_options();
        Manifest::open(store, &self.assignment.prefix, options)
            .await
            .map_err(told)
    }

    /// Reads the key of a draw, and checks what it holds.
    async fn get(&self, manifest: &Manifest, draw: u64) -> Result<Duration, String> {
        let dataset = self.assignment.dataset;
        get(
            manifest,
            &*self.equipment.clock,
            dataset,
            dataset.draw(OF_READS, draw),
        )
        .await
    }

    async fn cold(&self) -> Result<Cold, String> {
        let Equipment { store, clock, .. } = self.equipment;
        let traced = TracedStore::new(Arc::clone(store), Arc::clone(clock)).in_rounds();
        let trace = traced.trace();
        let manifest = self.open(Arc::new(traced)).await?;
        self.get(&manifest, 0).await?;
        let mut cold = Cold::of(&trace.take());
        manifest.close().await;
        let mut times = Vec::new();
        for draw in 1..=OPENS as u64 {
            let began = clock.now();
            let manifest = self.open(Arc::clone(store)).await?;
            self.get(&manifest, draw).await?;
            times.push(clock.now().saturating_sub(began).as_secs_f64() * 1_000.0);
            manifest.close().await;
        }
        cold.ms = median(&times);
        Ok(cold)
    }

    async fn warm(&self) -> Result<Warm, String> {
        let Equipment { store, clock, .. } = self.equipment;
        let traced = TracedStore::new(Arc::clone(store), Arc::clone(clock));
        let trace = traced.trace();
        // What is kept of requests would count as the reader's memory.
        trace.pause(true);
        let manifest = self.open(Arc::new(traced)).await?;
        let (mut gets, mut cached) = (Latencies::default(), Latencies::default());
        for draw in 0..IN_A_ROW {
            gets.record(self.get(&manifest, draw).await?);
        }
        for _ in 0..IN_A_ROW {
            cached.record(self.get(&manifest, IN_A_ROW - 1).await?);
        }
        let random_get_requests = self.random_gets(&manifest).await?;
        let gets_memory = (self.equipment.memory)();
        let (digest, _) = self.scan(&manifest, true).await?;
        let scan_memory = (self.equipment.memory)();
        let scanned = self.scan_beside_plain_reads(&manifest, &trace).await?;
        let (commit_requests, commits) = self.commits(&manifest).await?;
        manifest.close().await;
        Ok(Warm {
            get_p50_ms: gets.quantile_ms(0.5),
            cached_get_p50_ms: cached.quantile_ms(0.5),
            random_gets: self.assignment.random_gets,
            random_get_requests,
            gets_memory,
            digest,
            scan_memory,
            scan_requests: scanned.requests.len(),
            scan_bytes: scanned.bytes,
            in_flight: scanned.in_flight,
            scan_mb_per_s: scanned.scan,
            plain_mb_per_s: scanned.plain,
            commits: commits.count(),
            commit_requests,
            commit_p50_ms: commits.quantile_ms(0.5),
        })
    }

    /// Keys drawn at random, many at once; returns how many requests that took.
    async fn random_gets(&self, manifest: &Manifest) -> Result<u64, String> {
        let before = self.equipment.meter.counts();
        let count = self.assignment.random_gets;
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (manifest, clock) = (manifest.clone(), Arc::clone(&self.equipment.clock));
                let dataset = self.assignment.dataset;
                let draws = (reader as u64..count).step_by(READERS);
                tokio::spawn(async move {
                    for draw in draws {
                        let number = dataset.draw(OF_READS, IN_A_ROW + draw);
                        get(&manifest, &*clock, dataset, number).await?;
                    }
                    Ok::<_, String>(())
                })
            })
            .collect();
        for reader in readers {
            reader.await.map_err(told)??;
        }
        Ok(self.equipment.meter.counts().since(&before).total())
    }

    /// Reads everything, forward. Checks each entry if asked to.
    async fn scan(&self, manifest: &Manifest, checks: bool) -> Result<(Digest, Duration), String> {
        let (clock, dataset) = (&self.equipment.clock, self.assignment.dataset);
        let snapshot = manifest.snapshot(Freshness::Latest).await.map_err(told)?;
        let began = clock.now();
        let mut scan = snapshot.scan(KeyRange::all());
        let (mut digest, mut last) = (Digest::default(), Bytes::new());
        while let Some((key, value)) = scan.next().await.map_err(told)? {
            if !checks {
                digest.entries += 1;
                continue;
            }
            let (number, version) = dataset
                .recognize(&key, &value)
                .ok_or_else(|| format!("the scan showed {key:?} with a value that nobody wrote"))?;
            if key <= last {
                return Err(format!("the scan showed {key:?} after {last:?}"));
            }
            digest.add(number, version);
            last = key;
        }
        Ok((digest, clock.now().saturating_sub(began)))
    }

    /// Scans and plain reads of the same ranges by turns, so that both meet the same weather.
    async fn scan_beside_plain_reads(&self, manifest: &Manifest, trace: &Trace) -> Result<Scanned, String> {
        let mut scanned = Scanned::default();
        trace.pause(false);
        for turn in 0..SCANS {
            trace.take();
            let (digest, took) = self.scan(manifest, false).await?;
            let requests: Vec<TracedRequest> = (trace.take().into_iter())
                .filter(|request| Folder::of(&request.key) == Folder::Table)
                .collect();
            if digest.entries != self.assignment.dataset.keys {
                return Err(format!("scan {turn} showed {} entries", digest.entries));
            }
            scanned.bytes = requests.iter().map(|request| request.bytes).sum();
            scanned.in_flight = scanned.in_flight.max(peak_in_flight(&requests));
            let Equipment { store, clock, .. } = self.equipment;
            let plain = plain::read(store, &**clock, &requests, scanned.in_flight).await?;
            for (took, rates) in [(took, &mut scanned.scan), (plain, &mut scanned.plain)] {
                rates.push(scanned.bytes as f64 / 1e6 / took.as_secs_f64().max(f64::EPSILON));
            }
            scanned.requests = requests;
        }
        trace.pause(true);
        Ok(scanned)
    }

    /// Commits one after the other; returns the requests that were no maintenance.
    async fn commits(&self, manifest: &Manifest) -> Result<(u64, Latencies), String> {
        let sent = || -> Result<u64, String> {
            let maintenance = manifest.info().map_err(told)?.maintenance.total();
            Ok(self.equipment.meter.counts().total().saturating_sub(maintenance))
        };
        let before = sent()?;
        let mut times = Latencies::default();
        for number in 0..IN_A_ROW {
            let began = self.equipment.clock.now();
            let mut transaction = manifest.begin().await.map_err(told)?;
            let value = self.assignment.dataset.value(number, 0);
            // Behind all keys of the set.
            transaction.put(format!("last_{number}"), value).map_err(told)?;
            transaction.commit().await.map_err(told)?;
            times.record(self.equipment.clock.now().saturating_sub(began));
        }
        Ok((sent()?.saturating_sub(before), times))
    }
}

/// What scans and plain reads came to.
#[derive(Default)]
struct Scanned {
    requests: Vec<TracedRequest>,
    bytes: u64,
    in_flight: usize,
    scan: Vec<f64>,
    plain: Vec<f64>,
}

async fn get(
    manifest: &Manifest,
    clock: &dyn Clock,
    dataset: Dataset,
    number: u64,
) -> Result<Duration, String> {
    let key = Dataset::key(number);
    let began = clock.now();
    let value = manifest.get(&key).await.map_err(told)?;
    let took = clock.now().saturating_sub(began);
    let value = value.ok_or_else(|| format!("{key:?} is missing"))?;
    match dataset.recognize(&key, &value) {
        Some(_) => Ok(took),
        None => Err(format!("{key:?} has a value that nobody wrote")),
    }
}
