//! Watching: every commit once, in order, by one GET of HEAD an interval.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, ErrorKind, Manifest, Receipt, RequestClass, RequestMeter, TokioClock, Watch, WatchEvent,
    WatchFrom, WatchOptions, WatchedCommit,
};

use crate::{
    faulty::FaultyStore,
    spill::{KIB, fill, kilobyte},
    support::{
        PREFIX, cached, founded, founded_with, increment, open, open_faulty, options, pause, put, settle,
        unfolded, within,
    },
};

/// What a transaction wrote.
pub(crate) type Writes = Vec<(Bytes, Option<Bytes>)>;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What a watch has told, held to follow on each other without gap and without repetition.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) commits: Vec<WatchedCommit>,
    pub(crate) gaps: Vec<(u64, u64)>,
}

impl Told {
    /// Takes note of an event of a watch that stood at `position` before.
    pub(crate) fn take(&mut self, position: u64, event: WatchEvent) -> Result<(), String> {
        let (from, to) = match &event {
            WatchEvent::Commit(commit) => (commit.txn, commit.txn),
            WatchEvent::Gap { from, to } => (*from, *to),
        };
        if from != position || to < from {
            return Err(format!("{from} to {to} was told where {position} was to come"));
        }
        match event {
            WatchEvent::Commit(commit) => self.commits.push(commit),
            WatchEvent::Gap { from, to } => self.gaps.push((from, to)),
        }
        Ok(())
    }

    pub(crate) fn txns(&self) -> Vec<u64> {
        self.commits.iter().map(|commit| commit.txn).collect()
    }
}

/// Everything up to this commit.
pub(crate) async fn told_through(watch: &mut Watch, last: u64) -> Told {
    let mut told = Told::default();
    while watch.position() <= last {
        let position = watch.position();
        let event = watch.next().await.unwrap().unwrap();
        told.take(position, event).unwrap();
    }
    told
}

/// The next commit of a watch that has no gap.
pub(crate) async fn commit(watch: &mut Watch) -> WatchedCommit {
    match watch.next().await.unwrap().unwrap() {
        WatchEvent::Commit(commit) => commit,
        gap @ WatchEvent::Gap { .. } => panic!("{gap:?}"),
    }
}

pub(crate) fn every(interval: Duration) -> WatchOptions {
    WatchOptions { interval }
}

pub(crate) fn is_of(commit: &WatchedCommit, receipt: &Receipt) -> bool {
    (Some(commit.txn), commit.id) == (receipt.txn, receipt.id)
}

pub(crate) fn written(key: &str, value: &str) -> (Bytes, Option<Bytes>) {
    let copied = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    (copied(key), Some(copied(value)))
}

