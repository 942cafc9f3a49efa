//! The last limit, where no table can be written and so nothing be folded: HEAD names so many log objects and no more.
//! What needs one is refused, all else goes on.

use fusio_manifest::{Error, ErrorKind, Manifest, MemoryStore, Receipt, SharedSettings, Transaction, limits};

use std::time::Duration;

use crate::{
    faulty::{Fault, FaultyStore, Gate},
    spill::KIB,
    support::{
        cached, final_state, founded_with, increment, open_faulty, options, pause, put, settle, unfolded,
    },
};

/// After this long a handle tries again to fold, however little has changed.
const RETRY_AFTER: Duration = Duration::from_secs(11);

/// A transaction over what may stand inline here.
async fn large(manifest: &Manifest, key: &str) -> Transaction {
    let mut transaction = cached(manifest).await;
    transaction.put(key.to_owned(), vec![7; 5 * KIB]).unwrap();
    transaction
}

async fn commit_large(manifest: &Manifest, key: &str) -> Result<Receipt, Error> {
    large(manifest, key).await.commit().await
}

/// A manifest whose HEAD names so many log objects.
async fn with_objects(count: usize) -> (MemoryStore, FaultyStore, Manifest) {
    with_objects_in(count, unfolded()).await
}

async fn with_objects_in(count: usize, shared: SharedSettings) -> (MemoryStore, FaultyStore, Manifest) {
    let shared = SharedSettings {
        transaction_inline_bytes: 4 * KIB as u64,
        ..shared
    };
    let (store, founder) = founded_with(shared).await;
    founder.close().await;
    let (faulty, manifest) = open_faulty(&store, options(2)).await;
    faulty.refuse_tables();
    for _ in 0..count {
        commit_large(&manifest, "large").await.unwrap();
    }
    assert_eq!(manifest.info().unwrap().log_objects, count);
    faulty.forget_requests();
    (store, faulty, manifest)
}

