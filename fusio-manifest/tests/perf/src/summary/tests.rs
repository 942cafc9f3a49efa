use super::*;
use crate::{
    metrics::{AttemptResult, AttemptSample, ReadOutcome, ReadSample, Role, WriteOutcome, WriteSample},
    price::S3_STANDARD,
    requests::{ClassCount, RequestCounts},
};

const WINDOW: Duration = Duration::from_secs(10);

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn write(due: u64, outcome: WriteOutcome, attempts: &[AttemptResult]) -> WriteSample {
    let attempts = attempts
        .iter()
        .map(|&outcome| AttemptSample {
            outcome,
            sent: Duration::ZERO,
            duration: at(60),
            window: at(90),
        })
        .collect();
    let (issued, completed) = (at(due + 1), at(due + 101));
    WriteSample {
        due: at(due),
        issued,
        started: issued,
        completed,
        attempts,
        outcome,
    }
}

fn read(due: u64, late: u64) -> ReadSample {
    let (issued, completed) = (at(due + late), at(due + late + 30));
    let outcome = ReadOutcome::Read { behind: 0 };
    ReadSample {
        due: at(due),
        issued,
        started: issued,
        completed,
        outcome,
    }
}

fn requests(puts: u64, gets: u64) -> RequestCounts {
    RequestCounts {
        conditional_put: ClassCount {
            requests: puts,
            bytes: 0,
        },
        conditional_get: ClassCount {
            requests: gets,
            bytes: 0,
        },
        ..RequestCounts::default()
    }
}

fn summary(clients: &[MetricsCollector], floor_ms: &[u64], requests: &CellRequests) -> CellSummary {
    let mut floor = Timeline::default();
    for &ms in floor_ms {
        floor.record(at(0), at(ms));
    }
    CellSummary::new(&CellInput {
        config: &WorkloadConfig {
            num_writers: 2,
            ..WorkloadConfig::default()
        },
        measured: WINDOW,
        metrics: &MetricsCollector::merged(WINDOW, clients),
        floor_put: &floor,
        floor_get: &floor,
        requests,
        prices: &S3_STANDARD,
    })
}

fn close(measured: Option<f64>, expected: f64) {
    let measured = measured.expect("a number");
    assert!(
        (measured - expected).abs() <= expected.abs() / 1_000.0,
        "{measured} is not {expected}"
    );
}

/// Three writers' worth of everything: 3 commits of 6 writes, 10 attempts.
fn contended() -> Vec<MetricsCollector> {
    use AttemptResult::*;
    let mut first = MetricsCollector::new(Role::Writer, WINDOW);
    first.record_write(&write(
        0,
        WriteOutcome::Acknowledged,
        &[LostRace, LostRace, Committed],
    ));
    first.record_write(&write(100, WriteOutcome::Acknowledged, &[Committed]));
    first.record_write(&write(
        9_950,
        WriteOutcome::Acknowledged,
        &[LostConflict, Committed],
    ));
    let mut second = MetricsCollector::new(Role::Writer, WINDOW);
    second.record_write(&write(0, WriteOutcome::GivenUp, &[LostRace, LostRace]));
    second.record_write(&write(200, WriteOutcome::Failed, &[Refused]));
    second.record_write(&write(300, WriteOutcome::Unknown, &[Unknown]));
    vec![first, second]
}

#[test]
fn the_columns_follow_their_formulas() {
    let row = summary(&contended(), &[60], &CellRequests::default()).columns;
    assert_eq!(row.config_label, "w2_r0.1");
    assert_eq!(row.precondition_failure_rate, 5.0 / 10.0);
    assert_eq!((row.write_tps, row.read_tps, row.duration), (0.3, 0.0, 10.0));
    assert_eq!(row.avg_retry_count, 4.0 / 6.0);
    assert_eq!((row.total_retry_failures, row.total_max_retries_exceeded), (2, 1));
    assert_eq!((row.retry_failure_rate, row.retry_success_rate), (0.5, 0.5));
    close(row.write_p50_ms, 101.0);
    close(row.precond_p99_ms, 60.0);
    assert_eq!(
        (row.total_reads, row.read_p50_ms, row.read_p99_ms),
        (0, None, None)
    );
}

