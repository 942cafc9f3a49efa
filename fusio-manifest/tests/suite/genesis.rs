//! How a manifest comes to be: two verbs, one winner, and nothing buried.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{
    Creation, ErrorKind, Manifest, MemoryStore, Options, SharedSettings, Store, store::PutMode,
};

use crate::{
    faulty::{Fault, FaultyStore, Gate, Hook},
    support::{HEAD, PREFIX, final_txn, final_value, increment, object, options, settle, within},
};

const ORPHAN: &str =
    "m/0123456789abcdef0123456789abcdef/log/0000000000000001-00000000000000000000000000000000";

fn keeping(seed: u64, retention: Duration) -> Options {
    Options {
        shared: SharedSettings {
            retention,
            ..SharedSettings::default()
        },
        ..options(seed)
    }
}

async fn plant(store: &MemoryStore, key: &str) {
    store.put(key, "bytes".into(), PutMode::Create).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn opening_nothing_finds_nothing_and_makes_nothing() {
    let store = MemoryStore::new();
    let error = Manifest::open(Arc::new(store.clone()), PREFIX, options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(HEAD), "{error}");
    assert!(store.list("", None).await.unwrap().objects.is_empty());
}

#[tokio::test(start_paused = true)]
async fn creating_leaves_head_and_nothing_else() {
    let store = MemoryStore::new();
    let (manifest, creation) = Manifest::create(Arc::new(store.clone()), PREFIX, options(1))
        .await
        .unwrap();
    assert_eq!(creation, Creation::Created);
    let info = manifest.info().unwrap();
    assert_eq!((info.revision, info.txn, info.inline_bytes), (1, 0, 0));
    let left: Vec<_> = store
        .list("", None)
        .await
        .unwrap()
        .objects
        .into_iter()
        .map(|object| object.key)
        .collect();
    assert_eq!(left, [HEAD], "the probe cleans up");
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn creating_what_exists_adopts_it_with_its_settings() {
    let store = MemoryStore::new();
    let hour = Duration::from_secs(3_600);
    let (first, _) = Manifest::create(Arc::new(store.clone()), PREFIX, keeping(1, hour))
        .await
        .unwrap();
    increment(&first, "count").await.unwrap();
    let before = object(&store, HEAD).await;
    let (second, creation) = Manifest::create(Arc::new(store.clone()), "/m/", keeping(2, hour * 2))
        .await
        .unwrap();
    assert_eq!(creation, Creation::Adopted);
    assert_eq!(second.info().unwrap(), first.info().unwrap());
    assert_eq!(second.info().unwrap().settings.retention, hour);
    assert_eq!(object(&store, HEAD).await, before);
    first.close().await;
    second.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_many_creators_at_once_one_creates_and_all_agree() {
    let store = MemoryStore::new();
    let mut creators = tokio::task::JoinSet::new();
    for seed in 1..=8_u64 {
        let slow = Arc::new(FaultyStore::over(store.clone()).with_latency(Duration::from_millis(20)));
        let options = keeping(seed, Duration::from_secs(seed * 100));
        creators.spawn(async move { (seed, Manifest::create(slow, PREFIX, options).await.unwrap()) });
    }
    let done = creators.join_all().await;
    let winners: Vec<_> = done
        .iter()
        .filter(|(_, (_, creation))| *creation == Creation::Created)
        .collect();
    assert_eq!(winners.len(), 1);
    let (seed, (winner, _)) = winners[0];
    let info = winner.info().unwrap();
    assert_eq!(info.settings.retention, Duration::from_secs(seed * 100));
    assert!(
        done.iter()
            .all(|(_, (manifest, _))| manifest.info().unwrap() == info)
    );
    for (_, (manifest, _)) in &done {
        increment(manifest, "count").await.unwrap();
        for (_, (other, _)) in &done {
            other.get("count").await.unwrap();
        }
    }
    assert_eq!(
        (
            final_value(&store, "count").await.as_deref(),
            final_txn(&store).await
        ),
        (Some("8"), 8)
    );
    for (_, (manifest, _)) in done {
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn objects_without_a_head_are_not_buried() {
    let store = MemoryStore::new();
    plant(&store, ORPHAN).await;
    let error = Manifest::create(Arc::new(store.clone()), PREFIX, options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HeadLost);
    assert!(error.to_string().contains(ORPHAN), "{error}");
    let opened = Manifest::open(Arc::new(store.clone()), PREFIX, options(1)).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn orphans_are_found_behind_a_thousand_other_objects() {
    let store = MemoryStore::new();
    for number in 0..1_500 {
        plant(&store, &format!("m/!{number}")).await;
    }
    plant(&store, "m/nested/HEAD").await;
    plant(&store, &ORPHAN.replacen("m/", "m/nested/", 1)).await;
    plant(&store, &ORPHAN.replacen("m/", "m2/", 1)).await;
    let (manifest, creation) = Manifest::create(Arc::new(store.clone()), PREFIX, options(1))
        .await
        .unwrap();
    assert_eq!(
        creation,
        Creation::Created,
        "what belongs to others hinders nobody"
    );
    manifest.close().await;
    store.delete(&[HEAD.to_owned()]).await.unwrap();
    plant(&store, ORPHAN).await;
    let error = Manifest::create(Arc::new(store.clone()), PREFIX, options(2))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HeadLost);
}

/// Somebody else creates the manifest, commits, and spills, between our look for HEAD and our listing.
#[tokio::test(start_paused = true)]
async fn objects_of_a_manifest_that_another_creator_just_made_are_no_orphans() {
    let store = MemoryStore::new();
    let faulty = FaultyStore::over(store.clone());
    let other: Hook = Arc::new({
        let store = store.clone();
        move || {
            let store = store.clone();
            Box::pin(async move {
                let (winner, _) = Manifest::create(Arc::new(store.clone()), PREFIX, options(9))
                    .await
                    .unwrap();
                plant(&store, ORPHAN).await;
                winner.close().await;
            })
        }
    });
    faulty.on_get_then(Fault::Pass, other);
    let (manifest, creation) = Manifest::create(Arc::new(faulty), PREFIX, options(1))
        .await
        .unwrap();
    assert_eq!(creation, Creation::Adopted);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_answered_wrongly_is_told_truly() {
    let faults = [
        Fault::LostReply,
        Fault::LostRequest,
        Fault::Replay,
        Fault::ConnectionAfter,
        Fault::StatusAfter(500),
        Fault::StatusBefore(503),
        Fault::StatusBefore(409),
    ];
    for fault in faults {
        let store = MemoryStore::new();
        let faulty = FaultyStore::over(store.clone());
        faulty.on_put(fault.clone());
        let (manifest, creation) = Manifest::create(Arc::new(faulty), PREFIX, options(1))
            .await
            .unwrap();
        assert_eq!(creation, Creation::Created, "{fault:?}");
        increment(&manifest, "count").await.unwrap();
        assert_eq!(final_txn(&store).await, 1, "{fault:?}");
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_creating_put_buries_nothing() {
    let store = MemoryStore::new();
    let faulty = FaultyStore::over(store.clone());
    faulty.on_put(Fault::Late);
    let (manifest, creation) = Manifest::create(Arc::new(faulty.clone()), PREFIX, options(1))
        .await
        .unwrap();
    assert_eq!(creation, Creation::Created);
    increment(&manifest, "count").await.unwrap();
    assert!(faulty.deliver_late().await[0].is_err());
    assert_eq!(final_txn(&store).await, 1);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_refused_leaves_nothing() {
    let store = MemoryStore::new();
    let faulty = FaultyStore::over(store.clone());
    faulty.on_put(Fault::StatusBefore(403));
    let error = Manifest::create(Arc::new(faulty), PREFIX, options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(store.list("", None).await.unwrap().objects.is_empty());
}

#[tokio::test(start_paused = true)]
async fn creating_ends_though_the_store_never_answers_the_put() {
    let store = MemoryStore::new();
    let faulty = FaultyStore::over(store.clone());
    faulty.on_put(Fault::HoldAfter(Gate::closed()));
    let created = within(
        Duration::from_secs(600),
        Manifest::create(Arc::new(faulty), PREFIX, options(1)),
    )
    .await;
    let (manifest, creation) = created.expect("it hangs for 10 minutes").unwrap();
    assert_eq!(creation, Creation::Created);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn opening_survives_a_short_outage_and_gives_up_on_a_long_one() {
    let store = MemoryStore::new();
    let (founder, _) = Manifest::create(Arc::new(store.clone()), PREFIX, options(1))
        .await
        .unwrap();
    let faulty = FaultyStore::over(store);
    faulty.on_get(Fault::StatusBefore(503));
    faulty.on_get(Fault::LostReply);
    Manifest::open(Arc::new(faulty.clone()), PREFIX, options(2))
        .await
        .unwrap()
        .close()
        .await;
    (0..100).for_each(|_| faulty.on_get(Fault::StatusBefore(503)));
    let error = Manifest::open(Arc::new(faulty.clone()), PREFIX, options(2))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    faulty.heal();
    faulty.on_get(Fault::StatusBefore(403));
    let error = Manifest::open(Arc::new(faulty), PREFIX, options(2))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    settle().await;
    founder.close().await;
}
