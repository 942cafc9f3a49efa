//! Collects the operations of all clients of a run while it goes on.

use parking_lot::Mutex;

use super::{ClientId, History, Operation, OperationId, OperationKind, Outcome, Read, State, Write};

/// Operations are kept in pieces of this many, so that none is moved when more arrive: a move of all of them
/// under the lock would be a pause that the run measures.
const PIECE: usize = 4_096;

/// Keeps every operation from the moment it is invoked, so that nothing is lost with a task that is dropped:
/// what was never completed stays in the history as unknown, with what it had staged.
///
/// Share it by reference or `Arc`; each call holds one lock for less than a microsecond.
#[derive(Debug, Default)]
pub struct Recorder {
    pieces: Mutex<Vec<Vec<Operation>>>,
}

impl Recorder {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `client` begins an operation at `invoked` (nanoseconds on the clock of the run). Call it
    /// before the operation can have any effect.
    pub fn invoke(&self, client: ClientId, kind: OperationKind, invoked: u64) -> OperationId {
        let mut pieces = self.pieces.lock();
        let full = pieces.len().saturating_sub(1) * PIECE;
        let operation = |place: usize| Operation {
            id: OperationId((full + place) as u64),
            client,
            kind,
            invoked,
            completed: None,
            reads: Vec::new(),
            writes: Vec::new(),
            outcome: Outcome::Unknown { snapshot: None },
        };
        match pieces.last_mut() {
            Some(piece) if piece.len() < PIECE => {
                let operation = operation(piece.len());
                let id = operation.id;
                piece.push(operation);
                id
            }
            last => {
                let operation = operation(last.map_or(0, |piece| piece.len()));
                let id = operation.id;
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(operation);
                pieces.push(piece);
                id
            }
        }
    }

    /// Notes what the operation is about to write. Call it before the commit is sent: one that lands
    /// although its task was dropped is explained by nothing else. Calls add up.
    pub fn stage(&self, id: OperationId, writes: Vec<Write>) {
        self.change(id, |operation| operation.writes.extend(writes));
    }

    /// Notes the answer to an operation, at `completed` on the clock of the run, and what it had read. The
    /// first answer stands.
    pub fn complete(&self, id: OperationId, completed: u64, reads: Vec<Read>, outcome: Outcome) {
        self.change(id, |operation| {
            if operation.completed.is_none() {
                operation.completed = Some(completed);
                operation.reads = reads;
                operation.outcome = outcome;
            }
        });
    }

    /// Notes that an operation that was unknown has been resolved, at `completed` on the clock of the run.
    /// Its reads stay; one whose outcome is known is left as it is.
    pub fn resolve(&self, id: OperationId, completed: u64, outcome: Outcome) {
        self.change(id, |operation| {
            if matches!(operation.outcome, Outcome::Unknown { .. }) {
                operation.completed = Some(completed);
                operation.outcome = outcome;
            }
        });
    }

    /// How many operations were invoked so far.
    pub fn len(&self) -> usize {
        self.pieces.lock().iter().map(Vec::len).sum()
    }

    /// True if none was invoked so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All operations so far, of a run that found the manifest in the state `base`. What is still under way
    /// is in it as unknown.
    pub fn history(&self, base: State) -> History {
        let operations = self.pieces.lock().iter().flatten().cloned().collect();
        History { base, operations }
    }

    fn change(&self, id: OperationId, change: impl FnOnce(&mut Operation)) {
        let Ok(place) = usize::try_from(id.0) else { return };
        let mut pieces = self.pieces.lock();
        let operation = pieces
            .get_mut(place / PIECE)
            .and_then(|piece| piece.get_mut(place % PIECE));
        if let Some(operation) = operation {
            change(operation);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use bytes::Bytes;

    use super::*;

    fn put(key: &'static str, value: &'static str) -> Write {
        Write {
            key: Bytes::from_static(key.as_bytes()),
            value: Some(Bytes::from_static(value.as_bytes())),
        }
    }

    #[test]
    fn what_is_never_completed_stays_as_unknown_with_its_writes() {
        let recorder = Recorder::new();
        let id = recorder.invoke(ClientId(1), OperationKind::Commit, 5);
        recorder.stage(id, vec![put("a", "1")]);
        let history = recorder.history(State::default());
        assert_eq!(history.operations.len(), 1);
        let operation = &history.operations[0];
        assert!(operation.is_unknown_commit());
        assert_eq!(operation.completed, None);
        assert_eq!(operation.writes, vec![put("a", "1")]);
    }

    #[test]
    fn the_first_answer_stands_unless_it_was_unknown() {
        let recorder = Recorder::new();
        let id = recorder.invoke(ClientId(1), OperationKind::Commit, 5);
        recorder.complete(id, 6, Vec::new(), Outcome::Unknown { snapshot: Some(3) });
        recorder.resolve(
            id,
            9,
            Outcome::Ok {
                snapshot: 3,
                txn: Some(4),
            },
        );
        recorder.resolve(id, 10, Outcome::Failed { snapshot: None });
        recorder.complete(id, 11, Vec::new(), Outcome::Failed { snapshot: None });
        let operation = &recorder.history(State::default()).operations[0];
        assert_eq!(
            operation.outcome,
            Outcome::Ok {
                snapshot: 3,
                txn: Some(4)
            }
        );
        assert_eq!(operation.completed, Some(9));
    }

    #[test]
    fn ids_are_unique_across_threads_and_pieces() {
        let recorder = Recorder::new();
        thread::scope(|scope| {
            for client in 0..4 {
                let recorder = &recorder;
                scope.spawn(move || {
                    for time in 0..3_000 {
                        let id = recorder.invoke(ClientId(client), OperationKind::Read, time);
                        recorder.complete(
                            id,
                            time + 1,
                            Vec::new(),
                            Outcome::Ok {
                                snapshot: time,
                                txn: None,
                            },
                        );
                    }
                });
            }
        });
        let history = recorder.history(State::default());
        let ids: BTreeSet<_> = history.operations.iter().map(|operation| operation.id).collect();
        assert_eq!(ids.len(), 12_000);
        assert_eq!(recorder.len(), 12_000);
        let own = |operation: &Operation| {
            operation.outcome
                == Outcome::Ok {
                    snapshot: operation.invoked,
                    txn: None,
                }
        };
        assert!(history.operations.iter().all(own));
    }
}
