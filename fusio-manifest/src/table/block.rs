//! Blocks: entries in the order of their keys, compressed, the unit of reading.
//!
//! ```text
//! 1 byte    codec: 0 as it is, 1 zstd
//!           the entries, each:
//!           varint   length of the key
//!           varint   0 of a deletion, else the length of the value and 1
//!           varint   the commit that wrote it
//!                    key, value
//! ```
//!
//! Keys are stored whole: what neighbours have in common costs little once zstd has seen it, and an entry is read
//! without the ones before it.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::footer::BlockHandle;
use crate::{
    frame::FormatError,
    limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX},
    version::{Entry, Version},
};

/// The most that a block decompresses to: the largest setting of its size, and one entry more.
pub(super) const RAW_BYTES_MAX: usize = 16 * 1024 * 1024 + KEY_BYTES_MAX + VALUE_BYTES_MAX + ENTRY_HEADER_MAX;

/// Three varints.
const ENTRY_HEADER_MAX: usize = 30;
pub(super) const CODEC_NONE: u8 = 0;
pub(super) const CODEC_ZSTD: u8 = 1;
/// The level of compression: tables are written once by a process that has other things to do.
const ZSTD_LEVEL: i32 = 3;

/// A block in memory: its entries are found by halving.
#[derive(Debug)]
pub(crate) struct Block {
    entries: Bytes,
    /// Where each entry starts.
    starts: Vec<u32>,
}

/// The parts of one entry, borrowed from its block.
struct Parts<'a> {
    key: &'a [u8],
    txn: u64,
    /// Where the value lies in the block.
    value: Option<(usize, usize)>,
    key_start: usize,
    end: usize,
}

/// Appends an entry to those of a block that is being written.
pub(super) fn put_entry(entries: &mut BytesMut, key: &[u8], version: &Version) {
    put_varint(entries, key.len() as u64);
    put_varint(
        entries,
        version.value.as_ref().map_or(0, |value| value.len() as u64 + 1),
    );
    put_varint(entries, version.txn);
    entries.put_slice(key);
    if let Some(value) = &version.value {
        entries.put_slice(value);
    }
}

/// Appends a block of these entries as it is stored, and returns how long it is.
pub(super) fn store(entries: &[u8], into: &mut BytesMut) -> Result<usize, FormatError> {
    let before = into.len();
    let packed = zstd::bulk::compress(entries, ZSTD_LEVEL)
        .map_err(|error| FormatError::damaged(format!("compressing a block: {error}")))?;
    // What hardly shrinks is not worth the time to unpack it.
    if packed.len() < entries.len() - entries.len() / 8 {
        into.put_u8(CODEC_ZSTD);
        into.put_slice(&packed);
    } else {
        into.put_u8(CODEC_NONE);
        into.put_slice(entries);
    }
    Ok(into.len() - before)
}

impl Block {
    /// Reads the block that `handle` names, and checks that it is the one.
    pub(crate) fn decode(handle: &BlockHandle, mut stored: Bytes) -> Result<Self, FormatError> {
        if stored.len() as u64 != handle.range.end.saturating_sub(handle.range.start) {
            return Err(FormatError::damaged(format!(
                "{} bytes of a block where its footer names {:?}",
                stored.len(),
                handle.range
            )));
        }
        if !handle.matches(&stored) {
            return Err(FormatError::damaged("a block does not match its checksum"));
        }
        if stored.is_empty() {
            return Err(FormatError::damaged("an empty block"));
        }
        let entries = match stored.get_u8() {
            CODEC_NONE => stored,
            // The footer has bounded what is allocated here.
            CODEC_ZSTD => zstd::bulk::decompress(&stored, handle.raw_bytes)
                .map_err(|error| FormatError::damaged(format!("a block: {error}")))?
                .into(),
            codec => {
                return Err(FormatError::damaged(format!(
                    "a block in codec {codec}, which this program does not know"
                )));
            }
        };
        if entries.len() != handle.raw_bytes {
            return Err(FormatError::damaged(format!(
                "a block of {} bytes where its footer names {}",
                entries.len(),
                handle.raw_bytes
            )));
        }
        Self::index(entries)
    }

    /// Finds the entries, each checked once, so that reading one cannot fail later.
    fn index(entries: Bytes) -> Result<Self, FormatError> {
        let mut starts = Vec::new();
        let (mut at, mut last): (usize, Option<&[u8]>) = (0, None);
        while at < entries.len() {
            let parts =
                parts(&entries, at).ok_or_else(|| FormatError::damaged("an entry of a block is cut off"))?;
            if parts.key.is_empty() || parts.key.len() > KEY_BYTES_MAX {
                return Err(FormatError::damaged("a key in a block that is empty or too long"));
            }
            if last.is_some_and(|last| last >= parts.key) {
                return Err(FormatError::damaged("keys of a block out of order"));
            }
            starts.push(u32::try_from(at).map_err(|_| FormatError::damaged("a block over 4 GiB"))?);
            (at, last) = (parts.end, Some(parts.key));
        }
        // It may stay in memory for long.
        starts.shrink_to_fit();
        match starts.is_empty() {
            true => Err(FormatError::damaged("a block without entries")),
            false => Ok(Self { entries, starts }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// About what it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() + self.starts.len() * size_of::<u32>() + size_of::<Self>()
    }

    /// Entry `index`, whose bytes are slices of the block.
    pub(crate) fn entry(&self, index: usize) -> Option<Entry> {
        let parts = self.parts(index)?;
        let key = self
            .entries
            .slice(parts.key_start..parts.key_start + parts.key.len());
        let value = parts
            .value
            .map(|(start, length)| self.entries.slice(start..start + length));
        let txn = parts.txn;
        Some(Entry {
            key,
            version: Version { txn, value },
        })
    }

    /// The first entry whose key is not less than `key`, or is greater where `after` is set.
    pub(crate) fn position(&self, key: &[u8], after: bool) -> usize {
        self.starts.partition_point(|start| {
            parts(&self.entries, *start as usize)
                .is_some_and(|parts| parts.key < key || (after && parts.key == key))
        })
    }

    /// What it holds of this key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<Version> {
        let entry = self.entry(self.position(key, false))?;
        (entry.key == key).then_some(entry.version)
    }

    fn parts(&self, index: usize) -> Option<Parts<'_>> {
        parts(&self.entries, *self.starts.get(index)? as usize)
    }
}

fn parts(entries: &Bytes, start: usize) -> Option<Parts<'_>> {
    let mut rest = entries.get(start..)?;
    let key_length = usize::try_from(take_varint(&mut rest)?).ok()?;
    let value_length = usize::try_from(take_varint(&mut rest)?).ok()?;
    let txn = take_varint(&mut rest)?;
    let key_start = entries.len() - rest.len();
    let key_end = key_start.checked_add(key_length)?;
    let key = entries.get(key_start..key_end)?;
    let value = value_length.checked_sub(1).map(|length| (key_end, length));
    let end = value.map_or(Some(key_end), |(start, length)| start.checked_add(length))?;
    (end <= entries.len()).then_some(Parts {
        key,
        txn,
        value,
        key_start,
        end,
    })
}

fn put_varint(into: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        // The lowest seven bits, and a mark that more follow.
        into.put_u8(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    into.put_u8(u8::try_from(number).unwrap_or_default());
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
