//! The callers' end of the wire.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{
    Prepared, Reply, Submission,
    batch::conflict_error,
    errand::Errand,
    stored::{Stored, store},
    ticket::{Left, Ticket},
    wire::Wire,
};
use crate::{
    access::Purpose,
    clock::{Moment, within},
    error::{Error, ErrorKind, Result},
    head::{Edit, Objection},
    head_io::HeadIo,
    immutable::Destination,
    limits::LOG_OBJECTS_MAX,
    log::LoggedCommit,
    mutant::{Broken, Mutant},
    options::Options,
    receipt::Receipt,
};

/// The callers' end of the wire.
#[derive(Debug)]
pub(crate) struct CommitQueue {
    sender: Mutex<Option<mpsc::Sender<Request>>>,
    /// Set once the wire has answered everything and ended, or is gone with its runtime.
    ended: watch::Receiver<bool>,
    io: Arc<HeadIo>,
    /// Of commits that may be under way. The channel alone would bound nothing: the wire empties it while what it took
    /// waits for a body with room.
    admissions: Arc<Semaphore>,
    length: usize,
    broken: Broken,
}

/// What the wire is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Commit(Submission),
    /// Whatever maintenance is due, by this deadline.
    Maintain(Moment, oneshot::Sender<Result<()>>),
    /// A change of HEAD that commits nothing.
    Edit(Errand),
}

impl CommitQueue {
    /// Starts the wire.
    pub(crate) fn start(wire: Wire, io: Arc<HeadIo>, options: &Options) -> Self {
        let length = options.commit_queue;
        let (sender, receiver) = mpsc::channel(length);
        let (ending, ended) = watch::channel(false);
        tokio::spawn(async move {
            wire.run(receiver).await;
            // Nobody may be waiting.
            let _ = ending.send(true);
        });
        Self {
            sender: Mutex::new(Some(sender)),
            ended,
            io,
            admissions: Arc::new(Semaphore::new(length)),
            length,
            broken: options.broken(),
        }
    }

    /// Commits one transaction.
    pub(crate) async fn commit(&self, mut prepared: Prepared, timeout: Duration) -> Result<Receipt> {
        let ticket = Arc::new(Ticket::default());
        let leave_on_drop = LeaveOnDrop(&ticket);
        let clock = &self.io.access.clock;
        let deadline = clock.now().saturating_add(timeout);
        // Before its log object is written: what finds no place is not written either, and `close` waits for it.
        let mut admission = self.admit()?;
        let mut place = self.reserve()?;
        let mut stored = None;
        if !prepared.reads.is_empty() && !self.broken.by(Mutant::SkipValidation) {
            self.read_again_if_unseen(&mut prepared, deadline).await?;
        }
        if let Some(large) = self.store_if_large(&prepared, deadline).await? {
            stored = Some(large);
        }
        loop {
            let (reply, answer) = oneshot::channel();
            place.send(Request::Commit(Submission {
                prepared,
                stored,
                deadline,
                ticket: Arc::clone(&ticket),
                reply,
                arrival: 0,
                admission,
            }));
            match self.answer(answer, &leave_on_drop, deadline, timeout).await? {
                Reply::Told(result) => return result,
                Reply::ReadAgain(again, held, admitted) => {
                    (prepared, stored, admission) = (*again, held, admitted)
                }
            }
            self.read_again_if_unseen(&mut prepared, deadline).await?;
            place = self.place_again(deadline).await?;
        }
    }

    /// What the wire answers, while there is time.
    async fn answer(
        &self,
        mut answer: oneshot::Receiver<Reply>,
        left: &LeaveOnDrop<'_>,
        deadline: Moment,
        timeout: Duration,
    ) -> Result<Reply> {
        let clock = &self.io.access.clock;
        tokio::select! {
            biased;
            answer = &mut answer => return answer.map_err(|_| wire_gone(left)),
            () = clock.sleep(deadline.saturating_sub(clock.now())) => {}
        }
        match left.0.leave() {
            Left::Queued(attempts) => Err(Error::new(
                ErrorKind::DeadlineExceeded,
                format!(
                    "the commit's deadline of {} ms passed; it is not committed",
                    timeout.as_millis()
                ),
            )
            .with_attempts(attempts)),
            Left::InBody(..) if self.broken.by(Mutant::UnknownToldAsFailed) => {
                Err(Error::new(ErrorKind::DeadlineExceeded, "its deadline passed"))
            }
            Left::InBody(token, attempts) => {
                let cause = format!(
                    "its deadline of {} ms passed while its PUT was under way",
                    timeout.as_millis()
                );
                Err(Error::unknown(token, &cause).with_attempts(attempts))
            }
            Left::Answered => answer.await.map_err(|_| wire_gone(left)),
        }
    }

    /// Where the overlay cannot tell whether what a transaction read still holds, reads it again. Whatever happens here,
    /// it is not committed.
    async fn read_again_if_unseen(&self, prepared: &mut Prepared, deadline: Moment) -> Result<()> {
        let state = self.io.cache.current()?.state;
        if prepared.holds_at >= state.complete_after || self.broken.by(Mutant::SkipReadAgain) {
            return Ok(());
        }
        let clock = &self.io.access.clock;
        let limit = deadline.saturating_sub(clock.now());
        // Held against its snapshot, not against when it was last found to hold: a number tells one version from another
        // however often it is asked.
        let reads = prepared.reads.validated(self.broken);
        // Boxed, because it is large and rare.
        let conflict = Box::pin(self.io.conflict(&reads, prepared.snapshot, &state));
        match within(&**clock, limit, conflict).await {
            Some(Ok(None)) => {
                prepared.holds_at = state.head.last_txn;
                Ok(())
            }
            Some(Ok(Some(conflict))) => Err(conflict_error(prepared, &conflict)),
            Some(Err(error)) => Err(error),
            None => Err(Error::new(
                ErrorKind::DeadlineExceeded,
                "the commit's deadline passed while what it had read was read again; it is not committed",
            )),
        }
    }

