//! A right manifest in miniature: it keeps every state that ever was, serves concurrent clients in random
//! steps, and loses replies.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{Run, bytes};
use crate::history::{History, Operation, OperationKind, Outcome, Read, Row, State, Write};

type Entries = BTreeMap<Bytes, Bytes>;

/// A history that is right, and what nobody in it was told.
pub(super) struct Simulated {
    pub(super) history: History,
    pub(super) final_state: State,
    /// How many commits of unknown outcome were applied.
    pub(super) unknown_applied: u64,
    /// The state after each commit.
    pub(super) states: Vec<Entries>,
}

/// What a client that is not idle does next.
enum Next {
    Begin,
    Submit { snapshot: u64 },
    Answer { outcome: Outcome, reads: Vec<Read> },
}

struct Simulation {
    random: StdRng,
    run: Run,
    now: u64,
    states: Vec<Entries>,
    clients: Vec<Option<(usize, Next)>>,
    /// Bodies on the wire whose senders gave up.
    late: Vec<usize>,
    unknown_rate: f64,
    unknown_applied: u64,
    values: u64,
}

/// Runs `steps` steps of `clients` clients.
pub(super) fn simulate(seed: u64, clients: usize, steps: usize, unknown_rate: f64) -> Simulated {
    let mut simulation = Simulation {
        random: StdRng::seed_from_u64(seed),
        run: Run::default(),
        now: 0,
        states: vec![Entries::new()],
        clients: Vec::new(),
        late: Vec::new(),
        unknown_rate,
        unknown_applied: 0,
        values: 0,
    };
    simulation.clients.resize_with(clients, || None);
    for _ in 0..steps {
        simulation.step();
    }
    simulation.end();
    let Simulation {
        run,
        states,
        unknown_applied,
        ..
    } = simulation;
    let last = states.len() as u64 - 1;
    let final_state = State {
        txn: last,
        entries: states[states.len() - 1].clone(),
    };
    Simulated {
        history: run.history,
        final_state,
        unknown_applied,
        states,
    }
}

