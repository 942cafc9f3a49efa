//! How soon a handle is back once its store is: whatever it was doing when the store went away, and however long that
//! was gone.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, Manifest, MemoryStore, Moment, Options, Store, StoreError, StoreErrorKind, TokioClock,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode},
};
use parking_lot::Mutex;

use crate::support::{PREFIX, founded, options, pause, put};

/// The longest wait between two requests of a handle that is kept waiting: so late may it notice, at most.
const NOTICED_WITHIN: Duration = Duration::from_millis(500);

/// How the store is gone.
#[derive(Debug, Clone, Copy)]
enum Gone {
    /// Connections break.
    Connection,
    /// It answers with this status.
    Status(u16),
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    ends: Moment,
    how: Gone,
    requests: u64,
}

/// A store that is gone for a while. Clones share the outage.
#[derive(Debug, Clone)]
struct Leaving {
    inner: MemoryStore,
    clock: TokioClock,
    outage: Arc<Mutex<Option<Outage>>>,
}

impl Leaving {
    async fn open(store: &MemoryStore, options: Options) -> (Self, Manifest) {
        let leaving = Self {
            inner: store.clone(),
            clock: TokioClock::new(),
            outage: Arc::default(),
        };
        let opened = Manifest::open(Arc::new(leaving.clone()), PREFIX, options).await;
        (leaving, opened.unwrap())
    }

    fn leave(&self, span: Duration, how: Gone) {
        *self.outage.lock() = Some(Outage {
            ends: self.clock.now() + span,
            how,
            requests: 0,
        });
    }

    fn refused(&self) -> u64 {
        self.outage.lock().map_or(0, |outage| outage.requests)
    }

    /// How long ago the store came back.
    fn back_for(&self) -> Duration {
        let ends = self.outage.lock().map(|outage| outage.ends);
        self.clock.now().checked_sub(ends.unwrap()).unwrap()
    }

    fn pass(&self, operation: &'static str, key: &str) -> Result<(), StoreError> {
        let mut outage = self.outage.lock();
        let Some(outage) = outage.as_mut().filter(|outage| self.clock.now() < outage.ends) else {
            return Ok(());
        };
        outage.requests += 1;
        let error = |kind| StoreError::new(kind, operation, key, "gone for a while");
        Err(match outage.how {
            Gone::Connection => error(StoreErrorKind::Connection),
            Gone::Status(status) => {
                let kind = match status {
                    503 => StoreErrorKind::SlowDown,
                    _ => StoreErrorKind::Server,
                };
                StoreError {
                    status: Some(status),
                    ..error(kind)
                }
            }
        })
    }
}

impl Store for Leaving {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(async move {
            self.pass("GET", key)?;
            self.inner.get(key, options).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            self.pass("PUT", key)?;
            self.inner.put(key, body, mode).await
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        self.inner.list(prefix, after)
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.delete(keys)
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }

    fn describe(&self) -> String {
        "a store that is gone for a while".to_owned()
    }
}

const WAYS: [Gone; 3] = [Gone::Connection, Gone::Status(503), Gone::Status(500)];

/// A handle whose callers wait, on a store that is gone for as long from now on.
async fn left(seed: u64, span: Duration, how: Gone, patience: Duration) -> (Leaving, Manifest) {
    let (store, founder) = founded().await;
    put(&founder, "k", "before").await.unwrap();
    founder.close().await;
    let options = Options {
        commit_timeout: patience,
        read_timeout: Duration::from_secs(300),
        ..options(seed)
    };
    let (leaving, manifest) = Leaving::open(&store, options).await;
    leaving.leave(span, how);
    (leaving, manifest)
}

/// A commit, a read and a transaction's begin that wait for a store notice within half a second that it is back, and ask
/// about four times a second meanwhile.
#[tokio::test(start_paused = true)]
async fn who_waits_notices_within_half_a_second_that_the_store_is_back() {
    let patience = Duration::from_secs(300);
    for seed in 10..40 {
        for (how, span) in WAYS.into_iter().zip([3, 20, 120].map(Duration::from_secs)) {
            for what in ["commit", "read", "begin"] {
                let (leaving, manifest) = left(seed, span, how, patience).await;
                match what {
                    "commit" => drop(put(&manifest, "k", "after").await.unwrap()),
                    "read" => drop(manifest.get("k").await.unwrap()),
                    _ => drop(
                        manifest
                            .snapshot(fusio_manifest::Freshness::Latest)
                            .await
                            .unwrap(),
                    ),
                }
                let late = leaving.back_for();
                let seen = format!("{what}, {how:?} for {span:?}, seed {seed}: back after {late:?}");
                assert!(late <= NOTICED_WITHIN, "{seen}");
                let most = 10.0 + span.as_secs_f64() * 8.0;
                assert!(
                    (leaving.refused() as f64) < most,
                    "{} requests: {seen}",
                    leaving.refused()
                );
                manifest.close().await;
            }
        }
    }
}

/// Callers that give up after half a second and come back with the next commit, as a service's do: the one that is under
/// way when the store comes back is not held up by what became of those before it.
#[tokio::test(start_paused = true)]
async fn callers_that_gave_up_leave_nothing_behind_that_later_ones_wait_for() {
    for seed in 10..40 {
        for how in WAYS {
            let span = Duration::from_secs(3);
            let (leaving, manifest) = left(seed, span, how, Duration::from_millis(500)).await;
            let mut refused = 0;
            while put(&manifest, "k", &refused.to_string()).await.is_err() {
                refused += 1;
                pause(Duration::from_millis(1)).await;
            }
            let late = leaving.back_for();
            assert!(refused > 3, "{refused} callers gave up");
            assert!(late <= NOTICED_WITHIN, "{how:?}, seed {seed}: {late:?}");
            manifest.close().await;
        }
    }
}
