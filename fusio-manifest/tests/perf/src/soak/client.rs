//! The clients: writers, readers, keepers of states, and visitors who open a handle of their own and close it again.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{Clock as _, Error, Freshness, Manifest, Moment, Options, SystemClock, store::Store};

use super::counts::Counts;
use crate::{
    crash::{
        journal::Journal,
        process::{Process, reader::Reader, writer},
    },
    history::OperationKind,
    target::engine::attempt,
};

/// A client with its number, and the handle that it works with.
pub(super) struct Client {
    pub(super) number: u32,
    pub(super) process: Process,
    pub(super) manifest: Manifest,
    pub(super) journal: Arc<Journal>,
    pub(super) counts: Arc<Counts>,
}

impl Client {
    /// One transaction of whatever kind.
    pub(super) async fn write(&self, number: u32, due: Moment) {
        self.counts.offer(|row| &mut row.commits_offered);
        let (asks, writes) = writer::draw(&self.process, self.number, number);
        let large = writes.len() > writer::SMALL_WRITES_MAX;
        let operation = self
            .journal
            .invoke(self.number, OperationKind::Commit, writes.clone());
        let (report, reads, error) = attempt(&self.manifest, asks, Box::new(|_| writes)).await;
        let told = report.told();
        self.counts
            .committed(told, large, SystemClock.now().saturating_sub(due));
        self.journal.answer(operation, reads, told);
        if let Some(error) = error {
            self.process.note("commit", &error);
        }
    }

    /// One fresh read: of a key, or of a few neighbours.
    pub(super) async fn read(&self, due: Moment) {
        self.counts.offer(|row| &mut row.reads_offered);
        self.reader(0).read().await;
        self.counts.read(SystemClock.now().saturating_sub(due));
    }

    /// One state that is held, or pinned, or somebody else's pin.
    pub(super) async fn keep(&self, number: u32) {
        let mut reader = self.reader(number);
        match number % 4 {
            0 => reader.read_pin_of_another().await,
            1 | 2 => reader.hold().await,
            _ => reader.pin().await,
        }
        self.counts.offer(|row| &mut row.kept);
    }

    fn reader(&self, pins: u32) -> Reader<'_> {
        Reader {
            process: &self.process,
            manifest: &self.manifest,
            pins,
        }
    }
}

/// A handle that is opened, used once and closed.
pub(super) struct Visit {
    pub(super) store: Arc<dyn Store>,
    pub(super) prefix: String,
    pub(super) options: Options,
    pub(super) process: Process,
    pub(super) counts: Arc<Counts>,
}

impl Visit {
    pub(super) async fn carry_out(&self) {
        match self.look().await {
            Ok(()) => self.counts.offer(|row| &mut row.visits),
            Err(error) => self.process.note("visit", &error),
        }
    }

    async fn look(&self) -> Result<(), Error> {
        let manifest = Manifest::open(Arc::clone(&self.store), &self.prefix, self.options.clone()).await?;
        let looked = manifest.snapshot(Freshness::Latest).await;
        Reader {
            process: &self.process,
            manifest: &manifest,
            pins: 0,
        }
        .read()
        .await;
        manifest.close().await;
        looked.map(drop)
    }
}

/// Between two visits.
pub(super) const VISIT_EVERY: Duration = Duration::from_secs(5);
