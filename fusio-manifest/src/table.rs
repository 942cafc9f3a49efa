//! Tables: immutable, sorted, read a block at a time.
//!
//! ```text
//! header    40 bytes, as of every object (frame.rs)
//! blocks    each a codec byte and entries in the order of their keys (table/block.rs)
//! footer    a `TableFooter` (proto/head.proto): where each block lies, its checksum, a filter of all keys
//! ```
//!
//! HEAD names a table with the place of its footer and the footer's checksum, and the footer has the checksum of
//! each block. So whoever reads a footer and a block, by two range GETs, knows that both are what was written for
//! this very reference, whatever lies under the object's name by now.

pub(crate) use block::Block;
pub(crate) use footer::{BlockHandle, Footer};
pub(crate) use writer::{Built, TableWriter, lower_bound};

mod block;
mod filter;
mod footer;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzed;
#[cfg(test)]
mod tests;
mod writer;

/// The longest key that still separates `before` from `after`, which is greater: not less than `after` is made by
/// leaving out what only tells `after` from what follows.
fn separator<'a>(before: &[u8], after: &'a [u8]) -> &'a [u8] {
    let common = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    after.get(..=common).unwrap_or(after)
}

/// A short key that is not less than `last`.
fn upper_bound(last: &[u8]) -> Vec<u8> {
    const BYTES: usize = 32;
    let Some(head) = last.get(..BYTES).filter(|_| last.len() > BYTES) else {
        return last.to_vec();
    };
    // The prefix with its last byte raised is greater than all that begins with it.
    match head.iter().rposition(|byte| *byte != u8::MAX) {
        Some(raised) => {
            let mut bound = head.get(..=raised).unwrap_or(head).to_vec();
            if let Some(byte) = bound.last_mut() {
                *byte += 1;
            }
            bound
        }
        None => last.to_vec(),
    }
}
