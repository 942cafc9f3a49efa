//! Sends one body and finds out what became of it.
//!
//! An answer is a definite "no" only while the body has one copy: once a copy went unanswered, whatever a
//! later copy is told may be about the earlier one's success. A failed precondition may be about a copy that
//! a proxy made. In both cases only HEAD itself tells.

use std::sync::Arc;

use super::{
    Submission,
    body::{Body, Fate},
    record,
};
use crate::{
    backoff::Backoff,
    clock::Moment,
    error::{Error, ErrorKind},
    head_cache::{Author, Certified, Sent},
    head_io::{HeadIo, PutAnswer, patience},
    receipt::{Attempt, AttemptOutcome},
    state::State,
    store::{ETag, StoreError, StoreErrorKind},
};

/// What became of a body.
#[derive(Debug)]
pub(super) enum Published {
    /// Applied. The mark is that of a copy that HEAD was seen after.
    Landed { sent: Sent, certified: Certified },
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
    /// Believe a failed precondition without looking (a deliberate breakage).
    pub(super) skip_own_id_check: bool,
    /// Take a missing answer for a lost race (a deliberate breakage).
    pub(super) unknown_means_lost: bool,
}

impl Publisher {
    /// Sends `body` until its fate is known, its `deadline` has passed, or nobody waits for it any more.
    pub(super) async fn publish(&self, body: &Body, members: &[Submission], deadline: Moment) -> Published {
        let mut backoff = patience();
        let mut earlier_copy_unknown = false;
        loop {
            let PutAnswer {
                sent,
                duration,
                result,
            } = self.io.put(body.bytes.clone(), &body.base.etag).await;
            let conflict = matches!(&result, Err(error) if error.kind == StoreErrorKind::Conflict);
            let attempt = |outcome| {
                record(
                    members,
                    Attempt {
                        sent: sent.at,
                        duration,
                        outcome,
                    },
                )
            };
            match Answer::of(result) {
                Answer::Landed(etag) => {
                    attempt(AttemptOutcome::Committed);
                    return self.landed(body, etag, sent);
                }
                Answer::LostPrecondition => {
                    let lost = if conflict {
                        AttemptOutcome::LostConflict
                    } else {
                        AttemptOutcome::LostRace
                    };
                    if earlier_copy_unknown && !self.wait(&mut backoff, deadline).await {
                        attempt(lost);
                        return Published::Unknown("its deadline passed".to_owned());
                    }
                    let fate = self.look(body, deadline).await;
                    let own = matches!(fate, Ok((Fate::Landed, _))) && !self.skip_own_id_check;
                    attempt(if own {
                        AttemptOutcome::OwnEarlierSuccess
                    } else {
                        lost
                    });
                    if self.skip_own_id_check {
                        return Published::Lost;
                    }
                    if let Some(published) = settle(fate, sent) {
                        return published;
                    }
                    // HEAD is still the base, so this answer was about nothing that landed: perhaps about a
                    // proxy's second copy, met while the first was still under way. So it proves nothing.
                    earlier_copy_unknown = true;
                }
                Answer::HeadMissing(error) => {
                    attempt(AttemptOutcome::HeadMissing);
                    let lost = self.io.head_lost(error);
                    return if earlier_copy_unknown {
                        Published::Unknown(lost.to_string())
                    } else {
                        Published::Refused(lost)
                    };
                }
                Answer::Refused(error) if !earlier_copy_unknown => {
                    attempt(AttemptOutcome::Refused);
                    let doing = "the commit was refused and is not durable";
                    return Published::Refused(Error::from_store_as(ErrorKind::Refused, doing, error));
                }
                Answer::Refused(error) | Answer::Unknown(error) => {
                    attempt(AttemptOutcome::Unknown);
                    tracing::debug!(%error, "no proof of what became of a HEAD; looking");
                    if self.unknown_means_lost {
                        return Published::Lost;
                    }
                    let again = std::mem::replace(&mut earlier_copy_unknown, true);
                    // Before the look, never between the look and the next copy: who waits there loses again.
                    if (again || error.status.is_some()) && !self.wait(&mut backoff, deadline).await {
                        return Published::Unknown(error.to_string());
                    }
                    if let Some(published) = settle(self.look(body, deadline).await, sent) {
                        return published;
                    }
                }
            }
            if members.iter().all(|member| member.ticket.is_left()) {
                return Published::Unknown("nobody waits for it".to_owned());
            }
            if self.io.clock.now() >= deadline {
                break;
            }
        }
        Published::Unknown("HEAD has not moved, so bytes that were sent may still be applied".to_owned())
    }

    fn landed(&self, body: &Body, etag: ETag, sent: Sent) -> Published {
        let state = body.base.follow(body.head.clone(), etag, body.bytes.len());
        match state.and_then(|state| self.io.cache.install(state, sent, Author::Oneself)) {
            Ok(certified) => Published::Landed { sent, certified },
            // It landed for all that the store says, but the store contradicts itself.
            Err(error) => Published::Unknown(error.to_string()),
        }
    }

    async fn look(&self, body: &Body, deadline: Moment) -> Result<(Fate, Certified), Error> {
        let certified = self.io.look(deadline).await?;
        let state: &State = &certified.state;
        Ok((body.fate(state), certified))
    }

    /// Waits as the backoff says; false when there is no time or no retry left.
    async fn wait(&self, backoff: &mut Backoff, deadline: Moment) -> bool {
        let Ok(draw) = self.io.entropy.unit() else {
            return false;
        };
        match backoff.next(draw) {
            Some(wait) if self.io.clock.now() + wait < deadline => {
                self.io.clock.sleep(wait).await;
                true
            }
            _ => false,
        }
    }
}

/// What a look at HEAD says for good; `None` while HEAD is still the base.
fn settle(looked: Result<(Fate, Certified), Error>, sent: Sent) -> Option<Published> {
    match looked {
        Ok((Fate::Landed, certified)) => Some(Published::Landed { sent, certified }),
        Ok((Fate::Dead, _)) => Some(Published::Lost),
        Ok((Fate::AtBase, _)) => None,
        Ok((Fate::NotVisible, _)) => Some(Published::Unknown("HEAD has moved too far to tell".to_owned())),
        Err(error) => Some(Published::Unknown(error.to_string())),
    }
}
