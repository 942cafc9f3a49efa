//! A store whose n-th request goes wrong, whichever it is; and processes that die there.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Entropy as _, MemoryStore, SeededEntropy, Store, StoreError, StoreErrorKind,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode},
};

use crate::support::pause;

/// What happens to the request of that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accident {
    /// The process is gone before it is applied.
    DiesBefore,
    /// The process is gone after it was applied.
    DiesAfter,
    /// It is applied, and no answer comes.
    LosesReply,
    /// It is not applied and answered with this status.
    Refuses(u16),
    /// It is applied and answered with this status.
    RefusesAfter(u16),
    /// It is applied, and the answer is no store's.
    IsNotBelieved,
    /// It is not applied, no answer comes, and no PUT after it is allowed.
    LosesRights,
}

struct Plan {
    inner: MemoryStore,
    seen: AtomicU64,
    at: u64,
    accident: Accident,
    dead: AtomicBool,
    /// Of each request; none: 10 ms, else a few, as the seed has it.
    seed: Option<u64>,
    dated: bool,
}

/// A store that passes everything on but one request.
#[derive(Clone)]
pub(crate) struct NumberedStore(Arc<Plan>);

impl NumberedStore {
    /// Requests are counted from 1.
    pub(crate) fn over(inner: MemoryStore, at: u64, accident: Accident) -> Self {
        Self::planned(inner, at, accident, true, None)
    }

    /// One that does not tell its Date.
    pub(crate) fn undated(inner: MemoryStore) -> Self {
        Self::planned(inner, u64::MAX, Accident::DiesBefore, false, None)
    }

    /// One without an accident, whose requests take now more, now less time.
    pub(crate) fn uneven(inner: MemoryStore, seed: u64) -> Self {
        Self::planned(inner, u64::MAX, Accident::DiesBefore, true, Some(seed))
    }

    fn planned(inner: MemoryStore, at: u64, accident: Accident, dated: bool, seed: Option<u64>) -> Self {
        Self(Arc::new(Plan {
            inner,
            seen: AtomicU64::new(0),
            at,
            accident,
            dead: AtomicBool::new(false),
            seed,
            dated,
        }))
    }

    /// How many requests have come.
    pub(crate) fn seen(&self) -> u64 {
        self.0.seen.load(Ordering::SeqCst)
    }

    /// True if the request of that number has come.
    pub(crate) fn happened(&self) -> bool {
        self.seen() >= self.0.at
    }

    async fn meet<T>(
        &self,
        operation: &'static str,
        key: &str,
        apply: impl AsyncFnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let plan = &self.0;
        if plan.dead.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let number = plan.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let here = number == plan.at;
        let uneven = |seed: u64| SeededEntropy::new(seed ^ (number << 20)).unit().unwrap() * 60.0;
        pause(Duration::from_secs_f64(plan.seed.map_or(10.0, uneven) / 1_000.0)).await;
        let failed = |kind| StoreError::new(kind, operation, key, "an accident");
        let status = |code| failed(StoreError::kind_of_status(code)).with_status(code);
        if plan.accident == Accident::LosesRights && number > plan.at && operation == "PUT" {
            return Err(status(403));
        }
        if !here {
            return apply().await;
        }
        match plan.accident {
            Accident::DiesBefore => {
                plan.dead.store(true, Ordering::SeqCst);
                std::future::pending().await
            }
            Accident::DiesAfter => {
                let _ = apply().await;
                plan.dead.store(true, Ordering::SeqCst);
                std::future::pending().await
            }
            Accident::LosesReply => apply().await.and_then(|_| Err(failed(StoreErrorKind::Timeout))),
            Accident::Refuses(code) => Err(status(code)),
            Accident::RefusesAfter(code) => apply().await.and_then(|_| Err(status(code))),
            Accident::IsNotBelieved => apply()
                .await
                .and_then(|_| Err(failed(StoreErrorKind::Unexpected))),
            Accident::LosesRights => Err(failed(StoreErrorKind::Timeout)),
        }
    }
}

impl Store for NumberedStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(self.meet("GET", key, async move || self.0.inner.get(key, options).await))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.meet("PUT", key, async move || self.0.inner.put(key, body, mode).await))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        let first = keys.first().map_or("", String::as_str);
        Box::pin(self.meet("DELETE", first, async move || self.0.inner.delete(keys).await))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        Box::pin(self.meet("LIST", prefix, async move || {
            self.0.inner.list(prefix, after).await
        }))
    }

    fn describe(&self) -> String {
        "memory with an accident".to_owned()
    }

    fn date(&self) -> Option<u64> {
        self.0.inner.date().filter(|_| self.0.dated)
    }
}

impl fmt::Debug for NumberedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NumberedStore")
            .field("at", &self.0.at)
            .field("accident", &self.0.accident)
            .finish_non_exhaustive()
    }
}
