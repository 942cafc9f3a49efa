//! What clients with keys in common draw.

use bytes::Bytes;
use rand::{Rng, RngExt as _};

use crate::{oracle::LISTS, target::Ask};

/// What keys of the pool begin with that all writers share.
pub(super) const SHARED: &str = "pool_shared_";

/// How often a range is read instead of a key.
const RANGES: f64 = 0.35;

/// One of the shared keys.
pub(super) fn pool_key(rng: &mut impl Rng, pool: u32) -> Bytes {
    Bytes::from(format!("{SHARED}{:06}", rng.random_range(0..pool)))
}

/// One of the lists.
pub(super) fn list_key(rng: &mut impl Rng, lists: u32) -> Bytes {
    Bytes::from(format!("{LISTS}{:03}", rng.random_range(0..lists)))
}

/// A key of the pool, or a range of it.
pub(super) fn ask(rng: &mut impl Rng, pool: u32) -> Ask {
    let first = pool_key(rng, pool);
    if !rng.random_bool(RANGES) {
        return Ask::Key(first);
    }
    let second = pool_key(rng, pool);
    Ask::Range(first.clone().min(second.clone()), first.max(second))
}
