//! A manifest with everything that there is, to be broken, and what must be told of it then.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use fusio_manifest::{
    Error, ErrorKind, Freshness, KeyRange, Manifest, MemoryStore, ObjectKind, Options, SharedSettings,
    Store as _, Verification, store::PutMode, verify,
};

use crate::{
    collect::{RETENTION, keys},
    fold::{Content, folded_soon, holds, step},
    support::{HEAD, PREFIX, founded_by, object, options, overwrite, pause, remove},
};

/// Checks what lies in this store.
pub(crate) async fn verified(store: &MemoryStore) -> Result<Verification, Error> {
    verify(Arc::new(store.clone()), PREFIX, &options(99), |_| {}).await
}

/// A manifest with everything that there is: commits in HEAD, log objects, runs of several tables of several blocks, pins
/// that need what HEAD does not, a collection under way.
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) content: Content,
    pub(crate) pinned: BTreeMap<String, Content>,
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        let shared = SharedSettings {
            spill_bytes: 2_000,
            spill_keep_bytes: 600,
            transaction_inline_bytes: 600,
            fold_objects: 4,
            table_bytes: 4_096,
            ..folded_soon()
        };
        let (store, manifest) = founded_by(Options {
            shared,
            ..options(seed)
        })
        .await;
        let (mut content, mut pinned) = (Content::new(), BTreeMap::new());
        let mut number = 0;
        for (name, steps) in [("first", 70), ("second", 23)] {
            for _ in 0..steps {
                step(&manifest, number, &mut content).await.unwrap();
                number += 1;
            }
            let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
            manifest.pin(name, &snapshot, None).await.unwrap();
            pinned.insert(name.to_owned(), content.clone());
        }
        pause(RETENTION).await;
        manifest.maintain().await.unwrap();
        for _ in 0..20 {
            step(&manifest, number, &mut content).await.unwrap();
            number += 1;
        }
        manifest.close().await;
        Self {
            store,
            content,
            pinned,
        }
    }

    /// The keys of the objects of a kind that HEAD or a pin needs: those that a check misses when they are gone.
    pub(crate) async fn needed(&self, kind: ObjectKind) -> Vec<String> {
        let mut needed = Vec::new();
        for key in keys(&self.store).await {
            let of_kind = match kind {
                ObjectKind::Head => key == HEAD,
                _ => key.contains(&format!("/{}/", kind.name())),
            };
            if !of_kind {
                continue;
            }
            let store = copied(&self.store).await;
            remove(&store, &key).await;
            if !verified(&store).await.unwrap().is_clean() {
                needed.push(key);
            }
        }
        needed
    }
}

/// A store of its own with the same objects.
pub(crate) async fn copied(store: &MemoryStore) -> MemoryStore {
    let copy = MemoryStore::new();
    for key in keys(store).await {
        copy.put(&key, object(store, &key).await, PutMode::Create)
            .await
            .unwrap();
    }
    copy
}

/// Reads everything in every way with a handle that has read nothing before. What is read must be right; returns the errors.
pub(crate) async fn errors_of_reads(store: &MemoryStore, world: &World) -> Vec<Error> {
    let reader = match Manifest::open(Arc::new(store.clone()), PREFIX, options(77)).await {
        Ok(reader) => reader,
        Err(error) => return vec![error],
    };
    let mut errors = Vec::new();
    let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
    for (key, value) in &world.content {
        match snapshot.get(key.clone()).await {
            Ok(read) => assert_eq!(read.as_deref(), value.as_deref().map(str::as_bytes), "{key}"),
            Err(error) => errors.push(error),
        }
    }
    let scanned = snapshot.scan(KeyRange::all()).collect().await;
    match scanned {
        Ok(_) => holds(&snapshot, &world.content, "newest").await.unwrap(),
        Err(error) => errors.push(error),
    }
    for (name, content) in &world.pinned {
        let pinned = match reader.open_pin(name).await {
            Ok(pinned) => pinned,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        match pinned.scan(KeyRange::all()).collect().await {
            Ok(_) => holds(&pinned, content, name).await.unwrap(),
            Err(error) => errors.push(error),
        }
    }
    reader.close().await;
    errors
}

/// Puts these bytes in the place of an object, or deletes it, and holds that the check names this object and no other,
/// and that reads are right or name it too.
pub(crate) async fn found_and_named(
    world: &World,
    key: &str,
    bytes: Option<Bytes>,
    what: &str,
) -> Verification {
    let store = copied(&world.store).await;
    match bytes {
        Some(bytes) => overwrite(&store, key, bytes).await,
        None => remove(&store, key).await,
    }
    let report = verified(&store).await.unwrap();
    assert!(!report.is_clean(), "{what} of {key} was not found");
    for finding in &report.findings {
        assert_eq!(finding.object, key, "{what}: {finding}");
        assert!(!finding.meaning().is_empty() && !finding.remedy().is_empty());
    }
    let name = key.rsplit('/').next().unwrap();
    for error in errors_of_reads(&store, world).await {
        let kinds = [ErrorKind::Corrupt, ErrorKind::NotFound, ErrorKind::Unsupported];
        assert!(kinds.contains(&error.kind()), "{what} of {key}: {error}");
        assert!(error.to_string().contains(name), "{what} of {key}: {error}");
    }
    report
}

pub(crate) fn flipped(bytes: &Bytes, bit: usize) -> Bytes {
    let mut copy = bytes.to_vec();
    copy[bit / 8] ^= 1 << (bit % 8);
    copy.into()
}
