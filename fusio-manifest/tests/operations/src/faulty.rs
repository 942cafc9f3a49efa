//! A store in memory whose next requests go wrong.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, MemoryStore, Store, StoreError, StoreErrorKind, TokioClock,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode},
};
use parking_lot::Mutex;

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not applied, and not answered.
    LostRequest,
    /// Applied, and not answered.
    LostReply,
    /// Not applied, and answered with a status.
    Refused(u16),
    /// Applied, and answered with a status.
    AppliedAnd(u16),
    /// (PUT) Not answered, and applied if its condition still holds when the world says so.
    Late,
    /// (PUT) Sent twice; the second one is answered.
    Twice,
    /// It takes so many milliseconds longer.
    Slow(u64),
}

/// How many requests of a lane may go wrong in a row: one fewer than names are drawn for an object whose every PUT is sent
/// twice. Then the engine is told that it is refused, and says so.
const ARMED_MAX: usize = 15;

/// Which requests one fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    PutHead,
    GetHead,
    PutObject,
    GetObject,
    ListOrDelete,
}

/// A PUT that is under way, though nobody waits for it.
#[derive(Debug)]
pub(crate) struct LatePut {
    key: String,
    body: Bytes,
    mode: PutMode,
}

/// PUTs under way, of all handles.
pub(crate) type Late = Arc<Mutex<VecDeque<LatePut>>>;

#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    clock: TokioClock,
    latency: Duration,
    script: Arc<Mutex<Vec<(Lane, Fault)>>>,
    late: Late,
    fired: Arc<AtomicU64>,
}

impl FaultyStore {
    pub(crate) fn over(inner: MemoryStore, latency: Duration, late: Late) -> Self {
        Self {
            inner,
            clock: TokioClock::new(),
            latency,
            script: Arc::default(),
            late,
            fired: Arc::default(),
        }
    }

    /// The next request of this lane that no fault waits for goes wrong, if there are few such requests.
    pub(crate) fn arm(&self, lane: Lane, fault: Fault) {
        let mut script = self.script.lock();
        if script.iter().filter(|(armed, _)| *armed == lane).count() < ARMED_MAX {
            script.push((lane, fault));
        }
    }

    pub(crate) fn disarm(&self) {
        self.script.lock().clear();
    }

    /// How many faults took effect so far.
    pub(crate) fn fired(&self) -> u64 {
        self.fired.load(Ordering::Relaxed)
    }

    fn next(&self, lane: Lane) -> Option<Fault> {
        let mut script = self.script.lock();
        let place = script.iter().position(|(armed, _)| *armed == lane)?;
        self.fired.fetch_add(1, Ordering::Relaxed);
        Some(script.remove(place).1)
    }

    async fn pause(&self, fault: Option<Fault>) {
        let longer = match fault {
            Some(Fault::Slow(ms)) => Duration::from_millis(ms),
            _ => Duration::ZERO,
        };
        let span = self.latency + longer;
        if !span.is_zero() {
            self.clock.sleep(span).await;
        }
    }

    /// A request that changes nothing if it is not answered.
    async fn ask<T>(
        &self,
        lane: Lane,
        operation: &'static str,
        key: &str,
        apply: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let fault = self.next(lane);
        self.pause(fault).await;
        match fault {
            None | Some(Fault::Twice | Fault::Slow(_)) => apply.await,
            Some(Fault::Refused(code)) => Err(status(operation, key, code)),
            Some(Fault::AppliedAnd(code)) => {
                apply.await?;
                Err(status(operation, key, code))
            }
            Some(Fault::LostReply) => {
                apply.await?;
                Err(unanswered(operation, key))
            }
            Some(Fault::LostRequest | Fault::Late) => Err(unanswered(operation, key)),
        }
    }

    async fn put_now(&self, key: &str, body: Bytes, mode: PutMode) -> Result<ETag, StoreError> {
        let lane = match key.ends_with("/HEAD") {
            true => Lane::PutHead,
            false => Lane::PutObject,
        };
        let fault = self.next(lane);
        self.pause(fault).await;
        let apply = || self.inner.put(key, body.clone(), mode.clone());
        match fault {
            None | Some(Fault::Slow(_)) => apply().await,
            Some(Fault::Twice) => {
                let _first = apply().await;
                apply().await
            }
            Some(Fault::LostRequest) => Err(unanswered("PUT", key)),
            Some(Fault::LostReply) => {
                apply().await?;
                Err(unanswered("PUT", key))
            }
            Some(Fault::Refused(code)) => Err(status("PUT", key, code)),
            Some(Fault::AppliedAnd(code)) => {
                apply().await?;
                Err(status("PUT", key, code))
            }
            Some(Fault::Late) => {
                self.late.lock().push_back(LatePut {
                    key: key.to_owned(),
                    body,
                    mode,
                });
                Err(unanswered("PUT", key))
            }
        }
    }
}

/// The oldest PUT that is under way arrives.
pub(crate) async fn deliver(late: &Late, store: &MemoryStore) -> bool {
    let put = late.lock().pop_front();
    let Some(put) = put else { return false };
    // If its condition holds no longer it never lands.
    let _answer = store.put(&put.key, put.body, put.mode).await;
    true
}

fn unanswered(operation: &'static str, key: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Timeout, operation, key, "scripted")
}

fn status(operation: &'static str, key: &str, code: u16) -> StoreError {
    StoreError::new(StoreError::kind_of_status(code), operation, key, "scripted").with_status(code)
}

impl Store for FaultyStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        let lane = match key.ends_with("/HEAD") {
            true => Lane::GetHead,
            false => Lane::GetObject,
        };
        Box::pin(async move { self.ask(lane, "GET", key, self.inner.get(key, options)).await })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.put_now(key, body, mode))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        let key = keys.first().map_or("", String::as_str);
        Box::pin(async move {
            self.ask(Lane::ListOrDelete, "DELETE", key, self.inner.delete(keys))
                .await
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        Box::pin(async move {
            self.ask(Lane::ListOrDelete, "LIST", prefix, self.inner.list(prefix, after))
                .await
        })
    }

    fn describe(&self) -> String {
        "faulty memory".to_owned()
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }
}
