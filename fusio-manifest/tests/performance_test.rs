//! The runs that measure. Ignored, because they take minutes and want the machine for themselves:
//!
//! ```text
//! cargo test -p fusio-manifest --test performance_test test_baseline -- --ignored --nocapture
//! ```
//!
//! Each prints what it found, writes its files, and ends with one line `RESULT {json}`. README.md lists the
//! settings.

use manifest_perf::scenario;

/// Fails the test without a word more: the scenario has said why.
fn pass(outcome: Result<(), String>) {
    if let Err(why) = outcome {
        std::panic::resume_unwind(Box::new(why));
    }
}

#[test]
#[ignore = "measures for two minutes"]
fn test_baseline() {
    pass(scenario::baseline());
}

#[test]
#[ignore = "measures for two minutes"]
fn test_requests() {
    pass(scenario::requests());
}

#[test]
#[ignore = "measures for a minute and a half"]
fn test_group_commit() {
    pass(scenario::group_commit());
}

#[test]
#[ignore = "measures for a minute"]
fn test_contention() {
    pass(scenario::contention());
}

#[test]
#[ignore = "measures for half a minute"]
fn test_faults() {
    pass(scenario::faults());
}

#[test]
#[ignore = "kills processes for a minute"]
fn test_crash() {
    pass(scenario::crash("test_crash"));
}

#[test]
#[ignore = "measures for a minute"]
fn test_shared_reads() {
    pass(scenario::shared_reads());
}

#[test]
#[ignore = "loads a million keys, and measures for some minutes"]
fn test_scale() {
    pass(scenario::scale());
}

#[test]
#[ignore = "measures for about two minutes"]
fn test_comprehensive_sweep() {
    pass(scenario::sweep());
}

#[test]
#[ignore = "needs the files of a sweep"]
fn plot_latency_sweep() {
    pass(scenario::latency_sweep_plot());
}

#[test]
#[ignore = "sends about 2,600 requests to the store that the settings name"]
fn test_conformance() {
    pass(scenario::conformance());
}

#[test]
#[ignore = "plays 1,000 small runs in virtual time"]
fn test_simulation() {
    pass(scenario::simulation());
}

#[test]
#[ignore = "plays up to 1,000 small runs of each mutant"]
fn test_mutants() {
    pass(scenario::mutants());
}

#[test]
#[ignore = "looks for the highest rates in virtual time, or for one of them on a real store in two minutes"]
fn test_knee() {
    pass(scenario::knee());
}

#[test]
#[ignore = "works for half an hour"]
fn test_soak() {
    pass(scenario::soak("test_soak"));
}
