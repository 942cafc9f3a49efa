//! Spills that go wrong: commits go on, nothing is lost, nothing is named that is not there.

use std::time::Duration;

use fusio_manifest::{ErrorKind, MemoryStore};

use crate::{
    faulty::{Fault, Gate},
    outcomes::every_fault,
    spill::{KIB, all_there, fill},
    support::{founded, increment, log_objects, open, open_faulty, options, pause, settle},
};

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_a_spills_put_commits_go_on_and_nothing_is_lost() {
    for fault in every_fault() {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        faulty.on_log_put(fault.clone());
        fill(&manifest, 0..100).await.unwrap();
        assert_eq!(faulty.bodies().len(), 100, "{fault:?}");
        // Time for what is repeated, and more commits, so that what failed is tried again.
        pause(Duration::from_secs(20)).await;
        fill(&manifest, 100..200).await.unwrap();
        faulty.deliver_late().await;
        assert!(manifest.info().unwrap().log_objects >= 1, "{fault:?}");
        assert_eq!((faulty.bodies().len(), faulty.looks()), (200, 0), "{fault:?}");
        all_there(&store, 200, 0).await.unwrap();
        manifest.close().await;
        founder.close().await;
    }
}

/// The PUT of a spill is repeated under its name while nothing is known; once that name is taken, whoever took it, it
/// goes under another one.
#[tokio::test(start_paused = true)]
async fn a_spill_whose_reply_is_lost_is_sent_again_and_swapped_in() {
    for fault in [
        Fault::LostReply,
        Fault::ConnectionAfter,
        Fault::StatusAfter(503),
        Fault::StatusAfter(500),
        Fault::Replay,
        Fault::StatusBefore(412),
    ] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        faulty.on_log_put(fault.clone());
        fill(&manifest, 0..70).await.unwrap();
        pause(Duration::from_secs(20)).await;
        fill(&manifest, [70]).await.unwrap();
        let sent = faulty.log_puts();
        let told_at_once = matches!(fault, Fault::Replay | Fault::StatusBefore(412));
        let copies = if told_at_once { 1 } else { 2 };
        assert_eq!(sent.len(), copies + 1, "{fault:?}");
        assert!(sent[..copies].iter().all(|name| *name == sent[0]), "{fault:?}");
        assert!(
            sent[0] != sent[copies] && log_objects(&store).await.contains(&sent[copies]),
            "{fault:?}: {sent:?}"
        );
        assert_eq!(manifest.info().unwrap().log_objects, 1, "{fault:?}");
        all_there(&store, 71, 0).await.unwrap();
        manifest.close().await;
        founder.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_spill_that_is_refused_is_tried_again_when_head_has_grown_and_not_before() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.on_log_put(Fault::StatusBefore(403));
    fill(&manifest, 0..120).await.unwrap();
    assert_eq!(
        faulty.log_puts().len(),
        1,
        "a store that refuses is not asked with every commit"
    );
    fill(&manifest, 120..140).await.unwrap();
    assert_eq!(faulty.log_puts().len(), 2);
    assert_eq!(manifest.info().unwrap().log_objects, 1);
    assert!(manifest.info().unwrap().inline_bytes < 64 * KIB);
    all_there(&store, 140, 0).await.unwrap();
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn maintain_asks_a_store_that_refused_again() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.on_log_put(Fault::StatusBefore(403));
    faulty.on_log_put(Fault::StatusBefore(403));
    fill(&manifest, 0..70).await.unwrap();
    settle().await;
    let error = manifest.maintain().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(
        faulty.log_puts().len(),
        2,
        "it was told what the store said earlier"
    );
    manifest.maintain().await.unwrap();
    assert_eq!(manifest.info().unwrap().log_objects, 1);
    all_there(&store, 70, 0).await.unwrap();
    manifest.close().await;
    founder.close().await;
}

/// No log object can be written until HEAD is full; then the store recovers.
#[tokio::test(start_paused = true)]
async fn a_full_head_recovers_with_its_store() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    (0..1_000).for_each(|_| faulty.on_log_put(Fault::StatusBefore(403)));
    let mut committed = 0;
    let error = loop {
        match fill(&manifest, [committed]).await {
            Ok(()) => committed += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(
        manifest.info().unwrap().inline_bytes > 240 * KIB,
        "after {committed}"
    );
    faulty.heal();
    fill(&manifest, committed..committed + 100).await.unwrap();
    settle().await;
    fill(&manifest, [committed + 100]).await.unwrap();
    let info = manifest.info().unwrap();
    assert!(
        info.inline_bytes < 64 * KIB,
        "it does not spill any more: {info:?}"
    );
    all_there(&store, committed + 101, 0).await.unwrap();
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn while_no_log_object_can_be_written_a_commit_without_room_is_not_committed() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    (0..10_000).for_each(|_| faulty.on_log_put(Fault::StatusBefore(503)));
    let mut committed = 0;
    let error = loop {
        match fill(&manifest, [committed]).await {
            Ok(()) => committed += 1,
            Err(error) => break error,
        }
    };
    assert!(!error.outcome_unknown(), "{error}");
    assert!(error.is_retryable(), "{error}");
    all_there(&store, committed, 0).await.unwrap();
    manifest.close().await;
    founder.close().await;
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// A process that is gone with its spill on the wire, or between the spill and the HEAD that would name it.
fn gone_in_a_spill(fault: fn(Gate) -> Fault) -> MemoryStore {
    let first = runtime();
    let store = first.block_on(async {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let gate = Gate::closed();
        faulty.on_log_put(fault(gate.clone()));
        fill(&manifest, 0..70).await.unwrap();
        gate.reached().await;
        founder.close().await;
        store
    });
    drop(first);
    store
}

#[test]
fn a_process_gone_between_its_spill_and_the_next_head_leaves_an_object_that_nothing_names() {
    for (fault, orphans) in [(Fault::HoldBefore as fn(Gate) -> Fault, 0), (Fault::HoldAfter, 1)] {
        let store = gone_in_a_spill(fault);
        runtime().block_on(async {
            assert_eq!(log_objects(&store).await.len(), orphans);
            all_there(&store, 70, 0).await.unwrap();
            let next = open(&store, options(3)).await;
            assert_eq!(next.info().unwrap().log_objects, 0);
            fill(&next, 70..150).await.unwrap();
            increment(&next, "count").await.unwrap();
            let named = next.info().unwrap().log_objects;
            assert!(named >= 1);
            assert_eq!(log_objects(&store).await.len(), named + orphans);
            next.close().await;
            all_there(&store, 150, 1).await.unwrap();
        });
    }
}
