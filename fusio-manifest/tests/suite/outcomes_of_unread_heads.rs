//! HEAD tells what became of a commit as soon as it is read: that its log objects cannot be read, or that a caller
//! has little time, makes nothing unknown and leaves no handle behind for good.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{CommitOptions, Manifest};

use crate::{
    faulty::{Fault, FaultyStore, Hook},
    support::{cached, final_txn, final_value, founded, increment, incremented, open_faulty, options, pause},
};

/// Somebody else commits a large transaction, so that the next HEAD names a log object.
fn foreign_large_commit(founder: &Manifest) -> Hook {
    let founder = founder.clone();
    Arc::new(move || {
        let founder = founder.clone();
        Box::pin(async move {
            founder.get("any").await.unwrap();
            let mut transaction = cached(&founder).await;
            transaction.put("large", vec![7; 20_000]).unwrap();
            transaction.commit().await.unwrap();
        })
    })
}

fn objects_cannot_be_read(faulty: &FaultyStore) {
    (0..1_000).for_each(|_| faulty.on_log_get(Fault::StatusBefore(503)));
}

#[tokio::test(start_paused = true)]
async fn a_lost_race_is_a_definite_no_though_the_winners_log_object_cannot_be_read() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let transaction = incremented(&manifest, "count").await.unwrap();
    objects_cannot_be_read(&faulty);
    faulty.on_put_then(Fault::StatusBefore(412), foreign_large_commit(&founder));
    let error = transaction.commit().await.unwrap_err();
    assert!(!error.outcome_unknown(), "{error}");
    assert_eq!(final_value(&store, "count").await, None);
    faulty.heal();
    increment(&manifest, "count").await.unwrap();
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_resolves_to_committed_though_a_later_log_object_cannot_be_read() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let transaction = incremented(&manifest, "count").await.unwrap();
    objects_cannot_be_read(&faulty);
    faulty.on_put_then(Fault::LostReply, foreign_large_commit(&founder));
    assert_eq!(transaction.commit().await.unwrap().txn, Some(1));
    faulty.heal();
    manifest.get("count").await.unwrap();
    increment(&manifest, "count").await.unwrap();
    assert_eq!(final_value(&store, "count").await.as_deref(), Some("2"));
    founder.close().await;
    manifest.close().await;
}

/// A PUT and a GET take longer than the caller waits: its commit may fail, but the handle learns what HEAD is.
#[tokio::test(start_paused = true)]
async fn a_lost_race_with_little_time_does_not_lose_the_next_one_too() {
    const LATENCY: Duration = Duration::from_millis(60);
    let (store, founder) = founded().await;
    let faulty = FaultyStore::over(store.clone()).with_latency(LATENCY);
    let manifest = Manifest::open(Arc::new(faulty), crate::support::PREFIX, options(2))
        .await
        .unwrap();
    increment(&founder, "foreign").await.unwrap();
    let hurried = CommitOptions {
        timeout: Some(LATENCY * 3 / 2),
        ..CommitOptions::default()
    };
    for expected in [false, true] {
        let mut transaction = cached(&manifest).await;
        transaction.put("own", "v").unwrap();
        let result = transaction.commit_with(hurried).await;
        assert_eq!(result.is_ok(), expected, "{result:?}");
        pause(LATENCY * 2).await;
    }
    assert_eq!(final_txn(&store).await, 2);
    founder.close().await;
    manifest.close().await;
}
