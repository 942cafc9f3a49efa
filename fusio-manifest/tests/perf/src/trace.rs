//! Every request to a store, one by one: what it asked for, what went over the wire, and when. And the round trips that
//! a caller waited for, counted rather than guessed from times.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::{
    Clock, Moment, RequestClass, StoreError,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode, Store},
};
use parking_lot::Mutex;
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// How long a round stays open when all that it sent is answered: requests that go out together are sent by tasks, and
/// each has to be run first.
const GRACE: Duration = Duration::from_millis(10);

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedRequest {
    /// Its class.
    pub class: RequestClass,
    /// Its key; of a listing the prefix, of a deletion the first key.
    pub key: String,
    /// The part of the object that it asked for.
    pub range: Option<Range<u64>>,
    /// What a PUT sent, or a GET received.
    pub bytes: u64,
    /// The round in which it was sent, from 1 on; 0 if rounds are not counted.
    pub round: u64,
    /// When it was sent.
    pub sent: Moment,
    /// When its answer came; none if it never did.
    pub answered: Option<Moment>,
}

/// What was sent, in its order.
#[derive(Debug, Default)]
pub struct Trace {
    kept: Mutex<Kept>,
    paused: AtomicBool,
}

#[derive(Debug, Default)]
struct Kept {
    /// How many were taken away.
    taken: usize,
    requests: Vec<TracedRequest>,
}

impl Trace {
    /// The requests since the last call. Of one that is still under way the answer is not told any more.
    pub fn take(&self) -> Vec<TracedRequest> {
        let mut kept = self.kept.lock();
        kept.taken += kept.requests.len();
        std::mem::take(&mut kept.requests)
    }

    /// True if one of them since the last [`take`](Self::take) is such a one.
    pub fn any(&self, is_one: impl FnMut(&TracedRequest) -> bool) -> bool {
        self.kept.lock().requests.iter().any(is_one)
    }

    /// Whether requests from now on are kept: memory grows with them.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    fn begin(&self, request: TracedRequest) -> usize {
        if self.paused.load(Ordering::SeqCst) {
            return usize::MAX;
        }
        let mut kept = self.kept.lock();
        kept.requests.push(request);
        kept.taken + kept.requests.len() - 1
    }

    fn end(&self, place: usize, at: Moment, received: u64) {
        let mut kept = self.kept.lock();
        let index = place.checked_sub(kept.taken);
        if let Some(request) = index.and_then(|index| kept.requests.get_mut(index)) {
            request.answered = Some(at);
            request.bytes += received;
        }
    }
}

/// The most requests that were under way at one moment. One that is sent when another is answered waits for it.
pub fn peak_in_flight(requests: &[TracedRequest]) -> usize {
    let mut moments: Vec<(Moment, i64)> = Vec::with_capacity(requests.len() * 2);
    for request in requests {
        moments.push((request.sent, 1));
        moments.extend(request.answered.map(|at| (at, -1)));
    }
    // Of equal moments the answers come first.
    moments.sort_unstable();
    let (mut open, mut peak) = (0_i64, 0_i64);
    for (_, change) in moments {
        open += change;
        peak = peak.max(open);
    }
    usize::try_from(peak).unwrap_or_default()
}

/// A store whose requests are written down.
pub struct TracedStore {
    inner: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    trace: Arc<Trace>,
    rounds: Option<Rounds>,
}

