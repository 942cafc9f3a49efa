//! Hard limits: a commit first does its share, whoever should have done it before; and goes on where that fails.

use fusio_manifest::{Freshness, Maintenance, Manifest, MemoryStore, Options, SharedSettings};

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    fold::folded_soon,
    spill::KIB,
    support::{cached, final_state, founded_with, increment, open_faulty, options, put, settle},
};

/// A handle that never folds unless it has to, in a manifest with these settings.
async fn lazy(shared: SharedSettings) -> (MemoryStore, FaultyStore, Manifest) {
    let (store, founder) = founded_with(shared).await;
    founder.close().await;
    let only_if_it_has_to = Options {
        maintenance: Maintenance::OnDemand,
        ..options(2)
    };
    let (faulty, manifest) = open_faulty(&store, only_if_it_has_to).await;
    (store, faulty, manifest)
}

async fn commit_large(manifest: &Manifest, number: usize) -> Result<(), fusio_manifest::Error> {
    let mut transaction = cached(manifest).await;
    transaction.put(format!("large {number}"), vec![7; 20 * KIB])?;
    transaction.commit().await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn at_64_log_objects_a_commit_folds_first() {
    let (store, faulty, manifest) = lazy(SharedSettings::default()).await;
    let mut most = 0;
    for number in 0..300 {
        commit_large(&manifest, number).await.unwrap();
        most = most.max(manifest.info().unwrap().log_objects);
        // Small commits between them stand inline.
        put(&manifest, &format!("small {number}"), "v").await.unwrap();
    }
    assert_eq!(most, 64);
    assert!(faulty.table_puts().len() >= 3, "{:?}", faulty.table_puts());
    assert_eq!(
        (faulty.bodies().len(), faulty.looks()),
        (600, 0),
        "it rides along"
    );
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!((entries.len(), txn), (600, 600));
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn commits_wait_for_the_share_and_for_nothing_else() {
    let (store, faulty, manifest) = lazy(SharedSettings::default()).await;
    for number in 0..64 {
        commit_large(&manifest, number).await.unwrap();
    }
    let gate = Gate::closed();
    faulty.on_table_put(Fault::HoldBefore(gate.clone()));
    let waiting = tokio::spawn({
        let manifest = manifest.clone();
        async move { increment(&manifest, "count").await }
    });
    gate.reached().await;
    settle().await;
    assert!(!waiting.is_finished());
    assert!(
        manifest.get("large 0").await.unwrap().is_some(),
        "reads do not wait"
    );
    gate.open();
    waiting.await.unwrap().unwrap();
    let info = manifest.info().unwrap();
    assert!(info.runs == 1 && info.log_objects < 64, "{info:?}");
    assert_eq!(final_state(&store).await.unwrap().0.len(), 65);
    manifest.close().await;
}

/// A store that takes no tables: commits go on up to the last limit, and do not ask it each time.
#[tokio::test(start_paused = true)]
async fn where_the_share_cannot_be_done_commits_go_on() {
    let (store, faulty, manifest) = lazy(SharedSettings::default()).await;
    faulty.refuse_tables();
    for number in 0..100 {
        commit_large(&manifest, number).await.unwrap();
    }
    let asked = faulty.table_puts().len();
    assert!(
        (2..=15).contains(&asked),
        "{asked} PUTs of tables for 36 commits over the limit"
    );
    faulty.heal();
    for number in 100..110 {
        commit_large(&manifest, number).await.unwrap();
    }
    assert!(manifest.info().unwrap().log_objects < 100);
    assert_eq!(final_state(&store).await.unwrap().0.len(), 110);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_runs_a_commit_merges_first() {
    let shared = SharedSettings {
        runs_max: 5,
        // Nothing is due before that.
        tier_ratio: 64,
        ..folded_soon()
    };
    let (store, founder) = founded_with(shared).await;
    let mut most = 0;
    for number in 0..80 {
        put(&founder, &format!("key {number}"), "v").await.unwrap();
        settle().await;
        most = most.max(founder.info().unwrap().runs);
    }
    assert!((5..=6).contains(&most), "{most} runs");
    let snapshot = founder.snapshot(Freshness::Latest).await.unwrap();
    for number in 0..80 {
        assert!(
            snapshot.get(format!("key {number}")).await.unwrap().is_some(),
            "{number}"
        );
    }
    assert_eq!(final_state(&store).await.unwrap().0.len(), 80);
    founder.close().await;
}

/// More commits than any number of log objects in HEAD could hold.
#[tokio::test(start_paused = true)]
async fn there_is_no_limit_at_so_many_log_objects() {
    let (store, manifest) = founded_with(SharedSettings::default()).await;
    for number in 0..1_100 {
        commit_large(&manifest, number % 50).await.unwrap();
    }
    let info = manifest.info().unwrap();
    assert!(info.log_objects < 64 && info.head_bytes < 64 * KIB, "{info:?}");
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!((entries.len(), txn), (50, 1_100));
    manifest.close().await;
}
