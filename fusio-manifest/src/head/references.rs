//! What HEAD says of objects other than itself: log objects, runs, pins and the collection under way.

use bytes::Bytes;

use super::wire;
use crate::{
    frame::FormatError,
    id::{Nonce, ObjectName, TransactionId},
};

/// The most log objects that were folded, and the most commits, whose ids HEAD keeps.
pub(crate) const FOLDED_MAX: usize = 64;

/// An immutable object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectReference {
    pub(crate) name: ObjectName,
    pub(crate) bytes: u64,
    pub(crate) crc32c: u32,
}

/// Commits `first_txn..first_txn + count`, in an object of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogReference {
    pub(crate) first_txn: u64,
    pub(crate) count: u32,
    pub(crate) object: ObjectReference,
    /// Only where there is one commit.
    pub(crate) id: Option<TransactionId>,
}

/// A commit that was folded out of HEAD itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoldedCommit {
    pub(crate) txn: u64,
    pub(crate) id: TransactionId,
}

/// The newest version of every key written by commits `first_txn..=last_txn`, in tables that do not overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first_txn: u64,
    pub(crate) last_txn: u64,
    pub(crate) tables: Vec<TableReference>,
}

/// One table of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableReference {
    /// Every key of the table is at least this and, if there is a next table, less than its lower bound.
    pub(crate) lower_bound: Bytes,
    /// No key of the table is greater.
    pub(crate) upper_bound: Bytes,
    /// Its checksum is that of the footer, which has the checksums of the blocks.
    pub(crate) object: ObjectReference,
    pub(crate) footer_offset: u64,
}

/// A named state that the collector spares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) name: String,
    pub(crate) revision: u64,
    pub(crate) object: ObjectReference,
    pub(crate) expires_unix_ms: u64,
}

/// The collection under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Collection {
    pub(crate) marked_revision: u64,
    pub(crate) list: ObjectReference,
    pub(crate) listed_unix_ms: u64,
    pub(crate) condemned: bool,
}

impl ObjectReference {
    fn from_wire(object: Option<wire::ObjectReference>) -> Result<Self, FormatError> {
        let object = object.ok_or_else(|| FormatError::damaged("a reference without an object"))?;
        let nonce = Nonce::from_slice(&object.nonce)
            .ok_or_else(|| FormatError::damaged("an object name whose nonce is not 16 bytes"))?;
        let name = ObjectName {
            epoch: object.epoch,
            nonce,
        };
        Ok(Self {
            name,
            bytes: object.bytes,
            crc32c: object.crc32c,
        })
    }

    fn to_wire(self) -> Option<wire::ObjectReference> {
        Some(wire::ObjectReference {
            epoch: self.name.epoch,
            nonce: Bytes::copy_from_slice(&self.name.nonce.to_bytes()),
            bytes: self.bytes,
            crc32c: self.crc32c,
        })
    }
}

impl LogReference {
    /// Of an object that holds these transactions, at this place in the order of commits.
    pub(crate) fn new(first_txn: u64, ids: &[TransactionId], object: ObjectReference) -> Self {
        let id = match ids {
            [only] => Some(*only),
            _ => None,
        };
        Self {
            first_txn,
            count: u32::try_from(ids.len()).unwrap_or(u32::MAX),
            object,
            id,
        }
    }

    pub(crate) fn last_txn(&self) -> u64 {
        self.first_txn
            .saturating_add(u64::from(self.count).saturating_sub(1))
    }

    /// True if it holds the commit of this number.
    pub(crate) fn holds(&self, txn: u64) -> bool {
        txn.checked_sub(self.first_txn)
            .is_some_and(|index| index < u64::from(self.count))
    }

    pub(super) fn from_wire(reference: wire::LogReference) -> Result<Self, FormatError> {
        let id = match reference.id.len() {
            0 => None,
            _ => Some(
                TransactionId::from_slice(&reference.id)
                    .ok_or_else(|| FormatError::damaged("a transaction id that is not 16 bytes"))?,
            ),
        };
        let object = ObjectReference::from_wire(reference.object)?;
        Ok(Self {
            first_txn: reference.first_txn,
            count: reference.count,
            object,
            id,
        })
    }

