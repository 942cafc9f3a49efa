//! What folding and reading what was folded costs, in requests and round trips.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{
    Clock as _, Freshness, KeyRange, Manifest, MemoryStore, Options, RequestClass, SharedSettings,
    TokioClock, limits,
};

use manifest_perf::trace::{TracedStore, peak_in_flight};

use crate::{
    faulty::FaultyStore,
    fold::folded_soon,
    spill::KIB,
    support::{PREFIX, founded, founded_with, open, open_faulty, options, pause, put, settle},
};

const LATENCY: Duration = Duration::from_millis(50);

/// A handle whose store takes its time.
async fn slow(store: &MemoryStore, options: Options) -> (FaultyStore, Manifest) {
    let slow = FaultyStore::over(store.clone()).with_latency(LATENCY);
    let manifest = Manifest::open(Arc::new(slow.clone()), PREFIX, options)
        .await
        .unwrap();
    (slow, manifest)
}

/// 10,000 commits of 100 bytes: each is one PUT, and all that maintains them is a few requests in a hundred.
#[tokio::test(start_paused = true)]
async fn ten_thousand_commits_cost_one_put_each_and_little_maintenance() {
    const COMMITS: usize = 10_000;
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut largest = 0;
    for number in 0..COMMITS {
        put(&manifest, &format!("key {number:05}"), &"v".repeat(91))
            .await
            .unwrap();
        largest = largest.max(manifest.info().unwrap().head_bytes);
    }
    let info = manifest.info().unwrap();
    assert_eq!(
        (faulty.bodies().len(), faulty.looks()),
        (COMMITS, 0),
        "on the path"
    );
    let maintenance = info.maintenance;
    let all = COMMITS as u64 + maintenance.total();
    assert!(all * 100 <= COMMITS as u64 * 105, "{maintenance:?}");
    // What it folds it wrote itself.
    assert_eq!(faulty.log_reads(), 0);
    assert!(
        info.runs >= 1 && info.folded_through > 5_000 && info.log_objects < 32,
        "{info:?}"
    );
    assert!(largest <= limits::HEAD_BYTES_MAX / 2, "{largest}");
    println!(
        "{COMMITS} commits: {} spills, {} tables, {} GETs of maintenance; largest HEAD {largest} bytes; {info:?}",
        faulty.log_puts().len(),
        faulty.table_puts().len(),
        maintenance.requests(RequestClass::Get),
    );
    let reader = open(&store, options(3)).await;
    for number in (0..COMMITS).step_by(997) {
        assert!(reader.get(format!("key {number:05}")).await.unwrap().is_some());
    }
    assert_eq!(
        reader
            .scan(KeyRange::all())
            .await
            .unwrap()
            .collect()
            .await
            .unwrap()
            .len(),
        COMMITS
    );
    reader.close().await;
    manifest.close().await;
    founder.close().await;
}

/// A manifest of some thousand keys in one run of several tables and many blocks.
async fn folded() -> (MemoryStore, Manifest) {
    let settings = SharedSettings {
        fold_objects: 8,
        table_bytes: 64 * KIB as u64,
        block_bytes: 4 * KIB as u64,
        ..SharedSettings::default()
    };
    let (store, founder) = founded_with(settings).await;
    let mut seed = 1_u64;
    for batch in 0..40 {
        let mut transaction = founder.begin().await.unwrap();
        for number in 0..100 {
            // Bytes that do not compress.
            let value: String = (0..10)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    format!("{:010x}", seed >> 24)
                })
                .collect();
            transaction
                .put(format!("key {:05}", batch * 100 + number), value)
                .unwrap();
        }
        transaction.commit().await.unwrap();
        settle().await;
    }
    founder.maintain().await.unwrap();
    let info = founder.info().unwrap();
    assert!(info.runs >= 1 && info.folded_through > 20, "{info:?}");
    (store, founder)
}

