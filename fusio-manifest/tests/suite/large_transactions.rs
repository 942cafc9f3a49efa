//! Transactions too large to stand in HEAD: two round trips, a lost race repeats only HEAD, and whatever goes
//! wrong with the log object is a definite "not committed".

use std::time::Duration;

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, CommitOptions, Error, ErrorKind, Manifest, MemoryStore, Receipt, TokioClock, Transaction,
    limits,
};
use tokio::task::JoinHandle;

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    outcomes::{every_fault, foreign_commit},
    spill::KIB,
    support::{
        PREFIX, cached, final_state, final_txn, final_value, founded, founded_with, increment, log_objects,
        open_faulty, options, put, settle, unfolded,
    },
};

const MS: Duration = Duration::from_millis(1);

/// A transaction over what may stand inline.
async fn large(manifest: &Manifest, key: &str) -> Transaction {
    let mut transaction = cached(manifest).await;
    transaction.put(key.to_owned(), vec![7; 100 * KIB]).unwrap();
    transaction
}

async fn committing(manifest: &Manifest, key: &str) -> JoinHandle<Result<Receipt, Error>> {
    tokio::spawn(large(manifest, key).await.commit())
}

async fn is_there(store: &MemoryStore, key: &str) -> bool {
    final_value(store, key).await.is_some()
}

