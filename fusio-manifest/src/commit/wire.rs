//! The task that owns the wire: batch by batch, one PUT of HEAD at a time.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::{
    Submission,
    batch::{Batch, conflict_error},
    beside::Beside,
    body::Body,
    collector::Collector,
    contention::Contention,
    errand::{self, EDIT_BYTES, Errands},
    gather::gather,
    layout::{Layout, Room, Step, full},
    publish::{Published, Publisher},
    queue::Request,
    spill::Spill,
    stored::store_all,
    upkeep::{Next, Upkeep},
};
use crate::{
    access::Purpose,
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::{Change, Edit, Fold, Merge},
    head_io::HeadIo,
    id::HandleTag,
    immutable::Destination,
    limits::LOG_OBJECTS_MAX,
    log::LoggedCommit,
    mutant::{Broken, Mutant},
    options::{Maintenance, Options},
    receipt::CommitToken,
    refresh::Refresher,
    state::State,
};

/// Everything the task needs.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(super) io: Arc<HeadIo>,
    pub(super) refresher: Arc<Refresher>,
    pub(super) publisher: Publisher,
    pub(super) contention: Contention,
    pub(super) spill: Spill,
    pub(super) fold: Beside<Fold>,
    pub(super) merge: Beside<Merge>,
    /// Folds, merges and steps of a collection are begun by this handle's own commits.
    pub(super) begins_beside: bool,
    pub(super) queue: VecDeque<Submission>,
    pub(super) upkeep: Upkeep,
    pub(super) errands: Errands,
    pub(super) collector: Collector,
    /// How long a piece of maintenance may take, apart from merges.
    pub(super) maintenance_timeout: Duration,
    pub(super) broken: Broken,
    arrivals: u64,
    pub(super) tag: Option<HandleTag>,
}

/// What one turn of the wire came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// A body with so many commits landed.
    Landed(usize),
    /// None did.
    Other,
}

impl Wire {
    pub(crate) fn new(io: Arc<HeadIo>, refresher: Arc<Refresher>, options: &Options) -> Self {
        let publisher = Publisher {
            io: Arc::clone(&io),
            broken: options.broken(),
        };
        let access = Arc::clone(&io.access);
        // Who lets callers give up early does not mean that folds may never be done.
        let maintenance_timeout = options.commit_timeout.max(options.request_timeout * 2);
        Self {
            io,
            refresher,
            publisher,
            errands: Errands::default(),
            collector: Collector::new(access, maintenance_timeout, options.broken()),
            contention: Contention::default(),
            spill: Spill::default(),
            fold: Beside::Idle,
            merge: Beside::Idle,
            begins_beside: options.maintenance == Maintenance::Beside,
            queue: VecDeque::new(),
            upkeep: Upkeep::default(),
            maintenance_timeout,
            broken: options.broken(),
            arrivals: 0,
            tag: None,
        }
    }

    /// Runs until every sender is gone and the queue is answered.
    pub(super) async fn run(mut self, mut receiver: mpsc::Receiver<Request>) {
        loop {
            if self.queue.is_empty() {
                match self.next_request(&mut receiver).await {
                    Next::Request(request) => self.push(request),
                    // Maintenance that somebody waits for has moved on.
                    Next::Nothing => {}
                    Next::Closed => break,
                }
            }
            while let Ok(request) = receiver.try_recv() {
                self.push(request);
            }
            self.tell_how_upkeep_goes();
            if self.let_others_go_first().await {
                // Others may have queued meanwhile.
                continue;
            }
            if let Turn::Landed(commits) = self.round().await {
                let waiting = self.queue.len();
                gather(commits, waiting, &mut receiver, |request| {
                    self.push(request);
                    self.queue.len()
                })
                .await;
            }
        }
        self.finish_maintenance().await;
    }

    fn push(&mut self, request: Request) {
        match request {
            Request::Commit(mut submission) => {
                self.arrivals += 1;
                submission.arrival = self.arrivals;
                self.queue.push_back(submission);
            }
            Request::Maintain(deadline, reply) => {
                // Who asks wants the store asked, not to hear what it said last time.
                self.spill.forget_failure();
                self.fold.forget_failure();
                self.merge.forget_failure();
                self.collector.forget_failure();
                self.upkeep.ask(deadline, reply);
            }
            Request::Edit(errand) => self.errands.push(errand),
        }
    }

