//! Which of the queued transactions go into the next body.

use std::{collections::BTreeSet, collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::Submission;
use crate::{
    conflict::Conflict,
    error::{Error, ErrorKind},
    head::InlineCommit,
    limits::INLINE_BYTES_MAX,
    state::State,
};

/// The members of the next body, and who has to wait for what becomes of it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) members: Vec<Submission>,
    pub(super) commits: Vec<Arc<InlineCommit>>,
    /// Those that conflict with a member. The conflict is final only when the body has landed.
    pub(super) deferred: Vec<(Submission, Conflict)>,
    written: BTreeSet<Bytes>,
    inline_bytes: usize,
}

impl Batch {
    /// Takes everything from `queue`, in order, validated against `state` and against the earlier members.
    /// Transactions that can no longer commit are answered; those whose callers are gone are let go.
    pub(super) fn assemble(state: &State, queue: &mut VecDeque<Submission>, validate: bool) -> Self {
        let mut batch = Self {
            inline_bytes: state.head.inline_bytes(),
            ..Self::default()
        };
        for submission in queue.drain(..) {
            batch.admit(state, submission, validate);
        }
        batch
    }

    fn admit(&mut self, state: &State, submission: Submission, validate: bool) {
        if submission.ticket.is_left() {
            return;
        }
        let prepared = &submission.prepared;
        if validate {
            if let Some(conflict) = prepared
                .reads
                .conflict_with_state(prepared.snapshot, &state.overlay)
            {
                let error = conflict_error(&submission, &conflict);
                return submission.failed(error);
            }
            if let Some(conflict) = prepared.reads.conflict_with_batch(&self.written) {
                self.deferred.push((submission, conflict));
                return;
            }
        }
        let txn = state.head.last_txn + 1 + self.commits.len() as u64;
        let commit = InlineCommit::new(txn, prepared.id, prepared.writes.clone());
        let bytes = self.inline_bytes + commit.encoded_bytes();
        if bytes > INLINE_BYTES_MAX {
            let error = full(self.inline_bytes, commit.encoded_bytes());
            return submission.failed(error);
        }
        self.inline_bytes = bytes;
        self.written
            .extend(prepared.writes.iter().map(|write| write.key.clone()));
        self.commits.push(Arc::new(commit));
        self.members.push(submission);
    }

    /// Puts back, in their old order, all who may try again.
    pub(super) fn requeue(
        members: Vec<Submission>,
        deferred: Vec<(Submission, Conflict)>,
        queue: &mut VecDeque<Submission>,
    ) {
        let mut back: Vec<Submission> = members;
        back.extend(deferred.into_iter().map(|(submission, _)| submission));
        back.sort_by_key(|submission| submission.arrival);
        for submission in back.into_iter().rev() {
            queue.push_front(submission);
        }
    }
}

pub(super) fn conflict_error(submission: &Submission, conflict: &Conflict) -> Error {
    let by = match conflict.txn {
        Some(txn) => format!("commit {txn}"),
        None => "a commit of the same batch".to_owned(),
    };
    Error::new(
        ErrorKind::Conflict,
        format!(
            "transaction {} conflicts: key \"{}\", which it read at commit {}, was written by {by}",
            submission.prepared.id,
            conflict.key.escape_ascii(),
            submission.prepared.snapshot
        ),
    )
}

fn full(carried: usize, needed: usize) -> Error {
    Error::new(
        ErrorKind::Full,
        format!(
            "no room for {needed} bytes: HEAD carries at most {INLINE_BYTES_MAX} bytes of commits and has \
             {carried} already. This version keeps every commit in HEAD, about 1,700 of 100 bytes: begin a new \
             manifest under another prefix"
        ),
    )
}