    pub(super) fn to_wire(self) -> wire::LogReference {
        wire::LogReference {
            first_txn: self.first_txn,
            count: self.count,
            object: self.object.to_wire(),
            id: self
                .id
                .map(|id| Bytes::copy_from_slice(&id.to_bytes()))
                .unwrap_or_default(),
        }
    }
}

impl FoldedCommit {
    pub(super) fn from_wire(commit: wire::FoldedCommit) -> Result<Self, FormatError> {
        let id = TransactionId::from_slice(&commit.id)
            .ok_or_else(|| FormatError::damaged("a transaction id that is not 16 bytes"))?;
        Ok(Self { txn: commit.txn, id })
    }

    pub(super) fn to_wire(self) -> wire::FoldedCommit {
        wire::FoldedCommit {
            txn: self.txn,
            id: Bytes::copy_from_slice(&self.id.to_bytes()),
        }
    }
}

impl Run {
    /// The bytes of its tables.
    pub(crate) fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.object.bytes).sum()
    }

    /// The table that holds this key if any does.
    pub(crate) fn table_of(&self, key: &[u8]) -> Option<&TableReference> {
        let after = self
            .tables
            .partition_point(|table| table.lower_bound.as_ref() <= key);
        let table = self.tables.get(after.checked_sub(1)?)?;
        (key <= table.upper_bound.as_ref()).then_some(table)
    }

    pub(super) fn from_wire(run: wire::Run) -> Result<Self, FormatError> {
        let tables = run
            .tables
            .into_iter()
            .map(TableReference::from_wire)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            first_txn: run.first_txn,
            last_txn: run.last_txn,
            tables,
        })
    }

    pub(super) fn to_wire(&self) -> wire::Run {
        wire::Run {
            first_txn: self.first_txn,
            last_txn: self.last_txn,
            tables: self.tables.iter().map(TableReference::to_wire).collect(),
        }
    }
}

impl TableReference {
    fn from_wire(table: wire::TableReference) -> Result<Self, FormatError> {
        Ok(Self {
            lower_bound: table.lower_bound,
            upper_bound: table.upper_bound,
            object: ObjectReference::from_wire(table.object)?,
            footer_offset: table.footer_offset,
        })
    }

    fn to_wire(&self) -> wire::TableReference {
        wire::TableReference {
            lower_bound: self.lower_bound.clone(),
            object: self.object.to_wire(),
            footer_offset: self.footer_offset,
            upper_bound: self.upper_bound.clone(),
        }
    }
}

impl Pin {
    pub(super) fn from_wire(pin: wire::Pin) -> Result<Self, FormatError> {
        Ok(Self {
            name: pin.name,
            revision: pin.revision,
            object: ObjectReference::from_wire(pin.object)?,
            expires_unix_ms: pin.expires_unix_ms,
        })
    }

    pub(super) fn to_wire(&self) -> wire::Pin {
        wire::Pin {
            name: self.name.clone(),
            revision: self.revision,
            object: self.object.to_wire(),
            expires_unix_ms: self.expires_unix_ms,
        }
    }
}

impl Collection {
    pub(super) fn from_wire(collection: wire::Collection) -> Result<Self, FormatError> {
        Ok(Self {
            marked_revision: collection.marked_revision,
            list: ObjectReference::from_wire(collection.list)?,
            listed_unix_ms: collection.listed_unix_ms,
            condemned: collection.condemned,
        })
    }

    pub(super) fn to_wire(self) -> wire::Collection {
        wire::Collection {
            marked_revision: self.marked_revision,
            list: self.list.to_wire(),
            listed_unix_ms: self.listed_unix_ms,
            condemned: self.condemned,
        }
    }
}
