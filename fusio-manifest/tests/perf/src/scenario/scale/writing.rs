//! The writer of the large manifest: it loads all keys by large transactions, then updates some at random.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{Clock, Freshness, Manifest, limits::TRANSACTION_WRITES_MAX};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::dataset::{Dataset, Digest};
use crate::{metrics::Latencies, progress::CellProgress, scenario::Context};

/// Tasks that load: so many transactions are on their way while one waits for HEAD.
const LOADERS: u64 = 4;
/// Maintenance sends something within this time.
const QUIET: Duration = Duration::from_secs(3);
/// Enough transactions to fill a fold, however small they are.
const TRIES_TO_FOLD: u64 = 64;
/// Who waits is told how far it is this often.
const SHOWN_EVERY: Duration = Duration::from_secs(1);
/// Sets the draws of updates apart from others.
const OF_UPDATES: u64 = 1;

/// One transaction that reads nothing; returns its place in the order of commits.
async fn commit(manifest: &Manifest, writes: impl Iterator<Item = (Bytes, Bytes)>) -> Result<u64, String> {
    let committed = async {
        let snapshot = manifest.snapshot(Freshness::Cached).await?;
        let mut transaction = manifest.begin_on(snapshot)?;
        for (key, value) in writes {
            transaction.put(key, value)?;
        }
        transaction.commit().await
    };
    let receipt = committed.await.map_err(|error| error.to_string())?;
    receipt
        .txn
        .ok_or_else(|| "a commit that wrote was given no number".to_owned())
}

/// What several tasks share.
struct Shared {
    manifest: Manifest,
    dataset: Dataset,
    clock: Arc<dyn Clock>,
    /// The next piece of work.
    next: AtomicU64,
    done: AtomicU64,
}

impl Shared {
    fn new(context: &Context, manifest: &Manifest, dataset: Dataset) -> Arc<Self> {
        Arc::new(Self {
            manifest: manifest.clone(),
            dataset,
            clock: Arc::clone(&context.clock),
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
        })
    }

    /// The next of `count` pieces of work.
    fn take(&self, count: u64) -> Option<u64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < count).then_some(number)
    }

    /// A piece of the set, as a transaction writes it.
    async fn write_chunk(&self, number: u64) -> Result<(), String> {
        let chunk = TRANSACTION_WRITES_MAX as u64;
        let first = number * chunk;
        let numbers = first..(first + chunk).min(self.dataset.keys);
        let writes = numbers.map(|number| (Dataset::key(number), self.dataset.value(number, 0)));
        commit(&self.manifest, writes).await.map(|_| ())
    }
}

