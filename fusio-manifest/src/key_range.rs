//! Ranges of keys.

use std::ops::Bound;

use bytes::Bytes;

/// A range of keys, in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    pub(crate) start: Bound<Bytes>,
    pub(crate) end: Bound<Bytes>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
        }
    }

    /// From `start` on, up to but without `end`.
    pub fn between(start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Self {
        Self::bounds(Bound::Included(start), Bound::Excluded(end))
    }

    /// From `start` on.
    pub fn from(start: impl AsRef<[u8]>) -> Self {
        Self::bounds(Bound::Included(start), Bound::<&[u8]>::Unbounded)
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        let prefix = prefix.as_ref();
        // The end is the prefix with its last byte raised; bytes of 0xff cannot be and go.
        let end = prefix.iter().rposition(|byte| *byte != 0xff).map(|last| {
            let mut end = prefix.get(..=last).unwrap_or_default().to_vec();
            if let Some(byte) = end.last_mut() {
                *byte += 1;
            }
            end
        });
        Self::bounds(
            Bound::Included(prefix),
            end.map_or(Bound::Unbounded, Bound::Excluded),
        )
    }

    /// Between any two bounds.
    pub fn bounds(start: Bound<impl AsRef<[u8]>>, end: Bound<impl AsRef<[u8]>>) -> Self {
        Self {
            start: start.map(|key| Bytes::copy_from_slice(key.as_ref())),
            end: end.map(|key| Bytes::copy_from_slice(key.as_ref())),
        }
    }

    /// True if the key lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        let after_start = match &self.start {
            Bound::Included(start) => key >= start.as_ref(),
            Bound::Excluded(start) => key > start.as_ref(),
            Bound::Unbounded => true,
        };
        let before_end = match &self.end {
            Bound::Included(end) => key <= end.as_ref(),
            Bound::Excluded(end) => key < end.as_ref(),
            Bound::Unbounded => true,
        };
        after_start && before_end
    }

    /// True if no key can lie in it. Ordered maps panic when they are asked for such a range.
    pub(crate) fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_what_begins_with_it() {
        let range = KeyRange::prefix("a/");
        assert!(range.contains(b"a/") && range.contains(b"a/\xff\xff"));
        assert!(!range.contains(b"a") && !range.contains(b"a0"));
        let high = KeyRange::prefix([1, 0xff]);
        assert!(high.contains(&[1, 0xff, 0xff]) && !high.contains(&[2]));
        assert!(KeyRange::prefix([0xff]).contains(&[0xff, 0xff, 0xff]));
        assert!(KeyRange::prefix("").contains(b"x"));
    }

    #[test]
    fn between_is_half_open() {
        let range = KeyRange::between("b", "d");
        assert!(
            !range.contains(b"a") && range.contains(b"b") && range.contains(b"cz") && !range.contains(b"d")
        );
    }

    #[test]
    fn ranges_that_hold_nothing_are_known() {
        assert!(KeyRange::between("b", "b").is_empty());
        assert!(KeyRange::between("c", "b").is_empty());
        assert!(!KeyRange::between("b", "c").is_empty());
        assert!(!KeyRange::all().is_empty());
        let one = KeyRange::bounds(Bound::Included("b"), Bound::Included("b"));
        assert!(!one.is_empty() && one.contains(b"b"));
    }
}
