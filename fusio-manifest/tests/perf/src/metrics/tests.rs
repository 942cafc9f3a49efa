use super::*;

const WINDOW: Duration = Duration::from_secs(10);

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A write due at `due`, handed out 1 ms later, begun 9 ms after that, done 100 ms after it was due.
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
    WriteSample {
        due: at(due),
        issued: at(due + 1),
        started: at(due + 10),
        completed: at(due + 100),
        attempts,
        outcome,
    }
}

fn read(due: u64, outcome: ReadOutcome) -> ReadSample {
    ReadSample {
        due: at(due),
        issued: at(due),
        started: at(due),
        completed: at(due + 30),
        outcome,
    }
}

#[test]
fn response_counts_from_due_and_service_from_start() {
    let mut metrics = MetricsCollector::new(Role::Writer, WINDOW);
    metrics.record_write(&write(
        500,
        WriteOutcome::Acknowledged,
        &[AttemptResult::Committed],
    ));
    let times = &metrics.writer.acknowledged;
    assert_eq!(times.response.mean_ms(), Some(100.0));
    assert_eq!(times.service.mean_ms(), Some(90.0));
    assert_eq!(metrics.writer.arrival.lateness.mean_ms(), Some(1.0));
}

#[test]
fn operations_due_after_the_window_do_not_count() {
    let mut metrics = MetricsCollector::new(Role::Reader, WINDOW);
    metrics.record_read(&read(9_999, ReadOutcome::Read { behind: 0 }));
    metrics.record_read(&read(10_000, ReadOutcome::Read { behind: 0 }));
    metrics.record_dropped(Role::Reader, at(10_000));
    assert_eq!(
        (metrics.reader.succeeded.count(), metrics.reader.arrival.offered()),
        (1, 1)
    );
    // It was due within the window, but completed after it.
    assert_eq!(metrics.reader.arrival.succeeded_in_window, 0);
}

#[test]
fn attempts_are_counted_by_cause_and_retries_apart() {
    use AttemptResult::*;
    let mut metrics = MetricsCollector::new(Role::Writer, WINDOW);
    metrics.record_write(&write(
        0,
        WriteOutcome::Acknowledged,
        &[LostRace, LostConflict, Committed],
    ));
    metrics.record_write(&write(1, WriteOutcome::GivenUp, &[LostRace, HeadMissing]));
    metrics.record_write(&write(2, WriteOutcome::Unknown, &[Unknown]));
    metrics.record_write(&write(3, WriteOutcome::Failed, &[Refused]));
    metrics.record_write(&write(4, WriteOutcome::Acknowledged, &[OwnEarlierSuccess]));
    let all = AttemptCounts {
        committed: 1,
        lost_race: 2,
        lost_conflict: 1,
        own_earlier_success: 1,
        head_missing: 1,
        refused: 1,
        unknown: 1,
    };
    assert_eq!(
        (metrics.writer.attempts, all.total(), all.lost_precondition()),
        (all, 8, 5)
    );
    assert_eq!(
        (
            metrics.writer.retries.total(),
            metrics.writer.retries.lost_precondition()
        ),
        (3, 2)
    );
    assert_eq!(
        (metrics.writer.count(), metrics.writer.lost_attempts.count()),
        (5, 5)
    );
}

#[test]
fn a_losing_streak_spans_writes_and_ends_with_a_success() {
    use AttemptResult::*;
    let mut metrics = MetricsCollector::new(Role::Writer, WINDOW);
    metrics.record_write(&write(0, WriteOutcome::GivenUp, &[LostRace, LostRace]));
    metrics.record_write(&write(1, WriteOutcome::Acknowledged, &[LostRace, Committed]));
    metrics.record_write(&write(2, WriteOutcome::Acknowledged, &[LostRace, Committed]));
    assert_eq!(metrics.writer.losing_streak_max, 3);
}

#[test]
fn merging_adds_counts_and_keeps_the_largest_maxima() {
    let mut writer = MetricsCollector::new(Role::Writer, WINDOW);
    writer.record_write(&write(0, WriteOutcome::Acknowledged, &[AttemptResult::Committed]));
    writer.record_backlog(Role::Writer, 7);
    writer.record_dropped(Role::Writer, at(1));
    let mut idle = MetricsCollector::new(Role::Writer, WINDOW);
    idle.record_backlog(Role::Writer, 3);
    idle.record_in_flight(Role::Writer, 5);
    let mut reader = MetricsCollector::new(Role::Reader, WINDOW);
    reader.record_read(&read(0, ReadOutcome::Read { behind: 2 }));
    reader.record_read(&read(1, ReadOutcome::Failed));

    let sum = MetricsCollector::merged(WINDOW, [&writer, &idle, &reader]);
    // A writer that got nothing through counts when fairness is judged.
    assert_eq!(sum.writer.acknowledged_by_writer, [1, 0]);
    assert_eq!(
        (sum.writer.arrival.backlog_max, sum.writer.arrival.in_flight_max),
        (7, 5)
    );
    assert_eq!(
        (
            sum.writer.arrival.offered(),
            sum.writer.arrival.succeeded_in_window
        ),
        (2, 1)
    );
    assert_eq!((sum.reader.succeeded.count(), sum.reader.failed.count()), (1, 1));
    assert_eq!((sum.reader.stale, sum.reader.behind_max), (1, 2));
}
