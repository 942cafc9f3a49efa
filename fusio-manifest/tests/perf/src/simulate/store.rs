//! A bucket in virtual time: objects in memory, behind the delays and the faults of the embedded endpoint, with the
//! answers that the engine's store on S3 would give of it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Clock, MemoryStore, Moment, RequestClass as Billed, RequestMeter, StoreError, StoreErrorKind,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode, Store},
};

use super::operation::{Delete, Get, GetVersioning, List, Operation, Put};
use crate::{
    fault::{FaultPlan, FaultRequest, FaultStatus, FiredFaults},
    injection::{Cut, Injection, Passage, Tampering},
    latency::LatencyProfile,
};

/// No request takes less. One that took no time would let a loop over a store without latency go on for ever
/// within one moment; a real one costs more than this on loopback.
const SHORTEST: Duration = Duration::from_micros(100);

/// How long the store on S3 waits for an answer.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);

/// The store's Date at the clock's origin, in milliseconds of Unix time: any will do.
const FIRST_DATE: u64 = 1_700_000_000_000;

/// What one deletion takes at most.
const DELETE_MAX: usize = 1_000;

/// A simulated bucket. Clones are the same bucket.
///
/// Each request is counted as it leaves, held for a draw from the profile, and **then** applied, also if its caller
/// gives up meanwhile. All of it happens on the given clock.
#[derive(Clone)]
pub struct SimulatedStore {
    bucket: Arc<Bucket>,
    meter: Arc<RequestMeter>,
}

struct Bucket {
    objects: MemoryStore,
    injection: Injection,
    clock: Arc<dyn Clock>,
    deleted: Arc<AtomicU64>,
}

impl SimulatedStore {
    /// An empty bucket with a meter of its own.
    pub fn new(latency: LatencyProfile, faults: FaultPlan, seed: u64, clock: Arc<dyn Clock>) -> Self {
        let bucket = Bucket {
            objects: MemoryStore::new(),
            injection: Injection::new(latency, faults, seed, clock.now()),
            clock,
            deleted: Arc::default(),
        };
        Self {
            bucket: Arc::new(bucket),
            meter: Arc::default(),
        }
    }

    /// The same bucket, its requests counted by `meter`.
    #[must_use]
    pub fn with_meter(&self, meter: Arc<RequestMeter>) -> Self {
        Self {
            bucket: Arc::clone(&self.bucket),
            meter,
        }
    }

    /// How many objects were deleted: those that were there.
    pub fn objects_deleted(&self) -> u64 {
        self.bucket.deleted.load(Ordering::Relaxed)
    }

    /// Replaces the plan of faults: its windows, counts and draws begin now.
    pub fn set_faults(&self, plan: FaultPlan, seed: u64) {
        let bucket = &self.bucket;
        bucket.injection.set_faults(plan, seed, bucket.clock.now());
    }

    /// What has fired since the plan was set.
    pub fn fired_faults(&self) -> FiredFaults {
        self.bucket.injection.fired()
    }

    async fn send<O: Operation>(&self, operation: O) -> Result<O::Answer, StoreError> {
        let subject = operation.subject().to_owned();
        let error = |kind, message: &str| StoreError::new(kind, O::NAME, &subject, message);
        let billed = operation.billed();
        self.meter.count(billed);
        if matches!(billed, Billed::Put | Billed::ConditionalPut) {
            self.meter.count_bytes(billed, operation.bytes_in());
        }
        let bucket = Arc::clone(&self.bucket);
        // A task of its own: its caller may go away.
        let mut answering = tokio::spawn(async move { bucket.answer(operation).await });
        let answered = tokio::select! {
            biased;
            answered = &mut answering => answered,
            () = self.bucket.clock.sleep(ATTEMPT_MAX) => {
                return Err(error(StoreErrorKind::Timeout, "no answer in time"));
            }
        };
        match answered {
            Ok(Ok(answer)) => {
                if let (Billed::Get | Billed::ConditionalGet, Ok(answer)) = (billed, &answer) {
                    self.meter.count_bytes(billed, O::bytes_out(answer));
                }
                answer
            }
            Ok(Err(cut)) => Err(error(StoreErrorKind::Connection, &cut.to_string())),
            Err(ended) => Err(error(StoreErrorKind::Connection, &ended.to_string())),
        }
    }
}

