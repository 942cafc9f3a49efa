//! What a wrong ETag can do to commits that come after it: nothing is overwritten that nobody here has seen, and nobody is
//! told a wrong word.

use std::sync::{Arc, atomic::Ordering};

use fusio_manifest::{ErrorKind, Manifest};

use crate::{
    liar::{Liar, Lie},
    world::{PREFIX, built, close, hurried, patient, put, reopened},
};

/// A PUT of HEAD is answered with an ETag that HEAD does not have. The next commit on it is refused by the store; then the
/// handle looks, sees its own HEAD under its right ETag, and goes on with that.
#[tokio::test(start_paused = true)]
async fn a_handle_that_was_told_a_wrong_etag_takes_the_one_that_head_has() {
    let store = built().await;
    let liar = Liar::over(store.clone(), Lie::PutHasETag("\"made up\"".to_owned()));
    let manifest = Manifest::open(Arc::new(liar.clone()), PREFIX, hurried(5))
        .await
        .unwrap();
    liar.turn();
    put(&manifest, "a", "1").await.unwrap();
    liar.turned(false);
    // On a made-up ETag: refused, and as far as is known here it may still come to be applied.
    let error = put(&manifest, "b", "2").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{error}");
    put(&manifest, "c", "3").await.unwrap();
    let token = error.token().unwrap();
    let outcome = manifest.outcome(token).await.unwrap();
    assert_eq!(outcome, fusio_manifest::CommitOutcome::NotCommitted);
    close(&manifest).await;
    let reader = reopened(&store).await;
    for (key, there) in [("a", true), ("b", false), ("c", true)] {
        assert_eq!(reader.get(key).await.unwrap().is_some(), there, "{key}");
    }
}

/// The ETag of a HEAD that was replaced is told for the one that replaced it: it cannot be, since the bytes differ.
#[tokio::test(start_paused = true)]
async fn an_etag_that_did_not_change_with_head_is_not_believed() {
    let store = built().await;
    let liar = Liar::over(store.clone(), Lie::PutHasOldETag);
    let manifest = Manifest::open(Arc::new(liar.clone()), PREFIX, patient(5))
        .await
        .unwrap();
    liar.turn();
    for number in 0..3 {
        put(&manifest, &format!("new {number}"), "1").await.unwrap();
    }
    close(&manifest).await;
    let reader = reopened(&store).await;
    for number in 0..3 {
        assert!(reader.get(format!("new {number}")).await.unwrap().is_some());
    }
    assert_ne!(liar.asked.load(Ordering::SeqCst), u64::MAX);
}
