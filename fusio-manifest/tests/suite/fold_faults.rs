//! Folds and merges that go wrong: commits go on, nothing is lost, nothing is named that is not there.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{CommitOutcome, ErrorKind, Freshness, KeyRange, Manifest, MemoryStore, SharedSettings};

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    fold::{Content, folded_soon, holds, step},
    outcomes::every_fault,
    spill::KIB,
    support::{
        PREFIX, cached, final_state, founded_with, increment, incremented, open, open_faulty, options, pause,
        put, settle, tables, within,
    },
};

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_a_tables_put_commits_go_on_and_nothing_is_lost() {
    for fault in every_fault() {
        let (store, founder) = founded_with(folded_soon()).await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let mut content = Content::new();
        for number in 0..60 {
            if number % 10 == 3 {
                faulty.on_table_put(fault.clone());
            }
            step(&manifest, number, &mut content).await.unwrap();
            // Time for what is repeated.
            pause(Duration::from_secs(2)).await;
        }
        pause(Duration::from_secs(40)).await;
        assert_eq!((faulty.bodies().len(), faulty.looks()), (60, 0), "{fault:?}");
        faulty.deliver_late().await;
        manifest.maintain().await.unwrap();
        let info = manifest.info().unwrap();
        assert!(info.runs >= 1 && info.log_objects < 8, "{fault:?}: {info:?}");
        let reader = open(&store, options(3)).await;
        let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
        holds(&snapshot, &content, &format!("{fault:?}")).await.unwrap();
        for handle in [reader, manifest, founder] {
            handle.close().await;
        }
    }
}

