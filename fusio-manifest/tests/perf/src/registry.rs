//! The keys of a run: which are handed out, and which are acknowledged and so must be seen by every reader.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::RwLock;
use rand::{Rng, RngExt};

/// Shared by all clients of a run. Hands out keys in order, and remembers the version that each key was
/// acknowledged at last.
#[derive(Debug, Default)]
pub struct KeyRegistry {
    next: AtomicU64,
    acknowledged: RwLock<Acknowledged>,
}

/// A vector to draw from in constant time, and where in it each key stands. The map is never iterated: the
/// order of a draw depends on the order of acknowledgement alone, so a seed decides it.
#[derive(Debug, Default)]
struct Acknowledged {
    keys: Vec<AcknowledgedKey>,
    places: HashMap<Arc<str>, usize>,
}

/// A key that a reader must find, at this version or a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcknowledgedKey {
    /// The key.
    pub key: Arc<str>,
    /// The txn of the latest commit of it that was acknowledged.
    pub txn: u64,
}

impl KeyRegistry {
    /// A registry that has handed out nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next key, `key_000000` first. No two calls return the same one.
    pub fn next_key(&self) -> String {
        format!("key_{:06}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// How many keys were handed out.
    pub fn handed_out(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Notes that `key` is committed at `txn`. From when this returns, every draw of it carries at least this
    /// txn; an older txn changes nothing.
    pub fn acknowledge(&self, key: &str, txn: u64) {
        let mut guard = self.acknowledged.write();
        let Acknowledged { keys, places } = &mut *guard;
        if let Some(known) = places.get(key).and_then(|&place| keys.get_mut(place)) {
            known.txn = known.txn.max(txn);
            return;
        }
        let key: Arc<str> = key.into();
        places.insert(Arc::clone(&key), keys.len());
        keys.push(AcknowledgedKey { key, txn });
    }

    /// One of the acknowledged keys, each as likely as any other; `None` as long as there is none.
    pub fn draw(&self, rng: &mut impl Rng) -> Option<AcknowledgedKey> {
        let guard = self.acknowledged.read();
        if guard.keys.is_empty() {
            return None;
        }
        guard.keys.get(rng.random_range(0..guard.keys.len())).cloned()
    }

    /// How many keys are acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.read().keys.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn keys_are_handed_out_in_order_and_once() {
        let registry = KeyRegistry::new();
        assert_eq!(registry.next_key(), "key_000000");
        let rest: BTreeSet<String> = std::thread::scope(|scope| {
            let hands: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..250).map(|_| registry.next_key()).collect::<Vec<_>>()))
                .collect();
            hands.into_iter().flat_map(|hand| hand.join().unwrap()).collect()
        });
        assert_eq!((rest.len(), registry.handed_out()), (1_000, 1_001));
        assert_eq!(rest.last().unwrap(), "key_001000");
    }

    #[test]
    fn an_empty_registry_draws_nothing() {
        let registry = KeyRegistry::new();
        registry.next_key();
        assert_eq!(registry.draw(&mut StdRng::seed_from_u64(1)), None);
    }

    #[test]
    fn acknowledging_twice_keeps_one_entry_and_the_latest_txn() {
        let registry = KeyRegistry::new();
        for txn in [7, 9, 8] {
            registry.acknowledge("pool_1", txn);
        }
        let drawn = registry.draw(&mut StdRng::seed_from_u64(1)).unwrap();
        assert_eq!(
            (drawn.key.as_ref(), drawn.txn, registry.acknowledged()),
            ("pool_1", 9, 1)
        );
    }

    #[test]
    fn draws_cover_every_key_evenly_and_follow_the_seed() {
        let registry = KeyRegistry::new();
        for txn in 0..10 {
            registry.acknowledge(&registry.next_key(), txn);
        }
        let draws = |seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            (0..10_000)
                .map(|_| registry.draw(&mut rng).unwrap().txn)
                .collect::<Vec<_>>()
        };
        let mut counts = BTreeMap::new();
        for txn in draws(42) {
            *counts.entry(txn).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 10);
        // Five standard deviations of a binomial with n = 10,000 and p = 0.1.
        assert!(
            counts.values().all(|count| count.abs_diff(1_000) < 150),
            "{counts:?}"
        );
        assert_eq!(draws(42), draws(42));
    }
}
