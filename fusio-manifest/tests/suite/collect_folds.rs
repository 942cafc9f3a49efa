//! What folds and merges leave behind is collected, and who still reads it is told, or has it pinned.

use fusio_manifest::{ErrorKind, Freshness, KeyRange, Manifest, MemoryStore, Snapshot};

use crate::{
    collect::{collect, keys, named},
    fold::{Content, folded_soon, holds, step},
    support::{founded_with, open, options, remove, tables},
};

/// A manifest of many small tables, a handle that has read nothing of them but what opening takes, and its state.
async fn folded() -> (MemoryStore, Manifest, Manifest, Snapshot, Content) {
    let (store, writer) = founded_with(folded_soon()).await;
    let mut content = Content::new();
    for number in 0..40 {
        step(&writer, number, &mut content).await.unwrap();
    }
    writer.maintain().await.unwrap();
    assert!(writer.info().unwrap().tables >= 2, "{:?}", writer.info());
    let reader = open(&store, options(2)).await;
    let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
    (store, writer, reader, snapshot, content)
}

/// Folds and merges until none of its tables is named any more, and collects them.
async fn left_behind(store: &MemoryStore, writer: &Manifest, content: &mut Content) {
    let before = tables(store).await;
    for number in 40..120 {
        step(writer, number, content).await.unwrap();
    }
    for _ in 0..2 {
        collect(writer).await;
    }
    let gone = tables(store).await;
    let gone = before.iter().filter(|table| !gone.contains(table)).count();
    assert!(gone >= 2, "only {gone} tables were collected");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_past_the_retention_expires_and_never_shows_wrong_rows() {
    let (store, writer, reader, old, then) = folded().await;
    let mut now = then.clone();
    left_behind(&store, &writer, &mut now).await;
    let mut expired = 0;
    for (key, value) in &then {
        match old.get(key).await {
            Ok(read) => assert_eq!(read.as_deref(), value.as_ref().map(String::as_bytes), "{key}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::SnapshotExpired, "{key}: {error}");
                expired += 1;
            }
        }
    }
    assert!(expired > 0, "nothing it needed was collected");
    let error = old.scan(KeyRange::all()).collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SnapshotExpired, "{error}");
    // A fresh read begins again.
    for (key, value) in &now {
        let read = reader.get(key).await.unwrap();
        assert_eq!(read.as_deref(), value.as_ref().map(String::as_bytes), "{key}");
    }
    let newest = writer.snapshot(Freshness::Latest).await.unwrap();
    holds(&newest, &now, "the writer").await.unwrap();
    assert_eq!(keys(&store).await.len(), named(&writer), "nothing else is left");
    writer.close().await;
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_pinned_state_outlives_folds_merges_and_collections() {
    let (store, writer, reader, old, then) = folded().await;
    reader.pin("p", &old, None).await.unwrap();
    let mut now = then.clone();
    let before = tables(&store).await;
    for number in 40..120 {
        step(&writer, number, &mut now).await.unwrap();
    }
    for _ in 0..2 {
        collect(&writer).await;
    }
    holds(&old, &then, "the snapshot that was pinned").await.unwrap();
    let elsewhere = open(&store, options(3)).await;
    let pinned = elsewhere.open_pin("p").await.unwrap();
    holds(&pinned, &then, "another process").await.unwrap();

    // Somebody deletes what it needs: that is no expiry.
    let left = tables(&store).await;
    let needed: Vec<&String> = before.iter().filter(|table| left.contains(table)).collect();
    assert!(!needed.is_empty());
    let late = open(&store, options(4)).await;
    let damaged = late.open_pin("p").await.unwrap();
    for table in needed {
        remove(&store, table).await;
    }
    let error = damaged.scan(KeyRange::all()).collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("\"p\""), "{error}");
    late.release_pin("p").await.unwrap();
    let error = damaged.scan(KeyRange::all()).collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SnapshotExpired, "{error}");
    for _ in 0..2 {
        collect(&writer).await;
    }
    assert_eq!(keys(&store).await.len(), named(&writer), "nothing else is left");
    for handle in [writer, reader, elsewhere, late] {
        handle.close().await;
    }
}
