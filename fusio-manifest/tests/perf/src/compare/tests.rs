use super::{
    gate::{Gated, Order, judge},
    noise::{Machine, Source},
    *,
};
use crate::{
    export::{columns_csv, detail_csv},
    report::example,
    settings::Settings,
    summary::{Columns, LogErrors},
};

const CONDITIONS: Conditions<'_> = Conditions {
    store: "simulated",
    has_faults: false,
    open_loop: true,
};

fn row() -> Row {
    Row::from(&example::cell())
}

fn recording() -> Recording {
    Recording {
        name: "old.csv".to_owned(),
        rows: vec![row()],
        facts: None,
        repeats: Vec::new(),
    }
}

fn changed(change: impl FnOnce(&mut Row)) -> Comparison {
    let mut new = row();
    change(&mut new);
    compare(&recording(), &[new], CONDITIONS)
}

fn judged(comparison: &Comparison, metric: Metric) -> Judged {
    let mut lines = comparison.lines.iter().filter(|line| line.metric == metric);
    lines.next().unwrap().judged.clone()
}

fn detail(row: &mut Row) -> &mut RowDetail {
    row.detail.as_mut().unwrap()
}

#[test]
fn a_run_against_itself_has_changed_in_nothing() {
    let comparison = changed(|_| {});
    assert_eq!(comparison.lines.len(), Metric::ALL.len());
    assert!(
        !comparison.has_changes() && comparison.failures().is_empty(),
        "{comparison:?}"
    );
    // 12 commits: nothing can be said of the tail.
    assert_eq!(
        judged(&comparison, Metric::Write(Percentile::P99)),
        Judged::Open("few samples")
    );
    assert_eq!(
        judged(&comparison, Metric::Write(Percentile::P50)),
        Judged::Within
    );
}

#[test]
fn a_change_counts_from_the_noise_on_and_has_a_direction() {
    let p50 = Metric::Read(Percentile::P50);
    let by = |factor: f64| {
        let comparison = changed(|row| {
            row.columns.read_p50_ms = row.columns.read_p50_ms.map(|ms| ms * factor);
        });
        judged(&comparison, p50)
    };
    let limit = match changed(|_| {}).lines[3].limit.unwrap() {
        Limit {
            size: noise::Size::Log(limit),
            source: Source::Blocks,
        } => limit,
        other => panic!("{other:?}"),
    };
    assert!((0.005..0.1).contains(&limit), "{limit}");
    assert_eq!(by((limit * 0.99).exp()), Judged::Within);
    assert_eq!(by((limit * 1.01).exp()), Judged::Worse);
    assert_eq!(by((-limit * 1.01).exp()), Judged::Better);
    let slower = changed(|row| row.columns.read_tps *= 0.8);
    assert_eq!(judged(&slower, Metric::ReadTps), Judged::Worse);
    assert!(slower.failures().is_empty(), "only counts fail a run");
}

#[test]
fn without_errors_of_its_own_a_percentile_has_those_of_the_prior() {
    let comparison = changed(|row| detail(row).read_log_errors = LogErrors::default());
    let limits: Vec<_> = comparison.lines[3..6]
        .iter()
        .map(|line| line.limit.unwrap())
        .collect();
    assert!(
        limits.iter().all(|limit| limit.source == Source::Prior),
        "{limits:?}"
    );
    let size = |limit: &Limit| match limit.size {
        noise::Size::Log(size) => size,
        noise::Size::Difference(_) => panic!("{limit:?}"),
    };
    // 24,000 reads evenly between 20 and 119 ms, a sigma of 0.3: 1.5 x 1.253 x 0.3 x sqrt(2 / n) is 0.5 %,
    // and 3.5 times that is the limit; p99 has three times as much.
    assert!((0.015..0.03).contains(&size(&limits[0])), "{limits:?}");
    assert!(
        (2.5..3.5).contains(&(size(&limits[2]) / size(&limits[0]))),
        "{limits:?}"
    );
}

