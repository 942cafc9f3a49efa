//! Watching a store that fails: errors lose nothing, futures that are dropped lose nothing, and a store that went back is
//! told.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{
    Clock as _, ErrorKind, Manifest, MemoryStore, Options, TokioClock, Watch, WatchFrom,
    store::{PutMode, Store as _},
};

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    spill::fill,
    support::{
        HEAD, PREFIX, founded, founded_with, increment, log_objects, object, object_with_etag, open_faulty,
        options, overwrite, pause, put, remove, settle, spilled_at_once, unfolded, within,
    },
    watch::{SECOND, Told, commit, every, told_through},
};

/// A watch from commit 1 of a manifest whose ten commits lie in log objects, and the handle that made them.
async fn spilled() -> (MemoryStore, Manifest, FaultyStore, Manifest, Watch) {
    let shared = fusio_manifest::SharedSettings {
        spill_bytes: 1,
        spill_keep_bytes: 0,
        ..unfolded()
    };
    let (store, founder) = founded_with(shared).await;
    for number in 0..10 {
        put(&founder, "k", &number.to_string()).await.unwrap();
        settle().await;
    }
    founder.maintain().await.unwrap();
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let watch = manifest.watch(WatchFrom::Txn(1)).await.unwrap();
    (store, founder, faulty, manifest, watch)
}

