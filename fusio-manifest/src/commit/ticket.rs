//! Where one transaction stands between its caller and the wire. Each step is atomic, so that a caller who
//! leaves knows whether its transaction may be in bytes that were sent.

use parking_lot::Mutex;

use crate::receipt::{Attempt, CommitToken};

#[derive(Debug, Default)]
pub(super) struct Ticket(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    stage: Stage,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Default)]
enum Stage {
    /// In no bytes that may still be applied.
    #[default]
    Queued,
    /// In a body that was sent, or is about to be.
    InBody(CommitToken),
    /// The caller was told something final, or is being told.
    Answered,
    /// The caller is gone; the token tells whether bytes of it may still be applied.
    Left(Option<CommitToken>),
}

/// What a caller who leaves leaves behind.
#[derive(Debug)]
pub(super) enum Left {
    /// Nothing: it is not committed and never will be.
    Queued(Vec<Attempt>),
    /// Bytes that may be applied.
    InBody(CommitToken, Vec<Attempt>),
    /// An answer is there.
    Answered,
}

impl Ticket {
    /// The wire puts the transaction into a body. False if its caller has left: then it must not.
    pub(super) fn enter_body(&self, token: CommitToken) -> bool {
        let mut inner = self.0.lock();
        match inner.stage {
            Stage::Queued | Stage::InBody(_) => {
                inner.stage = Stage::InBody(token);
                true
            }
            Stage::Answered | Stage::Left(_) => false,
        }
    }

    /// The body is known never to be applied.
    pub(super) fn leave_body(&self) {
        let mut inner = self.0.lock();
        if matches!(inner.stage, Stage::InBody(_)) {
            inner.stage = Stage::Queued;
        }
    }

    /// True once the caller is gone.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Left(_))
    }

    /// The body that it is in.
    pub(super) fn token(&self) -> Option<CommitToken> {
        match &self.0.lock().stage {
            Stage::InBody(token) | Stage::Left(Some(token)) => Some(token.clone()),
            _ => None,
        }
    }

    pub(super) fn record(&self, attempt: Attempt) {
        self.0.lock().attempts.push(attempt);
    }

    /// The wire has a final answer.
    pub(super) fn answered(&self) -> Vec<Attempt> {
        let mut inner = self.0.lock();
        if !matches!(inner.stage, Stage::Left(_)) {
            inner.stage = Stage::Answered;
        }
        inner.attempts.clone()
    }

    /// The caller goes.
    pub(super) fn leave(&self) -> Left {
        let mut inner = self.0.lock();
        let attempts = inner.attempts.clone();
        match std::mem::take(&mut inner.stage) {
            Stage::Queued => {
                inner.stage = Stage::Left(None);
                Left::Queued(attempts)
            }
            Stage::InBody(token) => {
                inner.stage = Stage::Left(Some(token.clone()));
                Left::InBody(token, attempts)
            }
            Stage::Answered => {
                inner.stage = Stage::Answered;
                Left::Answered
            }
            Stage::Left(token) => {
                inner.stage = Stage::Left(token.clone());
                match token {
                    Some(token) => Left::InBody(token, attempts),
                    None => Left::Queued(attempts),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{ManifestId, Nonce, TransactionId},
        store::ETag,
    };

    fn token() -> CommitToken {
        CommitToken {
            manifest: ManifestId::from_bits(1),
            id: TransactionId::from_bits(2),
            body_nonce: Nonce::from_bits(3),
            base_revision: 4,
            base_etag: ETag::new("\"e\""),
            expected_txn: 5,
        }
    }

    #[test]
    fn who_leaves_the_queue_never_enters_a_body() {
        let ticket = Ticket::default();
        assert!(matches!(ticket.leave(), Left::Queued(_)));
        assert!(!ticket.enter_body(token()));
    }

    #[test]
    fn who_leaves_a_body_enters_no_other_and_keeps_its_token() {
        let ticket = Ticket::default();
        assert!(ticket.enter_body(token()));
        assert!(matches!(ticket.leave(), Left::InBody(..)));
        assert!(!ticket.enter_body(token()));
        assert!(ticket.is_left());
        assert_eq!(ticket.token(), Some(token()));
    }

    #[test]
    fn a_body_that_is_dead_frees_its_members() {
        let ticket = Ticket::default();
        assert!(ticket.enter_body(token()));
        ticket.leave_body();
        assert!(matches!(ticket.leave(), Left::Queued(_)));
    }

    #[test]
    fn an_answer_wins_over_leaving() {
        let ticket = Ticket::default();
        assert!(ticket.enter_body(token()));
        ticket.answered();
        assert!(matches!(ticket.leave(), Left::Answered));
    }
}
