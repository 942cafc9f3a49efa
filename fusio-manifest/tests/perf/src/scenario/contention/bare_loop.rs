//! What anybody can do without an engine: GET an object, PUT it back on the condition that it has not changed,
//! and from the beginning when it has. The measure of what one object under compare-and-swap gives.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Clock, Moment, StoreError, StoreErrorKind,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, PutMode, Store},
};
use parking_lot::Mutex;

use crate::{
    client::{Arrival, Client, ClientType},
    metrics::Latencies,
    target::TargetHandle,
};

/// How long one loop tries: as long as a commit of the engine may take.
const GIVE_UP: Duration = Duration::from_secs(30);

/// Before a GET is sent again that failed: an outage may answer at once.
const PAUSE: Duration = Duration::from_millis(10);

/// The object that the loops fight over, as large as HEAD is.
pub(super) struct BareObject {
    store: Arc<dyn Store>,
    key: String,
    sized_like: Arc<dyn TargetHandle>,
    clock: Arc<dyn Clock>,
    written: AtomicU64,
}

impl BareObject {
    /// Writes it for the first time.
    ///
    /// # Errors
    ///
    /// One line: what the store answered.
    pub(super) async fn create(
        store: Arc<dyn Store>,
        prefix: &str,
        sized_like: Arc<dyn TargetHandle>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, String> {
        let object = Self {
            store,
            key: format!("{prefix}object"),
            sized_like,
            clock,
            written: AtomicU64::new(0),
        };
        match object.put(PutMode::Overwrite).await {
            Ok(()) => Ok(Arc::new(object)),
            Err(error) => Err(format!("the bare loops' object cannot be written: {error}")),
        }
    }

    async fn get(&self) -> Result<ETag, StoreError> {
        match self.store.get(&self.key, GetOptions::default()).await? {
            GetAnswer::Found { etag, .. } => Ok(etag),
            GetAnswer::NotModified => Err(StoreError::new(
                StoreErrorKind::Unexpected,
                "GET",
                &self.key,
                "304 without a condition".to_owned(),
            )),
        }
    }

    async fn put(&self, mode: PutMode) -> Result<(), StoreError> {
        // Bytes that differ from all others, or the ETag would come back.
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let mut body = vec![b'-'; self.sized_like.head_bytes().max(16)];
        for (to, from) in body.iter_mut().zip(number.to_le_bytes()) {
            *to = from;
        }
        self.store
            .put(&self.key, Bytes::from(body), mode)
            .await
            .map(|_| ())
    }
}

/// What one loop, or all of them, came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// When each success was answered.
    pub(super) successes: Vec<Moment>,
    /// How long each took, its lost attempts included.
    pub(super) waits: Latencies,
    /// How long each PUT took, whatever came of it.
    pub(super) puts: Latencies,
    /// PUTs that lost their condition.
    pub(super) lost: u64,
    /// Requests that failed otherwise, and loops that gave up.
    pub(super) failed: u64,
    /// The most PUTs in a row that one loop lost.
    pub(super) losing_streak_max: u64,
    losing_streak: u64,
}

impl Tally {
    /// Adds another loop's.
    pub(super) fn add(&mut self, other: &Self) {
        self.successes.extend(&other.successes);
        self.waits.merge(&other.waits);
        self.puts.merge(&other.puts);
        self.lost += other.lost;
        self.failed += other.failed;
        self.losing_streak_max = self.losing_streak_max.max(other.losing_streak_max);
    }

    fn lost_one(&mut self) {
        self.lost += 1;
        self.losing_streak += 1;
        self.losing_streak_max = self.losing_streak_max.max(self.losing_streak);
    }

    fn won_one(&mut self, due: Moment, now: Moment) {
        self.losing_streak = 0;
        self.successes.push(now);
        self.waits.record(now.saturating_sub(due));
    }
}

/// One loop; each operation is one success.
pub(super) struct BareLoop {
    object: Arc<BareObject>,
    tally: Mutex<Tally>,
}

impl BareLoop {
    pub(super) fn new(object: &Arc<BareObject>) -> Arc<Self> {
        Arc::new(Self {
            object: Arc::clone(object),
            tally: Mutex::default(),
        })
    }

    /// What it has come to so far.
    pub(super) fn tally(&self) -> Tally {
        self.tally.lock().clone()
    }

    async fn replace(&self, due: Moment) {
        let object = &self.object;
        while object.clock.now().saturating_sub(due) < GIVE_UP {
            let etag = match object.get().await {
                Ok(etag) => etag,
                // Nothing more will be sent: the run is over.
                Err(error) if error.kind == StoreErrorKind::NotSent => return,
                Err(_) => {
                    self.tally.lock().failed += 1;
                    object.clock.sleep(PAUSE).await;
                    continue;
                }
            };
            let sent = object.clock.now();
            let put = object.put(PutMode::Update(etag)).await;
            let now = object.clock.now();
            let mut tally = self.tally.lock();
            tally.puts.record(now.saturating_sub(sent));
            match put {
                Ok(()) => return tally.won_one(due, now),
                Err(error) => match error.kind {
                    StoreErrorKind::PreconditionFailed | StoreErrorKind::Conflict => tally.lost_one(),
                    StoreErrorKind::NotSent => return,
                    _ => tally.failed += 1,
                },
            }
        }
        self.tally.lock().failed += 1;
    }
}

impl Client for BareLoop {
    fn kind(&self) -> ClientType {
        ClientType::FloorPut
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(self.replace(arrival.due))
    }

    fn dropped(&self, _: Moment) {}

    fn load(&self, _: u64, _: u64) {}
}

#[cfg(test)]
mod tests {
    use fusio_manifest::{MemoryStore, TokioClock};

    use super::*;
    use crate::target::{Target as _, engine::Engine};

    #[tokio::test(start_paused = true)]
    async fn every_success_of_racing_loops_is_one_replacement() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
        let handle = Engine::default().create(Arc::clone(&store), "m/").await.unwrap();
        let object = BareObject::create(store, "bare/", handle, Arc::clone(&clock))
            .await
            .unwrap();
        let loops: Vec<_> = (0..4).map(|_| BareLoop::new(&object)).collect();
        let tasks: Vec<_> = (loops.iter().cloned())
            .map(|own| {
                let clock = Arc::clone(&clock);
                tokio::spawn(async move {
                    for _ in 0..25 {
                        own.replace(clock.now()).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut all = Tally::default();
        loops.iter().for_each(|own| all.add(&own.tally()));
        assert_eq!((all.successes.len(), all.failed), (100, 0));
        assert_eq!(all.waits.count(), 100);
        assert_eq!(all.puts.count(), 100 + all.lost);
        // The first write, and each PUT.
        assert_eq!(object.written.load(Ordering::Relaxed), 1 + 100 + all.lost);
    }
}
