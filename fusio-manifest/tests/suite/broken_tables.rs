//! Tables that are damaged, cut, deleted or swapped: a clear error from each read that needs them, never a wrong answer.

use bytes::Bytes;
use fusio_manifest::{Error, ErrorKind, Freshness, KeyRange, MemoryStore};

use crate::{
    fold::folded_soon,
    support::{PREFIX, founded_with, object, open, options, overwrite, put, remove, settle, tables},
};

/// A manifest with all commits in one run of one table, and the table's key.
async fn with_table(value: &str) -> (MemoryStore, String) {
    let settings = fusio_manifest::SharedSettings {
        tier_ratio: 64,
        table_bytes: 1 << 20,
        fold_objects: 20,
        ..folded_soon()
    };
    let (store, founder) = founded_with(settings).await;
    for number in 0..20 {
        put(
            &founder,
            &format!("key {number:02}"),
            &format!("{value} {}", "x".repeat(300)),
        )
        .await
        .unwrap();
        settle().await;
    }
    founder.maintain().await.unwrap();
    let info = founder.info().unwrap();
    assert_eq!((info.runs, info.folded_through), (1, 20));
    founder.close().await;
    let [table] = tables(&store).await.try_into().unwrap();
    (store, table)
}

/// Reads every key by itself and all of them together, with handles that have read nothing before.
async fn read_all(store: &MemoryStore) -> Vec<Result<(), Error>> {
    let reader = open(store, options(7)).await;
    let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
    let mut results = Vec::new();
    for number in 0..20 {
        let read = snapshot.get(format!("key {number:02}")).await;
        results.push(read.map(|value| assert!(value.unwrap().starts_with(b"own"))));
    }
    let scanned = snapshot.scan(KeyRange::all()).collect().await;
    results.push(scanned.map(|entries| {
        assert_eq!(entries.len(), 20);
        assert!(entries.iter().all(|(_, value)| value.starts_with(b"own")));
    }));
    reader.close().await;
    results
}

#[tokio::test(start_paused = true)]
async fn a_damaged_table_is_an_error_of_who_needs_the_part() {
    let (store, table) = with_table("own").await;
    assert!(read_all(&store).await.iter().all(Result::is_ok));
    let whole = object(&store, &table).await;
    let mut every_read_failed = 0;
    for at in (41..whole.len()).step_by(61) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 4;
        overwrite(&store, &table, bytes).await;
        let results = read_all(&store).await;
        assert!(results[20].is_err(), "byte {at}: a scan reads all of it");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error}");
            assert!(error.to_string().contains(&table), "{error}");
        }
        every_read_failed += usize::from(results.iter().all(Result::is_err));
    }
    assert!(every_read_failed > 0, "the footer was among them");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_cut_short_is_found() {
    let (store, table) = with_table("own").await;
    let whole = object(&store, &table).await;
    for length in [0, 1, 39, 40, 41, whole.len() / 2, whole.len() - 1] {
        overwrite(&store, &table, whole.slice(..length)).await;
        for result in read_all(&store).await {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "cut to {length}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_head_names_and_is_gone_is_told_as_such() {
    let (store, table) = with_table("own").await;
    remove(&store, &table).await;
    for result in read_all(&store).await {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("somebody deleted it"), "{error}");
    }
    let reader = open(&store, options(8)).await;
    assert_eq!(reader.get("key 03").await.unwrap_err().kind(), ErrorKind::Corrupt);
    // What does not need it goes on.
    put(&reader, "key 03", "new").await.unwrap();
    assert_eq!(
        reader.get("key 03").await.unwrap(),
        Some(Bytes::from_static(b"new"))
    );
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn another_manifests_table_is_not_taken_for_ones_own() {
    let (store, table) = with_table("own").await;
    let (other, others) = with_table("foreign").await;
    let [own_bytes, foreign] = [object(&store, &table).await, object(&other, &others).await];
    assert!(table.starts_with(PREFIX) && own_bytes != foreign);
    overwrite(&store, &table, foreign).await;
    for result in read_all(&store).await {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

/// Deletes every table that the newest state does without.
async fn collect(store: &MemoryStore) -> usize {
    let mut deleted = 0;
    for table in tables(store).await {
        let bytes = object(store, &table).await;
        remove(store, &table).await;
        let reader = open(store, options(u64::MAX)).await;
        let scanned = reader.scan(KeyRange::all()).await.unwrap().collect().await;
        reader.close().await;
        match scanned {
            Ok(_) => deleted += 1,
            Err(_) => overwrite(store, &table, bytes).await,
        }
    }
    deleted
}

/// What nothing references any more may go: a snapshot of before has expired, and nobody reads anything wrong.
#[tokio::test(start_paused = true)]
async fn a_snapshot_whose_tables_were_collected_has_expired_and_fresh_reads_go_on() {
    let (store, founder) = founded_with(folded_soon()).await;
    let fill = async |value: &str| {
        for number in 0..24 {
            put(&founder, &format!("key {number:02}"), value).await.unwrap();
            settle().await;
        }
        founder.maintain().await.unwrap();
    };
    fill("old").await;
    let [away, watching] = [open(&store, options(2)).await, open(&store, options(3)).await];
    let snapshot = away.snapshot(Freshness::Cached).await.unwrap();
    fill("new").await;
    // It has seen that HEAD changed, and reads from runs that it knew before.
    assert_eq!(
        watching.get("key 00").await.unwrap().as_deref(),
        Some(b"new".as_slice())
    );
    assert!(collect(&store).await > 5);
    let mut expired = 0;
    for number in 0..24 {
        match snapshot.get(format!("key {number:02}")).await {
            Ok(value) => assert_eq!(value.as_deref(), Some(b"old".as_slice())),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::SnapshotExpired, "{error}");
                assert!(error.is_retryable());
                expired += 1;
            }
        }
    }
    let scanned = snapshot.scan(KeyRange::all()).collect().await.unwrap_err();
    assert_eq!(scanned.kind(), ErrorKind::SnapshotExpired, "{scanned}");
    assert!(expired > 0);
    for reader in [&away, &watching] {
        for number in 0..24 {
            let value = reader.get(format!("key {number:02}")).await.unwrap();
            assert_eq!(value.as_deref(), Some(b"new".as_slice()));
        }
    }
    for handle in [away, watching] {
        handle.close().await;
    }
    founder.close().await;
}
