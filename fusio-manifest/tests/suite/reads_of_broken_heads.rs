//! HEAD deleted, restored, replaced, damaged, or too new: what a handle says, and that it then keeps its hands
//! off.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use fusio_manifest::{ErrorKind, Freshness, Manifest, MemoryStore};

use crate::support::{
    HEAD, PREFIX, final_value, founded, increment, object, open, open_faulty, options, overwrite, remove,
};

const HEADER: usize = 40;

#[tokio::test(start_paused = true)]
async fn a_deleted_head_is_never_made_anew() {
    let (store, manifest) = founded().await;
    increment(&manifest, "count").await.unwrap();
    remove(&store, HEAD).await;
    let error = manifest.get("count").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HeadLost);
    assert!(!error.is_retryable());
    assert_eq!(
        increment(&manifest, "count").await.unwrap_err().kind(),
        ErrorKind::HeadLost
    );
    assert_eq!(
        increment(&manifest, "count").await.unwrap_err().kind(),
        ErrorKind::HeadLost
    );
    let opened = Manifest::open(Arc::new(store.clone()), PREFIX, options(2)).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotFound);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_restored_head_stops_the_handle() {
    let (store, founder) = founded().await;
    increment(&founder, "count").await.unwrap();
    let backup = object(&store, HEAD).await;
    increment(&founder, "count").await.unwrap();
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    overwrite(&store, HEAD, backup.clone()).await;
    assert_eq!(
        manifest.get("count").await.unwrap_err().kind(),
        ErrorKind::StoreWentBack
    );
    assert_eq!(
        increment(&founder, "count").await.unwrap_err().kind(),
        ErrorKind::CommitUnknown
    );
    for handle in [&manifest, &founder] {
        assert_eq!(
            handle.get("count").await.unwrap_err().kind(),
            ErrorKind::StoreWentBack
        );
        let cached = handle.snapshot(Freshness::Cached).await;
        assert_eq!(cached.unwrap_err().kind(), ErrorKind::StoreWentBack);
        assert_eq!(
            increment(handle, "count").await.unwrap_err().kind(),
            ErrorKind::StoreWentBack
        );
    }
    assert!(faulty.bodies().is_empty(), "it wrote");
    assert_eq!(object(&store, HEAD).await, backup);
    // A handle that is opened now goes on from the backup; the others notice at any later revision.
    let restored = open(&store, options(3)).await;
    increment(&restored, "count").await.unwrap();
    increment(&restored, "count").await.unwrap();
    assert_eq!(
        manifest.get("count").await.unwrap_err().kind(),
        ErrorKind::StoreWentBack
    );
    for handle in [founder, manifest, restored] {
        handle.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_was_restored_and_has_gone_on_stops_the_handle() {
    for others in [1, 2, 5, 40] {
        let (store, founder) = founded().await;
        let backup = object(&store, HEAD).await;
        increment(&founder, "count").await.unwrap();
        overwrite(&store, HEAD, backup).await;
        let restored = open(&store, options(3)).await;
        for _ in 0..others {
            increment(&restored, "count").await.unwrap();
        }
        let error = founder.get("count").await.unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::StoreWentBack,
            "after {others} other commits"
        );
        founder.close().await;
        restored.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_of_another_manifest_is_not_written() {
    let (store, manifest) = founded().await;
    increment(&manifest, "count").await.unwrap();
    let elsewhere = MemoryStore::new();
    let (other, _) = Manifest::create(Arc::new(elsewhere.clone()), PREFIX, options(9))
        .await
        .unwrap();
    for _ in 0..5 {
        increment(&other, "theirs").await.unwrap();
    }
    let theirs = object(&elsewhere, HEAD).await;
    overwrite(&store, HEAD, theirs.clone()).await;
    assert_eq!(
        manifest.get("count").await.unwrap_err().kind(),
        ErrorKind::Replaced
    );
    let error = increment(&manifest, "count").await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Replaced | ErrorKind::CommitUnknown),
        "{error}"
    );
    assert_eq!(object(&store, HEAD).await, theirs);
    manifest.close().await;
    other.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_head_is_named_and_not_overwritten() {
    let (store, manifest) = founded().await;
    increment(&manifest, "count").await.unwrap();
    let whole = object(&store, HEAD).await;
    let mut flipped = whole.to_vec();
    let last = flipped.len() - 1;
    flipped[last / 2] ^= 4;
    let damaged = [
        flipped.into(),
        whole.slice(..last),
        whole.slice(..20),
        Bytes::new(),
        Bytes::from("hello"),
    ];
    for bytes in damaged {
        overwrite(&store, HEAD, bytes.clone()).await;
        let opened = Manifest::open(Arc::new(store.clone()), PREFIX, options(2)).await;
        let made = Manifest::create(Arc::new(store.clone()), PREFIX, options(2))
            .await
            .map(drop);
        for error in [manifest.get("count").await.map(drop), opened.map(drop), made] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().contains(HEAD), "{error}");
        }
        assert!(increment(&manifest, "count").await.is_err());
        assert_eq!(object(&store, HEAD).await, bytes);
    }
    overwrite(&store, HEAD, whole).await;
    increment(&manifest, "count").await.unwrap();
    assert_eq!(final_value(&store, "count").await.as_deref(), Some("2"));
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_format_version_is_left_alone() {
    let (store, manifest) = founded().await;
    let mut newer = object(&store, HEAD).await.to_vec();
    newer[5] += 1;
    overwrite(&store, HEAD, newer.clone()).await;
    let error = manifest.get("count").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("upgrade"), "{error}");
    let made = Manifest::create(Arc::new(store.clone()), PREFIX, options(2)).await;
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(increment(&manifest, "count").await.is_err());
    assert_eq!(object(&store, HEAD).await, newer);
    manifest.close().await;
}

