//! What the wire does beside its commits: which maintenance is due, who does it, and what of it the next HEAD carries.

use std::{sync::Arc, time::Duration};

use super::{
    beside::Attempt,
    body::Body,
    fold::{self, Plan, Urgency},
    merge, spill,
    wire::Wire,
};
use crate::{
    access::Purpose,
    clock::Moment,
    error::Error,
    head::{Change, Head, Input, Run},
    immutable::Destination,
    mutant::Mutant,
    state::Overlay,
};

/// By how many log objects HEAD grows before a fold that failed is tried again at once; and by how many runs, before a
/// merge.
const RETRY_OBJECTS: u64 = 4;
const RETRY_RUNS: u64 = 1;

/// How long a commit waits at a hard limit: a merge may take far longer than any caller has time. If it takes longer, or
/// fails, commits go on for as long as HEAD has room.
const SHARE_MAX: Duration = Duration::from_secs(5);

impl Wire {
    /// What the HEAD that follows `head` carries of what is ready.
    pub(super) fn maintenance_for(&mut self, head: &Head) -> Change {
        self.spill.poll();
        self.fold.poll();
        self.merge.poll();
        let swaps = self.spill.swaps(head, self.broken);
        let merge = self.merge.standing(|merge| head.stands_merge(merge)).cloned();
        let anywhere = self.broken.by(Mutant::FoldLeavesInputs);
        let fold = self
            .fold
            .standing(|fold| head.stands_fold(fold) || (anywhere && !head.runs.contains(&fold.run)));
        // A spill may be about to move what the fold has as its input. It goes first; then the fold stands, or not.
        let clash = |fold: &&_| {
            let fold: &crate::head::Fold = fold;
            !swaps.is_empty() && fold.inputs.iter().any(|input| matches!(input, Input::Commit(_)))
        };
        Change {
            items: Vec::new(),
            fold: fold.filter(|fold| !clash(fold)).cloned(),
            swaps,
            merge,
            edit: None,
        }
    }

    /// At a hard limit a commit first does its share: true if it has waited until that was done, or could not be, and HEAD
    /// may be another by now.
    pub(super) async fn do_share(&mut self, head: &Head) -> bool {
        let settings = &head.settings;
        let clock = Arc::clone(&self.io.access.clock);
        self.fold.poll();
        self.merge.poll();
        if head.log_objects().count() >= settings.log_objects_max as usize && !self.fold.is_ready() {
            self.begin_fold(head, Urgency::HardLimit, self.maintenance_deadline(), None);
            if self.fold.is_under_way() {
                return self.fold.finished_within(&*clock, SHARE_MAX).await;
            }
        }
        if head.runs.len() >= settings.runs_max as usize && !self.merge.is_ready() {
            self.begin_merge(head, merge::at_hard_limit(head));
            if self.merge.is_under_way() {
                return self.merge.finished_within(&*clock, SHARE_MAX).await;
            }
        }
        false
    }

    /// After a HEAD of this handle has landed: begins what it made due.
    pub(super) fn maintain_if_ours(&mut self, body: &Body, landed: &Head) {
        self.spill_if_ours(body, landed);
        // Lets go of what was swapped in just now.
        self.maintenance_for(landed);
        if !self.begins_beside {
            return;
        }
        let before = &body.base.head;
        if fold::is_ours(before, landed, body.folds) {
            self.begin_fold(landed, Urgency::Due, self.maintenance_deadline(), None);
        }
        if merge::is_ours(before, landed, body.merges || body.folds) {
            self.begin_merge(landed, merge::due(landed));
        }
    }

    pub(super) fn spill_if_ours(&mut self, body: &Body, landed: &Head) {
        self.spill.poll();
        // Lets go of what was swapped in just now.
        self.spill.swaps(landed, self.broken);
        if !spill::is_due(landed) {
            self.spill.forget_failure();
        }
        if spill::is_ours(&body.base.head, landed, body.spills || self.spill.is_behind()) {
            let deadline = self.maintenance_deadline();
            self.spill.begin(landed, &self.io.log, deadline, self.broken);
        }
    }

    /// Begins what is due by `head`, whoever made it so; true if something is under way.
    pub(super) fn begin_due(&mut self, head: &Head, deadline: Moment) -> bool {
        if spill::is_due(head) {
            self.spill.begin(head, &self.io.log, deadline, self.broken);
        }
        self.begin_fold(head, Urgency::Due, deadline, None);
        self.begin_merge(head, merge::due(head));
        self.spill.is_under_way()
            || self.fold.is_under_way()
            || self.merge.is_under_way()
            || self.collector.is_under_way()
    }

    /// Why something that is due could not be done.
    pub(super) fn maintenance_failure(&self) -> Option<Error> {
        let failures = [
            self.spill.failure(),
            self.fold.failure(),
            self.merge.failure(),
            self.collector.failure(),
        ];
        failures.into_iter().flatten().next()
    }

    /// A deliberate breakage: folds what `body` would make the state, before it has landed.
    pub(super) fn fold_overlay(&mut self, body: &Body) {
        let state = body.state(&self.io.cache, body.base.etag.clone());
        if let (Ok(state), true) = (state, fold::is_ours(&body.base.head, &body.head, true)) {
            let deadline = self.maintenance_deadline();
            self.begin_fold(&body.base.head, Urgency::HardLimit, deadline, Some(state.overlay));
        }
    }

    fn begin_fold(&mut self, head: &Head, urgency: Urgency, deadline: Moment, overlay: Option<Overlay>) {
        let Some(plan) = Plan::of(head, urgency) else {
            self.fold.forget_failure();
            return;
        };
        let to = Destination::by(head, deadline, Purpose::Maintenance);
        let broken = self.broken;
        let attempt = self.attempt(head.log_objects().count(), RETRY_OBJECTS);
        let work = fold::write(Arc::clone(&self.io), to, head.settings, plan, overlay, broken);
        self.fold.begin(attempt, work);
    }

    fn begin_merge(&mut self, head: &Head, picked: Option<std::ops::Range<usize>>) {
        let Some(range) = picked else {
            self.merge.forget_failure();
            return;
        };
        let inputs: Vec<Run> = head.runs.get(range).unwrap_or_default().to_vec();
        // It may take long; what it writes may be named for as long as nobody collects it.
        let lasts = head.settings.retention.max(self.maintenance_timeout);
        let deadline = self.io.access.clock.now().saturating_add(lasts);
        let to = Destination::by(head, deadline, Purpose::Maintenance);
        let work = merge::write(Arc::clone(&self.io), to, head.settings, inputs, self.broken);
        self.merge.begin(self.attempt(head.runs.len(), RETRY_RUNS), work);
    }

    fn attempt(&self, amount: usize, more: u64) -> Attempt {
        Attempt {
            begun: self.io.access.clock.now(),
            amount: amount as u64,
            more,
        }
    }
}
