//! The protocol as a transition system: what can happen next, and what then is.

use stateright::{Model, Property};

use crate::{
    caller::Stage,
    configuration::{Configuration, TransactionId},
    fault::{DELIVERIES, Delivery},
    handle::{Handle, Leg},
    properties,
    state::{State, Step},
    upkeep::{Upkeep, Verdict},
};

/// One configuration, explored.
#[derive(Clone, Debug)]
pub(crate) struct Protocol(pub(crate) Configuration, Option<&'static str>);

/// One thing that happens. What stands first is who does it: the number of a handle.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// A caller begins on what its handle knows, and commits.
    Commit(TransactionId),
    /// A caller gives up waiting.
    Leave(TransactionId),
    /// A caller asks with its token what became of it.
    Ask(TransactionId),
    /// A handle learns what HEAD is.
    Refresh(usize),
    /// The large transactions of the queue are written to a log object.
    Upload(usize),
    /// The next body is put on the wire.
    Send(usize),
    /// A copy of it comes to its end.
    Deliver(usize, Delivery),
    /// HEAD tells what became of it.
    Look(usize),
    /// The same; maintenance whose time is over does not go on.
    LookAndGiveUp(usize),
    Maintain(usize, Maintenance),
    /// The same, but the PUT of its object is late and its handle gives it up.
    MaintainLate(usize, Maintenance),
    /// A request arrives that nobody waits for.
    Arrive(usize),
    /// A process dies.
    Crash(usize),
    /// The retention passes.
    RetentionPasses,
    Delete(usize),
    DeleteLate(usize),
    /// A fresh read begins.
    Read(usize),
    AnswerLook(usize, usize),
    ReceiveLook(usize, usize),
}

/// What maintenance begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maintenance {
    Spill,
    Fold,
    Merge,
    RaiseEpoch,
    List,
    Condemn,
    DropList,
    Pin,
    /// A pin of a snapshot that somebody holds.
    PinSnapshot,
    Unpin,
    /// A reader takes a snapshot.
    Hold,
}

