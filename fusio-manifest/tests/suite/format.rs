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
