//! What an exploration must come by, or it shows nothing.

use stateright::Property;

use crate::{
    caller::{Stage, Why},
    configuration::{Budget, TransactionId},
    head::LogItem,
    model::Protocol,
    state::{Reader, State},
    store::Request,
};

type Condition = (&'static str, fn(&Protocol, &State) -> bool);

/// One thing to come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    AllCommitted,
    RequestLost,
    ReplyLost,
    Late,
    Replayed,
    AnsweredEarly,
    Refused,
    Crash,
    UnknownCommitted,
    UnknownNotCommitted,
    Conflict,
    Stored,
    Spill,
    Fold,
    TwoRuns,
    Merge,
    ObjectUnderWay,
    Condemned,
    Deleted,
    DeleteUnderWay,
    SecondCollection,
    Pin,
    Unpinned,
    ReaderExpired,
    ReaderServed,
    TwoLooks,
}

impl Reached {
    pub(crate) fn property(self) -> Property<Protocol> {
        let (name, condition) = self.condition();
        Property::sometimes(name, condition)
    }

    fn condition(self) -> Condition {
        match self {
            Self::AllCommitted => ("all transactions commit", |_, state| {
                all(state, |stage| matches!(stage, Stage::Committed(_)))
            }),
            Self::RequestLost => ("a request is lost", |model, state| {
                spent(model, state, |budget| budget.request_lost)
            }),
            Self::ReplyLost => ("a reply is lost", |model, state| {
                spent(model, state, |budget| budget.reply_lost)
            }),
            Self::Late => ("a request is late", |model, state| {
                spent(model, state, |budget| budget.late)
            }),
            Self::Replayed => ("a proxy replays", |model, state| {
                spent(model, state, |budget| budget.replayed)
            }),
            Self::AnsweredEarly => ("a proxy answers early", |model, state| {
                spent(model, state, |budget| budget.answered_early)
            }),
            Self::Refused => ("a copy is refused", |model, state| {
                spent(model, state, |budget| budget.refused)
            }),
            Self::Crash => ("a process dies and leaves a PUT that lands", |_, state| {
                left_a_commit(state)
            }),
            Self::UnknownCommitted => ("an unknown outcome is found committed", |model, state| {
                spent(model, state, |budget| budget.leave)
                    && all(state, |stage| matches!(stage, Stage::Committed(_)))
            }),
            Self::UnknownNotCommitted => ("an unknown outcome is found not committed", |_, state| {
                any(state, |stage| *stage == Stage::NotCommitted(Why::Asked))
            }),
            Self::Conflict => ("a conflict is told", |_, state| {
                any(state, |stage| *stage == Stage::NotCommitted(Why::Conflict))
            }),
            Self::TwoLooks => ("looks overtake each other", |_, state| {
                state.handles.iter().any(|handle| handle.looks.len() > 1)
            }),
            _ => self.of_maintenance(),
        }
    }

    fn of_maintenance(self) -> Condition {
        match self {
            Self::Stored => ("a log object is named that was written ahead", |model, state| {
                spent(model, state, |budget| budget.upload)
                    && state
                        .store
                        .head
                        .log
                        .iter()
                        .any(|item| matches!(item, LogItem::Object(_)))
            }),
            Self::Spill => ("a spill lands", |model, state| {
                spent(model, state, |budget| budget.spill)
                    && state
                        .store
                        .head
                        .log
                        .iter()
                        .any(|item| matches!(item, LogItem::Object(_)))
            }),
            Self::Fold => ("a fold lands", |_, state| !state.store.head.runs.is_empty()),
            Self::TwoRuns => ("two folds land", |_, state| state.store.head.runs.len() > 1),
            Self::Merge => ("a merge lands", |model, state| {
                let uploads = model.0.budget.fold - state.budget.fold;
                spent(model, state, |budget| budget.merge) && uploads > 1 && state.store.head.runs.len() == 1
            }),
            Self::ObjectUnderWay => ("an object arrives after its writer gave it up", |_, state| {
                state
                    .store
                    .under_way
                    .iter()
                    .any(|request| matches!(request, Request::PutObject(..)))
            }),
            _ => self.of_collection(),
        }
    }

    fn of_collection(self) -> Condition {
        match self {
            Self::Condemned => ("objects are condemned", |_, state| {
                state
                    .store
                    .head
                    .collection
                    .is_some_and(|collection| collection.condemned)
            }),
            Self::Deleted => ("what was condemned is deleted", |_, state| {
                match state.store.head.collection {
                    Some(collection) if collection.condemned => state
                        .store
                        .listed(collection.list)
                        .is_ok_and(|names| names.iter().all(|name| state.store.get(*name).is_none())),
                    _ => false,
                }
            }),
            Self::DeleteUnderWay => ("a deletion is late", |_, state| {
                state
                    .store
                    .under_way
                    .iter()
                    .any(|request| matches!(request, Request::Delete(_)))
            }),
            Self::SecondCollection => ("a second collection deletes what the first left", |_, state| {
                state.store.head.epoch > 2
                    && state
                        .store
                        .head
                        .collection
                        .is_some_and(|collection| collection.condemned)
            }),
            Self::Pin => ("a pin outlives what it needs in HEAD", |_, state| {
                let live = state.store.head.state_objects();
                let pinned = state.store.pinned_objects(&state.store.head);
                state.store.head.collected_through > 0 && pinned.iter().any(|name| !live.contains(name))
            }),
            Self::Unpinned => ("a pin is dropped", |model, state| {
                spent(model, state, |budget| budget.unpin) && state.store.head.pins.is_empty()
            }),
            Self::ReaderExpired => ("a reader outlives the retention", |_, state| {
                state
                    .readers
                    .iter()
                    .any(|reader| reader.expired && !state.store.has_state_of(&reader.head))
            }),
            Self::ReaderServed => ("a reader reads what HEAD dropped", |_, state| {
                let live = state.store.head.state_objects();
                let needed = |reader: &Reader| reader.head.state_objects();
                state
                    .readers
                    .iter()
                    .any(|reader| !reader.expired && needed(reader).iter().any(|name| !live.contains(name)))
            }),
            _ => ("nothing", |_, _| false),
        }
    }
}

/// Somebody died whose commit is there.
fn left_a_commit(state: &State) -> bool {
    let mut callers = state.callers.iter().zip(0..);
    callers.any(|(caller, id)| caller.stage == Stage::Died && state.history.holds(TransactionId(id)))
}

fn spent(model: &Protocol, state: &State, of: fn(&Budget) -> u8) -> bool {
    of(&state.budget) < of(&model.0.budget)
}

fn any(state: &State, of: fn(&Stage) -> bool) -> bool {
    state.callers.iter().any(|caller| of(&caller.stage))
}

fn all(state: &State, of: fn(&Stage) -> bool) -> bool {
    state.callers.iter().all(|caller| of(&caller.stage))
}
