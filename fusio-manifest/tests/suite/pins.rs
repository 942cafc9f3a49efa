//! Pins: a state that is kept under a name, for any process to read until it is released or expires.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{ErrorKind, Freshness, KeyRange, Manifest, Snapshot, limits, store::Store as _};

use crate::{
    collect::{RETENTION, collect, keys},
    faulty::{Fault, Gate},
    outcomes::every_fault,
    spill::fill,
    support::{PREFIX, founded, object, open, open_faulty, options, overwrite, pause, put, remove, settle},
};

async fn newest(manifest: &Manifest) -> Snapshot {
    manifest.snapshot(Freshness::Latest).await.unwrap()
}

async fn names(manifest: &Manifest) -> Vec<String> {
    let pins = manifest.pins().await.unwrap();
    pins.into_iter().map(|pin| pin.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pin_shows_its_state_to_any_process_whatever_comes_after() {
    let (store, manifest) = founded().await;
    fill(&manifest, 0..70).await.unwrap();
    settle().await;
    put(&manifest, "k", "then").await.unwrap();
    assert!(
        manifest.info().unwrap().log_objects > 0,
        "log objects are part of it"
    );
    let snapshot = newest(&manifest).await;
    let made = manifest.pin("nightly", &snapshot, None).await.unwrap();
    assert_eq!((made.revision, made.expires_unix_ms), (snapshot.revision(), None));
    put(&manifest, "k", "now").await.unwrap();
    collect(&manifest).await;
    manifest.close().await;

    let elsewhere = open(&store, options(2)).await;
    assert_eq!(elsewhere.pins().await.unwrap(), [made]);
    let pinned = elsewhere.open_pin("nightly").await.unwrap();
    assert_eq!((pinned.txn(), pinned.revision()), (71, snapshot.revision()));
    assert_eq!(
        pinned.get("k").await.unwrap().as_deref(),
        Some(b"then".as_slice())
    );
    assert_eq!(pinned.scan(KeyRange::all()).collect().await.unwrap().len(), 71);
    assert_eq!(pinned.age(), Duration::MAX, "nobody knows when it was the newest");
    assert_eq!(
        elsewhere.get("k").await.unwrap().as_deref(),
        Some(b"now".as_slice())
    );
    let error = elsewhere.begin_on(pinned).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");

    elsewhere.release_pin("nightly").await.unwrap();
    assert!(names(&elsewhere).await.is_empty());
    for error in [
        elsewhere.open_pin("nightly").await.unwrap_err(),
        elsewhere.release_pin("nightly").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("nightly"), "{error}");
    }
    collect(&elsewhere).await;
    let left = keys(&store).await;
    assert!(!left.iter().any(|key| key.contains("/pin/")), "{left:?}");
    elsewhere.close().await;
}

#[tokio::test(start_paused = true)]
async fn names_are_checked_and_taken_once_and_there_are_64_at_most() {
    let (store, manifest) = founded().await;
    let other = open(&store, options(2)).await;
    let snapshot = newest(&manifest).await;
    for name in ["", &"n".repeat(limits::PIN_NAME_BYTES_MAX + 1)] {
        let error = manifest.pin(name, &snapshot, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("64"), "{error}");
    }
    for number in 0..limits::PINS_MAX {
        let name = format!("{number:x>width$}", width = limits::PIN_NAME_BYTES_MAX);
        manifest.pin(&name, &snapshot, None).await.unwrap();
        let objects = keys(&store).await.len();
        let error = other.pin(&name, &snapshot, None).await.unwrap_err();
        let expected = match number {
            63 => [ErrorKind::AlreadyExists, ErrorKind::Full],
            _ => [ErrorKind::AlreadyExists; 2],
        };
        assert!(expected.contains(&error.kind()), "{number}: {error}");
        assert_eq!(
            keys(&store).await.len(),
            objects,
            "nothing is written for nothing"
        );
    }
    let error = manifest.pin("one more", &snapshot, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert_eq!(names(&other).await.len(), limits::PINS_MAX);
    let head = object(&store, crate::support::HEAD).await.len();
    assert!(head < 12 * 1024, "64 pins make HEAD {head} bytes long");
    manifest.close().await;
    other.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pin_expires_by_the_stores_date() {
    let (store, manifest) = founded().await;
    put(&manifest, "k", "v").await.unwrap();
    let snapshot = newest(&manifest).await;
    let keep = Some(Duration::from_secs(60));
    let made = manifest.pin("short", &snapshot, keep).await.unwrap();
    assert_eq!(made.expires_unix_ms, Some(store.date().unwrap() + 60_000));
    pause(Duration::from_secs(59)).await;
    manifest.open_pin("short").await.unwrap();
    pause(Duration::from_secs(1)).await;
    let error = manifest.open_pin("short").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SnapshotExpired, "{error}");
    assert_eq!(names(&manifest).await, ["short"], "a collection drops it");
    collect(&manifest).await;
    assert!(names(&manifest).await.is_empty());
    assert_eq!(keys(&store).await, ["m/HEAD"]);
    manifest.close().await;
}

/// What commits do not need to share: a HEAD of its own where nobody commits, none where somebody does.
#[tokio::test(start_paused = true)]
async fn a_pin_is_a_look_and_two_puts_and_rides_along_with_commits() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let snapshot = newest(&manifest).await;
    faulty.forget_requests();
    manifest.pin("alone", &snapshot, None).await.unwrap();
    assert_eq!((faulty.looks(), faulty.bodies().len()), (1, 1));
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldAfter(gate.clone()));
    let first = tokio::spawn({
        let manifest = manifest.clone();
        async move { put(&manifest, "a", "1").await }
    });
    gate.reached().await;
    let second = tokio::spawn({
        let manifest = manifest.clone();
        async move { put(&manifest, "b", "2").await }
    });
    let pinning = tokio::spawn({
        let (manifest, snapshot) = (manifest.clone(), snapshot.clone());
        async move { manifest.pin("beside", &snapshot, None).await }
    });
    settle().await;
    gate.open();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    pinning.await.unwrap().unwrap();
    assert_eq!(faulty.bodies().len(), 3, "one for the first, one for the rest");
    assert_eq!(names(&founder).await, ["alone", "beside"]);
    manifest.close().await;
    founder.close().await;
}

