//! What a manifest must hold after each commit.

use std::collections::BTreeMap;

use bytes::Bytes;
use fusio_manifest::KeyRange;

/// What a transaction writes; `None` deletes.
pub(crate) type Writes = BTreeMap<Bytes, Option<Bytes>>;

/// What a transaction read of its snapshot.
#[derive(Debug, Clone)]
pub(crate) enum Read {
    Key(Bytes),
    Range {
        range: KeyRange,
        /// The last key up to which it was consumed; `None`: to its end.
        through: Option<Bytes>,
    },
}

impl Read {
    fn covers(&self, key: &Bytes) -> bool {
        match self {
            Self::Key(read) => read == key,
            Self::Range { range, through } => {
                range.contains(key) && through.as_ref().is_none_or(|through| key <= through)
            }
        }
    }
}

/// Every version of every key.
#[derive(Debug, Default)]
pub(crate) struct Model {
    last: u64,
    versions: BTreeMap<Bytes, Vec<(u64, Option<Bytes>)>>,
}

impl Model {
    /// The number of the newest commit.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The next commit.
    pub(crate) fn apply(&mut self, writes: &Writes) {
        self.last += 1;
        for (key, value) in writes {
            let versions = self.versions.entry(key.clone()).or_default();
            versions.push((self.last, value.clone()));
        }
    }

    /// What a key holds after a commit, and which one wrote it.
    fn version(&self, key: &[u8], at: u64) -> Option<(u64, &Bytes)> {
        let versions = self.versions.get(key)?;
        let (txn, value) = versions.iter().rev().find(|(txn, _)| *txn <= at)?;
        Some((*txn, value.as_ref()?))
    }

    pub(crate) fn value(&self, key: &[u8], at: u64) -> Option<Bytes> {
        self.version(key, at).map(|(_, value)| value.clone())
    }

    /// The entries of a range after a commit.
    pub(crate) fn range(&self, range: &KeyRange, at: u64) -> BTreeMap<Bytes, Bytes> {
        let keys = self.versions.keys().filter(|key| range.contains(key));
        keys.filter_map(|key| Some((key.clone(), self.value(key, at)?)))
            .collect()
    }

    /// True if what was read after one commit is what is there after another one, in the same versions.
    pub(crate) fn still_holds(&self, read: &Read, at: u64, later: u64) -> bool {
        let mut covered = self.versions.keys().filter(|key| read.covers(key));
        covered.all(|key| self.version(key, at) == self.version(key, later))
    }

    /// True if a commit after the one and up to the other wrote what was read.
    pub(crate) fn overwritten(&self, read: &Read, after: u64, through: u64) -> bool {
        let mut covered = self.versions.iter().filter(|(key, _)| read.covers(key));
        covered.any(|(_, versions)| versions.iter().any(|(txn, _)| *txn > after && *txn <= through))
    }
}
