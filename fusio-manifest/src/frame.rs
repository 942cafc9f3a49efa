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

/// Checks the header and the body's checksum, and returns whose object it is and its body.
pub(crate) fn open(kind: Kind, mut framed: Bytes) -> Result<(ManifestId, Bytes), FormatError> {
    if framed.get(..MAGIC.len()) != Some(MAGIC.as_slice()) {
        return Err(FormatError::Foreign);
    }
    if framed.len() < HEADER_BYTES {
        return Err(FormatError::damaged(format!(
            "{} bytes are less than its header",
            framed.len()
        )));
    }
    let mut header = framed.split_to(HEADER_BYTES);
    let claimed = crc32c::crc32c(header.get(..HEADER_BYTES - 4).unwrap_or_default());
    header.advance(MAGIC.len());
    let found_kind = header.get_u8();
    let version = header.get_u8();
    // Before the checksum: a later version may lay out the rest of the header in another way.
    if version > FORMAT_VERSION {
        return Err(FormatError::NewerVersion { found: version });
    }
    header.advance(2);
    let manifest =
        ManifestId::from_slice(&header.split_to(16)).ok_or_else(|| FormatError::damaged("no manifest id"))?;
    let length = header.get_u64_le();
    let body_checksum = header.get_u32_le();
    if header.get_u32_le() != claimed {
        return Err(FormatError::damaged("its header does not match its checksum"));
    }
    if version == 0 {
        return Err(FormatError::damaged("format version 0"));
    }
    if found_kind != kind as u8 {
        return Err(FormatError::damaged(format!(
            "kind {found_kind} where kind {} belongs",
            kind as u8
        )));
    }
    if length != framed.len() as u64 {
        return Err(FormatError::damaged(format!(
            "{} bytes of body where {length} belong",
            framed.len()
        )));
    }
    if crc32c::crc32c(&framed) != body_checksum {
        return Err(FormatError::damaged("its body does not match its checksum"));
    }
    Ok((manifest, framed))
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
