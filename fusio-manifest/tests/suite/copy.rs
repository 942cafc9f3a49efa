//! A manifest is copied to another place: all of it or nothing that can be opened, whatever happens meanwhile.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Copied, CopyOptions, Error, ErrorKind, Freshness, Manifest, MemoryStore, ObjectKind, Options,
    RequestMeter, SharedSettings, Store, copy, store::PutMode,
};

use crate::{
    collect::{RETENTION, keys, orphans},
    faulty::{Fault, Gate},
    fold::{folded_soon, holds},
    numbered::{Accident, NumberedStore},
    support::{
        HEAD, PREFIX, founded, founded_by, log_objects, object, open, open_faulty, options, overwrite, pause,
        put, remove, settle, within,
    },
    world::{World, copied, errors_of_reads, flipped, verified},
};

fn resumed() -> CopyOptions {
    CopyOptions {
        resume: true,
        ..CopyOptions::default()
    }
}

pub(crate) async fn copy_to(
    source: impl Store,
    target: impl Store,
    seed: u64,
    what: &CopyOptions,
) -> Result<Copied, Error> {
    let (source, target) = (Arc::new(source), Arc::new(target));
    copy(source, PREFIX, target, PREFIX, &options(seed), what, |_| {}).await
}

/// The number of the first request to a target that writes an object of the copy, and of the last one, that of HEAD: before
/// them it is listed, and probed.
pub(crate) async fn numbers_of_puts(world: &World) -> (u64, u64) {
    let meter = Arc::new(RequestMeter::new());
    let target = MemoryStore::new().with_meter(Arc::clone(&meter));
    let target = NumberedStore::over(target, u64::MAX, Accident::DiesBefore);
    let done = copy_to(world.store.clone(), target, 50, &CopyOptions::default()).await;
    let (last, needed) = (meter.counts().total(), done.unwrap().needed.objects);
    (last - needed, last)
}

/// What a copy must be: whole, without anything that it does not need, and with a HEAD of its own.
async fn is_a_copy(target: &MemoryStore, source: &MemoryStore) {
    let report = verified(target).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_ne!(object(target, HEAD).await, object(source, HEAD).await);
}

