//! The cases over HTTP, against the endpoint that the harness embeds, whose rules drop, delay, repeat and answer in
//! the store's place. Nobody waits there, and the client's patience is short, so that a case takes milliseconds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, Error, Manifest, Moment, Options, RequestMeter, S3Store, SharedSettings, Store, StoreError,
    StoreErrorKind, SystemClock,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode},
};
use manifest_perf::{fault::FaultPlan, s3::embedded::EmbeddedS3};
use parking_lot::Mutex;

use super::{Case, Part, bench::Bench};
use crate::{
    faulty::Hook,
    s3_store,
    support::{HEAD, PREFIX, founded_with, object, pause, within},
};

/// What the client waits for an answer. Rules that are about slowness say much more, and others act in the time
/// between.
const CLIENT_WAITS: Duration = Duration::from_millis(200);
/// By then everything that is late has arrived.
const LATEST: Duration = Duration::from_millis(1_050);

pub(super) struct Http {
    server: EmbeddedS3,
    store: S3Store,
    exposed: Exposed,
    prefixes: AtomicU64,
    late_from: Mutex<Option<Moment>>,
}

impl Http {
    pub(super) async fn start() -> Self {
        let server = s3_store::server("");
        let store = S3Store::connect(s3_store::config(&server), Arc::new(RequestMeter::new()))
            .await
            .unwrap();
        Self {
            exposed: Exposed::over(store.clone()),
            server,
            store,
            prefixes: AtomicU64::new(0),
            late_from: Mutex::default(),
        }
    }

    fn prefix(&self) -> String {
        format!("m{}", self.prefixes.load(Ordering::Relaxed))
    }
}

fn impatient() -> Options {
    Options {
        commit_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        ..Options::default()
    }
}

impl Bench for Http {
    fn store(&self) -> &'static str {
        "HTTP"
    }

    fn patience(&self) -> Duration {
        CLIENT_WAITS
    }

    async fn found(&self, shared: SharedSettings) -> Result<(), Error> {
        // Made in memory, where probing the store takes no time.
        let (memory, founder) = founded_with(shared).await;
        founder.close().await;
        let head = object(&memory, HEAD).await;
        self.prefixes.fetch_add(1, Ordering::Relaxed);
        let key = HEAD.replacen(PREFIX, &self.prefix(), 1);
        self.store.put(&key, head, PutMode::Create).await.unwrap();
        Ok(())
    }

    async fn open(&self, _: u64) -> Result<Manifest, Error> {
        Manifest::open(Arc::new(self.store.clone()), &self.prefix(), impatient()).await
    }

    async fn open_exposed(&self, _: u64) -> Result<Manifest, Error> {
        Manifest::open(Arc::new(self.exposed.clone()), &self.prefix(), impatient()).await
    }

    fn arm(&self, case: &Case, between: Hook) {
        let hit = if case.part == Part::Commit {
            "/HEAD"
        } else {
            "/log/"
        };
        *self.exposed.between.lock() = Some((hit, between));
        let glob = if case.part == Part::Commit {
            "key=*/HEAD"
        } else {
            "key=*/log/*"
        };
        let plan: FaultPlan = case.rules.replace("HIT", glob).parse().unwrap();
        let before = case.rules.contains("late=") || case.rules.contains("before nth=1 delay=");
        // Nothing depends on when a log object comes that is not named.
        *self.late_from.lock() = (before && case.part == Part::Commit).then(|| SystemClock.now());
        self.server.set_faults(plan, 1);
    }

    fn heal(&self) {
        self.server.set_faults(FaultPlan::default(), 1);
    }

    async fn late_arrives(&self) {
        let from = *self.late_from.lock();
        if let Some(from) = from {
            pause((from + LATEST).saturating_sub(SystemClock.now())).await;
        }
    }

    async fn log_objects(&self) -> usize {
        let prefix = format!("{}/", self.prefix());
        let page = self.store.list(&prefix, None).await.unwrap();
        page.objects
            .iter()
            .filter(|object| object.key.contains("/log/"))
            .count()
    }
}

/// A client that gives up soon, and lets others act before it passes the first answer on.
#[derive(Clone)]
struct Exposed {
    inner: S3Store,
    between: Arc<Mutex<Option<(&'static str, Hook)>>>,
}

impl Exposed {
    fn over(inner: S3Store) -> Self {
        Self {
            inner,
            between: Arc::default(),
        }
    }

    async fn put_and_let_others_act(
        &self,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<ETag, StoreError> {
        let put = self.inner.put(key, body, mode);
        let answer = within(CLIENT_WAITS, put).await.unwrap_or_else(|| {
            let gave_up = "the client gave up";
            Err(StoreError::new(StoreErrorKind::Timeout, "PUT", key, gave_up))
        });
        let others = self.between.lock().take_if(|(hit, _)| key.contains(*hit));
        if let Some((_, act)) = others {
            act().await;
        }
        answer
    }
}

impl std::fmt::Debug for Exposed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposed").finish_non_exhaustive()
    }
}

impl Store for Exposed {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        self.inner.get(key, options)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.put_and_let_others_act(key, body, mode))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.delete(keys)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        self.inner.list(prefix, after)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }
}
