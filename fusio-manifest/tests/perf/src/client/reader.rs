//! Fresh reads of acknowledged keys.

use std::sync::Arc;

use bytes::Bytes;
use fusio_manifest::{Moment, store::BoxFuture};

use super::{Arrival, Client, ClientType, Own};
use crate::{
    history::{OperationKind, Outcome, Read},
    metrics::{ReadOutcome, Role},
    registry::AcknowledgedKey,
};

/// Reads, and checks at once that it saw at least what was acknowledged before.
#[derive(Debug)]
pub struct Reader(Arc<Own>);

impl Reader {
    /// A reader.
    pub fn new(own: Arc<Own>) -> Self {
        Self(own)
    }

    async fn read(&self, arrival: Arrival) {
        let shared = &self.0.shared;
        let started = shared.clock.now();
        // Drawn before the read is invoked: its txn was acknowledged before, so the read must see it.
        let drawn = shared.registry.draw(&mut *self.0.rng.lock());
        let Some(acknowledged) = drawn else {
            return shared
                .errors
                .note(|| format!("reader {}: no key is acknowledged yet", self.0.id.0));
        };
        let outcome = self.read_key(&acknowledged).await;
        self.0.read_took(arrival, started, outcome);
    }

    async fn read_key(&self, acknowledged: &AcknowledgedKey) -> ReadOutcome {
        let shared = &self.0.shared;
        let key = Bytes::copy_from_slice(acknowledged.key.as_bytes());
        let operation = shared
            .recorder
            .invoke(self.0.id, OperationKind::Read, shared.nanos());
        match self.0.handle.read(key.clone()).await {
            Ok(report) => {
                let behind = acknowledged.txn.saturating_sub(report.snapshot);
                if behind > 0 || report.value.is_none() {
                    shared.errors.note(|| {
                        format!(
                            "reader {}: {} was acknowledged at commit {}, a later read at commit {} found {}",
                            self.0.id.0,
                            acknowledged.key,
                            acknowledged.txn,
                            report.snapshot,
                            if report.value.is_some() {
                                "an older version"
                            } else {
                                "nothing"
                            }
                        )
                    });
                }
                // Copied: a slice would keep the object in memory that it was read from.
                let value = report.value.as_deref().map(Bytes::copy_from_slice);
                let told = Outcome::Ok {
                    snapshot: report.snapshot,
                    txn: None,
                };
                shared
                    .recorder
                    .complete(operation, shared.nanos(), vec![Read::Point { key, value }], told);
                ReadOutcome::Read { behind }
            }
            Err(why) => {
                let told = Outcome::Failed { snapshot: None };
                shared
                    .recorder
                    .complete(operation, shared.nanos(), Vec::new(), told);
                shared.errors.note(|| format!("reader {}: {why}", self.0.id.0));
                ReadOutcome::Failed
            }
        }
    }
}

impl Client for Reader {
    fn kind(&self) -> ClientType {
        ClientType::Reader
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(self.read(arrival))
    }

    fn dropped(&self, due: Moment) {
        self.0.dropped(Role::Reader, due);
    }

    fn load(&self, open: u64, _: u64) {
        self.0.in_flight(Role::Reader, open);
    }
}
