//! Handles that do the same are interchangeable: of the states that differ only in which handle is which, one is explored.
//!
//! That is sound where exchanging handles changes nothing but names. It is so if the transactions of all handles are the
//! same, one by one, because no rule compares the numbers of two handles or two transactions, and every property is about
//! all of them: so whatever can happen in a state can happen, with the names exchanged, in the state with the names
//! exchanged, and is as right or wrong there. A number stands for a handle in four places: in the handles' own order, in
//! names of objects, in nonces, and in transactions, which are numbered handle by handle. Objects are kept in the order of
//! their names, which is why that order is made anew. `tests/symmetry.rs` holds every step of random paths to all this.

use std::{
    hash::{DefaultHasher, Hash, Hasher as _},
    mem,
    sync::Arc,
};

use crate::{
    body::Body,
    caller::{Caller, Stage, Stored},
    configuration::TransactionId,
    fate::Evidence,
    handle::{Handle, Publishing},
    head::{Collection, Head, LogItem, LogReference, Nonce, ObjectName, Pin, Run},
    refresh::Look,
    state::{Reader, State},
    store::{Entry, Object, Request},
    upkeep::Upkeep,
};

/// Which handle takes the place of which.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The new number of each handle.
    to: Vec<u8>,
    /// Transactions of each handle.
    each: u8,
}

impl Exchange {
    /// Every order of the handles of this state, the one that they have among them.
    pub(crate) fn all(state: &State) -> Vec<Self> {
        let handles = crate::head::count(&state.handles);
        let each = crate::head::count(&state.callers) / handles.max(1);
        let mut orders: Vec<Vec<u8>> = vec![Vec::new()];
        for handle in 0..handles {
            let longer = orders.iter().flat_map(|order| {
                (0..=order.len()).map(move |at| {
                    let mut longer = order.clone();
                    longer.insert(at, handle);
                    longer
                })
            });
            orders = longer.collect();
        }
        orders.into_iter().map(|to| Self { to, each }).collect()
    }

    fn author(&self, author: u8) -> u8 {
        // The first HEAD is nobody's.
        self.to.get(usize::from(author)).copied().unwrap_or(author)
    }

    fn id(&self, id: TransactionId) -> TransactionId {
        let (handle, place) = (id.0 / self.each, id.0 % self.each);
        TransactionId(self.author(handle) * self.each + place)
    }

    fn ids(&self, ids: &[TransactionId]) -> Vec<TransactionId> {
        ids.iter().map(|id| self.id(*id)).collect()
    }

    fn name(&self, name: ObjectName) -> ObjectName {
        ObjectName {
            author: self.author(name.author),
            ..name
        }
    }

    /// Listed in the order of the names, as the store lists them.
    fn names(&self, names: &[ObjectName]) -> Vec<ObjectName> {
        let mut names: Vec<_> = names.iter().map(|name| self.name(*name)).collect();
        names.sort();
        names
    }

    fn nonce(&self, nonce: Nonce) -> Nonce {
        Nonce {
            author: self.author(nonce.author),
            ..nonce
        }
    }

    fn reference(&self, reference: &LogReference) -> LogReference {
        LogReference {
            object: self.name(reference.object),
            id: reference.id.map(|id| self.id(id)),
            ..*reference
        }
    }

    fn run(&self, run: &Run) -> Run {
        Run {
            table: self.name(run.table),
            ..*run
        }
    }

    fn head(&self, head: &Head) -> Arc<Head> {
        let item = |item: &LogItem| match item {
            LogItem::Inline { txn, id } => LogItem::Inline {
                txn: *txn,
                id: self.id(*id),
            },
            LogItem::Object(reference) => LogItem::Object(self.reference(reference)),
        };
        let pin = |pin: &Pin| Pin {
            object: self.name(pin.object),
            ..*pin
        };
        let nonce = |(revision, nonce): &(u8, Nonce)| (*revision, self.nonce(*nonce));
        Arc::new(Head {
            revision: head.revision,
            epoch: head.epoch,
            last_txn: head.last_txn,
            collected_through: head.collected_through,
            nonces: head.nonces.iter().map(nonce).collect(),
            log: head.log.iter().map(item).collect(),
            folded: head.folded.iter().map(|folded| self.reference(folded)).collect(),
            runs: head.runs.iter().map(|run| self.run(run)).collect(),
            pins: head.pins.iter().map(pin).collect(),
            collection: head.collection.map(|collection| Collection {
                list: self.name(collection.list),
                ..collection
            }),
        })
    }

    fn body(&self, body: &Body) -> Arc<Body> {
        Arc::new(Body {
            base: self.head(&body.base),
            head: self.head(&body.head),
            nonce: self.nonce(body.nonce),
            members: self.ids(&body.members),
            deferred: self.ids(&body.deferred),
            carries_upkeep: body.carries_upkeep,
        })
    }

    fn evidence(&self, evidence: &Evidence) -> Evidence {
        Evidence {
            nonce: self.nonce(evidence.nonce),
            base_revision: evidence.base_revision,
            commit: evidence.commit.map(|(txn, id)| (txn, self.id(id))),
        }
    }

    fn caller(&self, caller: &Caller) -> Caller {
        let stage = match &caller.stage {
            Stage::InBody(evidence) => Stage::InBody(self.evidence(evidence)),
            Stage::Unknown(evidence) => Stage::Unknown(self.evidence(evidence)),
            stage @ (Stage::Waiting
            | Stage::Queued
            | Stage::Committed(_)
            | Stage::NotCommitted(_)
            | Stage::Died) => stage.clone(),
        };
        let stored = caller.stored.as_ref().map(|stored| Stored {
            object: self.name(stored.object),
            ids: self.ids(&stored.ids),
        });
        let observed = caller.observed.iter().map(|value| value.map(|id| self.id(id)));
        Caller {
            stage,
            snapshot: caller.snapshot,
            observed: observed.collect(),
            stored,
        }
    }

