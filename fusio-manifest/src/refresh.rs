//! Fresh reads: who looks at HEAD, and who may share whose look.
//!
//! A read may use only a look that was sent after the read began. While few looks are on the wire a read
//! sends its own; else it waits for the next one to be sent, which serves all who wait. A PUT of HEAD that
//! this handle sends is a look as well.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{
    clock::within,
    error::{Error, ErrorKind, Result},
    head_cache::{Certified, Sent},
    head_io::HeadIo,
    mutant::{Broken, Mutant},
};

#[derive(Debug)]
pub(crate) struct Refresher {
    io: Arc<HeadIo>,
    in_flight_max: usize,
    timeout: Duration,
    queue: Mutex<Queue>,
    broken: Broken,
}

#[derive(Debug, Default)]
struct Queue {
    in_flight: usize,
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    began: u64,
    reply: oneshot::Sender<Result<Certified>>,
}

impl Refresher {
    pub(crate) fn new(io: Arc<HeadIo>, in_flight_max: usize, timeout: Duration, broken: Broken) -> Arc<Self> {
        Arc::new(Self {
            io,
            in_flight_max,
            timeout,
            queue: Mutex::default(),
            broken,
        })
    }

    /// A state that holds every commit acknowledged before this call.
    pub(crate) async fn refresh(self: &Arc<Self>) -> Result<Certified> {
        let (reply, answer) = oneshot::channel();
        let waiter = Waiter {
            began: self.io.cache.mark(),
            reply,
        };
        let own = {
            let mut queue = self.queue.lock();
            if queue.in_flight < self.in_flight_max {
                queue.in_flight += 1;
                Some(waiter)
            } else {
                queue.waiting.push(waiter);
                None
            }
        };
        if let Some(waiter) = own {
            // A task of its own, because others may come to wait for what it does next.
            tokio::spawn(Arc::clone(self).look_for(vec![waiter]));
        }
        match within(&*self.io.access.clock, self.timeout, answer).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(Error::new(
                ErrorKind::Closed,
                "the runtime stopped while HEAD was being looked at",
            )),
            None => Err(Error::new(
                ErrorKind::Unavailable,
                format!("nobody could look at HEAD within {} ms", self.timeout.as_millis()),
            )),
        }
    }

    /// An own PUT of HEAD landed: it serves whoever waited before it was sent.
    pub(crate) fn serve_waiting(&self, sent: Sent, certified: &Certified) {
        let served: Vec<Waiter> = {
            let mut queue = self.queue.lock();
            queue
                .waiting
                .extract_if(.., |waiter| {
                    sent.is_after(waiter.began) || self.broken.by(Mutant::PutServesLaterReads)
                })
                .collect()
        };
        answer_all(served, &Ok(certified.clone()));
    }

    async fn look_for(self: Arc<Self>, mut waiters: Vec<Waiter>) {
        loop {
            let deadline = self.io.access.clock.now() + self.timeout;
            let answer = self.io.look(deadline).await;
            answer_all(waiters, &answer);
            let mut queue = self.queue.lock();
            if self.broken.by(Mutant::RefreshSentTooEarly) {
                answer_all(std::mem::take(&mut queue.waiting), &answer);
            }
            if queue.waiting.is_empty() {
                queue.in_flight -= 1;
                return;
            }
            waiters = std::mem::take(&mut queue.waiting);
        }
    }
}

fn answer_all(waiters: Vec<Waiter>, answer: &Result<Certified>) {
    for waiter in waiters {
        // Who no longer waits does not need the answer.
        let _ = waiter.reply.send(answer.clone());
    }
}
