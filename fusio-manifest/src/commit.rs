//! Commits of one handle. Callers put transactions into a queue; one task, the wire, takes what is there,
//! sends it as one PUT of HEAD, finds out what became of it, and answers. A caller that gives up never stops
//! a PUT that is under way.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    clock::Moment,
    conflict::ReadSet,
    error::{Error, ErrorKind, Result},
    head::Write,
    id::TransactionId,
    receipt::{Attempt, Receipt},
};
pub(crate) use merge::tier;
pub(crate) use queue::CommitQueue;
use stored::Stored;
use ticket::Ticket;
pub(crate) use wire::Wire;

mod batch;
mod beside;
mod body;
mod collector;
mod contention;
pub(crate) mod due;
mod errand;
pub(crate) mod fate;
mod fold;
mod gather;
mod layout;
mod maintenance;
mod merge;
mod publish;
mod queue;
mod racing;
mod spill;
mod standings;
mod stored;
mod ticket;
mod upkeep;
mod wire;

/// A transaction that is ready to be committed.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: TransactionId,
    pub(crate) snapshot: u64,
    /// What it read is known to hold after this commit too: at first its snapshot.
    pub(crate) holds_at: u64,
    pub(crate) reads: ReadSet,
    pub(crate) writes: Vec<Write>,
    pub(crate) single_attempt: bool,
}

impl Prepared {
    /// About what its writes take in HEAD.
    fn bytes(&self) -> u64 {
        self.writes.iter().map(|write| write.bytes() as u64).sum()
    }
}

/// What the wire answers.
#[derive(Debug)]
enum Reply {
    /// What became of it.
    Told(Result<Receipt>),
    /// Nothing yet: the overlay cannot tell whether what it read still holds. Its caller has to read it again, so that
    /// nobody else waits for that.
    ReadAgain(Box<Prepared>, Option<Arc<Stored>>, OwnedSemaphorePermit),
}

/// One in the queue, with the line back to its caller.
#[derive(Debug)]
struct Submission {
    prepared: Prepared,
    /// The log object that holds it already.
    stored: Option<Arc<Stored>>,
    deadline: Moment,
    ticket: Arc<Ticket>,
    reply: oneshot::Sender<Reply>,
    /// Its place in the queue, given by the wire.
    arrival: u64,
    /// It is one of so many that may be under way.
    admission: OwnedSemaphorePermit,
}

impl Submission {
    fn committed(self, txn: u64) {
        let receipt = Receipt {
            id: self.prepared.id,
            txn: Some(txn),
            snapshot: self.prepared.snapshot,
            attempts: self.ticket.answered(),
        };
        // Before its caller comes back with the next one.
        drop(self.admission);
        // A caller that is gone has been told nothing, or that the outcome is unknown: both stay true.
        let _ = self.reply.send(Reply::Told(Ok(receipt)));
    }

    fn failed(self, error: Error) {
        let attempts = self.ticket.answered();
        drop(self.admission);
        let _ = self.reply.send(Reply::Told(Err(error.with_attempts(attempts))));
    }

    fn read_again(self) {
        // A caller that is gone has left the queue: it is not committed.
        let _ = self.reply.send(Reply::ReadAgain(
            Box::new(self.prepared),
            self.stored,
            self.admission,
        ));
    }

    /// The PUT that may have carried it is neither known to have landed nor known not to.
    fn unknown(self, cause: &str) {
        match self.ticket.token() {
            Some(token) => self.failed(Error::unknown(token, cause)),
            None => self.failed(Error::new(ErrorKind::Unavailable, cause)),
        }
    }
}

/// What every attempt that a body makes is told to all its members.
fn record(members: &[Submission], attempt: Attempt) {
    for member in members {
        member.ticket.record(attempt);
    }
}
