//! Transactions of every shape: none to three keys or ranges of the shared pool are read, one to three keys are put or
//! deleted. The engine rebases them, so that one is lost only to a write of what it read.

use std::sync::{Arc, atomic::Ordering};

use fusio_manifest::{Moment, store::BoxFuture};
use rand::RngExt as _;

use super::{Arrival, Client, ClientType, Own, draws};
use crate::{
    history::{OperationKind, Read, Write},
    metrics::{Role, WriteOutcome, WriteSample},
    target::{Ask, CommitAnswer},
};

/// How many things one transaction reads, and writes, at most.
const PARTS_MAX: usize = 3;
/// How often a write is a deletion.
const DELETES: f64 = 0.25;

/// Reads, puts and deletes keys of a pool that it shares with all others of its kind.
#[derive(Debug)]
pub struct Transactor {
    own: Arc<Own>,
    pool: u32,
}

impl Transactor {
    /// A client on the first `pool` keys that read-modify-writers share.
    pub fn new(own: Arc<Own>, pool: u32) -> Self {
        Self { own, pool }
    }

    fn draw(&self) -> (Vec<Ask>, Vec<Write>) {
        let mut rng = self.own.rng.lock();
        let asks = (0..rng.random_range(0..=PARTS_MAX)).map(|_| draws::ask(&mut *rng, self.pool));
        let asks = asks.collect();
        let writes = (0..rng.random_range(1..=PARTS_MAX)).map(|_| {
            let key = draws::pool_key(&mut *rng, self.pool);
            let deletes = rng.random_bool(DELETES);
            let value = (!deletes).then(|| self.own.shared.unique_value());
            Write { key, value }
        });
        (asks, writes.collect())
    }
}

impl Client for Transactor {
    fn kind(&self) -> ClientType {
        ClientType::Transactor
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        let (asks, writes) = self.draw();
        Box::pin(self.own.transact(arrival, asks, |_| writes))
    }

    fn dropped(&self, due: Moment) {
        self.own.dropped(Role::Writer, due);
    }

    fn load(&self, open: u64, _: u64) {
        self.own.in_flight(Role::Writer, open);
    }
}

impl Own {
    /// One transaction: recorded, measured, and told if it failed.
    pub(super) async fn transact(
        &self,
        arrival: Arrival,
        asks: Vec<Ask>,
        stage: impl FnOnce(&[Read]) -> Vec<Write> + Send,
    ) {
        let shared = &self.shared;
        let started = shared.clock.now();
        let operation = shared
            .recorder
            .invoke(self.id, OperationKind::Commit, shared.nanos());
        let recorded = |reads: &[Read]| {
            let writes = stage(reads);
            shared.recorder.stage(operation, writes.clone());
            writes
        };
        let (report, reads) = self.handle.transact(asks, Box::new(recorded)).await;
        shared
            .recorder
            .complete(operation, shared.nanos(), reads, report.told());
        shared.unknown.note(self, operation, &report);
        let outcome = match &report.answer {
            CommitAnswer::Committed { .. } => WriteOutcome::Acknowledged,
            CommitAnswer::Lost | CommitAnswer::Conflict => WriteOutcome::GivenUp,
            CommitAnswer::Failed(_) => WriteOutcome::Failed,
            CommitAnswer::Unknown(_) => WriteOutcome::Unknown,
        };
        if let CommitAnswer::Failed(why) | CommitAnswer::Unknown(why) = &report.answer {
            shared.errors.note(|| format!("writer {}: {why}", self.id.0));
        }
        let completed = shared.clock.now();
        self.measure(|metrics, since| {
            metrics.record_write(&WriteSample {
                due: since(arrival.due),
                issued: since(arrival.issued),
                started: since(started),
                completed: since(completed),
                attempts: report.attempts,
                outcome,
            });
        });
        shared.ended.fetch_add(1, Ordering::Relaxed);
    }
}
