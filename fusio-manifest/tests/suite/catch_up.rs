//! Reading what others moved out of HEAD: all missing log objects at once, each by one GET however many wait.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{Clock as _, Manifest, MemoryStore, TokioClock};

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    spill::{KIB, fill, kilobyte},
    support::{PREFIX, cached, founded_with, increment, open_faulty, options, settle, unfolded},
};

const LATENCY: Duration = Duration::from_millis(50);

/// A handle whose store takes its time.
async fn slow(store: &MemoryStore) -> (FaultyStore, Manifest) {
    let slow = FaultyStore::over(store.clone()).with_latency(LATENCY);
    let manifest = Manifest::open(Arc::new(slow.clone()), PREFIX, options(2))
        .await
        .unwrap();
    (slow, manifest)
}

/// Commits until HEAD names `objects` log objects; returns how many commits that took.
async fn until_objects(writer: &Manifest, objects: usize) -> usize {
    let mut count = 0;
    while writer.info().unwrap().log_objects < objects {
        fill(writer, [count]).await.unwrap();
        count += 1;
    }
    count
}

#[tokio::test(start_paused = true)]
async fn a_reader_far_behind_reads_all_that_is_missing_at_once() {
    let (store, writer) = founded_with(unfolded()).await;
    let (slow, reader) = slow(&store).await;
    let count = until_objects(&writer, 20).await;
    slow.forget_requests();
    let clock = TokioClock::new();
    let value = reader.get("key 0").await.unwrap().unwrap();
    assert_eq!(clock.now(), LATENCY * 2, "HEAD, then all log objects");
    assert_eq!((slow.looks(), slow.log_reads()), (1, 20));
    assert_eq!(value, kilobyte(0));
    for number in 0..count {
        let snapshot = reader.snapshot(fusio_manifest::Freshness::Cached).await.unwrap();
        let value = snapshot.get(format!("key {number}")).await.unwrap();
        assert_eq!(value.unwrap(), kilobyte(number));
    }
    writer.close().await;
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn readers_that_are_behind_together_share_each_get() {
    let (store, writer) = founded_with(unfolded()).await;
    let (slow, reader) = slow(&store).await;
    until_objects(&writer, 10).await;
    slow.forget_requests();
    let clock = TokioClock::new();
    let mut readers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let reader = reader.clone();
        readers.spawn(async move { reader.get(format!("key {number}")).await.unwrap().unwrap() });
    }
    assert_eq!(readers.join_all().await.len(), 8);
    assert_eq!(clock.now(), LATENCY * 2);
    assert_eq!((slow.looks(), slow.log_reads()), (8, 10));
    writer.close().await;
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_cold_open_is_two_round_trips() {
    let (store, writer) = founded_with(unfolded()).await;
    until_objects(&writer, 12).await;
    let clock = TokioClock::new();
    let (slow, reader) = slow(&store).await;
    assert_eq!(clock.now(), LATENCY * 2);
    assert_eq!((slow.looks(), slow.log_reads()), (1, 12));
    writer.close().await;
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_read_once_is_not_read_again() {
    let (store, writer) = founded_with(unfolded()).await;
    let (slow, reader) = slow(&store).await;
    let count = until_objects(&writer, 5).await;
    reader.get("key 0").await.unwrap();
    slow.forget_requests();
    for number in count..count + 5 {
        fill(&writer, [number]).await.unwrap();
        reader.get("key 0").await.unwrap();
    }
    assert_eq!((slow.looks(), slow.log_reads()), (5, 0));
    writer.close().await;
    reader.close().await;
}

/// Commits a transaction that is too large to stand inline.
async fn commit_large(manifest: &Manifest) {
    let mut transaction = cached(manifest).await;
    transaction.put("large", vec![1; 100 * KIB]).unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_loses_a_race_to_a_large_transaction_reads_its_object_once() {
    let (store, founder) = founded_with(unfolded()).await;
    let (slow, manifest) = slow(&store).await;
    commit_large(&founder).await;
    slow.forget_requests();
    let clock = TokioClock::new();
    let receipt = increment(&manifest, "own").await.unwrap();
    assert_eq!((receipt.txn, receipt.attempts.len()), (Some(2), 2));
    assert_eq!((slow.bodies().len(), slow.looks(), slow.log_reads()), (2, 1, 1));
    assert_eq!(clock.now(), LATENCY * 4, "PUT, HEAD, log object, PUT");
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_waits_for_a_log_object_holds_up_no_newer_one() {
    let (store, founder) = founded_with(unfolded()).await;
    let (faulty, reader) = open_faulty(&store, options(2)).await;
    commit_large(&founder).await;
    let gate = Gate::closed();
    faulty.on_log_get(Fault::HoldAfter(gate.clone()));
    let first = tokio::spawn({
        let reader = reader.clone();
        async move { reader.get("large").await }
    });
    gate.reached().await;
    increment(&founder, "count").await.unwrap();
    let second = tokio::spawn({
        let reader = reader.clone();
        async move { reader.get("count").await }
    });
    settle().await;
    gate.open();
    assert_eq!(first.await.unwrap().unwrap().unwrap().len(), 100 * KIB);
    assert_eq!(second.await.unwrap().unwrap().unwrap(), "1");
    assert_eq!(faulty.log_reads(), 1, "both needed the same object");
    founder.close().await;
    reader.close().await;
}

/// One reader's request is dropped with it; who shared it is not left behind.
#[tokio::test(start_paused = true)]
async fn a_reader_that_leaves_takes_nobodys_log_object_along() {
    let (store, founder) = founded_with(unfolded()).await;
    let (faulty, reader) = open_faulty(&store, options(2)).await;
    commit_large(&founder).await;
    let gate = Gate::closed();
    faulty.on_log_get(Fault::HoldBefore(gate.clone()));
    let leaves = tokio::spawn({
        let reader = reader.clone();
        async move { reader.get("large").await }
    });
    gate.reached().await;
    let stays = tokio::spawn({
        let reader = reader.clone();
        async move { reader.get("large").await }
    });
    settle().await;
    leaves.abort();
    settle().await;
    gate.open();
    assert!(stays.await.unwrap().unwrap().is_some());
    founder.close().await;
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_object_that_is_slow_to_come_is_asked_for_again() {
    for fault in [
        Fault::LostReply,
        Fault::ConnectionBefore,
        Fault::StatusBefore(503),
        Fault::StatusBefore(500),
        Fault::Delay(Duration::from_secs(20)),
    ] {
        let (store, founder) = founded_with(unfolded()).await;
        let (faulty, reader) = open_faulty(&store, options(2)).await;
        commit_large(&founder).await;
        faulty.on_log_get(fault.clone());
        assert!(reader.get("large").await.unwrap().is_some(), "{fault:?}");
        assert_eq!((faulty.looks(), faulty.log_reads()), (1, 2), "{fault:?}");
        founder.close().await;
        reader.close().await;
    }
}
