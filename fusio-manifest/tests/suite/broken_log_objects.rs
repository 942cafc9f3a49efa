//! Log objects that are gone, damaged or not the ones that HEAD names: the error says which, and nothing is made
//! up.

use std::sync::Arc;

use bytes::Bytes;
use fusio_manifest::{ErrorKind, Manifest, MemoryStore, Options};

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    spill::{all_there, fill},
    support::{
        HEAD, PREFIX, founded, founded_by, founded_with, increment, log_objects, object, object_with_etag,
        open, open_faulty, options, overwrite, remove, spilled_at_once,
    },
};

/// A manifest with two log objects of three commits, and their keys in the order of the commits.
async fn with_log_objects(seed: u64) -> (MemoryStore, Manifest, [String; 2]) {
    let (store, founder) = founded_by(Options {
        shared: spilled_at_once(),
        ..options(seed)
    })
    .await;
    let first = object(&store, HEAD).await;
    overwrite(&store, FIRST, first).await;
    let (faulty, writer) = open_faulty(&store, options(seed + 1)).await;
    let mut keys = Vec::new();
    for numbers in [0..3, 3..6] {
        // Its own spills are refused, so that the founder's hold all three.
        (0..10).for_each(|_| faulty.on_log_put(Fault::StatusBefore(403)));
        fill(&writer, numbers).await.unwrap();
        founder.get("key 0").await.unwrap();
        founder.maintain().await.unwrap();
        writer.get("key 0").await.unwrap();
        let new = log_objects(&store).await;
        keys.push(new.into_iter().find(|key| !keys.contains(key)).unwrap());
    }
    writer.close().await;
    assert_eq!(founder.info().unwrap().log_objects, 2);
    (store, founder, keys.try_into().unwrap())
}

fn flipped(bytes: &Bytes, bit: usize) -> Bytes {
    let mut copy = bytes.to_vec();
    copy[bit / 8] ^= 1 << (bit % 8);
    copy.into()
}

/// What a handle that opens now, and one that was open and is behind, are told. Both must name the object.
async fn refused_as_corrupt(store: &MemoryStore, behind: &Manifest, key: &str, what: &str) {
    let name = key.rsplit('/').next().unwrap();
    let opened = Manifest::open(Arc::new(store.clone()), PREFIX, options(20)).await;
    for error in [opened.unwrap_err(), behind.get("key 0").await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
        assert!(
            error.to_string().contains(name),
            "{what}: {error} does not name {name}"
        );
        assert!(!error.is_retryable());
    }
    let error = increment(behind, "own").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::CommitUnknown),
        "{what}: {error}"
    );
}

#[tokio::test(start_paused = true)]
async fn damaged_or_foreign_bytes_are_never_read_and_the_error_names_the_object() {
    let (other_store, other, other_keys) = with_log_objects(31).await;
    let foreign = object(&other_store, &other_keys[0]).await;
    let (store, founder, keys) = with_log_objects(11).await;
    let whole = object(&store, &keys[0]).await;
    let second = object(&store, &keys[1]).await;
    let mut broken = vec![
        ("empty", Bytes::new()),
        ("cut off", whole.slice(..whole.len() - 1)),
        ("cut in the header", whole.slice(..20)),
        ("longer", Bytes::from([whole.as_ref(), b"x"].concat())),
        ("another object", second),
        ("another manifest's", foreign),
        ("a HEAD", object(&store, HEAD).await),
    ];
    for bit in (0..whole.len() * 8).step_by(997) {
        broken.push(("flipped", flipped(&whole, bit)));
    }
    for (what, bytes) in broken {
        overwrite(&store, &keys[0], bytes).await;
        let (_, behind) = behind(&store).await;
        refused_as_corrupt(&store, &behind, &keys[0], what).await;
        overwrite(&store, &keys[0], whole.clone()).await;
        behind
            .get("key 0")
            .await
            .expect("it reads again once the object is restored");
        behind.close().await;
    }
    all_there(&store, 6, 0).await.unwrap();
    for handle in [founder, other] {
        handle.close().await;
    }
}