impl TracedStore {
    /// Over `inner`, by this clock.
    pub fn new(inner: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            clock,
            trace: Arc::default(),
            rounds: None,
        }
    }

    /// Lets answers through in rounds: none before everything that is under way is answered. So what follows from an
    /// answer is in a later round, whatever the latencies were; and the rounds of an operation are the round trips that
    /// it takes one after the other.
    #[must_use]
    pub fn in_rounds(mut self) -> Self {
        self.rounds = Some(Rounds::new());
        self
    }

    /// What it sends, from now on.
    pub fn trace(&self) -> Arc<Trace> {
        Arc::clone(&self.trace)
    }

    async fn traced<T>(
        &self,
        request: TracedRequest,
        send: impl Future<Output = Result<T, StoreError>>,
        received: impl FnOnce(&T) -> u64,
    ) -> Result<T, StoreError> {
        let member = self.rounds.as_ref().map(Rounds::enter);
        let round = member.as_ref().map_or(0, |member| member.round);
        let sent = self.clock.now();
        let place = self.trace.begin(TracedRequest {
            round,
            sent,
            ..request
        });
        let answer = send.await;
        let received = answer.as_ref().map_or(0, received);
        self.trace.end(place, self.clock.now(), received);
        if let Some(member) = member {
            member.leave(&*self.clock).await;
        }
        answer
    }
}

fn request(class: RequestClass, key: &str) -> TracedRequest {
    TracedRequest {
        class,
        key: key.to_owned(),
        range: None,
        bytes: 0,
        round: 0,
        sent: Moment::ZERO,
        answered: None,
    }
}

impl Store for TracedStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        let class = match options.if_none_match {
            Some(_) => RequestClass::ConditionalGet,
            None => RequestClass::Get,
        };
        let request = TracedRequest {
            range: options.range.clone(),
            ..request(class, key)
        };
        let received = |answer: &GetAnswer| match answer {
            GetAnswer::Found { bytes, .. } => bytes.len() as u64,
            GetAnswer::NotModified => 0,
        };
        Box::pin(self.traced(request, self.inner.get(key, options), received))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        let class = match mode {
            PutMode::Overwrite => RequestClass::Put,
            PutMode::Create | PutMode::Update(_) => RequestClass::ConditionalPut,
        };
        let request = TracedRequest {
            bytes: body.len() as u64,
            ..request(class, key)
        };
        Box::pin(self.traced(request, self.inner.put(key, body, mode), |_| 0))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        let first = keys.first().map_or("", String::as_str);
        let request = request(RequestClass::Delete, first);
        Box::pin(self.traced(request, self.inner.delete(keys), |()| 0))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        let request = request(RequestClass::List, prefix);
        Box::pin(self.traced(request, self.inner.list(prefix, after), |_| 0))
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }

    fn warning(&self) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        self.inner.warning()
    }
}

impl fmt::Debug for TracedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedStore")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// Which round it is, and how many of its requests wait for the store.
struct Rounds {
    open: Arc<AtomicU64>,
    round: watch::Sender<u64>,
}

/// One request of a round.
struct Member {
    round: u64,
    open: Option<Open>,
    rounds: watch::Sender<u64>,
}

/// It waits for the store; also over when its caller goes away.
struct Open(Arc<AtomicU64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Rounds {
    fn new() -> Self {
        Self {
            open: Arc::default(),
            round: watch::Sender::new(1),
        }
    }

    fn enter(&self) -> Member {
        self.open.fetch_add(1, Ordering::SeqCst);
        Member {
            round: *self.round.borrow(),
            open: Some(Open(Arc::clone(&self.open))),
            rounds: self.round.clone(),
        }
    }
}

impl Member {
    /// Waits for the end of its round.
    async fn leave(mut self, clock: &dyn Clock) {
        let Some(open) = self.open.take() else { return };
        let counter = Arc::clone(&open.0);
        drop(open);
        let mut rounds = self.rounds.subscribe();
        // Whoever is the last ends the round; one whose caller goes away ends nothing, so each looks again.
        while *rounds.borrow_and_update() <= self.round {
            tokio::select! {
                biased;
                changed = rounds.changed() => if changed.is_err() { return },
                () = clock.sleep(GRACE) => {
                    if counter.load(Ordering::SeqCst) == 0 {
                        self.rounds.send_if_modified(|round| {
                            let ends = *round == self.round;
                            *round += u64::from(ends);
                            ends
                        });
                    }
                }
            }
        }
    }
}
