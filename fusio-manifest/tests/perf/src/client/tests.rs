use fusio_manifest::{CommitOutcome, CommitToken, TokioClock};
use tokio::sync::Semaphore;

use super::*;
use crate::{
    history::{ClientId, Read, State},
    metrics::Role,
    target::{
        Ask, CommitAnswer, CommitReport, Inventory, ReadReport, Refusal, Stage, TargetHandle, TargetSnapshot,
    },
};

/// A client whose operations end when they are let go.
struct Held {
    kind: ClientType,
    gate: Semaphore,
    running: AtomicU64,
    running_max: AtomicU64,
    ended: AtomicU64,
    dropped: AtomicU64,
    waiting_max: AtomicU64,
}

impl Held {
    fn new(kind: ClientType) -> Arc<Self> {
        Arc::new(Self {
            kind,
            gate: Semaphore::new(0),
            running: AtomicU64::new(0),
            running_max: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            waiting_max: AtomicU64::new(0),
        })
    }
}

impl Client for Held {
    fn kind(&self) -> ClientType {
        self.kind
    }

    fn operate(&self, _: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.running_max.fetch_max(running, Ordering::SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.running.fetch_sub(1, Ordering::SeqCst);
            self.ended.fetch_add(1, Ordering::SeqCst);
        })
    }

    fn dropped(&self, _: Moment) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }

    fn load(&self, _: u64, waiting: u64) {
        self.waiting_max.fetch_max(waiting, Ordering::SeqCst);
    }
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn driver(client: &Arc<Held>, open_max: u64) -> Arc<Driver> {
    Driver::new(
        Arc::clone(client) as Arc<dyn Client>,
        Arc::new(TokioClock::new()),
        open_max,
    )
}

#[tokio::test(start_paused = true)]
async fn arrivals_are_issued_while_earlier_ones_are_open_and_counted_when_there_are_too_many() {
    let client = Held::new(ClientType::Reader);
    let driver = driver(&client, 3);
    (0..5).for_each(|_| driver.arrive(Duration::ZERO));
    settle().await;
    assert_eq!(client.running_max.load(Ordering::SeqCst), 3);
    assert_eq!(client.dropped.load(Ordering::SeqCst), 2);
    client.gate.add_permits(3);
    settle().await;
    assert_eq!((driver.open(), client.ended.load(Ordering::SeqCst)), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_serial_client_does_one_at_a_time_and_none_is_lost() {
    let client = Held::new(ClientType::MonotonicWriter);
    let driver = driver(&client, 100);
    (0..5).for_each(|_| driver.arrive(Duration::ZERO));
    client.gate.add_permits(5);
    settle().await;
    assert_eq!(client.running_max.load(Ordering::SeqCst), 1);
    assert_eq!(client.ended.load(Ordering::SeqCst), 5);
    assert_eq!(client.waiting_max.load(Ordering::SeqCst), 4);
}

/// A manifest whose first commit takes a second, and every other one 10 ms.
struct Stalling {
    clock: TokioClock,
    commits: AtomicU64,
}

impl TargetHandle for Stalling {
    fn put(&self, _: Bytes, _: Bytes) -> BoxFuture<'_, CommitReport> {
        Box::pin(async {
            let txn = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
            self.clock
                .sleep(Duration::from_millis(if txn == 1 { 1_000 } else { 10 }))
                .await;
            let answer = CommitAnswer::Committed { txn };
            CommitReport {
                attempts: Vec::new(),
                snapshot: Some(txn - 1),
                read: None,
                answer,
                token: None,
            }
        })
    }

    fn rewrite(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport> {
        self.put(key, value)
    }

    fn update(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport> {
        self.put(key, value)
    }

    fn transact<'a>(&'a self, _: Vec<Ask>, stage: Stage<'a>) -> BoxFuture<'a, (CommitReport, Vec<Read>)> {
        stage(&[]);
        Box::pin(async { (self.put(Bytes::new(), Bytes::new()).await, Vec::new()) })
    }

    fn view(&self, _: Vec<Ask>) -> BoxFuture<'_, Result<(u64, Vec<Read>), String>> {
        Box::pin(async { Ok((0, Vec::new())) })
    }

    fn read(&self, _: Bytes) -> BoxFuture<'_, Result<ReadReport, String>> {
        Box::pin(async {
            Ok(ReadReport {
                snapshot: 0,
                value: None,
            })
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Arc<dyn TargetSnapshot>, Refusal>> {
        Box::pin(async { Err(Refusal::Failed("it holds no state".to_owned())) })
    }

    fn open_pin(&self, name: String) -> BoxFuture<'_, Result<Arc<dyn TargetSnapshot>, Refusal>> {
        Box::pin(async { Err(Refusal::NoPin(name)) })
    }

    fn release_pin(&self, name: String) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async { Err(Refusal::NoPin(name)) })
    }

    fn inventory(&self) -> BoxFuture<'_, Result<Inventory, String>> {
        Box::pin(async { Ok(Inventory::default()) })
    }

    fn contents(&self) -> BoxFuture<'_, Result<State, String>> {
        Box::pin(async { Ok(State::default()) })
    }

    fn head_revision(&self) -> u64 {
        0
    }

    fn outcome<'a>(&'a self, _: &'a CommitToken) -> BoxFuture<'a, Result<CommitOutcome, String>> {
        Box::pin(async { Ok(CommitOutcome::StillUnknown) })
    }

    fn maintain(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn head_bytes(&self) -> usize {
        0
    }

    fn maintenance(&self) -> crate::requests::RequestCounts {
        crate::requests::RequestCounts::default()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_stall_counts_the_wait() {
    let clock = TokioClock::new();
    let shared = Arc::new(Shared::new(Arc::new(clock)));
    let handle = Arc::new(Stalling {
        clock,
        commits: AtomicU64::new(0),
    });
    let window = Duration::from_secs(10);
    let own = Own::new(ClientId(1), Role::Writer, window, 1, handle, Arc::clone(&shared));
    let writer = Arc::new(MonotonicWriter::new(Arc::clone(&own)));
    let driver = Driver::new(writer, Arc::new(clock), 100);
    let t0 = clock.now() + Duration::from_nanos(1);
    shared.epoch.begin(t0);
    // Twenty commits due every 50 ms; the first stalls for a second.
    for number in 0..20 {
        driver.arrive(t0 + Duration::from_millis(50) * number);
        clock.sleep(Duration::from_millis(50)).await;
    }
    clock.sleep(Duration::from_secs(2)).await;
    let metrics = own.metrics();
    let times = &metrics.writer.acknowledged;
    assert_eq!(times.count(), 20);
    let (response, service) = (
        times.response.quantile_ms(0.5).unwrap(),
        times.service.quantile_ms(0.5).unwrap(),
    );
    assert!(service < 15.0, "{service}");
    assert!(response > 400.0, "{response}");
    assert!(
        metrics.writer.arrival.backlog_max >= 15,
        "{}",
        metrics.writer.arrival.backlog_max
    );
}

#[test]
fn values_are_unique_and_of_one_length() {
    let shared = Shared::new(Arc::new(fusio_manifest::SystemClock));
    let (a, b) = (shared.unique_value(), shared.unique_value());
    assert_ne!(a, b);
    assert_eq!((a.len(), b.len()), (VALUE_BYTES, VALUE_BYTES));
}
