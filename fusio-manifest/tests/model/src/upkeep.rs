//! The one piece of maintenance that a handle has under way. It rides along with the next body.
//!
//! Writing an object and beginning to are one step: until HEAD or a LIST shows it nobody else can tell the
//! difference. That the object's PUT is lost, or arrives after its handle has given it up, is a step of its own.

use std::sync::Arc;

use crate::{
    body::Body,
    broken::Broken,
    configuration::TransactionId,
    head::{Head, LogReference, ObjectName, Run},
    state::Step,
    store::Request,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Upkeep {
    /// Inline commits lie in an object.
    Spill {
        first_txn: u8,
        ids: Vec<TransactionId>,
        object: ObjectName,
        /// How many items of the log it takes the place of, and what objects it holds by name only: a broken
        /// variant's.
        nested: Option<usize>,
    },
    /// Log objects lie in a run.
    Fold {
        inputs: Vec<LogReference>,
        run: Run,
    },
    /// Two runs lie in one.
    Merge {
        inputs: [Run; 2],
        run: Run,
    },
    RaiseEpoch,
    /// The epoch is raised; what is to be spared is known.
    Fenced {
        marked_revision: u8,
        /// Names of this epoch and before can no longer become referenced.
        epoch: u8,
        spared: Vec<ObjectName>,
    },
    NameList {
        marked_revision: u8,
        list: ObjectName,
    },
    Condemn {
        list: ObjectName,
    },
    DropList {
        list: ObjectName,
    },
    Pin {
        revision: u8,
        object: ObjectName,
    },
    Unpin {
        object: ObjectName,
    },
}

/// What a body on some base can do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Applies,
    /// Its inputs no longer stand: somebody else was faster, or it has landed.
    LetGo,
    NotReady,
}

impl Step<'_> {
    pub(crate) fn verdict(&self, handle: usize, base: &Head) -> Verdict {
        let Some(upkeep) = &self.state.handles[handle].upkeep else {
            return Verdict::NotReady;
        };
        let applies = match upkeep {
            Upkeep::Spill { .. } => self.spill_applies(upkeep, base),
            Upkeep::Fold { .. } | Upkeep::Merge { .. } => self.fold_applies(upkeep, base),
            Upkeep::RaiseEpoch => true,
            Upkeep::Fenced { .. } => return Verdict::NotReady,
            Upkeep::NameList { .. } | Upkeep::Condemn { .. } | Upkeep::DropList { .. } => {
                self.collection_applies(upkeep, base)
            }
            Upkeep::Pin { .. } | Upkeep::Unpin { .. } => self.pin_applies(upkeep, base),
        };
        if applies { Verdict::Applies } else { Verdict::LetGo }
    }

    pub(crate) fn apply_upkeep(&self, handle: usize, next: &mut Head) {
        let Some(upkeep) = &self.state.handles[handle].upkeep else {
            return;
        };
        match upkeep {
            Upkeep::Spill { .. } => upkeep.swap_commits(next),
            Upkeep::Fold { .. } | Upkeep::Merge { .. } => {
                upkeep.swap_runs(next, self.configuration);
            }
            Upkeep::RaiseEpoch
            | Upkeep::NameList { .. }
            | Upkeep::Condemn { .. }
            | Upkeep::DropList { .. } => {
                upkeep.move_collection(next, self.configuration);
            }
            Upkeep::Pin { .. } | Upkeep::Unpin { .. } => upkeep.change_pins(next),
            Upkeep::Fenced { .. } => {}
        }
    }

    /// Whoever loses deletes nothing; its objects are garbage.
    pub(crate) fn let_go(&mut self, handle: usize) {
        let upkeep = self.state.handles[handle].upkeep.take();
        let run = match upkeep {
            Some(Upkeep::Fold { run, .. } | Upkeep::Merge { run, .. }) => run,
            _ => return,
        };
        if self.configuration.is_broken_by(Broken::LoserDeletes) {
            self.state.store.delete(&[run.table]);
        }
    }

    pub(crate) fn upkeep_landed(&mut self, handle: usize, body: &Body) {
        let upkeep = self.state.handles[handle].upkeep.take();
        if upkeep == Some(Upkeep::RaiseEpoch) {
            self.state.handles[handle].upkeep = Some(self.fenced(&body.head, body.base.epoch));
        }
    }

    /// Whether it has landed is not known. What was swapped shows by its inputs; all else is given up.
    pub(crate) fn upkeep_given_up(&mut self, handle: usize) {
        let upkeep = &mut self.state.handles[handle].upkeep;
        if !matches!(
            upkeep,
            Some(Upkeep::Spill { .. } | Upkeep::Fold { .. } | Upkeep::Merge { .. })
        ) {
            *upkeep = None;
        }
    }

    /// I3: true if a body on `base` may name an object that was written ahead of it.
    pub(crate) fn is_before_fence(&self, name: ObjectName, base: &Head) -> bool {
        match self.configuration.broken {
            Some(Broken::OldEpochNamed) => true,
            // It is written again under its old name, where it still lies.
            Some(Broken::NameUsedTwice) => name.epoch >= base.epoch || self.state.store.get(name).is_some(),
            _ => name.epoch >= base.epoch,
        }
    }

    /// The object's PUT is not answered in time: its handle gives the name up, and it may arrive later.
    pub(crate) fn object_put_is_late(&mut self, handle: usize) {
        let upkeep = self.state.handles[handle].upkeep.take();
        let name = match &upkeep {
            Some(Upkeep::Spill { object, .. } | Upkeep::Pin { object, .. }) => *object,
            Some(Upkeep::Fold { run, .. } | Upkeep::Merge { run, .. }) => run.table,
            Some(Upkeep::NameList { list, .. }) => *list,
            _ => return,
        };
        self.state.budget.late -= 1;
        if let Some(object) = self.state.store.get(name).cloned() {
            self.state.store.delete(&[name]);
            self.state.store.under_way.push(Request::PutObject(name, object));
        }
    }

    /// The HEAD that maintenance is taken from: one that has landed.
    pub(crate) fn built_from(&self, handle: usize) -> Arc<Head> {
        let handle = &self.state.handles[handle];
        let unlanded = matches!(
            self.configuration.broken,
            Some(Broken::SpillOfUnlanded | Broken::SwapByNumbers)
        );
        match &handle.wire {
            Some(publishing) if unlanded => Arc::clone(&publishing.body.head),
            _ => Arc::clone(&handle.cache),
        }
    }
}
