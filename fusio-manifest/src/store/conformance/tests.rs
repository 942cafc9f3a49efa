use super::{
    broken::{Broken, Flaw},
    *,
};
use crate::{
    clock::TokioClock,
    store::{StoreErrorKind, memory::MemoryStore},
};

async fn check(memory: &MemoryStore, flaw: Flaw) -> Result<Report, Failure> {
    run(
        Arc::new(Broken::new(memory.clone(), flaw)),
        &TokioClock::new(),
        "c/",
    )
    .await
}

async fn is_empty(memory: &MemoryStore) -> bool {
    memory.list("", None).await.unwrap().objects.is_empty()
}

#[tokio::test(start_paused = true)]
async fn each_flaw_fails_the_check_that_is_about_it() {
    for (flaw, expected, _) in Flaw::UNFIT {
        let memory = MemoryStore::new();
        let failure = check(&memory, *flaw).await.unwrap_err();
        assert_eq!(failure.check, *expected, "{flaw:?}: {failure}");
        assert!(failure.source.is_none(), "{flaw:?}: {failure}");
        assert!(failure.to_string().contains(expected.name()), "{failure}");
        assert!(
            is_empty(&memory).await,
            "{flaw:?}: the suite cleans up after a failure"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_more_than_the_caller_takes_is_found() {
    let failure = check(&MemoryStore::new(), Flaw::IgnoresBytesMax)
        .await
        .unwrap_err();
    assert_eq!(failure.check, Check::BytesMax, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn an_unreliable_network_fails_nothing() {
    for flaw in [Flaw::LosesReplies, Flaw::LosesRequests, Flaw::ReplaysPuts] {
        let memory = MemoryStore::new();
        let report = check(&memory, flaw).await.unwrap();
        assert_eq!(report.passed, Check::ALL, "{flaw:?}");
        assert!(is_empty(&memory).await, "{flaw:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_is_told_from_a_broken_rule() {
    let failure = check(&MemoryStore::new(), Flaw::Denies).await.unwrap_err();
    assert_eq!(failure.source.unwrap().kind, StoreErrorKind::Denied);
}

#[test]
fn names_and_rules_are_distinct() {
    let distinct = |words: fn(Check) -> &'static str| {
        let mut all: Vec<_> = Check::ALL.iter().copied().map(words).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    assert_eq!(distinct(Check::name), Check::ALL.len());
    assert_eq!(distinct(Check::rule), Check::ALL.len());
    assert!(Check::ALL.starts_with(Check::OF_THE_PROTOCOL));
}
