//! Commits that HEAD carries itself, newest first.

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use super::{
    records::{self, RECORD_HEADER_BYTES, Write},
    wire,
};
use crate::{frame::FormatError, id::TransactionId};

/// A commit that stands in HEAD, with its bytes: each HEAD repeats them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InlineCommit {
    pub(crate) txn: u64,
    pub(crate) id: TransactionId,
    pub(crate) writes: Vec<Write>,
    record: Bytes,
}

impl InlineCommit {
    pub(crate) fn new(txn: u64, id: TransactionId, writes: Vec<Write>) -> Self {
        let message = wire::InlineCommit {
            txn,
            id: Bytes::copy_from_slice(&id.to_bytes()),
            writes: writes.iter().map(Write::to_wire).collect(),
        };
        Self {
            txn,
            id,
            writes,
            record: message.encode_to_vec().into(),
        }
    }

    /// The bytes that it takes in HEAD.
    pub(crate) fn encoded_bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.record.len()
    }

    fn decode(record: Bytes) -> Result<Self, FormatError> {
        let message = wire::InlineCommit::decode(record.clone())
            .map_err(|error| FormatError::damaged(format!("a commit: {error}")))?;
        let id = TransactionId::from_slice(&message.id)
            .ok_or_else(|| FormatError::damaged("a transaction id that is not 16 bytes"))?;
        let writes = message
            .writes
            .into_iter()
            .map(Write::from_wire)
            .collect::<Result<_, FormatError>>()?;
        Ok(Self {
            txn: message.txn,
            id,
            writes,
            record,
        })
    }
}

/// Writes commits that come newest first.
pub(super) fn encode<'a>(
    newest_first: impl Iterator<Item = &'a InlineCommit>,
) -> Result<BytesMut, FormatError> {
    let mut section = BytesMut::new();
    for commit in newest_first {
        records::put(&mut section, &commit.record)?;
    }
    Ok(section)
}

/// Reads them back, newest first.
pub(super) fn decode(mut section: Bytes) -> Result<Vec<InlineCommit>, FormatError> {
    let mut commits = Vec::new();
    while let Some(record) = records::take(&mut section)? {
        commits.push(InlineCommit::decode(record)?);
    }
    Ok(commits)
}