    fn upkeep(&self, upkeep: &Upkeep) -> Upkeep {
        let mut upkeep = upkeep.clone();
        match &mut upkeep {
            Upkeep::Spill { ids, object, .. } => {
                *ids = self.ids(ids);
                *object = self.name(*object);
            }
            Upkeep::Fold { inputs, run } => {
                inputs.iter_mut().for_each(|input| *input = self.reference(input));
                *run = self.run(run);
            }
            Upkeep::Merge { inputs, run } => {
                inputs.iter_mut().for_each(|input| *input = self.run(input));
                *run = self.run(run);
            }
            Upkeep::RaiseEpoch => {}
            Upkeep::Fenced { spared, .. } => {
                spared.iter_mut().for_each(|name| *name = self.name(*name));
            }
            Upkeep::NameList { list, .. } | Upkeep::Condemn { list } | Upkeep::DropList { list } => {
                *list = self.name(*list);
            }
            Upkeep::Pin { object, .. } | Upkeep::Unpin { object } => *object = self.name(*object),
        }
        upkeep
    }

    fn handle(&self, handle: &Handle) -> Handle {
        let mut exchanged = handle.clone();
        exchanged.cache = self.head(&handle.cache);
        exchanged.queue = self.ids(&handle.queue);
        exchanged.wire = handle.wire.as_ref().map(|wire| Publishing {
            body: self.body(&wire.body),
            ..wire.clone()
        });
        exchanged.upkeep = handle.upkeep.as_ref().map(|upkeep| self.upkeep(upkeep));
        let look = |look: &Look| look.exchanged(|head| self.head(head));
        exchanged.looks = handle.looks.iter().map(look).collect();
        exchanged
    }

    fn object(&self, object: &Object) -> Object {
        match object {
            Object::Log { ids, inside } => Object::Log {
                ids: self.ids(ids),
                inside: inside.iter().map(|name| self.name(*name)).collect(),
            },
            Object::Table(entries) => {
                let entry = |entry: &Entry| Entry {
                    id: self.id(entry.id),
                    ..*entry
                };
                Object::Table(entries.iter().map(entry).collect())
            }
            Object::Pin(head) => Object::Pin(self.head(head)),
            Object::List(names) => Object::List(self.names(names)),
        }
    }

    fn request(&self, request: &Request) -> Request {
        match request {
            Request::PutHead(body) => Request::PutHead(self.body(body)),
            Request::PutObject(name, object) => Request::PutObject(self.name(*name), self.object(object)),
            Request::Delete(names) => Request::Delete(self.names(names)),
        }
    }

    /// The same state, each handle under its new number.
    pub(crate) fn state(&self, state: &State) -> State {
        let mut exchanged = state.clone();
        for (handle, to) in state.handles.iter().zip(&self.to) {
            exchanged.handles[usize::from(*to)] = self.handle(handle);
        }
        for (id, caller) in (0..).zip(&state.callers) {
            exchanged.callers[self.id(TransactionId(id)).index()] = self.caller(caller);
        }
        let reader = |reader: &Reader| Reader {
            head: self.head(&reader.head),
            ..*reader
        };
        exchanged.readers = state.readers.iter().map(reader).collect();
        exchanged.history.commits = self.ids(&state.history.commits);
        exchanged.history.without_reason = self.ids(&state.history.without_reason);
        let store = &state.store;
        let objects = store.objects();
        let objects = objects.map(|(name, object)| (self.name(*name), self.object(object)));
        let under_way = store.under_way.iter().map(|request| self.request(request));
        exchanged.store =
            crate::store::Store::of(self.head(&store.head), objects.collect(), under_way.collect());
        exchanged
    }
}

/// What tells a handle from the others whatever its number is: cheap, and mostly enough.
fn standing(state: &State, handle: usize, each: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    let known = &state.handles[handle];
    let place = |id: &TransactionId| id.index() % each.max(1);
    let queue: Vec<_> = known.queue.iter().map(place).collect();
    let wire = known.wire.as_ref().map(|wire| {
        let body = &wire.body;
        (wire.leg, wire.any_unknown, body.base.revision, body.head.last_txn)
    });
    let upkeep = known.upkeep.as_ref().map(mem::discriminant);
    (
        known.cache.revision,
        queue,
        wire,
        upkeep,
        known.looks.len(),
        known.stopped,
    )
        .hash(&mut hasher);
    for caller in state.callers.iter().skip(handle * each).take(each) {
        let told = match caller.stage {
            Stage::Committed(txn) => txn,
            _ => 0,
        };
        (mem::discriminant(&caller.stage), told, caller.snapshot).hash(&mut hasher);
    }
    hasher.finish()
}

/// The one that stands for all states that differ from this one only in which handle is which.
pub(crate) fn representative(state: &State) -> State {
    let each = state.callers.len() / state.handles.len().max(1);
    let standings: Vec<u64> = (0..state.handles.len())
        .map(|handle| standing(state, handle, each))
        .collect();
    // Those of the same standing in every order.
    let ascending = |exchange: &Exchange| {
        let mut placed = vec![0; standings.len()];
        for (standing, to) in standings.iter().zip(&exchange.to) {
            placed[usize::from(*to)] = *standing;
        }
        placed.is_sorted()
    };
    let digest = |state: &State| {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        hasher.finish()
    };
    let exchanges = Exchange::all(state).into_iter().filter(ascending);
    let exchanged = exchanges.map(|exchange| exchange.state(state));
    // All of them have the same states to choose from, so they choose the same one.
    exchanged.min_by_key(digest).unwrap_or_else(|| state.clone())
}
