//! A soak of seconds. The process that works is this very program: see `scenario::soak`.

#![expect(clippy::unwrap_used, reason = "tests, and what they share")]

use std::{fs, path::Path};

use fusio_manifest::Mutant;
use manifest_perf::scenario;
use serde_json::Value;

/// Runs it, and tells how it ended, its result line and its rows.
fn run(test: &str, seconds: &str, mutant: Option<Mutant>) -> (Result<(), String>, Value, String) {
    // Nothing is touched before the call: in the process it does not return.
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let settings = [
        ("PERF_OUT", out.to_str().unwrap()),
        ("PERF_LATENCY", "none"),
        ("PERF_DURATION_SECS", seconds),
    ];
    let ended = scenario::soak_given(test, settings, mutant);
    let result = fs::read(out.join("latest/test_soak.result.json")).unwrap();
    let rows = fs::read_to_string(out.join("latest/test_soak.csv")).unwrap();
    let report = fs::read_to_string(out.join("latest/report.html")).unwrap();
    assert!(report.contains("What the process takes"), "{report}");
    fs::remove_dir_all(&out).unwrap();
    (ended, serde_json::from_slice(&result).unwrap(), rows)
}

#[test]
fn what_a_process_did_is_checked_and_what_it_took_is_a_row_a_second() {
    let (ended, result, rows) = run(
        "what_a_process_did_is_checked_and_what_it_took_is_a_row_a_second",
        "4",
        None,
    );
    let count = |name: &str| result[name].as_u64().unwrap();
    assert_eq!(ended, Ok(()), "{result}");
    assert_eq!((count("intervals"), rows.lines().count()), (4, 5), "{result}");
    // 16 a second fall due; on a busy machine the last ones are begun when the last row is written.
    assert!((32..=64).contains(&count("commits_offered")), "{result}");
    assert!(count("commits_ok") > 0 && count("reads") > 40, "{result}");
    for nothing in [
        "lost",
        "doubled",
        "orphans_after_collect",
        "missing",
        "verify_findings",
    ] {
        assert_eq!(count(nothing), 0, "{nothing}: {result}");
    }
    assert_eq!(result["judged_from_s"], Value::Null, "{result}");
}

/// A spill of an acknowledged commit may take seconds to come on a busy machine: then it goes on for longer.
#[test]
fn an_engine_that_loses_writes_is_found_out() {
    let broken = Some(Mutant::SpillLeavesOutLast);
    let found = ["8", "16", "32", "64"].into_iter().find_map(|seconds| {
        let (ended, result, _) = run("an_engine_that_loses_writes_is_found_out", seconds, broken);
        ended.is_err().then_some(result)
    });
    let result = found.unwrap();
    assert_eq!(result["verdict"], "fail", "{result}");
}
