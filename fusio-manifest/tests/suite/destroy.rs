//! A whole manifest is removed: killed anywhere and called again, and nothing of anybody else.

use std::sync::Arc;

use bytes::Bytes;
use fusio_manifest::{
    Creation, ErrorKind, Freshness, Manifest, MemoryStore, SharedSettings,
    store::{PutMode, Store as _},
};

use crate::{
    collect::{keys, orphans},
    numbered::{Accident, NumberedStore},
    spill::fill,
    support::{HEAD, PREFIX, founded_with, options, overwrite, pause, put},
};

async fn furnished() -> (MemoryStore, Manifest) {
    let (store, manifest) = founded_with(SharedSettings::default()).await;
    fill(&manifest, 0..70).await.unwrap();
    manifest.maintain().await.unwrap();
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    manifest.pin("p", &snapshot, None).await.unwrap();
    orphans(&store, &manifest, 1, 2_100).await;
    (store, manifest)
}

const FOREIGN: [&str; 5] = [
    "m/notes.txt",
    "m/other/HEAD",
    "m/00000000000000000000000000000001/readme",
    "m/00000000000000000000000000000001/log/2026-01-01.txt",
    "mm/HEAD",
];

async fn with_foreign_objects(store: &MemoryStore) {
    for key in FOREIGN {
        store.put(key, Bytes::new(), PutMode::Create).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_it_goes_and_what_is_not_its_own_stays_and_is_told() {
    let (store, manifest) = furnished().await;
    with_foreign_objects(&store).await;
    let probe = format!("{PREFIX}/probe-{:032x}/race-1", 1);
    store.put(&probe, Bytes::new(), PutMode::Create).await.unwrap();
    let before = keys(&store).await.len();
    let destroyed = Manifest::destroy(Arc::new(store.clone()), PREFIX, &options(9))
        .await
        .unwrap();
    assert_eq!(keys(&store).await.len(), FOREIGN.len());
    assert!(destroyed.head);
    assert_eq!(destroyed.objects, (before - FOREIGN.len() - 1) as u64);
    let mut told = destroyed.foreign_keys.clone();
    told.sort();
    assert_eq!((told.len(), destroyed.foreign), (4, 4), "{told:?}");
    assert!(told.iter().all(|key| FOREIGN.contains(&key.as_str())));

    let error = put(&manifest, "k", "v").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HeadLost, "{error}");
    let error = Manifest::open(Arc::new(store.clone()), PREFIX, options(3))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let again = Manifest::destroy(Arc::new(store.clone()), PREFIX, &options(9))
        .await
        .unwrap();
    assert_eq!((again.head, again.objects, again.foreign), (false, 0, 4));
    let (anew, creation) = Manifest::create(Arc::new(store), PREFIX, options(4))
        .await
        .unwrap();
    assert_eq!(creation, Creation::Created);
    assert_eq!(anew.get("key 1").await.unwrap(), None);
    anew.close().await;
    manifest.close().await;
}

/// Until it is done nobody can open, adopt or begin anew there, and calling it again finishes it.
#[tokio::test(start_paused = true)]
async fn killed_between_any_two_requests_it_is_finished_by_another_call() {
    for accident in [Accident::DiesBefore, Accident::DiesAfter] {
        let mut at = 1;
        loop {
            let (store, manifest) = furnished().await;
            let numbered = NumberedStore::over(store.clone(), at, accident);
            let options_of_its_own = options(9);
            let dying = Manifest::destroy(Arc::new(numbered.clone()), PREFIX, &options_of_its_own);
            let done = crate::support::within(std::time::Duration::from_secs(1_000), dying).await;
            if !numbered.happened() {
                assert_eq!(done.unwrap().unwrap().foreign, 0);
                assert!(keys(&store).await.is_empty());
                break;
            }
            let left = keys(&store).await;
            let created = Manifest::create(Arc::new(store.clone()), PREFIX, options(7)).await;
            match (left.iter().any(|key| key == HEAD), left.is_empty()) {
                (true, _) => assert_eq!(created.unwrap().1, Creation::Adopted),
                (false, false) => assert_eq!(created.unwrap_err().kind(), ErrorKind::HeadLost),
                (false, true) => assert_eq!(created.unwrap().1, Creation::Created),
            }
            Manifest::destroy(Arc::new(store.clone()), PREFIX, &options(9))
                .await
                .unwrap();
            assert!(keys(&store).await.is_empty(), "{accident:?} at request {at}");
            manifest.close().await;
            at += 1;
        }
        // GET and DELETE of HEAD; three pages, a deletion each.
        assert_eq!(at, 9, "{accident:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_a_request_is_answered_it_finishes_or_says_why() {
    for accident in [
        Accident::LosesReply,
        Accident::Refuses(500),
        Accident::RefusesAfter(500),
        Accident::Refuses(403),
    ] {
        for at in 1..9 {
            let (store, manifest) = furnished().await;
            let numbered = NumberedStore::over(store.clone(), at, accident);
            let told = Manifest::destroy(Arc::new(numbered), PREFIX, &options(9)).await;
            assert_eq!(
                told.is_err(),
                accident == Accident::Refuses(403),
                "{accident:?} at {at}"
            );
            Manifest::destroy(Arc::new(store.clone()), PREFIX, &options(9))
                .await
                .unwrap();
            assert!(keys(&store).await.is_empty(), "{accident:?} at {at}");
            manifest.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_cannot_be_read_is_left_alone() {
    let (store, manifest) = furnished().await;
    let before = keys(&store).await;
    let mut newer = crate::support::object(&store, HEAD).await.to_vec();
    newer[5] += 1;
    for (bytes, kind) in [
        (b"not a HEAD".to_vec(), ErrorKind::Corrupt),
        (newer, ErrorKind::Unsupported),
    ] {
        overwrite(&store, HEAD, bytes).await;
        let told = Manifest::destroy(Arc::new(store.clone()), PREFIX, &options(9)).await;
        assert_eq!(told.unwrap_err().kind(), kind);
        assert_eq!(keys(&store).await, before);
    }
    manifest.close().await;
}

/// Somebody creates a manifest while what an earlier one has left is being removed.
#[tokio::test(start_paused = true)]
async fn a_manifest_that_comes_to_be_meanwhile_is_spared() {
    let (store, manifest) = furnished().await;
    crate::support::remove(&store, HEAD).await;
    let slow = NumberedStore::over(store.clone(), u64::MAX, Accident::DiesBefore);
    // As long as nothing is deleted `create` refuses, so this HEAD is put there by hand, with an object of its own.
    let elsewhere = MemoryStore::new();
    let (other, _) = Manifest::create(Arc::new(elsewhere.clone()), PREFIX, options(40))
        .await
        .unwrap();
    fill(&other, 0..70).await.unwrap();
    other.maintain().await.unwrap();
    let arriving = async {
        // Between the first GET of HEAD and the listing.
        pause(std::time::Duration::from_millis(15)).await;
        for key in keys(&elsewhere).await {
            let bytes = crate::support::object(&elsewhere, &key).await;
            store.put(&key, bytes, PutMode::Create).await.unwrap();
        }
    };
    let options = options(9);
    let (told, ()) = tokio::join!(Manifest::destroy(Arc::new(slow), PREFIX, &options), arriving);
    let told = told.unwrap();
    assert!(!told.head && told.foreign > 0, "{told:?}");
    assert_eq!(keys(&store).await, keys(&elsewhere).await);
    manifest.close().await;
    other.close().await;
}

/// HEAD is deleted, the answer is lost, and somebody creates a manifest there before it is looked at again.
#[tokio::test(start_paused = true)]
async fn a_head_that_somebody_creates_after_an_unanswered_deletion_is_spared() {
    let (store, manifest) = furnished().await;
    let lossy = NumberedStore::over(store.clone(), 2, Accident::LosesReply);
    let elsewhere = MemoryStore::new();
    let (other, _) = Manifest::create(Arc::new(elsewhere.clone()), PREFIX, options(40))
        .await
        .unwrap();
    let arriving = async {
        while keys(&store).await.iter().any(|key| key == HEAD) {
            pause(std::time::Duration::from_millis(1)).await;
        }
        let bytes = crate::support::object(&elsewhere, HEAD).await;
        store.put(HEAD, bytes, PutMode::Create).await.unwrap();
    };
    let options = options(9);
    let (told, ()) = tokio::join!(Manifest::destroy(Arc::new(lossy), PREFIX, &options), arriving);
    let told = told.unwrap();
    assert!(told.head && told.unanswered, "{told:?}");
    assert_eq!(keys(&store).await, [HEAD]);
    manifest.close().await;
    other.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_without_a_definite_answer_is_told() {
    for (at, accident, unanswered) in [
        (9, Accident::LosesReply, false),
        (2, Accident::LosesReply, true),
        (2, Accident::RefusesAfter(500), true),
        (2, Accident::Refuses(503), true),
        (3, Accident::LosesReply, false),
        (4, Accident::LosesReply, true),
    ] {
        let (store, manifest) = furnished().await;
        let numbered = NumberedStore::over(store, at, accident);
        let told = Manifest::destroy(Arc::new(numbered), PREFIX, &options(9)).await;
        assert_eq!(told.unwrap().unanswered, unanswered, "{accident:?} at {at}");
        manifest.close().await;
    }
}
