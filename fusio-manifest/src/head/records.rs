//! Commits as records, each behind its length and its checksum: how HEAD's inline section and a log object hold
//! them.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::wire;
use crate::{frame::FormatError, limits};

/// What one transaction wrote to one key; `None` deletes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) key: Bytes,
    pub(crate) value: Option<Bytes>,
}

impl Write {
    /// About what it takes in HEAD or in a log object: key, value, their lengths and tags.
    pub(crate) fn bytes(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + WRITE_OVERHEAD_BYTES
    }

    pub(crate) fn to_wire(&self) -> wire::Write {
        wire::Write {
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }

    pub(crate) fn from_wire(write: wire::Write) -> Result<Self, FormatError> {
        limits::check_key(&write.key).map_err(|error| FormatError::damaged(error.to_string()))?;
        Ok(Self {
            key: write.key,
            value: write.value,
        })
    }
}

/// What surrounds a key and a value, at most: three tags, three lengths of up to four bytes.
const WRITE_OVERHEAD_BYTES: usize = 15;

/// Length and checksum before each record.
pub(crate) const RECORD_HEADER_BYTES: usize = 8;

/// Appends a record.
pub(crate) fn put(records: &mut BytesMut, record: &[u8]) -> Result<(), FormatError> {
    let length = u32::try_from(record.len()).map_err(|_| FormatError::damaged("a commit over 4 GiB"))?;
    records.put_u32_le(length);
    records.put_u32_le(crc32c::crc32c(record));
    records.put_slice(record);
    Ok(())
}

/// Takes the first record; `None` at the end.
pub(crate) fn take(records: &mut Bytes) -> Result<Option<Bytes>, FormatError> {
    if records.is_empty() {
        return Ok(None);
    }
    if records.len() < RECORD_HEADER_BYTES {
        return Err(FormatError::damaged("a commit's header is cut off"));
    }
    let length = usize::try_from(records.get_u32_le())
        .map_err(|_| FormatError::damaged("a commit longer than memory"))?;
    let checksum = records.get_u32_le();
    if length > records.len() {
        return Err(FormatError::damaged("a commit is cut off"));
    }
    let record = records.split_to(length);
    if crc32c::crc32c(&record) != checksum {
        return Err(FormatError::damaged("a commit does not match its checksum"));
    }
    Ok(Some(record))
}