/// The HEAD that names a run goes wrong, beside whatever commit it carries.
#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_a_head_that_folds_nothing_is_lost_or_doubled() {
    for fault in every_fault() {
        let (store, founder) = founded_with(folded_soon()).await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let mut told = 0;
        for round in 0..40 {
            // The PUT of HEAD that comes after a table is the one that names it.
            if round % 2 == 0 && manifest.info().unwrap().log_objects >= 2 {
                faulty.on_put(fault.clone());
            }
            match increment(&manifest, "count").await {
                Ok(_) => told += 1,
                Err(error) if error.outcome_unknown() => {
                    faulty.deliver_late().await;
                    put(&manifest, "moves", "HEAD").await.unwrap();
                    let outcome = manifest.outcome(error.token().unwrap()).await.unwrap();
                    told += u64::from(matches!(outcome, CommitOutcome::Committed { .. }));
                }
                Err(_) => {}
            }
            faulty.deliver_late().await;
            manifest.get("count").await.unwrap();
            settle().await;
        }
        faulty.heal();
        let (entries, _) = final_state(&store).await.unwrap();
        assert_eq!(entries["count"], told.to_string(), "{fault:?}");
        assert!(manifest.info().unwrap().folded_through > 10, "{fault:?}");
        manifest.close().await;
        founder.close().await;
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// A process that is gone with its table on the wire, or between the table and the HEAD that would name it.
fn gone_in_a_fold(fault: fn(Gate) -> Fault) -> (MemoryStore, Content) {
    let first = runtime();
    let gone = first.block_on(async {
        let (store, founder) = founded_with(folded_soon()).await;
        founder.close().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let gate = Gate::closed();
        faulty.on_table_put(fault(gate.clone()));
        let mut content = Content::new();
        for number in 0..6 {
            step(&manifest, number, &mut content).await.unwrap();
        }
        gate.reached().await;
        assert_eq!(manifest.info().unwrap().runs, 0);
        (store, content)
    });
    drop(first);
    gone
}

#[test]
fn a_process_gone_between_its_table_and_the_next_head_leaves_an_object_that_nothing_names() {
    for (fault, orphans) in [(Fault::HoldBefore as fn(Gate) -> Fault, 0), (Fault::HoldAfter, 1)] {
        let (store, mut content) = gone_in_a_fold(fault);
        runtime().block_on(async {
            assert_eq!(tables(&store).await.len(), orphans);
            let next = open(&store, options(3)).await;
            for number in 6..40 {
                step(&next, number, &mut content).await.unwrap();
            }
            assert!(next.info().unwrap().folded_through > 30);
            let snapshot = next.snapshot(Freshness::Latest).await.unwrap();
            holds(&snapshot, &content, "the next process").await.unwrap();
            next.close().await;
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_is_refused_is_tried_again_when_the_log_has_grown_and_not_before() {
    let (store, founder) = founded_with(folded_soon()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.refuse_tables();
    let mut content = Content::new();
    for number in 0..24 {
        step(&manifest, number, &mut content).await.unwrap();
    }
    let asked = faulty.table_puts().len();
    assert!((2..=8).contains(&asked), "{asked} PUTs of tables");
    let error = manifest.maintain().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    faulty.heal();
    manifest.maintain().await.unwrap();
    assert_eq!(manifest.info().unwrap().log_objects, 0);
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    holds(&snapshot, &content, "its writer").await.unwrap();
    manifest.close().await;
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn close_finishes_a_fold_that_was_begun() {
    let (store, founder) = founded_with(folded_soon()).await;
    founder.close().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_table_put(Fault::HoldBefore(gate.clone()));
    let mut content = Content::new();
    for number in 0..6 {
        step(&manifest, number, &mut content).await.unwrap();
    }
    gate.reached().await;
    let closing = tokio::spawn({
        let manifest = manifest.clone();
        async move { manifest.close().await }
    });
    settle().await;
    assert!(!closing.is_finished());
    gate.open();
    closing.await.unwrap();
    let reader = open(&store, options(3)).await;
    assert_eq!(reader.info().unwrap().runs, 1);
    let snapshot = reader.snapshot(Freshness::Latest).await.unwrap();
    holds(&snapshot, &content, "a newcomer").await.unwrap();
    reader.close().await;
}

/// A transaction of megabytes goes from its log object into a run.
#[tokio::test(start_paused = true)]
async fn a_large_transaction_is_folded() {
    let (store, manifest) = founded_with(SharedSettings::default()).await;
    for round in 0..3 {
        let mut transaction = cached(&manifest).await;
        for number in 0..7 {
            let value = vec![b'0' + round; 1_000 * KIB];
            transaction.put(format!("key {number}"), value).unwrap();
        }
        transaction.delete(format!("key {}", 7 - round)).unwrap();
        transaction.commit().await.unwrap();
        put(&manifest, "small", "v").await.unwrap();
        settle().await;
    }
    manifest.maintain().await.unwrap();
    let info = manifest.info().unwrap();
    assert!(info.runs >= 1 && info.folded_through >= 3, "{info:?}");
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!(txn, 6);
    // The last round wrote keys 0 to 6 and deleted key 5.
    let keys: Vec<&str> = entries.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["key 0", "key 1", "key 2", "key 3", "key 4", "key 6", "small"]
    );
    assert!(
        entries
            .values()
            .take(6)
            .all(|value| value.iter().all(|byte| *byte == b'2'))
    );
    manifest.close().await;
}

/// The reply to a commit is lost, its handle is away while HEAD moves past the nonces that it keeps, and the commit is
/// folded: its id is found in what HEAD remembers of folded log objects.
#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_found_among_the_folded() {
    for lands in [true, false] {
        let (store, founder) = founded_with(folded_soon()).await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        increment(&manifest, "count").await.unwrap();
        let pending = incremented(&manifest, "count").await.unwrap();
        let gate = Gate::closed();
        faulty.on_put(if lands {
            Fault::LostReply
        } else {
            Fault::LostRequest
        });
        faulty.on_get(Fault::HoldBefore(gate.clone()));
        let commit = tokio::spawn(pending.commit());
        gate.reached().await;
        founder.get("count").await.unwrap();
        for number in 0..20 {
            put(&founder, &format!("other {number}"), "v").await.unwrap();
            settle().await;
        }
        let info = founder.info().unwrap();
        assert!(info.folded_through > 4, "{info:?}");
        gate.open();
        let receipt = commit.await.unwrap().unwrap();
        // Found where it landed; or committed anew, behind all others, because what it had read still holds.
        assert_eq!(receipt.txn, Some(if lands { 2 } else { 22 }), "{receipt:?}");
        let (entries, txn) = final_state(&store).await.unwrap();
        assert_eq!((entries["count"].as_ref(), txn), (b"2".as_slice(), 22));
        manifest.close().await;
        founder.close().await;
    }
}

/// Keys and values in their order, as a scan gives them.
type Entries = Vec<(Bytes, Bytes)>;

/// A manifest whose blocks are all to be read from the store, and what it holds.
async fn unread() -> (MemoryStore, Entries) {
    let (store, founder) = founded_with(folded_soon()).await;
    let mut content = Content::new();
    for number in 0..60 {
        step(&founder, number, &mut content).await.unwrap();
    }
    assert!(founder.info().unwrap().folded_through > 50);
    let all = founder
        .scan(KeyRange::all())
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    founder.close().await;
    (store, all)
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_failed_goes_on_with_every_entry() {
    let (store, all) = unread().await;
    for reversed in [false, true] {
        let (faulty, reader) = open_faulty(&store, options(2)).await;
        let snapshot = reader.snapshot(Freshness::Cached).await.unwrap();
        let scan = snapshot.scan(KeyRange::all());
        let mut scan = if reversed { scan.reversed() } else { scan };
        let (mut seen, mut errors) = (Entries::new(), 0);
        loop {
            if seen.len() % 10 == 3 && errors < 20 {
                faulty.on_table_get(Fault::StatusBefore(403));
            }
            match scan.next().await {
                Ok(Some(entry)) => seen.push(entry),
                Ok(None) => break,
                Err(_) => errors += 1,
            }
        }
        assert!(errors > 3, "{errors} errors");
        if reversed {
            seen.reverse();
        }
        assert_eq!(seen, all);
        reader.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_was_not_waited_for_goes_on_with_every_entry() {
    const LATENCY: Duration = Duration::from_millis(30);
    let (store, all) = unread().await;
    for reversed in [false, true] {
        let slow = FaultyStore::over(store.clone()).with_latency(LATENCY);
        let reader = Manifest::open(Arc::new(slow), PREFIX, options(2)).await.unwrap();
        let snapshot = reader.snapshot(Freshness::Cached).await.unwrap();
        let scan = snapshot.scan(KeyRange::all());
        let mut scan = if reversed { scan.reversed() } else { scan };
        let (mut seen, mut dropped) = (Entries::new(), 0);
        loop {
            let next = match within(LATENCY / 2, scan.next()).await {
                Some(next) => next,
                None => {
                    dropped += 1;
                    scan.next().await
                }
            };
            match next.unwrap() {
                Some(entry) => seen.push(entry),
                None => break,
            }
        }
        assert!(dropped > 3, "{dropped} were dropped");
        if reversed {
            seen.reverse();
        }
        assert_eq!(seen, all);
        reader.close().await;
    }
}
