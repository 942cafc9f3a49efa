//! What is told of a manifest without opening it: what its handles know, and what lies beside it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Error, ErrorKind, Freshness, Inspect, Inspection, MemoryStore, ObjectKind, Options, SharedSettings,
    inspect,
};

use crate::{
    collect::{RETENTION, keys, orphans},
    fold::folded_soon,
    spill::fill,
    support::{HEAD, PREFIX, founded, founded_by, object, options, overwrite, pause, remove},
    world::{World, verified},
};

async fn inspected(store: &MemoryStore, what: Inspect) -> Result<Inspection, Error> {
    inspect(Arc::new(store.clone()), PREFIX, &options(98), what).await
}

#[tokio::test(start_paused = true)]
async fn it_tells_what_handles_know() {
    let shared = SharedSettings {
        spill_bytes: 8_000,
        spill_keep_bytes: 4_000,
        ..folded_soon()
    };
    let (store, manifest) = founded_by(Options { shared, ..options(1) }).await;
    fill(&manifest, 0..90).await.unwrap();
    manifest.maintain().await.unwrap();
    fill(&manifest, 90..100).await.unwrap();
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    let keep = Some(Duration::from_secs(600));
    manifest.pin("nightly", &snapshot, keep).await.unwrap();
    manifest.pin("release", &snapshot, None).await.unwrap();
    pause(Duration::from_secs(180)).await;

    let seen = inspected(&store, Inspect::Head).await.unwrap();
    let info = manifest.info().unwrap();
    assert_eq!(seen.requests.total(), 1);
    assert_eq!(
        (seen.manifest, seen.revision, seen.last_txn),
        (info.manifest, info.revision, info.txn)
    );
    assert_eq!(
        (seen.head_bytes, seen.inline_bytes),
        (info.head_bytes, info.inline_bytes)
    );
    assert_eq!(
        (seen.log.len(), seen.log_amount().bytes),
        (info.log_objects, info.log_bytes)
    );
    assert_eq!(
        (seen.runs.len(), seen.table_amount().bytes),
        (info.runs, info.run_bytes)
    );
    assert_eq!(seen.table_amount().objects, info.tables as u64);
    assert!(
        seen.runs.len() > 1 && !seen.log.is_empty() && seen.inline_commits > 0,
        "{seen}"
    );
    let logged: u64 = seen.log.iter().map(|object| object.commits).sum();
    assert_eq!(seen.folded_through + logged + seen.inline_commits as u64, 100);
    let sections: usize = seen.sections.iter().map(|section| section.bytes).sum();
    assert_eq!(
        sections + 106,
        seen.head_bytes,
        "header and directory take the rest"
    );
    assert_eq!(seen.settings, shared);
    assert_eq!(seen.since_fence().unwrap().as_secs(), 180);
    assert!(seen.garbage.is_none());
    let words = seen.to_string();
    assert!(words.lines().all(|line| line.len() <= 80), "{words}");
    for word in [
        "\"nightly\", revision",
        "for 7 min",
        "\"release\"",
        "until it is released",
        "commit 100",
    ] {
        assert!(words.contains(word), "{word} is missing:\n{words}");
    }
    pause(Duration::from_secs(600)).await;
    assert!(
        inspected(&store, Inspect::Head)
            .await
            .unwrap()
            .to_string()
            .contains("expired")
    );
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn garbage_is_what_a_collection_deletes() {
    let (store, manifest) = founded().await;
    fill(&manifest, 0..70).await.unwrap();
    manifest.maintain().await.unwrap();
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    manifest.pin("kept", &snapshot, None).await.unwrap();
    let garbage = async || {
        inspected(&store, Inspect::Garbage)
            .await
            .unwrap()
            .garbage
            .unwrap()
    };
    assert_eq!(garbage().await.own().objects, 0);
    orphans(&store, &manifest, 1, 12).await;
    assert_eq!(
        (garbage().await.own().objects, garbage().await.young.objects),
        (12, 12)
    );
    assert_eq!(Some(garbage().await), verified(&store).await.unwrap().garbage);
    pause(RETENTION).await;
    manifest.maintain().await.unwrap();
    assert_eq!(garbage().await.young.objects, 0, "the fence is behind them");
    let seen = inspected(&store, Inspect::Garbage).await.unwrap();
    assert!(seen.collection.is_some_and(|collection| !collection.condemned));
    assert!(seen.to_string().contains("waiting for the retention"), "{seen}");
    pause(RETENTION).await;
    manifest.maintain().await.unwrap();
    assert_eq!(garbage().await.own().objects, 0);
    manifest.close().await;
}

/// What only a pin needs is no garbage.
#[tokio::test(start_paused = true)]
async fn garbage_is_what_neither_head_nor_a_pin_needs() {
    let world = World::new(8).await;
    let mut needed = 0;
    for kind in ObjectKind::ALL {
        needed += world.needed(kind).await.len() as u64;
    }
    let garbage = inspected(&world.store, Inspect::Garbage)
        .await
        .unwrap()
        .garbage
        .unwrap();
    let all = keys(&world.store).await.len() as u64;
    assert_eq!(garbage.own().objects, all - needed);
    assert!(garbage.own().objects > 0);
    assert_eq!(Some(garbage), verified(&world.store).await.unwrap().garbage);
}

#[tokio::test(start_paused = true)]
async fn what_it_cannot_read_is_an_error_that_names_it() {
    let (store, manifest) = founded().await;
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    manifest.pin("kept", &snapshot, None).await.unwrap();
    manifest.close().await;
    let whole = object(&store, HEAD).await;
    let pin = keys(&store).await.into_iter().find(|key| key.contains("/pin/"));
    remove(&store, &pin.unwrap()).await;
    assert!(inspected(&store, Inspect::Head).await.is_ok());
    let error = inspected(&store, Inspect::Garbage).await.unwrap_err();
    assert!(
        error.kind() == ErrorKind::Corrupt && error.to_string().contains("\"kept\""),
        "{error}"
    );
    for length in [0, 39, 100, whole.len() - 1] {
        overwrite(&store, HEAD, whole.slice(..length)).await;
        let error = inspected(&store, Inspect::Head).await.unwrap_err();
        assert!(
            error.kind() == ErrorKind::Corrupt && error.to_string().contains(HEAD),
            "{error}"
        );
    }
    overwrite(&store, HEAD, Bytes::from_static(b"FMAN\x01\x02")).await;
    assert!(inspected(&store, Inspect::Head).await.is_err());
    remove(&store, HEAD).await;
    let error = inspected(&store, Inspect::Head).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