    /// One body: built, sent, settled, its members answered or put back.
    async fn round(&mut self) -> Turn {
        let base = match self.writable_state() {
            Ok(base) => base,
            Err(error) => {
                self.queue
                    .drain(..)
                    .for_each(|submission| submission.failed(error.clone()));
                return Turn::Other;
            }
        };
        if !self.queue.is_empty() && self.do_share(&base.head).await {
            return Turn::Other;
        }
        let mut maintenance = self.maintenance_for(&base.head);
        let batch = Batch::assemble(&base, &mut self.queue, self.broken);
        if batch.members.is_empty() {
            return Turn::Other;
        }
        let layout = Layout::of(&batch.members, &base.head, self.broken);
        let room = Room::after(&base, &maintenance, self.spill.spillable(&base.head));
        let edit = self.edit_for(&base, false);
        if edit.is_some() {
            let fixed = room.fixed + EDIT_BYTES;
            // Commits first.
            maintenance.edit = edit.filter(|_| layout.step(&Room { fixed, ..room }) == Step::Send);
        }
        match layout.step(&room) {
            Step::Send => {}
            Step::AwaitSpill => {
                batch.put_back(&mut self.queue);
                self.make_room(&base).await;
                return Turn::Other;
            }
            Step::Upload => {
                self.upload(&base, batch).await;
                return Turn::Other;
            }
            Step::Refuse => {
                self.refuse(base, batch, &maintenance, &room).await;
                return Turn::Other;
            }
        }
        let first = batch.members.first().map(|member| member.prepared.id);
        let built = self.nonce().and_then(|nonce| {
            let change = layout.change(maintenance);
            Body::build(base, nonce, &change, first, layout.logged)
        });
        let body = match built {
            Ok(body) => body,
            Err(error) => {
                batch.fail(&error, &mut self.queue);
                return Turn::Other;
            }
        };
        if !enter(&batch, &body, self.broken) {
            // A caller left between validation and this line: the body would carry what it must not.
            batch.put_back(&mut self.queue);
            return Turn::Other;
        }
        self.send(batch, &body).await
    }

    async fn send(&mut self, mut batch: Batch, body: &Body) -> Turn {
        if self.broken.by(Mutant::SpillOfUnlanded) || self.broken.by(Mutant::SwapByNumbers) {
            self.spill_if_ours(body, &body.head);
        }
        if self.broken.by(Mutant::FoldOfOverlay) {
            self.fold_overlay(body);
        }
        self.before_sending(body);
        let published = self
            .publisher
            .publish(body, &batch.members, batch.deadline())
            .await;
        match published {
            Published::Landed { sent, certified } => {
                let commits = batch.members.len();
                self.won(body);
                answer(batch, body);
                self.edited(body);
                if let Some(certified) = certified {
                    self.refresher.serve_waiting(sent, &certified);
                    self.maintain_if_ours(body, &certified.state.head);
                }
                return Turn::Landed(commits);
            }
            Published::Lost => {
                self.lost_race();
                batch.members = lost(batch.members);
            }
            Published::Refused(error) => {
                self.not_edited(body, || error.clone());
                batch
                    .members
                    .drain(..)
                    .for_each(|member| member.failed(error.clone()));
            }
            Published::Unknown(cause) if self.broken.by(Mutant::UnknownToldAsFailed) => {
                let failed = Error::new(ErrorKind::DeadlineExceeded, cause);
                batch
                    .members
                    .drain(..)
                    .for_each(|member| member.failed(failed.clone()));
            }
            Published::Unknown(_) if self.broken.by(Mutant::UnknownToldAsCommitted) => {
                answer(batch, body);
                return Turn::Other;
            }
            Published::Unknown(cause) => {
                self.not_edited(body, || errand::unknown(&cause));
                batch.members.drain(..).for_each(|member| member.unknown(&cause));
            }
        }
        batch.put_back(&mut self.queue);
        Turn::Other
    }

