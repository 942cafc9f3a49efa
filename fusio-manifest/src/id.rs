//! Names: of manifests, transactions, HEADs and objects, and the one place that builds object keys.

use std::fmt;

use crate::entropy::{Entropy, EntropyFailed};

macro_rules! wide_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// A new one, from 128 random bits.
            pub fn draw(entropy: &dyn Entropy) -> Result<Self, EntropyFailed> {
                entropy.wide().map(Self)
            }

            /// The bits as a number.
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits)
            }

            /// The bits as a number.
            pub const fn bits(self) -> u128 {
                self.0
            }

            pub(crate) fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(|bytes| Self(u128::from_be_bytes(bytes)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

wide_id! {
    /// Names one manifest for all time; drawn by `create`.
    ManifestId
}

wide_id! {
    /// Names one transaction for all time; drawn when it begins. It stands in the log beside the writes, so
    /// that a writer whose reply was lost can find out whether it committed.
    TransactionId
}

wide_id! {
    /// Makes the bytes of a HEAD, or the name of an immutable object, unlike any other.
    Nonce
}

/// Which handle made a HEAD: the first 32 bits of the nonces of all its HEADs, drawn once. It serves fairness and
/// nothing else, so that two handles may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandleTag(u32);

impl HandleTag {
    const BITS: u32 = u32::BITS;

    pub(crate) fn draw(entropy: &dyn Entropy) -> Result<Self, EntropyFailed> {
        Ok(Self::of(Nonce::draw(entropy)?))
    }

    /// Of the handle whose HEAD has this nonce.
    pub(crate) fn of(nonce: Nonce) -> Self {
        Self((nonce.bits() >> (u128::BITS - Self::BITS)) as u32)
    }

    /// A nonce for a HEAD of this handle, with 96 bits of its own.
    pub(crate) fn nonce(self, entropy: &dyn Entropy) -> Result<Nonce, EntropyFailed> {
        let own = Nonce::draw(entropy)?.bits() & (u128::MAX >> Self::BITS);
        Ok(Nonce::from_bits(
            u128::from(self.0) << (u128::BITS - Self::BITS) | own,
        ))
    }
}

/// The name of an immutable object: the epoch of the HEAD that its writer held, and a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    pub(crate) epoch: u64,
    pub(crate) nonce: Nonce,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padded, so that a listing comes in the order of epochs.
        write!(f, "{:016x}-{}", self.epoch, self.nonce)
    }
}

/// Builds the keys of all objects below one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    prefix: String,
    head: String,
}

impl Keys {
    /// `prefix` without slashes at its ends; an empty one means the bucket's root.
    pub(crate) fn new(prefix: &str) -> Self {
        let prefix = match prefix.trim_matches('/') {
            "" => String::new(),
            inner => format!("{inner}/"),
        };
        let head = format!("{prefix}HEAD");
        Self { prefix, head }
    }

    /// The key of HEAD.
    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    /// The key of a log object.
    pub(crate) fn log(&self, manifest: ManifestId, name: ObjectName) -> String {
        format!("{}{manifest}/log/{name}", self.prefix)
    }

    /// The key of a table.
    pub(crate) fn table(&self, manifest: ManifestId, name: ObjectName) -> String {
        format!("{}{manifest}/table/{name}", self.prefix)
    }

    /// What every key below this manifest's prefix begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// True if `key` is one that this engine gives to an immutable object below `prefix`
/// (`<32 hex digits>/<folder>/...`).
pub(crate) fn is_manifest_object(prefix: &str, key: &str) -> bool {
    let Some(rest) = key.strip_prefix(prefix) else {
        return false;
    };
    let mut parts = rest.split('/');
    let (Some(id), Some(folder), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    id.len() == 32
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        && matches!(folder, "log" | "table" | "pin" | "list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_lose_their_outer_slashes() {
        assert_eq!(Keys::new("/a/b/").head(), "a/b/HEAD");
        assert_eq!(Keys::new("a/b").head(), "a/b/HEAD");
        assert_eq!(Keys::new("").head(), "HEAD");
    }

    #[test]
    fn manifest_objects_are_told_from_other_keys() {
        let id = "0".repeat(32);
        let name = ObjectName {
            epoch: 1,
            nonce: Nonce::from_bits(0xff),
        };
        let key = Keys::new("a").log(ManifestId::from_bits(0), name);
        assert_eq!(
            key,
            format!("a/{id}/log/0000000000000001-000000000000000000000000000000ff")
        );
        assert!(is_manifest_object("a/", &key));
        assert!(!is_manifest_object("a/", "a/HEAD"));
        assert!(!is_manifest_object("a/", &format!("b/{id}/log/x")));
        assert!(!is_manifest_object("a/", &format!("a/{id}/other/x")));
        assert!(!is_manifest_object("a/", "a/not-an-id/log/x"));
    }

    #[test]
    fn ids_survive_their_bytes() {
        let id = TransactionId::from_bits(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(TransactionId::from_slice(&id.to_bytes()), Some(id));
        assert_eq!(TransactionId::from_slice(&[0; 15]), None);
        assert_eq!(id.to_string(), "0123456789abcdef0011223344556677");
    }
}
