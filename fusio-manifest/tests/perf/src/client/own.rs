//! What one client has to itself, and what it measures.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use fusio_manifest::Moment;
use parking_lot::Mutex;
use rand::{SeedableRng as _, rngs::StdRng};

use super::{Arrival, Shared, draws};
use crate::{
    history::ClientId,
    metrics::{MetricsCollector, ReadOutcome, ReadSample, Role},
    target::{Ask, TargetHandle},
};

/// What one client of the workload has to itself.
pub struct Own {
    /// Its name in the history.
    pub id: ClientId,
    /// Its handle.
    pub handle: Arc<dyn TargetHandle>,
    /// What it shares.
    pub shared: Arc<Shared>,
    metrics: Arc<Mutex<MetricsCollector>>,
    pub(super) rng: Mutex<StdRng>,
}

impl Own {
    /// A client that measures for `window` and draws by `seed`.
    pub fn new(
        id: ClientId,
        role: Role,
        window: Duration,
        seed: u64,
        handle: Arc<dyn TargetHandle>,
        shared: Arc<Shared>,
    ) -> Arc<Self> {
        let metrics = Arc::new(Mutex::new(MetricsCollector::new(role, window)));
        let rng = Mutex::new(StdRng::seed_from_u64(seed));
        Arc::new(Self {
            id,
            handle,
            shared,
            metrics,
            rng,
        })
    }

    /// Another client on the same handle: a task beside it in the same process. Both measure into one
    /// collector, or thousands of them would fill the memory with histograms.
    #[must_use]
    pub fn beside(&self, id: ClientId, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            handle: Arc::clone(&self.handle),
            shared: Arc::clone(&self.shared),
            metrics: Arc::clone(&self.metrics),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
        })
    }

    /// What it has measured so far.
    pub fn metrics(&self) -> MetricsCollector {
        self.metrics.lock().clone()
    }

    /// Changes its measurements, if the measurement has begun; `since` turns moments into times since then.
    pub(super) fn measure(&self, record: impl FnOnce(&mut MetricsCollector, &dyn Fn(Moment) -> Duration)) {
        if let Some(t0) = self.shared.epoch.t0() {
            let mut metrics = self.metrics.lock();
            metrics.t0 = t0;
            record(&mut metrics, &|moment| moment.saturating_sub(t0));
        }
    }

    /// What a client reads of one state: keys and ranges among the first `pool` keys, and all lists.
    pub(super) fn draw_asks(&self, pool: u32) -> Vec<Ask> {
        draws::asks(&mut *self.rng.lock(), pool)
    }

    /// An arrival was refused.
    pub(super) fn dropped(&self, role: Role, due: Moment) {
        self.measure(|metrics, since| metrics.record_dropped(role, since(due)));
    }

    /// So many operations are open.
    pub(super) fn in_flight(&self, role: Role, open: u64) {
        self.measure(|metrics, _| metrics.record_in_flight(role, open));
    }

    /// A read has ended.
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

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