#[tokio::test(start_paused = true)]
async fn a_cold_open_to_the_first_value_is_three_round_trips() {
    let (store, founder) = folded().await;
    assert!(
        founder.info().unwrap().log_objects > 0,
        "log objects are read beside the footers"
    );
    let clock = TokioClock::new();
    let (slow, reader) = slow(&store, options(2)).await;
    assert!(reader.get("key 00007").await.unwrap().is_some());
    assert_eq!(clock.now(), LATENCY * 3);
    assert!(slow.table_reads() < 20, "{} reads of tables", slow.table_reads());
    reader.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_fresh_read_is_one_round_trip_whether_its_block_is_cached_or_not() {
    let (store, founder) = folded().await;
    let (slow, reader) = slow(&store, options(2)).await;
    settle().await;
    pause(LATENCY * 2).await;
    slow.forget_requests();
    let clock = TokioClock::new();
    assert!(reader.get("key 00007").await.unwrap().is_some());
    assert_eq!(clock.now(), LATENCY, "the block, beside the look at HEAD");
    assert_eq!((slow.looks(), slow.table_reads()), (1, 1));
    // Of the same block, and of a key that is not there.
    assert!(reader.get("key 00008").await.unwrap().is_some());
    assert!(reader.get("key 00008x").await.unwrap().is_none());
    assert_eq!(clock.now(), LATENCY * 3);
    assert_eq!((slow.looks(), slow.table_reads()), (3, 1));
    // A snapshot that may be old costs the block alone.
    let snapshot = reader.snapshot(Freshness::Cached).await.unwrap();
    assert!(snapshot.get("key 01500").await.unwrap().is_some());
    assert_eq!((slow.looks(), slow.table_reads()), (3, 2));
    reader.close().await;
    founder.close().await;
}

/// Others fold and merge; who read before goes on with the runs that it knows, and the new footers come beside.
#[tokio::test(start_paused = true)]
async fn the_first_read_after_a_fold_or_a_merge_of_others_is_one_round_trip() {
    let (store, founder) = founded_with(SharedSettings {
        tier_ratio: 3,
        ..folded_soon()
    })
    .await;
    for number in 0..24 {
        put(&founder, &format!("key {number:02}"), &"v".repeat(400))
            .await
            .unwrap();
        settle().await;
    }
    let (slow, reader) = slow(&store, options(2)).await;
    pause(LATENCY * 3).await;
    let clock = TokioClock::new();
    let (mut folds, mut merges) = (0, 0);
    for number in 24..60 {
        let before = founder.info().unwrap();
        put(&founder, &format!("key {number:02}"), &"v".repeat(400))
            .await
            .unwrap();
        settle().await;
        let after = founder.info().unwrap();
        folds += usize::from(after.folded_through > before.folded_through);
        merges += usize::from(after.runs < before.runs);
        let began = clock.now();
        slow.forget_requests();
        assert!(
            reader
                .get(format!("key {:02}", number % 20))
                .await
                .unwrap()
                .is_some()
        );
        assert_eq!(
            (clock.now() - began, slow.looks()),
            (LATENCY, 1),
            "after commit {}",
            number + 1
        );
        // Time for what comes beside.
        pause(LATENCY * 4).await;
    }
    assert!(folds > 5 && merges > 2, "{folds} folds, {merges} merges");
    reader.close().await;
    founder.close().await;
}

/// A scan asks for more and more blocks at once and ahead, so it waits for few of its requests.
#[tokio::test(start_paused = true)]
async fn a_long_scan_reads_ahead_and_a_short_one_does_not() {
    let (store, founder) = folded().await;
    let (slow, reader) = slow(&store, options(2)).await;
    pause(LATENCY * 2).await;
    let snapshot = reader.snapshot(Freshness::Cached).await.unwrap();
    slow.forget_requests();
    let mut short = snapshot.scan(KeyRange::from("key 00100"));
    short.next().await.unwrap().unwrap();
    let runs = reader.info().unwrap().runs;
    assert!(
        slow.table_reads() <= 2 * runs,
        "{} requests for one entry",
        slow.table_reads()
    );
    let clock = TokioClock::new();
    for reversed in [false, true] {
        slow.forget_requests();
        let began = clock.now();
        let scan = snapshot.scan(KeyRange::all());
        let scan = if reversed { scan.reversed() } else { scan };
        assert_eq!(scan.collect().await.unwrap().len(), 4_000);
        let (requests, took) = (slow.table_reads(), clock.now() - began);
        // 4,000 entries of 115 bytes are over 100 blocks of 4 KiB.
        assert!((13..60).contains(&requests), "{requests} requests");
        assert!(took < LATENCY * 18, "{requests} requests took {took:?}");
    }
    reader.close().await;
    founder.close().await;
}

/// Four requests on the wire and the order in which blocks are needed, not so many for each run: one run that has nearly
/// everything, or many of which one comes after the other, are read as fast as the wire allows.
#[tokio::test(start_paused = true)]
async fn a_scan_keeps_the_wire_busy_with_what_is_needed_next() {
    let (store, founder) = folded().await;
    let clock = Arc::new(TokioClock::new());
    let slow = FaultyStore::over(store.clone()).with_latency(LATENCY);
    let traced = Arc::new(TracedStore::new(Arc::new(slow), Arc::clone(&clock) as _));
    let trace = traced.trace();
    let reader = Manifest::open(traced, PREFIX, options(2)).await.unwrap();
    pause(LATENCY * 2).await;
    let runs = u32::try_from(reader.info().unwrap().runs).unwrap();
    let snapshot = reader.snapshot(Freshness::Cached).await.unwrap();
    for reversed in [false, true] {
        trace.take();
        let began = clock.now();
        let scan = snapshot.scan(KeyRange::all());
        let scan = if reversed { scan.reversed() } else { scan };
        assert_eq!(scan.collect().await.unwrap().len(), 4_000);
        let (took, requests) = (clock.now() - began, trace.take());
        let peak = u32::try_from(peak_in_flight(&requests)).unwrap();
        assert_eq!(peak, runs.max(4), "of {runs} runs");
        // The first block of each run at once, two spans of two, four of four; then eight blocks a span, four at once.
        let waits = 1 + 2 + u32::try_from(requests.len()).unwrap().div_ceil(4);
        assert!(
            took <= LATENCY * waits,
            "{} requests of {runs} runs took {took:?}",
            requests.len()
        );
    }
    reader.close().await;
    founder.close().await;
}

/// The first blocks of all runs are asked for at once, and whoever waits for a turn has as long as anybody.
#[tokio::test(start_paused = true)]
async fn the_first_entry_of_many_runs_takes_one_round_trip() {
    const RUNS: u32 = 12;
    let shared = SharedSettings {
        fold_objects: 1,
        fold_bytes: 1,
        tier_ratio: 64,
        transaction_inline_bytes: 64,
        ..SharedSettings::default()
    };
    let (store, founder) = founded_with(shared).await;
    for run in 0..RUNS {
        put(&founder, &format!("key {run:02}"), &"v".repeat(KIB))
            .await
            .unwrap();
        founder.maintain().await.unwrap();
    }
    assert_eq!(founder.info().unwrap().runs, RUNS as usize);
    // So little that every round trip more would be too late.
    let impatient = Options {
        read_timeout: LATENCY + LATENCY / 2,
        ..options(2)
    };
    let (slow, reader) = slow(&store, impatient).await;
    pause(LATENCY * 2).await;
    let snapshot = reader.snapshot(Freshness::Cached).await.unwrap();
    slow.forget_requests();
    let clock = TokioClock::new();
    let began = clock.now();
    let mut scan = snapshot.scan(KeyRange::all());
    assert_eq!(scan.next().await.unwrap().unwrap().0, "key 00");
    assert_eq!(clock.now() - began, LATENCY);
    assert_eq!(scan.collect().await.unwrap().len(), RUNS as usize - 1);
    reader.close().await;
    founder.close().await;
}

/// Memory follows the cache: with a small one blocks are read again, and every answer stays right.
#[tokio::test(start_paused = true)]
async fn a_small_cache_is_bounded_and_right() {
    let (store, founder) = folded().await;
    let (faulty, reader) = open_faulty(
        &store,
        Options {
            cache_bytes: 1 << 20,
            ..options(2)
        },
    )
    .await;
    let snapshot = reader.snapshot(Freshness::Cached).await.unwrap();
    for round in 0..2 {
        for number in (0..4_000).step_by(13) {
            assert!(
                snapshot.get(format!("key {number:05}")).await.unwrap().is_some(),
                "{round}"
            );
        }
    }
    assert!(faulty.table_reads() > 50);
    reader.close().await;
    founder.close().await;
}
