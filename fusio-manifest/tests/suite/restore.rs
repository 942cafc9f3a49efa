//! A lost HEAD is written anew, from what is there of earlier ones, and never over one.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Error, ErrorKind, Freshness, Manifest, MemoryStore, ObjectKind, RestoreFrom, Restored, Store,
    restore_head, store::PutMode,
};

use crate::{
    collect::{RETENTION, keys},
    fold::holds,
    numbered::{Accident, NumberedStore},
    support::{
        HEAD, PREFIX, final_value, founded, object, object_with_etag, open, options, overwrite, pause, put,
        remove, within,
    },
    world::{World, copied, flipped, verified},
};

pub(crate) async fn restored(store: impl Store, seed: u64, from: &RestoreFrom) -> Result<Restored, Error> {
    restore_head(Arc::new(store), PREFIX, &options(seed), from, false, |_| {}).await
}

/// A world that has lost its HEAD, and that HEAD.
pub(crate) async fn headless(world: &World) -> (MemoryStore, Bytes) {
    let store = copied(&world.store).await;
    let head = object(&store, HEAD).await;
    remove(&store, HEAD).await;
    (store, head)
}

#[tokio::test(start_paused = true)]
async fn the_newest_pin_comes_back_with_a_head_of_its_own() {
    let world = World::new(9).await;
    let (store, _) = headless(&world).await;
    let dry = restore_head(
        Arc::new(store.clone()),
        PREFIX,
        &options(50),
        &RestoreFrom::NewestPin,
        true,
        |_| {},
    )
    .await
    .unwrap();
    assert!(!dry.written && !keys(&store).await.iter().any(|key| key == HEAD));
    let told = restored(store.clone(), 51, &RestoreFrom::NewestPin)
        .await
        .unwrap();
    assert_eq!((told.last_txn, told.revision), (dry.last_txn, dry.revision));
    // The copy of the HEAD that was pinned names the pin before it.
    assert_eq!(
        (told.pins.as_slice(), told.pins_lost.len()),
        (["first".to_owned()].as_slice(), 0)
    );
    let report = verified(&store).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    let manifest = open(&store, options(52)).await;
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    assert_eq!(
        (snapshot.txn(), snapshot.revision()),
        (told.last_txn, told.revision + 1)
    );
    holds(&snapshot, &world.pinned["second"], "second").await.unwrap();
    let pinned = manifest.open_pin("first").await.unwrap();
    holds(&pinned, &world.pinned["first"], "first").await.unwrap();
    // It lives on: what was committed after the pin is garbage now, and is collected.
    put(&manifest, "again", "written").await.unwrap();
    for _ in 0..4 {
        pause(RETENTION * 2).await;
        manifest.maintain().await.unwrap();
    }
    manifest.close().await;
    let report = verified(&store).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!(report.garbage.unwrap().own().objects, 0);
    let reader = open(&store, options(53)).await;
    let pinned = reader.open_pin("first").await.unwrap();
    holds(&pinned, &world.pinned["first"], "first").await.unwrap();
    reader.close().await;
}

/// What a writer sent on the earlier HEAD long ago finds another ETag, and whoever has seen later commits stops.
#[tokio::test(start_paused = true)]
async fn nobody_goes_on_from_what_was_lost() {
    let world = World::new(9).await;
    let store = copied(&world.store).await;
    let handle = open(&store, options(50)).await;
    let head = object(&store, HEAD).await;
    remove(&store, HEAD).await;
    assert_eq!(
        put(&handle, "k", "v").await.unwrap_err().kind(),
        ErrorKind::HeadLost
    );
    let told = restored(store.clone(), 51, &RestoreFrom::NewestPin)
        .await
        .unwrap();
    assert_eq!(
        handle.get("k").await.unwrap_err().kind(),
        ErrorKind::StoreWentBack
    );
    handle.close().await;
    let pinned = object(&store, &told.object.unwrap()).await.slice(40..);
    for earlier in [head, pinned] {
        let elsewhere = MemoryStore::new();
        overwrite(&elsewhere, HEAD, earlier).await;
        let (_, etag) = object_with_etag(&elsewhere, HEAD).await;
        let late = store
            .put(HEAD, Bytes::from_static(b"late"), PutMode::Update(etag))
            .await;
        assert_eq!(late.unwrap_err().status, Some(412));
    }
}

/// Also where the state, the pins and the epoch are the same, the ETag is another one.
#[tokio::test(start_paused = true)]
async fn an_etag_never_comes_back() {
    let (store, manifest) = founded().await;
    put(&manifest, "k", "v").await.unwrap();
    manifest.close().await;
    let (head, etag) = object_with_etag(&store, HEAD).await;
    remove(&store, HEAD).await;
    restored(store.clone(), 50, &RestoreFrom::Bytes(head))
        .await
        .unwrap();
    let late = store.put(HEAD, Bytes::from_static(b"late"), PutMode::Update(etag));
    assert_eq!(late.await.unwrap_err().status, Some(412));
    assert_eq!(final_value(&store, "k").await.as_deref(), Some("v"));
}