#[tokio::test(start_paused = true)]
async fn the_largest_transaction_is_two_round_trips_and_two_requests() {
    let (store, founder) = founded_with(unfolded()).await;
    let faulty = FaultyStore::over(store.clone()).with_latency(MS * 50);
    let manifest = Manifest::open(std::sync::Arc::new(faulty.clone()), PREFIX, options(2))
        .await
        .unwrap();
    faulty.forget_requests();
    let mut transaction = cached(&manifest).await;
    let key = |number: usize| format!("key {number:05}");
    let bytes_each = limits::TRANSACTION_BYTES_MAX / limits::TRANSACTION_WRITES_MAX;
    let value = |number: usize| Bytes::from(format!("{number:0>0$}", bytes_each - key(0).len()));
    for number in 0..limits::TRANSACTION_WRITES_MAX {
        transaction.put(key(number), value(number)).unwrap();
    }
    let clock = TokioClock::new();
    let receipt = transaction.commit().await.unwrap();
    assert_eq!(clock.now(), MS * 100);
    assert_eq!((receipt.txn, receipt.attempts.len()), (Some(1), 1));
    assert_eq!((faulty.log_puts().len(), faulty.bodies().len()), (1, 1));
    assert_eq!((faulty.looks(), faulty.log_reads()), (0, 0));
    let (entries, _) = final_state(&store).await.unwrap();
    assert_eq!(entries.len(), limits::TRANSACTION_WRITES_MAX);
    for number in 0..limits::TRANSACTION_WRITES_MAX {
        assert_eq!(entries[&key(number)], value(number));
    }
    let info = manifest.info().unwrap();
    assert!(info.head_bytes < 2 * KIB && info.log_objects == 1, "{info:?}");
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn losing_three_races_sends_only_head_again() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let transaction = large(&manifest, "large").await;
    increment(&founder, "foreign").await.unwrap();
    for _ in 0..2 {
        faulty.on_get_then(Fault::Pass, foreign_commit(&founder, "foreign"));
    }
    let receipt = transaction.commit().await.unwrap();
    assert_eq!((receipt.txn, receipt.attempts.len()), (Some(4), 4));
    assert_eq!((faulty.log_puts().len(), faulty.bodies().len()), (1, 4));
    assert_eq!((faulty.looks(), faulty.log_reads()), (3, 0));
    assert!(is_there(&store, "large").await);
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn commits_of_others_do_not_wait_for_the_bytes_of_a_large_one() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_log_put(Fault::HoldBefore(gate.clone()));
    let large = committing(&manifest, "large").await;
    gate.reached().await;
    for _ in 0..10 {
        increment(&manifest, "small").await.unwrap();
    }
    gate.open();
    assert_eq!(large.await.unwrap().unwrap().txn, Some(11));
    assert_eq!(faulty.log_puts().len(), 1);
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_transaction_that_lost_already_sends_no_bytes() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let mut transaction = large(&manifest, "large").await;
    transaction.get("contended").await.unwrap();
    put(&manifest, "contended", "v").await.unwrap();
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(faulty.log_puts().is_empty());
    founder.close().await;
    manifest.close().await;
    assert_eq!(final_txn(&store).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_while_its_log_object_is_on_the_wire_is_never_committed() {
    for fault in [Fault::HoldBefore as fn(Gate) -> Fault, Fault::HoldAfter] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let gate = Gate::closed();
        faulty.on_log_put(fault(gate.clone()));
        let dropped = committing(&manifest, "dropped").await;
        gate.reached().await;
        dropped.abort();
        settle().await;
        gate.open();
        increment(&manifest, "next").await.unwrap();
        manifest.close().await;
        assert!(!is_there(&store, "dropped").await);
        assert_eq!((faulty.bodies().len(), final_txn(&store).await), (1, 1));
        founder.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_a_large_one_dropped_while_queued_is_never_committed() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let first = tokio::spawn({
        let manifest = manifest.clone();
        async move { increment(&manifest, "first").await }
    });
    gate.reached().await;
    let dropped = committing(&manifest, "dropped").await;
    let stays = committing(&manifest, "stays").await;
    settle().await;
    assert_eq!(faulty.log_puts().len(), 2);
    dropped.abort();
    settle().await;
    gate.open();
    first.await.unwrap().unwrap();
    assert_eq!(stays.await.unwrap().unwrap().txn, Some(2));
    manifest.close().await;
    assert!(!is_there(&store, "dropped").await && is_there(&store, "stays").await);
    assert_eq!(final_txn(&store).await, 2);
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_a_large_one_dropped_while_head_is_on_the_wire_is_committed_once_or_not_at_all() {
    for loses in [false, true] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let gate = Gate::closed();
        faulty.on_put(Fault::HoldBefore(gate.clone()));
        let dropped = committing(&manifest, "dropped").await;
        gate.reached().await;
        if loses {
            increment(&founder, "foreign").await.unwrap();
        }
        dropped.abort();
        settle().await;
        gate.open();
        increment(&manifest, "next").await.unwrap();
        manifest.close().await;
        assert_eq!(is_there(&store, "dropped").await, !loses);
        assert_eq!(
            final_txn(&store).await,
            2,
            "the other one, and this or the foreign one"
        );
        founder.close().await;
    }
}

/// One fault of the log object's PUT: it resolves by itself, or the commit is definitely not made.
#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_its_log_object_a_large_commit_is_made_or_definitely_not() {
    for fault in every_fault() {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        faulty.on_log_put_then(fault.clone(), foreign_commit(&founder, "foreign"));
        let result = large(&manifest, "large").await.commit().await;
        let refused = matches!(
            fault,
            Fault::StatusBefore(307 | 400 | 403 | 404 | 413) | Fault::StatusAfter(307)
        );
        match &result {
            Ok(receipt) => assert_eq!((receipt.txn, receipt.attempts.len()), (Some(2), 2), "{fault:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Refused, "{fault:?}: {error}"),
        }
        assert_eq!(result.is_err(), refused, "{fault:?}");
        let names = faulty.log_puts();
        assert!(names.len() <= 3, "{fault:?}: {names:?}");
        faulty.deliver_late().await;
        assert_eq!(is_there(&store, "large").await, result.is_ok(), "{fault:?}");
        assert_eq!(final_txn(&store).await, 1 + u64::from(result.is_ok()));
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_object_that_cannot_be_written_by_the_deadline_is_a_definite_no() {
    for fault in [
        Fault::LostRequest,
        Fault::LostReply,
        Fault::StatusBefore(503),
        Fault::Late,
    ] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let gate = Gate::closed();
        faulty.on_log_put(fault.clone());
        // From now on nothing is answered at all.
        (0..1_000).for_each(|_| faulty.on_log_put(Fault::HoldBefore(gate.clone())));
        let limit = Duration::from_secs(10);
        let within_limit = CommitOptions {
            timeout: Some(limit),
            ..CommitOptions::default()
        };
        let clock = TokioClock::new();
        let error = large(&manifest, "large")
            .await
            .commit_with(within_limit)
            .await
            .unwrap_err();
        assert!(
            !error.outcome_unknown() && error.is_retryable(),
            "{fault:?}: {error}"
        );
        assert!(clock.now() <= limit, "{fault:?}: it took {:?}", clock.now());
        assert!(error.to_string().contains("log object"), "{error}");
        faulty.heal();
        faulty.deliver_late().await;
        increment(&manifest, "next").await.unwrap();
        assert!(
            faulty.bodies().len() == 1 && !is_there(&store, "large").await,
            "{fault:?}"
        );
        assert!(log_objects(&store).await.len() <= 1);
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_single_attempt_is_one_put_of_each() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let transaction = large(&manifest, "large").await;
    increment(&founder, "foreign").await.unwrap();
    let once = CommitOptions {
        single_attempt: true,
        ..CommitOptions::default()
    };
    let error = transaction.commit_with(once).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    assert_eq!((faulty.log_puts().len(), faulty.bodies().len()), (1, 1));
    assert!(!is_there(&store, "large").await);
    founder.close().await;
    manifest.close().await;
}
