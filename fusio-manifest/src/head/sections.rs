//! HEAD's body: a directory of sections, each with a checksum of its own, so that a reader may one day fetch
//! the first bytes only and still check what it got.
//!
//! ```text
//! bytes      field (little endian)
//!     2      number of sections, n
//! n * 12     for each: kind (2), zero (2), length (4), CRC32C (4)
//!     4      CRC32C of the above
//!            the sections, in the directory's order
//! ```

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::frame::FormatError;

/// What a section holds. A reader passes over kinds that it does not know: the feature bits say whether it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Meta = 1,
    Inline = 2,
    Log = 3,
    Runs = 4,
    Upkeep = 5,
}

const ENTRY_BYTES: usize = 12;
const SECTIONS_MAX: usize = 64;

/// Lays out the sections behind their directory.
pub(super) fn join(sections: &[(Section, BytesMut)]) -> Result<BytesMut, FormatError> {
    let total: usize = sections.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut body = BytesMut::with_capacity(6 + sections.len() * ENTRY_BYTES + total);
    let too_long = |_| FormatError::damaged("a section over 4 GiB");
    body.put_u16_le(u16::try_from(sections.len()).map_err(too_long)?);
    for (kind, bytes) in sections {
        body.put_u16_le(*kind as u16);
        body.put_u16_le(0);
        body.put_u32_le(u32::try_from(bytes.len()).map_err(too_long)?);
        body.put_u32_le(crc32c::crc32c(bytes));
    }
    let checksum = crc32c::crc32c(&body);
    body.put_u32_le(checksum);
    for (_, bytes) in sections {
        body.put_slice(bytes);
    }
    Ok(body)
}

/// One section as the directory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(super) kind: u16,
    /// Where it begins in the body.
    pub(crate) start: usize,
    /// Its length by the directory.
    pub(crate) bytes: usize,
    /// It is there, whole and as its checksum says.
    pub(crate) sound: bool,
}

impl Extent {
    /// The word for what it holds.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            1 => "meta",
            2 => "inline",
            3 => "log",
            4 => "runs",
            5 => "upkeep",
            _ => "unknown",
        }
    }
}

/// Where the sections of a body lie and which of them are sound, also of a body that is damaged; none if its directory
/// is.
pub(crate) fn extents(body: &[u8]) -> Option<Vec<Extent>> {
    let count = usize::from(body.get(..2)?.get_u16_le());
    let entries = 2 + count * ENTRY_BYTES;
    let mut directory = body.get(..entries)?;
    let checksum = body.get(entries..entries + 4)?.get_u32_le();
    if count > SECTIONS_MAX || crc32c::crc32c(directory) != checksum {
        return None;
    }
    directory.advance(2);
    let mut start = entries + 4;
    let mut extents = Vec::with_capacity(count);
    for _ in 0..count {
        let kind = directory.get_u16_le();
        directory.advance(2);
        let bytes = usize::try_from(directory.get_u32_le()).ok()?;
        let checksum = directory.get_u32_le();
        let section = body.get(start..start.saturating_add(bytes));
        extents.push(Extent {
            kind,
            start,
            bytes,
            sound: section.is_some_and(|section| crc32c::crc32c(section) == checksum),
        });
        start = start.saturating_add(bytes);
    }
    Some(extents)
}

/// The sections of a body, checked, to be taken by kind.
pub(super) struct Sections(Vec<(u16, Bytes)>);

impl Sections {
    pub(super) fn split(mut body: Bytes) -> Result<Self, FormatError> {
        let short = || FormatError::damaged("its directory of sections is cut off");
        let count = usize::from(body.get(..2).ok_or_else(short)?.get_u16_le());
        if count > SECTIONS_MAX {
            return Err(FormatError::damaged(format!(
                "{count} sections, {SECTIONS_MAX} at most"
            )));
        }
        let entries = 2 + count * ENTRY_BYTES;
        if body.len() < entries + 4 {
            return Err(short());
        }
        let mut directory = body.split_to(entries);
        if crc32c::crc32c(&directory) != body.get_u32_le() {
            return Err(FormatError::damaged("its directory does not match its checksum"));
        }
        directory.advance(2);
        let mut sections = Vec::with_capacity(count);
        for _ in 0..count {
            let kind = directory.get_u16_le();
            directory.advance(2);
            let length = usize::try_from(directory.get_u32_le()).map_err(|_| short())?;
            let checksum = directory.get_u32_le();
            if length > body.len() {
                return Err(FormatError::damaged(format!("section {kind} is cut off")));
            }
            let section = body.split_to(length);
            if crc32c::crc32c(&section) != checksum {
                return Err(FormatError::damaged(format!(
                    "section {kind} does not match its checksum"
                )));
            }
            sections.push((kind, section));
        }
        if !body.is_empty() {
            return Err(FormatError::damaged(format!(
                "{} bytes after its last section",
                body.len()
            )));
        }
        Ok(Self(sections))
    }

    /// Takes the one section of this kind.
    pub(super) fn take(&mut self, kind: Section) -> Result<Bytes, FormatError> {
        let mut found = None;
        self.0.retain(|(number, bytes)| {
            if *number != kind as u16 {
                return true;
            }
            found = match found.take() {
                None => Some(Ok(bytes.clone())),
                Some(_) => Some(Err(FormatError::damaged(format!(
                    "two sections of kind {number}"
                )))),
            };
            false
        });
        found.unwrap_or_else(|| {
            Err(FormatError::damaged(format!(
                "no section of kind {}",
                kind as u16
            )))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Bytes {
        let sections = [
            (Section::Meta, BytesMut::from("meta")),
            (Section::Inline, BytesMut::from("commits")),
        ];
        join(&sections).unwrap().freeze()
    }

    #[test]
    fn sections_come_back_by_kind() {
        let mut sections = Sections::split(body()).unwrap();
        assert_eq!(sections.take(Section::Inline).unwrap(), "commits");
        assert_eq!(sections.take(Section::Meta).unwrap(), "meta");
        assert!(sections.take(Section::Log).is_err());
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let body = body();
        for bit in 0..body.len() * 8 {
            let mut bytes = body.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // The two reserved bytes of an entry are covered by the directory's checksum as well.
            assert!(Sections::split(bytes.into()).is_err(), "bit {bit}");
        }
        for length in 0..body.len() {
            assert!(Sections::split(body.slice(..length)).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn a_damaged_section_is_told_from_sound_ones() {
        let whole = body();
        let sound = |bytes: &[u8]| -> Option<Vec<bool>> {
            Some(extents(bytes)?.iter().map(|extent| extent.sound).collect())
        };
        assert_eq!(sound(&whole), Some(vec![true, true]));
        assert_eq!(sound(&whole[..whole.len() - 1]), Some(vec![true, false]));
        let mut bytes = whole.to_vec();
        bytes[30] ^= 1;
        assert_eq!(sound(&bytes), Some(vec![false, true]));
        bytes[3] ^= 1;
        assert_eq!(sound(&bytes), None, "nobody knows where they lie");
    }

    #[test]
    fn a_section_twice_is_refused() {
        let sections = [
            (Section::Meta, BytesMut::from("a")),
            (Section::Meta, BytesMut::from("b")),
        ];
        let mut sections = Sections::split(join(&sections).unwrap().freeze()).unwrap();
        assert!(sections.take(Section::Meta).is_err());
    }
}