/// Waits for tasks, and shows how far they are. The first error stops all of them.
async fn finished(
    context: &Context,
    progress: &CellProgress,
    shared: &Shared,
    tasks: Vec<JoinHandle<Result<(), String>>>,
) -> Result<(), String> {
    let began = context.clock.now();
    let mut all = pin!(async {
        for task in tasks {
            let ended = task.await.map_err(|error| format!("a task ended: {error}"));
            if let Err(error) = ended.and_then(|result| result) {
                shared.next.store(u64::MAX / 2, Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    });
    loop {
        tokio::select! {
            biased;
            ended = &mut all => match (ended, context.should_stop()) {
                (Ok(()), true) => return Err("stopped".to_owned()),
                (ended, _) => return ended,
            },
            () = context.clock.sleep(SHOWN_EVERY) => {
                let passed = context.clock.now().saturating_sub(began);
                progress.update(passed, shared.done.load(Ordering::Relaxed));
            }
        }
    }
}

/// Writes every key once, and returns how long it took, with folds that had become due.
pub(super) async fn load(
    context: &Context,
    manifest: &Manifest,
    dataset: Dataset,
) -> Result<Duration, String> {
    let shared = Shared::new(context, manifest, dataset);
    let chunks = dataset.keys.div_ceil(TRANSACTION_WRITES_MAX as u64);
    let progress = context.progress.cell("load", Duration::from_secs(20));
    let began = context.clock.now();
    let loader = || {
        let (shared, interrupt) = (Arc::clone(&shared), context.interrupt.clone());
        tokio::spawn(async move {
            while let Some(number) = shared.take(chunks).filter(|_| !interrupt.is_set()) {
                shared.write_chunk(number).await?;
                shared.done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
    };
    let loaders = (0..LOADERS).map(|_| loader()).collect();
    finished(context, &progress, &shared, loaders).await?;
    manifest.maintain().await.map_err(|error| error.to_string())?;
    let took = context.clock.now().saturating_sub(began);
    settle(context, manifest).await?;
    Ok(took)
}

/// Waits until nothing is maintained any more: a merge of everything takes seconds.
async fn settle(context: &Context, manifest: &Manifest) -> Result<(), String> {
    let told = |error: fusio_manifest::Error| error.to_string();
    let mut before = None;
    loop {
        manifest.maintain().await.map_err(told)?;
        let info = manifest.info().map_err(told)?;
        let now = (info.revision, info.maintenance);
        if before == Some(now) || context.should_stop() {
            return Ok(());
        }
        before = Some(now);
        context.clock.sleep(QUIET).await;
    }
}

/// Writes some of the keys again, as they are, until a fold has taken everything out of the log.
pub(super) async fn fill_a_fold(
    context: &Context,
    manifest: &Manifest,
    dataset: Dataset,
) -> Result<(), String> {
    let shared = Shared::new(context, manifest, dataset);
    let chunks = dataset.keys.div_ceil(TRANSACTION_WRITES_MAX as u64);
    for number in 0..TRIES_TO_FOLD {
        let told = |error: fusio_manifest::Error| error.to_string();
        if manifest.info().map_err(told)?.log_objects == 0 {
            return settle(context, manifest).await;
        }
        if context.should_stop() {
            return Err("stopped".to_owned());
        }
        shared.write_chunk(number % chunks).await?;
        manifest.maintain().await.map_err(told)?;
    }
    Err(format!(
        "{TRIES_TO_FOLD} transactions filled no fold that takes all of the log"
    ))
}

/// What the updates came to.
pub(super) struct Updated {
    pub(super) commits: u64,
    pub(super) took: Duration,
    pub(super) times: Latencies,
    /// What must be in the manifest now.
    pub(super) digest: Digest,
}

/// The newest update of each key, by the order of commits: number of the commit, version.
type Newest = BTreeMap<u64, (u64, u64)>;

/// Updates a tenth as many keys as there are, drawn at random, by tasks that each have one commit under way.
pub(super) async fn update(
    context: &Context,
    manifest: &Manifest,
    dataset: Dataset,
) -> Result<Updated, String> {
    let shared = Shared::new(context, manifest, dataset);
    let updates = dataset.keys / 10;
    let progress = context.progress.cell("updates", Duration::from_secs(120));
    let began = context.clock.now();
    let kept = Arc::new(Mutex::new((Newest::new(), Latencies::default())));
    let updater = || {
        let (shared, interrupt) = (Arc::clone(&shared), context.interrupt.clone());
        let kept = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Some(number) = shared.take(updates).filter(|_| !interrupt.is_set()) {
                let (key, version) = (dataset.draw(OF_UPDATES, number), number + 1);
                let write = (Dataset::key(key), dataset.value(key, version));
                let due = shared.clock.now();
                let txn = commit(&shared.manifest, std::iter::once(write)).await?;
                let mut kept = kept.lock();
                kept.1.record(shared.clock.now().saturating_sub(due));
                let newest = kept.0.entry(key).or_default();
                *newest = (*newest).max((txn, version));
                shared.done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        })
    };
    let updaters = (0..context.settings.tasks).map(|_| updater()).collect();
    finished(context, &progress, &shared, updaters).await?;
    let took = context.clock.now().saturating_sub(began);
    let (newest, times) = std::mem::take(&mut *kept.lock());
    let mut digest = Digest::default();
    for number in 0..dataset.keys {
        digest.add(number, newest.get(&number).map_or(0, |(_, version)| *version));
    }
    Ok(Updated {
        commits: shared.done.load(Ordering::Relaxed),
        took,
        times,
        digest,
    })
}
