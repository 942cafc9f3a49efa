//! States that are held for a while: by a reader, or under a name.

use std::{collections::BTreeSet, fmt, time::Duration};

use fusio_manifest::{Error, ErrorKind, KeyRange, Manifest, Snapshot, store::BoxFuture};

use super::{Ask, engine};
use crate::history::Read;

/// One state of a manifest, to be read now and later.
pub trait TargetSnapshot: Send + Sync {
    /// The number of its last commit.
    fn txn(&self) -> u64;

    /// Reads what is asked for of this state; with an error what was read before it.
    fn read(&self, asks: Vec<Ask>) -> BoxFuture<'_, (Vec<Read>, Option<Refusal>)>;

    /// Keeps this state under a name, for so long or until it is released.
    ///
    /// # Errors
    ///
    /// Why it is not kept, or perhaps not.
    fn pin(&self, name: String, keep: Option<Duration>) -> BoxFuture<'_, Result<(), Refusal>>;
}

/// Why a state that was held cannot be read, pinned or opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is older than the retention, or what kept it is over.
    Expired(String),
    /// The same is said of a state that is not so old.
    ExpiredEarly(String),
    /// There is no pin of this name.
    NoPin(String),
    /// Anything else.
    Failed(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(why) | Self::ExpiredEarly(why) | Self::NoPin(why) | Self::Failed(why) => {
                f.write_str(why)
            }
        }
    }
}

impl Refusal {
    pub(super) fn of(error: &Error) -> Self {
        let why = error.to_string();
        match error.kind() {
            ErrorKind::SnapshotExpired => Self::Expired(why),
            ErrorKind::NotFound => Self::NoPin(why),
            _ => Self::Failed(why),
        }
    }
}

/// A state of the engine.
#[derive(Debug)]
pub(super) struct EngineSnapshot {
    pub(super) manifest: Manifest,
    pub(super) snapshot: Snapshot,
}

impl EngineSnapshot {
    async fn ask(&self, ask: Ask) -> Result<Read, Error> {
        match ask {
            Ask::Key(key) => {
                let value = self.snapshot.get(&key).await?;
                Ok(engine::point(key, value.as_ref()))
            }
            Ask::Range(from, to) => {
                let scan = self.snapshot.scan(KeyRange::between(&from, &to));
                let rows = scan.collect().await?;
                Ok(engine::range(from, to, &rows))
            }
        }
    }

    /// Nothing that a state needs is deleted before the retention has passed since it was the newest.
    fn refusal(&self, error: &Error) -> Refusal {
        let age = self.snapshot.age();
        let retention = self.manifest.info().map(|info| info.settings.retention);
        match (Refusal::of(error), retention) {
            (Refusal::Expired(why), Ok(retention)) if age < retention => Refusal::ExpiredEarly(format!(
                "{why}; it is {age:?} old, the retention is {retention:?}"
            )),
            (refusal, _) => refusal,
        }
    }
}

impl TargetSnapshot for EngineSnapshot {
    fn txn(&self) -> u64 {
        self.snapshot.txn()
    }

    fn read(&self, asks: Vec<Ask>) -> BoxFuture<'_, (Vec<Read>, Option<Refusal>)> {
        Box::pin(async move {
            let mut reads = Vec::with_capacity(asks.len());
            for ask in asks {
                match self.ask(ask).await {
                    Ok(read) => reads.push(read),
                    Err(error) => return (reads, Some(self.refusal(&error))),
                }
            }
            (reads, None)
        })
    }

    fn pin(&self, name: String, keep: Option<Duration>) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let pinned = self.manifest.pin(&name, &self.snapshot, keep).await;
            pinned.map(|_| ()).map_err(|error| self.refusal(&error))
        })
    }
}

/// What a manifest consists of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// How often what nothing references was looked for, counted from 1.
    pub epoch: u64,
    /// The names of the pins.
    pub pins: Vec<String>,
    /// The keys of all objects that the newest state and the pins need, HEAD among them.
    pub references: BTreeSet<String>,
}
