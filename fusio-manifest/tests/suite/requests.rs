//! What things cost, counted in requests.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{
    Clock as _, Creation, Freshness, Manifest, MemoryStore, Options, RequestClass, RequestCounts,
    RequestMeter, SeededEntropy, Store, TokioClock, Transaction, probe,
};
use tokio::task::JoinSet;

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    outcomes::foreign_commit,
    support::{PREFIX, final_txn, founded, increment, incremented, open_faulty, options, pause, put, settle},
};

/// A handle whose requests are counted, those that opened it too.
async fn metered(store: &MemoryStore, options: Options) -> (Arc<RequestMeter>, Manifest) {
    let meter = Arc::new(RequestMeter::new());
    let store = Arc::new(store.with_meter(Arc::clone(&meter)));
    let manifest = Manifest::open(store, PREFIX, options).await.unwrap();
    (meter, manifest)
}

/// PUTs with and without a condition, GETs with and without, and everything else.
fn shape(counts: RequestCounts) -> [u64; 5] {
    let [put, plain_put, get, plain_get] = [
        RequestClass::ConditionalPut,
        RequestClass::Put,
        RequestClass::ConditionalGet,
        RequestClass::Get,
    ]
    .map(|class| counts.requests(class));
    [
        put,
        plain_put,
        get,
        plain_get,
        counts.total() - counts.puts() - counts.gets(),
    ]
}

