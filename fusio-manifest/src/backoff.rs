//! How long to wait before asking an overloaded store again.

use std::time::Duration;

/// Exponential backoff with full jitter, bounded in length and in number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
    left: u32,
}

impl Backoff {
    /// `retries` waits, the first up to `first`, each up to twice the one before, none over `longest`.
    pub(crate) fn new(first: Duration, longest: Duration, retries: u32) -> Self {
        Self {
            next: first,
            longest,
            left: retries,
        }
    }

    /// The next wait for a draw from `[0, 1)`; `None` when all retries are spent.
    pub(crate) fn next(&mut self, draw: f64) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let wait = self.next.mul_f64(draw);
        self.next = (self.next * 2).min(self.longest);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_their_bound_and_end() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, second * 3, 4);
        let waits: Vec<_> = std::iter::from_fn(|| backoff.next(0.5)).collect();
        assert_eq!(waits, [second / 2, second, second * 3 / 2, second * 3 / 2]);
    }
}