#[tokio::test(start_paused = true)]
async fn a_head_from_elsewhere_loses_nothing_if_it_is_the_newest() {
    let world = World::new(9).await;
    let (store, head) = headless(&world).await;
    let told = restored(store.clone(), 50, &RestoreFrom::Bytes(head.clone()))
        .await
        .unwrap();
    assert_eq!((told.object, told.pins.len(), told.pins_lost.len()), (None, 2, 0));
    assert!(verified(&store).await.unwrap().is_clean());
    assert!(crate::world::errors_of_reads(&store, &world).await.is_empty());
    // All of it is in HEAD: nothing that it needs is missing.
    let (other, handle) = founded().await;
    put(&handle, "k", "v").await.unwrap();
    handle.close().await;
    for (bytes, kind) in [
        (Bytes::from_static(b"no HEAD"), ErrorKind::Corrupt),
        (flipped(&head, 8 * 80), ErrorKind::Corrupt),
        (object(&other, HEAD).await, ErrorKind::Invalid),
    ] {
        let (store, _) = headless(&world).await;
        let told = restored(store.clone(), 51, &RestoreFrom::Bytes(bytes)).await;
        assert_eq!(told.unwrap_err().kind(), kind);
        assert!(!keys(&store).await.iter().any(|key| key == HEAD));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_over_a_head() {
    let world = World::new(9).await;
    let (_, head) = headless(&world).await;
    for there in [head, Bytes::from_static(b"damaged")] {
        let store = copied(&world.store).await;
        overwrite(&store, HEAD, there.clone()).await;
        let told = restored(store.clone(), 50, &RestoreFrom::NewestPin).await;
        assert_eq!(told.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(object(&store, HEAD).await, there);
    }
    let nothing = restored(MemoryStore::new(), 51, &RestoreFrom::NewestPin).await;
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_lacks_something_is_passed_over_and_told() {
    let world = World::new(9).await;
    let (store, head) = headless(&world).await;
    let copies = verified(&store).await.unwrap().copies;
    let mut fell_back = 0;
    for kind in [ObjectKind::Log, ObjectKind::Table] {
        for key in world.needed(kind).await {
            for damaged in [true, false] {
                let store = copied(&store).await;
                match damaged {
                    true => {
                        let whole = object(&store, &key).await;
                        overwrite(&store, &key, flipped(&whole, whole.len() * 4)).await;
                    }
                    false => remove(&store, &key).await,
                }
                let report = verified(&store).await.unwrap();
                let usable = report.copies.iter().find(|copy| copy.complete);
                let told = restored(store.clone(), 50, &RestoreFrom::NewestPin).await;
                let Some(usable) = usable else {
                    assert_eq!(told.unwrap_err().kind(), ErrorKind::Corrupt);
                    continue;
                };
                let told = told.unwrap();
                assert_eq!(
                    (told.object.as_ref(), told.last_txn),
                    (Some(&usable.object), usable.last_txn)
                );
                if usable.object != copies[0].object {
                    assert_eq!(told.unusable, [(copies[0].object.clone(), key.clone())]);
                    fell_back += 1;
                }
                // A pin that lacks something does not come back.
                assert!(verified(&store).await.unwrap().is_clean(), "{key}");
                let asked = RestoreFrom::Bytes(head.clone());
                assert_eq!(
                    restored(store, 51, &asked).await.unwrap_err().kind(),
                    ErrorKind::AlreadyExists
                );
            }
        }
    }
    assert!(fell_back > 0);
    let older = RestoreFrom::Pin(copies[1].object.clone());
    let told = restored(store.clone(), 52, &older).await.unwrap();
    assert_eq!(told.last_txn, copies[1].last_txn);
    let (store, _) = headless(&world).await;
    let unknown = RestoreFrom::Pin(format!("{PREFIX}/notes.txt"));
    assert_eq!(
        restored(store, 53, &unknown).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test(start_paused = true)]
async fn killed_or_unanswered_anywhere_there_is_a_whole_head_or_none() {
    let world = World::new(9).await;
    for accident in [
        Accident::DiesBefore,
        Accident::DiesAfter,
        Accident::LosesReply,
        Accident::Refuses(503),
        Accident::RefusesAfter(500),
    ] {
        let (mut at, mut with, mut without) = (1, 0, 0);
        loop {
            let (store, _) = headless(&world).await;
            let numbered = NumberedStore::over(store.clone(), at, accident);
            let restoring = restored(numbered.clone(), 50, &RestoreFrom::NewestPin);
            let told = within(Duration::from_secs(1_000), restoring).await;
            let there = keys(&store).await.iter().any(|key| key == HEAD);
            (with, without) = (with + u32::from(there), without + u32::from(!there));
            let dies = matches!(accident, Accident::DiesBefore | Accident::DiesAfter);
            // Nobody hears what a dead process says, but that its requests go unanswered.
            if let Some(told) = told.filter(|_| !(dies && numbered.happened())) {
                assert!(told.unwrap().written && there, "{accident:?} at {at}");
            }
            if !there {
                restored(store.clone(), 51, &RestoreFrom::NewestPin)
                    .await
                    .unwrap();
            }
            let opened = Manifest::open(Arc::new(store.clone()), PREFIX, options(52))
                .await
                .unwrap();
            opened.close().await;
            if !numbered.happened() {
                break;
            }
            at += 1;
        }
        let dies = matches!(accident, Accident::DiesBefore | Accident::DiesAfter);
        assert_eq!(
            without > 0,
            dies,
            "{accident:?}: {with} with HEAD, {without} without"
        );
    }
}
