//! Whether the ETag that a PUT was answered with can be that of what was put.
//!
//! A commit is made on the condition that HEAD has the ETag which the last PUT was answered with. An answer that carries
//! the ETag of somebody else's newer HEAD would let the next commit overwrite what nobody here has seen; one that a gateway
//! made up would let HEAD name an object that was never stored. Most stores' ETags are the MD5 of the content, which tells; those of encrypted buckets are not, and then
//! nothing can be told.

use md5::{Digest as _, Md5};
use parking_lot::Mutex;

use crate::store::ETag;

/// What is known of a bucket's ETags.
#[derive(Debug, Default)]
pub(super) struct ETags(Mutex<Rule>);

#[derive(Debug, Default)]
struct Rule {
    /// One was the MD5 of its content, which does not happen by chance.
    are_md5: bool,
    /// One was held against what was read.
    read: bool,
    /// A PUT was answered with another since.
    doubted: bool,
}

impl ETags {
    /// False if `etag` is not that of what was put, whose MD5 is `digest`.
    pub(super) fn can_be(&self, etag: &ETag, digest: &[u8]) -> bool {
        let mut rule = self.0.lock();
        if is_md5(etag, digest) {
            rule.are_md5 = true;
            return true;
        }
        rule.doubted = rule.are_md5;
        !rule.are_md5
    }

    /// Learns from a whole object that was read: the first, since who opens a manifest reads its HEAD, and one after each
    /// doubt. Answers to PUTs alone, however many, must not end a doubt: a gateway that makes up one ETag makes up the next. A
    /// bucket whose encryption was changed shows it in what is read.
    pub(super) fn learn(&self, etag: &ETag, content: &[u8]) {
        let mut rule = self.0.lock();
        if rule.read && !rule.doubted {
            return;
        }
        *rule = Rule {
            are_md5: is_md5(etag, &Md5::digest(content)),
            read: true,
            doubted: false,
        };
    }
}

fn is_md5(etag: &ETag, digest: &[u8]) -> bool {
    let hex = etag.as_str().trim_matches('"').as_bytes();
    hex.len() == digest.len() * 2
        && hex.chunks(2).zip(digest).all(|(pair, byte)| {
            std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                == Some(*byte)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5_OF_ABC: &str = "\"900150983cd24fb0d6963f7d28e17f72\"";

    fn judge(etags: &ETags, etag: &str) -> bool {
        etags.can_be(&ETag::new(etag), &Md5::digest(b"abc"))
    }

    #[test]
    fn once_etags_are_known_to_be_md5_another_is_not_believed() {
        let etags = ETags::default();
        assert!(judge(&etags, "\"anything\""), "nothing is known yet");
        assert!(judge(&etags, MD5_OF_ABC));
        assert!(!judge(&etags, "\"anything\""));
        assert!(!judge(&etags, "\"00000000000000000000000000000000\""));
        assert!(judge(&etags, MD5_OF_ABC));
    }

    #[test]
    fn what_was_read_tells_too() {
        let etags = ETags::default();
        etags.learn(&ETag::new(MD5_OF_ABC), b"abc");
        assert!(!judge(&etags, "\"anything\""));
    }

    #[test]
    fn answers_to_puts_end_no_doubt_however_many() {
        let etags = ETags::default();
        assert!(judge(&etags, MD5_OF_ABC));
        for number in 0..1_000 {
            assert!(!judge(&etags, &format!("\"{number}\"")));
        }
        etags.learn(&ETag::new(MD5_OF_ABC), b"abc");
        assert!(!judge(&etags, "\"anything\""), "what is read has the old rule");
    }

    #[test]
    fn a_bucket_whose_encryption_was_changed_shows_it_in_what_is_read() {
        let etags = ETags::default();
        etags.learn(&ETag::new(MD5_OF_ABC), b"abc");
        // Nobody doubts: nothing is worked out again.
        etags.learn(&ETag::new("\"another\""), b"abc");
        assert!(!judge(&etags, "\"another\""));
        etags.learn(&ETag::new("\"another\""), b"abc");
        assert!(judge(&etags, "\"yet another\""));
        assert!(judge(&etags, MD5_OF_ABC), "and back");
        assert!(!judge(&etags, "\"another\""));
    }
}
