//! What was stored stays readable: HEADs of former versions, kept as files, still open.

use std::sync::Arc;

use bytes::Bytes;
use fusio_manifest::{
    Freshness, KeyRange, Manifest, MemoryStore,
    store::{PutMode, Store as _},
};

use crate::support::{HEAD, PREFIX, options, put};

/// Format 1: `key 01` to `key 20`, each written once with its own name as value, then `key 01` deleted and
/// `key 02` written again.
const HEAD_OF_FORMAT_1: &[u8] = include_bytes!("data/head_format_1.bin");

/// Format 1 with log objects: `key 1` to `key 3`, spilled into one object, `large` in an object of its own, then
/// `key 4` inline, each with its own name as value but `large`, which holds 20,000 bytes of `x`.
const HEAD_WITH_LOG: &[u8] = include_bytes!("data/head_with_log_format_1.bin");
const SPILLED: (&str, &[u8]) = (
    include_str!("data/log_spilled_format_1.key"),
    include_bytes!("data/log_spilled_format_1.bin"),
);
const LARGE: (&str, &[u8]) = (
    include_str!("data/log_large_format_1.key"),
    include_bytes!("data/log_large_format_1.bin"),
);

#[tokio::test(start_paused = true)]
async fn a_head_of_format_1_opens_and_takes_commits() {
    let store = MemoryStore::new();
    store
        .put(HEAD, Bytes::from_static(HEAD_OF_FORMAT_1), PutMode::Create)
        .await
        .unwrap();
    let manifest = Manifest::open(Arc::new(store), PREFIX, options(1)).await.unwrap();
    let entries = manifest
        .scan(KeyRange::all())
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let expected: Vec<(Bytes, Bytes)> = (2..=20)
        .map(|number| {
            let key = Bytes::from(format!("key {number:02}"));
            (
                key.clone(),
                if number == 2 {
                    Bytes::from_static(b"again")
                } else {
                    key
                },
            )
        })
        .collect();
    assert_eq!(entries, expected);
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    assert_eq!((snapshot.txn(), snapshot.revision()), (22, 23));
    assert_eq!(put(&manifest, "key 21", "new").await.unwrap().txn, Some(23));
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn log_objects_of_format_1_are_read() {
    let store = MemoryStore::new();
    for (key, bytes) in [(HEAD, HEAD_WITH_LOG), SPILLED, LARGE] {
        store
            .put(key.trim_end(), Bytes::from_static(bytes), PutMode::Create)
            .await
            .unwrap();
    }
    let manifest = Manifest::open(Arc::new(store), PREFIX, options(1)).await.unwrap();
    let info = manifest.info().unwrap();
    assert_eq!((info.txn, info.log_objects), (5, 2));
    for number in 1..=4 {
        let key = format!("key {number}");
        assert_eq!(manifest.get(&key).await.unwrap().as_deref(), Some(key.as_bytes()));
    }
    assert_eq!(
        manifest.get("large").await.unwrap().as_deref(),
        Some(vec![b'x'; 20_000].as_slice())
    );
    manifest.close().await;
}
