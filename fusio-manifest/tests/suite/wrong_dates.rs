//! A store one of whose answers has a wrong Date: nothing is dropped or deleted by it, and nothing stops for it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Freshness, Manifest, MemoryStore, Store, StoreError,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode},
};
use parking_lot::Mutex;

use crate::{
    collect::{RETENTION, keys, named, orphans},
    support::{PREFIX, options, pause, put, settle},
};

const TEN_YEARS_MS: i64 = 10 * 365 * 24 * 3_600_000;

#[derive(Debug, Default)]
struct Answers {
    count: u64,
    /// These are wrong, by so many milliseconds.
    wrong: Vec<(u64, i64)>,
    date: Option<u64>,
}

/// A store in memory that tells the Date of its newest answer, which a script makes wrong. Clones share the script.
#[derive(Clone)]
struct DatedStore {
    inner: MemoryStore,
    answers: Arc<Mutex<Answers>>,
}

impl DatedStore {
    fn new() -> Self {
        Self {
            inner: MemoryStore::new(),
            answers: Arc::default(),
        }
    }

    /// From now on the `at`-th answer is the only wrong one.
    fn goes_wrong(&self, at: u64, by: i64) {
        let mut answers = self.answers.lock();
        answers.count = 0;
        answers.wrong = vec![(at, by)];
    }

    /// From now on all are wrong, or none.
    fn all(&self, by: Option<i64>) {
        let mut answers = self.answers.lock();
        answers.count = 0;
        answers.wrong = by
            .map(|by| (1..1_000).map(|at| (at, by)).collect())
            .unwrap_or_default();
    }

    fn happened(&self) -> bool {
        let answers = self.answers.lock();
        answers.wrong.iter().any(|(at, _)| *at <= answers.count)
    }

    fn answer<T>(&self, answer: T) -> T {
        let mut answers = self.answers.lock();
        answers.count += 1;
        let wrong = answers.wrong.iter().find(|(at, _)| *at == answers.count);
        let by = wrong.map_or(0, |(_, by)| *by);
        answers.date = self
            .inner
            .date()
            .map(|date| date.saturating_add_signed(by) / 1_000 * 1_000);
        answer
    }
}

impl Store for DatedStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(async move { self.answer(self.inner.get(key, options).await) })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move { self.answer(self.inner.put(key, body, mode).await) })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.answer(self.inner.delete(keys).await) })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        Box::pin(async move { self.answer(self.inner.list(prefix, after).await) })
    }

    fn describe(&self) -> String {
        "dated memory".to_owned()
    }

    fn date(&self) -> Option<u64> {
        self.answers.lock().date
    }
}

impl fmt::Debug for DatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatedStore").finish_non_exhaustive()
    }
}

async fn founded() -> (DatedStore, Manifest) {
    let store = DatedStore::new();
    let (manifest, _) = Manifest::create(Arc::new(store.clone()), PREFIX, options(1))
        .await
        .unwrap();
    (store, manifest)
}

/// Commits and maintains for ten minutes: nothing is due in that time.
async fn ten_minutes(manifest: &Manifest) {
    for number in 0..10 {
        pause(Duration::from_secs(60)).await;
        put(manifest, "k", &number.to_string()).await.unwrap();
        settle().await;
        manifest.maintain().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn one_wrong_date_drops_no_pin_and_deletes_nothing() {
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    for by in [TEN_YEARS_MS, -TEN_YEARS_MS, 2 * 3_600_000] {
        let mut at = 1;
        loop {
            let (store, manifest) = founded().await;
            orphans(&store.inner, &manifest, 1, 8).await;
            pause(Duration::from_secs(2)).await;
            store.goes_wrong(at, by);
            let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
            let pin = manifest.pin("p", &snapshot, Some(DAY)).await.unwrap();
            let right = store.inner.date().unwrap() + 24 * 3_600_000;
            let expires = pin.expires_unix_ms.unwrap();
            assert!(
                expires.abs_diff(right) < 10_000,
                "{by} at {at}: {expires}, {right}"
            );
            ten_minutes(&manifest).await;
            let happened = store.happened();
            ten_minutes(&manifest).await;
            assert_eq!(manifest.pins().await.unwrap(), [pin], "{by} at {at}");
            let left = keys(&store.inner).await.len();
            assert!(left >= named(&manifest) + 8, "{by} at {at}: {left} objects");
            manifest.close().await;
            if !happened {
                break;
            }
            at += 1;
        }
        assert!(at > 10, "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_wrong_date_collections_go_on_and_pins_expire() {
    for by in [TEN_YEARS_MS, -TEN_YEARS_MS] {
        for at in 1..30 {
            let (store, manifest) = founded().await;
            orphans(&store.inner, &manifest, 1, 8).await;
            pause(Duration::from_secs(2)).await;
            let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
            let minute = Duration::from_secs(60);
            manifest.pin("p", &snapshot, Some(minute)).await.unwrap();
            store.goes_wrong(at, by);
            for _ in 0..4 {
                pause(RETENTION).await;
                ten_minutes(&manifest).await;
            }
            assert!(store.happened(), "{by} at {at}");
            assert_eq!(manifest.pins().await.unwrap(), [], "{by} at {at}");
            let (left, named) = (keys(&store.inner).await, named(&manifest));
            assert!(left.len() <= named + 1, "{by} at {at}: {left:?}, {named} belong");
            manifest.close().await;
        }
    }
}

/// HEAD says that the last collection will have begun in ten years.
#[tokio::test(start_paused = true)]
async fn a_manifest_that_was_made_in_the_far_future_is_collected() {
    let store = DatedStore::new();
    store.all(Some(TEN_YEARS_MS));
    let (founder, _) = Manifest::create(Arc::new(store.clone()), PREFIX, options(1))
        .await
        .unwrap();
    put(&founder, "k", "v").await.unwrap();
    founder.close().await;
    store.all(None);
    let manifest = Manifest::open(Arc::new(store.clone()), PREFIX, options(2))
        .await
        .unwrap();
    orphans(&store.inner, &manifest, 1, 8).await;
    for _ in 0..3 {
        pause(RETENTION).await;
        ten_minutes(&manifest).await;
    }
    let (left, named) = (keys(&store.inner).await, named(&manifest));
    assert!(left.len() <= named + 1, "{left:?}, {named} belong");
    manifest.close().await;
}

/// It raises the epoch by it, and the next one that comes does so again.
#[tokio::test(start_paused = true)]
async fn a_visitor_whose_only_date_is_wrong_drops_no_pin() {
    let (store, founder) = founded().await;
    pause(Duration::from_secs(2)).await;
    let snapshot = founder.snapshot(Freshness::Latest).await.unwrap();
    let day = Duration::from_secs(24 * 3_600);
    let pin = founder.pin("p", &snapshot, Some(day)).await.unwrap();
    let epoch = founder.info().unwrap().epoch;
    store.goes_wrong(1, TEN_YEARS_MS);
    let visitor = Manifest::open(Arc::new(store.clone()), PREFIX, options(2))
        .await
        .unwrap();
    put(&visitor, "k", "v").await.unwrap();
    visitor.close().await;
    assert_eq!(founder.pins().await.unwrap(), [pin]);
    assert_eq!(founder.info().unwrap().epoch, epoch + 1);
    ten_minutes(&founder).await;
    assert_eq!(founder.info().unwrap().epoch, epoch + 2);
    founder.close().await;
}
