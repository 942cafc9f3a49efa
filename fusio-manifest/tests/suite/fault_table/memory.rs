//! The cases in memory, in virtual time.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{Error, Manifest, MemoryStore, Options, SharedSettings};
use parking_lot::Mutex;

use super::{Case, Part, bench::Bench};
use crate::{
    faulty::{FaultyStore, Hook},
    support::{PREFIX, Tune, founded_with, log_objects, options},
};

pub(super) struct Memory {
    tune: Tune,
    store: Mutex<MemoryStore>,
    faulty: Mutex<Option<FaultyStore>>,
}

impl Memory {
    /// The handle that meets the faults gets these options.
    pub(super) fn tuned(tune: Tune) -> Self {
        Self {
            tune,
            store: Mutex::default(),
            faulty: Mutex::default(),
        }
    }

    fn store(&self) -> MemoryStore {
        self.store.lock().clone()
    }

    fn faulty(&self) -> FaultyStore {
        self.faulty.lock().clone().unwrap()
    }
}

fn quick(seed: u64) -> Options {
    Options {
        commit_timeout: Duration::from_secs(20),
        ..options(seed + 40)
    }
}

impl Bench for Memory {
    fn store(&self) -> &'static str {
        "memory"
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn found(&self, shared: SharedSettings) -> Result<(), Error> {
        let (store, founder) = founded_with(shared).await;
        founder.close().await;
        *self.faulty.lock() = Some(FaultyStore::over(store.clone()));
        *self.store.lock() = store;
        Ok(())
    }

    async fn open(&self, seed: u64) -> Result<Manifest, Error> {
        Manifest::open(Arc::new(self.store()), PREFIX, quick(seed)).await
    }

    async fn open_exposed(&self, seed: u64) -> Result<Manifest, Error> {
        Manifest::open(Arc::new(self.faulty()), PREFIX, (self.tune)(quick(seed))).await
    }

    fn arm(&self, case: &Case, between: Hook) {
        let faulty = self.faulty();
        for look in &case.looks {
            faulty.on_get(look.clone());
        }
        let mut between = Some(between);
        for put in &case.puts {
            match (case.part, between.take()) {
                (Part::Commit, Some(between)) => faulty.on_put_then(put.clone(), between),
                (Part::Commit, None) => faulty.on_put(put.clone()),
                (_, Some(between)) => faulty.on_log_put_then(put.clone(), between),
                (_, None) => faulty.on_log_put(put.clone()),
            }
        }
    }

    fn heal(&self) {
        self.faulty().heal();
    }

    async fn late_arrives(&self) {
        self.faulty().deliver_late().await;
    }

    async fn log_objects(&self) -> usize {
        log_objects(&self.store()).await.len()
    }
}
