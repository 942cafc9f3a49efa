//! Digests of a body: the ETag, and those that the client sent with it.

use http::HeaderMap;
use md5::{Digest as _, Md5};
use s3s::{
    S3Result,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256},
    dto::{ETag, PutObjectInput},
    s3_error,
};

/// The digests that a PUT claims, from its headers or from the trailers of a streamed body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claimed {
    md5: Option<String>,
    crc32: Option<String>,
    crc32c: Option<String>,
    crc64nvme: Option<String>,
    sha1: Option<String>,
    sha256: Option<String>,
}

impl Claimed {
    pub(super) fn of(input: &PutObjectInput, trailers: Option<&HeaderMap>) -> Self {
        let find = |header: &Option<String>, name: &str| {
            let trailer = || trailers?.get(name)?.to_str().ok().map(str::to_owned);
            header.clone().or_else(trailer)
        };
        Self {
            md5: input.content_md5.clone(),
            crc32: find(&input.checksum_crc32, "x-amz-checksum-crc32"),
            crc32c: find(&input.checksum_crc32c, "x-amz-checksum-crc32c"),
            crc64nvme: find(&input.checksum_crc64nvme, "x-amz-checksum-crc64nvme"),
            sha1: find(&input.checksum_sha1, "x-amz-checksum-sha1"),
            sha256: find(&input.checksum_sha256, "x-amz-checksum-sha256"),
        }
    }

    /// The ETag of the body, if every claim holds; else 400.
    pub(super) fn verify(&self, body: &[u8]) -> S3Result<ETag> {
        let md5: [u8; 16] = Md5::digest(body).into();
        if self.md5.as_ref().is_some_and(|claim| *claim != base64(&md5)) {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        self.verify_checksums(body)?;
        Ok(ETag::Strong(hex(&md5)))
    }

    fn verify_checksums(&self, body: &[u8]) -> S3Result<()> {
        let mut hasher = ChecksumHasher {
            crc32: self.crc32.as_ref().map(|_| Crc32::new()),
            crc32c: self.crc32c.as_ref().map(|_| Crc32c::new()),
            sha1: self.sha1.as_ref().map(|_| Sha1::new()),
            sha256: self.sha256.as_ref().map(|_| Sha256::new()),
            crc64nvme: self.crc64nvme.as_ref().map(|_| Crc64Nvme::new()),
        };
        hasher.update(body);
        let computed = hasher.finalize();
        let computed = Self {
            md5: self.md5.clone(),
            crc32: computed.checksum_crc32,
            crc32c: computed.checksum_crc32c,
            crc64nvme: computed.checksum_crc64nvme,
            sha1: computed.checksum_sha1,
            sha256: computed.checksum_sha256,
        };
        if computed != *self {
            return Err(s3_error!(
                BadDigest,
                "The x-amz-checksum you specified did not match what we received."
            ));
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|n| char::from_digit(n.into(), 16))
        .collect()
}

/// The standard alphabet with padding, as Content-MD5 wants it.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_usize, |group, byte| (group << 8) | usize::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET
                .get((group >> (18 - 6 * place)) & 63)
                .filter(|_| place <= chunk.len());
            text.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_and_hex_agree_with_rfc_examples() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
        assert_eq!(hex(&[0, 0x1f, 0xa0]), "001fa0");
    }

    #[test]
    fn the_etag_is_the_md5_of_the_body() {
        let etag = Claimed::default().verify(b"").unwrap();
        assert_eq!(etag, ETag::Strong("d41d8cd98f00b204e9800998ecf8427e".to_owned()));
    }

    #[test]
    fn every_claim_is_checked() {
        let right = || Claimed {
            md5: Some("JfnnlDI7RTiF9RgfG2JNCw==".to_owned()),
            crc32: Some("y/Q5Jg==".to_owned()),
            crc32c: Some("4waSgw==".to_owned()),
            sha1: Some("98O8HYCOBHMq32eZZczDTKeuNEE=".to_owned()),
            ..Claimed::default()
        };
        let body = b"123456789";
        assert!(right().verify(body).is_ok());
        for spoil in [
            |claimed: &mut Claimed| claimed.md5 = Some("XUFAKrxLKna5cZ2REBfFkg==".to_owned()),
            |claimed: &mut Claimed| claimed.crc32 = Some("AAAAAA==".to_owned()),
            |claimed: &mut Claimed| claimed.crc32c = Some("AAAAAA==".to_owned()),
            |claimed: &mut Claimed| claimed.crc64nvme = Some("AAAAAAAAAAA=".to_owned()),
            |claimed: &mut Claimed| claimed.sha1 = Some(String::new()),
            |claimed: &mut Claimed| claimed.sha256 = Some("no".to_owned()),
        ] {
            let mut wrong = right();
            spoil(&mut wrong);
            assert_eq!(wrong.verify(body).unwrap_err().code().as_str(), "BadDigest");
        }
    }
}