impl Simulation {
    fn last(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    fn key(&mut self) -> Bytes {
        bytes(&format!("k{}", self.random.random_range(0..8)))
    }

    fn step(&mut self) {
        self.now += self.random.random_range(0..2);
        if !self.late.is_empty() && self.random.random_bool(0.2) {
            let place = self.random.random_range(0..self.late.len());
            let operation = self.late.swap_remove(place);
            if self.try_apply(operation).is_some() {
                self.unknown_applied += 1;
            }
        }
        let client = self.random.random_range(0..self.clients.len());
        let active = self.clients[client].take();
        self.clients[client] = match active {
            None => self.invoke(client),
            Some((operation, Next::Begin)) => self.begin(operation),
            Some((operation, Next::Submit { snapshot })) => self.submit(operation, snapshot),
            Some((operation, Next::Answer { outcome, reads })) => {
                let now = self.now;
                let operation = &mut self.run.history.operations[operation];
                (operation.completed, operation.outcome, operation.reads) = (Some(now), outcome, reads);
                None
            }
        };
    }

    /// Where nothing is unknown, all replies arrive; else those under way are lost.
    fn end(&mut self) {
        for client in 0..self.clients.len() {
            let Some((operation, Next::Answer { outcome, reads })) = self.clients[client].take() else {
                continue;
            };
            if self.unknown_rate == 0.0 {
                let operation = &mut self.run.history.operations[operation];
                (operation.completed, operation.outcome, operation.reads) = (Some(self.now), outcome, reads);
            } else if matches!(outcome, Outcome::Ok { txn: Some(_), .. }) {
                self.unknown_applied += 1;
            }
        }
    }

    fn invoke(&mut self, client: usize) -> Option<(usize, Next)> {
        let kind = if self.random.random_bool(0.5) {
            OperationKind::Read
        } else {
            OperationKind::Commit
        };
        let now = self.now;
        let operation = self
            .run
            .push(kind, (now, now), Outcome::Unknown { snapshot: None });
        operation.completed = None;
        operation.client.0 = u32::try_from(client).unwrap();
        Some((self.run.history.operations.len() - 1, Next::Begin))
    }

    fn look(&mut self, snapshot: u64) -> Vec<Read> {
        let mut reads = Vec::new();
        for _ in 0..self.random.random_range(0..4) {
            let (first, second) = (self.key(), self.key());
            let state = &self.states[usize::try_from(snapshot).unwrap()];
            reads.push(if self.random.random_bool(0.7) {
                Read::Point {
                    value: state.get(&first).cloned(),
                    key: first,
                }
            } else {
                let (from, to) = (first.clone().min(second.clone()), first.max(second));
                let row = |(key, value): (&Bytes, &Bytes)| Row {
                    key: key.clone(),
                    value: value.clone(),
                };
                let rows = state.range(from.clone()..to.clone()).map(row).collect();
                Read::Range {
                    from,
                    to: Some(to),
                    rows,
                }
            });
        }
        reads
    }

    fn begin(&mut self, operation: usize) -> Option<(usize, Next)> {
        let last = self.last();
        if self.run.history.operations[operation].kind == OperationKind::Read {
            let reads = self.look(last);
            let outcome = match self.random.random_range(0..20) {
                0 => Outcome::Failed { snapshot: None },
                1 => return None,
                _ => Outcome::Ok {
                    snapshot: last,
                    txn: None,
                },
            };
            return Some((operation, Next::Answer { outcome, reads }));
        }
        let snapshot = last.saturating_sub(self.random.random_range(0..3));
        let reads = self.look(snapshot);
        let mut writes = Vec::new();
        for _ in 0..self.random.random_range(0..3) {
            let delete = self.random.random_bool(0.25);
            self.values += 1;
            let value = (!delete).then(|| bytes(&format!("v{}", self.values)));
            writes.push(Write {
                key: self.key(),
                value,
            });
        }
        let staged = &mut self.run.history.operations[operation];
        (staged.reads, staged.writes) = (reads, writes);
        staged.outcome = Outcome::Unknown {
            snapshot: Some(snapshot),
        };
        Some((operation, Next::Submit { snapshot }))
    }

    fn submit(&mut self, operation: usize, snapshot: u64) -> Option<(usize, Next)> {
        let reads = self.run.history.operations[operation].reads.clone();
        let answer = |outcome| Some((operation, Next::Answer { outcome, reads }));
        if self.run.history.operations[operation].writes.is_empty() {
            return answer(Outcome::Ok { snapshot, txn: None });
        }
        if self.random.random_bool(self.unknown_rate) {
            match self.random.random_range(0..3) {
                0 => self.late.push(operation),
                1 => self.unknown_applied += u64::from(self.try_apply(operation).is_some()),
                _ => {}
            }
            let told = self.random.random_bool(0.5);
            let snapshot = Some(snapshot).filter(|_| self.random.random_bool(0.5));
            if !told {
                return None;
            }
            return answer(Outcome::Unknown { snapshot });
        }
        if self.random.random_bool(0.05) {
            return answer(Outcome::Failed { snapshot: None });
        }
        match self.try_apply(operation) {
            Some(txn) => answer(Outcome::Ok {
                snapshot,
                txn: Some(txn),
            }),
            None => answer(Outcome::Failed {
                snapshot: Some(snapshot),
            }),
        }
    }

    /// Applies the writes if all that was read still holds.
    fn try_apply(&mut self, operation: usize) -> Option<u64> {
        let operation = &self.run.history.operations[operation];
        let mut state = self.states.last().unwrap().clone();
        let holds = operation.reads.iter().all(|read| match read {
            Read::Point { key, value } => state.get(key) == value.as_ref(),
            Read::Range { from, to, rows } => {
                let now = state.range(from.clone()..to.clone().unwrap());
                now.eq(rows.iter().map(|row| (&row.key, &row.value)))
            }
        });
        if !holds {
            return None;
        }
        for write in &operation.writes {
            match &write.value {
                Some(value) => state.insert(write.key.clone(), value.clone()),
                None => state.remove(&write.key),
            };
        }
        self.states.push(state);
        Some(self.last())
    }
}

/// A random one of the operations that satisfy `wanted`.
pub(super) fn choose<'h>(
    history: &'h mut History,
    random: &mut StdRng,
    wanted: impl Fn(&Operation) -> bool,
) -> Option<&'h mut Operation> {
    let operations = &mut history.operations;
    let fitting: Vec<_> = (0..operations.len())
        .filter(|place| wanted(&operations[*place]))
        .collect();
    operations.get_mut(*fitting.choose(random)?)
}
