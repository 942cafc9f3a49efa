//! A baseline with fixed numbers, for the tests of everything that renders one.

use std::time::Duration;

use crate::{
    config::{WorkloadConfig, WriterKind},
    environment::Environment,
    export::RunFacts,
    metrics::{
        AttemptResult, AttemptSample, MetricsCollector, ReadOutcome, ReadSample, Role, Timeline,
        WriteOutcome, WriteSample,
    },
    price::S3_STANDARD,
    requests::{CellRequests, ClassCount, RequestCounts},
    result::Verdict,
    settings::Arrivals,
    summary::{CellInput, CellSummary},
};

fn requests(puts: u64, gets: u64) -> RequestCounts {
    RequestCounts {
        conditional_put: ClassCount {
            requests: puts,
            bytes: puts * 500,
        },
        conditional_get: ClassCount {
            requests: gets,
            bytes: 0,
        },
        ..RequestCounts::default()
    }
}

fn constant(ms: u64, count: u64) -> Timeline {
    let mut latencies = Timeline::default();
    for _ in 0..count {
        latencies.record(Duration::ZERO, Duration::from_millis(ms));
    }
    latencies
}

/// 12 writes of 60 to 71 ms, 24,000 reads of 20 to 119 ms, nothing lost.
pub(crate) fn cell() -> CellSummary {
    let config = WorkloadConfig::default();
    let mut writer = MetricsCollector::new(Role::Writer, config.duration);
    for i in 0..12 {
        let due = Duration::from_secs(10 * i);
        let completed = due + Duration::from_millis(60 + i);
        writer.record_write(&WriteSample {
            due,
            issued: due,
            started: due,
            completed,
            attempts: vec![AttemptSample {
                outcome: AttemptResult::Committed,
                sent: Duration::ZERO,
                duration: completed - due,
                window: completed - due,
            }],
            outcome: WriteOutcome::Acknowledged,
        });
    }
    let mut reader = MetricsCollector::new(Role::Reader, config.duration);
    for i in 0..24_000 {
        let due = Duration::from_millis(5 * i);
        let issued = due + Duration::from_micros(200);
        let completed = due + Duration::from_millis(20 + i % 100);
        let outcome = ReadOutcome::Read { behind: 0 };
        reader.record_read(&ReadSample {
            due,
            issued,
            started: issued,
            completed,
            outcome,
        });
    }
    CellSummary::new(&CellInput {
        config: &config,
        measured: config.duration,
        metrics: &MetricsCollector::merged(config.duration, [&writer, &reader]),
        floor_put: &constant(60, 240),
        floor_get: &constant(27, 1_200),
        requests: &CellRequests {
            writers: requests(12, 0),
            readers: requests(0, 24_000),
            maintenance: requests(3, 0),
            floor: requests(240, 1_200),
            total: requests(260, 25_210),
        },
        prices: &S3_STANDARD,
    })
}

/// The run that the cell is of.
pub(crate) fn facts() -> RunFacts {
    RunFacts {
        verdict: Verdict::Pass,
        store: "embedded",
        endpoint: None,
        latency: Some("s3-standard".to_owned()),
        faults: None,
        writer_kind: WriterKind::Monotonic,
        arrivals: Arrivals::Periodic,
        seed: 42,
        environment: Environment {
            cores: Some(2),
            ..Environment::default()
        },
    }
}
