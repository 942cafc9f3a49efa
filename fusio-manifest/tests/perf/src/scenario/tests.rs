//! Scenarios in virtual time: what a run comes to, and that a seed decides every byte of it.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{lifecycle::put_down, *};
use crate::{
    export::{RunFacts, columns_csv, detail_csv, write_numbers},
    history::write_jsonl,
    plot,
    run::run_loop,
    simulate,
};

mod bill;

/// These settings as a scenario adjusts them, and what it says of that.
pub(super) fn adjusted(
    adjust: impl FnOnce(&mut Settings) -> Result<Option<String>, String>,
    vars: &[(&str, &str)],
) -> (Settings, Result<Option<String>, String>) {
    let mut settings = Settings::from_env(vars.iter().copied()).unwrap();
    let said = adjust(&mut settings);
    (settings, said)
}

/// Carries out `body` in virtual time, with these settings: for the tests of any scenario.
pub(super) fn simulated<T>(vars: &[(&str, &str)], body: impl AsyncFnOnce(&Context) -> T) -> T {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let out = std::env::temp_dir().join(format!("manifest-perf-simulated-{}-{call}", std::process::id()));
    let own = [("PERF_STORE", "simulated"), ("PERF_OUT", out.to_str().unwrap())];
    let settings = Settings::from_env([&own, vars].concat()).unwrap();
    let done = simulate::run(async |clock| {
        let context = Context::open("test", settings, Arc::new(clock), Interrupt::new());
        body(&context.await.unwrap()).await
    });
    fs::remove_dir_all(&out).unwrap();
    done.unwrap()
}

/// A load that meets conflicts, rebases, faults and retries within a few seconds.
const BUSY: &[(&str, &str)] = &[
    ("PERF_NUM_WRITERS", "4"),
    ("PERF_WRITER_RATE", "2"),
    ("PERF_READER_RATE", "20"),
    ("PERF_DURATION_SECS", "8"),
    ("PERF_WARMUP_SECS", "0.5"),
    (
        "PERF_FAULTS",
        "cas key=*/HEAD after p=0.05 drop; get p=0.02 status=503; cas p=0.02 late=300ms",
    ),
];

/// What a run leaves behind, byte by byte.
#[derive(Debug, PartialEq)]
struct Left {
    columns: String,
    detail: String,
    history: String,
}

fn left_by(vars: &[(&str, &str)]) -> Left {
    simulated(vars, async |context| {
        let workload = &context.settings.workload;
        let engine = context.engine();
        let outcome = run_loop(&context.cell("bytes".to_owned(), workload, &engine))
            .await
            .unwrap();
        let cell = context.summarize(workload, &outcome);
        let facts = RunFacts::new(&context.settings, context.environment.finish(), Verdict::Pass);
        let mut history = Vec::new();
        write_jsonl(
            &mut history,
            &outcome.history,
            Some(outcome.final_state.as_ref().unwrap()),
        )
        .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Left {
            columns: text(columns_csv(std::slice::from_ref(&cell)).unwrap()),
            detail: text(detail_csv(std::slice::from_ref(&cell), &facts).unwrap()),
            history: text(history),
        }
    })
}

#[test]
fn a_seed_decides_every_byte_of_a_run() {
    for kind in ["monotonic", "writer"] {
        let vars = [BUSY, &[("PERF_WRITER_KIND", kind)]].concat();
        let left = left_by(&vars);
        assert_eq!(left, left_by(&vars), "{kind}");
        let other = left_by(&[&vars[..], &[("PERF_SEED", "43")]].concat());
        assert_ne!(left.columns, other.columns, "{kind}");
        assert_ne!(left.history, other.history, "{kind}");
    }
}

#[test]
fn conflicts_of_four_poisson_writers_are_predicted() {
    let vars = [
        ("PERF_NUM_WRITERS", "4"),
        ("PERF_WRITER_RATE", "2"),
        ("PERF_ARRIVALS", "poisson"),
        ("PERF_READER_RATE", "1"),
        ("PERF_DURATION_SECS", "120"),
    ];
    simulated(&vars, async |context| {
        let outcome = baseline::run_cell(context, 1).await.unwrap();
        let detail = context.summarize(&context.settings.workload, &outcome).detail;
        let (attempts, conflicts) = (detail.attempts.total(), detail.conflicts);
        assert!(attempts >= 1_000, "{attempts}");
        assert!(
            conflicts.residual().abs() < 0.15 * conflicts.rate,
            "{attempts} {conflicts:?}"
        );
    });
}

