//! The bytes of one PUT of HEAD, and what a later HEAD proves about them.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    error::{Error, ErrorKind, Result},
    head::{Head, InlineCommit, LogItem},
    id::{Nonce, TransactionId},
    receipt::CommitToken,
    state::State,
    store::ETag,
};

/// One HEAD about to be sent.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) base: Arc<State>,
    pub(super) head: Head,
    pub(super) bytes: Bytes,
}

impl Body {
    pub(super) fn build(base: Arc<State>, nonce: Nonce, commits: &[Arc<InlineCommit>]) -> Result<Self> {
        let broken = |error| Error::new(ErrorKind::Corrupt, format!("building HEAD: {error}"));
        let head = base.head.with_commits(nonce, commits).map_err(broken)?;
        let bytes = head.encode().map_err(broken)?;
        Ok(Self { base, head, bytes })
    }

    /// What `seen` proves about this body.
    pub(super) fn fate(&self, seen: &State) -> Fate {
        let Some(nonce) = self.head.nonce() else {
            return Fate::NotVisible;
        };
        let first = self
            .head
            .inline_commits()
            .find(|commit| commit.txn > self.base.head.last_txn);
        let evidence = Evidence {
            nonce,
            base_revision: self.base.head.revision,
            base_etag: &self.base.etag,
            commit: first.map(|commit| (commit.txn, commit.id)),
        };
        evidence.fate(&seen.head, &seen.etag)
    }
}

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was applied, all of it.
    Landed,
    /// It never was and never will be: HEAD has moved past its base, so its ETag is dead.
    Dead,
    /// HEAD still is its base: it may be applied yet.
    AtBase,
    /// HEAD has moved too far to tell.
    NotVisible,
}

/// By what a body is recognized in a later HEAD.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    pub(crate) nonce: Nonce,
    pub(crate) base_revision: u64,
    pub(crate) base_etag: &'a ETag,
    /// One of its commits: its place and its id. A body that only maintains has none.
    pub(crate) commit: Option<(u64, TransactionId)>,
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(token: &'a CommitToken) -> Self {
        Self {
            nonce: token.body_nonce,
            base_revision: token.base_revision,
            base_etag: &token.base_etag,
            commit: Some((token.expected_txn, token.id)),
        }
    }

    pub(crate) fn fate(&self, head: &Head, etag: &ETag) -> Fate {
        // By revision and ETag, never by the last commit: maintenance moves HEAD and leaves that alone.
        if head.revision == self.base_revision && etag == self.base_etag {
            return Fate::AtBase;
        }
        if head.revision <= self.base_revision {
            return Fate::NotVisible;
        }
        if let Some(nonce) = head.nonce_of(self.base_revision + 1) {
            return if nonce == self.nonce {
                Fate::Landed
            } else {
                Fate::Dead
            };
        }
        let Some((txn, id)) = self.commit else {
            return Fate::NotVisible;
        };
        match id_at(head, txn) {
            Place::Holds(found) if found == id => Fate::Landed,
            Place::Holds(_) | Place::Empty => Fate::Dead,
            Place::Hidden => Fate::NotVisible,
        }
    }
}

/// What HEAD shows at one place in the order of commits.
enum Place {
    Holds(TransactionId),
    /// No commit has taken it yet.
    Empty,
    /// Its id lies in an object, or is gone.
    Hidden,
}

fn id_at(head: &Head, txn: u64) -> Place {
    if txn > head.last_txn {
        return Place::Empty;
    }
    let item = head.log.iter().rev().find(|item| item.first_txn() <= txn);
    let folded = || head.folded.iter().find(|reference| reference.first_txn == txn);
    match item {
        Some(LogItem::Inline(commit)) if commit.txn == txn => Place::Holds(commit.id),
        Some(LogItem::Object(reference)) if reference.first_txn == txn => {
            reference.id.map_or(Place::Hidden, Place::Holds)
        }
        Some(_) => Place::Hidden,
        None => folded()
            .and_then(|reference| reference.id)
            .map_or(Place::Hidden, Place::Holds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{head::Write, id::ManifestId, options::SharedSettings};

    fn commit(txn: u64, id: u128) -> Arc<InlineCommit> {
        let writes = vec![Write {
            key: "k".into(),
            value: None,
        }];
        Arc::new(InlineCommit::new(txn, TransactionId::from_bits(id), writes))
    }

    fn state(head: Head) -> Arc<State> {
        let etag = ETag::new(format!("\"{}\"", head.nonce().unwrap()));
        Arc::new(State::build(head, etag, 0).unwrap())
    }

    fn base() -> Arc<State> {
        state(Head::first(
            ManifestId::from_bits(1),
            Nonce::from_bits(1),
            SharedSettings::default(),
        ))
    }

    fn body(base: &Arc<State>) -> Body {
        Body::build(Arc::clone(base), Nonce::from_bits(77), &[commit(1, 7)]).unwrap()
    }

    /// `head`, replaced `times` by HEADs that commit nothing.
    fn maintained(mut head: Head, times: u128) -> Head {
        for nonce in 0..times {
            head = head.with_commits(Nonce::from_bits(1_000 + nonce), &[]).unwrap();
        }
        head
    }

    #[test]
    fn a_body_is_at_base_until_head_moves() {
        let base = base();
        assert_eq!(body(&base).fate(&base), Fate::AtBase);
    }

    #[test]
    fn its_nonce_in_the_ring_proves_that_it_landed() {
        let base = base();
        let body = body(&base);
        assert_eq!(body.fate(&state(body.head.clone())), Fate::Landed);
        assert_eq!(body.fate(&state(maintained(body.head.clone(), 15))), Fate::Landed);
    }

    #[test]
    fn past_the_ring_its_id_in_the_log_proves_that_it_landed() {
        let base = base();
        let body = body(&base);
        assert_eq!(body.fate(&state(maintained(body.head.clone(), 40))), Fate::Landed);
    }

    #[test]
    fn a_foreign_commit_in_its_place_proves_that_it_is_dead() {
        let base = base();
        let body = body(&base);
        let other = base
            .head
            .with_commits(Nonce::from_bits(5), &[commit(1, 8)])
            .unwrap();
        assert_eq!(body.fate(&state(other.clone())), Fate::Dead);
        assert_eq!(body.fate(&state(maintained(other, 40))), Fate::Dead);
    }

    #[test]
    fn maintenance_moves_head_past_the_base_without_taking_its_place() {
        let base = base();
        let body = body(&base);
        assert_eq!(body.fate(&state(maintained(base.head.clone(), 1))), Fate::Dead);
        assert_eq!(body.fate(&state(maintained(base.head.clone(), 40))), Fate::Dead);
    }
}
