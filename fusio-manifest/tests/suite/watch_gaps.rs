//! Watching where commits leave HEAD: what was told is told once, and what can no longer be told is one gap. And how a watch
//! ends.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{Freshness, Manifest, SharedSettings, Watch, WatchFrom};

use crate::{
    faulty::FaultyStore,
    fold::folded_soon,
    spill::fill,
    support::{
        PREFIX, founded_with, increment, open, open_faulty, options, pause, put, settle, spilled_at_once,
        unfolded, within,
    },
    watch::{SECOND, commit, commit_large, every, is_of, told_through, written},
};

#[tokio::test(start_paused = true)]
async fn commits_that_are_spilled_and_folded_after_they_were_told_are_told_once() {
    for shared in [spilled_at_once(), folded_soon()] {
        let (store, founder) = founded_with(shared).await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let mut watch = manifest
            .watch_with(WatchFrom::Txn(1), every(Duration::from_millis(100)))
            .await
            .unwrap();
        let task = tokio::spawn(async move { told_through(&mut watch, 300).await });
        for _ in 0..300 {
            increment(&founder, "count").await.unwrap();
            pause(Duration::from_millis(40)).await;
        }
        let told = task.await.unwrap();
        assert_eq!(told.gaps, []);
        for (txn, commit) in (1..=300).zip(&told.commits) {
            assert_eq!(
                (commit.txn, &commit.writes[..]),
                (txn, &[written("count", &txn.to_string())][..])
            );
        }
        assert!(faulty.looks() <= 12 * 10 + 3, "{} looks", faulty.looks());
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_begins_behind_what_head_remembers_gets_one_gap_and_goes_on() {
    let (store, founder) = founded_with(folded_soon()).await;
    for number in 0..200 {
        put(&founder, "k", &number.to_string()).await.unwrap();
        settle().await;
    }
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let info = manifest.info().unwrap();
    let mut watch = manifest.watch(WatchFrom::Txn(1)).await.unwrap();
    let told = told_through(&mut watch, 200).await;
    let [(1, to)] = told.gaps[..] else {
        panic!("{:?}", told.gaps);
    };
    assert!(
        to > 50 && to < info.folded_through,
        "{to}: what was folded lately is told"
    );
    assert_eq!(told.txns(), (to + 1..=200).collect::<Vec<_>>());
    for commit in &told.commits {
        assert_eq!(commit.writes, [written("k", &(commit.txn - 1).to_string())]);
    }
    assert_eq!(
        faulty.log_reads(),
        64 + info.log_objects,
        "all that HEAD remembers, each once"
    );
    let receipt = increment(&founder, "count").await.unwrap();
    assert!(is_of(&commit(&mut watch).await, &receipt));
    // What was read again is still the newest state, and a gap ends where it says.
    assert!(manifest.snapshot(Freshness::Cached).await.unwrap().txn() >= to);
    founder.close().await;
    manifest.close().await;
}

/// `held`: it began before, and holds a HEAD that still names what is deleted later.
#[tokio::test(start_paused = true)]
async fn what_was_collected_is_a_gap_and_what_was_held_inline_is_told() {
    for held in [true, false] {
        let (store, founder) = founded_with(folded_soon()).await;
        for number in 0..20 {
            put(&founder, "k", &number.to_string()).await.unwrap();
        }
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let inline = manifest.info().unwrap().inline_bytes;
        let before = manifest.watch(WatchFrom::Txn(1)).await.unwrap();
        for number in 20..60 {
            put(&founder, "k", &number.to_string()).await.unwrap();
            settle().await;
        }
        for _ in 0..2 {
            pause(Duration::from_secs(3_602)).await;
            founder.maintain().await.unwrap();
        }
        let folded = founder.info().unwrap().folded_through;
        assert!(inline > 0 && folded > 50);
        let mut watch = match held {
            true => before,
            false => {
                manifest.get("k").await.unwrap();
                manifest.watch(WatchFrom::Txn(1)).await.unwrap()
            }
        };
        faulty.forget_requests();
        let told = told_through(&mut watch, 60).await;
        // What the last fold has folded is there for another retention.
        let behind = |to: u64| to > 50 && to <= folded;
        let gaps = &told.gaps;
        match (held, &gaps[..]) {
            // One HEAD's last commits, told though they have been folded long ago.
            (true, [(1, to), (from, last)]) => {
                assert!(*to < 20 && *from == 21 && behind(*last), "{gaps:?}")
            }
            (false, [(1, last)]) => assert!(behind(*last), "{gaps:?}"),
            _ => panic!("{held}: {gaps:?}, folded through {folded}"),
        }
        assert!(faulty.looks() <= 1, "{held}: {} looks", faulty.looks());
        founder.close().await;
        manifest.close().await;
    }
}

async fn three_are_told_and_then_it_ends(mut watch: Watch) {
    assert_eq!(told_through(&mut watch, 3).await.txns(), [1, 2, 3]);
    for _ in 0..3 {
        let next = within(Duration::ZERO, watch.next()).await;
        assert_eq!(next.unwrap().unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_its_handle_when_everything_known_is_told() {
    let (store, founder) = founded_with(SharedSettings::default()).await;
    for dropped in [false, true] {
        let manifest = open(&store, options(2 + u64::from(dropped))).await;
        let from = manifest.info().unwrap().txn;
        let (waits, late) = (
            manifest.watch(WatchFrom::Txn(from + 4)).await.unwrap(),
            manifest.watch(WatchFrom::Txn(1)).await.unwrap(),
        );
        let waits = tokio::spawn(async move {
            let mut waits = waits;
            waits.next().await
        });
        settle().await;
        if from == 0 {
            fill(&manifest, 0..3).await.unwrap();
        }
        match dropped {
            false => manifest.close().await,
            true => drop(manifest),
        }
        let ended = within(600 * SECOND, waits).await;
        assert_eq!(ended.unwrap().unwrap().unwrap(), None, "{dropped}");
        three_are_told_and_then_it_ends(late).await;
    }
    founder.close().await;
}

/// The store's clones are counted by what holds it: nothing is left that could send a request.
#[tokio::test(start_paused = true)]
async fn a_dropped_watch_leaves_no_task_behind() {
    let (store, founder) = founded_with(unfolded()).await;
    commit_large(&founder, 1).await;
    let slow = FaultyStore::over(store.clone()).with_latency(5 * SECOND);
    let slow = Arc::new(slow);
    let manifest = Manifest::open(Arc::clone(&slow) as _, PREFIX, options(2))
        .await
        .unwrap();
    for from in [1, 2] {
        let mut watch = manifest.watch(WatchFrom::Txn(from)).await.unwrap();
        assert!(within(2 * SECOND, watch.next()).await.is_none());
    }
    manifest.close().await;
    drop(manifest);
    // The look that was under way may be another reader's as well, so it is let end.
    pause(5 * SECOND).await;
    assert_eq!(Arc::strong_count(&slow), 1);
    founder.close().await;
}