    /// A deliberate breakage: what is condemned is deleted before anybody is known to have condemned it.
    pub(super) fn before_sending(&mut self, body: &Body) {
        if self.broken.by(Mutant::DeletedBeforeCondemned)
            && let (Some(Edit::Condemn { .. }), Some(collection)) = (&body.edit, body.head.collection)
        {
            self.collector.begin_deletion(&body.head, collection);
        }
    }

    /// The state to build on, if this program may write at all.
    pub(super) fn writable_state(&self) -> Result<Arc<State>> {
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

    /// HEAD has no room for the batch, nor will it have after a spill.
    async fn refuse(&mut self, base: Arc<State>, batch: Batch, maintenance: &Change, room: &Room) {
        // A spill that failed is why there is no room; else HEAD can name no more.
        let mut why = self.spill.failure().unwrap_or_else(full);
        // What is folded or merged by now goes alone: it may be what the next fold waits for.
        if maintenance.maintains() && room.is_left() {
            match self
                .send_alone(Arc::clone(&base), maintenance, batch.deadline())
                .await
            {
                Ok(()) => return batch.put_back(&mut self.queue),
                Err(error) => {
                    let message = format!("no room in HEAD, and what makes some did not get there: {error}");
                    why = Error::new(ErrorKind::Unavailable, message);
                }
            }
        }
        let free = LOG_OBJECTS_MAX.saturating_sub(room.objects);
        batch.refuse(&why, &base.head, free, &mut self.queue);
    }

    /// Writes the members that would stand inline to log objects. The batch is then put together anew, on what HEAD
    /// is by then.
    async fn upload(&mut self, base: &State, mut batch: Batch) {
        let stretches = Layout::of(&batch.members, &base.head, self.broken).stretches;
        let to = Destination::by(&base.head, batch.deadline(), Purpose::Path);
        let commits = |range: &std::ops::Range<usize>| -> Vec<LoggedCommit> {
            let members = batch.members.get(range.clone()).unwrap_or_default();
            let commit = |member: &Submission| LoggedCommit {
                id: member.prepared.id,
                writes: member.prepared.writes.clone(),
            };
            members.iter().map(commit).collect()
        };
        match store_all(&self.io.log, to, stretches.iter().map(commits).collect()).await {
            Ok(written) => {
                self.spill.forget_failure();
                for (range, stored) in stretches.into_iter().zip(written) {
                    for member in batch.members.get_mut(range).unwrap_or_default() {
                        member.stored = Some(Arc::clone(&stored));
                    }
                }
                batch.put_back(&mut self.queue);
            }
            Err(error) => batch.fail(&error, &mut self.queue),
        }
    }

    /// HEAD has no room until a spill has moved something out of it.
    async fn make_room(&mut self, base: &State) {
        let deadline = self.maintenance_deadline();
        if self.spill.begin(&base.head, &self.io.log, deadline, self.broken) {
            // If it fails, the batch goes to a log object instead, or learns why it cannot.
            let _ = self.spill.finished().await;
        }
    }

    pub(super) fn maintenance_deadline(&self) -> Moment {
        self.io
            .access
            .clock
            .now()
            .saturating_add(self.maintenance_timeout)
    }
}

/// The body has landed: its members are committed, and those that conflict with them never will be.
fn answer(batch: Batch, body: &Body) {
    tracing::debug!(
        revision = body.head.revision,
        commits = batch.members.len(),
        "HEAD replaced"
    );
    let first_txn = body.base.head.last_txn + 1;
    for (member, txn) in batch.members.into_iter().zip(first_txn..) {
        member.committed(txn);
    }
    for (submission, conflict) in batch.deferred {
        let error = conflict_error(&submission.prepared, &conflict);
        submission.failed(error);
    }
}

/// Puts every member into the body, or none: true if all entered.
fn enter(batch: &Batch, body: &Body, broken: Broken) -> bool {
    let first_txn = body.base.head.last_txn + 1;
    let all = batch.members.iter().zip(first_txn..).all(|(member, txn)| {
        member.ticket.enter_body(CommitToken {
            manifest: body.head.manifest,
            id: member.prepared.id,
            body_nonce: body.nonce(),
            base_revision: body.base.head.revision,
            base_etag: body.base.etag.clone(),
            expected_txn: txn,
        }) || broken.by(Mutant::DroppedCallerCommits)
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
