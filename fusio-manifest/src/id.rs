//! Names: of manifests, transactions, HEADs and objects, and the one place that builds object keys.

use std::fmt;

use crate::{
    entropy::{Entropy, EntropyFailed},
    error::Result,
    limits::check_prefix,
};

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

/// Where an immutable object lies, which is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Folder {
    Log,
    Table,
    Pin,
    List,
}

impl Folder {
    const ALL: [Self; 4] = [Self::Log, Self::Table, Self::Pin, Self::List];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Table => "table",
            Self::Pin => "pin",
            Self::List => "list",
        }
    }

    /// As lists of objects to be collected say it.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Log => 1,
            Self::Table => 2,
            Self::Pin => 3,
            Self::List => 4,
        }
    }

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|folder| folder.number() == number)
    }
}

impl ObjectName {
    const EPOCH_DIGITS: usize = 16;
    const NONCE_DIGITS: usize = 32;

    fn parse(name: &str) -> Option<Self> {
        let (epoch, nonce) = name.split_once('-')?;
        let is = |digits: &str, count| {
            digits.len() == count
                && digits
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !is(epoch, Self::EPOCH_DIGITS) || !is(nonce, Self::NONCE_DIGITS) {
            return None;
        }
        Some(Self {
            epoch: u64::from_str_radix(epoch, 16).ok()?,
            nonce: Nonce::from_bits(u128::from_str_radix(nonce, 16).ok()?),
        })
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
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let prefix = match check_prefix(prefix)? {
            "" => String::new(),
            inner => format!("{inner}/"),
        };
        let head = format!("{prefix}HEAD");
        Ok(Self { prefix, head })
    }

    /// The key of HEAD.
    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    /// The key of an immutable object.
    pub(crate) fn object(&self, manifest: ManifestId, folder: Folder, name: ObjectName) -> String {
        format!("{}{manifest}/{}/{name}", self.prefix, folder.name())
    }

    /// What the keys of all immutable objects of a manifest begin with.
    pub(crate) fn objects(&self, manifest: ManifestId) -> String {
        format!("{}{manifest}/", self.prefix)
    }

    /// The immutable object of a manifest that has this key; none if this engine gives no such key to any.
    pub(crate) fn parse(&self, manifest: ManifestId, key: &str) -> Option<(Folder, ObjectName)> {
        let (folder, name) = key.strip_prefix(&self.objects(manifest))?.split_once('/')?;
        let folder = Folder::ALL.into_iter().find(|known| known.name() == folder)?;
        Some((folder, ObjectName::parse(name)?))
    }

    /// True if this engine gives `key` to an immutable object of any manifest below the prefix: what looks nearly like it
    /// is somebody else's.
    pub(crate) fn is_object(&self, key: &str) -> bool {
        manifest_of(&self.prefix, key).is_some_and(|manifest| self.parse(manifest, key).is_some())
    }

    /// What every key below this manifest's prefix begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// The manifest whose folder below `prefix` this key lies in (`<32 hex digits>/...`).
pub(crate) fn manifest_of(prefix: &str, key: &str) -> Option<ManifestId> {
    let (id, _) = key.strip_prefix(prefix)?.split_once('/')?;
    is_id(id).then(|| u128::from_str_radix(id, 16).ok().map(ManifestId::from_bits))?
}

/// True if `key` is one that the probe of a store uses below `prefix` (`probe-<32 hex digits>/...`).
pub(crate) fn is_probe_object(prefix: &str, key: &str) -> bool {
    key.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix("probe-"))
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(nonce, _)| is_id(nonce))
}

fn is_id(digits: &str) -> bool {
    digits.len() == 32
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_lose_their_outer_slashes() {
        for (prefix, head) in [("/a/b/", "a/b/HEAD"), ("a/b", "a/b/HEAD"), ("", "HEAD")] {
            assert_eq!(Keys::new(prefix).unwrap().head(), head);
        }
    }

    #[test]
    fn manifest_objects_are_told_from_other_keys() {
        let (keys, id) = (Keys::new("a").unwrap(), "0".repeat(32));
        let name = ObjectName {
            epoch: 1,
            nonce: Nonce::from_bits(0xff),
        };
        let key = keys.object(ManifestId::from_bits(0), Folder::Log, name);
        assert_eq!(
            key,
            format!("a/{id}/log/0000000000000001-000000000000000000000000000000ff")
        );
        assert!(keys.is_object(&key));
        assert!(!keys.is_object("a/HEAD"));
        assert!(!keys.is_object(&format!("b/{id}/log/x")));
        assert!(!keys.is_object(&format!("a/{id}/other/x")));
        assert!(!keys.is_object("a/not-an-id/log/x"));
        assert!(!keys.is_object(&format!("a/{id}/log/2026-01-01.txt")));
        assert!(!keys.is_object(&format!("{key}/x")));
    }

    #[test]
    fn keys_of_objects_are_read_as_they_are_built_and_no_others() {
        let (keys, manifest) = (Keys::new("a").unwrap(), ManifestId::from_bits(7));
        let name = ObjectName {
            epoch: 0x10,
            nonce: Nonce::from_bits(0xfe),
        };
        for folder in Folder::ALL {
            let key = keys.object(manifest, folder, name);
            assert_eq!(keys.parse(manifest, &key), Some((folder, name)));
            assert_eq!(Folder::from_number(folder.number()), Some(folder));
            assert_eq!(keys.parse(ManifestId::from_bits(8), &key), None);
            for foreign in [
                format!("{key}0"),
                format!("{key}/x"),
                key.replace("-0", "-+"),
                key.to_uppercase(),
            ] {
                assert_eq!(keys.parse(manifest, &foreign), None, "{foreign}");
            }
        }
        assert_eq!(
            keys.parse(manifest, &format!("{}other/{name}", keys.objects(manifest))),
            None
        );
    }

    #[test]
    fn every_key_that_can_be_named_lies_below_the_prefix() {
        let numbers = [0, 1, u128::from(u64::MAX), u128::MAX];
        for prefix in ["", "a", "a/b", "\u{e9} %2F"] {
            let keys = Keys::new(prefix).unwrap();
            for (manifest, nonce) in numbers
                .iter()
                .flat_map(|one| numbers.iter().map(move |other| (one, other)))
            {
                for (folder, epoch) in Folder::ALL
                    .into_iter()
                    .flat_map(|folder| [(folder, 0), (folder, u64::MAX)])
                {
                    let nonce = Nonce::from_bits(*nonce);
                    let key = keys.object(
                        ManifestId::from_bits(*manifest),
                        folder,
                        ObjectName { epoch, nonce },
                    );
                    let name = key.strip_prefix(keys.prefix()).unwrap();
                    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-');
                    assert!(name.bytes().all(letters) && !name.contains("//"), "{key}");
                    assert!(keys.prefix().is_empty() || key.starts_with(prefix), "{key}");
                    assert!(name.len() <= 100, "{key}");
                }
            }
        }
    }

    #[test]
    fn ids_survive_their_bytes() {
        let id = TransactionId::from_bits(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(TransactionId::from_slice(&id.to_bytes()), Some(id));
        assert_eq!(TransactionId::from_slice(&[0; 15]), None);
        assert_eq!(id.to_string(), "0123456789abcdef0011223344556677");
    }
}
