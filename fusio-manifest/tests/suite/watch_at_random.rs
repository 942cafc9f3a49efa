//! Writers, folds, collections, faults and watches at random: what each watch was told, gaps included, is every commit from
//! where it began, once, in order, with what was written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Entropy as _, ErrorKind, Freshness, Manifest, MemoryStore, Receipt, SeededEntropy, SharedSettings,
    TransactionId, Watch, WatchFrom,
};
use parking_lot::Mutex;

use crate::{
    faulty::{Fault, FaultyStore},
    fold::folded_soon,
    support::{PREFIX, Verdict, cached, ensure, final_txn, founded_with, options, pause, unexpected, within},
    watch::{Told, Writes, every},
};

const SEEDS: u64 = 150;
const HANDLES: u64 = 3;
const WATCHES: u64 = 6;

/// What was tried, by transaction id, and what was told to be committed.
#[derive(Debug, Default)]
struct Written {
    tried: BTreeMap<TransactionId, Writes>,
    committed: Vec<Receipt>,
}

fn below(entropy: &SeededEntropy, bound: u64) -> u64 {
    entropy.bits().unwrap() % bound
}

fn millis(entropy: &SeededEntropy, bound: u64) -> Duration {
    Duration::from_millis(below(entropy, bound))
}

/// One request in four goes wrong, in a way that passes.
fn script(faulty: &FaultyStore, entropy: &SeededEntropy) {
    let fault = || match below(entropy, 8) {
        0 => Fault::LostReply,
        1 => Fault::StatusBefore(503),
        _ => Fault::Delay(millis(entropy, 80)),
    };
    for _ in 0..60 {
        faulty.on_put(fault());
        faulty.on_get(fault());
        faulty.on_log_put(fault());
        faulty.on_log_get(fault());
    }
}

/// Settings under which commits stand in HEAD for long, or are spilled and folded soon.
fn settings(seed: u64) -> SharedSettings {
    match seed % 3 {
        0 => SharedSettings {
            spill_bytes: 400,
            spill_keep_bytes: 100,
            transaction_inline_bytes: 200,
            fold_objects: 3,
            ..SharedSettings::default()
        },
        1 => SharedSettings {
            transaction_inline_bytes: 200,
            ..folded_soon()
        },
        _ => SharedSettings::default(),
    }
}

async fn write(manifest: Manifest, written: Arc<Mutex<Written>>, entropy: SeededEntropy, name: String) {
    for number in 0..12 {
        pause(millis(&entropy, 400)).await;
        match below(&entropy, 10) {
            0 => {
                // Whether it succeeds or not is its own affair.
                let _ = manifest.maintain().await;
            }
            // Half of a collection.
            1 if below(&entropy, 4) == 0 => {
                pause(Duration::from_secs(3_602)).await;
                let _ = manifest.maintain().await;
            }
            _ => {}
        }
        let mut transaction = cached(&manifest).await;
        let mut writes = BTreeMap::new();
        for key in 0..=below(&entropy, 3) {
            let key = Bytes::from(format!("{name} {}", key * 7 % 5));
            let value = (below(&entropy, 5) > 0).then(|| {
                let length = usize::try_from(below(&entropy, 150)).unwrap();
                Bytes::from(format!("{number} {}", "x".repeat(length)))
            });
            match &value {
                Some(value) => transaction.put(key.clone(), value.clone()).unwrap(),
                None => transaction.delete(key.clone()).unwrap(),
            }
            writes.insert(key, value);
        }
        written
            .lock()
            .tried
            .insert(transaction.id(), writes.into_iter().collect());
        let patience = match below(&entropy, 5) {
            0 => millis(&entropy, 200),
            _ => Duration::from_secs(60),
        };
        if let Some(Ok(receipt)) = within(patience, transaction.commit()).await {
            written.lock().committed.push(receipt);
        }
    }
}

/// What a watch told that began at `first`, until it stands behind `last`, once that is known.
async fn watch(
    mut watch: Watch,
    entropy: SeededEntropy,
    last: tokio::sync::watch::Receiver<Option<u64>>,
) -> Result<(u64, Told), String> {
    let first = watch.position();
    let mut told = Told::default();
    let mut turns = 0_u32;
    loop {
        let end = *last.borrow();
        if end.is_some_and(|last| watch.position() > last) {
            return Ok((first, told));
        }
        // Once everything is written nobody is slow any more.
        turns += u32::from(end.is_some());
        ensure!(turns < 10_000, "it stands at {} of {end:?}", watch.position());
        let position = watch.position();
        let patience = match below(&entropy, 3) {
            0 => millis(&entropy, 60),
            _ => millis(&entropy, 2_000),
        };
        match within(patience, watch.next()).await {
            Some(Ok(Some(event))) => told.take(position, event)?,
            Some(Ok(None)) => return Err("it ended before its handle".to_owned()),
            Some(Err(error)) => ensure!(error.kind() == ErrorKind::Unavailable, "{error:?}"),
            None => {}
        }
        ensure!(
            told.commits.is_empty() || watch.position() > first,
            "it told and did not move"
        );
        if end.is_none() && below(&entropy, 10) == 0 {
            let bound = if below(&entropy, 20) == 0 {
                8_000_000
            } else {
                1_500
            };
            pause(millis(&entropy, bound)).await;
        }
    }
}