#[test]
fn machines_and_recorded_repeats_widen_the_noise_of_percentiles() {
    let limit = |store: &'static str, repeats: &[f64]| {
        let mut old = recording();
        old.repeats = (repeats.iter())
            .map(|ms| Columns {
                read_p50_ms: Some(*ms),
                ..row().columns
            })
            .collect();
        let conditions = Conditions { store, ..CONDITIONS };
        match compare(&old, &[row()], conditions).lines[3].limit.unwrap().size {
            noise::Size::Log(size) => size,
            noise::Size::Difference(_) => panic!("a latency"),
        }
    };
    let (virtually, embedded) = (limit("simulated", &[]), limit("embedded", &[]));
    let machine = Machine::of_store("embedded").log(Percentile::P50, row().columns.read_p50_ms.unwrap());
    assert!(
        (embedded - virtually - machine).abs() < 1e-9,
        "{embedded} {virtually} {machine}"
    );
    assert!(limit("s3", &[]) > embedded);
    let spread = limit("simulated", &[60.0, 72.0]);
    assert!((spread - virtually - 1.2_f64.ln()).abs() < 1e-9, "{spread}");
}

#[test]
fn only_request_counts_fail_a_run() {
    let commit = Metric::RequestsPerCommit;
    let grown = changed(|row| detail(row).requests_per_commit_path = Some(1.0 + 1.0 / 12.0));
    assert_eq!(judged(&grown, commit), Judged::Grew);
    assert_eq!(
        grown.failures(),
        ["w1_r0.1: requests_per_commit_path grew from 1.000 to 1.083"]
    );
    let rounded = changed(|row| detail(row).requests_per_read = Some(1.004));
    assert!(rounded.failures().is_empty(), "{rounded:?}");
    let fewer = changed(|row| detail(row).requests_per_read = Some(0.9));
    assert_eq!(judged(&fewer, Metric::RequestsPerRead), Judged::Better);
    let slow = changed(|row| row.columns.read_p99_ms = Some(5_000.0));
    assert!(slow.failures().is_empty() && slow.has_changes());
}

#[test]
fn several_writers_may_lose_more_races_but_not_pay_twice() {
    let pair = |new_requests: f64| {
        let contended = |requests| {
            let mut row = row();
            row.columns.num_writers = 3;
            (row.columns.write_tps, row.columns.precondition_failure_rate) = (1.0, 0.05);
            row.columns.avg_retry_count = 0.05;
            detail(&mut row).requests_per_commit_path = Some(requests);
            row
        };
        let mut old = recording();
        old.rows = vec![contended(1.1)];
        let comparison = compare(&old, &[contended(new_requests)], CONDITIONS);
        judged(&comparison, Metric::RequestsPerCommit)
    };
    assert_eq!(pair(1.3), Judged::Within);
    assert_eq!(pair(2.1), Judged::Grew);
    let with_faults = Conditions {
        has_faults: true,
        ..CONDITIONS
    };
    let mut new = row();
    detail(&mut new).requests_per_read = Some(3.0);
    let comparison = compare(&recording(), &[new], with_faults);
    assert_eq!(
        judged(&comparison, Metric::RequestsPerRead),
        Judged::Open("faults")
    );
}

#[test]
fn cells_are_matched_by_label_unless_the_load_came_about() {
    let mut new = row();
    new.columns.config_label = "w1_r7.31".to_owned();
    let by_label = compare(&recording(), &[new.clone(), row()], CONDITIONS);
    assert_eq!(by_label.lines.len(), Metric::ALL.len());
    assert_eq!(by_label.notes, ["1 cells are not in the earlier run"]);
    let closed = Conditions {
        open_loop: false,
        ..CONDITIONS
    };
    assert_eq!(
        compare(&recording(), &[new], closed).lines.len(),
        Metric::ALL.len()
    );
}

#[test]
fn an_invalid_cell_is_not_judged() {
    let comparison = changed(|row| {
        detail(row).valid = false;
        row.columns.read_p50_ms = Some(5_000.0);
    });
    assert!(!comparison.has_changes(), "{comparison:?}");
}

#[test]
fn tables_are_aligned_and_survive_markdown() {
    let table = changed(|row| row.columns.read_p50_ms = Some(100.0)).table();
    let mut console = Vec::new();
    table.write(&mut console).unwrap();
    let console = String::from_utf8(console).unwrap();
    let lines: Vec<_> = console.lines().collect();
    assert_eq!(lines.len(), 1 + Metric::ALL.len());
    assert!(lines[0].starts_with("cell     metric "), "{console}");
    assert!(lines[1].starts_with("w1_r0.1  write_p50_ms"), "{console}");
    assert!(lines[2].starts_with("         write_p95_ms"), "{console}");
    assert!(
        lines[4].contains("69.1") && lines[4].contains("100.0") && lines[4].ends_with("WORSE"),
        "{console}"
    );
    let widths: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{console}");
    let markdown = table.markdown("Baseline | against\nold");
    assert!(
        markdown.starts_with("\n### Baseline | against old\n\n| cell | metric |"),
        "{markdown}"
    );
    let rows: Vec<_> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 + Metric::ALL.len());
    assert!(rows.iter().all(|row| row.matches('|').count() == 9), "{markdown}");
}

