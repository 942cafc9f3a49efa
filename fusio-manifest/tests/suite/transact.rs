//! The closure that is run again, the operations on one key, and conflicts within one batch.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{
    Clock as _, CommitOptions, CommitOutcome, CompareAndSet, Error, ErrorKind, Freshness, Manifest,
    MemoryStore, Options, PutIfAbsent, TokioClock, Transaction,
};

use crate::{
    faulty::{Fault, FaultyStore, Gate, Hook},
    support::{
        PREFIX, Tune, Verdict, ensure, final_txn, final_value, founded, increment, incremented, number, open,
        open_faulty, options, pause, put, settle, sound, unexpected, within,
    },
};

const MS: Duration = Duration::from_millis(1);

async fn open_slow(store: &MemoryStore, options: Options) -> Manifest {
    let slow = FaultyStore::over(store.clone()).with_latency(MS * 20);
    Manifest::open(Arc::new(slow), PREFIX, options).await.unwrap()
}

async fn add_one(transaction: &mut Transaction) -> Result<u64, Error> {
    let next = number(transaction.get("count").await?.as_ref()) + 1;
    transaction.put("count", next.to_string())?;
    Ok(next)
}

/// 8 handles each add one 25 times, four at a time: no increment is lost, none is counted twice.
pub(crate) async fn concurrent_increments_are_exact(tune: Tune) -> Verdict {
    let (store, founder) = founded().await;
    let mut handles = Vec::new();
    for seed in 2..10 {
        let patient = Options {
            commit_timeout: Duration::from_secs(3_600),
            ..tune(options(seed))
        };
        handles.push(open_slow(&store, patient).await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for (number, handle) in handles.iter().cloned().enumerate() {
        for lane in 0..5_u64 {
            let handle = handle.clone();
            tasks.spawn(async move {
                pause(MS * u32::try_from(number).unwrap_or_default() * 3).await;
                let mut seen = Vec::new();
                for _ in 0..5 {
                    seen.push(handle.transact(add_one).await?.value);
                }
                Ok::<_, Error>((lane, seen))
            });
        }
    }
    let mut results = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        let (_, seen) = joined.map_err(unexpected)?.map_err(unexpected)?;
        results.extend(seen);
    }
    for handle in handles {
        handle.close().await;
    }
    founder.close().await;
    results.sort_unstable();
    let count = final_value(&store, "count").await;
    ensure!(count.as_deref() == Some("200"), "the counter ends at {count:?}");
    ensure!(
        results.iter().copied().eq(1..=200),
        "values told to callers: {results:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_increment_of_many_handles_is_lost_or_doubled() {
    concurrent_increments_are_exact(sound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_of_many_racers_puts_an_absent_key() {
    let (store, founder) = founded().await;
    let mut handles = vec![];
    for seed in 2..6 {
        handles.push(open_slow(&store, options(seed)).await);
    }
    let (racers, mut tasks) = (tokio::task::LocalSet::new(), tokio::task::JoinSet::new());
    for racer in 0..16_usize {
        let handle = handles[racer % 4].clone();
        let race = async move {
            (
                racer,
                handle.put_if_absent("lock", racer.to_string()).await.unwrap(),
            )
        };
        tasks.spawn_local_on(race, &racers);
    }
    let (mut winners, mut present) = (Vec::new(), Vec::new());
    for (racer, done) in racers.run_until(tasks.join_all()).await {
        match done {
            PutIfAbsent::Written(receipt) => winners.push((racer.to_string(), receipt.txn)),
            PutIfAbsent::Present(value) => present.push(String::from_utf8(value.to_vec()).unwrap()),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(winners[0].1, Some(1));
    assert_eq!(present.len(), 15);
    assert!(
        present.iter().all(|value| *value == winners[0].0),
        "all see the winner's value"
    );
    assert_eq!(final_txn(&store).await, 1);
    for handle in handles {
        handle.close().await;
    }
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn compare_and_set_changes_only_what_it_expects() {
    let (_, manifest) = founded().await;
    let none = None::<&str>;
    let cas = async |expected, new| manifest.compare_and_set("k", expected, new).await.unwrap();
    assert!(matches!(cas(none, Some("1")).await, CompareAndSet::Written(_)));
    assert_eq!(
        cas(none, Some("2")).await,
        CompareAndSet::Differs(Some("1".into()))
    );
    assert_eq!(
        cas(Some("0"), Some("2")).await,
        CompareAndSet::Differs(Some("1".into()))
    );
    assert!(matches!(
        cas(Some("1"), Some("2")).await,
        CompareAndSet::Written(_)
    ));
    assert!(matches!(cas(Some("2"), none).await, CompareAndSet::Written(_)));
    assert_eq!(cas(Some("2"), none).await, CompareAndSet::Differs(None));
    manifest.close().await;
}

/// A closure that writes nothing answers with what was acknowledged before the call.
pub(crate) async fn a_read_only_closure_is_fresh(tune: Tune) -> Verdict {
    let (store, writer) = founded().await;
    let reader = open(&store, tune(options(2))).await;
    increment(&writer, "count").await.map_err(unexpected)?;
    let done = reader
        .transact(async |transaction| transaction.get("count").await)
        .await
        .map_err(unexpected)?;
    writer.close().await;
    reader.close().await;
    ensure!(done.value.as_deref() == Some(b"1"), "it saw {:?}", done.value);
    ensure!(done.receipt.txn.is_none(), "it took a place in the order");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_writes_nothing_is_linearizable() {
    a_read_only_closure_is_fresh(sound).await.unwrap();
}

#[derive(Debug)]
enum Shop {
    SoldOut(u64),
    Engine(#[expect(dead_code, reason = "shown where a test fails")] Error),
}

impl From<Error> for Shop {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

#[tokio::test(start_paused = true)]
async fn a_closures_error_passes_through_and_is_not_based_on_old_reads() {
    let (store, writer) = founded().await;
    let reader = open(&store, options(2)).await;
    increment(&writer, "count").await.unwrap();
    let sold_out = async |transaction: &mut Transaction| {
        let count = number(transaction.get("count").await?.as_ref());
        transaction.put("never", "v")?;
        Err::<(), _>(Shop::SoldOut(count))
    };
    match reader.transact(sold_out).await {
        Err(Shop::SoldOut(1)) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(final_value(&store, "never").await, None);
    writer.close().await;
    reader.close().await;
}

#[tokio::test(start_paused = true)]
async fn transact_gives_up_when_its_time_is_over() {
    let (store, founder) = founded().await;
    let slow = open_slow(&store, options(2)).await;
    let clock = TokioClock::new();
    let limit = Duration::from_secs(2);
    // Somebody else always gets in between.
    let overtaken = async |transaction: &mut Transaction| {
        let value = add_one(transaction).await?;
        increment(&founder, "count").await?;
        Ok::<_, Error>(value)
    };
    let error = slow.transact_within(limit, overtaken).await.unwrap_err();
    // The last run may begin just before the end, and looks at HEAD once.
    assert!(clock.now() <= limit + MS * 20, "it took {:?}", clock.now());
    // The time may also be over while a PUT that has lost is being looked into.
    match error.token() {
        None => assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}"),
        Some(token) => assert_eq!(slow.outcome(token).await.unwrap(), CommitOutcome::NotCommitted),
    }
    founder.close().await;
    slow.close().await;
}

#[tokio::test(start_paused = true)]
async fn transact_ends_within_its_limit_though_its_closure_is_slow() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let clock = TokioClock::new();
    faulty.on_put(Fault::Delay(Duration::from_secs(14)));
    let slow = async |transaction: &mut Transaction| {
        pause(Duration::from_secs(6)).await;
        add_one(transaction).await
    };
    let error = manifest
        .transact_within(Duration::from_secs(10), slow)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown);
    assert!(
        clock.now() <= Duration::from_secs(10),
        "10 s took {:?}",
        clock.now()
    );
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_without_a_bound_in_time_is_possible() {
    let (store, manifest) = founded().await;
    // A clock does not begin at zero, so a bound that is added to it may not fit.
    pause(Duration::from_secs(1)).await;
    let forever = CommitOptions {
        timeout: Some(Duration::MAX),
        ..CommitOptions::default()
    };
    let commit = tokio::spawn(incremented(&manifest, "a").await.unwrap().commit_with(forever));
    commit.await.expect("it panics").unwrap();
    let transact = tokio::spawn({
        let manifest = manifest.clone();
        async move { manifest.transact_within(Duration::MAX, add_one).await }
    });
    transact.await.expect("it panics").unwrap();
    assert_eq!(final_txn(&store).await, 2);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_in_the_queue_is_a_definite_no() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let first = tokio::spawn(incremented(&manifest, "a").await.unwrap().commit());
    gate.reached().await;
    let short = CommitOptions {
        timeout: Some(MS * 100),
        ..CommitOptions::default()
    };
    let error = incremented(&manifest, "b")
        .await
        .unwrap()
        .commit_with(short)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    gate.open();
    first.await.unwrap().unwrap();
    manifest.close().await;
    assert_eq!(
        (final_value(&store, "b").await, final_txn(&store).await),
        (None, 1)
    );
    founder.close().await;
}

/// Two tasks of one handle read and write one key in one batch.
async fn two_in_a_batch(
    faulty: &FaultyStore,
    manifest: &Manifest,
) -> Vec<Result<fusio_manifest::Receipt, Error>> {
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let earlier = tokio::spawn({
        let manifest = manifest.clone();
        async move { put(&manifest, "earlier", "v").await }
    });
    gate.reached().await;
    let mut commits = Vec::new();
    for _ in 0..2 {
        commits.push(tokio::spawn(
            incremented(manifest, "count").await.unwrap().commit(),
        ));
    }
    settle().await;
    gate.open();
    earlier.await.unwrap().unwrap();
    let mut results = Vec::new();
    for commit in commits {
        results.push(commit.await.unwrap());
    }
    results
}

#[tokio::test(start_paused = true)]
async fn of_two_that_conflict_in_a_batch_one_commits() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let results = two_in_a_batch(&faulty, &manifest).await;
    assert_eq!(results[0].as_ref().unwrap().txn, Some(2));
    assert_eq!(results[1].as_ref().unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(faulty.bodies().len(), 2);
    manifest.close().await;
    assert_eq!(
        (
            final_value(&store, "count").await.as_deref(),
            final_txn(&store).await
        ),
        (Some("1"), 2)
    );
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_conflict_within_a_batch_is_final_only_when_the_batch_lands() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let foreign: Hook = Arc::new({
        let founder = founder.clone();
        move || {
            let founder = founder.clone();
            Box::pin(async move {
                founder.get("earlier").await.unwrap();
                put(&founder, "foreign", "v").await.unwrap();
            })
        }
    });
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    // The batch's first body never arrives, and a foreign commit kills it.
    faulty.on_put_then(Fault::LostRequest, foreign);
    let earlier = tokio::spawn({
        let manifest = manifest.clone();
        async move { put(&manifest, "earlier", "v").await }
    });
    gate.reached().await;
    let mut first = incremented(&manifest, "count").await.unwrap();
    // The first one falls to the foreign commit, so the second one, which waited for it, has to commit.
    first.get("foreign").await.unwrap();
    let second = incremented(&manifest, "count").await.unwrap();
    let (first, second) = (tokio::spawn(first.commit()), tokio::spawn(second.commit()));
    settle().await;
    gate.open();
    earlier.await.unwrap().unwrap();
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(second.await.unwrap().unwrap().txn, Some(3));
    manifest.close().await;
    assert_eq!(
        (
            final_value(&store, "count").await.as_deref(),
            final_txn(&store).await
        ),
        (Some("1"), 3)
    );
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_another_handle_is_validated_all_the_same() {
    let (store, one) = founded().await;
    let behind = open(&store, options(2)).await;
    increment(&one, "count").await.unwrap();
    let snapshot = one.snapshot(Freshness::Cached).await.unwrap();
    let mut transaction = behind.begin_on(snapshot).unwrap();
    assert_eq!(add_one(&mut transaction).await.unwrap(), 2);
    transaction.commit().await.unwrap();
    assert_eq!(final_value(&store, "count").await.as_deref(), Some("2"));
    let hung = within(Duration::from_secs(1), behind.close()).await;
    assert!(hung.is_some());
    one.close().await;
}
