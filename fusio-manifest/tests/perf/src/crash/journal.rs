//! What a process does, put down before it does it: so that what a killed one has done can still be told.
//!
//! Each event is a line that one `write` hands to the operating system, which keeps it whatever happens to the process. A
//! line that was cut off is the last one, and of something that had not begun.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fusio_manifest::{Clock, SystemClock};
use serde::{Deserialize, Serialize};

use crate::history::{ClientId, History, Operation, OperationId, OperationKind, Outcome, Read, State, Write};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// An operation begins; nothing of it was sent.
    Invoked {
        operation: u64,
        client: u32,
        kind: OperationKind,
        at: u64,
        writes: Vec<Write>,
    },
    /// It was answered.
    Answered {
        operation: u64,
        at: u64,
        reads: Vec<Read>,
        outcome: Outcome,
    },
    /// The process is about to die at this point.
    Dies { point: String },
    /// Something failed as it may when others are killed.
    Failed { what: String },
    /// Something happened that no kill excuses.
    Wrong { what: String },
    /// Something was done that is worth counting.
    Did { what: String },
}

/// A process's own file of events.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    operations: AtomicU64,
}

impl Journal {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: OpenOptions::new().append(true).create_new(true).open(path)?,
            operations: AtomicU64::new(0),
        })
    }

    /// Ends the process if it cannot be written: what is not put down must not be done.
    pub(crate) fn put_down(&self, event: &Event) {
        let line = serde_json::to_vec(event)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                (&self.file).write_all(&line)
            });
        if let Err(error) = line {
            let _ = writeln!(io::stderr(), "the journal cannot be written: {error}");
            std::process::exit(super::process::NO_JOURNAL);
        }
    }

    /// An operation begins.
    pub(crate) fn invoke(&self, client: u32, kind: OperationKind, writes: Vec<Write>) -> u64 {
        let operation = self.operations.fetch_add(1, Ordering::Relaxed);
        self.put_down(&Event::Invoked {
            operation,
            client,
            kind,
            at: now(),
            writes,
        });
        operation
    }

    /// It was answered, just now.
    pub(crate) fn answer(&self, operation: u64, reads: Vec<Read>, outcome: Outcome) {
        self.put_down(&Event::Answered {
            operation,
            at: now(),
            reads,
            outcome,
        });
    }

    pub(crate) fn did(&self, what: &str) {
        self.put_down(&Event::Did {
            what: what.to_owned(),
        });
    }

    pub(crate) fn failed(&self, what: impl Into<String>) {
        self.put_down(&Event::Failed { what: what.into() });
    }

    pub(crate) fn wrong(&self, what: impl Into<String>) {
        self.put_down(&Event::Wrong { what: what.into() });
    }
}

/// Nanoseconds on the machine's monotonic clock, which all processes share.
pub(crate) fn now() -> u64 {
    nanos(SystemClock.now())
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The whole lines of a journal; none if its process died before it made one. An error is one line.
pub(crate) fn read(path: &Path) -> Result<Vec<Event>, String> {
    let text = whole_lines(path)?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| event(path, line)).collect()
}

/// The last of them.
pub(super) fn last(path: &Path) -> Result<Option<Event>, String> {
    let text = whole_lines(path)?;
    let mut lines = text.rsplit(|byte| *byte == b'\n');
    let last = lines.find(|line| !line.is_empty());
    last.map(|line| event(path, line)).transpose()
}

fn whole_lines(path: &Path) -> Result<Vec<u8>, String> {
    match fs::read(path) {
        Ok(mut text) => {
            let end = text
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |end| end + 1);
            text.truncate(end);
            Ok(text)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn event(path: &Path, line: &[u8]) -> Result<Event, String> {
    serde_json::from_slice(line).map_err(|error| format!("{}: {error}", path.display()))
}

/// What the journals of all processes say together.
#[derive(Debug, Default)]
pub(crate) struct Told {
    operations: Vec<Operation>,
    /// How often each thing was done.
    pub(crate) done: BTreeMap<String, u64>,
    /// What failed as it may, by its first words.
    pub(crate) failed: BTreeMap<String, u64>,
    /// What no kill excuses.
    pub(crate) wrong: Vec<String>,
}

impl Told {
    /// Adds what one process did.
    pub(crate) fn add(&mut self, events: Vec<Event>) {
        let mut own: BTreeMap<u64, Operation> = BTreeMap::new();
        for event in events {
            match event {
                Event::Invoked {
                    operation,
                    client,
                    kind,
                    at,
                    writes,
                } => {
                    own.insert(
                        operation,
                        Operation {
                            id: OperationId(operation),
                            client: ClientId(client),
                            kind,
                            invoked: at,
                            completed: None,
                            reads: Vec::new(),
                            writes,
                            outcome: Outcome::Unknown { snapshot: None },
                        },
                    );
                }
                Event::Answered {
                    operation,
                    at,
                    reads,
                    outcome,
                } => {
                    if let Some(operation) = own.get_mut(&operation) {
                        operation.completed = Some(at);
                        operation.reads = reads;
                        operation.outcome = outcome;
                    }
                }
                Event::Dies { .. } => {}
                Event::Failed { what } => *self.failed.entry(what).or_default() += 1,
                Event::Wrong { what } => self.wrong.push(what),
                Event::Did { what } => *self.done.entry(what).or_default() += 1,
            }
        }
        self.operations.extend(own.into_values());
    }

    /// All operations, in the order of their invocation, from the first commit of the manifest on.
    pub(crate) fn history(&mut self) -> History {
        let mut operations = std::mem::take(&mut self.operations);
        operations.sort_by_key(|operation| (operation.invoked, operation.client, operation.id));
        for (place, operation) in operations.iter_mut().enumerate() {
            operation.id = OperationId(place as u64);
        }
        History {
            base: State::default(),
            operations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_whose_answer_was_cut_off_is_unknown() {
        let path = std::env::temp_dir().join(format!("manifest-perf-journal-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let journal = Journal::create(&path).unwrap();
        let committed = Outcome::Ok {
            snapshot: 0,
            txn: Some(1),
        };
        let write = |value: &'static str| Write {
            key: "key".into(),
            value: Some(value.into()),
        };
        let first = journal.invoke(7, OperationKind::Commit, vec![write("1")]);
        journal.answer(first, Vec::new(), committed);
        let second = journal.invoke(7, OperationKind::Commit, vec![write("2")]);
        journal.answer(second, Vec::new(), committed);
        let length = fs::metadata(&path).unwrap().len();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length - 1)
            .unwrap();
        let mut told = Told::default();
        let events = read(&path).unwrap();
        assert_eq!(last(&path).unwrap().as_ref(), events.last());
        told.add(events);
        fs::remove_file(&path).unwrap();
        let history = told.history();
        let [first, second] = &history.operations[..] else {
            panic!("{history:?}");
        };
        assert_eq!((first.txn(), second.txn()), (Some(1), None));
        assert!(second.is_unknown_commit() && second.completed.is_none());
        assert!(first.completed.unwrap() >= first.invoked && second.invoked >= first.invoked);
    }
}
