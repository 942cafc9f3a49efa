//! What must always hold.

use std::collections::BTreeSet;

use stateright::Property;

use crate::{
    caller::Stage,
    configuration::{Configuration, TransactionId},
    head::{Head, LogItem},
    model::Protocol,
    state::State,
    store::{Entry, Gone, Request},
};

type Named = (&'static str, fn(&Protocol, &State) -> bool);

/// What callers, readers and operators can see.
const SEEN: [Named; 11] = [
    ("strictly serializable", |_, state| !state.history.unserializable),
    ("no fresh read is stale", |_, state| !state.history.stale_read),
    ("no commit is lost", |model, state| !is_lost(&model.0, state)),
    ("no commit is doubled", |model, state| {
        !is_doubled(&model.0, state)
    }),
    ("no commit is resurrected", |model, state| {
        !is_resurrected(&model.0, state)
    }),
    ("no object is deleted that HEAD needs", |_, state| {
        head_is_whole(state)
    }),
    ("no object is deleted that a pin needs", |_, state| {
        pins_are_whole(state)
    }),
    ("no object is deleted that a reader needs", |_, state| {
        readers_are_served(state)
    }),
    ("no caller is told falsely", |model, state| {
        callers_are_told_truly(&model.0, state)
    }),
    ("no false alarm", |model, state| {
        !is_told_of_no_conflict(&model.0, state) && !state.handles.iter().any(|handle| handle.stopped)
    }),
    ("no copy is sent in vain", |_, state| !state.history.futile_copy),
];

/// The invariants of protocol and format. I4 follows from I2 here: HEADs of different revisions differ. I5 is what
/// "lost" and "resurrected" above are about.
const INVARIANTS: [Named; 4] = [
    ("I1: commits are contiguous", |_, state| {
        state.store.head.commits_are_contiguous()
    }),
    ("I2: revision, commits, epoch never fall", |_, state| {
        !state.history.went_back
    }),
    ("I3: named objects are durable and fenced", |_, state| {
        !state.history.unfenced
    }),
    ("I6: runs hold the newest versions", |model, state| {
        runs_are_right(&model.0, state)
    }),
];

/// Every property of the protocol.
pub(crate) fn always() -> Vec<Property<Protocol>> {
    let all = SEEN.iter().chain(&INVARIANTS);
    all.map(|(name, condition)| Property::always(name, *condition))
        .collect()
}

/// What is visible from outside: that a rule is needed shows in these alone.
pub(crate) fn seen() -> Vec<Property<Protocol>> {
    let seen = SEEN.iter();
    seen.map(|(name, condition)| Property::always(name, *condition))
        .collect()
}

/// The commits that HEAD's log holds, by place.
fn logged(state: &State, head: &Head) -> Result<Vec<(u8, TransactionId)>, Gone> {
    let mut logged = Vec::new();
    for item in &head.log {
        match item {
            LogItem::Inline { txn, id } => logged.push((*txn, *id)),
            LogItem::Object(reference) => {
                logged.extend((reference.first_txn..).zip(state.store.commits(reference)?.iter().copied()));
            }
        }
    }
    Ok(logged)
}

/// A commit that landed is not where it was, or what it wrote does not show.
fn is_lost(configuration: &Configuration, state: &State) -> bool {
    let head = &state.store.head;
    // Objects that are gone are told by another property.
    let Ok(logged) = logged(state, head) else {
        return false;
    };
    let commits = (1..).zip(&state.history.commits);
    let mut unfolded = commits.filter(|(txn, _)| *txn > head.folded_through());
    let last = crate::head::count(&state.history.commits);
    unfolded.any(|(txn, id)| !logged.contains(&(txn, *id)))
        || configuration.keys().iter().any(|key| {
            let expected = state.history.value(configuration, *key, last);
            let shown = state.store.value(configuration, head, *key);
            expected.is_some() && shown.is_ok_and(|shown| shown != expected)
        })
}

/// Something shows that was never committed, or was deleted since.
fn is_resurrected(configuration: &Configuration, state: &State) -> bool {
    let head = &state.store.head;
    let Ok(logged) = logged(state, head) else {
        return false;
    };
    let last = crate::head::count(&state.history.commits);
    logged.iter().any(|(_, id)| !state.history.holds(*id))
        || configuration.keys().iter().any(|key| {
            let expected = state.history.value(configuration, *key, last);
            let shown = state.store.value(configuration, head, *key);
            expected.is_none() && shown.is_ok_and(|shown| shown.is_some())
        })
}

fn is_doubled(configuration: &Configuration, state: &State) -> bool {
    let commits = state.history.commits.iter();
    let intentions: BTreeSet<_> = commits
        .clone()
        .map(|id| configuration.transaction(*id).again.unwrap_or(*id))
        .collect();
    intentions.len() != commits.len()
}

fn head_is_whole(state: &State) -> bool {
    let store = &state.store;
    let list = store.head.collection.map(|collection| collection.list);
    store.has_state_of(&store.head) && list.is_none_or(|list| store.listed(list).is_ok())
}

fn pins_are_whole(state: &State) -> bool {
    let mut pins = state.store.head.pins.iter();
    pins.all(|pin| {
        let copy = state.store.pinned(pin.object);
        copy.is_ok_and(|copy| copy.revision == pin.revision && state.store.has_state_of(copy))
    })
}

fn readers_are_served(state: &State) -> bool {
    let mut readers = state.readers.iter();
    readers.all(|reader| reader.expired || state.store.has_state_of(&reader.head))
}

/// "Committed" is where it says, "not committed" is nowhere and never will be.
fn callers_are_told_truly(configuration: &Configuration, state: &State) -> bool {
    let commits = &state.history.commits;
    let true_word = |id: TransactionId| match state.caller(id).stage {
        Stage::Committed(txn) => commits.get(usize::from(txn) - 1) == Some(&id),
        Stage::NotCommitted(_) => !state.history.holds(id),
        Stage::Waiting | Stage::Queued | Stage::InBody(_) | Stage::Unknown(_) | Stage::Died => true,
    };
    configuration.ids().all(true_word)
}

/// Somebody was told of a conflict, and nothing that he read was overwritten, or can be by what is queued or was sent.
fn is_told_of_no_conflict(configuration: &Configuration, state: &State) -> bool {
    let on_wire = state
        .handles
        .iter()
        .filter_map(|handle| Some(&handle.wire.as_ref()?.body));
    let under_way = state.store.under_way.iter().filter_map(|request| match request {
        Request::PutHead(body) => Some(body),
        Request::PutObject(..) | Request::Delete(_) => None,
    });
    let sent = on_wire.chain(under_way).flat_map(|body| &body.members);
    let queued = state.handles.iter().flat_map(|handle| &handle.queue);
    let pending: Vec<&TransactionId> = sent
        .chain(queued.filter(|id| !state.caller(**id).is_left()))
        .collect();
    let last = crate::head::count(&state.history.commits);
    state.history.without_reason.iter().any(|id| {
        let snapshot = state.caller(*id).snapshot;
        let mut reads = configuration.transaction(*id).reads.iter();
        !reads.any(|key| {
            let newest = state.history.newest(configuration, *key, last);
            newest.is_some_and(|(txn, _)| txn > snapshot)
                || pending.iter().any(|other| configuration.writes(**other, *key))
        })
    })
}

/// I6: each run holds the newest version of each key within exactly its commits; deletions too, unless nothing lies
/// below.
fn runs_are_right(configuration: &Configuration, state: &State) -> bool {
    let mut runs = state.store.head.runs.iter();
    runs.all(|run| {
        let newest = |key: &u8| {
            let (txn, id) = state.history.newest(configuration, *key, run.last_txn)?;
            let here = txn >= run.first_txn && (run.first_txn > 1 || configuration.value(id).is_some());
            here.then_some(Entry { key: *key, txn, id })
        };
        let expected: Vec<Entry> = configuration.keys().iter().filter_map(newest).collect();
        // A table that is gone is told by another property.
        state
            .store
            .table(run.table)
            .map_or(true, |entries| entries == expected)
    })
}