/// Whatever becomes of a PUT of HEAD: who is told that the pin is made finds it; who is told that it is not known may ask.
#[tokio::test(start_paused = true)]
async fn what_is_told_of_a_pin_is_true_under_every_fault() {
    for fault in every_fault() {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let snapshot = newest(&manifest).await;
        faulty.on_put(fault.clone());
        let told = manifest.pin("p", &snapshot, None).await;
        faulty.deliver_late().await;
        let there = names(&founder).await == ["p"];
        match &told {
            Ok(_) => assert!(there, "{fault:?}"),
            Err(error) => assert!(
                error.kind() == ErrorKind::Unavailable || !there,
                "{fault:?}: {error}"
            ),
        }
        if there {
            founder.open_pin("p").await.unwrap();
            faulty.on_put(fault.clone());
            if manifest.release_pin("p").await.is_ok() {
                assert!(names(&founder).await.is_empty(), "{fault:?}");
            }
        }
        manifest.close().await;
        founder.close().await;
    }
}

/// The copy is written, then the epoch is raised: it goes under a new name.
#[tokio::test(start_paused = true)]
async fn a_copy_written_before_the_fence_is_written_again() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    pause(RETENTION - Duration::from_secs(4)).await;
    let snapshot = newest(&manifest).await;
    // The race for HEAD is lost to the fence.
    faulty.on_put_then(
        Fault::StatusBefore(412),
        Arc::new({
            let founder = founder.clone();
            move || {
                let founder = founder.clone();
                Box::pin(async move {
                    pause(Duration::from_secs(5)).await;
                    founder.maintain().await.unwrap();
                })
            }
        }),
    );
    manifest.pin("p", &snapshot, None).await.unwrap();
    assert_eq!(founder.info().unwrap().epoch, 2);
    let pins: Vec<String> = keys(&store).await;
    let pins: Vec<&String> = pins.iter().filter(|key| key.contains("/pin/")).collect();
    assert_eq!(pins.len(), 2, "{pins:?}");
    collect(&founder).await;
    collect(&founder).await;
    let left = keys(&store).await;
    assert!(!left.contains(pins[0]) && left.contains(pins[1]), "{left:?}");
    founder.open_pin("p").await.unwrap();
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pin_that_is_damaged_or_gone_is_told_apart_from_one_that_expired() {
    let (store, manifest) = founded().await;
    fill(&manifest, 0..70).await.unwrap();
    manifest.maintain().await.unwrap();
    let snapshot = newest(&manifest).await;
    manifest.pin("p", &snapshot, None).await.unwrap();
    let every = keys(&store).await;
    let pin = every.iter().find(|key| key.contains("/pin/")).unwrap();
    let bytes = object(&store, pin).await;
    let head = object(&store, crate::support::HEAD).await;
    let mut flipped = bytes.to_vec();
    flipped[bytes.len() / 2] ^= 1;
    for broken in [flipped.into(), bytes.slice(..bytes.len() - 1), head] {
        overwrite(&store, pin, broken).await;
        let error = manifest.open_pin("p").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(pin.as_str()), "{error}");
    }
    remove(&store, pin).await;
    let error = manifest.open_pin("p").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "HEAD still names it: {error}");
    // While it cannot be read nobody knows what it needs: nothing is deleted.
    crate::collect::orphans(&store, &manifest, 1, 4).await;
    pause(RETENTION).await;
    let error = manifest.maintain().await.unwrap_err();
    assert!(error.to_string().contains("until it is released"), "{error}");
    assert!(keys(&store).await.len() >= every.len() + 3);
    manifest.release_pin("p").await.unwrap();
    collect(&manifest).await;
    collect(&manifest).await;
    let left = keys(&store).await;
    assert_eq!(left.len(), 1 + manifest.info().unwrap().log_objects, "{left:?}");
    manifest.close().await;
}

/// It is released and collected between the look and the GET.
#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_too_late_is_told_that_the_pin_expired() {
    let (store, founder) = founded().await;
    fill(&founder, 0..10).await.unwrap();
    let snapshot = newest(&founder).await;
    founder.pin("p", &snapshot, None).await.unwrap();
    let (faulty, reader) = open_faulty(&store, options(2)).await;
    let pin = keys(&store)
        .await
        .into_iter()
        .find(|key| key.contains("/pin/"))
        .unwrap();
    faulty.on_get_then(
        Fault::Pass,
        Arc::new({
            let (founder, store) = (founder.clone(), store.clone());
            move || {
                let (founder, store, pin) = (founder.clone(), store.clone(), pin.clone());
                Box::pin(async move {
                    founder.release_pin("p").await.unwrap();
                    remove(&store, &pin).await;
                })
            }
        }),
    );
    let error = reader.open_pin("p").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SnapshotExpired, "{error}");
    assert!(error.is_retryable());
    reader.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_another_manifest_is_refused() {
    let (_, theirs) = founded().await;
    let other = fusio_manifest::MemoryStore::new();
    let (ours, _) = Manifest::create(Arc::new(other), PREFIX, options(5))
        .await
        .unwrap();
    let error = ours.pin("p", &newest(&theirs).await, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    ours.close().await;
    theirs.close().await;
}
