//! What clients with keys in common draw.

use std::time::Duration;

use bytes::Bytes;
use rand::{Rng, RngExt as _};

use crate::{
    oracle::{LISTS, all_lists},
    target::Ask,
};

/// What keys of the pool begin with that all writers share.
pub(super) const SHARED: &str = "pool_shared_";

/// How often a range is read instead of a key.
const RANGES: f64 = 0.35;
/// How often a thing that is asked for is the range of all lists.
const ALL_LISTS: f64 = 0.4;
/// How many things one read asks for at most.
const ASKS_MAX: usize = 3;
/// How long a state is held at most between two looks at it: several times the shortest retention.
const HELD_MAX: Duration = Duration::from_secs(6);

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

/// Keys and ranges of the pool, and all lists.
pub(super) fn asks(rng: &mut impl Rng, pool: u32) -> Vec<Ask> {
    let count = rng.random_range(1..=ASKS_MAX);
    let one = |_| {
        if rng.random_bool(ALL_LISTS) {
            let (from, to) = all_lists();
            Ask::Range(from, to)
        } else {
            ask(rng, pool)
        }
    };
    (0..count).map(one).collect()
}

/// How long a state is held before the next look at it.
pub(super) fn holding(rng: &mut impl Rng) -> Duration {
    HELD_MAX.mul_f64(rng.random_range(0.0..1.0))
}
