//! Commits of one handle. Callers put transactions into a queue; one task, the wire, takes what is there,
//! sends it as one PUT of HEAD, finds out what became of it, and answers. A caller that gives up never stops
//! a PUT that is under way.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    clock::{Clock, Moment},
    conflict::ReadSet,
    error::{Error, ErrorKind, Result},
    head::Write,
    id::TransactionId,
    receipt::{Attempt, Receipt},
};
use ticket::{Left, Ticket};
pub(crate) use wire::Wire;

mod batch;
pub(crate) mod body;
mod contention;
mod publish;
mod ticket;
mod wire;

/// A transaction that is ready to be committed.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: TransactionId,
    pub(crate) snapshot: u64,
    pub(crate) reads: ReadSet,
    pub(crate) writes: Vec<Write>,
    pub(crate) single_attempt: bool,
}

/// One in the queue, with the line back to its caller.
#[derive(Debug)]
struct Submission {
    prepared: Prepared,
    deadline: Moment,
    ticket: Arc<Ticket>,
    reply: oneshot::Sender<Result<Receipt>>,
    /// Its place in the queue, given by the wire.
    arrival: u64,
}

impl Submission {
    fn committed(self, txn: u64) {
        let receipt = Receipt {
            id: self.prepared.id,
            txn: Some(txn),
            snapshot: self.prepared.snapshot,
            attempts: self.ticket.answered(),
        };
        // A caller that is gone has been told nothing, or that the outcome is unknown: both stay true.
        let _ = self.reply.send(Ok(receipt));
    }

    fn failed(self, error: Error) {
        let attempts = self.ticket.answered();
        let _ = self.reply.send(Err(error.with_attempts(attempts)));
    }

    /// The PUT that may have carried it is neither known to have landed nor known not to.
    fn unknown(self, cause: &str) {
        match self.ticket.token() {
            Some(token) => self.failed(Error::unknown(token, cause)),
            None => self.failed(Error::new(ErrorKind::Unavailable, cause)),
        }
    }
}

/// The callers' end of the wire.
#[derive(Debug)]
pub(crate) struct CommitQueue {
    sender: Mutex<Option<mpsc::Sender<Submission>>>,
    /// Set once the wire has answered everything and ended, or is gone with its runtime.
    ended: watch::Receiver<bool>,
    clock: Arc<dyn Clock>,
    length: usize,
}

impl CommitQueue {
    /// Starts the wire.
    pub(crate) fn start(wire: Wire, clock: Arc<dyn Clock>, length: usize) -> Self {
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
            clock,
            length,
        }
    }

    /// Commits one transaction.
    pub(crate) async fn commit(&self, prepared: Prepared, timeout: Duration) -> Result<Receipt> {
        let (reply, mut answer) = oneshot::channel();
        let ticket = Arc::new(Ticket::default());
        let leave_on_drop = LeaveOnDrop(&ticket);
        let deadline = self.clock.now().saturating_add(timeout);
        self.enqueue(Submission {
            prepared,
            deadline,
            ticket: Arc::clone(&ticket),
            reply,
            arrival: 0,
        })?;
        tokio::select! {
            biased;
            answer = &mut answer => return answer.unwrap_or_else(|_| Err(wire_gone(&leave_on_drop))),
            () = self.clock.sleep(timeout) => {}
        }
        match ticket.leave() {
            Left::Queued(attempts) => Err(Error::new(
                ErrorKind::DeadlineExceeded,
                format!(
                    "the commit's deadline of {} ms passed; it is not committed",
                    timeout.as_millis()
                ),
            )
            .with_attempts(attempts)),
            Left::InBody(token, attempts) => {
                let cause = format!(
                    "its deadline of {} ms passed while its PUT was under way",
                    timeout.as_millis()
                );
                Err(Error::unknown(token, &cause).with_attempts(attempts))
            }
            Left::Answered => answer.await.unwrap_or_else(|_| Err(wire_gone(&leave_on_drop))),
        }
    }

    /// Takes no more commits, and returns when those in the queue are answered.
    pub(crate) async fn close(&self) {
        drop(self.sender.lock().take());
        // An error says that the wire is gone with its runtime: there is nothing to wait for.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    fn enqueue(&self, submission: Submission) -> Result<()> {
        let sender = self.sender.lock();
        let Some(sender) = sender.as_ref() else {
            return Err(Error::new(ErrorKind::Closed, "the handle is closed"));
        };
        sender.try_send(submission).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::new(
                ErrorKind::Busy,
                format!("{} commits wait already, the most of this handle", self.length),
            ),
            mpsc::error::TrySendError::Closed(_) => {
                Error::new(ErrorKind::Closed, "the handle's runtime has stopped")
            }
        })
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

/// What every attempt that a body makes is told to all its members.
fn record(members: &[Submission], attempt: Attempt) {
    for member in members {
        member.ticket.record(attempt);
    }
}
