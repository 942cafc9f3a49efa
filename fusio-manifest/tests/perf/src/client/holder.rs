//! Reads of one state again and again, for longer than it need be kept: it must be the same each time, or be told to
//! have expired.

use std::sync::Arc;

use fusio_manifest::{Moment, store::BoxFuture};

use super::{Arrival, Client, ClientType, Own};
use crate::{history::OperationKind, metrics::Role};

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

impl Client for Holder {
    fn kind(&self) -> ClientType {
        ClientType::Holder
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(self.hold(arrival))
    }

    fn dropped(&self, due: Moment) {
        self.own.dropped(Role::Reader, due);
    }

    fn load(&self, open: u64, _: u64) {
        self.own.in_flight(Role::Reader, open);
    }
}
