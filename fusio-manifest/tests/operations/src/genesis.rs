//! The manifest that a sequence begins with.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Manifest, MemoryStore, Options, SeededEntropy, SharedSettings, Store as _, TokioClock,
    store::{GetAnswer, GetOptions},
};
use parking_lot::Mutex;

use crate::succeeds;

pub(crate) const PREFIX: &str = "m";
pub(crate) const HEAD: &str = "m/HEAD";
/// How many settings there are.
pub(crate) const PROFILES: u8 = 5;

/// Settings with which things happen soon, each in its way.
pub(crate) fn settings(profile: u8) -> SharedSettings {
    let soon = SharedSettings {
        retention: Duration::from_secs(2),
        spill_bytes: 400,
        spill_keep_bytes: 120,
        transaction_inline_bytes: 250,
        fold_objects: 3,
        fold_bytes: 4_000,
        log_objects_max: 8,
        runs_max: 4,
        tier_ratio: 2,
        table_bytes: 1_024,
        block_bytes: 1_024,
    };
    match profile {
        0 => SharedSettings::default(),
        // Nothing stays in HEAD.
        1 => SharedSettings {
            spill_bytes: 1,
            spill_keep_bytes: 0,
            transaction_inline_bytes: 0,
            fold_objects: 2,
            ..soon
        },
        // Everything is folded at once, and seldom merged.
        2 => SharedSettings {
            fold_objects: 1,
            runs_max: 12,
            tier_ratio: 4,
            ..soon
        },
        // The hard limits are near.
        3 => SharedSettings {
            log_objects_max: 2,
            fold_objects: 2,
            runs_max: 2,
            ..soon
        },
        _ => soon,
    }
}

/// The bytes of the first HEAD with these settings: a creation asks the store much, so it is done once.
pub(crate) async fn first_head(profile: u8) -> Result<Bytes, String> {
    static FIRST: OnceLock<Mutex<BTreeMap<u8, Bytes>>> = OnceLock::new();
    let first = FIRST.get_or_init(Mutex::default);
    if let Some(bytes) = first.lock().get(&profile) {
        return Ok(bytes.clone());
    }
    let store = MemoryStore::new();
    let options = Options {
        shared: settings(profile),
        clock: Arc::new(TokioClock::new()),
        entropy: Arc::new(SeededEntropy::new(0)),
        ..Options::default()
    };
    let created = Manifest::create(Arc::new(store.clone()), PREFIX, options).await;
    succeeds("creating it", created)?.0.close().await;
    match store.get(HEAD, GetOptions::default()).await {
        Ok(GetAnswer::Found { bytes, .. }) => {
            first.lock().insert(profile, bytes.clone());
            Ok(bytes)
        }
        other => Err(format!("the first HEAD is {other:?}")),
    }
}
