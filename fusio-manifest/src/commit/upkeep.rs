//! Maintenance that somebody waits for: `maintain` and `close`. Commits go on meanwhile, and what they can carry
//! rides along with them; only where nobody commits a HEAD is sent for maintenance alone.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{queue::Request, wire::Wire};
use crate::{
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::Change,
    state::State,
};

/// How often maintenance that loses its race is tried again before its caller is told.
const ATTEMPTS: u32 = 16;

/// Who waits for maintenance.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    waiting: Vec<(Moment, oneshot::Sender<Result<()>>)>,
    attempts: u32,
}

impl Upkeep {
    pub(super) fn ask(&mut self, deadline: Moment, reply: oneshot::Sender<Result<()>>) {
        self.waiting.push((deadline, reply));
    }

    fn answer(&mut self, result: &Result<()>) {
        self.attempts = 0;
        for (_, reply) in self.waiting.drain(..) {
            // Nobody may be waiting any more.
            let _ = reply.send(result.clone());
        }
    }

    /// A HEAD that only maintains has landed: only races that are lost in a row say that others are at it.
    pub(super) fn landed(&mut self) {
        self.attempts = 0;
    }

    fn deadline(&self) -> Option<Moment> {
        self.waiting.iter().map(|(deadline, _)| *deadline).max()
    }
}

/// What an idle wire has to do.
#[derive(Debug)]
pub(super) enum Next {
    Request(Request),
    Nothing,
    /// Nobody can ask for anything any more.
    Closed,
}

/// How far maintenance is.
enum Stage {
    /// Nothing is due, or it failed.
    Done(Result<()>),
    /// Log objects are being written.
    Writing(Moment),
    /// They wait to be named.
    Written(Arc<State>, Box<Change>, Moment),
}

impl Wire {
    /// The next request; meanwhile the maintenance that somebody waits for.
    pub(super) async fn next_request(&mut self, receiver: &mut mpsc::Receiver<Request>) -> Next {
        if self.run_errand().await {
            return Next::Nothing;
        }
        match self.stage() {
            None => match receiver.recv().await {
                Some(request) => Next::Request(request),
                None => Next::Closed,
            },
            Some(Stage::Done(result)) => {
                self.upkeep.answer(&result);
                Next::Nothing
            }
            Some(Stage::Written(base, change, deadline)) => {
                self.upkeep.attempts += 1;
                let sent = if self.upkeep.attempts > ATTEMPTS {
                    Err(Error::new(
                        ErrorKind::Unavailable,
                        format!("maintenance lost {ATTEMPTS} races: others are at it"),
                    ))
                } else {
                    self.send_alone(base, &change, deadline).await
                };
                if sent.is_err() {
                    self.upkeep.answer(&sent);
                }
                Next::Nothing
            }
            Some(Stage::Writing(deadline)) => {
                let clock = Arc::clone(&self.io.access.clock);
                let left = deadline.saturating_sub(clock.now());
                tokio::select! {
                    biased;
                    request = receiver.recv(), if !receiver.is_closed() || !receiver.is_empty() => match request {
                        Some(request) => Next::Request(request),
                        None => Next::Nothing,
                    },
                    _ = self.spill.finished(), if self.spill.is_under_way() => Next::Nothing,
                    () = self.fold.finished(), if self.fold.is_under_way() => Next::Nothing,
                    () = self.merge.finished(), if self.merge.is_under_way() => Next::Nothing,
                    () = self.collector.finished(), if self.collector.is_under_way() => Next::Nothing,
                    () = clock.sleep(left) => {
                        self.upkeep.answer(&Err(out_of_time()));
                        Next::Nothing
                    }
                }
            }
        }
    }

    /// The same where commits go on, which carry what there is to swap: whoever waits is answered when nothing is
    /// left to do, or their time is over.
    pub(super) fn tell_how_upkeep_goes(&mut self) {
        let now = self.io.access.clock.now();
        let result = match self.stage() {
            Some(Stage::Done(result)) => result,
            Some(Stage::Writing(deadline) | Stage::Written(_, _, deadline)) if now >= deadline => {
                Err(out_of_time())
            }
            Some(Stage::Writing(_) | Stage::Written(..)) | None => return,
        };
        self.upkeep.answer(&result);
    }

    /// How far the maintenance is that somebody waits for, if anybody does. Begins what is due.
    fn stage(&mut self) -> Option<Stage> {
        let deadline = self.upkeep.deadline()?;
        let base = match self.writable_state() {
            Ok(base) => base,
            Err(error) => return Some(Stage::Done(Err(error))),
        };
        let mut change = self.maintenance_for(&base.head);
        change.edit = self.edit_for(&base, true);
        if change.maintains() {
            return Some(Stage::Written(base, Box::new(change), deadline));
        }
        if let Some(error) = self.maintenance_failure() {
            return Some(Stage::Done(Err(error)));
        }
        Some(if self.begin_due(&base.head, deadline) {
            Stage::Writing(deadline)
        } else {
            Stage::Done(Ok(()))
        })
    }

    /// What is written, or being written, would be garbage. What that makes due is left to others.
    pub(super) async fn finish_maintenance(&mut self) {
        self.begins_beside = false;
        let _ = self.spill.finished().await;
        self.fold.finished().await;
        self.merge.finished().await;
        self.collector.finished().await;
        let deadline = self.maintenance_deadline();
        for _ in 0..ATTEMPTS {
            let Ok(base) = self.writable_state() else { return };
            let mut change = self.maintenance_for(&base.head);
            change.edit = self.collector.begun(&base.head);
            if !change.maintains() {
                return;
            }
            if let Err(error) = self.send_alone(base, &change, deadline).await {
                tracing::debug!(%error, "maintenance was left behind");
                return;
            }
            let _ = self.spill.finished().await;
            self.collector.finished().await;
        }
    }
}

fn out_of_time() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the deadline of the maintenance passed before it was done",
    )
}
