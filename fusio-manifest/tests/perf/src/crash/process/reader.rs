//! Reads: fresh states, states that it holds for a while, states that it pins, opens and releases, and pins of others.

use std::time::Duration;

use bytes::Bytes;
use fusio_manifest::{Error, ErrorKind, Freshness, Manifest, Snapshot};

use super::{LARGE_KEYS, Process, large_key};
use crate::{
    history::{OperationKind, Outcome, Read},
    target::{Ask, engine::read_all},
};

/// How long a pin is kept that expires by itself.
const KEEP: Duration = Duration::from_secs(3);

pub(super) async fn live(process: &Process) -> Result<(), String> {
    let Some(manifest) = process.open().await? else {
        return Ok(());
    };
    let mut reader = Reader {
        process,
        manifest: &manifest,
        pins: 0,
    };
    reader.release_those_of_predecessors().await;
    while !process.stop.is_set() {
        match process.draw(0..100) {
            0..50 => reader.read().await,
            50..70 => reader.hold().await,
            70..90 => reader.pin().await,
            _ => reader.read_pin_of_another().await,
        }
        process.rest().await;
    }
    manifest.close().await;
    Ok(())
}

/// What a reader does with a handle, and puts down in the journal of its process.
pub(crate) struct Reader<'a> {
    pub(crate) process: &'a Process,
    pub(crate) manifest: &'a Manifest,
    /// How many states it has pinned: each pin has a name of its own.
    pub(crate) pins: u32,
}

