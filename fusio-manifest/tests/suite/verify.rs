//! A full check: manifests that are whole are clean whatever their shape, what HEAD or the bucket as a whole shows is
//! found, and what others do meanwhile is no damage.

use std::sync::Arc;

use bytes::Bytes;
use fusio_manifest::{
    Damage, ErrorKind, Freshness, Inspect, Manifest, MemoryStore, Need, ObjectKind, Options, Place, Progress,
    SharedSettings, Store as _, Verification, inspect, store::PutMode, verify,
};

use crate::{
    collect::{RETENTION, orphans},
    faulty::{Fault, Gate},
    fold::{folded_soon, holds},
    spill::fill,
    support::{
        HEAD, PREFIX, founded, founded_by, object, open, open_faulty, options, overwrite, pause, put, remove,
        settle, spilled_at_once, unfolded,
    },
    world::{World, copied, errors_of_reads, flipped, found_and_named, verified},
};

async fn clean(store: &MemoryStore, shape: &str) -> Verification {
    let report = verified(store).await.unwrap();
    assert!(report.is_clean(), "{shape}: {:#?}", report.findings);
    assert_eq!(report.superseded, 0, "{shape}");
    report
}

#[tokio::test(start_paused = true)]
async fn manifests_of_every_shape_are_clean() {
    let (store, manifest) = founded().await;
    let report = clean(&store, "empty").await;
    assert_eq!(
        (report.objects, report.last_txn, report.requests.total()),
        (1, Some(0), 2)
    );
    put(&manifest, "k", "v").await.unwrap();
    let report = clean(&store, "one commit in HEAD").await;
    assert_eq!((report.objects, report.commits, report.revision), (1, 1, Some(2)));
    fill(&manifest, 0..100).await.unwrap();
    settle().await;
    let report = clean(&store, "log objects").await;
    assert_eq!((report.objects, report.commits), (2, 101));
    orphans(&store, &manifest, 1, 40).await;
    let report = clean(&store, "orphans").await;
    let garbage = report.garbage.unwrap();
    assert_eq!((garbage.own().objects, garbage.own().bytes), (40, 240));
    assert_eq!(
        (garbage.log.objects, garbage.lists.objects, garbage.young.objects),
        (10, 10, 40)
    );
    for key in [
        format!("{PREFIX}/notes.txt"),
        format!("{PREFIX}/probe-{:032x}/x", 1),
    ] {
        store
            .put(&key, Bytes::from_static(b"?"), PutMode::Create)
            .await
            .unwrap();
    }
    let garbage = clean(&store, "what is not the engine's").await.garbage.unwrap();
    assert_eq!((garbage.foreign.objects, garbage.probes.objects), (1, 1));
    for step in ["fenced and listed", "condemned and deleted"] {
        pause(RETENTION).await;
        manifest.maintain().await.unwrap();
        clean(&store, step).await;
    }
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_manifest_with_everything_is_clean_and_all_of_it_is_read() {
    for seed in [1, 40] {
        let world = World::new(seed).await;
        assert!(errors_of_reads(&world.store, &world).await.is_empty());
        let mut last = None;
        let report = verify(Arc::new(world.store.clone()), PREFIX, &options(99), |progress| {
            if let Progress::Read {
                objects, of_objects, ..
            } = progress
            {
                last = Some((objects, of_objects));
            }
        })
        .await
        .unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        assert_eq!((report.pins, report.last_txn), (2, Some(113)));
        let kinds = ObjectKind::ALL.map(|kind| (kind, 1));
        let mut needed = 0;
        for (kind, least) in kinds {
            let count = world.needed(kind).await.len();
            let least = if matches!(kind, ObjectKind::Head | ObjectKind::List) {
                least
            } else {
                2
            };
            assert!(count >= least, "{count} of {kind:?}");
            needed += count as u64;
        }
        // Log objects that were folded are read too, where they are still there.
        assert!(report.objects >= needed, "{} of {needed}", report.objects);
        assert_eq!(
            last.map(|(read, of)| (read == of, read + 1)),
            Some((true, report.objects))
        );
        assert!(report.commits > 20 && report.entries > 300, "{report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_manifests_head_is_found_by_what_lies_beside_it() {
    let (world, other) = (World::new(5).await, World::new(51).await);
    let open_before = open(&world.store, options(8)).await;
    overwrite(&world.store, HEAD, object(&other.store, HEAD).await).await;
    let report = verified(&world.store).await.unwrap();
    let head: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.object == HEAD)
        .collect();
    assert_eq!(head.len(), 1, "{:#?}", report.findings);
    assert_eq!(head[0].damage, Damage::Foreign);
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.damage == Damage::Missing)
    );
    assert_eq!(
        open_before.get("k").await.unwrap_err().kind(),
        ErrorKind::Replaced
    );
    let opened = Manifest::open(Arc::new(world.store.clone()), PREFIX, options(9)).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt);
    open_before.close().await;
    // Of one that needs no objects only those beside it tell.
    let (small, _) = founded().await;
    overwrite(&world.store, HEAD, object(&small, HEAD).await).await;
    let report = verified(&world.store).await.unwrap();
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    assert_eq!(report.findings[0].damage, Damage::Foreign);
}

