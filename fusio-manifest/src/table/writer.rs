//! Writes a table: entries in the order of their keys, a block at a time.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{
    block,
    filter::{self, Filter},
    footer::{BlockHandle, FOOTER_BYTES_MAX, Footer},
    separator, upper_bound,
};
use crate::{
    frame::{self, FormatError, HEADER_BYTES, Kind},
    id::ManifestId,
    version::Version,
};

/// A table that is being written. It lies in memory as a whole: a PUT needs its length and its bytes again.
#[derive(Debug)]
pub(crate) struct TableWriter {
    manifest: ManifestId,
    block_bytes: usize,
    /// The header, not filled in yet, and the blocks that are full.
    object: BytesMut,
    /// The entries of the block that is not.
    entries: BytesMut,
    /// The separator of that block.
    separator: Bytes,
    blocks: Vec<BlockHandle>,
    hashes: Vec<u64>,
    first: Bytes,
    last: BytesMut,
}

/// A table that is ready to be stored.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) bytes: Bytes,
    pub(crate) footer: Footer,
    pub(crate) footer_offset: u64,
    pub(crate) footer_crc32c: u32,
    /// Its first key.
    pub(crate) first: Bytes,
    /// Its last key.
    pub(crate) last: Bytes,
    /// A short key that none of its keys is greater than.
    pub(crate) upper_bound: Bytes,
}

impl TableWriter {
    pub(crate) fn new(manifest: ManifestId, block_bytes: u64) -> Self {
        let mut object = BytesMut::new();
        object.put_bytes(0, HEADER_BYTES);
        Self {
            manifest,
            block_bytes: usize::try_from(block_bytes).unwrap_or(usize::MAX),
            object,
            entries: BytesMut::new(),
            separator: Bytes::new(),
            blocks: Vec::new(),
            hashes: Vec::new(),
            first: Bytes::new(),
            last: BytesMut::new(),
        }
    }

    /// Appends an entry, whose key is greater than that of the last one.
    pub(crate) fn add(&mut self, key: &[u8], version: &Version) -> Result<(), FormatError> {
        if self.hashes.is_empty() {
            self.first = Bytes::copy_from_slice(key);
        } else if self.last.as_ref() >= key {
            return Err(FormatError::damaged(
                "entries of a table that is being written are out of order",
            ));
        }
        if self.entries.len() >= self.block_bytes {
            self.end_block()?;
            self.separator = Bytes::copy_from_slice(separator(&self.last, key));
        }
        block::put_entry(&mut self.entries, key, version);
        self.hashes.push(filter::hash(key));
        self.last.clear();
        self.last.put_slice(key);
        Ok(())
    }

    /// What its full blocks take.
    pub(crate) fn bytes(&self) -> u64 {
        self.object.len() as u64
    }

    /// True if the next entry begins a block: between two of them others may run.
    pub(crate) fn at_block_end(&self) -> bool {
        self.entries.len() >= self.block_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    fn end_block(&mut self) -> Result<(), FormatError> {
        let start = self.object.len() as u64;
        let stored = block::store(&self.entries, &mut self.object)? as u64;
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        self.blocks.push(BlockHandle {
            separator: std::mem::take(&mut self.separator),
            range: start..start + stored,
            raw_bytes: self.entries.len(),
            crc32c: crc32c::crc32c(self.object.get(from..).unwrap_or_default()),
        });
        self.entries.clear();
        Ok(())
    }

    /// The table, which has one entry at least.
    pub(crate) fn finish(mut self) -> Result<Built, FormatError> {
        self.end_block()?;
        let footer = Footer {
            blocks: std::mem::take(&mut self.blocks),
            entries: self.hashes.len() as u64,
            filter: Filter::of(&self.hashes),
        };
        let encoded = footer.encode(self.manifest);
        if encoded.len() as u64 > FOOTER_BYTES_MAX {
            return Err(FormatError::damaged("a footer over its largest size"));
        }
        let footer_offset = self.object.len() as u64;
        self.object.put_slice(&encoded);
        let header = frame::header(
            Kind::Table,
            self.manifest,
            self.object.get(HEADER_BYTES..).unwrap_or_default(),
        );
        if let Some(place) = self.object.get_mut(..HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        Ok(Built {
            bytes: self.object.freeze(),
            footer,
            footer_offset,
            footer_crc32c: crc32c::crc32c(&encoded),
            upper_bound: upper_bound(&self.last).into(),
            first: self.first,
            last: self.last.freeze(),
        })
    }
}

/// The lower bound of the table that follows one whose last key is `before`, and begins with `first`.
pub(crate) fn lower_bound(before: Option<&[u8]>, first: &[u8]) -> Bytes {
    match before {
        // Nothing lies before the first table, so it begins where keys do.
        None => Bytes::new(),
        Some(before) => Bytes::copy_from_slice(separator(before, first)),
    }
}
