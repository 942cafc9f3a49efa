//! The runs that measure. Ignored, because they take minutes and want the machine for themselves:
//!
//! ```text
//! cargo test -p fusio-manifest --test performance_test test_baseline -- --ignored --nocapture
//! ```
//!
//! Each prints what it found, writes its files, and ends with one line `RESULT {json}`. README.md lists the
//! settings.

use manifest_perf::scenario;

#[cfg(test)]
#[path = "performance_test/canaries.rs"]
mod canaries;

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
#[ignore = "plays up to 3,000 small runs of each mutant"]
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

/// Not ignored: it measures nothing.
#[test]
fn runs_and_the_processes_that_they_start_tell_no_credentials() {
    let fixture = canaries::Fixture::new("no_credentials");
    for (scenario, variables) in [
        ("test_requests", &[("PERF_COMMITS", "20")][..]),
        ("test_scale", &[("PERF_KEYS", "1000"), ("PERF_TASKS", "2")]),
        ("test_crash", &[("PERF_DURATION_SECS", "1"), ("PERF_KILLS", "1")]),
        (
            "test_requests",
            &[
                ("PERF_COMMITS", "20"),
                ("AWS_SESSION_TOKEN", "another canary-session-token"),
            ],
        ),
    ] {
        let refused = variables.iter().any(|(name, _)| *name == "AWS_SESSION_TOKEN");
        let ran = fixture.run(scenario, variables);
        let stdout = String::from_utf8_lossy(&ran.output.stdout);
        let verdict = if refused {
            "\"verdict\":\"fail\""
        } else {
            "\"verdict\":\"pass\""
        };
        assert!(stdout.contains(verdict), "{scenario}: {:?}", ran.output);
        for printed in [&ran.output.stdout, &ran.output.stderr] {
            assert_eq!(
                canaries::found_in(printed),
                Vec::<&str>::new(),
                "{scenario}: {:?}",
                ran.output
            );
        }
        for arguments in &ran.seen {
            assert_eq!(
                canaries::found_in(arguments),
                Vec::<&str>::new(),
                "{}",
                String::from_utf8_lossy(arguments)
            );
        }
        let helper = |arguments: &Vec<u8>| {
            let arguments = String::from_utf8_lossy(arguments);
            arguments.contains("--include-ignored") && arguments.contains(scenario)
        };
        if cfg!(target_os = "linux") && scenario != "test_requests" {
            assert!(ran.seen.iter().any(helper), "{scenario} has started nobody");
        }
    }
    let files = fixture.files();
    for ending in [".csv", ".json", ".html", ".svg", ".hlog", "summary.md"] {
        let ends = |path: &std::path::Path| path.to_string_lossy().ends_with(ending);
        assert!(
            files.iter().any(|(path, bytes)| ends(path) && !bytes.is_empty()),
            "no {ending}"
        );
    }
    for (path, bytes) in &files {
        assert_eq!(
            canaries::found_in(bytes),
            Vec::<&str>::new(),
            "{}",
            path.display()
        );
    }
    // Were there one, it would be found.
    std::fs::write(fixture.out.join("leak.html"), "<td>canary-secret</td>").unwrap();
    let leaks = fixture
        .files()
        .into_iter()
        .filter(|(_, bytes)| !canaries::found_in(bytes).is_empty());
    assert_eq!(leaks.count(), 1);
}
