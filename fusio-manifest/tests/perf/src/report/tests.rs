use super::*;
use crate::metrics::Latencies;

fn printed(report: &Report<'_>) -> String {
    let mut out = Vec::new();
    write_results(&mut out, report).unwrap();
    String::from_utf8(out).unwrap()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

const BASELINE: &str = "\
=== Running Baseline Test ===
Store: embedded S3, simulated latency s3-standard (seed 42)
Duration: 120.00s

--- Write Metrics ---
Total attempts:        12
Successful commits:    12
Precondition failures: 0
Write TPS:             0.10
Write latency (p50/p95/p99): 65.0ms / 71.0ms / 71.0ms (n=12)

--- Read Metrics ---
Total reads:           24000
Read TPS:              200.0
Read latency (p50/p95/p99): 69.1ms / 114.0ms / 118.0ms

📊 Latency Summary:
  Writer p50: 65.02ms, p99: 71.04ms (n=12)
  Reader p50: 69.06ms, p99: 118.02ms
  Precondition failures: 0 (0.00%)

Verification: monotonic keys, strictly serializable
✅ All tests passed

--- Floor: bare requests to the same store at the same time ---
Conditional PUT p50:   60.0ms
Conditional GET p50:   27.0ms
Commit p50 / PUT p50:  1.08 (n=12)
Read p50 / GET p50:    2.56

--- Requests and Dollars ---
Requests per commit:   1.00 waited for, 1.25 with maintenance
Requests per read:     1.00
Dollars per 1,000 commits: 0.006250
Dollars per 1,000 reads:   0.000400
Dollars of lost races:     0.000000
Dollars of the run:        0.011384 at prices of s3-standard us-east-1

--- Load Generator ---
Lateness (p50/p99/max): 0.20ms / 0.20ms / 0.20ms
Dropped arrivals:       0
Longest write backlog:  0
Offered as configured:  yes

Files:
  target/perf/latest/test_baseline.csv
";

#[test]
fn a_baseline_reads_as_it_should() {
    let settings = Settings::from_env::<&str, &str>([]).unwrap();
    let mut header = Vec::new();
    write_header(
        &mut header,
        "Baseline Test",
        &store_line(&settings),
        settings.workload.duration,
    )
    .unwrap();
    let results = printed(&Report {
        open_loop: true,
        cell: &example::cell(),
        verdict: Verdict::Pass,
        verified: &words(&["monotonic keys", "strictly serializable"]),
        failures: &[],
        files: &["target/perf/latest/test_baseline.csv".into()],
    });
    assert_eq!(String::from_utf8(header).unwrap() + &results, BASELINE);
}

#[test]
fn a_failure_is_listed_and_never_called_passed() {
    let mut cell = example::cell();
    cell.detail.validity = Validity::Invalid("p99 lateness 9.0 ms is above 5.0 ms".to_owned());
    cell.detail.writes_unknown = 1;
    let report = Report {
        open_loop: true,
        cell: &cell,
        verdict: Verdict::Fail,
        verified: &[],
        failures: &words(&["LostWrite: key_000003"]),
        files: &[],
    };
    let text = printed(&report);
    assert!(
        text.contains("Verification: nothing was checked\n❌ Failed\n  - LostWrite: key_000003\n"),
        "{text}"
    );
    assert!(
        text.contains("Offered as configured:  no: p99 lateness 9.0 ms is above 5.0 ms\n"),
        "{text}"
    );
    assert!(text.contains("Unknown outcome:       1\n"), "{text}");
    assert!(!text.contains("passed") && !text.contains("Files:"), "{text}");
    let interrupted = printed(&Report {
        open_loop: true,
        verdict: Verdict::Interrupted,
        ..report
    });
    assert!(
        interrupted.contains("Interrupted") && !interrupted.contains("passed"),
        "{interrupted}"
    );
}

#[test]
fn what_has_no_samples_is_not_available() {
    let mut cell = example::cell();
    cell.detail.write.response = Spread::new(&Latencies::default());
    cell.detail.commit_floor_ratio = None;
    let report = Report {
        open_loop: true,
        cell: &cell,
        verdict: Verdict::Fail,
        verified: &[],
        failures: &[],
        files: &[],
    };
    let text = printed(&report);
    assert!(
        text.contains("Write latency (p50/p95/p99): n/a / n/a / n/a (n=0)\n"),
        "{text}"
    );
    assert!(text.contains("Commit p50 / PUT p50:  n/a (n=0)\n"), "{text}");
}

#[test]
fn the_store_line_names_what_was_measured() {
    let line = |vars: &[(&str, &str)]| store_line(&Settings::from_env(vars.iter().copied()).unwrap());
    assert_eq!(
        line(&[
            ("PERF_FAULTS", "drop"),
            ("PERF_LATENCY", "none"),
            ("PERF_SEED", "7")
        ]),
        "embedded S3, simulated latency none, faults drop (seed 7)"
    );
    let simulated = [("PERF_STORE", "simulated")];
    assert_eq!(line(&simulated), "simulated, latency s3-standard (seed 42)");
    let faulty = [simulated.as_slice(), &[("PERF_FAULTS", "drop")]].concat();
    assert_eq!(
        line(&faulty),
        "simulated, latency s3-standard, faults drop (seed 42)"
    );
    let s3 = [("PERF_STORE", "s3"), ("PERF_S3_BUCKET", "bucket")];
    assert_eq!(line(&s3), "S3, bucket bucket at AWS (seed 42)");
    let own = [s3.as_slice(), &[("PERF_S3_ENDPOINT", "http://localhost:8333")]].concat();
    assert_eq!(line(&own), "S3, bucket bucket at http://localhost:8333 (seed 42)");
}

#[test]
fn the_markdown_tables_are_whole() {
    let cell = example::cell();
    let failures = words(&["two\nlines"]);
    let report = Report {
        open_loop: true,
        cell: &cell,
        verdict: Verdict::Fail,
        verified: &[],
        failures: &failures,
        files: &[],
    };
    let text = markdown_summary("test_baseline", "embedded S3", &report);
    assert!(
        text.contains("### test_baseline: fail\n\nembedded S3\n\n- failed: two lines\n"),
        "{text}"
    );
    assert!(
        text.contains("| commit (n=12) | 65.0ms | 71.0ms | 71.0ms | 71.0ms |\n"),
        "{text}"
    );
    for line in text.lines().filter(|line| line.starts_with('|')) {
        assert!(matches!(line.matches('|').count(), 3 | 6), "{line}");
    }
}