fn refused_as_full(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(!error.outcome_unknown() && !error.is_retryable());
    let message = error.to_string();
    assert!(
        message.contains("1024 log objects") && message.contains("tables"),
        "{message}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_manifest_at_its_limit_refuses_large_commits_and_takes_small_ones() {
    let (store, faulty, manifest) = with_objects(limits::LOG_OBJECTS_MAX).await;
    refused_as_full(&commit_large(&manifest, "too much").await.unwrap_err());
    assert!(
        faulty.log_puts().is_empty() && faulty.bodies().is_empty(),
        "it sent something"
    );
    for number in 0..100 {
        put(&manifest, &format!("small {number}"), &"v".repeat(KIB))
            .await
            .unwrap();
    }
    assert!(
        manifest.info().unwrap().inline_bytes > 64 * KIB,
        "a spill was due"
    );
    assert_eq!((faulty.bodies().len(), faulty.log_puts().len()), (100, 0));
    let why = manifest.maintain().await.unwrap_err();
    assert_eq!(why.kind(), ErrorKind::Refused, "{why}");
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!((entries.len(), txn), (101, limits::LOG_OBJECTS_MAX as u64 + 100));
    manifest.close().await;
}

/// Then HEAD fills up to its cap, and not a byte beyond.
#[tokio::test(start_paused = true)]
async fn a_full_manifest_refuses_and_is_still_read() {
    let (store, faulty, manifest) = with_objects(limits::LOG_OBJECTS_MAX).await;
    let mut small = 0;
    let error = loop {
        match put(&manifest, &format!("small {small}"), &"v".repeat(3 * KIB)).await {
            Ok(_) => small += 1,
            Err(error) => break error,
        }
    };
    refused_as_full(&error);
    let largest = faulty.bodies().iter().map(|body| body.len()).max().unwrap();
    assert!(
        (limits::HEAD_BYTES_MAX - 4 * KIB..=limits::HEAD_BYTES_MAX).contains(&largest),
        "{largest}"
    );
    // What still fits is still taken.
    increment(&manifest, "count").await.unwrap();
    let (entries, txn) = final_state(&store).await.unwrap();
    assert_eq!(entries.len(), small + 2);
    assert_eq!(txn, (limits::LOG_OBJECTS_MAX + small + 1) as u64);
    manifest.close().await;
}

/// Commits that need a log object are all there are: one of them folds, and is committed.
#[tokio::test(start_paused = true)]
async fn when_the_store_is_well_again_a_large_commit_makes_its_own_room() {
    let (store, faulty, manifest) = with_objects(limits::LOG_OBJECTS_MAX).await;
    refused_as_full(&commit_large(&manifest, "too much").await.unwrap_err());
    faulty.heal();
    pause(RETRY_AFTER).await;
    commit_large(&manifest, "taken").await.unwrap();
    let info = manifest.info().unwrap();
    assert!(
        info.runs == 1 && info.log_objects < limits::LOG_OBJECTS_MAX,
        "{info:?}"
    );
    let (entries, _) = final_state(&store).await.unwrap();
    assert!(entries.contains_key("taken") && !entries.contains_key("too much"));
    manifest.close().await;
}

/// HEAD has no room for the commit even with the fold in it, since the objects that were folded last are named still:
/// the fold goes alone, and the next one makes room.
#[tokio::test(start_paused = true)]
async fn a_fold_that_no_commit_can_carry_goes_alone() {
    let of_few_objects = SharedSettings {
        fold_bytes: 164 * KIB as u64,
        ..unfolded()
    };
    let (store, faulty, manifest) = with_objects_in(limits::LOG_OBJECTS_MAX, of_few_objects).await;
    let mut small = 0;
    // To the last byte: it cannot name a log object either.
    for bytes in [3 * KIB, 200, 1] {
        while put(&manifest, &format!("small {small}"), &"v".repeat(bytes))
            .await
            .is_ok()
        {
            small += 1;
        }
    }
    faulty.heal();
    pause(RETRY_AFTER).await;
    faulty.forget_requests();
    put(&manifest, "after", &"v".repeat(200)).await.unwrap();
    let info = manifest.info().unwrap();
    assert!(info.log_objects < limits::LOG_OBJECTS_MAX, "{info:?}");
    assert!(faulty.bodies().len() > 1, "{} HEADs", faulty.bodies().len());
    let largest = faulty.bodies().iter().map(|body| body.len()).max().unwrap();
    assert!(largest <= limits::HEAD_BYTES_MAX, "{largest}");
    assert_eq!(final_state(&store).await.unwrap().0.len(), small + 2);
    manifest.close().await;
}

/// One place is left, and a batch wants two: one gets it, one is refused, and who needs none is not held up.
#[tokio::test(start_paused = true)]
async fn the_last_log_object_goes_to_the_first_of_a_batch() {
    let (store, faulty, manifest) = with_objects(limits::LOG_OBJECTS_MAX - 1).await;
    let gate = Gate::closed();
    faulty.on_put(Fault::HoldBefore(gate.clone()));
    let mut commits = vec![tokio::spawn({
        let manifest = manifest.clone();
        async move { increment(&manifest, "first").await }
    })];
    gate.reached().await;
    for key in ["large 1", "large 2"] {
        commits.push(tokio::spawn(large(&manifest, key).await.commit()));
        settle().await;
    }
    commits.push(tokio::spawn({
        let manifest = manifest.clone();
        async move { increment(&manifest, "small").await }
    }));
    settle().await;
    gate.open();
    let mut results = Vec::new();
    for commit in commits {
        results.push(commit.await.unwrap());
    }
    refused_as_full(&results.remove(2).unwrap_err());
    let txns: Vec<_> = results
        .into_iter()
        .map(|result| result.unwrap().txn.unwrap())
        .collect();
    assert_eq!(txns, [1024, 1025, 1026]);
    let (entries, _) = final_state(&store).await.unwrap();
    assert!(entries.contains_key("large 1") && !entries.contains_key("large 2"));
    manifest.close().await;
}

/// The last name was taken while the spill's objects were written.
#[tokio::test(start_paused = true)]
async fn a_spill_that_head_has_no_more_names_for_is_let_go() {
    let (store, faulty, manifest) = with_objects(limits::LOG_OBJECTS_MAX - 1).await;
    let gate = Gate::closed();
    faulty.on_log_put(Fault::HoldBefore(gate.clone()));
    let mut number = 0;
    while faulty.log_puts().is_empty() {
        put(&manifest, &format!("small {number}"), &"v".repeat(KIB))
            .await
            .unwrap();
        settle().await;
        number += 1;
    }
    gate.reached().await;
    commit_large(&manifest, "last").await.unwrap();
    assert_eq!(manifest.info().unwrap().log_objects, limits::LOG_OBJECTS_MAX);
    gate.open();
    settle().await;
    put(&manifest, "after", "v").await.unwrap();
    manifest.close().await;
    let newcomer = open_faulty(&store, options(3)).await.1;
    assert_eq!(newcomer.info().unwrap().log_objects, limits::LOG_OBJECTS_MAX);
    put(&newcomer, "newcomer's", "v").await.unwrap();
    newcomer.close().await;
}
