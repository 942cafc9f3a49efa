//! Which of the queued transactions go into the next body.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use super::{Prepared, Submission};
use crate::{
    clock::Moment,
    conflict::Conflict,
    error::{Error, ErrorKind},
    head::Head,
    mutant::{Broken, Mutant},
    state::State,
};

/// What the members of one body write at most, besides large ones, which have log objects of their own: it may have
/// to be written to one.
const BATCH_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The members of the next body, and who has to wait for what becomes of it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) members: Vec<Submission>,
    /// Those that conflict with a member. The conflict is final only when the body has landed.
    pub(super) deferred: Vec<(Submission, Conflict)>,
    written: BTreeSet<Bytes>,
    bytes: u64,
}

impl Batch {
    /// Takes from `queue`, in order, validated against `state` and against the earlier members. Transactions that
    /// can no longer commit are answered; those whose callers are gone are let go; what is too much for one body
    /// stays.
    pub(super) fn assemble(state: &State, queue: &mut VecDeque<Submission>, broken: Broken) -> Self {
        let mut batch = Self::default();
        let inline_max = state.head.settings.transaction_inline_bytes;
        while let Some(submission) = queue.pop_front() {
            // A small one counts also when it lies in a log object already: else its batch would take in ever more,
            // and write ever more objects before its first HEAD.
            let bytes = match submission.prepared.bytes() {
                large if large > inline_max && submission.stored.is_some() => 0,
                bytes => bytes,
            };
            if !batch.members.is_empty() && batch.bytes + bytes > BATCH_BYTES_MAX {
                queue.push_front(submission);
                break;
            }
            batch.admit(state, submission, bytes, broken);
        }
        batch
    }

    fn admit(&mut self, state: &State, submission: Submission, bytes: u64, broken: Broken) {
        if submission.ticket.is_left() && !broken.by(Mutant::DroppedCallerCommits) {
            return;
        }
        let prepared = &submission.prepared;
        let reads = prepared.reads.validated(broken);
        let unseen = prepared.holds_at < state.complete_after && !reads.is_empty();
        if unseen && !broken.by(Mutant::SkipReadAgain) {
            return submission.read_again();
        }
        if let Some(conflict) = reads.conflict_with_state(prepared.holds_at, &state.overlay) {
            let error = conflict_error(prepared, &conflict);
            return submission.failed(error);
        }
        let conflict = reads
            .conflict_with_batch(&self.written)
            .filter(|_| !broken.by(Mutant::SkipBatchValidation));
        if let Some(conflict) = conflict {
            self.deferred.push((submission, conflict));
            return;
        }
        self.bytes += bytes;
        self.written
            .extend(prepared.writes.iter().map(|write| write.key.clone()));
        self.members.push(submission);
    }

    /// When the last of its members' callers stops waiting.
    pub(super) fn deadline(&self) -> Moment {
        let deadlines = self.members.iter().map(|member| member.deadline);
        deadlines.max().unwrap_or_default()
    }

    /// Puts back, in their old order, all who may try again.
    pub(super) fn put_back(self, queue: &mut VecDeque<Submission>) {
        let mut back = self.members;
        back.extend(self.deferred.into_iter().map(|(submission, _)| submission));
        back.sort_by_key(|submission| submission.arrival);
        for submission in back.into_iter().rev() {
            queue.push_front(submission);
        }
    }

    /// Its members fail; those that conflict with them may try again.
    pub(super) fn fail(mut self, error: &Error, queue: &mut VecDeque<Submission>) {
        self.members
            .drain(..)
            .for_each(|member| member.failed(error.clone()));
        self.put_back(queue);
    }

    /// HEAD can name no more than `free` log objects: of the members that need one the newest fail, all others may
    /// try again. Where that is nobody, there is no room for anybody.
    pub(super) fn refuse(
        mut self,
        error: &Error,
        head: &Head,
        mut free: usize,
        queue: &mut VecDeque<Submission>,
    ) {
        let inline_max = head.settings.transaction_inline_bytes;
        let mut too_many = |member: &mut Submission| {
            let needs_one = member.stored.is_some() || member.prepared.bytes() > inline_max;
            let over = needs_one && free == 0;
            free -= usize::from(needs_one && !over);
            over
        };
        let refused: Vec<Submission> = self.members.extract_if(.., |member| too_many(member)).collect();
        if refused.is_empty() {
            return self.fail(error, queue);
        }
        for member in refused {
            member.failed(error.clone());
        }
        self.put_back(queue);
    }
}

pub(super) fn conflict_error(prepared: &Prepared, conflict: &Conflict) -> Error {
    let by = match conflict.txn {
        Some(txn) => format!("commit {txn}"),
        None => "a commit of the same batch, or one that has been folded since".to_owned(),
    };
    Error::new(
        ErrorKind::Conflict,
        format!(
            "transaction {} conflicts: key \"{}\", which it read at commit {}, was written by {by}",
            prepared.id,
            conflict.key.escape_ascii(),
            prepared.snapshot
        ),
    )
}
