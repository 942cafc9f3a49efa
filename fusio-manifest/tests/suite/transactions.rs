//! Transactions: what they see, and what they conflict with.

use std::ops::Bound;

use fusio_manifest::{CommitOptions, ErrorKind, KeyRange, Manifest, Transaction};

use crate::support::{
    Tune, Verdict, cached, ensure, final_txn, final_value, founded, increment, incremented, open,
    open_faulty, options, put, sound, unexpected,
};

async fn filled(keys: &[&str]) -> (fusio_manifest::MemoryStore, Manifest) {
    let (store, manifest) = founded().await;
    for key in keys {
        put(&manifest, key, "old").await.unwrap();
    }
    (store, manifest)
}

#[tokio::test(start_paused = true)]
async fn a_transaction_reads_its_own_writes() {
    let (_, manifest) = filled(&["a", "b"]).await;
    let mut transaction = cached(&manifest).await;
    transaction.put("a", "new").unwrap();
    transaction.delete("b").unwrap();
    transaction.put("c", "").unwrap();
    assert_eq!(
        transaction.get("a").await.unwrap().as_deref(),
        Some(b"new".as_slice())
    );
    assert_eq!(transaction.get("b").await.unwrap(), None);
    assert_eq!(
        transaction.get("c").await.unwrap().as_deref(),
        Some(b"".as_slice()),
        "an empty value is a value"
    );
    assert_eq!(transaction.get("d").await.unwrap(), None);
    assert_eq!(
        manifest.get("a").await.unwrap().as_deref(),
        Some(b"old".as_slice()),
        "nobody else sees them"
    );
    transaction.commit().await.unwrap();
    assert_eq!(
        manifest.get("a").await.unwrap().as_deref(),
        Some(b"new".as_slice())
    );
    assert_eq!(manifest.get("b").await.unwrap(), None);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_scan_merges_staged_writes_and_deletions_in_key_order() {
    let (_, manifest) = filled(&["b", "d", "f", "h", "z"]).await;
    let mut transaction = cached(&manifest).await;
    transaction.put("a", "before the range").unwrap();
    for key in ["c", "d", "g", "i"] {
        transaction.put(key, "staged").unwrap();
    }
    for key in ["b", "e", "h"] {
        transaction.delete(key).unwrap();
    }
    let seen = transaction
        .scan(KeyRange::between("b", "j"))
        .collect()
        .await
        .unwrap();
    let seen: Vec<_> = seen
        .iter()
        .map(|(key, value)| (key.as_ref(), value.as_ref()))
        .collect();
    let expected: [(&[u8], &[u8]); 5] = [
        (b"c", b"staged"),
        (b"d", b"staged"),
        (b"f", b"old"),
        (b"g", b"staged"),
        (b"i", b"staged"),
    ];
    assert_eq!(seen, expected);
    manifest.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_scan_over_more_than_one_read_ahead_misses_nothing() {
    let (_, manifest) = founded().await;
    let mut transaction = cached(&manifest).await;
    for key in 0..1_000 {
        transaction.put(format!("{key:04}"), "v").unwrap();
    }
    transaction.commit().await.unwrap();
    let mut transaction = cached(&manifest).await;
    for key in (0..1_000).step_by(2) {
        transaction.delete(format!("{key:04}")).unwrap();
    }
    let seen = transaction.scan(KeyRange::all()).collect().await.unwrap();
    let expected: Vec<_> = (0..1_000)
        .filter(|key| key % 2 == 1)
        .map(|key| format!("{key:04}"))
        .collect();
    assert!(
        seen.iter()
            .map(|(key, _)| key.as_ref())
            .eq(expected.iter().map(String::as_bytes))
    );
    transaction.commit().await.unwrap();
    let seen = manifest
        .scan(KeyRange::all())
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert!(
        seen.iter()
            .map(|(key, _)| key.as_ref())
            .eq(expected.iter().map(String::as_bytes))
    );
    manifest.close().await;
}

/// Two transactions each read both keys and write one: one of them must be refused.
pub(crate) async fn write_skew_is_impossible(tune: Tune) -> Verdict {
    let (store, founder) = filled(&["a", "b"]).await;
    let one = open(&store, tune(options(2))).await;
    let other = open(&store, tune(options(3))).await;
    let mut results = Vec::new();
    let mut transactions = Vec::new();
    for (manifest, writes) in [(&one, "a"), (&other, "b")] {
        let mut transaction = cached(manifest).await;
        transaction.get("a").await.map_err(unexpected)?;
        transaction.get("b").await.map_err(unexpected)?;
        transaction.put(writes, "new").map_err(unexpected)?;
        transactions.push(transaction);
    }
    for transaction in transactions {
        results.push(transaction.commit().await);
    }
    for manifest in [founder, one, other] {
        manifest.close().await;
    }
    let committed = results.iter().filter(|result| result.is_ok()).count();
    ensure!(
        committed == 1,
        "{committed} of two skewed writes committed: {results:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn write_skew_cannot_happen() {
    write_skew_is_impossible(sound).await.unwrap();
}

/// What one transaction reads, what a foreign commit then writes, and whether the two conflict.
async fn conflicts(read: impl AsyncFn(&mut Transaction), foreign: &str) -> Result<(), ErrorKind> {
    let (store, founder) = filled(&["b", "d", "f"]).await;
    let manifest = open(&store, options(2)).await;
    let mut transaction = cached(&manifest).await;
    read(&mut transaction).await;
    transaction.put("x", "mine").unwrap();
    put(&founder, foreign, "theirs").await.unwrap();
    let result = transaction.commit().await;
    let durable = final_value(&store, "x").await.is_some();
    assert_eq!(result.is_ok(), durable, "{result:?}");
    founder.close().await;
    manifest.close().await;
    result.map(drop).map_err(|error| error.kind())
}

#[tokio::test(start_paused = true)]
async fn an_absent_key_that_appears_conflicts() {
    let read = async |transaction: &mut Transaction| assert_eq!(transaction.get("c").await.unwrap(), None);
    assert_eq!(conflicts(read, "c").await, Err(ErrorKind::Conflict));
    assert_eq!(conflicts(read, "cc").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_appears_in_a_scanned_range_conflicts() {
    let read = async |transaction: &mut Transaction| {
        transaction
            .scan(KeyRange::between("b", "e"))
            .collect()
            .await
            .unwrap();
    };
    for (foreign, expected) in [
        ("b", Err(ErrorKind::Conflict)),
        ("c", Err(ErrorKind::Conflict)),
        ("d0", Err(ErrorKind::Conflict)),
        ("a", Ok(())),
        ("e", Ok(())),
    ] {
        assert_eq!(
            conflicts(read, foreign).await,
            expected,
            "a foreign write of {foreign}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_consumed_part_of_a_scan_conflicts() {
    let read = async |transaction: &mut Transaction| {
        let mut scan = transaction.scan(KeyRange::all());
        assert_eq!(scan.next().await.unwrap().unwrap().0, "b");
        assert_eq!(scan.next().await.unwrap().unwrap().0, "d");
    };
    for (foreign, expected) in [
        ("a", Err(ErrorKind::Conflict)),
        ("c", Err(ErrorKind::Conflict)),
        ("d", Err(ErrorKind::Conflict)),
        ("e", Ok(())),
        ("f", Ok(())),
    ] {
        assert_eq!(
            conflicts(read, foreign).await,
            expected,
            "a foreign write of {foreign}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_that_holds_nothing_conflicts_with_nothing_and_hides_nothing() {
    let read = async |transaction: &mut Transaction| {
        let all = KeyRange::bounds(Bound::Included("b"), Bound::Included("d"));
        transaction.scan(all).collect().await.unwrap();
        // It begins where the other one ended, and lies the wrong way round.
        let inverted = KeyRange::bounds(Bound::Excluded("d"), Bound::Included("a"));
        assert!(transaction.scan(inverted).collect().await.unwrap().is_empty());
    };
    assert_eq!(
        conflicts(read, "c").await,
        Err(ErrorKind::Conflict),
        "the first scan is forgotten"
    );
    assert_eq!(conflicts(read, "e").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn blind_writes_never_conflict() {
    let (store, one) = founded().await;
    let other = open(&store, options(2)).await;
    let mut transaction = cached(&other).await;
    transaction.put("k", "second").unwrap();
    transaction.get("k").await.unwrap();
    put(&one, "k", "first").await.unwrap();
    let receipt = transaction.commit().await.unwrap();
    assert_eq!(receipt.txn, Some(2));
    assert_eq!(final_value(&store, "k").await.as_deref(), Some("second"));
    one.close().await;
    other.close().await;
}

#[tokio::test(start_paused = true)]
async fn disjoint_keys_of_two_handles_both_commit() {
    use fusio_manifest::AttemptOutcome::{Committed, LostRace};
    let (store, one) = founded().await;
    let other = open(&store, options(2)).await;
    let late = incremented(&other, "b").await.unwrap();
    increment(&one, "a").await.unwrap();
    let receipt = late.commit().await.unwrap();
    assert_eq!((receipt.txn, receipt.snapshot), (Some(2), 0));
    let outcomes: Vec<_> = receipt.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [LostRace, Committed]);
    one.close().await;
    other.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_conflict_names_the_key_and_the_commit() {
    let (store, one) = filled(&["a/1", "a/2"]).await;
    let other = open(&store, options(2)).await;
    let late = incremented(&other, "count").await.unwrap();
    increment(&one, "count").await.unwrap();
    let error = late.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.is_conflict() && error.is_retryable() && !error.outcome_unknown());
    let message = error.to_string();
    assert!(
        message.contains("\"count\"") && message.contains("commit 3"),
        "{message}"
    );
    assert_eq!(error.attempts().len(), 1);
    one.close().await;
    other.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_single_attempt_that_loses_its_race_leaves_nothing() {
    let (store, one) = founded().await;
    let (faulty, other) = open_faulty(&store, options(2)).await;
    let late = incremented(&other, "b").await.unwrap();
    increment(&one, "a").await.unwrap();
    let once = CommitOptions {
        single_attempt: true,
        ..CommitOptions::default()
    };
    let error = late.commit_with(once).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    assert_eq!(faulty.bodies().len(), 1);
    assert_eq!(final_value(&store, "b").await, None);
    incremented(&other, "b")
        .await
        .unwrap()
        .commit_with(once)
        .await
        .unwrap();
    assert_eq!(
        (final_value(&store, "b").await.as_deref(), final_txn(&store).await),
        (Some("1"), 2)
    );
    one.close().await;
    other.close().await;
}