impl Protocol {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        Self(configuration.clone(), None)
    }

    /// Held against one property alone.
    pub(crate) fn for_one(configuration: &Configuration, property: &'static str) -> Self {
        Self(configuration.clone(), Some(property))
    }

    fn step<'a>(&'a self, state: &State) -> Step<'a> {
        Step {
            configuration: &self.0,
            state: state.clone(),
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(&self.0)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let step = self.step(state);
        for id in self.0.ids() {
            step.of_caller(id, actions);
        }
        for handle in 0..self.0.handles {
            if !state.handles[handle].stopped {
                step.of_handle(handle, actions);
            }
        }
        actions.extend((0..state.store.under_way.len()).map(Action::Arrive));
        let listed = state
            .store
            .head
            .collection
            .is_some_and(|collection| !collection.condemned);
        if listed && !state.retention_over {
            actions.push(Action::RetentionPasses);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut step = self.step(state);
        match action {
            Action::Commit(id) => step.begin(id),
            Action::Leave(id) => step.leave(id),
            Action::Ask(id) => step.ask(id),
            Action::Refresh(handle) => {
                let head = std::sync::Arc::clone(&state.store.head);
                step.install(handle, &head);
            }
            Action::Upload(handle) => step.upload(handle),
            Action::Send(handle) => step.send(handle),
            Action::Deliver(handle, delivery) => step.deliver(handle, delivery),
            Action::Look(handle) => step.look(handle, false),
            Action::LookAndGiveUp(handle) => step.look(handle, true),
            Action::Maintain(handle, maintenance) => step.maintain(handle, maintenance),
            Action::MaintainLate(handle, maintenance) => {
                step.maintain(handle, maintenance);
                step.object_put_is_late(handle);
            }
            Action::Arrive(index) => step.arrive(index),
            Action::Crash(handle) => step.crash(handle),
            Action::RetentionPasses => step.pass_retention(),
            Action::Delete(handle) => step.delete(handle, false),
            Action::DeleteLate(handle) => step.delete(handle, true),
            Action::Read(handle) => step.read(handle),
            Action::AnswerLook(handle, look) => step.answer_look(handle, look),
            Action::ReceiveLook(handle, look) => step.receive_look(handle, look),
        }
        Some(step.state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        match (self.1, self.0.broken) {
            (Some(only), _) => properties::always()
                .into_iter()
                .filter(|property| property.name == only)
                .collect(),
            (None, Some(_)) => properties::seen(),
            (None, None) => {
                let mut all = properties::always();
                all.extend(self.0.reached.iter().map(|reached| reached.property()));
                all
            }
        }
    }
}

impl Step<'_> {
    fn of_caller(&self, id: TransactionId, actions: &mut Vec<Action>) {
        if self.may_begin(id) {
            actions.push(Action::Commit(id));
        }
        let stage = &self.state.caller(id).stage;
        if matches!(stage, Stage::Queued | Stage::InBody(_)) && self.state.budget.leave > 0 {
            actions.push(Action::Leave(id));
        }
        if self.outcome(id).is_some() {
            actions.push(Action::Ask(id));
        }
    }

    fn of_handle(&self, handle: usize, actions: &mut Vec<Action>) {
        let budget = self.state.budget;
        let head = &self.state.store.head;
        let behind = self.state.handles[handle].cache.revision != head.revision;
        match self.state.handles[handle].wire.as_ref().map(|wire| wire.leg) {
            None => {
                if behind && self.has_plans(handle) {
                    actions.push(Action::Refresh(handle));
                }
                self.of_idle_wire(handle, actions);
            }
            Some(Leg::Put) => {
                let stands = self.state.base_stands(handle);
                let may_happen = |delivery: &Delivery| delivery.may_happen(&budget, stands);
                let deliveries = DELIVERIES.into_iter().filter(may_happen);
                actions.extend(deliveries.map(|delivery| Action::Deliver(handle, delivery)));
            }
            Some(Leg::Look { .. }) => {
                actions.push(Action::Look(handle));
                let wire = self.state.handles[handle].wire.as_ref();
                let only_maintains = wire.is_some_and(|wire| wire.body.members.is_empty());
                if only_maintains && self.state.base_stands(handle) {
                    actions.push(Action::LookAndGiveUp(handle));
                }
            }
        }
        self.of_maintenance(handle, actions);
        let state = &self.state;
        if budget.crash > 0 && state.handles[handle].is_at_work() {
            actions.push(Action::Crash(handle));
        }
        if budget.read > 0 {
            actions.push(Action::Read(handle));
        }
        for look in 0..state.handles[handle].looks.len() {
            actions.push(match state.is_answered(handle, look) {
                true => Action::ReceiveLook(handle, look),
                false => Action::AnswerLook(handle, look),
            });
        }
    }

    fn of_idle_wire(&self, handle: usize, actions: &mut Vec<Action>) {
        let Handle { cache, queue, .. } = &self.state.handles[handle];
        let ready = !queue.is_empty() || self.verdict(handle, cache) != Verdict::NotReady;
        // Who cannot read its state any more looks again first.
        if !ready || !self.state.store.has_state_of(cache) {
            return;
        }
        if self.to_upload(handle).is_empty() {
            actions.push(Action::Send(handle));
        } else if self.state.budget.upload > 0 {
            actions.push(Action::Upload(handle));
        }
    }

    fn of_maintenance(&self, handle: usize, actions: &mut Vec<Action>) {
        let budget = self.state.budget;
        let mut begin = |maintenance, may: bool, writes: bool| {
            if may {
                actions.push(Action::Maintain(handle, maintenance));
            }
            if may && writes && budget.late > 0 {
                actions.push(Action::MaintainLate(handle, maintenance));
            }
        };
        match &self.state.handles[handle].upkeep {
            None => {
                begin(
                    Maintenance::Spill,
                    budget.spill > 0 && self.may_spill(handle),
                    true,
                );
                begin(Maintenance::Fold, budget.fold > 0 && self.may_fold(handle), true);
                begin(
                    Maintenance::Merge,
                    budget.merge > 0 && self.may_merge(handle),
                    true,
                );
                let may_raise = budget.collect > 0 && self.may_raise_epoch(handle);
                begin(Maintenance::RaiseEpoch, may_raise, false);
                begin(Maintenance::Condemn, self.may_condemn(handle), false);
                begin(Maintenance::DropList, self.may_drop_list(handle), false);
                begin(Maintenance::Pin, budget.pin > 0 && self.may_pin(handle), true);
                let may_pin_snapshot = budget.pin > 0 && !self.state.readers.is_empty();
                begin(Maintenance::PinSnapshot, may_pin_snapshot, true);
                begin(
                    Maintenance::Unpin,
                    budget.unpin > 0 && self.may_unpin(handle),
                    false,
                );
            }
            Some(Upkeep::Fenced { .. }) => begin(Maintenance::List, true, true),
            Some(_) => {}
        }
        begin(Maintenance::Hold, budget.hold > 0 && self.may_hold(handle), false);
        if !self.deletable(handle).is_empty() {
            actions.push(Action::Delete(handle));
            if budget.late > 0 {
                actions.push(Action::DeleteLate(handle));
            }
        }
    }

    fn maintain(&mut self, handle: usize, maintenance: Maintenance) {
        match maintenance {
            Maintenance::Spill => self.spill(handle),
            Maintenance::Fold => self.fold(handle),
            Maintenance::Merge => self.merge(handle),
            Maintenance::RaiseEpoch => self.raise_epoch(handle),
            Maintenance::List => self.list(handle),
            Maintenance::Condemn => self.condemn(handle),
            Maintenance::DropList => self.drop_list(handle),
            Maintenance::Pin => self.pin_newest(handle),
            Maintenance::PinSnapshot => self.pin_snapshot(handle),
            Maintenance::Unpin => self.unpin(handle),
            Maintenance::Hold => self.hold(handle),
        }
    }
}
