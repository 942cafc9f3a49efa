//! A Bloom filter over the keys of a table. Its bits are part of the format, so how they are found is written here
//! and not taken from a library, whose next version may find others.

use bytes::Bytes;

use crate::{frame::FormatError, head::wire};

/// With 10 bits a key and 7 probes about 0.8 % of the keys that are not there pass.
const BITS_PER_KEY: u64 = 10;
const PROBES: u32 = 7;
/// More make a filter slower, not better.
const PROBES_MAX: u32 = 32;

/// Which keys are certainly not in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    probes: u32,
    bits: Bytes,
}

impl Filter {
    /// Of keys with these hashes.
    pub(super) fn of(hashes: &[u64]) -> Self {
        let bytes = (hashes.len() as u64 * BITS_PER_KEY).div_ceil(8).max(1);
        let mut bits = vec![0_u8; usize::try_from(bytes).unwrap_or(usize::MAX)];
        for hash in hashes {
            for (byte, mask) in places(*hash, PROBES, bits.len()) {
                if let Some(byte) = bits.get_mut(byte) {
                    *byte |= mask;
                }
            }
        }
        Self {
            probes: PROBES,
            bits: bits.into(),
        }
    }

    /// False only if no key with this hash is in the table.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        // Without bits it knows nothing.
        self.bits.is_empty()
            || places(hash, self.probes, self.bits.len())
                .all(|(byte, mask)| self.bits.get(byte).is_some_and(|byte| byte & mask != 0))
    }

    pub(super) fn bytes(&self) -> usize {
        self.bits.len()
    }

    pub(super) fn to_wire(&self) -> wire::Filter {
        wire::Filter {
            probes: self.probes,
            bits: self.bits.clone(),
        }
    }

    pub(super) fn from_wire(filter: wire::Filter) -> Result<Self, FormatError> {
        if filter.probes > PROBES_MAX {
            return Err(FormatError::damaged(format!(
                "a filter of {} probes, {PROBES_MAX} at most",
                filter.probes
            )));
        }
        Ok(Self {
            probes: filter.probes,
            bits: filter.bits,
        })
    }
}

/// FNV-1a over the key, then the finalizer of SplitMix64: both a few lines in any language.
pub(super) fn hash(key: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Where the bits of a hash are, as byte and mask: the lower half, raised by the upper half (made odd) for each probe.
fn places(hash: u64, probes: u32, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    let bits = (bytes as u64).saturating_mul(8).max(1);
    let (start, step) = (hash & u64::from(u32::MAX), (hash >> 32) | 1);
    (0..u64::from(probes)).map(move |probe| {
        let bit = start.wrapping_add(step.wrapping_mul(probe)) % bits;
        (usize::try_from(bit / 8).unwrap_or(usize::MAX), 1 << (bit % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> [u8; 12] {
        let mut key = *b"key 00000000";
        key[8..].copy_from_slice(&number.to_be_bytes());
        key
    }

    #[test]
    fn no_key_is_missed_and_few_others_pass() {
        let hashes: Vec<u64> = (0..10_000).map(|number| hash(&key(number))).collect();
        let filter = Filter::from_wire(Filter::of(&hashes).to_wire()).unwrap();
        assert!(hashes.iter().all(|hash| filter.may_hold(*hash)));
        let passed = (10_000..110_000).filter(|number| filter.may_hold(hash(&key(*number))));
        let passed = passed.count();
        assert!((100..1_500).contains(&passed), "{passed} of 100,000");
    }

    /// Part of the format: a program in another language has to find the same bits.
    #[test]
    fn the_hash_is_what_it_was() {
        assert_eq!(hash(b""), 0xf52a_15e9_a9b5_e89b);
        assert_eq!(hash(b"key"), 0x487e_b6f7_e0ea_7e7c);
    }
}