#[test]
fn a_cell_without_operations_has_no_percentiles_and_is_invalid() {
    let cell = summary(&[], &[], &CellRequests::default());
    let row = &cell.columns;
    assert_eq!(
        (
            row.write_p50_ms,
            row.precond_p50_ms,
            row.precondition_failure_rate
        ),
        (None, None, 0.0)
    );
    let detail = &cell.detail;
    assert_eq!(
        (
            detail.commit_floor_ratio,
            detail.requests_per_commit_path,
            detail.jain
        ),
        (None, None, None)
    );
    assert_eq!(
        detail.validity,
        Validity::Invalid("no operation was issued".to_owned())
    );
}

#[test]
fn a_success_after_the_measurement_is_not_achieved_in_it() {
    let detail = summary(&contended(), &[60], &CellRequests::default()).detail;
    assert_eq!(
        (detail.write.offered_rate, detail.write.achieved_rate),
        (0.6, 0.2)
    );
}

#[test]
fn fairness_compares_what_the_writers_got_through() {
    let detail = summary(&contended(), &[60], &CellRequests::default()).detail;
    // 3 and 0 commits: (3 + 0)^2 / (2 x 9).
    assert_eq!((detail.jain, detail.losing_streak_max), (Some(0.5), 2));
}

#[test]
fn the_predicted_conflict_rate_is_that_of_a_poisson_load() {
    let detail = summary(&contended(), &[60], &CellRequests::default()).detail;
    assert_eq!(detail.conflicts.rate, 0.5);
    // Half of three commits in 10 s, 90 ms at risk, which the histogram rounds up.
    assert_eq!(detail.conflicts.foreign_per_s, 0.15);
    let predicted = 1.0 - (-0.15 * 0.090_047_f64).exp();
    close(Some(detail.conflicts.predicted), predicted);
    close(Some(detail.conflicts.residual()), 0.5 - predicted);
}

#[test]
fn requests_and_dollars_are_per_success_and_by_purpose() {
    let mut clients = contended();
    let mut reader = MetricsCollector::new(Role::Reader, WINDOW);
    for due in 0..20 {
        reader.record_read(&read(due, 0));
    }
    clients.push(reader);
    let sent = CellRequests {
        writers: requests(9, 3),
        readers: requests(0, 20),
        maintenance: requests(3, 0),
        floor: requests(20, 100),
        total: requests(1_000, 1_000),
    };
    let detail = summary(&clients, &[50], &sent).detail;
    assert_eq!(
        (detail.requests_per_commit_path, detail.requests_per_commit_total),
        (Some(4.0), Some(5.0))
    );
    assert_eq!(detail.requests_per_read, Some(1.0));
    close(
        detail.dollars_per_commit,
        (12.0 * 0.000_005 + 3.0 * 0.000_000_4) / 3.0,
    );
    close(detail.dollars_per_read, 0.000_000_4);
    close(Some(detail.dollars_lost_races), 5.0 * 0.000_005);
    close(Some(detail.dollars_total), 0.005_4);
    close(detail.commit_floor_ratio, 101.0 / 50.0);
    close(detail.read_floor_ratio, 30.0 / 50.0);
}

#[test]
fn a_late_generator_makes_the_cell_invalid() {
    let cell = |late: u64| {
        let mut reader = MetricsCollector::new(Role::Reader, WINDOW);
        for due in 0..100 {
            // One in fifty: the p99 sees it.
            reader.record_read(&read(due, if due % 50 == 0 { late } else { 0 }));
        }
        summary(&[reader], &[], &CellRequests::default()).detail.validity
    };
    assert_eq!(cell(4), Validity::Valid);
    assert_eq!(
        cell(9),
        Validity::Invalid("p99 lateness 9.0 ms is above 5.0 ms".to_owned())
    );
}

#[test]
fn dropped_arrivals_make_the_cell_invalid() {
    let mut reader = MetricsCollector::new(Role::Reader, WINDOW);
    reader.record_read(&read(0, 0));
    reader.record_dropped(Role::Reader, at(1));
    let detail = summary(&[reader], &[], &CellRequests::default()).detail;
    assert_eq!(detail.validity.reason(), Some("dropped 0 writes and 1 reads"));
    assert_eq!((detail.dropped(), detail.read.offered_rate), (1, 0.2));
}
