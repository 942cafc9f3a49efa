//! What became of states that clients held or kept under names.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts as it goes.
#[derive(Debug, Default)]
pub struct Kept {
    held: AtomicU64,
    expired: AtomicU64,
    pinned: AtomicU64,
    opened: AtomicU64,
    released: AtomicU64,
    refused: AtomicU64,
}

/// How often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeptCounts {
    /// States that were read again after they had been held for a while.
    pub held: u64,
    /// States that were told to have expired.
    pub expired: u64,
    /// States that were pinned.
    pub pinned: u64,
    /// Pins that were opened and read.
    pub opened: u64,
    /// Pins that were let go.
    pub released: u64,
    /// States that were too old to be pinned.
    pub refused: u64,
}

impl KeptCounts {
    /// Both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            held: self.held + other.held,
            expired: self.expired + other.expired,
            pinned: self.pinned + other.pinned,
            opened: self.opened + other.opened,
            released: self.released + other.released,
            refused: self.refused + other.refused,
        }
    }
}

impl Kept {
    /// So far.
    pub fn counts(&self) -> KeptCounts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        KeptCounts {
            held: of(&self.held),
            expired: of(&self.expired),
            pinned: of(&self.pinned),
            opened: of(&self.opened),
            released: of(&self.released),
            refused: of(&self.refused),
        }
    }

    pub(super) fn held(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn pinned(&self) {
        self.pinned.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn released(&self) {
        self.released.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}
