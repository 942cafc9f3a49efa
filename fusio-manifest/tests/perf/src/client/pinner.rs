//! States under names: pinned at once or only after a while, opened later, by whatever process is there then, read, and
//! let go or left.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{Moment, store::BoxFuture};
use rand::RngExt as _;

use super::{Arrival, Client, ClientType, Own};
use crate::{
    history::{OperationKind, Read},
    metrics::Role,
    target::{Refusal, TargetSnapshot},
};

/// How often a state is held for a while before it is pinned.
const LATE: f64 = 0.4;
/// How often a pin expires by itself.
const EXPIRING: f64 = 0.4;
/// How long it is kept then, at most.
const KEPT_MAX: Duration = Duration::from_secs(6);
/// How often a pin is let go in the end, where it is not left for good or until it expires.
const RELEASED: f64 = 0.6;

/// Keeps states under names.
#[derive(Debug)]
pub struct Pinner {
    own: Arc<Own>,
    pool: u32,
}

/// What is to be done with a pin.
struct Plan {
    name: String,
    late: bool,
    keep: Option<Duration>,
    release: bool,
}

impl Pinner {
    /// A client on the first `pool` keys that writers share, and on all lists.
    pub fn new(own: Arc<Own>, pool: u32) -> Self {
        Self { own, pool }
    }

    fn plan(&self) -> Plan {
        let mut rng = self.own.rng.lock();
        let keep = rng.random_bool(EXPIRING).then(|| {
            // To the millisecond: so the store's Date tells it.
            let most = u64::try_from(KEPT_MAX.as_millis()).unwrap_or(u64::MAX);
            Duration::from_millis(rng.random_range(1..most))
        });
        Plan {
            name: format!("pin_{:06}", self.own.shared.unique_number()),
            late: rng.random_bool(LATE),
            keep,
            release: rng.random_bool(RELEASED),
        }
    }

    async fn keep(&self, arrival: Arrival) {
        let own = &self.own;
        let (started, plan) = (own.shared.clock.now(), self.plan());
        let operation = own
            .shared
            .recorder
            .invoke(own.id, OperationKind::Read, own.shared.nanos());
        let outcome = match own.handle.snapshot().await {
            Ok(snapshot) => {
                let mut reads = Vec::new();
                self.pin(&plan, &*snapshot, &mut reads).await;
                own.saw(operation, &*snapshot, reads)
            }
            Err(refusal) => own.saw_nothing(operation, &refusal),
        };
        own.read_took(arrival, started, outcome);
    }

    async fn pin(&self, plan: &Plan, snapshot: &dyn TargetSnapshot, reads: &mut Vec<Read>) {
        let own = &self.own;
        if !own.look(snapshot, own.draw_asks(self.pool), reads).await {
            return;
        }
        if plan.late {
            own.pause().await;
        }
        // From here on: it expires by the Date at which it is made.
        let pinned = own.shared.clock.now();
        match snapshot.pin(plan.name.clone(), plan.keep).await {
            Ok(()) => own.shared.kept.pinned(),
            Err(Refusal::Expired(_)) => return own.shared.kept.refused(),
            // It may be there all the same: the end of the run looks at it.
            Err(refusal) => return own.refused(&refusal),
        }
        own.pause().await;
        if let Err(refusal) = self.open(plan, snapshot.txn(), reads).await {
            let passed = own.shared.clock.now().saturating_sub(pinned);
            let over = plan.keep.is_some_and(|keep| passed >= keep);
            match &refusal {
                Refusal::Expired(why) | Refusal::NoPin(why) if !over => {
                    let text = format!("reader {}, after {passed:?} of {:?}: {why}", own.id.0, plan.keep);
                    own.shared.errors.alarm("PinLost", text);
                }
                Refusal::NoPin(_) => own.shared.kept.expired(),
                _ => own.refused(&refusal),
            }
        }
        if plan.release {
            match own.handle.release_pin(plan.name.clone()).await {
                Ok(()) => own.shared.kept.released(),
                Err(refusal) => own
                    .shared
                    .errors
                    .note(|| format!("reader {}, letting go: {refusal}", own.id.0)),
            }
        }
    }

    /// Opens it, and reads more of the state than was read of it before.
    async fn open(&self, plan: &Plan, txn: u64, reads: &mut Vec<Read>) -> Result<(), Refusal> {
        let own = &self.own;
        let opened = own.handle.open_pin(plan.name.clone()).await?;
        if opened.txn() != txn {
            let text = format!(
                "reader {}: {} was taken at commit {txn}, it is of commit {}",
                own.id.0,
                plan.name,
                opened.txn()
            );
            own.shared.errors.alarm("WrongPin", text);
        }
        let (read, refusal) = opened.read(own.draw_asks(self.pool)).await;
        reads.extend(read);
        match refusal {
            Some(refusal) => Err(refusal),
            None => {
                own.shared.kept.opened();
                Ok(())
            }
        }
    }
}

impl Client for Pinner {
    fn kind(&self) -> ClientType {
        ClientType::Pinner
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(self.keep(arrival))
    }

    fn dropped(&self, due: Moment) {
        self.own.dropped(Role::Reader, due);
    }

    fn load(&self, open: u64, _: u64) {
        self.own.in_flight(Role::Reader, open);
    }
}
