//! What a key held after one commit.

use bytes::Bytes;

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// The commit that wrote it.
    pub(crate) txn: u64,
    /// `None`: the key was deleted.
    pub(crate) value: Option<Bytes>,
}

/// A key and one version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Bytes,
    pub(crate) version: Version,
}
