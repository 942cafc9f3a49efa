//! PUTs that arrive after their sender gave them up, and commits that could not be resolved.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{AttemptOutcome, CommitOptions, CommitOutcome, ErrorKind, Manifest};

use crate::{
    faulty::{Fault, FaultyStore, Hook},
    outcomes::foreign_commit,
    support::{
        HEAD, Tune, Verdict, ensure, final_txn, final_value, founded, increment, incremented,
        object_with_etag, open_faulty, options, remove, sound,
    },
};

fn seconds(timeout: u64) -> CommitOptions {
    CommitOptions {
        timeout: Some(Duration::from_secs(timeout)),
        ..CommitOptions::default()
    }
}

fn late_arrives(faulty: &FaultyStore) -> Hook {
    let faulty = faulty.clone();
    Arc::new(move || {
        let faulty = faulty.clone();
        Box::pin(async move {
            for answer in faulty.deliver_late().await {
                answer.unwrap();
            }
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_sent_again_with_the_same_bytes() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.on_put(Fault::LostRequest);
    faulty.on_put(Fault::StatusBefore(500));
    increment(&manifest, "count").await.unwrap();
    let bodies = faulty.bodies();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(final_value(&store, "count").await.as_deref(), Some("1"));
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_put_that_lands_before_the_resend_is_found() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.on_put(Fault::Late);
    // The look still sees the base; then the late copy lands, and the resend meets it.
    faulty.on_get_then(Fault::Pass, late_arrives(&faulty));
    let receipt = increment(&manifest, "count").await.unwrap();
    let outcomes: Vec<_> = receipt.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(
        outcomes,
        [AttemptOutcome::Unknown, AttemptOutcome::OwnEarlierSuccess]
    );
    assert_eq!(
        (
            final_value(&store, "count").await.as_deref(),
            final_txn(&store).await
        ),
        (Some("1"), 1)
    );
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_late_put_finds_its_base_replaced() {
    for key in ["count", "foreign"] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        faulty.on_put_then(Fault::Late, foreign_commit(&founder, key));
        let result = increment(&manifest, "count").await;
        assert_eq!(result.is_ok(), key == "foreign", "{result:?}");
        assert!(faulty.deliver_late().await[0].is_err());
        assert_eq!(final_value(&store, "count").await.as_deref(), Some("1"));
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_put_after_its_resend_changes_nothing() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.on_put(Fault::Late);
    increment(&manifest, "count").await.unwrap();
    assert!(faulty.deliver_late().await[0].is_err());
    increment(&manifest, "count").await.unwrap();
    assert_eq!(final_value(&store, "count").await.as_deref(), Some("2"));
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_resolution_long_after_the_nonces_are_gone_goes_by_transaction_ids() {
    for applied in [true, false] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let many: Hook = Arc::new({
            let founder = founder.clone();
            move || {
                let founder = founder.clone();
                Box::pin(async move {
                    founder.get("x").await.unwrap();
                    for _ in 0..40 {
                        increment(&founder, "foreign").await.unwrap();
                    }
                })
            }
        });
        faulty.on_put_then(
            if applied {
                Fault::LostReply
            } else {
                Fault::LostRequest
            },
            many,
        );
        let receipt = increment(&manifest, "count").await.unwrap();
        assert_eq!(receipt.txn, Some(if applied { 1 } else { 41 }));
        assert_eq!(
            (
                final_value(&store, "count").await.as_deref(),
                final_txn(&store).await
            ),
            (Some("1"), 41)
        );
        founder.close().await;
        manifest.close().await;
    }
}

/// A commit whose PUT is late and whose looks all fail, so that it ends as unknown.
async fn unresolved(faulty: &FaultyStore, manifest: &Manifest) -> fusio_manifest::CommitToken {
    faulty.on_put(Fault::Late);
    (0..1_000).for_each(|_| faulty.on_get(Fault::StatusBefore(503)));
    let error = incremented(manifest, "count")
        .await
        .unwrap()
        .commit_with(seconds(5))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
    assert!(error.outcome_unknown() && !error.is_retryable());
    assert_eq!(error.attempts().len(), 1);
    faulty.heal();
    error.token().unwrap().clone()
}

/// As long as HEAD stands where a late PUT expects it, nobody is told that it will not land: it does.
pub(crate) async fn nothing_is_told_while_a_late_put_may_land(tune: Tune) -> Verdict {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, tune(options(2))).await;
    let token = unresolved(&faulty, &manifest).await;
    let told = manifest.outcome(&token).await.unwrap();
    faulty.deliver_late().await[0].as_ref().unwrap();
    ensure!(
        told == CommitOutcome::StillUnknown,
        "{told:?} was told of a commit that landed later"
    );
    founder.close().await;
    manifest.close().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn outcome_tells_committed_once_the_late_put_has_landed() {
    nothing_is_told_while_a_late_put_may_land(sound).await.unwrap();
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let token = unresolved(&faulty, &manifest).await;
    faulty.deliver_late().await[0].as_ref().unwrap();
    let committed = CommitOutcome::Committed { txn: 1 };
    assert_eq!(manifest.outcome(&token).await.unwrap(), committed);
    for _ in 0..40 {
        founder.get("x").await.unwrap();
        increment(&founder, "foreign").await.unwrap();
    }
    assert_eq!(manifest.outcome(&token).await.unwrap(), committed);
    assert_eq!(
        founder.outcome(&token).await.unwrap(),
        committed,
        "any handle can tell"
    );
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn outcome_tells_not_committed_once_head_has_moved() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let token = unresolved(&faulty, &manifest).await;
    increment(&founder, "foreign").await.unwrap();
    assert_eq!(
        manifest.outcome(&token).await.unwrap(),
        CommitOutcome::NotCommitted
    );
    assert!(faulty.deliver_late().await[0].is_err());
    assert_eq!(
        manifest.outcome(&token).await.unwrap(),
        CommitOutcome::NotCommitted
    );
    assert_eq!(final_value(&store, "count").await, None);
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_on_the_base_of_an_unresolved_one_lands_after_it_or_kills_it() {
    for late_lands_first in [true, false] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let token = unresolved(&faulty, &manifest).await;
        if late_lands_first {
            faulty.deliver_late().await[0].as_ref().unwrap();
        }
        // On the cached base: it reads what the unresolved one wrote.
        let result = increment(&manifest, "count").await;
        faulty.deliver_late().await;
        let outcome = manifest.outcome(&token).await.unwrap();
        if late_lands_first {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Conflict);
            assert_eq!(outcome, CommitOutcome::Committed { txn: 1 });
        } else {
            result.unwrap();
            assert_eq!(outcome, CommitOutcome::NotCommitted);
        }
        assert_eq!(
            (
                final_value(&store, "count").await.as_deref(),
                final_txn(&store).await
            ),
            (Some("1"), 1)
        );
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_deleted_while_resolving_leaves_the_commit_unknown() {
    for fault in [Fault::LostRequest, Fault::LostReply] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        let deletes: Hook = Arc::new({
            let store = store.clone();
            move || {
                let store = store.clone();
                Box::pin(async move { remove(&store, HEAD).await })
            }
        });
        faulty.on_put_then(fault, deletes);
        let error = increment(&manifest, "count").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitUnknown);
        let token = error.token().unwrap();
        assert_eq!(
            manifest.outcome(token).await.unwrap_err().kind(),
            ErrorKind::HeadLost
        );
        assert_eq!(
            increment(&manifest, "count").await.unwrap_err().kind(),
            ErrorKind::HeadLost
        );
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_refused_after_an_unknown_copy_is_no_proof() {
    for code in [400, 403, 404, 413] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        faulty.on_put(Fault::Late);
        (0..1_000).for_each(|_| faulty.on_put(Fault::StatusBefore(code)));
        let error = incremented(&manifest, "count")
            .await
            .unwrap()
            .commit_with(seconds(5))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{code}");
        faulty.deliver_late().await[0].as_ref().unwrap();
        let outcome = manifest.outcome(error.token().unwrap()).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed { txn: 1 }, "{code}");
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_attempt_that_lost_only_its_reply_is_committed() {
    for fault in [Fault::LostReply, Fault::Replay, Fault::StatusAfter(503)] {
        let (store, founder) = founded().await;
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        faulty.on_put_then(fault, foreign_commit(&founder, "count"));
        let once = CommitOptions {
            single_attempt: true,
            ..CommitOptions::default()
        };
        let receipt = incremented(&manifest, "count")
            .await
            .unwrap()
            .commit_with(once)
            .await
            .unwrap();
        assert_eq!(receipt.txn, Some(1));
        assert_eq!(final_value(&store, "count").await.as_deref(), Some("2"));
        founder.close().await;
        manifest.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_still_shows_the_base_proves_nothing() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    let (base, etag) = object_with_etag(&store, HEAD).await;
    faulty.on_put(Fault::LostReply);
    (0..3).for_each(|_| faulty.on_get(Fault::Shows(base.clone(), etag.clone())));
    let receipt = increment(&manifest, "count").await.unwrap();
    assert_eq!(receipt.txn, Some(1));
    assert_eq!(
        (
            final_value(&store, "count").await.as_deref(),
            final_txn(&store).await
        ),
        (Some("1"), 1)
    );
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_shows_less_than_the_base_stops_the_handle() {
    for fault in [
        Fault::LostReply,
        Fault::LostRequest,
        Fault::StatusBefore(412),
        Fault::Replay,
    ] {
        let (store, founder) = founded().await;
        let (older, etag) = object_with_etag(&store, HEAD).await;
        increment(&founder, "foreign").await.unwrap();
        let (faulty, manifest) = open_faulty(&store, options(2)).await;
        faulty.on_put(fault.clone());
        faulty.on_get(Fault::Shows(older, etag));
        let error = increment(&manifest, "count").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{fault:?}");
        let error = increment(&manifest, "count").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreWentBack, "{fault:?}");
        assert_eq!(faulty.bodies().len(), 1, "{fault:?}");
        founder.close().await;
        manifest.close().await;
    }
}