impl Bucket {
    /// Answers a request that has arrived.
    async fn answer<O: Operation>(
        self: Arc<Self>,
        operation: O,
    ) -> Result<Result<O::Answer, StoreError>, Cut> {
        let request = FaultRequest {
            class: operation.class(),
            key: operation.key(),
        };
        let bytes_in = to_u64(operation.bytes_in());
        let mut met = self.injection.meet(&request, bytes_in, self.clock.now());
        met.drawn = met.drawn.max(SHORTEST);
        let exchange = Exchange {
            bucket: &self,
            operation: &operation,
        };
        let Some(span) = met.late() else {
            let mut delay = Duration::ZERO;
            return self.injection.pass(&met, &exchange, &mut delay).await;
        };
        self.clock.sleep(SHORTEST).await;
        let bucket = Arc::clone(&self);
        tokio::spawn(async move {
            bucket.clock.sleep(span).await;
            // Nobody is there to be answered.
            let _ = operation.apply(&bucket.objects, None).await;
        });
        Err(Cut::Close)
    }
}

/// A request, and the bucket that answers it.
struct Exchange<'a, O> {
    bucket: &'a Bucket,
    operation: &'a O,
}

impl<O: Operation> Passage for Exchange<'_, O> {
    type Answer = Result<O::Answer, StoreError>;

    fn now(&self) -> Moment {
        self.bucket.clock.now()
    }

    async fn wait_until(&self, deadline: Moment) -> Duration {
        let span = deadline.saturating_sub(self.now());
        if !span.is_zero() {
            self.bucket.clock.sleep(span).await;
        }
        span
    }

    async fn apply(&self, tampering: Option<Tampering>) -> Result<Self::Answer, Cut> {
        Ok(self.operation.apply(&self.bucket.objects, tampering).await)
    }

    fn bytes_back(&self, answer: &Self::Answer) -> u64 {
        answer.as_ref().map_or(0, |answer| to_u64(O::bytes_out(answer)))
    }

    fn injected(&self, status: FaultStatus) -> Result<Self::Answer, Cut> {
        let (code, name) = (status.code(), status.name());
        let error = StoreError::new(
            StoreError::kind_of_status(code),
            O::NAME,
            self.operation.subject(),
            format!("HTTP {code} {name}: injected fault"),
        );
        Ok(Err(error.with_status(code)))
    }
}

impl Store for SimulatedStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        if let Some(range) = options.range.as_ref().filter(|range| range.is_empty()) {
            // No header can say it, so the store on S3 does not send it.
            let message = format!("the range {range:?} is empty");
            let error = StoreError::new(StoreErrorKind::NotSent, "GET", key, message);
            return Box::pin(async { Err(error) });
        }
        let key = key.to_owned();
        Box::pin(self.send(Get { key, options }))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        let key = key.to_owned();
        Box::pin(self.send(Put { key, body, mode }))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            match keys {
                [] => Ok(()),
                [first, ..] if keys.len() > DELETE_MAX => {
                    let message = format!("{} keys at once, and {DELETE_MAX} are the most", keys.len());
                    Err(StoreError::new(
                        StoreErrorKind::Rejected,
                        "DELETE",
                        first,
                        message,
                    ))
                }
                _ => {
                    let (keys, deleted) = (keys.to_vec(), Arc::clone(&self.bucket.deleted));
                    self.send(Delete { keys, deleted }).await
                }
            }
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        Box::pin(self.send(List { prefix, after }))
    }

    fn describe(&self) -> String {
        "the simulated store".to_owned()
    }

    fn date(&self) -> Option<u64> {
        let passed = u64::try_from(self.bucket.clock.now().as_millis()).unwrap_or(u64::MAX);
        Some(FIRST_DATE.saturating_add(passed))
    }

    fn warning(&self) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(self.send(GetVersioning))
    }
}

impl fmt::Debug for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedStore")
            .field("objects", &self.bucket.objects)
            .finish_non_exhaustive()
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
