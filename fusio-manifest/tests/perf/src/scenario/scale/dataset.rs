//! The keys and values of the large manifest: each follows from its number, so that any process can tell whether what
//! it reads is right, and the whole of them from a sum.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Length of a value.
pub(super) const VALUE_BYTES: usize = 100;

/// So many keys, with values that a seed decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dataset {
    pub(super) keys: u64,
    pub(super) seed: u64,
}

/// What a set of entries adds up to, in whatever order they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest {
    pub(super) entries: u64,
    sum: u64,
}

impl Digest {
    pub(super) fn add(&mut self, number: u64, version: u64) {
        self.entries += 1;
        self.sum = self.sum.wrapping_add(mixed(mixed(number).wrapping_add(version)));
    }
}

impl Dataset {
    pub(super) fn key(number: u64) -> Bytes {
        format!("key_{number:010}").into()
    }

    /// The value of a key after so many updates of the run: its version, then bytes that do not compress.
    pub(super) fn value(self, number: u64, version: u64) -> Bytes {
        let mut value = Vec::with_capacity(VALUE_BYTES + 8);
        value.extend(version.to_le_bytes());
        let mut word = self.seed ^ mixed(number ^ version.rotate_left(32));
        while value.len() < VALUE_BYTES {
            word = mixed(word);
            value.extend(word.to_le_bytes());
        }
        value.truncate(VALUE_BYTES);
        value.into()
    }

    /// The number of the key and the version of its value; none if they are not of this set.
    pub(super) fn recognize(self, key: &[u8], value: &[u8]) -> Option<(u64, u64)> {
        let number = str::from_utf8(key.strip_prefix(b"key_")?).ok()?.parse().ok()?;
        let version = u64::from_le_bytes(*value.first_chunk()?);
        let known = number < self.keys && key == Self::key(number) && value == self.value(number, version);
        known.then_some((number, version))
    }

    /// A key that draw `index` picks at random.
    pub(super) fn draw(self, purpose: u64, index: u64) -> u64 {
        mixed(mixed(self.seed ^ purpose).wrapping_add(index)) % self.keys.max(1)
    }
}

/// A bijection of 64 bits that leaves no pattern (the finalizer of MurmurHash3, over a Weyl sequence).
fn mixed(word: u64) -> u64 {
    let mut word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ (word >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ (word >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: Dataset = Dataset { keys: 1_000, seed: 7 };

    #[test]
    fn an_entry_is_recognized_and_a_wrong_one_is_not() {
        let (key, value) = (Dataset::key(12), SET.value(12, 3));
        assert_eq!(value.len(), VALUE_BYTES);
        assert_eq!(SET.recognize(&key, &value), Some((12, 3)));
        let mut torn = value.to_vec();
        torn[VALUE_BYTES - 1] ^= 1;
        for (key, value) in [
            (Dataset::key(12), torn.into()),
            (Dataset::key(13), value.clone()),
            (Bytes::from_static(b"key_12"), value.clone()),
            (Dataset::key(1_000), SET.value(1_000, 0)),
            (key, Bytes::new()),
        ] {
            assert_eq!(SET.recognize(&key, &value), None, "{key:?}");
        }
        let other = Dataset { seed: 8, ..SET };
        assert_eq!(other.recognize(&Dataset::key(12), &SET.value(12, 3)), None);
    }

    #[test]
    fn keys_sort_as_their_numbers_and_a_digest_has_no_order() {
        assert!(Dataset::key(9) < Dataset::key(10) && Dataset::key(999_999) < Dataset::key(1_000_000));
        let of = |entries: &[(u64, u64)]| {
            let mut digest = Digest::default();
            entries
                .iter()
                .for_each(|(number, version)| digest.add(*number, *version));
            digest
        };
        assert_eq!(of(&[(1, 0), (2, 5)]), of(&[(2, 5), (1, 0)]));
        for other in [&[(1, 0)][..], &[(1, 5), (2, 0)], &[(1, 0), (2, 6)]] {
            assert_ne!(of(&[(1, 0), (2, 5)]), of(other));
        }
    }

    #[test]
    fn draws_reach_all_of_the_set() {
        let mut drawn: Vec<u64> = (0..10_000).map(|index| SET.draw(1, index)).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!((drawn.len(), drawn[999]), (1_000, 999));
    }
}