/// HEAD with a field of its section `meta` set: feature bits of a version to come.
fn with_meta_field(head: &Bytes, tag: u8, value: u8) -> Bytes {
    let body = &head[HEADER..];
    let sections = usize::from(body[0]);
    let directory_end = 2 + sections * 12;
    let mut directory = body[..directory_end].to_vec();
    let meta_length = u32::from_le_bytes(directory[6..10].try_into().unwrap());
    let meta_end = directory_end + 4 + usize::try_from(meta_length).unwrap();
    let mut meta = body[directory_end + 4..meta_end].to_vec();
    meta.extend([tag << 3, value]);
    directory[6..10].copy_from_slice(&(meta_length + 2).to_le_bytes());
    directory[10..14].copy_from_slice(&crc32c::crc32c(&meta).to_le_bytes());
    let mut changed = BytesMut::from(directory.as_slice());
    changed.put_u32_le(crc32c::crc32c(&directory));
    changed.put_slice(&meta);
    changed.put_slice(&body[meta_end..]);
    let mut framed = BytesMut::from(&head[..24]);
    framed.put_u64_le(changed.len() as u64);
    framed.put_u32_le(crc32c::crc32c(&changed));
    let checksum = crc32c::crc32c(&framed);
    framed.put_u32_le(checksum);
    framed.put_slice(&changed);
    framed.freeze()
}

#[tokio::test(start_paused = true)]
async fn an_unknown_writer_feature_forbids_to_write_and_allows_to_read() {
    let (store, founder) = founded().await;
    increment(&founder, "count").await.unwrap();
    let featured = with_meta_field(&object(&store, HEAD).await, 1, 1);
    overwrite(&store, HEAD, featured.clone()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    assert_eq!(manifest.get("count").await.unwrap().unwrap(), "1");
    let error = increment(&manifest, "count").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("upgrade"), "{error}");
    assert!(faulty.bodies().is_empty());
    let (adopted, _) = Manifest::create(Arc::new(store.clone()), PREFIX, options(3))
        .await
        .unwrap();
    assert_eq!(
        increment(&adopted, "count").await.unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(object(&store, HEAD).await, featured);
    for handle in [founder, manifest, adopted] {
        handle.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_reader_feature_forbids_to_read() {
    let (store, founder) = founded().await;
    let featured = with_meta_field(&object(&store, HEAD).await, 2, 1);
    overwrite(&store, HEAD, featured).await;
    let opened = Manifest::open(Arc::new(store.clone()), PREFIX, options(2)).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Unsupported);
    founder.close().await;
}
