//! What every stored object begins with, and how its bytes are checked before anything in them is believed.
//!
//! ```text
//! offset  bytes  field
//!      0      4  magic "FMAN"
//!      4      1  kind of object
//!      5      1  format version
//!      6      2  zero
//!      8     16  manifest id
//!     24      8  length of the body, little endian
//!     32      4  CRC32C of the body, little endian
//!     36      4  CRC32C of bytes 0 to 35, little endian
//!     40         body
//! ```

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::{
    error::{Error, ErrorKind},
    id::ManifestId,
};

/// The bytes before the body.
pub(crate) const HEADER_BYTES: usize = 40;
/// The one format version that this code writes, and the newest that it reads.
pub(crate) const FORMAT_VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"FMAN";

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Head = 1,
    Log = 2,
    Table = 3,
    Pin = 4,
    List = 5,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Head, Self::Log, Self::Table, Self::Pin, Self::List];
}

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("damaged: {0}")]
    Damaged(String),
    #[error("not an object of a manifest: it does not begin with its magic bytes")]
    Foreign,
    #[error(
        "written in format version {found}, this program reads up to {FORMAT_VERSION}: upgrade the program"
    )]
    NewerVersion { found: u8 },
    #[error("needs features that this program does not know (bits {bits:#x}): upgrade the program")]
    UnknownFeatures { bits: u64 },
}

impl FormatError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    /// As a reader of that object is told.
    pub(crate) fn in_object(&self, key: &str) -> Error {
        let kind = match self {
            Self::NewerVersion { .. } | Self::UnknownFeatures { .. } => ErrorKind::Unsupported,
            Self::Damaged(_) | Self::Foreign => ErrorKind::Corrupt,
        };
        Error::new(kind, format!("object {key}: {self}"))
    }
}

/// Puts the header before `body`.
pub(crate) fn seal(kind: Kind, manifest: ManifestId, body: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(HEADER_BYTES + body.len());
    framed.put_slice(&header(kind, manifest, body));
    framed.put_slice(body);
    framed.freeze()
}

/// The header that belongs before `body`.
pub(crate) fn header(kind: Kind, manifest: ManifestId, body: &[u8]) -> BytesMut {
    let mut header = BytesMut::with_capacity(HEADER_BYTES);
    header.put_slice(&MAGIC);
    header.put_u8(kind as u8);
    header.put_u8(FORMAT_VERSION);
    header.put_u16_le(0);
    header.put_slice(&manifest.to_bytes());
    header.put_u64_le(body.len() as u64);
    header.put_u32_le(crc32c::crc32c(body));
    let checksum = crc32c::crc32c(&header);
    header.put_u32_le(checksum);
    header
}

/// What a header says of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    kind: u8,
    pub(crate) manifest: ManifestId,
    /// The length of the body.
    pub(crate) length: u64,
    /// The checksum of the body.
    pub(crate) crc32c: u32,
}

impl Header {
    /// Reads the header that an object begins with, and checks it by its own checksum.
    pub(crate) fn read(framed: &[u8]) -> Result<Self, FormatError> {
        if framed.get(..MAGIC.len()) != Some(MAGIC.as_slice()) {
            return Err(FormatError::Foreign);
        }
        let Some(mut header) = framed.get(..HEADER_BYTES) else {
            return Err(FormatError::damaged(format!(
                "{} bytes are less than its header",
                framed.len()
            )));
        };
        let claimed = crc32c::crc32c(header.get(..HEADER_BYTES - 4).unwrap_or_default());
        header.advance(MAGIC.len());
        let kind = header.get_u8();
        let version = header.get_u8();
        // Before the checksum: a later version may lay out the rest of the header in another way.
        if version > FORMAT_VERSION {
            return Err(FormatError::NewerVersion { found: version });
        }
        header.advance(2);
        let manifest = ManifestId::from_slice(header.get(..16).unwrap_or_default())
            .ok_or_else(|| FormatError::damaged("no manifest id"))?;
        header.advance(16);
        let length = header.get_u64_le();
        let crc32c = header.get_u32_le();
        if header.get_u32_le() != claimed {
            return Err(FormatError::damaged("its header does not match its checksum"));
        }
        if version == 0 {
            return Err(FormatError::damaged("format version 0"));
        }
        Ok(Self {
            kind,
            manifest,
            length,
            crc32c,
        })
    }

    /// The kind of the object, if this version knows it.
    pub(crate) fn kind(&self) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == self.kind)
    }
}

/// Checks the header and the body's checksum, and returns whose object it is and its body.
pub(crate) fn open(kind: Kind, mut framed: Bytes) -> Result<(ManifestId, Bytes), FormatError> {
    let header = Header::read(&framed)?;
    let body = framed.split_off(HEADER_BYTES);
    if header.kind != kind as u8 {
        return Err(FormatError::damaged(format!(
            "kind {} where kind {} belongs",
            header.kind, kind as u8
        )));
    }
    if header.length != body.len() as u64 {
        return Err(FormatError::damaged(format!(
            "{} bytes of body where {} belong",
            body.len(),
            header.length
        )));
    }
    if crc32c::crc32c(&body) != header.crc32c {
        return Err(FormatError::damaged("its body does not match its checksum"));
    }
    Ok((header.manifest, body))
}

/// True if a header does not match its own checksum, as this version lays them out: of one that says it is of a later
/// version this means that it is damaged, or laid out anew.
pub(crate) fn has_wrong_header(framed: &[u8]) -> bool {
    let (Some(fields), Some(mut stored)) = (
        framed.get(..HEADER_BYTES - 4),
        framed.get(HEADER_BYTES - 4..HEADER_BYTES),
    ) else {
        return true;
    };
    crc32c::crc32c(fields) != stored.get_u32_le()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: ManifestId = ManifestId::from_bits(7);

    #[test]
    fn a_sealed_body_comes_back() {
        let framed = seal(Kind::Head, MANIFEST, b"body");
        assert_eq!(
            open(Kind::Head, framed),
            Ok((MANIFEST, Bytes::from_static(b"body")))
        );
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_found() {
        let framed = seal(Kind::Head, MANIFEST, b"some body");
        for bit in 0..framed.len() * 8 {
            let mut bytes = framed.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open(Kind::Head, bytes.into()).is_err(), "bit {bit}");
        }
        for length in 0..framed.len() {
            assert!(
                open(Kind::Head, framed.slice(..length)).is_err(),
                "cut to {length}"
            );
        }
    }

    #[test]
    fn a_newer_version_says_upgrade() {
        let mut bytes = seal(Kind::Head, MANIFEST, b"").to_vec();
        bytes[5] = FORMAT_VERSION + 1;
        let error = open(Kind::Head, bytes.into()).unwrap_err();
        assert_eq!(
            error,
            FormatError::NewerVersion {
                found: FORMAT_VERSION + 1
            }
        );
        assert!(error.to_string().contains("upgrade"));
    }

    #[test]
    fn a_length_that_lies_is_refused_before_it_is_believed() {
        let mut bytes = seal(Kind::Head, MANIFEST, b"x").to_vec();
        bytes[24..32].copy_from_slice(&(4_u64 << 30).to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..36]);
        bytes[36..40].copy_from_slice(&checksum.to_le_bytes());
        let error = open(Kind::Head, bytes.into()).unwrap_err();
        assert!(error.to_string().contains("4294967296"), "{error}");
    }
}
