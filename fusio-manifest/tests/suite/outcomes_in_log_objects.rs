//! What became of a commit is still known when the nonces are gone and its place has moved into a log object.

use std::sync::Arc;

use fusio_manifest::{
    CommitOutcome, CommitToken, ErrorKind, Manifest, RequestClass, RequestMeter, SharedSettings,
};

use crate::{
    faulty::{Fault, FaultyStore, Hook},
    spill::{KIB, fill},
    support::{
        PREFIX, Tune, Verdict, ensure, final_value, founded_with, increment, open_faulty, options, sound,
        spilled_at_once, unexpected,
    },
};

/// Objects of about seven commits.
fn several_each() -> SharedSettings {
    SharedSettings {
        spill_bytes: 8 * KIB as u64,
        spill_keep_bytes: KIB as u64,
        ..SharedSettings::default()
    }
}

/// A commit whose PUT is late and whose looks all fail, so that it ends as unknown.
async fn unresolved(faulty: &FaultyStore, manifest: &Manifest) -> Result<CommitToken, String> {
    faulty.on_put(Fault::Late);
    (0..1_000).for_each(|_| faulty.on_get(Fault::StatusBefore(503)));
    let error = increment(manifest, "count").await.err().ok_or("it is known")?;
    faulty.heal();
    error.token().cloned().ok_or_else(|| format!("no token: {error}"))
}

/// What a handle that has seen all commits is told, and by how many GETs of log objects.
async fn asked_later(
    shared: SharedSettings,
    lands: bool,
    tune: Tune,
) -> Result<(CommitOutcome, u64, bool), String> {
    let (store, founder) = founded_with(shared).await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    let token = unresolved(&faulty, &manifest).await?;
    if lands {
        let answers = faulty.deliver_late().await;
        ensure!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    // With such settings the place that it took, or another one takes, moves out alone.
    founder.get("count").await.map_err(unexpected)?;
    let others = usize::from(!lands);
    fill(&founder, 0..others).await.map_err(unexpected)?;
    founder.maintain().await.map_err(unexpected)?;
    fill(&founder, others..40).await.map_err(unexpected)?;
    let meter = Arc::new(RequestMeter::new());
    let counted = Arc::new(store.with_meter(Arc::clone(&meter)));
    let asker = Manifest::open(counted, PREFIX, tune(options(3)))
        .await
        .map_err(unexpected)?;
    ensure!(
        asker.info().map_err(unexpected)?.log_objects > 1,
        "nothing was spilled"
    );
    let before = meter.counts();
    let outcome = asker.outcome(&token).await.map_err(unexpected)?;
    let spent = meter.counts().since(&before);
    ensure!(spent.requests(RequestClass::ConditionalGet) == 1, "{spent:?}");
    let durable = final_value(&store, "count").await.is_some();
    for handle in [founder, manifest, asker] {
        handle.close().await;
    }
    Ok((outcome, spent.requests(RequestClass::Get), durable))
}

/// Long after the nonces are gone, `outcome` tells the truth from the log object that holds the place.
pub(crate) async fn outcome_is_found_in_a_log_object(tune: Tune) -> Verdict {
    for (shared, gets) in [(several_each(), 1), (spilled_at_once(), 0)] {
        for lands in [true, false] {
            let (outcome, spent, durable) = asked_later(shared, lands, tune).await?;
            ensure!(durable == lands, "durable: {durable}");
            let expected = match lands {
                true => CommitOutcome::Committed { txn: 1 },
                false => CommitOutcome::NotCommitted,
            };
            ensure!(outcome == expected, "told {outcome:?}, durable: {durable}");
            ensure!(spent == gets, "{spent} GETs of log objects where {gets} tell");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn outcome_tells_both_ways_from_a_log_object_by_one_more_get() {
    outcome_is_found_in_a_log_object(sound).await.unwrap();
}

fn many_commits(founder: &Manifest) -> Hook {
    let founder = founder.clone();
    Arc::new(move || {
        let founder = founder.clone();
        Box::pin(async move {
            founder.get("count").await.unwrap();
            fill(&founder, 0..40).await.unwrap();
        })
    })
}

/// The wire itself resolves a body whose place has moved into a log object while it waited for an answer.
pub(crate) async fn a_body_is_resolved_by_a_log_object(tune: Tune) -> Verdict {
    for shared in [several_each(), spilled_at_once()] {
        for lands in [true, false] {
            let (store, founder) = founded_with(shared).await;
            let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
            let fault = if lands {
                Fault::LostReply
            } else {
                Fault::LostRequest
            };
            faulty.on_put_then(fault, many_commits(&founder));
            let receipt = increment(&manifest, "count").await.map_err(unexpected)?;
            let txn = if lands { 1 } else { 41 };
            ensure!(
                receipt.txn == Some(txn),
                "landed: {lands}, told {:?}",
                receipt.txn
            );
            let count = final_value(&store, "count").await;
            ensure!(count.as_deref() == Some("1"), "counted {count:?}");
            for handle in [founder, manifest] {
                handle.close().await;
            }
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_wire_resolves_a_body_from_a_log_object() {
    a_body_is_resolved_by_a_log_object(sound).await.unwrap();
}

/// A batch is resolved by the place of its first member.
#[tokio::test(start_paused = true)]
async fn a_whole_batch_is_resolved_from_a_log_object() {
    for lands in [true, false] {
        let (store, founder) = founded_with(several_each()).await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let gate = crate::faulty::Gate::closed();
        faulty.on_put(Fault::HoldBefore(gate.clone()));
        let fault = if lands {
            Fault::LostReply
        } else {
            Fault::LostRequest
        };
        faulty.on_put_then(fault, many_commits(&founder));
        let mut commits = Vec::new();
        for member in 0..5 {
            let manifest = manifest.clone();
            commits.push(tokio::spawn(async move {
                increment(&manifest, &format!("member {member}")).await
            }));
            if member == 0 {
                gate.reached().await;
            }
            crate::support::settle().await;
        }
        gate.open();
        for (commit, place) in commits.into_iter().zip(1..) {
            let txn = commit.await.unwrap().unwrap().txn.unwrap();
            assert_eq!(txn, if lands || place == 1 { place } else { place + 40 });
        }
        for handle in [founder, manifest] {
            handle.close().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_log_object_leaves_the_outcome_unknown_for_now() {
    let (store, founder) = founded_with(several_each()).await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let token = unresolved(&faulty, &manifest).await.unwrap();
    fill(&founder, 0..40).await.unwrap();
    manifest.get("count").await.unwrap();
    faulty.on_log_get(Fault::StatusBefore(403));
    assert_eq!(
        manifest.outcome(&token).await.unwrap(),
        CommitOutcome::StillUnknown
    );
    assert_eq!(
        manifest.outcome(&token).await.unwrap(),
        CommitOutcome::NotCommitted
    );
    let closed = increment(&manifest, "count").await;
    assert!(closed.is_ok_and(|receipt| receipt.txn == Some(41)));
    manifest.close().await;
    let error = increment(&manifest, "count").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    founder.close().await;
}
