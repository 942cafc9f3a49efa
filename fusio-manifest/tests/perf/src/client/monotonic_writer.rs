//! Appends: the registry's next key, committed by the engine's own means, one after the other.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use fusio_manifest::{Moment, store::BoxFuture};

use super::{Arrival, Client, ClientType, Own};
use crate::{
    history::{OperationKind, Write},
    metrics::{Role, WriteOutcome, WriteSample},
    target::CommitAnswer,
};

/// A queue by nature: an arrival waits until every earlier one is done, and that counts as response time.
#[derive(Debug)]
pub struct MonotonicWriter(Arc<Own>);

impl MonotonicWriter {
    /// A writer.
    pub fn new(own: Arc<Own>) -> Self {
        Self(own)
    }

    async fn write(&self, arrival: Arrival) {
        let shared = &self.0.shared;
        let started = shared.clock.now();
        let key = shared.registry.next_key();
        let write = Write {
            key: Bytes::from(key.clone()),
            value: Some(shared.unique_value()),
        };
        let (bytes, value) = (write.key.clone(), write.value.clone().unwrap_or_default());
        let operation = shared
            .recorder
            .invoke(self.0.id, OperationKind::Commit, shared.nanos());
        shared.recorder.stage(operation, vec![write]);
        let report = self.0.handle.put(bytes, value).await;
        let completed = shared.clock.now();
        let outcome = match &report.answer {
            CommitAnswer::Committed { .. } => WriteOutcome::Acknowledged,
            CommitAnswer::Lost | CommitAnswer::Conflict => WriteOutcome::GivenUp,
            CommitAnswer::Failed(_) => WriteOutcome::Failed,
            CommitAnswer::Unknown(_) => WriteOutcome::Unknown,
        };
        shared
            .recorder
            .complete(operation, shared.nanos(), Vec::new(), report.told());
        shared.unknown.note(&self.0, operation, &report);
        match &report.answer {
            CommitAnswer::Committed { txn } => shared.registry.acknowledge(&key, *txn),
            CommitAnswer::Lost | CommitAnswer::Conflict => shared
                .errors
                .note(|| format!("writer {} gave up {key}", self.0.id.0)),
            CommitAnswer::Failed(why) | CommitAnswer::Unknown(why) => {
                shared
                    .errors
                    .note(|| format!("writer {}, {key}: {why}", self.0.id.0));
            }
        }
        self.0.measure(|metrics, since| {
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

impl Client for MonotonicWriter {
    fn kind(&self) -> ClientType {
        ClientType::MonotonicWriter
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(self.write(arrival))
    }

    fn dropped(&self, due: Moment) {
        self.0.dropped(Role::Writer, due);
    }

    fn load(&self, open: u64, waiting: u64) {
        self.0.measure(|metrics, _| {
            metrics.record_in_flight(Role::Writer, open);
            metrics.record_backlog(Role::Writer, waiting);
        });
    }
}
