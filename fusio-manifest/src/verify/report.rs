//! How a check is getting on, and what came of it.

use super::finding::Finding;
use crate::{id::ManifestId, listing::Garbage, store::meter::RequestCounts};

/// How a check is getting on.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// So much was read.
    Read {
        /// Objects that have been checked.
        objects: u64,
        /// How many there are, as far as is known by now.
        of_objects: u64,
        /// The bytes that came.
        bytes: u64,
        /// About how many will.
        of_bytes: u64,
    },
    /// Something is not as it was written.
    Found(&'a Finding),
}

/// What a check has read and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The manifest, if its HEAD could be read.
    pub manifest: Option<ManifestId>,
    /// The revision of the HEAD that was checked last.
    pub revision: Option<u64>,
    /// Its newest commit.
    pub last_txn: Option<u64>,
    /// The objects that were read, HEAD among them.
    pub objects: u64,
    /// The bytes that were read.
    pub bytes: u64,
    /// The commits that were read, in HEAD and in log objects.
    pub commits: u64,
    /// The entries of tables that were read.
    pub entries: u64,
    /// The pins whose states were checked.
    pub pins: u64,
    /// The requests that it took.
    pub requests: RequestCounts,
    /// Objects that were gone because HEAD had moved on meanwhile: no damage.
    pub superseded: u64,
    /// What is not as it was written.
    pub findings: Vec<Finding>,
    /// Of a manifest whose HEAD cannot be read: the copies of earlier HEADs that lie below the prefix, the newest first.
    pub copies: Vec<HeadCopy>,
    /// What nothing references, if HEAD could be read. It is no damage.
    pub garbage: Option<Garbage>,
}

impl Verification {
    /// True if nothing is broken.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// A copy of an earlier HEAD: what a pin consists of. Without its first 40 bytes it is that HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadCopy {
    /// The key of the object.
    pub object: String,
    /// The revision of that HEAD.
    pub revision: u64,
    /// Its newest commit.
    pub last_txn: u64,
    /// True if all that it needs is there and sound.
    pub complete: bool,
}
