use std::sync::Arc;

use super::*;
use crate::{
    clock::SystemClock,
    head::{InlineCommit, Write},
    id::{ManifestId, Nonce, TransactionId},
    options::SharedSettings,
    store::ETag,
};

fn first() -> Head {
    Head::first(
        ManifestId::from_bits(1),
        Nonce::from_bits(1),
        SharedSettings::default(),
    )
}

/// `head` replaced by one that commits a transaction of this id.
fn next(head: &Head, id: u128) -> Head {
    let writes = vec![Write {
        key: "k".into(),
        value: Some(format!("{id}").into()),
    }];
    let commit = InlineCommit::new(head.last_txn + 1, TransactionId::from_bits(id), writes);
    head.with_commits(Nonce::from_bits(id + 1_000), &[Arc::new(commit)])
        .unwrap()
}

fn state(head: &Head) -> State {
    State::build(
        head.clone(),
        ETag::new(format!("\"{}\"", head.nonce().unwrap())),
        0,
        &crate::log_store::Logged::new(),
    )
    .unwrap()
}

fn cache(head: &Head) -> HeadCache {
    HeadCache::new(
        Arc::new(SystemClock),
        state(head),
        Duration::ZERO,
        Broken::default(),
    )
}

fn revision(cache: &HeadCache) -> u64 {
    cache.current().unwrap().state.head.revision
}

#[test]
fn only_a_higher_revision_is_installed_when_answers_overtake_each_other() {
    let (one, cache) = (first(), cache(&first()));
    let two = next(&one, 2);
    let slow = cache.sent();
    let fast = cache.sent();
    assert_eq!(
        cache
            .install(state(&two), fast, Author::Somebody)
            .unwrap()
            .state
            .head
            .revision,
        2
    );
    // Sent before revision 2 was received: merely overtaken, and answered with the newer state.
    assert_eq!(
        cache
            .install(state(&one), slow, Author::Somebody)
            .unwrap()
            .state
            .head
            .revision,
        2
    );
    assert_eq!(revision(&cache), 2);
}

#[test]
fn an_older_state_in_answer_to_a_later_request_stops_the_handle() {
    let (one, cache) = (first(), cache(&first()));
    let sent = cache.sent();
    cache
        .install(state(&next(&one, 2)), sent, Author::Somebody)
        .unwrap();
    let later = cache.sent();
    let error = cache.install(state(&one), later, Author::Somebody).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreWentBack);
    assert_eq!(cache.current().unwrap_err().kind(), ErrorKind::StoreWentBack);
}

#[test]
fn an_old_etag_that_matches_again_stops_the_handle() {
    let (one, cache) = (first(), cache(&first()));
    let old = state(&one);
    let sent = cache.sent();
    cache
        .install(state(&next(&one, 2)), sent, Author::Somebody)
        .unwrap();
    let later = cache.sent();
    assert_eq!(
        cache.certify(&old, later).unwrap_err().kind(),
        ErrorKind::StoreWentBack
    );
}

#[test]
fn another_nonce_for_a_known_revision_stops_the_handle() {
    let one = first();
    let cache = cache(&next(&one, 2));
    let fork = next(&next(&one, 3), 4);
    let sent = cache.sent();
    let error = cache.install(state(&fork), sent, Author::Somebody).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreWentBack);
}

#[test]
fn a_fork_past_the_ring_is_known_by_the_transaction_at_the_last_commit() {
    let one = first();
    let cache = cache(&next(&one, 2));
    let mut fork = next(&one, 3);
    for nonce in 0..40 {
        fork = fork.with_commits(Nonce::from_bits(9_000 + nonce), &[]).unwrap();
    }
    let sent = cache.sent();
    let error = cache.install(state(&fork), sent, Author::Somebody).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreWentBack);
    assert!(error.to_string().contains("commit 1"), "{error}");
}

#[test]
fn another_manifest_is_told_and_not_installed() {
    let cache = cache(&first());
    let other = Head::first(
        ManifestId::from_bits(2),
        Nonce::from_bits(9),
        SharedSettings::default(),
    );
    let sent = cache.sent();
    assert_eq!(
        cache
            .install(state(&other), sent, Author::Somebody)
            .unwrap_err()
            .kind(),
        ErrorKind::Replaced
    );
    assert_eq!(revision(&cache), 1);
}

#[test]
fn staleness_counts_from_the_send_of_the_newest_look() {
    let (one, cache) = (first(), cache(&first()));
    let early = cache.sent();
    let late = cache.sent();
    assert_eq!(cache.certify(&state(&one), late).unwrap().sent, late);
    assert_eq!(cache.certify(&state(&one), early).unwrap().sent, late);
}
