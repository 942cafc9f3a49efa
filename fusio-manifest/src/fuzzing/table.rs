//! Properties of tables: their footer, their blocks, and what is read through both.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{Gauge, MANIFEST, Verdict, allowance, ensure, measured, opened, refused, reseal};
use crate::{
    frame::{Header, Kind},
    head::{ObjectReference, TableReference},
    id::{ManifestId, Nonce, ObjectName},
    table::{Block, BlockHandle, Footer, fuzzed},
    version::Entry,
};

/// The length of the footer, at the end of an input.
const TRAILER_BYTES: usize = 4;

/// An input of this table.
pub(super) fn input(object: &[u8], footer_bytes: usize) -> Vec<u8> {
    let mut input = BytesMut::from(object);
    input.put_u32_le(u32::try_from(footer_bytes).unwrap_or(u32::MAX));
    input.to_vec()
}

pub(super) fn table(data: &[u8], gauge: &Gauge) -> Verdict {
    let (object, trailer) = data
        .split_last_chunk::<TRAILER_BYTES>()
        .unwrap_or((data, &[0; TRAILER_BYTES]));
    let footer_bytes = usize::try_from(u32::from_le_bytes(*trailer)).unwrap_or(usize::MAX);
    let owner = match Header::read(object) {
        Ok(header) if header.kind() == Some(Kind::Table) => header.manifest,
        _ => MANIFEST,
    };
    table_of(owner, &Bytes::copy_from_slice(object), footer_bytes, gauge)?;
    for consistent in [false, true] {
        if let Some((sealed, footer_bytes)) = reseal::table(object, footer_bytes, consistent) {
            table_of(owner_of(&sealed), &sealed, footer_bytes, gauge)?;
        }
    }
    Ok(())
}

fn owner_of(sealed: &[u8]) -> ManifestId {
    Header::read(sealed).map_or(MANIFEST, |header| header.manifest)
}

fn table_of(manifest: ManifestId, object: &Bytes, footer_bytes: usize, gauge: &Gauge) -> Verdict {
    // Where it cannot lie, it is named all the same.
    let offset = object.len().saturating_sub(footer_bytes);
    let footer = object.slice(offset..);
    let mut reference = TableReference {
        lower_bound: Bytes::new(),
        upper_bound: Bytes::from_static(&[u8::MAX]),
        object: ObjectReference {
            name: ObjectName {
                epoch: 1,
                nonce: Nonce::from_bits(1),
            },
            bytes: object.len() as u64,
            crc32c: crc32c::crc32c(&footer),
        },
        footer_offset: offset as u64,
    };
    let decode = || Footer::decode(manifest, &reference, footer.clone());
    let decoded = measured(gauge, "a footer", allowance(footer.len()), decode)?;
    let footer = match decoded {
        Err(error) => return refused(&error),
        Ok(footer) => footer,
    };
    let again = TableReference {
        object: ObjectReference {
            crc32c: crc32c::crc32c(&footer.encode(manifest)),
            bytes: offset as u64 + footer.encode(manifest).len() as u64,
            ..reference.object
        },
        ..reference.clone()
    };
    let again = Footer::decode(manifest, &again, footer.encode(manifest));
    ensure!(
        again.as_ref() == Ok(&footer),
        "it comes back as {again:?}, it was {footer:?}"
    );
    let blocks = blocks(object, &footer, gauge)?;
    if let Some(last) = blocks
        .iter()
        .flatten()
        .filter_map(|block| block.last())
        .max_by_key(|entry| &entry.key)
    {
        reference.upper_bound = last.key.clone();
    }
    opened::table(manifest, object, &reference, &blocks)
}

/// The entries of each block that is sound.
fn blocks(object: &Bytes, footer: &Footer, gauge: &Gauge) -> Result<Vec<Option<Vec<Entry>>>, String> {
    let mut blocks = Vec::new();
    for index in 0..footer.blocks() {
        let handle = footer.block(index).ok_or("a block is not there")?;
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(object.len());
        let stored = object.slice(place(handle.range.start)..place(handle.range.end));
        // What the footer says of it bounds what is unpacked; an entry has four bytes at least, its place takes four, in a
        // vector that doubles.
        let allowed = allowance(0) + 5 * handle.raw_bytes() as u64;
        let decode = || Block::decode(handle, stored.clone());
        blocks.push(match measured(gauge, "a block", allowed, decode)? {
            Err(error) => {
                refused(&error)?;
                None
            }
            Ok(block) => Some(block_holds(&block, handle, footer)?),
        });
    }
    Ok(blocks)
}

/// Its keys ascend, each is found where it is, and nothing else is.
fn block_holds(block: &Block, handle: &BlockHandle, footer: &Footer) -> Result<Vec<Entry>, String> {
    let entries = fuzzed::entries(block);
    ensure!(
        entries.len() == block.len() && !entries.is_empty(),
        "{} entries of {} are there",
        entries.len(),
        block.len()
    );
    ensure!(
        entries.is_sorted_by(|before, after| before.key < after.key),
        "keys of a block do not ascend"
    );
    ensure!(
        fuzzed::stored(&entries).len() <= handle.raw_bytes(),
        "a block of {} bytes has more in it",
        handle.raw_bytes()
    );
    for (index, entry) in entries.iter().enumerate() {
        ensure!(
            block.find(&entry.key).as_ref() == Some(&entry.version),
            "key {:?} is not found",
            entry.key
        );
        ensure!(
            block.position(&entry.key, false) == index && block.position(&entry.key, true) == index + 1,
            "key {:?} is not at {index}",
            entry.key
        );
        let after = [entry.key.as_ref(), &[0]].concat();
        let next = entries.get(index + 1).is_some_and(|next| next.key == after);
        ensure!(
            block.find(&after).is_some() == next,
            "key {after:?} is found, or is not"
        );
        // What they say is up to the bytes.
        let _ = (footer.may_hold(&entry.key), footer.block_of(&entry.key));
    }
    Ok(entries)
}
