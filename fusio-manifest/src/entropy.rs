//! Randomness as a handle: the operating system's for production, a seed's for repeatable runs.

use std::fmt;

use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// The operating system gave no random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bits")]
pub struct EntropyFailed;

/// A source of random bits.
///
/// Object names and transaction ids rely on 128 bits of it being unique across every process that ever
/// shares a manifest, so production uses [`OsEntropy`]: generators in user space repeat themselves in
/// forked processes and in restored snapshots of virtual machines.
pub trait Entropy: Send + Sync + fmt::Debug + 'static {
    /// 64 random bits.
    fn bits(&self) -> Result<u64, EntropyFailed>;

    /// 128 random bits.
    fn wide(&self) -> Result<u128, EntropyFailed> {
        Ok((u128::from(self.bits()?) << 64) | u128::from(self.bits()?))
    }

    /// A draw from `[0, 1)`.
    fn unit(&self) -> Result<f64, EntropyFailed> {
        // 53 bits: every value is exact in an f64.
        Ok((self.bits()? >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn bits(&self) -> Result<u64, EntropyFailed> {
        getrandom::u64().map_err(|_| EntropyFailed)
    }
}

/// A generator whose every draw follows from a seed. For tests and simulations only: two handles with one
/// seed draw the same names.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// A generator for this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn bits(&self) -> Result<u64, EntropyFailed> {
        Ok(self.0.lock().next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_every_draw() {
        let (a, b) = (SeededEntropy::new(7), SeededEntropy::new(7));
        for _ in 0..100 {
            assert_eq!(a.wide(), b.wide());
        }
        assert_ne!(SeededEntropy::new(8).wide(), SeededEntropy::new(7).wide());
    }

    #[test]
    fn unit_draws_stay_below_one() {
        let entropy = SeededEntropy::new(1);
        assert!(
            (0..10_000)
                .map(|_| entropy.unit().unwrap())
                .all(|draw| (0.0..1.0).contains(&draw))
        );
    }
}