async fn told_once(watch: &mut Watch, last: u64) {
    let first = watch.position();
    let told = told_through(watch, last).await;
    assert_eq!((told.txns(), told.gaps), ((first..=last).collect(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn requests_that_fail_for_a_while_are_repeated() {
    for fault in [
        Fault::LostRequest,
        Fault::LostReply,
        Fault::ConnectionAfter,
        Fault::StatusBefore(503),
        Fault::StatusBefore(500),
        Fault::StatusBefore(429),
        Fault::Delay(Duration::from_secs(20)),
    ] {
        let (_store, founder, faulty, manifest, mut watch) = spilled().await;
        faulty.on_log_get(fault.clone());
        told_once(&mut watch, 10).await;
        for round in 0..3 {
            match round {
                0 => faulty.on_get(fault.clone()),
                _ => faulty.on_log_get(fault.clone()),
            }
            for _ in 0..5 {
                increment(&founder, "count").await.unwrap();
            }
            told_once(&mut watch, 15 + round * 5).await;
        }
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_error_a_watch_goes_on() {
    let (_store, founder, faulty, manifest, mut watch) = spilled().await;
    told_once(&mut watch, 3).await;
    faulty.on_log_get(Fault::StatusBefore(403));
    let rest = watch.next().await;
    // What was read ahead already is told; the refusal met one that was not.
    if let Err(error) = rest {
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
    faulty.heal();
    let first = watch.position();
    assert!(first == 4 || first == 5);
    told_once(&mut watch, 10).await;
    for (kind, on_look) in [(ErrorKind::Refused, true), (ErrorKind::Refused, false)] {
        let mut transaction = founder.begin().await.unwrap();
        transaction.put("large", vec![1; 100 * 1024]).unwrap();
        transaction.commit().await.unwrap();
        match on_look {
            true => faulty.on_get(Fault::StatusBefore(403)),
            false => faulty.on_log_get(Fault::StatusBefore(403)),
        }
        assert_eq!(watch.next().await.unwrap_err().kind(), kind);
        let next = watch.position();
        assert_eq!(commit(&mut watch).await.txn, next);
    }
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_after_the_time_for_reads_and_ends_without_loss() {
    let (store, founder) = founded().await;
    let patient = Options {
        read_timeout: 5 * SECOND,
        ..options(2)
    };
    let (faulty, manifest) = open_faulty(&store, patient).await;
    let mut watch = manifest.watch(WatchFrom::Now).await.unwrap();
    increment(&founder, "count").await.unwrap();
    for _ in 0..100 {
        faulty.on_get(Fault::StatusBefore(503));
    }
    for _ in 0..2 {
        let clock = TokioClock::new();
        let error = watch.next().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(clock.now() <= 6 * SECOND + SECOND / 10, "{:?}", clock.now());
    }
    faulty.heal();
    told_once(&mut watch, 1).await;
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_gone_is_told_once_an_interval_and_a_watch_goes_on_when_it_is_back() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut watch = manifest.watch(WatchFrom::Now).await.unwrap();
    increment(&founder, "count").await.unwrap();
    let (head, _) = object_with_etag(&store, HEAD).await;
    remove(&store, HEAD).await;
    faulty.forget_requests();
    let clock = TokioClock::new();
    for _ in 0..5 {
        assert_eq!(watch.next().await.unwrap_err().kind(), ErrorKind::HeadLost);
    }
    assert_eq!((faulty.looks(), clock.now()), (5, 5 * SECOND));
    store.put(HEAD, head, PutMode::Create).await.unwrap();
    told_once(&mut watch, 1).await;

    let (other, stranger) = founded_by_another().await;
    overwrite(&store, HEAD, object(&other, HEAD).await).await;
    assert_eq!(watch.next().await.unwrap_err().kind(), ErrorKind::Replaced);
    stranger.close().await;
    founder.close().await;
    manifest.close().await;
}

async fn founded_by_another() -> (MemoryStore, Manifest) {
    crate::support::founded_by(options(77)).await
}

#[tokio::test(start_paused = true)]
async fn a_store_that_went_back_stops_the_watch() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut watch = manifest.watch(WatchFrom::Txn(1)).await.unwrap();
    let (old, etag) = object_with_etag(&store, HEAD).await;
    increment(&founder, "count").await.unwrap();
    told_once(&mut watch, 1).await;
    faulty.on_get(Fault::Shows(old, etag));
    for _ in 0..3 {
        assert_eq!(watch.next().await.unwrap_err().kind(), ErrorKind::StoreWentBack);
    }
    founder.close().await;
    manifest.close().await;
}

/// A look is answered with what HEAD was when it arrived, long after the handle has learnt more.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_overtaken_repeats_nothing() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut watch = manifest.watch(WatchFrom::Txn(1)).await.unwrap();
    increment(&founder, "count").await.unwrap();
    let gate = Gate::closed();
    faulty.on_get(Fault::HoldAfter(gate.clone()));
    assert!(within(2 * SECOND, watch.next()).await.is_none());
    for _ in 0..3 {
        increment(&founder, "count").await.unwrap();
        put(&manifest, "own", "v").await.unwrap();
    }
    told_once(&mut watch, 7).await;
    gate.open();
    assert!(within(3 * SECOND, watch.next()).await.is_none());
    increment(&founder, "count").await.unwrap();
    told_once(&mut watch, 8).await;
    founder.close().await;
    manifest.close().await;
}

/// The future of `next` is dropped every 7 ms, and every request takes 50.
#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_again_and_again_loses_and_repeats_nothing() {
    const LATENCY: Duration = Duration::from_millis(50);
    let (store, founder) = founded_with(spilled_at_once()).await;
    fill(&founder, 0..20).await.unwrap();
    founder.maintain().await.unwrap();
    let slow = FaultyStore::over(store.clone()).with_latency(LATENCY);
    let manifest = Manifest::open(Arc::new(slow.clone()), PREFIX, options(2))
        .await
        .unwrap();
    slow.forget_requests();
    let objects = manifest.info().unwrap().log_objects;
    let mut watch = manifest
        .watch_with(WatchFrom::Txn(1), every(SECOND))
        .await
        .unwrap();
    let mut told = Told::default();
    let mut later = 0;
    let clock = TokioClock::new();
    while watch.position() <= 60 {
        let position = watch.position();
        assert!(clock.now() < 600 * SECOND, "it stands at {position}");
        if let Some(event) = within(Duration::from_millis(7), watch.next()).await {
            told.take(position, event.unwrap().unwrap()).unwrap();
        }
        if later < 40 && clock.now() >= SECOND * later / 2 {
            increment(&founder, "count").await.unwrap();
            later += 1;
        }
    }
    assert_eq!((told.txns(), told.gaps), ((1..=60).collect(), Vec::new()));
    let seconds = usize::try_from(clock.now().as_secs()).unwrap();
    assert!(
        slow.looks() <= seconds + 1,
        "{} looks in {seconds} s",
        slow.looks()
    );
    let named = log_objects(&store).await.len();
    assert!(
        slow.log_reads() >= objects && slow.log_reads() <= named,
        "{} objects read, {objects} at first, {named} at last",
        slow.log_reads()
    );
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_object_that_head_names_and_that_is_gone_or_damaged_is_told() {
    for damaged in [false, true] {
        let (store, founder, faulty, manifest, mut watch) = spilled().await;
        let key = log_objects(&store).await[0].clone();
        let bytes = object(&store, &key).await;
        match damaged {
            true => overwrite(&store, &key, bytes.slice(1..)).await,
            false => remove(&store, &key).await,
        }
        let mut failed = 0;
        while failed < 3 {
            match within(SECOND / 2, watch.next()).await.unwrap() {
                Ok(event) => assert!(failed == 0 && event.is_some()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    assert!(error.to_string().contains("log"), "{error}");
                    failed += 1;
                }
            }
        }
        overwrite(&store, &key, bytes).await;
        told_once(&mut watch, 10).await;
        assert!(faulty.looks() <= 3, "{} looks", faulty.looks());
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_watches_read_nothing_any_more() {
    let (_store, founder, faulty, manifest, watch) = spilled().await;
    drop(watch);
    faulty.forget_requests();
    pause(60 * SECOND).await;
    increment(&founder, "count").await.unwrap();
    pause(60 * SECOND).await;
    assert_eq!((faulty.looks(), faulty.log_reads()), (0, 0));
    founder.close().await;
    manifest.close().await;
}