/// As README tells people to.
#[tokio::test(start_paused = true)]
async fn a_copy_that_is_complete_brings_its_state_back() {
    let world = World::new(9).await;
    let store = copied(&world.store).await;
    remove(&store, HEAD).await;
    let report = verified(&store).await.unwrap();
    for (copy, name) in report.copies.iter().zip(["second", "first"]) {
        assert!(copy.complete);
        let store = copied(&store).await;
        let bytes = object(&store, &copy.object).await;
        overwrite(&store, HEAD, bytes.slice(40..)).await;
        let restored = open(&store, options(10)).await;
        let snapshot = restored.snapshot(Freshness::Latest).await.unwrap();
        assert_eq!(
            (snapshot.revision(), snapshot.txn()),
            (copy.revision, copy.last_txn)
        );
        holds(&snapshot, &world.pinned[name], name).await.unwrap();
        put(&restored, "again", "written").await.unwrap();
        restored.close().await;
    }
    // One that lacks something says so.
    let first = world.needed(ObjectKind::Table).await.remove(0);
    remove(&store, &first).await;
    let report = verified(&store).await.unwrap();
    assert!(report.copies.iter().any(|copy| !copy.complete), "{report:#?}");
}

/// Findings never stop the check of the rest.
#[tokio::test(start_paused = true)]
async fn what_a_damaged_head_names_is_checked_all_the_same() {
    let world = World::new(7).await;
    let seen = inspect(Arc::new(world.store.clone()), PREFIX, &options(98), Inspect::Head).await;
    let meta = seen.unwrap().sections[0].bytes;
    let store = copied(&world.store).await;
    let whole = object(&store, HEAD).await;
    overwrite(&store, HEAD, flipped(&whole, (106 + meta + 20) * 8)).await;
    let mut lost = Vec::new();
    for kind in [ObjectKind::Log, ObjectKind::Table] {
        for key in world.needed(kind).await {
            let alone = copied(&world.store).await;
            remove(&alone, &key).await;
            let report = verified(&alone).await.unwrap();
            if report.findings[0].needed_by.contains(&Need::Head) {
                remove(&store, &key).await;
                lost.push(key);
                break;
            }
        }
    }
    assert_eq!(lost.len(), 2);
    let report = verified(&store).await.unwrap();
    let told: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.object.as_str(), finding.damage, finding.place.clone()))
        .collect();
    let expected = [
        (HEAD, Damage::Checksum, Place::Section("inline")),
        (lost[0].as_str(), Damage::Missing, Place::Whole),
        (lost[1].as_str(), Damage::Missing, Place::Whole),
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_was_set_back_behind_the_fence_is_found() {
    let (store, manifest) = founded_by(Options {
        shared: spilled_at_once(),
        ..options(1)
    })
    .await;
    put(&manifest, "k", "v").await.unwrap();
    let early = object(&store, HEAD).await;
    pause(RETENTION).await;
    manifest.maintain().await.unwrap();
    put(&manifest, "k", "w").await.unwrap();
    settle().await;
    clean(&store, "before").await;
    overwrite(&store, HEAD, early).await;
    let report = verified(&store).await.unwrap();
    let told = report.findings.iter().find(|finding| finding.object == HEAD);
    assert_eq!(told.unwrap().damage, Damage::WentBack, "{:#?}", report.findings);
    manifest.close().await;
}

/// While the check asks for a log object, it is folded and deleted.
#[tokio::test(start_paused = true)]
async fn what_a_newer_head_does_without_is_no_damage() {
    let (store, manifest) = founded_by(Options {
        shared: folded_soon(),
        ..options(1)
    })
    .await;
    put(&manifest, "first", "v").await.unwrap();
    manifest.maintain().await.unwrap();
    assert_eq!(manifest.info().unwrap().log_objects, 1);
    let (faulty, other) = open_faulty(&store, options(2)).await;
    other.close().await;
    let gate = Gate::closed();
    faulty.on_log_get(Fault::HoldBefore(gate.clone()));
    let patient = Options {
        read_timeout: RETENTION * 10,
        request_timeout: RETENTION * 10,
        ..options(3)
    };
    let checking = tokio::spawn(async move { verify(Arc::new(faulty), PREFIX, &patient, |_| {}).await });
    gate.reached().await;
    for number in 0..20 {
        put(&manifest, &format!("key {number}"), "v").await.unwrap();
        settle().await;
    }
    crate::collect::collect(&manifest).await;
    manifest.close().await;
    gate.open();
    let report = checking.await.unwrap().unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!((report.superseded, report.last_txn), (1, Some(21)));
}

#[tokio::test(start_paused = true)]
async fn failures_of_the_store_are_errors_and_no_findings() {
    let (store, manifest) = founded_by(Options {
        shared: SharedSettings {
            spill_bytes: 1,
            spill_keep_bytes: 0,
            ..unfolded()
        },
        ..options(1)
    })
    .await;
    put(&manifest, "k", "v").await.unwrap();
    settle().await;
    manifest.close().await;
    let (faulty, other) = open_faulty(&store, options(2)).await;
    other.close().await;
    let check = async || verify(Arc::new(faulty.clone()), PREFIX, &options(3), |_| {}).await;
    for fault in [Fault::StatusBefore(503), Fault::StatusBefore(500)] {
        faulty.on_log_get(fault.clone());
        faulty.on_get(fault);
        assert!(check().await.unwrap().is_clean(), "it asks again");
    }
    faulty.on_log_get(Fault::StatusBefore(403));
    assert_eq!(check().await.unwrap_err().kind(), ErrorKind::Refused);
    (0..1_000).for_each(|_| faulty.on_log_get(Fault::StatusBefore(503)));
    assert_eq!(check().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let nothing = verify(Arc::new(store), "elsewhere", &options(3), |_| {}).await;
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_finding_tells_who_needs_the_object_and_what_is_hit() {
    let world = World::new(6).await;
    let mut by_pins_alone = 0;
    for key in world.needed(ObjectKind::Log).await {
        let report = found_and_named(&world, &key, None, "loss").await;
        let finding = &report.findings[0];
        assert!(finding.txns.is_some());
        let text = finding.to_string();
        assert!(text.contains(&key) && text.contains("commits"), "{text}");
        by_pins_alone += usize::from(!finding.needed_by.contains(&Need::Head));
    }
    assert!(by_pins_alone > 0);
    // One block: the keys that it has, and none of the others.
    let key = world.needed(ObjectKind::Table).await.pop().unwrap();
    let whole = object(&world.store, &key).await;
    let report = found_and_named(&world, &key, Some(flipped(&whole, 100 * 8)), "a flipped bit").await;
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.keys.is_some())
        .unwrap();
    assert!(finding.to_string().contains("block 0"), "{finding}");
    let (first, end) = finding.keys.clone().unwrap();
    let inside =
        |key: &str| *key.as_bytes() >= *first && end.as_ref().is_none_or(|end| *key.as_bytes() < **end);
    let store = copied(&world.store).await;
    overwrite(&store, &key, flipped(&whole, 100 * 8)).await;
    let reader = open(&store, options(7)).await;
    let (mut hit, mut spared) = (0, 0);
    for key in world.content.keys() {
        match reader.get(key.clone()).await {
            Ok(_) => spared += 1,
            Err(_) => {
                assert!(inside(key), "{key} is not in {first:?}..{end:?}");
                hit += 1;
            }
        }
    }
    assert!(hit > 0 && spared > 0, "{hit} hit, {spared} spared");
    reader.close().await;
}
