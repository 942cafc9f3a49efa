//! Read-modify-write of a key of the pool, tried again by the client when it loses: in single attempts, which is
//! what a caller without rebase would see, or with the engine's rebase, which loses only to writes of its key.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use fusio_manifest::{Moment, store::BoxFuture};
use rand::RngExt as _;

use super::{Arrival, Client, ClientType, Own, draws};
use crate::{
    config::KeyPool,
    history::{OperationKind, Read, Write},
    metrics::{AttemptSample, Role, WriteOutcome, WriteSample},
    target::{CommitAnswer, CommitReport},
};

/// Writes keys of a pool, part of which all writers share.
#[derive(Debug)]
pub struct Writer {
    own: Arc<Own>,
    pool: KeyPool,
    retries_max: u32,
    rebase: bool,
}

impl Writer {
    /// A writer that tries each write once, and then `retries_max` times more, each time in a single attempt.
    pub fn new(own: Arc<Own>, pool: KeyPool, retries_max: u32) -> Self {
        Self {
            own,
            pool,
            retries_max,
            rebase: false,
        }
    }

    /// A writer whose transactions are rebased by the engine; it runs one again, up to `retries_max` times,
    /// when it is told of a conflict.
    pub fn rebasing(own: Arc<Own>, pool: KeyPool, retries_max: u32) -> Self {
        Self {
            rebase: true,
            ..Self::new(own, pool, retries_max)
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a share of a u32")]
    fn draw_key(&self) -> String {
        let mut rng = self.own.rng.lock();
        let shared = (f64::from(self.pool.size) * self.pool.overlap_ratio).round() as u32;
        match rng.random_range(0..self.pool.size) {
            number if number < shared => format!("{}{number:06}", draws::SHARED),
            number => format!("pool_{:03}_{number:06}", self.own.id.0),
        }
    }

    async fn write(&self, arrival: Arrival) {
        let shared = &self.own.shared;
        let started = shared.clock.now();
        let key = self.draw_key();
        let mut attempts: Vec<AttemptSample> = Vec::new();
        let mut outcome = WriteOutcome::GivenUp;
        for _ in 0..=self.retries_max {
            let report = self.attempt(&key).await;
            attempts.extend(report.attempts);
            outcome = match report.answer {
                CommitAnswer::Lost | CommitAnswer::Conflict => continue,
                CommitAnswer::Committed { txn } => {
                    shared.registry.acknowledge(&key, txn);
                    WriteOutcome::Acknowledged
                }
                CommitAnswer::Failed(why) => {
                    shared
                        .errors
                        .note(|| format!("writer {}, {key}: {why}", self.own.id.0));
                    WriteOutcome::Failed
                }
                CommitAnswer::Unknown(why) => {
                    shared
                        .errors
                        .note(|| format!("writer {}, {key}: {why}", self.own.id.0));
                    WriteOutcome::Unknown
                }
            };
            break;
        }
        let completed = shared.clock.now();
        self.own.measure(|metrics, since| {
            metrics.record_write(&WriteSample {
                due: since(arrival.due),
                issued: since(arrival.issued),
                started: since(started),
                completed: since(completed),
                attempts,
                outcome,
            });
        });
        shared.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// One transaction, with a place of its own in the history.
    async fn attempt(&self, key: &str) -> CommitReport {
        let shared = &self.own.shared;
        let key = Bytes::copy_from_slice(key.as_bytes());
        let value = shared.unique_value();
        let operation = shared
            .recorder
            .invoke(self.own.id, OperationKind::Commit, shared.nanos());
        shared.recorder.stage(
            operation,
            vec![Write {
                key: key.clone(),
                value: Some(value.clone()),
            }],
        );
        let handle = &self.own.handle;
        let report = if self.rebase {
            handle.update(key.clone(), value).await
        } else {
            handle.rewrite(key.clone(), value).await
        };
        let reads = report.read.iter().map(|held| Read::Point {
            key: key.clone(),
            value: held.as_deref().map(Bytes::copy_from_slice),
        });
        shared
            .recorder
            .complete(operation, shared.nanos(), reads.collect(), report.told());
        shared.unknown.note(&self.own, operation, &report);
        report
    }
}

impl Client for Writer {
    fn kind(&self) -> ClientType {
        ClientType::Writer
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(self.write(arrival))
    }

    fn dropped(&self, due: Moment) {
        self.own.dropped(Role::Writer, due);
    }

    fn load(&self, open: u64, _: u64) {
        self.own.in_flight(Role::Writer, open);
    }
}
