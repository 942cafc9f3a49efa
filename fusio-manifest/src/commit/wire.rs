//! The task that owns the wire: batch by batch, one PUT of HEAD at a time.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::mpsc;

use super::{
    Submission,
    batch::{Batch, conflict_error},
    body::Body,
    contention::Contention,
    publish::{Published, Publisher},
};
use crate::{
    error::{Error, ErrorKind, Result},
    head_cache::Certified,
    head_io::HeadIo,
    id::Nonce,
    mutant::Mutant,
    options::Options,
    receipt::CommitToken,
    refresh::Refresher,
    state::State,
};

/// Everything the task needs.
#[derive(Debug)]
pub(crate) struct Wire {
    io: Arc<HeadIo>,
    refresher: Arc<Refresher>,
    publisher: Publisher,
    contention: Contention,
    validate: bool,
    arrivals: u64,
}

impl Wire {
    pub(crate) fn new(io: Arc<HeadIo>, refresher: Arc<Refresher>, options: &Options) -> Self {
        let publisher = Publisher {
            io: Arc::clone(&io),
            skip_own_id_check: options.broken_by(Mutant::SkipOwnIdCheck),
            unknown_means_lost: options.broken_by(Mutant::UnknownMeansLost),
        };
        let validate = !options.broken_by(Mutant::SkipValidation);
        Self {
            io,
            refresher,
            publisher,
            contention: Contention::default(),
            validate,
            arrivals: 0,
        }
    }

    /// Runs until every sender is gone and the queue is answered.
    pub(super) async fn run(mut self, mut receiver: mpsc::Receiver<Submission>) {
        let mut queue = VecDeque::new();
        loop {
            if queue.is_empty() {
                match receiver.recv().await {
                    Some(submission) => self.push(&mut queue, submission),
                    None => return,
                }
            }
            while let Ok(submission) = receiver.try_recv() {
                self.push(&mut queue, submission);
            }
            let landed = self.round(&mut queue).await;
            if landed && !(queue.is_empty() && receiver.is_empty()) {
                self.let_others_go_first().await;
            }
        }
    }

    fn push(&mut self, queue: &mut VecDeque<Submission>, mut submission: Submission) {
        self.arrivals += 1;
        submission.arrival = self.arrivals;
        queue.push_back(submission);
    }

    /// One body: built, sent, settled, its members answered or put back. True if it landed.
    async fn round(&mut self, queue: &mut VecDeque<Submission>) -> bool {
        let base = match self.writable_state() {
            Ok(base) => base,
            Err(error) => {
                queue
                    .drain(..)
                    .for_each(|submission| submission.failed(error.clone()));
                return false;
            }
        };
        let mut batch = Batch::assemble(&base, queue, self.validate);
        if batch.commits.is_empty() {
            return false;
        }
        let body = match self.build(base, &batch) {
            Ok(body) => body,
            Err(error) => {
                batch
                    .members
                    .into_iter()
                    .for_each(|member| member.failed(error.clone()));
                Batch::requeue(Vec::new(), batch.deferred, queue);
                return false;
            }
        };
        if !enter(&batch, &body) {
            // A caller left between validation and this line: the body would carry what it must not.
            Batch::requeue(batch.members, batch.deferred, queue);
            return false;
        }
        let deadline = batch
            .members
            .iter()
            .map(|member| member.deadline)
            .max()
            .unwrap_or_default();
        let published = self.publisher.publish(&body, &batch.members, deadline).await;
        match published {
            Published::Landed { sent, certified } => {
                self.landed(batch, &body, &certified);
                self.refresher.serve_waiting(sent, &certified);
                return true;
            }
            Published::Lost => {
                self.contention.lost_race(self.io.clock.now());
                batch.members = lost(batch.members);
            }
            Published::Refused(error) => {
                batch
                    .members
                    .drain(..)
                    .for_each(|member| member.failed(error.clone()));
            }
            Published::Unknown(cause) => {
                batch.members.drain(..).for_each(|member| member.unknown(&cause));
            }
        }
        Batch::requeue(batch.members, batch.deferred, queue);
        false
    }

    /// The state to build on, if this program may write at all.
    fn writable_state(&self) -> Result<Arc<State>> {
        let state = self.io.cache.current()?.state;
        match state.head.unknown_writer_features() {
            0 => Ok(state),
            bits => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the manifest has features that a writer must know and this program does not (bits {bits:#x}): \
                     upgrade it; reading is allowed"
                ),
            )),
        }
    }

    fn build(&self, base: Arc<State>, batch: &Batch) -> Result<Body> {
        let nonce = Nonce::draw(&*self.io.entropy)?;
        Body::build(base, nonce, &batch.commits)
    }

    fn landed(&self, batch: Batch, body: &Body, certified: &Certified) {
        tracing::debug!(
            revision = body.head.revision,
            commits = batch.commits.len(),
            newest = certified.state.head.revision,
            "HEAD replaced"
        );
        for (member, commit) in batch.members.into_iter().zip(&batch.commits) {
            member.committed(commit.txn);
        }
        for (submission, conflict) in batch.deferred {
            let error = conflict_error(&submission, &conflict);
            submission.failed(error);
        }
    }

    async fn let_others_go_first(&self) {
        let (get, put) = self.io.cache.latencies();
        let Ok(draw) = self.io.entropy.unit() else { return };
        if let Some(pause) = self.contention.pause(self.io.clock.now(), get, put, draw) {
            self.io.clock.sleep(pause).await;
        }
    }
}

/// Puts every member into the body, or none: true if all entered.
fn enter(batch: &Batch, body: &Body) -> bool {
    let Some(body_nonce) = body.head.nonce() else {
        return false;
    };
    let all = batch.members.iter().zip(&batch.commits).all(|(member, commit)| {
        member.ticket.enter_body(CommitToken {
            manifest: body.head.manifest,
            id: commit.id,
            body_nonce,
            base_revision: body.base.head.revision,
            base_etag: body.base.etag.clone(),
            expected_txn: commit.txn,
        })
    });
    if !all {
        batch.members.iter().for_each(|member| member.ticket.leave_body());
    }
    all
}

/// The body is dead: single attempts end, the others may enter the next one.
fn lost(members: Vec<Submission>) -> Vec<Submission> {
    let mut again = Vec::with_capacity(members.len());
    for member in members {
        member.ticket.leave_body();
        if member.prepared.single_attempt {
            let id = member.prepared.id;
            member.failed(Error::new(
                ErrorKind::PreconditionFailed,
                format!(
                    "single-attempt transaction {id} lost its race: HEAD was replaced; it is not committed"
                ),
            ));
        } else {
            again.push(member);
        }
    }
    again
}