#[tokio::test(start_paused = true)]
async fn creating_is_a_get_a_list_and_a_put_beside_the_probe() {
    let metered = || {
        let meter = Arc::new(RequestMeter::new());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new().with_meter(Arc::clone(&meter)));
        (meter, store)
    };
    let (probed, store) = metered();
    probe(&store, &TokioClock::new(), &SeededEntropy::new(1), PREFIX)
        .await
        .unwrap();
    let (created, store) = metered();
    let (manifest, creation) = Manifest::create(store, PREFIX, options(2)).await.unwrap();
    assert_eq!(creation, Creation::Created);
    let (probe, all) = (shape(probed.counts()), shape(created.counts()));
    let beside: [u64; 5] = std::array::from_fn(|class| all[class] - probe[class]);
    assert_eq!(beside, [1, 0, 0, 1, 1], "{all:?} with the probe's {probe:?}");
    let sent: u64 = probe.iter().sum();
    assert!((200..=240).contains(&sent), "about 220: {probe:?}");
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn opening_is_one_get() {
    let (store, founder) = founded().await;
    let (meter, manifest) = metered(&store, options(2)).await;
    assert_eq!(shape(meter.counts()), [0, 0, 0, 1, 0]);
    let before = meter.counts();
    manifest
        .snapshot(Freshness::Cached)
        .await
        .unwrap()
        .get("k")
        .await
        .unwrap();
    manifest.info().unwrap();
    manifest.close().await;
    assert_eq!(
        meter.counts(),
        before,
        "neither cached reads nor close send anything"
    );
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_on_a_current_handle_is_one_put_and_nothing_else() {
    let (store, founder) = founded().await;
    let (meter, manifest) = metered(&store, options(2)).await;
    let before = meter.counts();
    for number in 0..1_000 {
        let mut transaction = manifest.begin().await.unwrap();
        let key = format!("{}", number % 10);
        transaction.get(&key).await.unwrap();
        transaction.put(key, "v").unwrap();
        transaction.commit().await.unwrap();
    }
    assert_eq!(shape(meter.counts().since(&before)), [1_000, 0, 0, 0, 0]);
    manifest.close().await;
    assert_eq!(final_txn(&store).await, 1_000);
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn transact_on_a_current_handle_is_one_put() {
    let (store, founder) = founded().await;
    let (meter, manifest) = metered(&store, options(2)).await;
    let before = meter.counts();
    let add = async |transaction: &mut Transaction| transaction.put("k", "v");
    manifest.transact(add).await.unwrap();
    manifest.put_if_absent("other", "v").await.unwrap();
    assert_eq!(shape(meter.counts().since(&before)), [2, 0, 0, 0, 0]);
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_fresh_read_is_one_conditional_get() {
    let (store, writer) = founded().await;
    let (meter, reader) = metered(&store, options(2)).await;
    put(&writer, "k", &"v".repeat(1_000)).await.unwrap();
    for bytes_at_least in [1_000, 0] {
        let before = meter.counts();
        reader.get("k").await.unwrap();
        let counts = meter.counts().since(&before);
        assert_eq!(shape(counts), [0, 0, 1, 0, 0]);
        let bytes = counts.bytes(RequestClass::ConditionalGet);
        assert!(
            bytes >= bytes_at_least && (bytes_at_least > 0 || bytes == 0),
            "{bytes}: unchanged is a 304"
        );
    }
    writer.close().await;
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn many_commits_at_once_share_two_puts() {
    let (store, founder) = founded().await;
    let (meter, manifest) = metered(&store, options(2)).await;
    let before = meter.counts();
    let mut tasks = JoinSet::new();
    for number in 0..64 {
        let manifest = manifest.clone();
        tasks.spawn(async move {
            increment(&manifest, &format!("{number}"))
                .await
                .unwrap()
                .txn
                .unwrap()
        });
    }
    let mut txns = tasks.join_all().await;
    txns.sort_unstable();
    assert!(txns.iter().copied().eq(1..=64));
    let seen = shape(meter.counts().since(&before));
    assert!((1..=2).contains(&seen[0]) && seen[1..] == [0; 4], "{seen:?}");
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn commits_that_arrive_while_a_put_is_on_the_wire_share_the_next_one() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let mut commits = Vec::new();
    for number in 0..64 {
        let transaction = incremented(&manifest, &format!("{number}")).await.unwrap();
        commits.push(tokio::spawn(transaction.commit()));
        if number == 0 {
            gate.reached().await;
        }
    }
    settle().await;
    gate.open();
    for commit in commits {
        commit.await.unwrap().unwrap();
    }
    assert_eq!((faulty.bodies().len(), faulty.looks()), (2, 0));
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_loses_one_race_is_put_get_put() {
    let (store, founder) = founded().await;
    let (meter, manifest) = metered(&store, options(2)).await;
    let before = meter.counts();
    increment(&founder, "foreign").await.unwrap();
    let receipt = increment(&manifest, "own").await.unwrap();
    assert_eq!(receipt.attempts.len(), 2);
    assert_eq!(shape(meter.counts().since(&before)), [2, 0, 1, 0, 0]);
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_loses_many_races_pays_two_requests_for_each() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut transaction = incremented(&manifest, "own").await.unwrap();
    transaction.put("blind", "v").unwrap();
    for _ in 0..30 {
        // The foreign commit lands before ours arrives.
        faulty.on_get_then(Fault::Pass, foreign_commit(&founder, "foreign"));
    }
    increment(&founder, "foreign").await.unwrap();
    let receipt = transaction.commit().await.unwrap();
    assert_eq!(
        (receipt.attempts.len(), faulty.bodies().len(), faulty.looks()),
        (32, 32, 31)
    );
    assert_eq!(receipt.txn, Some(32));
    founder.close().await;
    manifest.close().await;
}

/// A handle whose store answers after 20 ms, and who has just seen that HEAD changes often.
async fn on_a_busy_head(store: &MemoryStore, founder: &Manifest) -> (FaultyStore, Manifest) {
    let slow = FaultyStore::over(store.clone()).with_latency(Duration::from_millis(20));
    let manifest = Manifest::open(Arc::new(slow.clone()), PREFIX, options(2))
        .await
        .unwrap();
    for _ in 0..20 {
        founder.get("foreign").await.unwrap();
        increment(founder, "foreign").await.unwrap();
        pause(Duration::from_millis(50)).await;
        manifest.get("own").await.unwrap();
    }
    slow.forget_requests();
    (slow, manifest)
}

#[tokio::test(start_paused = true)]
async fn a_transaction_on_a_state_that_is_probably_stale_is_get_and_put() {
    let (store, founder) = founded().await;
    let (slow, manifest) = on_a_busy_head(&store, &founder).await;
    pause(Duration::from_secs(1)).await;
    increment(&founder, "foreign").await.unwrap();
    let mut transaction = manifest.begin().await.unwrap();
    let seen = transaction.get("foreign").await.unwrap();
    assert_eq!(seen.as_deref(), Some(b"21".as_slice()));
    transaction.put("own", "v").unwrap();
    assert_eq!(transaction.commit().await.unwrap().attempts.len(), 1);
    assert_eq!((slow.looks(), slow.bodies().len()), (1, 1));
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_state_older_than_half_the_retention_is_looked_at_first() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let retention = manifest.info().unwrap().settings.retention;
    pause(retention / 2 - Duration::from_secs(1)).await;
    manifest.begin().await.unwrap();
    assert_eq!(faulty.looks(), 0);
    pause(Duration::from_secs(1)).await;
    manifest.begin().await.unwrap();
    assert_eq!(faulty.looks(), 1);
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn callers_of_one_handle_share_each_put_however_few_they_are() {
    const COMMITS: u32 = 20;
    const LATENCY: Duration = Duration::from_millis(60);
    for callers in [1_u32, 2, 3, 64] {
        let (store, founder) = founded().await;
        let faulty = FaultyStore::over(store.clone()).with_latency(LATENCY);
        let manifest = Manifest::open(Arc::new(faulty.clone()), PREFIX, options(2))
            .await
            .unwrap();
        let began = TokioClock::new();
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let manifest = manifest.clone();
            tasks.spawn(async move {
                pause(Duration::from_micros(caller.into())).await;
                for commit in 0..COMMITS {
                    put(&manifest, &format!("{caller}"), &format!("{commit}"))
                        .await
                        .unwrap();
                }
            });
        }
        tasks.join_all().await;
        // The first who comes goes alone, the others while that PUT is on the wire.
        let puts = COMMITS + u32::from(callers > 1);
        assert_eq!(faulty.bodies().len(), puts as usize, "{callers} callers");
        assert_eq!(
            began.now(),
            LATENCY * puts,
            "{callers} callers: nobody waits for more"
        );
        manifest.close().await;
        founder.close().await;
    }
}
