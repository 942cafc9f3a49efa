//! Reads of one state again and again, for longer than it need be kept: it must be the same each time, or be told to
//! have expired.

use std::sync::{Arc, atomic::Ordering};

use fusio_manifest::{Moment, store::BoxFuture};

use super::{Arrival, Client, ClientType, Own, draws};
use crate::{
    history::{OperationId, OperationKind, Outcome, Read},
    metrics::{ReadOutcome, ReadSample, Role},
    target::{Ask, Refusal, TargetSnapshot},
};

/// How often a state is read.
const TIMES: u32 = 3;

/// Reads states that it holds.
#[derive(Debug)]
pub struct Holder {
    own: Arc<Own>,
    pool: u32,
}

impl Holder {
    /// A client on the first `pool` keys that writers share, and on all lists.
    pub fn new(own: Arc<Own>, pool: u32) -> Self {
        Self { own, pool }
    }

    async fn hold(&self, arrival: Arrival) {
        let own = &self.own;
        let started = own.shared.clock.now();
        let operation = own
            .shared
            .recorder
            .invoke(own.id, OperationKind::Read, own.shared.nanos());
        let outcome = match own.handle.snapshot().await {
            Ok(snapshot) => {
                let mut reads = Vec::new();
                for time in 0..TIMES {
                    if time > 0 {
                        own.pause().await;
                    }
                    let asks = own.draw_asks(self.pool);
                    if !own.look(&*snapshot, asks, &mut reads).await {
                        break;
                    }
                    if time > 0 {
                        own.shared.kept.held();
                    }
                }
                own.saw(operation, &*snapshot, reads)
            }
            Err(refusal) => own.saw_nothing(operation, &refusal),
        };
        own.read_took(arrival, started, outcome);
    }
}

impl Own {
    /// Waits for as long as a state is held, between two looks at it.
    pub(super) async fn pause(&self) {
        let span = draws::holding(&mut *self.rng.lock());
        self.shared.clock.sleep(span).await;
    }

    pub(super) fn draw_asks(&self, pool: u32) -> Vec<Ask> {
        draws::asks(&mut *self.rng.lock(), pool)
    }

    /// Reads this of the state as well. False if it cannot be read any more.
    pub(super) async fn look(
        &self,
        snapshot: &dyn TargetSnapshot,
        asks: Vec<Ask>,
        reads: &mut Vec<Read>,
    ) -> bool {
        let (read, refusal) = snapshot.read(asks).await;
        reads.extend(read);
        if let Some(refusal) = &refusal {
            self.refused(refusal);
        }
        refusal.is_none()
    }

    /// Notes why a state that was held could not be read.
    pub(super) fn refused(&self, refusal: &Refusal) {
        match refusal {
            Refusal::Expired(_) => self.shared.kept.expired(),
            Refusal::ExpiredEarly(why) => {
                let text = format!("reader {}: {why}", self.id.0);
                self.shared.errors.alarm("ExpiredEarly", text);
            }
            Refusal::NoPin(why) | Refusal::Failed(why) => {
                self.shared.errors.note(|| format!("reader {}: {why}", self.id.0));
            }
        }
    }

    pub(super) fn saw(
        &self,
        operation: OperationId,
        snapshot: &dyn TargetSnapshot,
        reads: Vec<Read>,
    ) -> ReadOutcome {
        let told = Outcome::Ok {
            snapshot: snapshot.txn(),
            txn: None,
        };
        let shared = &self.shared;
        shared.recorder.complete(operation, shared.nanos(), reads, told);
        ReadOutcome::Read { behind: 0 }
    }

    pub(super) fn saw_nothing(&self, operation: OperationId, refusal: &Refusal) -> ReadOutcome {
        self.refused(refusal);
        let told = Outcome::Failed { snapshot: None };
        let shared = &self.shared;
        shared
            .recorder
            .complete(operation, shared.nanos(), Vec::new(), told);
        ReadOutcome::Failed
    }

    pub(super) fn read_took(&self, arrival: Arrival, started: Moment, outcome: ReadOutcome) {
        let completed = self.shared.clock.now();
        self.measure(|metrics, since| {
            metrics.record_read(&ReadSample {
                due: since(arrival.due),
                issued: since(arrival.issued),
                started: since(started),
                completed: since(completed),
                outcome,
            });
        });
        self.shared.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Client for Holder {
    fn kind(&self) -> ClientType {
        ClientType::Holder
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(self.hold(arrival))
    }

    fn dropped(&self, due: Moment) {
        self.own
            .measure(|metrics, since| metrics.record_dropped(Role::Reader, since(due)));
    }

    fn load(&self, open: u64, _: u64) {
        self.own
            .measure(|metrics, _| metrics.record_in_flight(Role::Reader, open));
    }
}