/// Where the first HEAD, without commits, is kept.
const FIRST: &str = "first-head";

/// A handle that has seen the manifest when it was empty.
async fn behind(store: &MemoryStore) -> (FaultyStore, Manifest) {
    let (head, etag) = object_with_etag(store, FIRST).await;
    let faulty = FaultyStore::over(store.clone());
    faulty.on_get(Fault::Shows(head, etag));
    let manifest = Manifest::open(Arc::new(faulty.clone()), PREFIX, options(21))
        .await
        .unwrap();
    assert_eq!(manifest.info().unwrap().txn, 0);
    faulty.forget_requests();
    (faulty, manifest)
}

#[tokio::test(start_paused = true)]
async fn a_deleted_log_object_is_named_and_looked_for_twice() {
    let (store, founder, keys) = with_log_objects(11).await;
    remove(&store, &keys[1]).await;
    let (_, behind) = behind(&store).await;
    refused_as_corrupt(&store, &behind, &keys[1], "deleted").await;
    behind.close().await;
    founder.close().await;
}

/// Who has the commits already does not need the object.
#[tokio::test(start_paused = true)]
async fn a_handle_that_has_the_commits_goes_on_without_their_object() {
    let (store, founder, keys) = with_log_objects(11).await;
    for key in &keys {
        remove(&store, key).await;
    }
    increment(&founder, "count").await.unwrap();
    assert!(founder.get("key 0").await.unwrap().is_some());
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_missing_once_is_looked_for_again() {
    let (store, founder, _) = with_log_objects(11).await;
    let (faulty, reader) = behind(&store).await;
    faulty.on_log_get(Fault::StatusBefore(404));
    assert!(reader.get("key 5").await.unwrap().is_some());
    assert_eq!(faulty.looks(), 2);
    reader.close().await;
    founder.close().await;
}

/// A reader is told of HEAD, and while it asks for the object that this HEAD names, HEAD moves on past it.
#[tokio::test(start_paused = true)]
async fn an_object_deleted_after_head_moved_on_past_it_is_no_error() {
    let (store, founder) = founded_with(spilled_at_once()).await;
    let (faulty, reader) = open_faulty(&store, options(2)).await;
    fill(&founder, 0..1).await.unwrap();
    let (unspilled, _) = object_with_etag(&store, HEAD).await;
    founder.maintain().await.unwrap();
    let (spilled, etag) = object_with_etag(&store, HEAD).await;
    let [first] = log_objects(&store).await.try_into().unwrap();
    // The same commit, spilled by somebody else to another object.
    overwrite(&store, HEAD, unspilled).await;
    let other = open(&store, options(3)).await;
    other.maintain().await.unwrap();
    remove(&store, &first).await;
    let gate = Gate::closed();
    faulty.on_get(Fault::Shows(spilled, etag));
    faulty.on_log_get(Fault::HoldBefore(gate.clone()));
    let reading = tokio::spawn({
        let reader = reader.clone();
        async move { reader.get("key 0").await }
    });
    gate.reached().await;
    gate.open();
    assert!(reading.await.unwrap().unwrap().is_some());
    assert_eq!((faulty.looks(), faulty.log_reads()), (2, 2));
    for handle in [founder, reader, other] {
        handle.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_fate_only_a_lost_object_tells_stays_unknown() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.on_put(Fault::Late);
    (0..1_000).for_each(|_| faulty.on_get(Fault::StatusBefore(503)));
    let error = increment(&manifest, "count").await.unwrap_err();
    let token = error.token().unwrap().clone();
    faulty.heal();
    fill(&founder, 0..100).await.unwrap();
    manifest.get("count").await.unwrap();
    for key in log_objects(&store).await {
        remove(&store, &key).await;
    }
    let outcome = manifest.outcome(&token).await.unwrap();
    assert_eq!(outcome, fusio_manifest::CommitOutcome::StillUnknown);
    founder.close().await;
    manifest.close().await;
}