#[tokio::test(start_paused = true)]
async fn a_copy_has_the_state_and_the_pins_and_can_be_written() {
    let world = World::new(9).await;
    let before = keys(&world.store).await;
    let target = MemoryStore::new();
    let mut seen = Vec::new();
    let done = copy(
        Arc::new(world.store.clone()),
        PREFIX,
        Arc::new(target.clone()),
        PREFIX,
        &options(50),
        &CopyOptions::default(),
        |progress| seen.push(progress),
    )
    .await
    .unwrap();
    assert_eq!(
        (done.written, done.begun_again, done.present.objects),
        (true, 0, 0)
    );
    assert_eq!(done.pins, ["first", "second"]);
    let last = seen.last().unwrap();
    assert_eq!(
        (last.objects, last.bytes),
        (done.needed.objects, done.needed.bytes)
    );
    assert!(seen.is_sorted_by(|a, b| a.objects < b.objects && a.bytes < b.bytes));
    is_a_copy(&target, &world.store).await;
    // HEAD, and nothing that it does not need: no collection, no garbage.
    let garbage = verified(&target).await.unwrap().garbage.unwrap();
    assert_eq!((garbage.own().objects, garbage.probes.objects), (0, 0));
    assert_eq!(keys(&target).await.len() as u64, done.needed.objects + 1);
    assert!(errors_of_reads(&target, &world).await.is_empty());
    assert_eq!(keys(&world.store).await, before, "the source is only read");
    // The two go their own ways.
    let elsewhere = open(&target, options(51)).await;
    put(&elsewhere, "only here", "v").await.unwrap();
    pause(RETENTION * 2).await;
    elsewhere.maintain().await.unwrap();
    elsewhere.close().await;
    assert!(verified(&target).await.unwrap().is_clean());
    let at_home = open(&world.store, options(52)).await;
    assert_eq!(at_home.get("only here").await.unwrap(), None);
    at_home.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pinned_state_is_copied_alone() {
    let world = World::new(4).await;
    let target = MemoryStore::new();
    let what = |name: &str| CopyOptions {
        pin: Some(name.to_owned()),
        ..CopyOptions::default()
    };
    let none = copy_to(world.store.clone(), target.clone(), 50, &what("third")).await;
    assert_eq!(none.unwrap_err().kind(), ErrorKind::NotFound);
    let done = copy_to(world.store.clone(), target.clone(), 51, &what("first"))
        .await
        .unwrap();
    assert!(done.pins.is_empty());
    is_a_copy(&target, &world.store).await;
    let reader = open(&target, options(52)).await;
    let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
    assert_eq!(snapshot.txn(), done.last_txn);
    holds(&snapshot, &world.pinned["first"], "first").await.unwrap();
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_tells_what_there_is_to_copy_and_writes_nothing() {
    let world = World::new(4).await;
    let target = MemoryStore::new();
    let what = CopyOptions {
        dry_run: true,
        ..resumed()
    };
    let told = copy_to(world.store.clone(), target.clone(), 50, &what)
        .await
        .unwrap();
    assert!(keys(&target).await.is_empty());
    let key = world.needed(ObjectKind::Log).await.remove(0);
    overwrite(&target, &key, object(&world.store, &key).await).await;
    let again = copy_to(world.store.clone(), target.clone(), 51, &what)
        .await
        .unwrap();
    assert_eq!((told.present.objects, again.present.objects), (0, 1));
    assert_eq!((told.written, told.needed), (false, again.needed));
    let done = copy_to(world.store.clone(), target.clone(), 52, &resumed())
        .await
        .unwrap();
    assert_eq!((done.needed, done.present), (told.needed, again.present));
    is_a_copy(&target, &world.store).await;
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_not_empty_is_refused_and_left_as_it_is() {
    let world = World::new(4).await;
    let (other, handle) = founded().await;
    let with_orphans = MemoryStore::new();
    let foreign = MemoryStore::new();
    orphans(&foreign, &handle, 1, 3).await;
    for key in world.needed(ObjectKind::Log).await {
        overwrite(&with_orphans, &key, object(&world.store, &key).await).await;
    }
    let damaged = MemoryStore::new();
    overwrite(&damaged, HEAD, "no HEAD").await;
    for (target, what, kind) in [
        (&other, CopyOptions::default(), ErrorKind::AlreadyExists),
        (&other, resumed(), ErrorKind::AlreadyExists),
        (&world.store, resumed(), ErrorKind::AlreadyExists),
        (&with_orphans, CopyOptions::default(), ErrorKind::AlreadyExists),
        (&foreign, resumed(), ErrorKind::HeadLost),
        (&damaged, resumed(), ErrorKind::Corrupt),
    ] {
        let before = copied(target).await;
        let told = copy_to(world.store.clone(), target.clone(), 50, &what).await;
        assert_eq!(told.unwrap_err().kind(), kind, "{what:?}");
        assert_eq!(keys(target).await, keys(&before).await);
    }
    handle.close().await;
}

/// Until HEAD is there nobody can open the copy, and another call finishes it.
#[tokio::test(start_paused = true)]
async fn killed_between_any_two_requests_it_is_finished_by_another_call() {
    let world = World::new(3).await;
    let (first, last) = numbers_of_puts(&world).await;
    for accident in [Accident::DiesBefore, Accident::DiesAfter] {
        let (mut at, mut unopened, mut resumed_some) = (1, 0, 0);
        loop {
            let target = MemoryStore::new();
            let dying = NumberedStore::over(target.clone(), at, accident);
            let what = CopyOptions::default();
            let copying = copy_to(world.store.clone(), dying.clone(), 50, &what);
            let done = within(Duration::from_secs(1_000), copying).await;
            if !dying.happened() {
                assert!(done.unwrap().unwrap().written);
                break;
            }
            let has_head = keys(&target).await.iter().any(|key| key == HEAD);
            if !has_head {
                unopened += 1;
                let opened = Manifest::open(Arc::new(target.clone()), PREFIX, options(51)).await;
                assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound);
            }
            match copy_to(world.store.clone(), target.clone(), 52, &resumed()).await {
                Ok(again) => resumed_some += u64::from(again.present.objects > 0),
                Err(error) => assert_eq!(
                    (error.kind(), has_head),
                    (ErrorKind::AlreadyExists, true),
                    "{error}"
                ),
            }
            is_a_copy(&target, &world.store).await;
            assert!(errors_of_reads(&target, &world).await.is_empty());
            // Of the probe of the store some requests, of the rest each.
            at = if at < 3 {
                at + 1
            } else {
                (at + 40).min(first.max(at + 1))
            };
        }
        let puts = last - first;
        assert_eq!(at, last + 1, "{accident:?}");
        assert!(
            unopened > puts && resumed_some + 1 >= puts,
            "{accident:?}: of {puts}, {unopened} and {resumed_some}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_a_request_is_answered_it_finishes_or_says_why() {
    let world = World::new(3).await;
    let (first, last) = numbers_of_puts(&world).await;
    for accident in [
        Accident::LosesReply,
        Accident::Refuses(503),
        Accident::RefusesAfter(500),
        Accident::Refuses(409),
        Accident::IsNotBelieved,
    ] {
        for at in first..=last {
            let target = MemoryStore::new();
            let numbered = NumberedStore::over(target.clone(), at, accident);
            let what = CopyOptions::default();
            let told = copy_to(world.store.clone(), numbered.clone(), 50, &what);
            assert!(told.await.unwrap().written, "{accident:?} at {at}");
            assert!(numbered.happened(), "{accident:?} at {at}");
            is_a_copy(&target, &world.store).await;
        }
    }
}

/// While it asks for a log object, that is folded and deleted: the copy goes on with a newer HEAD. What an earlier copy has
/// left of the older state is not needed then.
#[tokio::test(start_paused = true)]
async fn what_the_source_deletes_meanwhile_is_no_damage() {
    let shared = SharedSettings {
        fold_objects: 4,
        ..folded_soon()
    };
    let (store, manifest) = founded_by(Options { shared, ..options(1) }).await;
    for key in ["first", "second", "third"] {
        put(&manifest, key, "v").await.unwrap();
        manifest.maintain().await.unwrap();
    }
    let named = log_objects(&store).await;
    assert_eq!(manifest.info().unwrap().log_objects, 3);
    let (faulty, other) = open_faulty(&store, options(2)).await;
    other.close().await;
    let gate = Gate::closed();
    faulty.on_log_get(Fault::HoldBefore(gate.clone()));
    let patient = Options {
        read_timeout: RETENTION * 10,
        request_timeout: RETENTION * 10,
        ..options(3)
    };
    let target = MemoryStore::new();
    for key in &named[..2] {
        overwrite(&target, key, object(&store, key).await).await;
    }
    let to = Arc::new(target.clone());
    let copying = tokio::spawn(async move {
        let what = resumed();
        copy(Arc::new(faulty), PREFIX, to, PREFIX, &patient, &what, |_| {}).await
    });
    gate.reached().await;
    for number in 0..20 {
        put(&manifest, &format!("key {number}"), "v").await.unwrap();
        settle().await;
    }
    crate::collect::collect(&manifest).await;
    manifest.close().await;
    gate.open();
    let done = copying.await.unwrap().unwrap();
    assert_eq!((done.begun_again, done.last_txn), (1, 23));
    assert_eq!(done.present.objects, 0, "of {:?}", done.needed);
    is_a_copy(&target, &store).await;
    let reader = open(&target, options(4)).await;
    assert_eq!(
        reader.get("first").await.unwrap().as_deref(),
        Some(b"v".as_slice())
    );
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn damage_of_the_source_is_named_and_the_target_gets_no_head() {
    let world = World::new(6).await;
    for kind in [ObjectKind::Log, ObjectKind::Table, ObjectKind::Pin] {
        for key in world.needed(kind).await {
            let whole = object(&world.store, &key).await;
            let longer: Bytes = [whole.as_ref(), b"!"].concat().into();
            let others = [
                None,
                Some(flipped(&whole, whole.len() * 4)),
                Some(flipped(&whole, whole.len() * 8 - 1)),
                Some(whole.slice(..whole.len() - 1)),
                Some(Bytes::new()),
                Some(longer),
            ];
            for bytes in others {
                let (source, target) = (copied(&world.store).await, MemoryStore::new());
                match bytes {
                    Some(bytes) => overwrite(&source, &key, bytes).await,
                    None => remove(&source, &key).await,
                }
                let told = copy_to(source, target.clone(), 50, &CopyOptions::default()).await;
                let error = told.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                let name = key.rsplit('/').next().unwrap();
                assert!(error.to_string().contains(name), "{error}");
                assert!(!keys(&target).await.iter().any(|key| key == HEAD));
            }
        }
    }
}

/// Another table of this manifest, whole, in the place of one that HEAD names.
#[tokio::test(start_paused = true)]
async fn an_object_in_the_place_of_another_is_found() {
    let world = World::new(6).await;
    for kind in [ObjectKind::Log, ObjectKind::Table] {
        let named = world.needed(kind).await;
        let source = copied(&world.store).await;
        overwrite(&source, &named[0], object(&source, &named[1]).await).await;
        let told = copy_to(source, MemoryStore::new(), 50, &CopyOptions::default()).await;
        assert_eq!(told.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_copy_left_damaged_is_found() {
    let world = World::new(6).await;
    let key = world.needed(ObjectKind::Table).await.remove(0);
    let whole = object(&world.store, &key).await;
    for bytes in [flipped(&whole, 8 * 60), whole.slice(..whole.len() - 1)] {
        let target = MemoryStore::new();
        target.put(&key, bytes, PutMode::Create).await.unwrap();
        let told = copy_to(world.store.clone(), target.clone(), 50, &resumed()).await;
        let error = told.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(&key), "{error}");
        remove(&target, &key).await;
        copy_to(world.store.clone(), target.clone(), 51, &resumed())
            .await
            .unwrap();
        is_a_copy(&target, &world.store).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_copies_at_once_to_one_place_one_writes_head() {
    let world = World::new(6).await;
    let mut both = 0;
    for seed in 0..10 {
        let target = MemoryStore::new();
        let one = NumberedStore::uneven(target.clone(), seed);
        let two = NumberedStore::uneven(target.clone(), seed + 100);
        let what = resumed();
        let (one, two) = tokio::join!(
            copy_to(world.store.clone(), one, 50 + seed, &what),
            copy_to(world.store.clone(), two, 70 + seed, &what),
        );
        let written = [&one, &two].iter().filter(|told| told.is_ok()).count();
        assert_eq!(written, 1, "{one:?} {two:?}");
        for told in [one, two].into_iter().filter_map(Result::err) {
            assert_eq!(told.kind(), ErrorKind::AlreadyExists, "{told}");
            both += 1;
        }
        is_a_copy(&target, &world.store).await;
    }
    assert_eq!(both, 10);
}
