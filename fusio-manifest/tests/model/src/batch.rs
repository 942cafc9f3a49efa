//! Which of the queued transactions go into the next body, and how they stand in it (`src/commit/batch.rs`,
//! `layout.rs`, `src/conflict.rs`).

use std::sync::Arc;

use crate::{
    body::Body,
    broken::Broken,
    caller::{Stage, Stored, Why},
    configuration::TransactionId,
    fate::Evidence,
    handle::{Leg, Publishing},
    head::{Head, LogItem, LogReference, Nonce},
    state::Step,
    store::{Gone, Object},
    upkeep::Verdict,
};

impl Step<'_> {
    /// One body: everything that is queued, and the maintenance that is ready.
    pub(crate) fn send(&mut self, handle: usize) {
        let base = Arc::clone(&self.state.handles[handle].cache);
        let mut next = (*base).clone();
        let carries_upkeep = match self.verdict(handle, &base) {
            Verdict::Applies => {
                self.apply_upkeep(handle, &mut next);
                true
            }
            Verdict::LetGo => {
                self.let_go(handle);
                false
            }
            Verdict::NotReady => false,
        };
        let (members, deferred) = self.assemble(handle, &base);
        if members.is_empty() && !carries_upkeep {
            // Without a member there is nothing to be in conflict with.
            return;
        }
        let nonce = Nonce {
            author: u8::try_from(handle).unwrap_or(u8::MAX),
            attempt: self.state.handles[handle].next_attempt(),
        };
        next.revision += 1;
        next.nonces.push((next.revision, nonce));
        if next.nonces.len() > self.configuration.nonces_kept {
            next.nonces.remove(0);
        }
        for item in self.layout(&members, &base) {
            next.last_txn += item.count();
            next.log.push(item);
        }
        let body = Arc::new(Body {
            base,
            head: Arc::new(next),
            nonce,
            members,
            deferred,
            carries_upkeep,
        });
        for id in &body.members {
            let token = Evidence::of_member(&body, *id);
            let caller = self.caller_mut(*id);
            // A broken variant takes along those who left.
            if !caller.is_left() {
                caller.stage = Stage::InBody(token);
            }
        }
        self.put_copy(
            handle,
            Publishing {
                body,
                any_unknown: false,
                leg: Leg::Put,
            },
        );
    }

    /// Takes the queue, in order, validated against the state and against earlier members.
    fn assemble(&mut self, handle: usize, base: &Head) -> (Vec<TransactionId>, Vec<TransactionId>) {
        let queue = std::mem::take(&mut self.state.handles[handle].queue);
        let (mut members, mut deferred) = (Vec::new(), Vec::new());
        for id in queue {
            if self.state.caller(id).is_left() && !self.may_enter_though_left(id) {
                continue;
            }
            if self.configuration.is_broken_by(Broken::SkipValidation) {
                members.push(id);
            } else if self.conflicts_with_state(id, base) == Ok(true) {
                self.tell_conflict(id);
            } else if !self.conflicts_with_batch(id, &members) {
                members.push(id);
            } else if self.configuration.is_broken_by(Broken::BatchConflictAtOnce) {
                self.tell_conflict(id);
            } else {
                deferred.push(id);
            }
        }
        (members, deferred)
    }

    /// In a broken variant: who left a body enters the next.
    pub(crate) fn may_enter_though_left(&self, id: TransactionId) -> bool {
        let left_body = matches!(
            self.state.caller(id).stage,
            Stage::Unknown(_) | Stage::NotCommitted(Why::Asked)
        );
        left_body && self.configuration.is_broken_by(Broken::DroppedCallerCommits)
    }

    pub(crate) fn tell_conflict(&mut self, id: TransactionId) {
        if self.state.caller(id).is_left() {
            return;
        }
        if self.has_reason(id) {
            self.caller_mut(id).told(Stage::NotCommitted(Why::Conflict));
        } else {
            // It may come yet: its snapshot is kept to be held against what lands.
            self.caller_mut(id).stage = Stage::NotCommitted(Why::Conflict);
            self.state.history.without_reason.push(id);
        }
    }

    /// A commit after its snapshot wrote what it read; where commits since were folded away unseen, what it read is
    /// read again.
    pub(crate) fn conflicts_with_state(&self, id: TransactionId, base: &Head) -> Result<bool, Gone> {
        let caller = self.state.caller(id);
        let folded_unseen = base.folded_through() > caller.snapshot;
        let nothing_in_tail = self.configuration.is_broken_by(Broken::SkipReadAgain);
        let reads = self.configuration.transaction(id).reads.iter();
        for (key, observed) in reads.zip(&caller.observed) {
            let newest = self.state.store.newest_in_log(self.configuration, base, *key)?;
            if newest.is_some_and(|(txn, _)| txn > caller.snapshot) {
                return Ok(true);
            }
            if folded_unseen
                && !nothing_in_tail
                && self.state.store.value(self.configuration, base, *key)? != *observed
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn conflicts_with_batch(&self, id: TransactionId, members: &[TransactionId]) -> bool {
        let reads = &self.configuration.transaction(id).reads;
        let mut written = members
            .iter()
            .flat_map(|member| &self.configuration.transaction(*member).writes);
        written.any(|key| reads.contains(key))
    }

    /// The members as items of the log behind `base`.
    fn layout(&self, members: &[TransactionId], base: &Head) -> Vec<LogItem> {
        let mut items = Vec::new();
        let mut next_txn = base.last_txn + 1;
        let mut rest = members;
        while let Some((first, others)) = rest.split_first() {
            match self.held(rest, base) {
                Some((stored, behind)) => {
                    let reference = LogReference::new(next_txn, &stored.ids, stored.object);
                    next_txn += reference.count;
                    items.push(LogItem::Object(reference));
                    rest = behind;
                }
                None => {
                    items.push(LogItem::Inline {
                        txn: next_txn,
                        id: *first,
                    });
                    next_txn += 1;
                    rest = others;
                }
            }
        }
        items
    }

    /// The log object that holds the first of `members`, and the members behind those that it holds, if they are
    /// the ones that it holds, in its order, and it is not behind the collector's fence.
    fn held<'m>(&self, members: &'m [TransactionId], base: &Head) -> Option<(Stored, &'m [TransactionId])> {
        let first = members.first()?;
        let stored = self.state.caller(*first).stored.clone()?;
        if self.configuration.is_broken_by(Broken::ObjectNamedWithoutMember) {
            let others = |id: &TransactionId| !stored.ids.contains(id);
            let these = members.iter().position(others).unwrap_or(members.len());
            return Some((stored, members.get(these..)?));
        }
        let (these, behind) = members.split_at_checked(stored.ids.len())?;
        (these == stored.ids && self.is_before_fence(stored.object, base)).then_some((stored, behind))
    }

    /// The queued transactions that have to lie in a log object before they can be sent, and do not yet.
    pub(crate) fn to_upload(&self, handle: usize) -> Vec<TransactionId> {
        let Some(handle) = self.state.handles.get(handle) else {
            return Vec::new();
        };
        let epoch = handle.cache.epoch;
        let large = |id: &&TransactionId| {
            self.configuration.transaction(**id).large && !self.state.caller(**id).is_left()
        };
        let queued: Vec<TransactionId> = handle.queue.iter().filter(large).copied().collect();
        let fenced_by_writer = !matches!(
            self.configuration.broken,
            Some(Broken::OldEpochNamed | Broken::NameUsedTwice)
        );
        let stored = |id: &TransactionId| match &self.state.caller(*id).stored {
            Some(stored) => {
                (!fenced_by_writer || stored.object.epoch >= epoch)
                    && (stored.ids.iter().all(|id| queued.contains(id))
                        || self.configuration.is_broken_by(Broken::ObjectNamedWithoutMember))
            }
            None => false,
        };
        match queued.iter().all(stored) {
            true => Vec::new(),
            false => queued,
        }
    }

    /// Writes the large ones of the queue to one log object.
    pub(crate) fn upload(&mut self, handle: usize) {
        self.state.budget.upload -= 1;
        let ids = self.to_upload(handle);
        let object = self.draw_name(handle);
        let content = Object::Log {
            ids: ids.clone(),
            inside: Vec::new(),
        };
        self.state.store.create(object, content);
        for id in &ids {
            let stored = Stored {
                object,
                ids: ids.clone(),
            };
            self.caller_mut(*id).stored = Some(stored);
        }
    }
}