#[test]
fn a_run_under_faults_is_strictly_serializable_and_meets_them() {
    simulated(BUSY, async |context| {
        let outcome = baseline::run_cell(context, 1).await.unwrap();
        let cell = context.summarize(&context.settings.workload, &outcome);
        let judgement = baseline::judge(context, &outcome, &cell);
        // Four writers twice a second lose more races than the baseline allows; all else must hold.
        let failures: Vec<_> = (judgement.failures.iter())
            .filter(|failure| !failure.contains("lost their precondition"))
            .collect();
        assert!(failures.is_empty(), "{failures:?}");
        let attempts = &cell.detail.attempts;
        assert!(attempts.lost_race > 0 && attempts.unknown > 0, "{attempts:?}");
    });
}

#[test]
fn a_short_baseline_passes_in_virtual_time() {
    let vars = [("PERF_WRITER_RATE", "1"), ("PERF_DURATION_SECS", "8")];
    simulated(&vars, async |context| {
        let outcome = baseline::run_cell(context, 1).await.unwrap();
        let cell = context.summarize(&context.settings.workload, &outcome);
        let judgement = baseline::judge(context, &outcome, &cell);
        assert!(judgement.failures.is_empty(), "{:?}", judgement.failures);
        assert_eq!(
            judgement.verified,
            [
                "monotonic keys",
                "no duplicates",
                "all writes in the final state",
                "strictly serializable"
            ]
        );
        let detail = &cell.detail;
        assert_eq!(
            (detail.writes, cell.columns.total_reads, detail.dropped()),
            (8, 1_600, 0)
        );
        assert_eq!(
            (detail.requests_per_commit_total, detail.requests_per_read),
            (Some(1.0), Some(1.0))
        );
        // The least that a histogram holds.
        assert_eq!(detail.lateness.max_ms, Some(0.001));
        let near = |got: Option<f64>, want: f64| (got.unwrap() / want - 1.0).abs() < 0.1;
        assert!(
            near(cell.columns.read_p50_ms, 27.0),
            "{:?}",
            cell.columns.read_p50_ms
        );
        assert!(near(detail.floor_put.p50_ms, 61.0), "{:?}", detail.floor_put);
        assert_eq!(outcome.measured, context.settings.workload.duration);
        assert!(context.virtual_time().unwrap().starts_with("Virtual time: 1"));
    });
}

#[test]
fn a_run_ends_with_a_report_of_its_files_and_the_same_bytes_twice() {
    let report = || {
        let vars = [("PERF_WRITER_RATE", "1"), ("PERF_DURATION_SECS", "4")];
        simulated(&vars, async |context| {
            let outcome = baseline::run_cell(context, 1).await.unwrap();
            let cell = context.summarize(&context.settings.workload, &outcome);
            let facts = RunFacts::new(&context.settings, context.environment.finish(), Verdict::Pass);
            write_numbers(&context.folder, "test", std::slice::from_ref(&cell), &facts).unwrap();
            let plan = Plan {
                name: "test",
                title: "Test",
                estimate: |_| RequestCounts::default(),
                duration: |_| Duration::ZERO,
                adjust: as_given,
            };
            let ended = Ended::<()> {
                verdict: Verdict::Pass,
                valid: true,
                reason: None,
                fields: None,
            };
            let result = put_down(&plan, context, ended);
            assert_eq!((result.verdict, result.reason), (Verdict::Pass, None));
            fs::read_to_string(context.folder.path().join(plot::REPORT)).unwrap()
        })
    };
    let page = report();
    for text in [
        ">PASS<",
        "s3-standard",
        "w1_r1",
        "dollars per million commits",
        "<svg",
    ] {
        assert!(page.contains(text), "{text} is missing from {page}");
    }
    assert!(!page.contains("NaN"), "{page}");
    assert_eq!(page, report());
}

/// Ten commits a second, and a store that answers no PUT for 1.4 s.
#[test]
fn a_stall_shows_in_response_times_and_not_in_service_times() {
    let vars = [
        ("PERF_WRITER_RATE", "10"),
        ("PERF_READER_RATE", "1"),
        ("PERF_DURATION_SECS", "60"),
        ("PERF_FAULTS", "cas from=20s to=21400ms stall"),
    ];
    simulated(&vars, async |context| {
        let outcome = baseline::run_cell(context, 1).await.unwrap();
        let write = context
            .summarize(&context.settings.workload, &outcome)
            .detail
            .write;
        let (response, service) = (write.response.p99_ms.unwrap(), write.service.p99_ms.unwrap());
        assert!(response > 1_000.0, "{response}");
        assert!(service < 100.0, "{service}");
        // The one commit that met the stall.
        assert!(write.service.max_ms.unwrap() > 1_000.0, "{:?}", write.service);
    });
}