    /// A place in the queue for one that had one already.
    async fn place_again(&self, deadline: Moment) -> Result<mpsc::OwnedPermit<Request>> {
        let closed = || Error::new(ErrorKind::Closed, "the handle is closed; it is not committed");
        let sender = self.sender.lock().clone().ok_or_else(closed)?;
        let clock = &self.io.access.clock;
        let limit = deadline.saturating_sub(clock.now());
        match within(&**clock, limit, sender.reserve_owned()).await {
            Some(place) => place.map_err(|_| closed()),
            None => Err(Error::new(
                ErrorKind::DeadlineExceeded,
                "the commit's deadline passed; it is not committed",
            )),
        }
    }

    /// A transaction that is too large to stand in HEAD goes to a log object before it queues, so that the commits
    /// of others do not wait for its bytes. Whatever happens here, no HEAD names it.
    async fn store_if_large(&self, prepared: &Prepared, deadline: Moment) -> Result<Option<Arc<Stored>>> {
        let state = self.io.cache.current()?.state;
        let small = prepared.bytes() <= state.head.settings.transaction_inline_bytes;
        // Who may not write is told so by the wire.
        if small || state.head.unknown_writer_features() != 0 {
            return Ok(None);
        }
        // What cannot be committed any more need not be written.
        let conflict = prepared
            .reads
            .validated(self.broken)
            .conflict_with_state(prepared.holds_at, &state.overlay);
        if let Some(conflict) = conflict {
            return Err(conflict_error(prepared, &conflict));
        }
        // Nor what HEAD cannot name: the wire folds first, or tells why that cannot be done.
        if state.head.log_objects().count() >= LOG_OBJECTS_MAX {
            return Ok(None);
        }
        let to = Destination::by(&state.head, deadline, Purpose::Path);
        let commit = LoggedCommit {
            id: prepared.id,
            writes: prepared.writes.clone(),
        };
        let clock = &*self.io.access.clock;
        let limit = deadline.saturating_sub(clock.now());
        match within(clock, limit, store(&self.io.log, to, vec![commit])).await {
            Some(stored) => stored.map(Some),
            None => Err(Error::new(
                ErrorKind::DeadlineExceeded,
                "the commit's deadline passed while its log object was being written; it is not committed",
            )),
        }
    }

    /// Does what maintenance is due.
    pub(crate) async fn maintain(&self, timeout: Duration) -> Result<()> {
        let deadline = self.io.access.clock.now().saturating_add(timeout);
        let (reply, answer) = oneshot::channel();
        self.reserve()?.send(Request::Maintain(deadline, reply));
        match within(&*self.io.access.clock, timeout, answer).await {
            Some(answer) => answer
                .unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the handle's runtime has stopped"))),
            None => Err(Error::new(
                ErrorKind::Unavailable,
                format!("maintenance was not done within {} ms", timeout.as_millis()),
            )),
        }
    }

    /// Makes a change of HEAD that commits nothing; tells why it cannot be made, if it cannot. If the caller gives up it
    /// may be made all the same.
    pub(crate) async fn edit(&self, edit: Edit, deadline: Moment) -> Result<Option<Objection>> {
        let (reply, answer) = oneshot::channel();
        let errand = Errand {
            edit,
            deadline,
            reply,
        };
        self.reserve()?.send(Request::Edit(errand));
        answer
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the handle's runtime has stopped")))
    }

    /// Takes no more commits, and returns when those in the queue are answered.
    pub(crate) async fn close(&self) {
        drop(self.sender.lock().take());
        // An error says that the wire is gone with its runtime: there is nothing to wait for.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Tells when the handle has come to its end: everything is answered.
    pub(crate) fn end(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }

    /// Leave for one more commit to be under way.
    fn admit(&self) -> Result<OwnedSemaphorePermit> {
        let admissions = Arc::clone(&self.admissions);
        admissions.try_acquire_owned().map_err(|_| self.busy())
    }

    /// A place in the queue.
    fn reserve(&self) -> Result<mpsc::OwnedPermit<Request>> {
        let sender = self.sender.lock();
        let Some(sender) = sender.as_ref() else {
            return Err(Error::new(ErrorKind::Closed, "the handle is closed"));
        };
        sender.clone().try_reserve_owned().map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => self.busy(),
            mpsc::error::TrySendError::Closed(_) => {
                Error::new(ErrorKind::Closed, "the handle's runtime has stopped")
            }
        })
    }

    fn busy(&self) -> Error {
        Error::new(
            ErrorKind::Busy,
            format!(
                "{} commits are under way already, the most of this handle",
                self.length
            ),
        )
    }
}

/// The wire ended without an answer: its runtime was shut down.
fn wire_gone(left: &LeaveOnDrop<'_>) -> Error {
    match left.0.leave() {
        Left::InBody(token, attempts) => {
            Error::unknown(token, "its runtime stopped while its PUT was under way").with_attempts(attempts)
        }
        Left::Queued(attempts) => {
            Error::new(ErrorKind::Closed, "the handle's runtime has stopped").with_attempts(attempts)
        }
        Left::Answered => Error::new(ErrorKind::Closed, "the handle's runtime has stopped"),
    }
}

/// A caller whose future is dropped has left: its transaction enters no new body.
struct LeaveOnDrop<'a>(&'a Ticket);

impl Drop for LeaveOnDrop<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
