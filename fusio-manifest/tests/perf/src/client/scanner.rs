//! Fresh reads of several things at once: keys, ranges of the pool, and all lists, of one state.

use std::sync::Arc;

use fusio_manifest::{Moment, store::BoxFuture};

use super::{Arrival, Client, ClientType, Own};
use crate::{
    history::{OperationKind, Outcome},
    metrics::{ReadOutcome, Role},
};

/// Reads keys and ranges of one fresh state.
#[derive(Debug)]
pub struct Scanner {
    own: Arc<Own>,
    pool: u32,
}

impl Scanner {
    /// A client on the first `pool` keys that writers share, and on all lists.
    pub fn new(own: Arc<Own>, pool: u32) -> Self {
        Self { own, pool }
    }

    async fn scan(&self, arrival: Arrival) {
        let own = &self.own;
        let shared = &own.shared;
        let started = shared.clock.now();
        let asks = own.draw_asks(self.pool);
        let operation = shared
            .recorder
            .invoke(own.id, OperationKind::Read, shared.nanos());
        let viewed = own.handle.view(asks).await;
        let (reads, told, outcome) = match viewed {
            Ok((snapshot, reads)) => (
                reads,
                Outcome::Ok { snapshot, txn: None },
                ReadOutcome::Read { behind: 0 },
            ),
            Err(why) => {
                shared.errors.note(|| format!("reader {}: {why}", own.id.0));
                (
                    Vec::new(),
                    Outcome::Failed { snapshot: None },
                    ReadOutcome::Failed,
                )
            }
        };
        shared.recorder.complete(operation, shared.nanos(), reads, told);
        own.read_took(arrival, started, outcome);
    }
}

impl Client for Scanner {
    fn kind(&self) -> ClientType {
        ClientType::Scanner
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(self.scan(arrival))
    }

    fn dropped(&self, due: Moment) {
        self.own.dropped(Role::Reader, due);
    }

    fn load(&self, open: u64, _: u64) {
        self.own.in_flight(Role::Reader, open);
    }
}
