//! Collections beside commits, spills, large transactions and each other: what is about to be named is spared, what was
//! begun before the fence is written again.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{Freshness, Manifest, SharedSettings, Store as _};

use crate::{
    collect::{RETENTION, collect, furnished, in_order, keys, named, orphans},
    faulty::{Fault, Gate},
    numbered::NumberedStore,
    spill::{all_there, fill},
    support::{
        PREFIX, Tune, Verdict, cached, ensure, founded_by, founded_with, open_faulty, options, pause, put,
        settle, sound, unexpected,
    },
};

/// The PUT of a spill is on its way while another handle raises the epoch.
#[tokio::test(start_paused = true)]
async fn a_spill_begun_before_the_fence_is_written_again() {
    let (store, founder) = founded_with(SharedSettings::default()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    pause(RETENTION - Duration::from_secs(4)).await;
    let gate = Gate::closed();
    faulty.on_log_put(Fault::HoldAfter(gate.clone()));
    fill(&manifest, 0..70).await.unwrap();
    gate.reached().await;
    pause(Duration::from_secs(4)).await;
    // Its commit carries the fence. It does not spill: that is under way.
    put(&founder, "other", "commit").await.unwrap();
    assert_eq!(founder.info().unwrap().epoch, 2);
    gate.open();
    settle().await;
    fill(&manifest, [70]).await.unwrap();
    assert_eq!(
        manifest.info().unwrap().log_objects,
        0,
        "the first may be collected any moment"
    );
    settle().await;
    fill(&manifest, [71]).await.unwrap();
    assert_eq!(manifest.info().unwrap().log_objects, 1);
    let written = faulty.log_puts();
    assert_eq!(written.len(), 2, "{written:?}");
    assert!(written[0].contains("/log/0000000000000001-"), "{written:?}");
    assert!(written[1].contains("/log/0000000000000002-"), "{written:?}");
    collect(&founder).await;
    collect(&founder).await;
    let left = keys(&store).await;
    assert!(
        !left.contains(&written[0]) && left.contains(&written[1]),
        "{left:?}"
    );
    all_there(&store, 72, 1).await.unwrap();
    founder.close().await;
    manifest.close().await;
}

/// A collector lists while an object lies there that is not named yet.
pub(crate) async fn what_is_about_to_be_named_is_spared(tune: Tune) -> Verdict {
    let (store, founder) = founded_by(tune(options(1))).await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    pause(RETENTION).await;
    // The founder raises the epoch, and is about to list.
    let (slow, collector) = open_faulty(&store, tune(options(3))).await;
    let gate = Gate::closed();
    slow.on_put(Fault::HoldAfter(gate.clone()));
    let collecting = collector.clone();
    let collecting = tokio::spawn(async move { collecting.maintain().await });
    gate.reached().await;
    // The writer knows of the new epoch, and writes under it; what it wrote is not named before the listing.
    let written = Gate::closed();
    faulty.on_log_put(Fault::HoldAfter(written.clone()));
    manifest.snapshot(Freshness::Latest).await.map_err(unexpected)?;
    let mut large = cached(&manifest).await;
    large.put("large", vec![b'x'; 50_000]).map_err(unexpected)?;
    let committing = tokio::spawn(async move { large.commit().await });
    written.reached().await;
    gate.open();
    collecting.await.map_err(unexpected)?.map_err(unexpected)?;
    written.open();
    committing.await.map_err(unexpected)?.map_err(unexpected)?;
    for _ in 0..2 {
        pause(RETENTION).await;
        let _ = collector.snapshot(Freshness::Latest).await.map_err(unexpected)?;
        collector.maintain().await.map_err(unexpected)?;
    }
    for handle in [founder, manifest, collector] {
        handle.close().await;
    }
    let reader = Manifest::open(Arc::new(store), PREFIX, options(9))
        .await
        .map_err(unexpected)?;
    let large = reader.get("large").await.map_err(unexpected)?;
    ensure!(
        large.is_some_and(|value| value.len() == 50_000),
        "the large transaction is lost"
    );
    reader.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_about_to_be_named_is_spared() {
    what_is_about_to_be_named_is_spared(sound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_large_transaction_written_before_the_fence_is_written_again() {
    let (store, founder) = founded_with(SharedSettings::default()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    pause(RETENTION).await;
    let gate = Gate::closed();
    faulty.on_log_put(Fault::HoldAfter(gate.clone()));
    let mut large = cached(&manifest).await;
    large.put("large", vec![b'x'; 50_000]).unwrap();
    let committing = tokio::spawn(async move { large.commit().await });
    gate.reached().await;
    founder.maintain().await.unwrap();
    assert_eq!(founder.info().unwrap().epoch, 2);
    // Its handle learns of the fence by losing the race for HEAD.
    gate.open();
    committing.await.unwrap().unwrap();
    let written = faulty.log_puts();
    assert_eq!(written.len(), 2, "{written:?}");
    assert!(written[0].contains("/log/0000000000000001-"), "{written:?}");
    assert!(written[1].contains("/log/0000000000000002-"), "{written:?}");
    collect(&founder).await;
    collect(&founder).await;
    assert!(
        !keys(&store).await.contains(&written[0]),
        "the first copy is garbage"
    );
    assert!(keys(&store).await.contains(&written[1]));
    founder.close().await;
    manifest.close().await;
}

/// A copy of a DELETE that arrives when all is over, and again: its names were never used again.
#[tokio::test(start_paused = true)]
async fn a_deletion_that_arrives_late_deletes_nothing_that_is_needed() {
    let (store, founder) = furnished().await;
    let before = keys(&store).await;
    collect(&founder).await;
    let deleted: Vec<String> = {
        let left = keys(&store).await;
        before.into_iter().filter(|key| !left.contains(key)).collect()
    };
    assert_eq!(deleted.len(), 9);
    for round in 0..3 {
        orphans(&store, &founder, 2, 5).await;
        collect(&founder).await;
        store.delete(&deleted).await.unwrap();
        in_order(&store, 50 + round).await.unwrap();
    }
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_without_a_date_is_never_collected_from() {
    let (store, founder) = furnished().await;
    let before = keys(&store).await.len();
    let undated = Manifest::open(
        Arc::new(NumberedStore::undated(store.clone())),
        PREFIX,
        options(4),
    )
    .await
    .unwrap();
    for _ in 0..3 {
        pause(RETENTION).await;
        put(&undated, "k", "v").await.unwrap();
        undated.maintain().await.unwrap();
    }
    assert_eq!(keys(&store).await.len(), before);
    undated.close().await;
    founder.close().await;
}

const COMMITS: usize = 60;

/// Small and large commits of one writer.
async fn write(manifest: Manifest, number: u64) -> Result<(), fusio_manifest::Error> {
    for commit in 0..COMMITS {
        let size = if commit % 5 == 0 { 5_000 } else { 300 };
        let value = format!("{commit:0>size$}");
        put(&manifest, &format!("{number} {commit}"), &value).await?;
        pause(Duration::from_millis(20)).await;
    }
    manifest.close().await;
    Ok(())
}

/// Writers of small and of large commits, which are spilled all the time, and two that collect all the time, with a
/// retention of a second.
pub(crate) async fn commits_are_safe_from_collectors(seed: u64, tune: Tune) -> Verdict {
    let shared = SharedSettings {
        retention: Duration::from_secs(1),
        spill_bytes: 4 * 1024,
        spill_keep_bytes: 1_024,
        transaction_inline_bytes: 2 * 1024,
        ..SharedSettings::default()
    };
    let (store, founder) = founded_by(tune(fusio_manifest::Options { shared, ..options(1) })).await;
    let opened = |number: u64| {
        let store = NumberedStore::uneven(store.clone(), seed * 100 + number);
        let options = tune(options(seed * 100 + number));
        async move { Manifest::open(Arc::new(store), PREFIX, options).await.unwrap() }
    };
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..3 {
        let manifest = opened(number).await;
        writers.spawn(write(manifest, number));
    }
    let mut collectors = tokio::task::JoinSet::new();
    for number in 3..5 {
        let manifest = opened(number).await;
        collectors.spawn(async move {
            loop {
                pause(Duration::from_millis(130 + 70 * number)).await;
                // Others may be faster, again and again.
                let _ = manifest.maintain().await;
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written.map_err(unexpected)?.map_err(unexpected)?;
    }
    collectors.shutdown().await;
    let reader = Manifest::open(Arc::new(store.clone()), PREFIX, options(7))
        .await
        .map_err(unexpected)?;
    for number in 0..3 {
        for commit in 0..COMMITS {
            let value = reader
                .get(format!("{number} {commit}"))
                .await
                .map_err(unexpected)?;
            ensure!(
                value.is_some(),
                "seed {seed}: commit {commit} of writer {number} is lost"
            );
        }
    }
    let epoch = reader.info().map_err(unexpected)?.epoch;
    ensure!(epoch > 3, "seed {seed}: only {epoch} epochs");
    for _ in 0..5 {
        pause(Duration::from_secs(3)).await;
        reader.maintain().await.map_err(unexpected)?;
    }
    let left = keys(&store).await;
    ensure!(
        left.len() == named(&reader),
        "seed {seed}: {} named: {left:?}",
        named(&reader)
    );
    reader.close().await;
    founder.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn commits_spills_and_large_transactions_are_safe_from_collectors() {
    for seed in 1..=20 {
        commits_are_safe_from_collectors(seed, sound).await.unwrap();
    }
}
