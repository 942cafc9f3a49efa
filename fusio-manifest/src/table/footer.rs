//! The footer of a table: where each block lies, and which keys are certainly not there.

use std::ops::Range;

use bytes::Bytes;
use prost::Message as _;

use super::{
    block::RAW_BYTES_MAX,
    filter::{self, Filter},
};
use crate::{
    frame::{FormatError, HEADER_BYTES},
    head::{TableReference, wire},
    id::ManifestId,
};

/// The largest footer: that of a table of some 5 GiB.
pub(crate) const FOOTER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Where a block lies and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockHandle {
    /// Greater than every key of the blocks before, not greater than any of this one.
    pub(crate) separator: Bytes,
    pub(crate) range: Range<u64>,
    pub(super) raw_bytes: usize,
    pub(super) crc32c: u32,
}

impl BlockHandle {
    /// True if these bytes have the checksum of the block.
    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        crc32c::crc32c(stored) == self.crc32c
    }
}

/// The footer of one table, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(super) blocks: Vec<BlockHandle>,
    pub(super) entries: u64,
    pub(super) filter: Filter,
}

impl Footer {
    pub(crate) fn encode(&self, manifest: ManifestId) -> Bytes {
        let blocks = self.blocks.iter().map(|block| wire::BlockReference {
            separator: block.separator.clone(),
            bytes: block.range.end - block.range.start,
            raw_bytes: block.raw_bytes as u64,
            crc32c: block.crc32c,
        });
        let message = wire::TableFooter {
            manifest: Bytes::copy_from_slice(&manifest.to_bytes()),
            entries: self.entries,
            blocks: blocks.collect(),
            filter: Some(self.filter.to_wire()),
        };
        message.encode_to_vec().into()
    }

    /// Where HEAD says that it lies; an error if that cannot be.
    pub(crate) fn range(table: &TableReference) -> Result<Range<u64>, FormatError> {
        let end = table.object.bytes;
        let bytes = end.checked_sub(table.footer_offset);
        match bytes.filter(|bytes| (1..=FOOTER_BYTES_MAX).contains(bytes)) {
            Some(_) if table.footer_offset > HEADER_BYTES as u64 => Ok(table.footer_offset..end),
            _ => Err(FormatError::damaged(format!(
                "a footer from byte {} on of {end}",
                table.footer_offset
            ))),
        }
    }

    /// Reads the footer of the table that HEAD names, and checks that it is the one.
    pub(crate) fn decode(
        manifest: ManifestId,
        table: &TableReference,
        bytes: Bytes,
    ) -> Result<Self, FormatError> {
        let range = Self::range(table)?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(FormatError::damaged(format!(
                "a footer of {} bytes where HEAD names {range:?}",
                bytes.len()
            )));
        }
        if crc32c::crc32c(&bytes) != table.object.crc32c {
            return Err(FormatError::damaged(
                "its footer does not match the checksum in HEAD",
            ));
        }
        let message = wire::TableFooter::decode(bytes)
            .map_err(|error| FormatError::damaged(format!("its footer: {error}")))?;
        if ManifestId::from_slice(&message.manifest) != Some(manifest) {
            return Err(FormatError::damaged(format!(
                "it belongs to another manifest, this is {manifest}"
            )));
        }
        let filter = message.filter.unwrap_or_default();
        Ok(Self {
            blocks: blocks(message.blocks, table.footer_offset)?,
            entries: message.entries,
            filter: Filter::from_wire(filter)?,
        })
    }

    /// How many entries the table has.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    pub(crate) fn block(&self, index: usize) -> Option<&BlockHandle> {
        self.blocks.get(index)
    }

    /// A key that none before this block is as great as; none behind the last block.
    pub(crate) fn separator(&self, index: usize) -> Option<&[u8]> {
        self.blocks.get(index).map(|block| block.separator.as_ref())
    }

    /// About what it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let separators: usize = self.blocks.iter().map(|block| block.separator.len()).sum();
        separators + self.blocks.len() * size_of::<BlockHandle>() + self.filter.bytes() + size_of::<Self>()
    }

    /// The block that holds this key if any does.
    pub(crate) fn block_of(&self, key: &[u8]) -> usize {
        self.blocks
            .partition_point(|block| block.separator.as_ref() <= key)
            .saturating_sub(1)
    }

    /// False only if the key is not in the table.
    pub(crate) fn may_hold(&self, key: &[u8]) -> bool {
        self.filter.may_hold(filter::hash(key))
    }
}

/// Blocks lie one behind the other, from the header to the footer, so only their lengths are stored.
fn blocks(
    references: Vec<wire::BlockReference>,
    footer_offset: u64,
) -> Result<Vec<BlockHandle>, FormatError> {
    let mut start = HEADER_BYTES as u64;
    let mut blocks: Vec<BlockHandle> = Vec::with_capacity(references.len());
    for reference in references {
        let end = start.saturating_add(reference.bytes);
        if reference.bytes == 0 || end > footer_offset {
            return Err(FormatError::damaged("a block that lies outside its table"));
        }
        let raw_bytes = usize::try_from(reference.raw_bytes).ok();
        let raw_bytes = raw_bytes.filter(|raw| (1..=RAW_BYTES_MAX).contains(raw));
        let raw_bytes = raw_bytes.ok_or_else(|| {
            FormatError::damaged(format!(
                "a block of {} bytes, {RAW_BYTES_MAX} at most",
                reference.raw_bytes
            ))
        })?;
        // What does not shrink is stored as it is, behind the byte that says so.
        if reference.bytes > raw_bytes as u64 + 1 {
            return Err(FormatError::damaged(format!(
                "a block of {} bytes that unpacks to {raw_bytes}",
                reference.bytes
            )));
        }
        if blocks
            .last()
            .is_some_and(|last| last.separator >= reference.separator)
        {
            return Err(FormatError::damaged("blocks out of order"));
        }
        blocks.push(BlockHandle {
            separator: reference.separator,
            range: start..end,
            raw_bytes,
            crc32c: reference.crc32c,
        });
        start = end;
    }
    if start != footer_offset || blocks.is_empty() {
        return Err(FormatError::damaged(format!(
            "its blocks end at byte {start}, its footer begins at {footer_offset}"
        )));
    }
    Ok(blocks)
}