/// What a run of these settings expects of an earlier one.
fn expected(vars: &[(&str, &str)]) -> Expected {
    let settings = Settings::from_env(vars.iter().copied()).unwrap();
    Expected::new(vec![settings.workload.clone()], true, &settings)
}

fn written() -> (String, String) {
    let (cells, facts) = ([example::cell()], example::facts());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(columns_csv(&cells).unwrap()),
        text(detail_csv(&cells, &facts).unwrap()),
    )
}

#[test]
fn what_a_run_wrote_reads_back_as_it_was() {
    let (csv, detail) = written();
    let old = Recording::parse("old.csv", &csv, Some(&detail), None).unwrap();
    assert_eq!(old.rows, [row()]);
    old.check(&expected(&[])).unwrap();
    old.check(&expected(&[
        ("PERF_SEED", "7"),
        ("PERF_LATENCY", "get=27:0.62,put=60:0.29,cas=61:0.14"),
    ]))
    .unwrap();
    // Without details there is nothing to hold the store against, and no request counts.
    let bare = Recording::parse("old.csv", &csv, None, None).unwrap();
    bare.check(&expected(&[("PERF_LATENCY", "none")])).unwrap();
    let comparison = compare(&bare, &[row()], CONDITIONS);
    assert_eq!(
        judged(&comparison, Metric::RequestsPerRead),
        Judged::Open("no value")
    );
    assert_eq!(comparison.notes.len(), 1);
}

#[test]
fn a_csv_of_something_else_is_refused_in_one_line_that_says_why() {
    let (csv, detail) = written();
    let refusal = |text: &str| {
        let error = Recording::parse("old.csv", text, None, None).unwrap_err();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    };
    assert!(refusal("").contains("it has 0 columns, not 26"));
    assert!(refusal(&detail).contains("columns, not 26"));
    assert!(refusal("\u{0}\u{1}\n").contains("it has 1 columns, not 26"));
    let renamed = csv.replacen("write_tps", "write_ops", 1);
    assert!(refusal(&renamed).contains("column 11 is \"write_ops\", not \"write_tps\""));
    let header = csv.lines().next().unwrap();
    assert_eq!(refusal(&format!("{header}\n")), "old.csv has no rows");
    assert!(refusal(&csv.replacen(",120.0,", ",soon,", 1)).starts_with("old.csv, row 1: "));
    assert!(refusal(&csv.replacen(",120.0,", ",0.0,", 1)).contains("a duration of 0"));
    let cut: String = csv.chars().take(csv.len() - 40).collect();
    assert!(refusal(&cut).starts_with("old.csv, row 1: "));
}

#[test]
fn a_run_under_other_conditions_is_refused_by_what_differs() {
    let (csv, detail) = written();
    let old = Recording::parse("old.csv", &csv, Some(&detail), None).unwrap();
    for (vars, why) in [
        (
            ("PERF_WRITER_RATE", "1"),
            "is of another configuration: it has w1_r0.1, not w1_r1",
        ),
        (("PERF_DURATION_SECS", "60"), "w1_r0.1 lasted 120 s, not 60 s"),
        (
            ("PERF_STORE", "simulated"),
            "was measured with the store embedded, this run has simulated",
        ),
        (
            ("PERF_LATENCY", "none"),
            "was measured with the latency s3-standard, this run has none",
        ),
        (
            ("PERF_FAULTS", "cas drop"),
            "was measured with the faults none, this run has cas drop",
        ),
        (
            ("PERF_WRITER_KIND", "writer"),
            "was measured with the client monotonic, this run has writer",
        ),
        (
            ("PERF_ARRIVALS", "poisson"),
            "was measured with arrivals periodic, this run has poisson",
        ),
    ] {
        let error = old.check(&expected(&[vars])).unwrap_err();
        assert!(error.starts_with("old.csv ") && error.contains(why), "{error}");
    }
    let mut closed = expected(&[("PERF_WRITER_RATE", "1"), ("PERF_DURATION_SECS", "60")]);
    closed.open_loop = false;
    old.check(&closed).unwrap();
    closed.cells[0].num_readers = 8;
    assert!(
        old.check(&closed)
            .unwrap_err()
            .contains("1 writers and 2 readers")
    );
}