impl Reader<'_> {
    /// What a killed one pinned in this place.
    async fn release_those_of_predecessors(&self) {
        let pins = match self.manifest.pins().await {
            Ok(pins) => pins,
            Err(error) => return self.process.note("list pins", &error),
        };
        let own = self.name_prefix();
        for pin in pins.iter().filter(|pin| pin.name.starts_with(&own)) {
            match self.manifest.release_pin(&pin.name).await {
                Ok(()) => self.process.journal.did("pins of killed readers released"),
                // It expired, and a collection was faster.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self.process.note("release pin", &error),
            }
        }
    }

    fn name_prefix(&self) -> String {
        format!("reader-{}-", self.process.order.slot)
    }

    fn asks(&self) -> Vec<Ask> {
        let process = self.process;
        match process.draw(0..10) {
            0..6 => vec![Ask::Key(process.pool_key())],
            6..9 => vec![process.pool_range()],
            _ => vec![Ask::Key(large_key(process.draw(0..LARGE_KEYS)))],
        }
    }

    fn invoke(&self, kind: OperationKind) -> u64 {
        let client = self.process.order.number * 2;
        self.process.journal.invoke(client, kind, Vec::new())
    }

    /// The answer to an operation that read this of the state with this number.
    fn answer(&self, operation: u64, doing: &str, snapshot: Option<u64>, read: Result<Vec<Read>, Error>) {
        let (reads, outcome) = match (read, snapshot) {
            (Ok(reads), Some(snapshot)) => (reads, Outcome::Ok { snapshot, txn: None }),
            (Ok(_), None) => (Vec::new(), Outcome::Failed { snapshot }),
            (Err(error), _) => {
                self.process.note(doing, &error);
                (Vec::new(), Outcome::Failed { snapshot })
            }
        };
        self.process.journal.answer(operation, reads, outcome);
    }

    /// One look at the newest state.
    pub(crate) async fn read(&self) {
        let operation = self.invoke(OperationKind::Read);
        let (snapshot, read) = match self.manifest.snapshot(Freshness::Latest).await {
            Ok(snapshot) => (Some(snapshot.txn()), read_all(&snapshot, self.asks()).await),
            Err(error) => (None, Err(error)),
        };
        self.answer(operation, "read", snapshot, read);
    }

    /// One state, read twice with some time between: longer than the retention now and then.
    pub(crate) async fn hold(&self) {
        let operation = self.invoke(OperationKind::Read);
        let (snapshot, read) = match self.manifest.snapshot(Freshness::Latest).await {
            Ok(snapshot) => (Some(snapshot.txn()), self.read_twice(&snapshot, &snapshot).await),
            Err(error) => (None, Err(error)),
        };
        self.answer(operation, "read a held state", snapshot, read);
    }

    async fn read_twice(&self, first: &Snapshot, second: &Snapshot) -> Result<Vec<Read>, Error> {
        let mut reads = read_all(first, self.asks()).await?;
        let longest = self.process.order.held_max;
        let share = f64::from(self.process.draw(30..1_000)) / 1_000.0;
        self.process.pause(longest.mul_f64(share)).await;
        reads.extend(read_all(second, self.asks()).await?);
        Ok(reads)
    }

    /// A state that is pinned, opened by its name, and released.
    pub(crate) async fn pin(&mut self) {
        self.pins += 1;
        let name = format!(
            "{}{}-{}",
            self.name_prefix(),
            self.process.order.number,
            self.pins
        );
        let keep = (self.process.draw(0..4) == 0).then_some(KEEP);
        let operation = self.invoke(OperationKind::Read);
        let (snapshot, read) = match self.manifest.snapshot(Freshness::Latest).await {
            Ok(snapshot) => {
                let read = self.read_pinned(&snapshot, &name, keep).await;
                (Some(snapshot.txn()), read)
            }
            Err(error) => (None, Err(error)),
        };
        self.answer(operation, "read a pinned state", snapshot, read);
    }

    async fn read_pinned(
        &self,
        snapshot: &Snapshot,
        name: &str,
        keep: Option<Duration>,
    ) -> Result<Vec<Read>, Error> {
        self.manifest.pin(name, snapshot, keep).await?;
        self.process.journal.did("states pinned");
        let read = self.read_opened(snapshot, name).await;
        match &read {
            Ok(_) => self.process.journal.did("own pins read"),
            // Nobody else releases it, and nothing that it needs may be collected.
            Err(error)
                if keep.is_none()
                    && matches!(error.kind(), ErrorKind::SnapshotExpired | ErrorKind::NotFound) =>
            {
                self.process.wrong(format!("pin {name} does not hold: {error}"));
            }
            Err(_) => {}
        }
        match self.manifest.release_pin(name).await {
            Ok(()) => self.process.journal.did("own pins released"),
            Err(error) if keep.is_some() && error.kind() == ErrorKind::NotFound => {}
            Err(error) => self.process.note("release pin", &error),
        }
        read
    }

    async fn read_opened(&self, snapshot: &Snapshot, name: &str) -> Result<Vec<Read>, Error> {
        let opened = self.manifest.open_pin(name).await?;
        if opened.txn() != snapshot.txn() {
            let (opened, pinned) = (opened.txn(), snapshot.txn());
            self.process
                .wrong(format!("pin {name} of state {pinned} holds state {opened}"));
        }
        self.read_twice(&opened, &opened).await
    }

    /// Whatever pin there is: a consistent state, which may be old.
    pub(crate) async fn read_pin_of_another(&self) {
        let pins = match self.manifest.pins().await {
            Ok(pins) => pins,
            Err(error) => return self.process.note("list pins", &error),
        };
        let count = u32::try_from(pins.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return;
        }
        let Some(pin) = pins.get(self.process.draw(0..count) as usize) else {
            return;
        };
        // As a transaction that only reads: nothing fresh is promised of a pin.
        let operation = self.invoke(OperationKind::Commit);
        let (snapshot, read) = match self.manifest.open_pin(&pin.name).await {
            Ok(snapshot) => (Some(snapshot.txn()), read_all(&snapshot, self.marks()).await),
            // Released, or expired and dropped.
            Err(error) if error.kind() == ErrorKind::NotFound => (None, Ok(Vec::new())),
            Err(error) => (None, Err(error)),
        };
        if read.as_ref().is_ok_and(|reads| !reads.is_empty()) {
            self.process.journal.did("pins of others read");
        }
        self.answer(operation, "read a pin of another", snapshot, read);
    }

    /// The marks of a few clients, and a key.
    fn marks(&self) -> Vec<Ask> {
        let client = self.process.draw(0..self.process.order.number * 2 + 1);
        let from = |client: u32| Bytes::from(format!("mark_{client:06}_"));
        let mut asks = vec![Ask::Range(from(client), from(client + 2))];
        asks.extend(self.asks());
        asks
    }
}
