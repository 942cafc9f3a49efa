//! What sealing a table anew needs to know of its blocks.

use bytes::{Bytes, BytesMut};

use super::{
    block::{self, Block},
    filter::{self, Filter},
    separator,
};
use crate::{head::wire, version::Entry};

/// How long a stored block says that it is when it is unpacked.
pub(crate) fn raw_bytes(stored: &[u8]) -> Option<u64> {
    let (codec, packed) = stored.split_first()?;
    match *codec {
        block::CODEC_NONE => Some(packed.len() as u64),
        block::CODEC_ZSTD => zstd::zstd_safe::get_frame_content_size(packed).ok().flatten(),
        _ => None,
    }
}

/// Makes index, count and filter those of the entries; none if a block is broken.
pub(crate) fn make_consistent(footer: &mut wire::TableFooter, stored: &[Bytes]) -> Option<()> {
    let mut hashes = Vec::new();
    let mut before: Option<Bytes> = None;
    for (reference, bytes) in footer.blocks.iter_mut().zip(stored) {
        let handle = super::BlockHandle {
            separator: Bytes::new(),
            range: 0..bytes.len() as u64,
            raw_bytes: usize::try_from(reference.raw_bytes).ok()?,
            crc32c: reference.crc32c,
        };
        if handle.raw_bytes > block::RAW_BYTES_MAX {
            return None;
        }
        let entries = entries(&Block::decode(&handle, bytes.clone()).ok()?);
        let (first, last) = (entries.first()?, entries.last()?);
        reference.separator = before.map_or_else(Bytes::new, |before| {
            Bytes::copy_from_slice(separator(&before, &first.key))
        });
        before = Some(last.key.clone());
        hashes.extend(entries.iter().map(|entry| filter::hash(&entry.key)));
    }
    footer.entries = hashes.len() as u64;
    footer.filter = Some(Filter::of(&hashes).to_wire());
    Some(())
}

/// Everything in a block.
pub(crate) fn entries(block: &Block) -> Vec<Entry> {
    (0..block.len()).filter_map(|index| block.entry(index)).collect()
}

/// The shortest form of these entries.
pub(crate) fn stored(entries: &[Entry]) -> BytesMut {
    let mut bytes = BytesMut::new();
    for entry in entries {
        block::put_entry(&mut bytes, &entry.key, &entry.version);
    }
    bytes
}

impl super::BlockHandle {
    /// What the footer says that the block is when it is unpacked.
    pub(crate) fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }
}