/// So many repeats whose read percentiles are these, all else alike.
fn repeats(reads: &[f64]) -> Vec<Columns> {
    (reads.iter())
        .map(|ms| Columns {
            read_p50_ms: Some(*ms),
            read_p99_ms: Some(*ms * 4.0),
            ..row().columns
        })
        .collect()
}

const USUAL: [f64; 6] = [27.0, 27.3, 26.8, 27.1, 26.9, 27.2];

fn gated(old: &[f64], new: &[f64], order: Order) -> Gated {
    let gate = judge(&repeats(old), &repeats(new), order);
    let mut lines = gate
        .lines
        .iter()
        .filter(|line| line.metric == Metric::Read(Percentile::P50));
    let gated = lines.next().unwrap().gated;
    let fails = matches!(gated, Gated::Regression | Gated::TooFew);
    assert_eq!(gate.failures().is_empty(), !fails, "{:?}", gate.failures());
    gated
}

#[test]
fn a_regression_is_beyond_chance_and_beyond_what_halves_differ_by() {
    let by = |factor: f64| USUAL.map(|ms| ms * factor);
    assert_eq!(gated(&USUAL, &USUAL, Order::ByTurns), Gated::Within);
    // Separate in their ranks, but by less than anybody cares about.
    assert_eq!(gated(&USUAL, &by(1.025), Order::ByTurns), Gated::Within);
    assert_eq!(gated(&USUAL, &by(1.06), Order::ByTurns), Gated::Regression);
    assert_eq!(gated(&USUAL, &by(0.94), Order::ByTurns), Gated::Better);
    // Far apart at the median, but one in two repeats of either side is slow.
    let mixed = [27.0, 60.0, 26.8, 60.5, 26.9, 61.0];
    let slow = [61.2, 27.5, 61.5, 61.7, 27.4, 61.9];
    assert_eq!(gated(&mixed, &slow, Order::ByTurns), Gated::Within);
}

#[test]
fn what_was_not_measured_by_turns_must_exceed_what_the_machine_adds() {
    let slower = USUAL.map(|ms| ms * 1.05);
    assert_eq!(gated(&USUAL, &slower, Order::ByTurns), Gated::Regression);
    let apart = Order::Apart(Machine::of_store("embedded"));
    assert_eq!(gated(&USUAL, &slower, apart), Gated::Within);
    assert_eq!(
        gated(&USUAL, &USUAL.map(|ms| ms * 1.15), apart),
        Gated::Regression
    );
}

#[test]
fn too_few_repeats_fail_rather_than_pass() {
    let five = [27.0, 27.3, 26.8, 27.1, 26.9];
    assert_eq!(gated(&five, &USUAL, Order::ByTurns), Gated::TooFew);
    // Of 60 numbers 6 and 6 repeats cannot tell: the clearest outcome is more likely than 1 % / 60.
    let many = |factor: f64| -> Vec<Columns> {
        (0..15)
            .flat_map(|cell| {
                repeats(&USUAL.map(|ms| ms * factor))
                    .into_iter()
                    .map(move |columns| Columns {
                        config_label: format!("w{cell}"),
                        ..columns
                    })
            })
            .collect()
    };
    let gate = judge(&many(1.0), &many(2.0), Order::ByTurns);
    assert_eq!(gate.lines.len(), 60);
    assert!(
        gate.lines.iter().all(|line| line.gated == Gated::TooFew),
        "{gate:?}"
    );
}

#[test]
fn repeats_read_back_with_their_numbers_before_the_columns() {
    let (csv, detail) = written();
    let mut lines = csv.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    let text = format!("repeat,{header}\n1,{row}\n2,{row}\n");
    let old = Recording::parse("old.csv", &csv, Some(&detail), Some(&text)).unwrap();
    assert_eq!(old.repeats.len(), 2);
    let error = Recording::parse("old.csv", &csv, None, Some(&csv)).unwrap_err();
    assert!(
        error.contains("the repeats beside old.csv") && error.contains("26 columns, not 27"),
        "{error}"
    );
    // The row of the CSV is of all repeats together; what was asked for is the length of one.
    let long = csv.replacen(",120.0,", ",720.0,", 1);
    let old = Recording::parse("old.csv", &long, Some(&detail), Some(&text)).unwrap();
    old.check(&expected(&[])).unwrap();
    assert!(old.check(&expected(&[("PERF_DURATION_SECS", "720")])).is_err());
}
