//! Bytes read as choices. What is cut off reads as zeros, so that every input stands for a sequence, and a byte that changes
//! changes one choice.

use std::ops::Bound;

use bytes::Bytes;
use fusio_manifest::KeyRange;

/// How many keys there are: few, so that transactions meet.
const KEYS: u8 = 14;

#[derive(Debug)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// One of so many.
    pub(crate) fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound.max(1)
    }

    pub(crate) fn index(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let index = self.index(choices.len());
        choices.get(index).copied().unwrap_or_default()
    }

    pub(crate) fn key(&mut self) -> Bytes {
        key(self.below(KEYS))
    }

    /// Of any kind, some of them empty.
    pub(crate) fn range(&mut self) -> KeyRange {
        match self.below(6) {
            0 | 1 => KeyRange::all(),
            2 => KeyRange::between(self.key(), self.key()),
            3 => KeyRange::from(self.key()),
            4 => KeyRange::prefix(self.key().slice(..1)),
            _ => {
                let (start, end) = (self.key(), self.key());
                KeyRange::bounds(Bound::Excluded(start), Bound::Included(end))
            }
        }
    }
}

fn key(number: u8) -> Bytes {
    // Two prefixes, so that there are some to read by.
    let prefix = if number.is_multiple_of(2) { 'a' } else { 'b' };
    Bytes::from(format!("{prefix}{number:02}"))
}
