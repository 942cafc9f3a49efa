//! The bytes of one PUT of HEAD.

use std::sync::Arc;

use bytes::Bytes;

use super::fate::Evidence;
use crate::{
    error::{Error, ErrorKind, Result},
    head::{Change, Edit, Head},
    head_cache::HeadCache,
    id::{Nonce, TransactionId},
    log_store::Logged,
    mutant::Broken,
    state::State,
    store::ETag,
};

/// One HEAD about to be sent.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) base: Arc<State>,
    pub(super) head: Head,
    pub(super) bytes: Bytes,
    nonce: Nonce,
    /// Its first commit; a body that only maintains has none.
    first_commit: Option<TransactionId>,
    /// What it moves of what was committed before.
    pub(super) spills: bool,
    pub(super) folds: bool,
    pub(super) merges: bool,
    /// What it changes beside commits and where they lie.
    pub(super) edit: Option<Edit>,
    /// The log objects that it names first.
    logged: Logged,
}

impl Body {
    pub(super) fn build(
        base: Arc<State>,
        nonce: Nonce,
        change: &Change,
        first_commit: Option<TransactionId>,
        logged: Logged,
    ) -> Result<Self> {
        let broken = |error| Error::new(ErrorKind::Corrupt, format!("building HEAD: {error}"));
        let head = base.head.replaced(nonce, change).map_err(broken)?;
        let bytes = head.encode().map_err(broken)?;
        Ok(Self {
            base,
            head,
            bytes,
            nonce,
            first_commit,
            spills: !change.swaps.is_empty(),
            folds: change.fold.is_some(),
            merges: change.merge.is_some(),
            edit: change.edit.clone(),
            logged,
        })
    }

    /// By what it is recognized in a later HEAD.
    pub(super) fn evidence(&self, broken: Broken) -> Evidence<'_> {
        Evidence {
            broken,
            nonce: self.nonce,
            base_revision: self.base.head.revision,
            base_etag: &self.base.etag,
            commit: self
                .first_commit
                .map(|id| (self.base.head.last_txn.saturating_add(1), id)),
        }
    }

    /// The state that it makes once it has landed.
    pub(super) fn state(&self, known: &HeadCache, etag: ETag) -> Result<State> {
        // While it was on the wire its base may have changed over to newer runs.
        let base = match known.current() {
            Ok(certified) if certified.state.etag == self.base.etag => certified.state,
            Ok(_) | Err(_) => Arc::clone(&self.base),
        };
        base.follow(self.head.clone(), etag, self.bytes.len(), &self.logged)
    }

    pub(super) fn nonce(&self) -> Nonce {
        self.nonce
    }
}
