//! Batches for which HEAD has no room: they go out as log objects, and each object that HEAD names holds exactly
//! the members that committed with it.

use std::time::Duration;

use bytes::Bytes;
use fusio_manifest::{Error, ErrorKind, Manifest, MemoryStore, Receipt, Transaction};
use tokio::task::JoinHandle;

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    outcomes::foreign_commit,
    spill::KIB,
    support::{
        Tune, Verdict, cached, ensure, final_state, founded, increment, number, open_faulty, options, pause,
        put, settle, sound, unexpected,
    },
};

/// As much as may stand inline.
async fn bulky(manifest: &Manifest, name: &str) -> Transaction {
    let mut transaction = cached(manifest).await;
    let value = format!("{name:0>0$}", 15 * KIB);
    transaction.put(name.to_owned(), value).unwrap();
    transaction
}

type Committing = JoinHandle<Result<Receipt, Error>>;

/// A handle whose first commit, `first`, is held on the wire, so that what follows becomes one batch.
async fn with_a_batch_behind(store: &MemoryStore, tune: Tune) -> (FaultyStore, Manifest, Gate, Committing) {
    let (faulty, manifest) = open_faulty(store, tune(options(2))).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let first = tokio::spawn({
        let manifest = manifest.clone();
        async move { put(&manifest, "first", "v").await }
    });
    gate.reached().await;
    (faulty, manifest, gate, first)
}

#[tokio::test(start_paused = true)]
async fn a_batch_too_large_for_head_is_one_log_object_and_one_head() {
    let (store, founder) = founded().await;
    let (faulty, manifest, gate, first) = with_a_batch_behind(&store, sound).await;
    let mut commits = Vec::new();
    for member in 0..64 {
        commits.push(tokio::spawn(
            bulky(&manifest, &format!("member {member}")).await.commit(),
        ));
        settle().await;
    }
    gate.open();
    first.await.unwrap().unwrap();
    for (commit, txn) in commits.into_iter().zip(2..) {
        let receipt = commit.await.unwrap().unwrap();
        assert_eq!((receipt.txn, receipt.attempts.len()), (Some(txn), 1));
    }
    assert_eq!((faulty.log_puts().len(), faulty.bodies().len()), (1, 2));
    let info = manifest.info().unwrap();
    assert!(info.log_objects == 1 && info.head_bytes < 2 * KIB, "{info:?}");
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!((entries.len(), txn), (65, 65));
    for member in 0..64 {
        let name = format!("member {member}");
        assert_eq!(entries[&name], Bytes::from(format!("{name:0>0$}", 15 * KIB)));
    }
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_loses_its_race_sends_only_head_again() {
    let (store, founder) = founded().await;
    let (faulty, manifest, gate, first) = with_a_batch_behind(&store, sound).await;
    let mut commits = Vec::new();
    for member in 0..32 {
        commits.push(tokio::spawn(
            bulky(&manifest, &format!("member {member}")).await.commit(),
        ));
    }
    settle().await;
    faulty.on_put_then(Fault::LostRequest, foreign_commit(&founder, "foreign"));
    gate.open();
    first.await.unwrap().unwrap();
    for commit in commits {
        assert_eq!(commit.await.unwrap().unwrap().attempts.len(), 2);
    }
    assert_eq!((faulty.log_puts().len(), faulty.bodies().len()), (1, 3));
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!((entries.len(), txn), (34, 34));
    founder.close().await;
    manifest.close().await;
}

/// Why one member of a batch drops out once its log object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropsOut {
    /// Its caller leaves while the log object is on the wire.
    LeavesEarly,
    /// Its caller leaves while HEAD is on the wire, and that HEAD loses its race.
    LeavesLate,
    /// A foreign commit wins the race and wrote what it had read.
    Conflicts,
}

/// The places of all that committed: every member but the one that dropped out.
async fn told_to_the_others(
    commits: Vec<Committing>,
    why: DropsOut,
    which: usize,
) -> Result<Vec<u64>, String> {
    let mut txns = Vec::new();
    for (member, commit) in commits.into_iter().enumerate() {
        match commit.await {
            Ok(Ok(receipt)) => {
                ensure!(member != which, "{why:?}: member {which} committed");
                txns.push(receipt.txn.unwrap_or_default());
            }
            Ok(Err(error)) => ensure!(
                member == which && why == DropsOut::Conflicts && error.kind() == ErrorKind::Conflict,
                "{why:?}: member {member}: {error}"
            ),
            Err(_) => ensure!(member == which, "{why:?}: member {member} is gone"),
        }
    }
    Ok(txns)
}

