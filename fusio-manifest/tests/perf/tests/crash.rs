//! Real processes that are killed, for a few seconds. The processes are this very program: see `scenario::crash`.

#![expect(clippy::unwrap_used, reason = "tests, and what they share")]

use std::{fs, path::Path};

use fusio_manifest::Mutant;
use manifest_perf::scenario;
use serde_json::Value;

/// Runs it, and tells how it ended and its result line.
fn run(test: &str, settings: &[(&str, &str)], mutant: Option<Mutant>) -> (Result<(), String>, Value) {
    // Nothing is touched before the call: in the processes it does not return.
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let own = [
        ("PERF_OUT", out.to_str().unwrap()),
        ("PERF_LATENCY", "none"),
        ("PERF_NUM_WRITERS", "4"),
        ("PERF_NUM_READERS", "2"),
    ];
    let ended = scenario::crash_given(test, [&own, settings].concat(), mutant);
    let result = fs::read(out.join("latest/test_crash.result.json")).unwrap();
    fs::remove_dir_all(&out).unwrap();
    (ended, serde_json::from_slice(&result).unwrap())
}

#[test]
fn nothing_is_lost_with_processes_that_are_killed() {
    let settings = [("PERF_DURATION_SECS", "3"), ("PERF_KILLS", "10")];
    let (ended, result) = run("nothing_is_lost_with_processes_that_are_killed", &settings, None);
    let count = |name: &str| result[name].as_u64().unwrap();
    assert_eq!(ended, Ok(()), "{result}");
    assert!(count("kills") >= 10 && count("kills_at_random") <= 10, "{result}");
    assert!(count("points_hit") > 0 && count("commits_ok") > 0, "{result}");
    for nothing in [
        "lost",
        "doubled",
        "orphans_after_collect",
        "missing",
        "verify_findings",
    ] {
        assert_eq!(count(nothing), 0, "{nothing}: {result}");
    }
}

/// On a busy machine seconds may pass without a spill of an acknowledged commit, and only spills are broken: then it goes on
/// for longer.
#[test]
fn an_engine_that_loses_writes_is_found_out() {
    let broken = Some(Mutant::SpillLeavesOutLast);
    let found = ["3", "6", "12", "24", "48"].into_iter().find_map(|seconds| {
        let settings = [("PERF_DURATION_SECS", seconds), ("PERF_KILLS", "3")];
        let (ended, result) = run("an_engine_that_loses_writes_is_found_out", &settings, broken);
        ended.is_err().then_some(result)
    });
    let result = found.unwrap();
    assert_eq!(result["verdict"], "fail", "{result}");
    assert!(result["lost"].as_u64().unwrap() > 0, "{result}");
}
