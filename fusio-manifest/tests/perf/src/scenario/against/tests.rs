//! Whether comparisons say what they should: of equal runs nothing, of slower ones that they are slower. In virtual
//! time, where a pair of short runs takes a tenth of a second.

use super::*;
use crate::{
    scenario::{baseline, tests::simulated},
    summary::LogErrors,
};

const USUAL: &str = "s3-standard";
/// S3 Standard with every median 15 % longer.
const SLOWER: &str = "get=31.05:0.62,put=69:0.29,cas=70.15:0.14";

const CONDITIONS: Conditions<'_> = Conditions {
    store: "simulated",
    has_faults: false,
    open_loop: true,
};

/// A sixth of the baseline's reads.
const LIGHT: &[(&str, &str)] = &[
    ("PERF_DURATION_SECS", "20"),
    ("PERF_WRITER_RATE", "1"),
    ("PERF_READER_RATE", "50"),
];
/// The busiest cell of the sweep.
const SWEEP: &[(&str, &str)] = &[
    ("PERF_DURATION_SECS", "60"),
    ("PERF_NUM_WRITERS", "3"),
    ("PERF_WRITER_RATE", "0.2"),
];
/// Writers that lose two races in five, and wait for their own earlier commits.
const CONTENDED: &[(&str, &str)] = &[
    ("PERF_DURATION_SECS", "60"),
    ("PERF_NUM_WRITERS", "4"),
    ("PERF_WRITER_RATE", "2"),
    ("PERF_READER_RATE", "20"),
    ("PERF_ARRIVALS", "poisson"),
];

/// A cell under this load with this seed and these latencies.
fn cell(seed: u64, latency: &str, load: &[(&str, &str)]) -> Row {
    let seed = seed.to_string();
    let vars = [&[("PERF_SEED", seed.as_str()), ("PERF_LATENCY", latency)], load].concat();
    simulated(&vars, async |context| {
        let outcome = baseline::run_cell(context, 1).await.unwrap();
        Row::from(&context.summarize(&context.settings.workload, &outcome))
    })
}

fn held(old: Row, new: &Row) -> Comparison {
    let earlier = Recording {
        name: "old.csv".to_owned(),
        rows: vec![old],
        facts: None,
        repeats: Vec::new(),
    };
    compare(&earlier, std::slice::from_ref(new), CONDITIONS)
}

/// Seeds from here on played no part when the noise was chosen.
const UNSEEN: u64 = 1_000_001;

/// As an older version would have left it: without the errors of its percentiles.
fn bare(mut row: Row) -> Row {
    if let Some(detail) = &mut row.detail {
        (detail.write_log_errors, detail.read_log_errors) = (LogErrors::default(), LogErrors::default());
    }
    row
}

/// In how many pairs something was told.
#[derive(Debug, Default, PartialEq)]
struct Told {
    /// With the errors that both runs left.
    by_blocks: u64,
    /// If the older one left none.
    by_prior: u64,
    /// Request counts that were called grown.
    failed: u64,
}

/// Pairs of runs with seeds of their own, from `first` on, the second with these latencies.
fn told(first: u64, pairs: u64, latency: &str, load: &[(&str, &str)]) -> Told {
    let mut told = Told::default();
    for pair in 0..pairs {
        let seed = first + 2 * pair;
        let (old, new) = (cell(seed, USUAL, load), cell(seed + 1, latency, load));
        told.by_prior += u64::from(held(bare(old.clone()), &new).has_changes());
        let comparison = held(old, &new);
        told.by_blocks += u64::from(comparison.has_changes());
        told.failed += u64::from(!comparison.failures().is_empty());
    }
    told
}

#[test]
fn equal_runs_have_not_changed() {
    assert_eq!(told(1, 20, USUAL, LIGHT), Told::default());
}

#[test]
fn a_store_that_is_15_percent_slower_is_told() {
    let told = told(1, 10, SLOWER, LIGHT);
    assert!(told.by_blocks >= 9, "{told:?}");
    assert_eq!(told.failed, 0, "latency alone fails nothing");
}

#[test]
#[ignore = "simulates 960 runs: five minutes"]
fn of_100_equal_pairs_98_have_not_changed_and_of_slower_ones_9_in_10_have() {
    for (name, load) in [("light", LIGHT), ("sweep", SWEEP), ("contended", CONTENDED)] {
        let (equal, slower) = (told(UNSEEN, 100, USUAL, load), told(UNSEEN, 60, SLOWER, load));
        println!("{name}: changed of 100 equal pairs {equal:?}, of 60 slower ones {slower:?}");
        assert!(
            equal.by_blocks <= 2 && equal.by_prior <= 2 && equal.failed == 0,
            "{name}: {equal:?}"
        );
        assert!(slower.by_blocks >= 54, "{name}: {slower:?}");
    }
}
