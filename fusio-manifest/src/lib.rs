//! A serializable key-value manifest over S3 conditional writes.
//!
//! One ordered map from byte keys to byte values under one prefix of one bucket, changed by strictly
//! serializable transactions, shared by any number of processes with nothing between them but the bucket: no
//! server, no lock, no lease. A commit is one PUT, a fresh read one GET.
//!
//! ```
//! use std::sync::Arc;
//! use fusio_manifest::{Error, Manifest, MemoryStore, Options};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let store = Arc::new(MemoryStore::new());
//! let (manifest, _) = Manifest::create(store.clone(), "tables/orders", Options::default()).await?;
//!
//! // A transaction reads one state and commits only if what it read still holds.
//! let done = manifest
//!     .transact(async |txn| {
//!         let count = txn.get("count").await?.map_or(0, |value| value.len());
//!         txn.put("count", vec![b'x'; count + 1])?;
//!         Ok::<_, Error>(count)
//!     })
//!     .await?;
//! assert_eq!((done.value, done.receipt.txn), (0, Some(1)));
//!
//! // Another handle, here or in another process, sees every commit that was acknowledged before it reads.
//! let elsewhere = Manifest::open(store, "tables/orders", Options::default()).await?;
//! assert_eq!(elsewhere.get("count").await?.as_deref(), Some(b"x".as_slice()));
//!
//! manifest.close().await;
//! elsewhere.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not
//!
//! - Not a database: it is meant for a small map (a catalogue, a list of files, a cursor) that is changed a few
//!   times a second, not for data.
//! - Not fast for one key under many writers: S3 replaces one object about 15 times a second. Handles that
//!   commit from many tasks at once share PUTs.
//! - Not for stores whose conditional writes are not atomic: `create` probes and refuses them.
//!
//! # Limits
//!
//! See [`limits`]. Commits are folded into sorted runs, read by blocks, so a manifest may be far larger than
//! memory. What nothing references any more is deleted after the retention.

pub use clock::{Clock, Moment, SystemClock, TokioClock};
pub use copy::{Copied, CopyOptions, CopyProgress, copy};
pub use destroy::Destroyed;
pub use entropy::{Entropy, EntropyFailed, OsEntropy, SeededEntropy};
pub use error::{Error, ErrorKind, Result};
pub use genesis::Creation;
pub use id::{ManifestId, Nonce, ObjectName, TransactionId};
pub use inspect::{
    CollectionInfo, Inspect, Inspection, LogObjectInfo, PinnedInfo, RunInfo, SectionInfo, inspect,
};
pub use key_range::KeyRange;
pub use listing::{Amount, Garbage};
pub use manifest::{Freshness, Info, Manifest, PinInfo};
#[cfg(feature = "mutants")]
#[doc(hidden)]
pub use mutant::Mutant;
pub use options::{Maintenance, Options, SharedSettings, WatchOptions};
pub use receipt::{Attempt, AttemptOutcome, CommitOutcome, CommitToken, Receipt};
pub use restore::{RestoreFrom, Restored, restore_head};
pub use snapshot::{Scan, Snapshot};
pub use store::memory::MemoryStore;
pub use store::meter::{RequestClass, RequestCounts, RequestMeter};
pub use store::probe::{ProbeError, ProbeReport, probe};
#[cfg(feature = "s3")]
pub use store::s3::{S3Config, S3Store};
pub use store::{Store, StoreError, StoreErrorKind};
pub use transact::{Committed, CompareAndSet, PutIfAbsent};
pub use transaction::{CommitOptions, Transaction, TransactionScan};
pub use verify::{
    Damage, Finding, HeadCopy, KeySpan, Need, ObjectKind, Place, Progress, Verification, verify,
};
pub use watch::{Watch, WatchEvent, WatchFrom, WatchedCommit};

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
pub mod store;

mod access;
mod backoff;
mod change_rate;
mod clock;
mod commit;
mod conflict;
mod copy;
mod dates;
mod destroy;
mod entropy;
mod error;
mod frame;
mod genesis;
mod head;
mod head_cache;
mod head_io;
mod id;
mod immutable;
mod impatient;
mod inspect;
mod key_range;
mod listing;
mod log;
mod log_store;
mod maintenance;
mod manifest;
mod mutant;
mod new_head;
mod options;
mod pages;
mod receipt;
mod recheck;
mod refresh;
mod restore;
mod run;
mod run_writer;
mod snapshot;
mod spawned;
mod state;
mod table;
mod table_store;
mod transact;
mod transaction;
mod verify;
mod version;
mod versions;
mod watch;
