//! What a later HEAD proves about a body that was sent.

use crate::{
    access::Purpose,
    clock::Moment,
    head::{Head, LogReference, Place},
    id::{Nonce, TransactionId},
    log_store::LogStore,
    mutant::{Broken, Mutant},
    receipt::CommitToken,
    state::State,
    store::ETag,
};

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was applied, all of it.
    Landed,
    /// It never was and never will be: HEAD has moved past its base, so its ETag is dead.
    Dead,
    /// HEAD still is its base: it may be applied yet.
    AtBase,
    /// The log object tells that holds the commit expected, so many commits after its first.
    InObject(LogReference, usize),
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
    pub(crate) broken: Broken,
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(token: &'a CommitToken, broken: Broken) -> Self {
        Self {
            broken,
            nonce: token.body_nonce,
            base_revision: token.base_revision,
            base_etag: &token.base_etag,
            commit: Some((token.expected_txn, token.id)),
        }
    }

    pub(crate) fn fate(&self, head: &Head, etag: &ETag) -> Fate {
        let as_many_commits = self.commit.is_some_and(|(txn, _)| head.last_txn < txn);
        if self.broken.by(Mutant::BaseJudgedByCommits) && as_many_commits {
            return Fate::AtBase;
        }
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
        if self.broken.by(Mutant::ForgottenMeansDead) {
            return Fate::Dead;
        }
        let Some((txn, id)) = self.commit else {
            return Fate::NotVisible;
        };
        match head.place(txn) {
            Place::Holds(found) if found == id => Fate::Landed,
            Place::Holds(_) | Place::Empty => Fate::Dead,
            Place::InObject(reference, index) => Fate::InObject(reference, index),
            Place::Hidden => Fate::NotVisible,
        }
    }

    /// The same, with the log object read that tells, if one does: one more GET.
    pub(crate) async fn found_out(&self, log: &LogStore, seen: &State, deadline: Moment) -> Fate {
        let fate = self.fate(&seen.head, &seen.etag);
        let (Fate::InObject(reference, index), Some((_, id))) = (fate, self.commit) else {
            return fate;
        };
        match log
            .load(seen.head.manifest, reference, deadline, Purpose::Path)
            .await
        {
            Ok(object) => match object.commits.get(index) {
                Some(commit) if commit.id == id => Fate::Landed,
                Some(_) => Fate::Dead,
                None => Fate::NotVisible,
            },
            // Collected, or unreadable: it tells no more.
            Err(unread) => {
                tracing::debug!(?unread, "the log object that would tell a commit's fate");
                Fate::NotVisible
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        commit::body::Body,
        head::{Change, InlineCommit, LogItem, Write},
        id::ManifestId,
        log_store::Logged,
        options::SharedSettings,
    };

    fn commit(txn: u64, id: u128) -> Arc<InlineCommit> {
        let writes = vec![Write {
            key: "k".into(),
            value: None,
        }];
        Arc::new(InlineCommit::new(txn, TransactionId::from_bits(id), writes))
    }

    fn state(head: Head) -> Arc<State> {
        let etag = ETag::new(format!("\"{}\"", head.nonce().unwrap()));
        Arc::new(State::build(head, etag, 0, &Logged::new()).unwrap())
    }

    fn base() -> Arc<State> {
        state(Head::first(
            ManifestId::from_bits(1),
            Nonce::from_bits(1),
            SharedSettings::default(),
        ))
    }

    fn body(base: &Arc<State>) -> Body {
        let change = Change {
            items: vec![LogItem::Inline(commit(1, 7))],
            ..Change::default()
        };
        let id = Some(TransactionId::from_bits(7));
        Body::build(Arc::clone(base), Nonce::from_bits(77), &change, id, Logged::new()).unwrap()
    }

    fn fate(body: &Body, seen: &State) -> Fate {
        body.evidence(Broken::default()).fate(&seen.head, &seen.etag)
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
        assert_eq!(fate(&body(&base), &base), Fate::AtBase);
    }

    #[test]
    fn its_nonce_in_the_ring_proves_that_it_landed() {
        let base = base();
        let body = body(&base);
        assert_eq!(fate(&body, &state(body.head.clone())), Fate::Landed);
        assert_eq!(
            fate(&body, &state(maintained(body.head.clone(), 15))),
            Fate::Landed
        );
    }

    #[test]
    fn past_the_ring_its_id_in_the_log_proves_that_it_landed() {
        let base = base();
        let body = body(&base);
        assert_eq!(
            fate(&body, &state(maintained(body.head.clone(), 40))),
            Fate::Landed
        );
    }

    #[test]
    fn a_foreign_commit_in_its_place_proves_that_it_is_dead() {
        let base = base();
        let body = body(&base);
        let other = base
            .head
            .with_commits(Nonce::from_bits(5), &[commit(1, 8)])
            .unwrap();
        assert_eq!(fate(&body, &state(other.clone())), Fate::Dead);
        assert_eq!(fate(&body, &state(maintained(other, 40))), Fate::Dead);
    }

    #[test]
    fn maintenance_moves_head_past_the_base_without_taking_its_place() {
        let base = base();
        let body = body(&base);
        assert_eq!(fate(&body, &state(maintained(base.head.clone(), 1))), Fate::Dead);
        assert_eq!(fate(&body, &state(maintained(base.head.clone(), 40))), Fate::Dead);
    }
}
