//! Work that a handle does beside its commits, one piece at a time, and whose result waits for the next HEAD.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::{
    clock::{Clock, Moment, within},
    error::{Error, ErrorKind, Result},
};

/// After this long it is tried again however little has changed: the amount need not grow any more, because a log that is
/// full does not, and large objects fill a fold at once.
const RETRY_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) enum Beside<T> {
    Idle,
    UnderWay(oneshot::Receiver<Result<T>>, Attempt),
    /// It waits for the next HEAD.
    Ready(T),
    Failed(Error, Attempt),
}

/// One try, so that a store that refuses is not asked again with every commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) begun: Moment,
    /// How much there was to do.
    pub(super) amount: u64,
    /// By how much that has to grow before it is tried again, unless [`RETRY_AFTER`] has passed.
    pub(super) more: u64,
}

impl Attempt {
    /// True if it is too early for `next` after this one has failed.
    fn holds_back(&self, next: &Self) -> bool {
        let grown = next.amount >= self.amount.saturating_add(self.more);
        // There is less to do than then: somebody else did it, so the store may be well again.
        let shrunk = next.amount < self.amount;
        let later = next.begun.saturating_sub(self.begun) >= RETRY_AFTER;
        !(grown || shrunk || later)
    }
}

impl<T: Send + 'static> Beside<T> {
    /// Begins it, unless it is under way or ready, or has failed a moment ago.
    pub(super) fn begin(&mut self, attempt: Attempt, work: impl Future<Output = Result<T>> + Send + 'static) {
        match self {
            Self::UnderWay(..) | Self::Ready(_) => return,
            Self::Failed(_, failed) if failed.holds_back(&attempt) => return,
            Self::Idle | Self::Failed(..) => {}
        }
        let (reply, answer) = oneshot::channel();
        tokio::spawn(async move {
            // Nobody waits if the handle is gone: what was written is garbage then.
            let _ = reply.send(work.await);
        });
        *self = Self::UnderWay(answer, attempt);
    }

    /// Takes note if it is done.
    pub(super) fn poll(&mut self) {
        if let Self::UnderWay(answer, attempt) = self {
            let attempt = *attempt;
            match answer.try_recv() {
                Ok(done) => self.end(done, attempt),
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => self.end(Err(stopped()), attempt),
            }
        }
    }

    /// Waits until it is done, or could not be.
    pub(super) async fn finished(&mut self) {
        if let Self::UnderWay(answer, attempt) = self {
            let attempt = *attempt;
            let done = answer.await.unwrap_or_else(|_| Err(stopped()));
            self.end(done, attempt);
        }
    }

    /// The same for so long at most; false if it goes on.
    pub(super) async fn finished_within(&mut self, clock: &dyn Clock, span: Duration) -> bool {
        within(clock, span, self.finished()).await.is_some()
    }

    fn end(&mut self, done: Result<T>, attempt: Attempt) {
        *self = match done {
            Ok(result) => Self::Ready(result),
            Err(error) => {
                tracing::warn!(%error, "maintenance was not done");
                Self::Failed(error, attempt)
            }
        };
    }

    /// Its result, if it is ready and `stands`; one that does not is let go: somebody was faster, or it is in HEAD.
    pub(super) fn standing(&mut self, stands: impl FnOnce(&T) -> bool) -> Option<&T> {
        if let Self::Ready(result) = self
            && !stands(result)
        {
            *self = Self::Idle;
        }
        match self {
            Self::Ready(result) => Some(result),
            Self::Idle | Self::UnderWay(..) | Self::Failed(..) => None,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(..))
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Why it failed, if it did.
    pub(super) fn failure(&self) -> Option<Error> {
        match self {
            Self::Failed(error, _) => Some(error.clone()),
            Self::Idle | Self::UnderWay(..) | Self::Ready(_) => None,
        }
    }

    /// There is reason to try again what failed.
    pub(super) fn forget_failure(&mut self) {
        if matches!(self, Self::Failed(..)) {
            *self = Self::Idle;
        }
    }
}

fn stopped() -> Error {
    Error::new(
        ErrorKind::Closed,
        "the runtime stopped while maintenance was under way",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(seconds: u64, amount: u64) -> Attempt {
        Attempt {
            begun: Duration::from_secs(seconds),
            amount,
            more: 4,
        }
    }

    #[test]
    fn what_failed_is_tried_again_when_there_is_more_or_less_to_do_or_time_has_passed() {
        let failed = attempt(100, 16);
        for (next, held_back) in [
            (attempt(100, 16), true),
            (attempt(109, 19), true),
            (attempt(100, 20), false),
            (attempt(100, 15), false),
            (attempt(110, 16), false),
        ] {
            assert_eq!(failed.holds_back(&next), held_back, "{next:?}");
        }
    }
}