#[tokio::test(start_paused = true)]
async fn own_commits_are_told_at_once_and_cost_no_request() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut watch = manifest.watch(WatchFrom::Txn(1)).await.unwrap();
    let clock = TokioClock::new();
    for number in 0..5 {
        let receipt = put(&manifest, &format!("key {number}"), "v").await.unwrap();
        let told = commit(&mut watch).await;
        assert!(is_of(&told, &receipt), "{told:?} {receipt:?}");
        assert_eq!(told.writes, [written(&format!("key {number}"), "v")]);
    }
    let mut transaction = cached(&manifest).await;
    transaction.put("b", "").unwrap();
    transaction.delete("a").unwrap();
    transaction.commit().await.unwrap();
    let writes = commit(&mut watch).await.writes;
    assert_eq!(
        writes,
        [("a".into(), None), written("b", "")],
        "in the order of keys"
    );
    assert_eq!((clock.now(), faulty.looks()), (Duration::ZERO, 0));
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn commits_of_others_are_told_within_an_interval_and_a_look() {
    const LATENCY: Duration = Duration::from_millis(30);
    let (store, founder) = founded().await;
    let slow = FaultyStore::over(store.clone()).with_latency(LATENCY);
    let manifest = Manifest::open(Arc::new(slow), PREFIX, options(2)).await.unwrap();
    let mut watch = manifest.watch(WatchFrom::Now).await.unwrap();
    for number in 1..20 {
        let clock = TokioClock::new();
        let receipt = increment(&founder, "count").await.unwrap();
        let told = commit(&mut watch).await;
        assert!(is_of(&told, &receipt), "{number}");
        assert!(clock.now() <= SECOND + LATENCY, "{:?}", clock.now());
        pause(Duration::from_millis(number * 137)).await;
    }
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_watch_is_one_get_an_interval_and_all_are_304s() {
    for (interval, looks) in [
        (SECOND, 60),
        (Duration::from_millis(10), 6_000),
        (Duration::from_secs(45), 1),
    ] {
        let (store, founder) = founded().await;
        fill(&founder, 0..3).await.unwrap();
        let meter = Arc::new(RequestMeter::new());
        let manifest = open(&store.with_meter(Arc::clone(&meter)), options(2)).await;
        let mut watch = manifest
            .watch_with(WatchFrom::Txn(4), every(interval))
            .await
            .unwrap();
        let before = meter.counts();
        let waited = within(60 * SECOND + Duration::from_millis(1), watch.next()).await;
        assert!(waited.is_none(), "{waited:?}");
        let after = meter.counts();
        let count = |class| after.requests(class) - before.requests(class);
        assert_eq!(count(RequestClass::ConditionalGet), looks, "{interval:?}");
        assert_eq!(count(RequestClass::Get), 0);
        let bytes = after.bytes(RequestClass::ConditionalGet) - before.bytes(RequestClass::ConditionalGet);
        assert_eq!(bytes, 0, "nothing but 304s");
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_handle_learns_otherwise_puts_off_the_look() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut watch = manifest.watch(WatchFrom::Txn(1)).await.unwrap();
    let task = tokio::spawn(async move { told_through(&mut watch, 40).await.txns() });
    for number in 0..20 {
        increment(&founder, "count").await.unwrap();
        manifest.get("count").await.unwrap();
        put(&manifest, "own", &number.to_string()).await.unwrap();
        pause(SECOND * 9 / 10).await;
    }
    assert_eq!(task.await.unwrap(), (1..=40).collect::<Vec<_>>());
    assert_eq!(faulty.looks(), 20, "those of the reads");
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_while_nobody_waits_and_nothing_is_missed() {
    let (store, founder) = founded_with(unfolded()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut watch = manifest.watch(WatchFrom::Txn(1)).await.unwrap();
    fill(&founder, 0..500).await.unwrap();
    pause(Duration::from_secs(3_600)).await;
    assert_eq!((faulty.looks(), faulty.log_reads()), (0, 0));
    let told = told_through(&mut watch, 500).await;
    assert_eq!((told.txns(), told.gaps), ((1..=500).collect(), Vec::new()));
    for (number, commit) in told.commits.iter().enumerate() {
        assert_eq!(
            commit.writes,
            [written(&format!("key {number}"), &kilobyte(number))]
        );
    }
    let objects = manifest.info().unwrap().log_objects;
    assert!(objects > 5);
    assert_eq!((faulty.looks(), faulty.log_reads()), (1, objects), "each once");
    founder.close().await;
    manifest.close().await;
}

/// Commits a transaction that is too large to stand inline.
pub(crate) async fn commit_large(manifest: &Manifest, byte: u8) -> Receipt {
    let mut transaction = cached(manifest).await;
    transaction.put("large", vec![byte; 100 * KIB]).unwrap();
    transaction.put("small", vec![byte]).unwrap();
    transaction.commit().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn large_transactions_are_told_whole_and_their_objects_are_read_once() {
    let (store, founder) = founded_with(unfolded()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut watches = Vec::new();
    for _ in 0..3 {
        watches.push(manifest.watch(WatchFrom::Txn(1)).await.unwrap());
    }
    let mut receipts = Vec::new();
    for byte in 0..10 {
        let writer = if byte % 3 == 0 { &manifest } else { &founder };
        receipts.push(commit_large(writer, byte).await);
    }
    for watch in &mut watches {
        for (byte, receipt) in (0..).zip(&receipts) {
            let told = commit(watch).await;
            assert!(is_of(&told, receipt), "{byte}");
            let values: Vec<_> = told
                .writes
                .iter()
                .map(|(_, value)| value.clone().unwrap())
                .collect();
            assert_eq!(values, [vec![byte; 100 * KIB], vec![byte]]);
        }
    }
    assert_eq!(
        faulty.log_reads(),
        6,
        "those that the other handle wrote, once for all"
    );
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_the_future_waits_for_its_commit() {
    let (store, founder) = founded().await;
    let manifest = open(&store, options(2)).await;
    let mut watch = manifest.watch(WatchFrom::Txn(10)).await.unwrap();
    for number in 1..10 {
        increment(&founder, "count").await.unwrap();
        assert!(within(2 * SECOND, watch.next()).await.is_none(), "{number}");
        assert_eq!(watch.position(), 10);
    }
    let receipt = increment(&founder, "count").await.unwrap();
    assert!(is_of(&commit(&mut watch).await, &receipt));
    assert_eq!((receipt.txn, watch.position()), (Some(10), 11));
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn now_is_behind_all_that_was_acknowledged_and_before_all_that_comes() {
    let (store, founder) = founded().await;
    let manifest = open(&store, options(2)).await;
    for _ in 0..10 {
        increment(&founder, "count").await.unwrap();
        let mut watch = manifest.watch(WatchFrom::Now).await.unwrap();
        let receipt = increment(&founder, "count").await.unwrap();
        increment(&founder, "count").await.unwrap();
        assert!(is_of(&commit(&mut watch).await, &receipt));
    }
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn positions_and_intervals_out_of_range_are_refused() {
    let (_store, manifest) = founded().await;
    let refused = |error: fusio_manifest::Error| (error.kind(), error.to_string());
    let (kind, message) = refused(manifest.watch(WatchFrom::Txn(0)).await.unwrap_err());
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("numbered from 1"), "{message}");
    for interval in [Duration::from_millis(9), Duration::from_secs(86_401)] {
        let watch = manifest.watch_with(WatchFrom::Now, every(interval)).await;
        let (kind, message) = refused(watch.unwrap_err());
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(
            message.contains("interval_ms") && message.contains("86400000"),
            "{message}"
        );
    }
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn writers_of_several_handles_are_told_to_watches_of_several_handles() {
    let (store, founder) = founded().await;
    let mut watching = tokio::task::JoinSet::new();
    let mut writing = tokio::task::JoinSet::new();
    let mut handles = vec![founder];
    for number in 2..=4 {
        handles.push(open(&store, options(number)).await);
    }
    for (number, manifest) in handles.iter().enumerate() {
        let interval = every(Duration::from_millis(50 + 100 * number as u64));
        let mut watch = manifest.watch_with(WatchFrom::Txn(1), interval).await.unwrap();
        watching.spawn(async move { told_through(&mut watch, 4 * 3 * 20).await });
        for task in 0..3 {
            let manifest = manifest.clone();
            writing.spawn(async move { receipts(&manifest, &format!("{number} {task}")).await });
        }
    }
    let mut receipts: Vec<(Receipt, Writes)> = writing.join_all().await.into_iter().flatten().collect();
    receipts.sort_by_key(|(receipt, _)| receipt.txn);
    for told in watching.join_all().await {
        assert_eq!((told.commits.len(), told.gaps.len()), (receipts.len(), 0));
        for (commit, (receipt, writes)) in told.commits.iter().zip(&receipts) {
            assert!(is_of(commit, receipt));
            assert_eq!(commit.writes, *writes);
        }
    }
    for manifest in handles {
        manifest.close().await;
    }
}

/// Twenty commits of one task, every fourth too large to stand inline.
async fn receipts(manifest: &Manifest, task: &str) -> Vec<(Receipt, Writes)> {
    let mut receipts = Vec::new();
    for number in 0..20 {
        let bytes = if number % 4 == 3 { 20 * KIB } else { 100 };
        let (key, value) = (format!("{task} {number}"), number.to_string().repeat(bytes));
        let mut transaction = cached(manifest).await;
        transaction.put(key.clone(), value.clone()).unwrap();
        let receipt = transaction.commit().await.unwrap();
        receipts.push((receipt, vec![written(&key, &value)]));
        settle().await;
    }
    receipts
}
