use super::{
    noise::{Machine, Source},
    *,
};
use crate::{
    report::example,
    summary::{Columns, LogErrors},
};

mod gates;
mod recordings;

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
    let shared = |old: f64| {
        let mut earlier = recording();
        detail(&mut earlier.rows[0]).requests_per_read = Some(old);
        judged(&compare(&earlier, &[row()], CONDITIONS), Metric::RequestsPerRead)
    };
    // One that shared a few looks in a stall, and one that shared most of them.
    assert_eq!((shared(0.95), shared(0.3)), (Judged::Within, Judged::Grew));
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