async fn run(
    store: &MemoryStore,
    seed: u64,
    written: &Arc<Mutex<Written>>,
) -> Result<Vec<(u64, Told)>, String> {
    let entropy = SeededEntropy::new(seed);
    let fork = || SeededEntropy::new(entropy.bits().unwrap());
    let (mut stores, mut handles) = (Vec::new(), Vec::new());
    for handle in 0..HANDLES {
        let faulty = FaultyStore::over(store.clone());
        let opened = Manifest::open(Arc::new(faulty.clone()), PREFIX, options(seed * 100 + handle)).await;
        handles.push(opened.map_err(unexpected)?);
        script(&faulty, &fork());
        stores.push(faulty);
    }
    let (mut writers, mut watches) = (tokio::task::JoinSet::new(), tokio::task::JoinSet::new());
    // One handle only watches.
    for (number, handle) in handles.iter().take(2).enumerate() {
        for task in 0..2 {
            let name = format!("{number} {task}");
            writers.spawn(write(handle.clone(), Arc::clone(written), fork(), name));
        }
    }
    let (end, last) = tokio::sync::watch::channel(None);
    for number in 0..WATCHES {
        let handle = handles[usize::try_from(number % HANDLES).unwrap()].clone();
        let (entropy, last) = (fork(), last.clone());
        watches.spawn(async move {
            pause(millis(&entropy, 3_000)).await;
            let from = match below(&entropy, 4) {
                0 => WatchFrom::Now,
                1 => WatchFrom::Txn(1 + below(&entropy, 40)),
                _ => WatchFrom::Txn(1),
            };
            let interval = every(Duration::from_millis(10 + below(&entropy, 2_000)));
            let begun = handle.watch_with(from, interval).await.map_err(unexpected)?;
            watch(begun, entropy, last).await
        });
    }
    writers.join_all().await;
    stores.iter().for_each(FaultyStore::heal);
    // Bodies whose outcome is unknown are settled.
    pause(Duration::from_secs(120)).await;
    end.send_replace(Some(final_txn(store).await));
    let told = watches.join_all().await.into_iter().collect();
    for handle in handles {
        handle.close().await;
    }
    told
}

/// Holds one random run; tells how many commits and gaps its watches were told.
async fn everything_is_told_once(seed: u64) -> Result<(usize, usize), String> {
    let (store, founder) = founded_with(settings(seed)).await;
    let written = Arc::default();
    let all = run(&store, seed, &written).await?;
    let folded = founder.snapshot(Freshness::Latest).await.map_err(unexpected)?;
    let (last, folded) = (folded.txn(), founder.info().map_err(unexpected)?.folded_through);
    founder.close().await;
    let written = written.lock();
    let mut counts = (0, 0);
    for (first, told) in all {
        holds(first, &told, &written, last)?;
        let gap = told.gaps.iter().find(|(_, to)| *to > folded);
        ensure!(
            gap.is_none(),
            "gap {gap:?}, though {folded} is the last that was folded"
        );
        counts.0 += told.commits.len();
        counts.1 += told.gaps.len();
    }
    Ok(counts)
}

fn holds(first: u64, told: &Told, written: &Written, last: u64) -> Verdict {
    let mut covered: Vec<u64> = told.txns();
    covered.extend(told.gaps.iter().flat_map(|(from, to)| *from..=*to));
    covered.sort_unstable();
    ensure!(
        covered == (first..=last.max(first - 1)).collect::<Vec<_>>(),
        "from {first} to {last} {covered:?} were told"
    );
    let ids: BTreeSet<TransactionId> = told.commits.iter().map(|commit| commit.id).collect();
    ensure!(ids.len() == told.commits.len(), "a transaction was told twice");
    for commit in &told.commits {
        let tried = written.tried.get(&commit.id);
        ensure!(
            tried == Some(&commit.writes),
            "{commit:?} was told, {tried:?} was written"
        );
    }
    let by_number: BTreeMap<u64, TransactionId> = told
        .commits
        .iter()
        .map(|commit| (commit.txn, commit.id))
        .collect();
    for receipt in &written.committed {
        let told = receipt.txn.and_then(|txn| by_number.get(&txn));
        ensure!(
            told.is_none_or(|id| *id == receipt.id),
            "{told:?} was told, {receipt:?} was acknowledged"
        );
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_each_commit_is_told_once_or_lies_in_a_gap() {
    let (mut commits, mut gaps, mut wrong) = (0, 0, Vec::new());
    for seed in 1..=SEEDS {
        match everything_is_told_once(seed).await {
            Ok(counts) => {
                commits += counts.0;
                gaps += counts.1;
            }
            Err(seen) => wrong.push(format!("seed {seed}: {seen}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {SEEDS} seeds:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        commits > 20_000 && gaps > 20,
        "{commits} commits and {gaps} gaps: too little has happened"
    );
}
