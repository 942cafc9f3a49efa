//! Sends one body and finds out what became of it.
//!
//! An answer is a definite "no" only while the body has one copy: once a copy went unanswered, whatever a
//! later copy is told may be about the earlier one's success. A failed precondition may be about a copy that
//! a proxy made. In both cases only HEAD itself tells.

use std::sync::Arc;

use super::{Submission, body::Body, fate::Fate, record};
use crate::{
    access::{Purpose, patience},
    backoff::Backoff,
    clock::Moment,
    error::{Error, ErrorKind},
    head_cache::{Author, Certified, Sent},
    head_io::{HeadIo, PutAnswer},
    mutant::{Broken, Mutant},
    receipt::{Attempt, AttemptOutcome},
    store::{ETag, StoreError, StoreErrorKind},
};

/// What became of a body.
#[derive(Debug)]
pub(super) enum Published {
    /// Applied. The mark is that of a copy that HEAD was seen after; the state is missing if it could not be read.
    Landed {
        sent: Sent,
        certified: Option<Certified>,
    },
    /// Not applied, never will be, and the state is known that it lost to.
    Lost,
    /// Not applied and never will be: the store refuses it.
    Refused(Error),
    /// Neither is known.
    Unknown(String),
}

/// What one copy's answer means.
enum Answer {
    Landed(ETag),
    LostPrecondition,
    HeadMissing(StoreError),
    Refused(StoreError),
    Unknown(StoreError),
}

impl Answer {
    fn of(result: Result<ETag, StoreError>) -> Self {
        let error = match result {
            Ok(etag) => return Self::Landed(etag),
            Err(error) => error,
        };
        match error.kind {
            StoreErrorKind::PreconditionFailed | StoreErrorKind::Conflict => Self::LostPrecondition,
            StoreErrorKind::NotFound => Self::HeadMissing(error),
            _ if error.is_definite() => Self::Refused(error),
            _ => Self::Unknown(error),
        }
    }
}

/// Publishes bodies, one at a time.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) io: Arc<HeadIo>,
    pub(super) broken: Broken,
}

/// The copies of one body that were sent so far.
#[derive(Debug)]
struct Copies {
    /// One of them may have been applied, or may be yet.
    any_unknown: bool,
    backoff: Backoff,
    deadline: Moment,
}

impl Publisher {
    /// Sends `body` until its fate is known, its `deadline` has passed, or nobody waits for it any more.
    ///
    /// A body without members is maintenance, which its handle waits for.
    pub(super) async fn publish(&self, body: &Body, members: &[Submission], deadline: Moment) -> Published {
        let purpose = match members.is_empty() {
            true => Purpose::Maintenance,
            false => Purpose::Path,
        };
        let mut copies = Copies {
            any_unknown: false,
            backoff: patience(),
            deadline,
        };
        loop {
            let answer = self.io.put(body.bytes.clone(), &body.base.etag, purpose).await;
            if let Some(published) = self.follow_up(body, members, answer, &mut copies).await {
                return published;
            }
            if !members.is_empty() && members.iter().all(|member| member.ticket.is_left()) {
                return Published::Unknown("nobody waits for it".to_owned());
            }
            if self.io.access.clock.now() >= deadline {
                return Published::Unknown(
                    "HEAD has not moved, so bytes that were sent may still be applied".to_owned(),
                );
            }
        }
    }

    /// What one copy's answer means; `None` if another copy has to be sent.
    async fn follow_up(
        &self,
        body: &Body,
        members: &[Submission],
        PutAnswer {
            base_seen,
            sent,
            duration,
            result,
        }: PutAnswer,
        copies: &mut Copies,
    ) -> Option<Published> {
        let lost_how = match &result {
            Err(error) if error.kind == StoreErrorKind::Conflict => AttemptOutcome::LostConflict,
            _ => AttemptOutcome::LostRace,
        };
        let attempt = |outcome| {
            record(
                members,
                Attempt {
                    base_seen,
                    sent: sent.at,
                    duration,
                    outcome,
                },
            )
        };
        match Answer::of(result) {
            Answer::Landed(etag) => {
                attempt(AttemptOutcome::Committed);
                Some(self.landed(body, etag, sent))
            }
            Answer::LostPrecondition if self.broken.by(Mutant::SkipOwnIdCheck) => {
                attempt(lost_how);
                // The breakage needs to know what it lost to, or it would lose for ever.
                let _ = self.look(body, members, copies.deadline).await;
                Some(Published::Lost)
            }
            Answer::LostPrecondition => {
                let (outcome, published) = self
                    .lost_precondition(body, members, sent, lost_how, copies)
                    .await;
                attempt(outcome);
                published
            }
            Answer::HeadMissing(error) => {
                attempt(AttemptOutcome::HeadMissing);
                let lost = self.io.head_lost(error);
                Some(if copies.any_unknown {
                    Published::Unknown(lost.to_string())
                } else {
                    Published::Refused(lost)
                })
            }
            Answer::Refused(error)
                if !copies.any_unknown || self.broken.by(Mutant::RefusalBelievedWhileUnknown) =>
            {
                attempt(AttemptOutcome::Refused);
                let doing = "the commit was refused and is not durable";
                Some(Published::Refused(Error::from_store_as(
                    ErrorKind::Refused,
                    doing,
                    error,
                )))
            }
            Answer::Refused(error) | Answer::Unknown(error) => {
                attempt(AttemptOutcome::Unknown);
                tracing::debug!(%error, "no proof of what became of a HEAD; looking");
                if self.broken.by(Mutant::UnknownMeansLost) {
                    return Some(Published::Lost);
                }
                let again = std::mem::replace(&mut copies.any_unknown, true);
                // Before the look, never between the look and the next copy: who waits there loses again.
                if (again || error.status.is_some()) && !self.wait(copies).await {
                    return Some(Published::Unknown(error.to_string()));
                }
                self.look(body, members, copies.deadline).await.settle(sent)
            }
        }
    }

