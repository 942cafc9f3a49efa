//! Callers that are dropped or run out of time: what they leave behind is never doubled.

use std::time::Duration;

use fusio_manifest::{CommitOptions, CommitOutcome, Error, ErrorKind, Manifest, Receipt};
use tokio::task::JoinHandle;

use crate::{
    faulty::{Fault, Gate},
    outcomes::foreign_commit,
    support::{
        Tune, Verdict, ensure, final_txn, final_value, founded, increment, incremented, open_faulty, options,
        settle, sound, unexpected,
    },
};

async fn committing(manifest: &Manifest, key: &str) -> JoinHandle<Result<Receipt, Error>> {
    tokio::spawn(incremented(manifest, key).await.unwrap().commit())
}

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_while_queued_is_never_committed() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let first = committing(&manifest, "first").await;
    gate.reached().await;
    let dropped = committing(&manifest, "dropped").await;
    let stays = committing(&manifest, "stays").await;
    settle().await;
    dropped.abort();
    settle().await;
    gate.open();
    first.await.unwrap().unwrap();
    stays.await.unwrap().unwrap();
    manifest.close().await;
    assert_eq!(final_value(&store, "dropped").await, None);
    assert_eq!(final_txn(&store).await, 2);
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_while_its_put_is_on_the_wire_stops_nothing() {
    for fault in [Fault::HoldBefore as fn(Gate) -> Fault, Fault::HoldAfter] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let gate = Gate::closed();
        faulty.on_put(fault(gate.clone()));
        let dropped = committing(&manifest, "count").await;
        gate.reached().await;
        dropped.abort();
        let next = committing(&manifest, "next").await;
        settle().await;
        gate.open();
        next.await.unwrap().unwrap();
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
}

/// A caller leaves while its PUT is on the wire, which then loses its race.
pub(crate) async fn who_left_enters_no_second_body(tune: Tune) -> Verdict {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let dropped = committing(&manifest, "dropped").await;
    let stays = committing(&manifest, "stays").await;
    gate.reached().await;
    increment(&founder, "foreign").await.map_err(unexpected)?;
    dropped.abort();
    settle().await;
    gate.open();
    // Its body lost: the one that stays goes into another, the dropped one must not.
    stays.await.unwrap().map_err(unexpected)?;
    manifest.close().await;
    founder.close().await;
    let (value, txns) = (final_value(&store, "dropped").await, final_txn(&store).await);
    ensure!((&value, txns) == (&None, 2), "{value:?}, {txns} commits");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_on_the_wire_enters_no_second_body() {
    who_left_enters_no_second_body(sound).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_while_resolving_is_committed_once_or_not_at_all() {
    for (fault, foreign, expected) in [
        (Fault::LostReply, None, Some("1")),
        (Fault::LostReply, Some("foreign"), Some("1")),
        (Fault::LostRequest, Some("foreign"), None),
        (Fault::Late, Some("foreign"), None),
        (Fault::Replay, Some("foreign"), Some("1")),
    ] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        match foreign {
            Some(key) => faulty.on_put_then(fault.clone(), foreign_commit(&founder, key)),
            None => faulty.on_put(fault.clone()),
        }
        let gate = Gate::closed();
        faulty.on_get(Fault::HoldBefore(gate.clone()));
        let dropped = committing(&manifest, "count").await;
        if matches!(fault, Fault::Replay) {
            settle().await;
        }
        gate.reached().await;
        dropped.abort();
        settle().await;
        gate.open();
        settle().await;
        faulty.deliver_late().await;
        increment(&manifest, "next").await.unwrap();
        manifest.close().await;
        assert_eq!(
            final_value(&store, "count").await.as_deref(),
            expected,
            "{fault:?}, {foreign:?}"
        );
        let others = 1 + u64::from(foreign.is_some());
        assert_eq!(
            final_txn(&store).await,
            others + u64::from(expected.is_some()),
            "{fault:?}, {foreign:?}"
        );
        founder.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_on_the_wire_is_an_unknown_outcome_with_a_token() {
    for (lands, foreign) in [(true, false), (false, true)] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let gate = Gate::closed();
        faulty.on_put(if lands {
            Fault::HoldAfter(gate.clone())
        } else {
            Fault::HoldBefore(gate.clone())
        });
        let second = CommitOptions {
            timeout: Some(Duration::from_secs(1)),
            ..CommitOptions::default()
        };
        let commit = tokio::spawn(incremented(&manifest, "count").await.unwrap().commit_with(second));
        gate.reached().await;
        let error = commit.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitUnknown);
        let token = error.token().unwrap();
        if foreign {
            assert_eq!(
                manifest.outcome(token).await.unwrap(),
                CommitOutcome::StillUnknown
            );
            increment(&founder, "foreign").await.unwrap();
        }
        let outcome = manifest.outcome(token).await.unwrap();
        assert_eq!(
            outcome,
            if lands {
                CommitOutcome::Committed { txn: 1 }
            } else {
                CommitOutcome::NotCommitted
            }
        );
        gate.open();
        manifest.close().await;
        assert_eq!(final_value(&store, "count").await.is_some(), lands);
        assert_eq!(final_txn(&store).await, 1);
        founder.close().await;
    }
}

/// A commit's deadline passes while its PUT is on the wire, which then loses its race; another member of the batch
/// waits longer.
pub(crate) async fn who_ran_out_of_time_enters_no_later_body(tune: Tune) -> Verdict {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let second = CommitOptions {
        timeout: Some(Duration::from_secs(1)),
        ..CommitOptions::default()
    };
    let short = incremented(&manifest, "short").await.map_err(unexpected)?;
    let short = tokio::spawn(short.commit_with(second));
    let long = committing(&manifest, "long").await;
    gate.reached().await;
    let error = short.await.unwrap().err().ok_or("it is known")?;
    ensure!(error.kind() == ErrorKind::CommitUnknown, "{error}");
    increment(&founder, "foreign").await.map_err(unexpected)?;
    gate.open();
    long.await.unwrap().map_err(unexpected)?;
    let token = error.token().ok_or("no token")?;
    let outcome = manifest.outcome(token).await.map_err(unexpected)?;
    manifest.close().await;
    founder.close().await;
    let (value, txns) = (final_value(&store, "short").await, final_txn(&store).await);
    ensure!(
        outcome == CommitOutcome::NotCommitted && value.is_none() && txns == 2,
        "told {outcome:?}, then {value:?} in {txns} commits"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_ran_out_of_time_enters_no_later_body() {
    who_ran_out_of_time_enters_no_later_body(sound).await.unwrap();
}

#[test]
fn a_runtime_that_stops_leaves_the_commit_unknown_or_closed() {
    let paused = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let (first, second) = (paused(), paused());
    let (store, founder) = first.block_on(founded());
    let gate = Gate::closed();
    let (faulty, manifest) = first.block_on(open_faulty(&store, options(2)));
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let commit = second.spawn({
        let manifest = manifest.clone();
        async move { increment(&manifest, "count").await }
    });
    second.block_on(settle());
    first.block_on(gate.reached());
    drop(first);
    let error = second.block_on(commit).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
    let error = second.block_on(increment(&manifest, "count")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    drop(founder);
}
