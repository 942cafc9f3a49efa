//! Commits that HEAD carries itself: newest first, each behind its length and its checksum.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::Message as _;

use super::wire;
use crate::{frame::FormatError, id::TransactionId, limits};

/// What one transaction wrote to one key; `None` deletes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) key: Bytes,
    pub(crate) value: Option<Bytes>,
}

/// A commit that stands in HEAD, with its bytes: each HEAD repeats them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InlineCommit {
    pub(crate) txn: u64,
    pub(crate) id: TransactionId,
    pub(crate) writes: Vec<Write>,
    record: Bytes,
}

/// Length and checksum before each record.
const RECORD_HEADER_BYTES: usize = 8;

impl InlineCommit {
    pub(crate) fn new(txn: u64, id: TransactionId, writes: Vec<Write>) -> Self {
        let message = wire::InlineCommit {
            txn,
            id: Bytes::copy_from_slice(&id.to_bytes()),
            writes: writes
                .iter()
                .map(|write| wire::Write {
                    key: write.key.clone(),
                    value: write.value.clone(),
                })
                .collect(),
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
            .map(|write| {
                limits::check_key(&write.key).map_err(|error| FormatError::damaged(error.to_string()))?;
                Ok(Write {
                    key: write.key,
                    value: write.value,
                })
            })
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
        let length =
            u32::try_from(commit.record.len()).map_err(|_| FormatError::damaged("a commit over 4 GiB"))?;
        section.put_u32_le(length);
        section.put_u32_le(crc32c::crc32c(&commit.record));
        section.put_slice(&commit.record);
    }
    Ok(section)
}

/// Reads them back, newest first.
pub(super) fn decode(mut section: Bytes) -> Result<Vec<InlineCommit>, FormatError> {
    let mut commits = Vec::new();
    while section.has_remaining() {
        if section.len() < RECORD_HEADER_BYTES {
            return Err(FormatError::damaged("a commit's header is cut off"));
        }
        let length = usize::try_from(section.get_u32_le())
            .map_err(|_| FormatError::damaged("a commit longer than memory"))?;
        let checksum = section.get_u32_le();
        if length > section.len() {
            return Err(FormatError::damaged("a commit is cut off"));
        }
        let record = section.split_to(length);
        if crc32c::crc32c(&record) != checksum {
            return Err(FormatError::damaged("a commit does not match its checksum"));
        }
        commits.push(InlineCommit::decode(record)?);
    }
    Ok(commits)
}