/// The others commit in another object, each in its own place; what the one that dropped out wrote is nowhere.
pub(crate) async fn an_object_is_named_only_with_all_its_members(
    tune: Tune,
    why: DropsOut,
    which: usize,
) -> Verdict {
    const MEMBERS: usize = 24;
    let (store, founder) = founded().await;
    let (faulty, manifest, gate, first) = with_a_batch_behind(&store, tune).await;
    let mut commits = Vec::new();
    for member in 0..MEMBERS {
        let mut transaction = bulky(&manifest, &format!("member {member}")).await;
        if member == which {
            transaction.get("contended").await.map_err(unexpected)?;
        }
        commits.push(tokio::spawn(transaction.commit()));
        settle().await;
    }
    let [log, head] = [Gate::closed(), Gate::closed()];
    faulty.on_log_put(Fault::HoldAfter(log.clone()));
    faulty.on_put(Fault::HoldBefore(head.clone()));
    gate.open();
    log.reached().await;
    if why == DropsOut::LeavesEarly {
        commits[which].abort();
        settle().await;
    }
    log.open();
    head.reached().await;
    if why != DropsOut::LeavesEarly {
        let key = if why == DropsOut::Conflicts {
            "contended"
        } else {
            "foreign"
        };
        founder.get(key).await.map_err(unexpected)?;
        put(&founder, key, "v").await.map_err(unexpected)?;
    }
    if why == DropsOut::LeavesLate {
        commits[which].abort();
        settle().await;
    }
    head.open();
    first.await.unwrap().map_err(unexpected)?;
    let txns = told_to_the_others(commits, why, which).await?;
    let log_puts = faulty.log_puts().len();
    manifest.close().await;
    founder.close().await;
    let foreign = u64::from(why != DropsOut::LeavesEarly);
    let expected = foreign + 2..foreign + 1 + MEMBERS as u64;
    ensure!(txns.iter().copied().eq(expected), "{why:?}: {txns:?}");
    let (entries, txn) = final_state(&store).await.map_err(unexpected)?;
    ensure!(txn == MEMBERS as u64 + foreign, "{why:?}: {txn} commits");
    for member in 0..MEMBERS {
        let there = entries.contains_key(&format!("member {member}"));
        ensure!(
            there == (member != which),
            "{why:?}: member {member} is there: {there}"
        );
    }
    ensure!(log_puts == 2, "{why:?}: {log_puts} log objects");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_member_that_drops_out_forces_another_log_object_for_the_rest() {
    for why in [DropsOut::LeavesEarly, DropsOut::LeavesLate, DropsOut::Conflicts] {
        for which in [0, 7, 23] {
            an_object_is_named_only_with_all_its_members(sound, why, which)
                .await
                .unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_conflict_in_a_large_batch_one_commits() {
    let (store, founder) = founded().await;
    let (faulty, manifest, gate, first) = with_a_batch_behind(&store, sound).await;
    let mut commits = Vec::new();
    for member in 0..32 {
        let mut transaction = bulky(&manifest, &format!("member {member}")).await;
        if member % 16 == 5 {
            let count = number(transaction.get("count").await.unwrap().as_ref());
            transaction.put("count", (count + 1).to_string()).unwrap();
        }
        commits.push(tokio::spawn(transaction.commit()));
        settle().await;
    }
    gate.open();
    first.await.unwrap().unwrap();
    let mut results = Vec::new();
    for commit in commits {
        results.push(commit.await.unwrap());
    }
    let conflict = results.remove(21).unwrap_err();
    assert_eq!(conflict.kind(), ErrorKind::Conflict);
    let txns = results.into_iter().map(|result| result.unwrap().txn.unwrap());
    assert!(txns.eq(2..=32));
    assert_eq!((faulty.log_puts().len(), faulty.bodies().len()), (1, 2));
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!((entries["count"].as_ref(), txn), (b"1".as_slice(), 32));
    assert!(!entries.contains_key("member 21"));
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn large_and_small_members_of_one_batch_keep_their_order() {
    let (store, founder) = founded().await;
    let (faulty, manifest, gate, first) = with_a_batch_behind(&store, sound).await;
    let mut commits = Vec::new();
    for member in 0..40 {
        let mut transaction = bulky(&manifest, &format!("member {member}")).await;
        if member % 4 == 0 {
            transaction.put("bulk", vec![1; 40 * KIB]).unwrap();
        }
        transaction.put("last", member.to_string()).unwrap();
        commits.push(tokio::spawn(transaction.commit()));
        settle().await;
    }
    gate.open();
    first.await.unwrap().unwrap();
    for (commit, txn) in commits.into_iter().zip(2..) {
        assert_eq!(commit.await.unwrap().unwrap().txn, Some(txn));
    }
    assert_eq!(faulty.bodies().len(), 2);
    // Ten of their own, and one of each stretch between them.
    assert_eq!(faulty.log_puts().len(), 20);
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!((entries["last"].as_ref(), txn), (b"39".as_slice(), 41));
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_log_object_cannot_be_written_is_not_committed_and_the_next_one_is() {
    for fault in [Fault::StatusBefore(403), Fault::StatusBefore(503)] {
        let (store, founder) = founded().await;
        let (faulty, manifest, gate, first) = with_a_batch_behind(&store, sound).await;
        (0..1_000).for_each(|_| faulty.on_log_put(fault.clone()));
        let mut commits = Vec::new();
        for member in 0..24 {
            commits.push(tokio::spawn(
                bulky(&manifest, &format!("member {member}")).await.commit(),
            ));
        }
        settle().await;
        gate.open();
        first.await.unwrap().unwrap();
        for commit in commits {
            let error = commit.await.unwrap().unwrap_err();
            assert!(!error.outcome_unknown(), "{fault:?}: {error}");
        }
        faulty.heal();
        pause(Duration::from_secs(5)).await;
        increment(&manifest, "next").await.unwrap();
        let (entries, txn) = final_state(&store).await.unwrap();
        assert_eq!((entries.len(), txn), (2, 2), "{fault:?}");
        founder.close().await;
        manifest.close().await;
    }
}

/// What waits is more than one body may write: it goes out body by body, each with its log objects of a piece each,
/// and the first ones do not wait until everything is written.
#[tokio::test(start_paused = true)]
async fn a_long_queue_goes_out_body_by_body() {
    /// Of the 8 MiB of one body.
    const PIECES: usize = 8;
    const MEMBERS: usize = 1_300;
    let (store, founder) = founded().await;
    let (faulty, manifest, gate, first) = with_a_batch_behind(&store, sound).await;
    let mut commits = Vec::new();
    for member in 0..MEMBERS {
        commits.push(tokio::spawn(
            bulky(&manifest, &format!("member {member}")).await.commit(),
        ));
    }
    settle().await;
    let second = Gate::closed();
    (0..PIECES).for_each(|_| faulty.on_log_put(Fault::Pass));
    faulty.on_log_put(Fault::HoldBefore(second.clone()));
    gate.open();
    first.await.unwrap().unwrap();
    second.reached().await;
    let early = commits.iter().filter(|commit| commit.is_finished()).count();
    assert!(
        (500..600).contains(&early),
        "{early} are answered when the second body's objects are on the wire"
    );
    second.open();
    for (commit, txn) in commits.into_iter().zip(2..) {
        assert_eq!(commit.await.unwrap().unwrap().txn, Some(txn));
    }
    // 1,300 times 15 KiB: two bodies of 8 MiB and one of the rest, in pieces of 1 MiB.
    assert_eq!((faulty.log_puts().len(), faulty.bodies().len()), (20, 4));
    let (entries, _) = final_state(&store).await.unwrap();
    assert_eq!(entries.len(), MEMBERS + 1);
    founder.close().await;
    manifest.close().await;
}

/// 64 tasks of one handle that commit in a loop: batches fill.
#[tokio::test(start_paused = true)]
async fn many_tasks_in_a_loop_fill_their_batches() {
    const TASKS: usize = 64;
    const COMMITS: usize = 20;
    let (store, founder) = founded().await;
    let slow = FaultyStore::over(store.clone()).with_latency(Duration::from_millis(20));
    let manifest = Manifest::open(
        std::sync::Arc::new(slow.clone()),
        crate::support::PREFIX,
        options(2),
    )
    .await
    .unwrap();
    slow.forget_requests();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let manifest = manifest.clone();
        tasks.spawn(async move {
            for _ in 0..COMMITS {
                put(&manifest, &format!("{task}"), "v").await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let bodies = slow.bodies().len();
    let mean = (TASKS * COMMITS - 1) as f64 / (bodies - 1) as f64;
    assert!(
        mean >= 60.0,
        "{bodies} PUTs, {mean} commits in each after the first"
    );
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn one_task_alone_waits_for_nobody() {
    use fusio_manifest::{Clock as _, TokioClock};
    let (store, founder) = founded().await;
    let latency = Duration::from_millis(20);
    let slow = FaultyStore::over(store.clone()).with_latency(latency);
    let manifest = Manifest::open(
        std::sync::Arc::new(slow.clone()),
        crate::support::PREFIX,
        options(2),
    )
    .await
    .unwrap();
    slow.forget_requests();
    let clock = TokioClock::new();
    for _ in 0..50 {
        put(&manifest, "k", "v").await.unwrap();
    }
    assert_eq!((clock.now(), slow.bodies().len()), (latency * 50, 50));
    founder.close().await;
    manifest.close().await;
}
