//! Makes the lengths and the checksums of an object right, whatever its bytes are, and leaves everything else. Of a sound
//! object it changes nothing (tested), so that what is found behind it was put there by a fuzzer.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;

use super::MANIFEST;
use crate::{
    frame::{self, HEADER_BYTES, Kind},
    head::wire,
    id::ManifestId,
    table::fuzzed,
};

/// A section of commits, by its number in the directory.
const INLINE: u16 = 2;
const SECTIONS_MAX: usize = 64;
const ENTRY_BYTES: usize = 12;

/// The body behind a header that is right. Whose object it is stays.
pub(super) fn object(kind: Kind, framed: &[u8], body: impl FnOnce(&[u8]) -> Bytes) -> Bytes {
    frame::seal(
        kind,
        owner(framed),
        &body(framed.get(HEADER_BYTES..).unwrap_or_default()),
    )
}

/// Whose object it says that it is.
fn owner(framed: &[u8]) -> ManifestId {
    let id = framed.get(8..24).and_then(ManifestId::from_slice);
    id.unwrap_or(MANIFEST)
}

pub(super) fn head(framed: &[u8]) -> Bytes {
    object(Kind::Head, framed, sections)
}

pub(super) fn log_object(framed: &[u8]) -> Bytes {
    object(Kind::Log, framed, records)
}

pub(super) fn list(framed: &[u8]) -> Bytes {
    object(Kind::List, framed, Bytes::copy_from_slice)
}

/// The HEAD in it too.
pub(super) fn pin(framed: &[u8]) -> Bytes {
    object(Kind::Pin, framed, head)
}

/// Commits, each behind its length and its checksum. What is cut off ends with the bytes that there are.
fn records(mut rest: &[u8]) -> Bytes {
    let mut sealed = BytesMut::with_capacity(rest.len());
    while let Some((header, after)) = rest.split_at_checked(8) {
        let record = after.get(..number(header, 0)).unwrap_or(after);
        put_length(&mut sealed, record);
        sealed.put_u32_le(crc32c::crc32c(record));
        sealed.put_slice(record);
        rest = after.get(record.len()..).unwrap_or_default();
    }
    sealed.freeze()
}

/// Sections behind their directory; the last one has what is left.
fn sections(body: &[u8]) -> Bytes {
    let count = body
        .first_chunk()
        .map_or(0, |count| usize::from(u16::from_le_bytes(*count)));
    let count = count
        .min(SECTIONS_MAX)
        .min(body.len().saturating_sub(6) / ENTRY_BYTES);
    let (directory, mut rest) = body.split_at_checked(6 + count * ENTRY_BYTES).unwrap_or_default();
    let mut sealed = BytesMut::with_capacity(body.len());
    let mut contents = BytesMut::with_capacity(rest.len());
    sealed.put_u16_le(u16::try_from(count).unwrap_or_default());
    for index in 0..count {
        let entry = directory.get(2 + index * ENTRY_BYTES..).unwrap_or_default();
        let claimed = rest.get(..number(entry, 4)).filter(|_| index + 1 < count);
        let section = claimed.unwrap_or(rest);
        rest = rest.get(section.len()..).unwrap_or_default();
        let kind = entry.first_chunk().map_or(0, |kind| u16::from_le_bytes(*kind));
        let section = match kind {
            INLINE => records(section),
            _ => Bytes::copy_from_slice(section),
        };
        sealed.put_slice(entry.get(..4).unwrap_or_default());
        put_length(&mut sealed, &section);
        sealed.put_u32_le(crc32c::crc32c(&section));
        contents.put_slice(&section);
    }
    let checksum = crc32c::crc32c(&sealed);
    sealed.put_u32_le(checksum);
    sealed.put_slice(&contents);
    sealed.freeze()
}

/// A table whose blocks are where its footer says, with the checksums and the lengths that it says. A `consistent` one has
/// the index, the count and the filter of its entries besides, if all of its blocks are sound. Nothing, of bytes whose footer is no
/// message.
pub(super) fn table(object: &[u8], footer_bytes: usize, consistent: bool) -> Option<(Bytes, usize)> {
    let offset = object.len().checked_sub(footer_bytes)?;
    let mut footer = wire::TableFooter::decode(object.get(offset..)?).ok()?;
    let blocks = object.get(HEADER_BYTES..offset)?;
    footer.manifest = Bytes::copy_from_slice(&owner(object).to_bytes());
    footer.blocks.truncate(blocks.len());
    let (mut rest, last) = (blocks, footer.blocks.len().checked_sub(1)?);
    let mut stored = Vec::new();
    for (index, block) in footer.blocks.iter_mut().enumerate() {
        // One byte at least for each that follows.
        let most = rest.len() - (last - index);
        let claimed = usize::try_from(block.bytes).unwrap_or(usize::MAX).clamp(1, most);
        let (bytes, after) = rest.split_at(if index == last { most } else { claimed });
        rest = after;
        block.bytes = bytes.len() as u64;
        block.crc32c = crc32c::crc32c(bytes);
        block.raw_bytes = fuzzed::raw_bytes(bytes).unwrap_or(block.raw_bytes);
        stored.push(Bytes::copy_from_slice(bytes));
    }
    if consistent {
        fuzzed::make_consistent(&mut footer, &stored)?;
    }
    let mut body = BytesMut::from(blocks);
    let encoded = footer.encode_to_vec();
    body.put_slice(&encoded);
    let header = object.get(..HEADER_BYTES).unwrap_or_default();
    let framed = [header, &body].concat();
    let sealed = self::object(Kind::Table, &framed, Bytes::copy_from_slice);
    Some((sealed, encoded.len()))
}

/// The number of four bytes that stands there.
fn number(bytes: &[u8], at: usize) -> usize {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk);
    four.map_or(0, |four| {
        usize::try_from(u32::from_le_bytes(*four)).unwrap_or(usize::MAX)
    })
}

fn put_length(into: &mut BytesMut, of: &[u8]) {
    into.put_u32_le(u32::try_from(of.len()).unwrap_or(u32::MAX));
}