    /// Somebody else won, or this very body did and the answer is about a second copy of it: HEAD tells.
    async fn lost_precondition(
        &self,
        body: &Body,
        members: &[Submission],
        sent: Sent,
        lost_how: AttemptOutcome,
        copies: &mut Copies,
    ) -> (AttemptOutcome, Option<Published>) {
        if copies.any_unknown && !self.wait(copies).await {
            return (
                lost_how,
                Some(Published::Unknown("its deadline passed".to_owned())),
            );
        }
        let looked = self.look(body, members, copies.deadline).await;
        let own = looked.fate == Fate::Landed;
        // If HEAD is still the base, the answer was about nothing that landed: perhaps about a proxy's second
        // copy, met while the first was still under way. So it proves nothing.
        copies.any_unknown = true;
        (
            if own {
                AttemptOutcome::OwnEarlierSuccess
            } else {
                lost_how
            },
            looked.settle(sent),
        )
    }

    fn landed(&self, body: &Body, etag: ETag, sent: Sent) -> Published {
        let state = body
            .state(&self.io.cache, etag)
            .and_then(|state| self.io.cache.install(state, sent, Author::Oneself));
        match state {
            Ok(certified) => {
                self.io.log.settled(&certified.state.head);
                self.io.catch_up(&certified.state);
                Published::Landed {
                    sent,
                    certified: Some(certified),
                }
            }
            // It landed for all that the store says, but the store contradicts itself.
            Err(error) => Published::Unknown(error.to_string()),
        }
    }

    /// What HEAD tells of the body. It tells as soon as it is read; that its log objects cannot be, or not in time,
    /// makes nothing unknown.
    async fn look(&self, body: &Body, members: &[Submission], deadline: Moment) -> Looked {
        // Callers leave by their own deadlines. A look that ended with them would leave this handle on a state that
        // the next commit loses to again.
        let least = self.io.access.clock.now() + self.io.access.request_timeout;
        let deadline = deadline.max(least);
        let evidence = body.evidence(self.broken);
        let mut seen = None;
        let state = self
            .io
            .look_and_show(deadline, |head, etag| {
                let fate = evidence.fate(head, etag);
                if fate == Fate::Dead {
                    members.iter().for_each(|member| member.ticket.leave_body());
                }
                if matches!(fate, Fate::Landed | Fate::Dead) {
                    seen = Some(fate);
                }
            })
            .await;
        let fate = match (seen, &state) {
            (Some(fate), _) => fate,
            (None, Ok(certified)) => {
                let found = evidence.found_out(&self.io.log, &certified.state, deadline);
                found.await
            }
            (None, Err(_)) => Fate::NotVisible,
        };
        Looked { fate, state }
    }

    /// Waits as the backoff says; false when the deadline comes first.
    async fn wait(&self, copies: &mut Copies) -> bool {
        let deadline = copies.deadline;
        // Without randomness nothing can be waited for, nor written again.
        self.io
            .access
            .wait(&mut copies.backoff, deadline)
            .await
            .unwrap_or(false)
    }
}

/// What a look at HEAD told of a body, and the state that it showed.
#[derive(Debug)]
struct Looked {
    fate: Fate,
    state: Result<Certified, Error>,
}

impl Looked {
    /// What it says for good; `None` while HEAD is still the base.
    fn settle(self, sent: Sent) -> Option<Published> {
        match (self.fate, self.state) {
            (Fate::Landed, state) => Some(Published::Landed {
                sent,
                certified: state.ok(),
            }),
            (Fate::Dead, Ok(_)) => Some(Published::Lost),
            // There is nothing to build the next body on.
            (Fate::Dead, Err(error)) => Some(Published::Refused(error)),
            (_, Err(error)) => Some(Published::Unknown(error.to_string())),
            (Fate::AtBase, Ok(_)) => None,
            (Fate::NotVisible | Fate::InObject(..), Ok(_)) => {
                Some(Published::Unknown("HEAD has moved too far to tell".to_owned()))
            }
        }
    }
}
