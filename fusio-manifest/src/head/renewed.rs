//! The HEAD with which a manifest goes on in another place, or where its own was lost.

use super::{Head, NONCES_KEPT};
use crate::{frame::FormatError, id::Nonce};

impl Head {
    /// The same state and pins as a HEAD of its own: with a nonce that no other has, so that its bytes and its ETag never
    /// were, without the collection that was under way, and not behind `epoch`.
    ///
    /// What was folded is named only where the reference tells by itself what its commit was: its object stays behind.
    pub(crate) fn renewed(&self, nonce: Nonce, epoch: u64) -> Result<Self, FormatError> {
        let mut next = self.clone();
        next.revision = next.revision.saturating_add(1);
        next.nonces.push((next.revision, nonce));
        next.nonces.drain(..next.nonces.len().saturating_sub(NONCES_KEPT));
        next.epoch = next.epoch.max(epoch);
        next.collection = None;
        next.folded.retain(|reference| reference.id.is_some());
        next.check()?;
        Ok(next)
    }
}
