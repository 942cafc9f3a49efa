//! What a handle refuses: what is over a limit, what it has no room for, what comes after close.

use std::time::Duration;

use fusio_manifest::{ErrorKind, Options, limits};

use crate::{
    faulty::{Fault, Gate},
    support::{
        cached, final_txn, final_value, founded, founded_with, increment, incremented, open_faulty, options,
        put, settle, unfolded,
    },
};

#[tokio::test(start_paused = true)]
async fn what_is_over_a_limit_is_refused_when_it_is_staged() {
    let (_, manifest) = founded().await;
    let mut transaction = cached(&manifest).await;
    let refused = |result: fusio_manifest::Result<()>, limit: usize| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(&limit.to_string()), "{error}");
    };
    refused(transaction.put("", "v"), limits::KEY_BYTES_MAX);
    refused(
        transaction.put(vec![b'k'; limits::KEY_BYTES_MAX + 1], "v"),
        limits::KEY_BYTES_MAX,
    );
    refused(
        transaction.delete(vec![b'k'; limits::KEY_BYTES_MAX + 1]),
        limits::KEY_BYTES_MAX,
    );
    refused(
        transaction.put("k", vec![0; limits::VALUE_BYTES_MAX + 1]),
        limits::VALUE_BYTES_MAX,
    );
    assert!(transaction.is_read_only(), "what was refused is not staged");
    for key in 0..7 {
        transaction
            .put(format!("{key}"), vec![0; limits::VALUE_BYTES_MAX])
            .unwrap();
    }
    transaction
        .put("7", vec![0; limits::VALUE_BYTES_MAX - 8])
        .unwrap();
    refused(transaction.put("8", ""), limits::TRANSACTION_BYTES_MAX);
    transaction.put("7", "shorter").unwrap();
    transaction.put("8", "").unwrap();
    let mut transaction = cached(&manifest).await;
    for key in 0..limits::TRANSACTION_WRITES_MAX {
        transaction.delete(format!("{key}")).unwrap();
    }
    refused(transaction.delete("one more"), limits::TRANSACTION_WRITES_MAX);
    transaction.put("0", "again").unwrap();
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_head_cannot_name_is_refused_and_one_that_stands_inline_is_not() {
    let (store, founder) = founded_with(unfolded()).await;
    founder.close().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.refuse_tables();
    let large = vec![0; 20_000];
    for number in 0..limits::LOG_OBJECTS_MAX {
        let mut transaction = cached(&manifest).await;
        transaction.put(format!("{number}"), large.clone()).unwrap();
        transaction.commit().await.unwrap();
    }
    let mut one_more = cached(&manifest).await;
    one_more.put("large", large).unwrap();
    let error = one_more.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.to_string().contains("1024"), "{error}");
    increment(&manifest, "small").await.unwrap();
    assert_eq!(final_txn(&store).await, limits::LOG_OBJECTS_MAX as u64 + 1);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn so_many_commits_are_under_way_and_no_more() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(
        &store,
        Options {
            commit_queue: 2,
            ..options(2)
        },
    )
    .await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let commit = |key: &'static str| {
        let manifest = manifest.clone();
        tokio::spawn(async move { put(&manifest, key, "v").await })
    };
    let first = commit("a");
    gate.reached().await;
    let second = commit("b");
    settle().await;
    let error = put(&manifest, "d", "v").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.is_retryable() && error.to_string().contains('2'), "{error}");
    gate.open();
    for commit in [first, second] {
        commit.await.unwrap().unwrap();
    }
    assert_eq!(
        (final_txn(&store).await, final_value(&store, "d").await),
        (2, None)
    );
    // Who has been answered makes place before hearing of it.
    for _ in 0..10 {
        let commits = [commit("a"), commit("b")];
        for commit in commits {
            commit.await.unwrap().unwrap();
        }
    }
    founder.close().await;
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_handle_answers_what_it_took_and_takes_no_more() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.on_put(Fault::Delay(Duration::from_secs(1)));
    let transaction = incremented(&manifest, "a").await.unwrap();
    let too_late = incremented(&manifest, "b").await.unwrap();
    let commit = tokio::spawn(transaction.commit());
    settle().await;
    let closing = tokio::spawn({
        let manifest = manifest.clone();
        async move { manifest.close().await }
    });
    settle().await;
    assert_eq!(too_late.commit().await.unwrap_err().kind(), ErrorKind::Closed);
    closing.await.unwrap();
    assert!(
        commit.is_finished(),
        "close returned before the commits were answered"
    );
    commit.await.unwrap().unwrap();
    assert_eq!(final_value(&store, "a").await.as_deref(), Some("1"));
    founder.close().await;
}

#[tokio::test(start_paused = true)]
async fn every_close_waits_for_the_commits_that_were_made() {
    let (store, founder) = founded().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.on_put(Fault::Delay(Duration::from_secs(1)));
    let commit = tokio::spawn(incremented(&manifest, "a").await.unwrap().commit());
    settle().await;
    let closing = tokio::spawn({
        let manifest = manifest.clone();
        async move { manifest.close().await }
    });
    settle().await;
    // Whoever closed first may have given up waiting.
    closing.abort();
    manifest.close().await;
    settle().await;
    assert!(
        commit.is_finished(),
        "the second close returned before the commits were answered"
    );
    commit.await.unwrap().unwrap();
    founder.close().await;
}
