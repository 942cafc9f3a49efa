//! Work that a handle does beside its commits, one piece at a time, and whose result waits for the next HEAD.

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

#[derive(Debug)]
pub(super) enum Beside<T> {
    Idle,
    UnderWay(oneshot::Receiver<Result<T>>, u64),
    /// It waits for the next HEAD.
    Ready(T),
    /// It could not be done when there was so much to do.
    Failed(Error, u64),
}

impl<T: Send + 'static> Beside<T> {
    /// Begins it, unless it is under way or ready. `amount` is how much there is to do: a store that refuses is not
    /// asked again with every commit, but when that has grown by `more`.
    pub(super) fn begin(
        &mut self,
        amount: u64,
        more: u64,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) {
        match self {
            Self::UnderWay(..) | Self::Ready(_) => return,
            Self::Failed(_, at) if amount < at.saturating_add(more) => return,
            Self::Idle | Self::Failed(..) => {}
        }
        let (reply, answer) = oneshot::channel();
        tokio::spawn(async move {
            // Nobody waits if the handle is gone: what was written is garbage then.
            let _ = reply.send(work.await);
        });
        *self = Self::UnderWay(answer, amount);
    }

    /// Takes note if it is done.
    pub(super) fn poll(&mut self) {
        if let Self::UnderWay(answer, amount) = self {
            let amount = *amount;
            match answer.try_recv() {
                Ok(done) => self.end(done, amount),
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => self.end(Err(stopped()), amount),
            }
        }
    }

    /// Waits until it is done, or could not be.
    pub(super) async fn finished(&mut self) {
        if let Self::UnderWay(answer, amount) = self {
            let amount = *amount;
            let done = answer.await.unwrap_or_else(|_| Err(stopped()));
            self.end(done, amount);
        }
    }

    fn end(&mut self, done: Result<T>, amount: u64) {
        *self = match done {
            Ok(result) => Self::Ready(result),
            Err(error) => {
                tracing::warn!(%error, "maintenance was not done");
                Self::Failed(error, amount)
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
