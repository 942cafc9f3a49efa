//! The harness over the engine as it is, and over engines that are broken on purpose: the run's own checker
//! must tell them apart.

use std::sync::Arc;

use fusio_manifest::{Mutant, SystemClock};
use manifest_perf::{
    checker::{self, Verdict, ViolationKind},
    interrupt::Interrupt,
    progress::Progress,
    run::{Cell, CellOutcome, run_loop},
    settings::Settings,
    store_under_test::StoreUnderTest,
    target::engine::Engine,
};

/// Two writers that fight over two keys, many operations of each at once, and two readers, for a second.
const CONTENDED: [(&str, &str); 11] = [
    ("PERF_WRITER_KIND", "writer"),
    ("PERF_NUM_WRITERS", "2"),
    ("PERF_NUM_READERS", "2"),
    ("PERF_WRITER_RATE", "200"),
    ("PERF_READER_RATE", "200"),
    ("PERF_DURATION_SECS", "1"),
    ("PERF_WARMUP_SECS", "0"),
    ("PERF_KEY_POOL_SIZE", "2"),
    ("PERF_KEY_OVERLAP_RATIO", "1"),
    ("PERF_MAX_RETRY_COUNT", "2"),
    ("PERF_LATENCY", "get=2,put=4,cas=4"),
];

async fn measured(mutant: Option<Mutant>) -> (CellOutcome, Verdict) {
    let settings = Settings::from_env(CONTENDED).unwrap();
    let clock = Arc::new(SystemClock);
    let store = StoreUnderTest::connect(&settings, clock.clone()).await.unwrap();
    let mut engine = Engine::default();
    engine.options.mutant = mutant;
    let outcome = run_loop(&Cell {
        name: "contended".to_owned(),
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
    })
    .await
    .unwrap();
    assert_eq!(store.clean_up().await, None);
    let verdict = checker::check(&outcome.history, outcome.final_state.as_ref().ok());
    (outcome, verdict)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contended_run_of_the_engine_is_strictly_serializable() {
    let (outcome, verdict) = measured(None).await;
    assert!(verdict.strictly_serializable(), "{verdict}");
    assert!(verdict.final_state_checked);
    let conflicts = checker::conflicts_justified(&outcome.history, outcome.final_state.as_ref().ok());
    assert!(conflicts.passed() && conflicts.conflicts > 0, "{conflicts}");
    assert!(verdict.commits > 20 && verdict.reads > 300, "{verdict}");
    assert_eq!(outcome.undrained, 0);
    // Every commit that was acknowledged within the measurement, and every read, was paid for once at least.
    let commits = outcome.metrics.writer.acknowledged.count();
    assert!(
        outcome.requests.writers.conditional_put.requests >= commits / 64,
        "{:?}",
        outcome.requests
    );
    assert!(outcome.requests.readers.conditional_get.requests > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_validation_is_caught() {
    let (_, verdict) = measured(Some(Mutant::SkipValidation)).await;
    assert!(
        verdict.counts.contains_key(&ViolationKind::LostUpdate),
        "{verdict}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_reads_from_its_cache_is_caught() {
    let (_, verdict) = measured(Some(Mutant::ReadCached)).await;
    assert!(!verdict.passed(), "{verdict}");
}
