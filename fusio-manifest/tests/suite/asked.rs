//! Commits whose outcome their clients were not told: the harness asks the engine afterwards, and puts what it
//! says into the history.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{CommitOutcome, SystemClock};
use manifest_perf::{
    checker,
    history::Outcome,
    interrupt::Interrupt,
    progress::Progress,
    run::{Asked, Cell, CellOutcome, Prepared},
    settings::Settings,
    store_under_test::StoreUnderTest,
    target::engine::Engine,
};

/// One commit in one second, on a store with these faults.
async fn one_commit(faults: &str) -> (CellOutcome, Vec<Asked>) {
    let settings = Settings::from_env([
        ("PERF_NUM_READERS", "0"),
        ("PERF_WRITER_RATE", "1"),
        ("PERF_DURATION_SECS", "1"),
        ("PERF_WARMUP_SECS", "0"),
        ("PERF_LATENCY", "get=2,put=4,cas=4"),
        ("PERF_FAULTS", faults),
    ])
    .unwrap();
    let clock = Arc::new(SystemClock);
    let store = StoreUnderTest::connect(&settings, clock.clone()).await.unwrap();
    let mut engine = Engine::default();
    engine.options.commit_timeout = Duration::from_millis(100);
    let cell = Cell {
        name: "asked".to_owned(),
        config: &settings.workload,
        settings: &settings,
        store: &store,
        meters: Arc::clone(&store.meters),
        shared_handle: false,
        crew: None,
        target: &engine,
        clock,
        interrupt: &Interrupt::new(),
        progress: &Progress::new(),
    };
    store.calm();
    let mut prepared = Prepared::new(&cell).await.unwrap();
    let offered = prepared.offer().await.unwrap();
    let asked = prepared.ask_about_unknown().await;
    store.calm();
    let outcome = prepared.finish(offered.measured, false, offered.undrained).await;
    assert_eq!(store.clean_up().await, None);
    let verdict = checker::check(&outcome.history, outcome.final_state.as_ref().ok());
    assert!(verdict.strictly_serializable(), "{verdict}");
    (outcome, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_reply_was_lost_is_found() {
    let faults = "cas key=*/HEAD first=1 after drop; get key=*/HEAD to=1500ms reset";
    let (outcome, asked) = Box::pin(one_commit(faults)).await;
    let [
        Asked {
            operation,
            answer,
            told: _,
        },
    ] = asked[..]
    else {
        panic!("{asked:?}")
    };
    let Some(CommitOutcome::Committed { txn }) = answer else {
        panic!("{answer:?}")
    };
    let resolved = outcome
        .history
        .operations
        .iter()
        .find(|other| other.id == operation);
    assert_eq!(resolved.unwrap().txn(), Some(txn));
    assert_eq!(outcome.final_state.unwrap().entries.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_is_told_so_once_head_has_moved() {
    let faults = "cas key=*/HEAD first=1 before drop; get key=*/HEAD to=1500ms reset";
    let (outcome, asked) = Box::pin(one_commit(faults)).await;
    let [
        Asked {
            operation,
            answer,
            told: _,
        },
    ] = asked[..]
    else {
        panic!("{asked:?}")
    };
    assert_eq!(answer, Some(CommitOutcome::NotCommitted));
    let resolved = outcome
        .history
        .operations
        .iter()
        .find(|other| other.id == operation);
    assert!(matches!(resolved.unwrap().outcome, Outcome::Failed { .. }));
    // The first key of the set-up, and the one that moved HEAD.
    assert!(outcome.final_state.unwrap().entries.len() >= 2);
}
