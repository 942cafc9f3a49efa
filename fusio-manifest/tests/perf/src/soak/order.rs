//! What the process is told when it is started.

use std::{path::PathBuf, time::Duration};

use fusio_manifest::{Mutant, SharedSettings};
use serde::{Deserialize, Serialize};

use crate::store_under_test::Address;

/// The variable that holds the order. Its name does not begin like those of settings, which are refused if unknown.
pub(crate) const VARIABLE: &str = "MANIFEST_PERF_SOAK";

/// A transaction of more bytes than this is a log object of its own.
const INLINE_BYTES: u64 = 4 * 1024;

/// Sizes with which a few commits a second make spills, folds and merges due all the time, and a collection every few
/// seconds: what takes months otherwise.
pub(crate) fn shared_settings() -> SharedSettings {
    SharedSettings {
        retention: Duration::from_secs(2),
        spill_bytes: 4 * 1024,
        spill_keep_bytes: 1024,
        transaction_inline_bytes: INLINE_BYTES,
        fold_objects: 4,
        tier_ratio: 3,
        table_bytes: 128 * 1024,
        block_bytes: 8 * 1024,
        ..SharedSettings::default()
    }
}

/// What the process is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) address: Address,
    pub(crate) prefix: String,
    /// Where its journal and its rows go.
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    /// Keys that transactions share.
    pub(crate) pool: u32,
    pub(crate) writers: u32,
    pub(crate) readers: u32,
    /// Transactions a second of each writer.
    pub(crate) writer_rate: f64,
    /// Reads a second of each reader.
    pub(crate) reader_rate: f64,
    /// Operations of a client that may be open; what is due beyond them is dropped.
    pub(crate) in_flight: usize,
    pub(crate) duration: Duration,
    /// How often it tells what it takes.
    pub(crate) interval: Duration,
    /// How its engine is broken, by name, if it is.
    pub(crate) mutant: Option<String>,
}

impl Order {
    pub(super) fn mutant(&self) -> Option<Mutant> {
        let named = self.mutant.as_deref()?;
        Mutant::ALL
            .into_iter()
            .find(|mutant| format!("{mutant:?}") == named)
    }
}

/// The order in the environment, if this process was started by one. An error is one line.
pub(crate) fn ordered() -> Option<Result<Order, String>> {
    let text = std::env::var(VARIABLE).ok()?;
    Some(serde_json::from_str(&text).map_err(|error| format!("{VARIABLE}: {error}")))
}
