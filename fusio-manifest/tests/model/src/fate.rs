//! What a later HEAD proves about a body that was sent (`src/commit/fate.rs`).

use crate::{
    body::Body,
    broken::Broken,
    configuration::{Configuration, TransactionId},
    head::{Head, Nonce, Place},
    store::Store,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Landed,
    Dead,
    AtBase,
    NotVisible,
}

/// By what a body is recognized in a later HEAD, and what a caller's token consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Evidence {
    pub(crate) nonce: Nonce,
    /// Stands for the base's ETag too: a base has landed, and HEADs that landed have different revisions.
    pub(crate) base_revision: u8,
    pub(crate) commit: Option<(u8, TransactionId)>,
}

impl Evidence {
    pub(crate) fn of(body: &Body) -> Self {
        Self {
            nonce: body.nonce,
            base_revision: body.base.revision,
            commit: body.members.first().map(|id| (body.first_txn(), *id)),
        }
    }

    /// That of one member: the token of its caller.
    pub(crate) fn of_member(body: &Body, id: TransactionId) -> Self {
        Self {
            commit: body.txn_of(id).map(|txn| (txn, id)),
            ..Self::of(body)
        }
    }

    pub(crate) fn fate(&self, configuration: &Configuration, store: &Store, head: &Head) -> Fate {
        let as_many_commits = self.commit.is_some_and(|(txn, _)| head.last_txn < txn);
        if configuration.is_broken_by(Broken::BaseJudgedByCommits) && as_many_commits {
            return Fate::AtBase;
        }
        if head.revision == self.base_revision {
            return Fate::AtBase;
        }
        if head.revision < self.base_revision {
            return Fate::NotVisible;
        }
        if let Some(nonce) = head.nonce_of(self.base_revision + 1) {
            return if nonce == self.nonce {
                Fate::Landed
            } else {
                Fate::Dead
            };
        }
        if configuration.is_broken_by(Broken::ForgottenMeansDead) {
            return Fate::Dead;
        }
        let Some((txn, id)) = self.commit else {
            return Fate::NotVisible;
        };
        let found = match head.place(txn) {
            Place::Holds(found) => found,
            Place::Empty => return Fate::Dead,
            Place::Hidden => return Fate::NotVisible,
            Place::InObject(reference, index) => {
                match store
                    .commits(&reference)
                    .ok()
                    .and_then(|commits| commits.get(index))
                {
                    Some(found) => *found,
                    None => return Fate::NotVisible,
                }
            }
        };
        if found == id { Fate::Landed } else { Fate::Dead }
    }
}
