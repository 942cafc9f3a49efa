//! What one exploration consists of: who commits what, and how much of everything may happen.

use crate::{broken::Broken, reached::Reached};

/// The place of a transaction in [`Configuration::transactions`]. The engine draws 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TransactionId(pub(crate) u8);

impl TransactionId {
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

pub(crate) type Key = u8;

/// What one transaction does. A range that it scans is all keys in it, absent ones too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) handle: usize,
    pub(crate) reads: Vec<Key>,
    pub(crate) writes: Vec<Key>,
    /// It deletes what it writes.
    pub(crate) deletes: bool,
    /// It lies in a log object before HEAD names it.
    pub(crate) large: bool,
    /// It is what its caller tries again once this one was told "not committed": if both are applied, the caller's
    /// intention is applied twice.
    pub(crate) again: Option<TransactionId>,
}

impl Transaction {
    pub(crate) fn of(handle: usize) -> Self {
        Self {
            handle,
            ..Self::default()
        }
    }

    pub(crate) fn reading(mut self, key: Key) -> Self {
        self.reads.push(key);
        self
    }

    pub(crate) fn writing(mut self, key: Key) -> Self {
        self.writes.push(key);
        self
    }

    pub(crate) fn deleting(mut self, key: Key) -> Self {
        self.deletes = true;
        self.writes.push(key);
        self
    }

    pub(crate) fn large(mut self) -> Self {
        self.large = true;
        self
    }

    pub(crate) fn again(mut self, first: u8) -> Self {
        self.again = Some(TransactionId(first));
        self
    }
}

/// How often each thing may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    pub(crate) request_lost: u8,
    pub(crate) reply_lost: u8,
    /// A request that is applied after its sender gave up waiting, or never.
    pub(crate) late: u8,
    /// A proxy repeats a PUT that was applied and answers for the repetition.
    pub(crate) replayed: u8,
    /// A proxy repeats a PUT and answers for the repetition, while the first copy is still under way.
    pub(crate) answered_early: u8,
    pub(crate) refused: u8,
    pub(crate) crash: u8,
    /// Callers that give up.
    pub(crate) leave: u8,
    /// Log objects that are written ahead of HEAD.
    pub(crate) upload: u8,
    pub(crate) spill: u8,
    pub(crate) fold: u8,
    pub(crate) merge: u8,
    pub(crate) collect: u8,
    pub(crate) pin: u8,
    pub(crate) unpin: u8,
    /// Readers that hold a snapshot.
    pub(crate) hold: u8,
    /// Fresh reads.
    pub(crate) read: u8,
}

impl Budget {
    /// One fault of each kind that concerns commits.
    pub(crate) fn faults() -> Self {
        Self {
            request_lost: 1,
            reply_lost: 1,
            late: 1,
            replayed: 1,
            answered_early: 1,
            refused: 1,
            crash: 1,
            leave: 1,
            ..Self::default()
        }
    }

    /// Maintenance that a handle may still begin.
    pub(crate) fn maintenance(&self) -> u8 {
        self.spill + self.fold + self.merge + self.collect + self.pin + self.unpin + self.hold
    }
}

/// One exploration.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What tests and tables call it.
    pub name: &'static str,
    pub(crate) handles: usize,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) budget: Budget,
    /// The (revision, nonce) pairs that HEAD remembers; 16 in the engine, so few here that they are forgotten.
    pub(crate) nonces_kept: usize,
    /// The folded references that HEAD remembers; 64 in the engine.
    pub(crate) folded_kept: usize,
    /// The newest inline commits that a spill leaves.
    pub(crate) spill_keep: usize,
    /// Looks that one handle has under way.
    pub(crate) refreshes_in_flight: usize,
    pub(crate) broken: Option<Broken>,
    /// All handles do the same, and which is which plays no part.
    pub(crate) alike: bool,
    /// What it must come by.
    pub(crate) reached: &'static [Reached],
}

impl Configuration {
    pub(crate) fn new(name: &'static str, handles: usize, transactions: Vec<Transaction>) -> Self {
        Self {
            name,
            handles,
            transactions,
            budget: Budget::default(),
            nonces_kept: 2,
            folded_kept: 1,
            spill_keep: 0,
            refreshes_in_flight: 1,
            broken: None,
            alike: false,
            reached: &[],
        }
    }

    /// So many handles that all do the same: what `of_each` makes of the number of one, its transactions numbered behind
    /// those of the ones before.
    pub(crate) fn alike(name: &'static str, handles: usize, of_each: fn(usize) -> Vec<Transaction>) -> Self {
        let mut configuration = Self::new(name, handles, (0..handles).flat_map(of_each).collect());
        configuration.alike = true;
        configuration
    }

    pub(crate) fn with(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    pub(crate) fn reaching(mut self, reached: &'static [Reached]) -> Self {
        self.reached = reached;
        self
    }

    pub(crate) fn broken_by(mut self, broken: Broken) -> Self {
        self.broken = Some(broken);
        self
    }

    pub(crate) fn transaction(&self, id: TransactionId) -> &Transaction {
        &self.transactions[id.index()]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = TransactionId> {
        (0..crate::head::count(&self.transactions)).map(TransactionId)
    }

    pub(crate) fn is_broken_by(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }

    /// The value that a commit leaves behind a key that it wrote: none if it deleted it.
    pub(crate) fn value(&self, id: TransactionId) -> Option<TransactionId> {
        (!self.transaction(id).deletes).then_some(id)
    }

    pub(crate) fn writes(&self, id: TransactionId, key: Key) -> bool {
        self.transaction(id).writes.contains(&key)
    }

    /// Every key that any transaction writes.
    pub(crate) fn keys(&self) -> std::collections::BTreeSet<Key> {
        let writes = self
            .transactions
            .iter()
            .flat_map(|transaction| &transaction.writes);
        writes.copied().collect()
    }
}
