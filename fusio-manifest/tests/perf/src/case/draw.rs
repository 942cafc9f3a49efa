//! What a seed draws.

use std::time::Duration;

use rand::{Rng, RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use super::{Case, Collect, Kill, Spill};
use crate::{
    fault::FaultPlan,
    run::{Crew, ReaderTask, WriterTask},
    target::mortal::Work,
};

/// Sets the draws of cases apart from those of the clients in them, which use the same numbers.
const OF_CASES: u64 = 0x63_6173_6573;

/// Operations of one case, about, at most.
const OPERATIONS_MAX: f64 = 300.0;

const LATENCIES: [&str; 4] = [
    "s3-standard",
    "s3-express",
    "none",
    // Now and then very slow: requests overtake each other.
    "get=8:1.2,put=15:1.2,cas=15:1.2",
];

const SPILLS: [Spill; 4] = [
    // Nothing is spilled in so short a time.
    Spill::USUAL,
    Spill {
        at: 2_000,
        keep: 500,
        inline: 1_000,
    },
    Spill {
        at: 400,
        keep: 150,
        inline: 150,
    },
    Spill {
        at: 1,
        keep: 0,
        inline: 16_384,
    },
];

/// Requests that a fault may be about. Those of maintenance and of commits too large for HEAD go to log objects.
const REQUESTS: [&str; 7] = [
    "any",
    "any",
    "get",
    "cas",
    "cas key=*/HEAD",
    "cas key=*/log/*",
    "get key=*/log/*",
];

/// Those of folds, merges, pins and collections.
const OF_COLLECTIONS: [&str; 7] = [
    "delete",
    "delete",
    "list",
    "cas key=*/list/*",
    "cas key=*/table/*",
    "cas key=*/pin/*",
    "get key=*/table/*",
];

/// The share of cases in which something is collected.
const COLLECTING: f64 = 1.0 / 3.0;

/// What may happen to them: everything but that conditions are ignored, which no engine survives.
const ACTIONS: [&str; 16] = [
    "drop",
    "after drop",
    "reset",
    "after reset",
    "delay=80ms",
    "after delay=400ms",
    "status=500",
    "after status=500",
    "status=503",
    "status=403",
    "status=409",
    "after status=409",
    "replay",
    "corrupt",
    "late=150ms",
    "late=2s",
];

impl Case {
    /// The case of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed ^ OF_CASES);
        let rng = &mut rng;
        let crew = crew(rng);
        let writer_rate = pick(rng, &[1.0, 2.0, 4.0, 8.0]);
        let reader_rate = pick(rng, &[2.0, 5.0, 10.0, 30.0]);
        let rate = crew.writers.len() as f64 * writer_rate + crew.readers.len() as f64 * reader_rate;
        let seconds: f64 = rng.random_range(1.0..10.0);
        let ms = (seconds.min(OPERATIONS_MAX / rate) * 10.0).round() * 100.0;
        let span = Duration::from_secs_f64((ms / 1_000.0).max(0.5));
        let processes = crew.writers.len() + crew.readers.len();
        let shared_handle = rng.random_bool(0.3);
        let mut case = Self {
            seed,
            writer_rate,
            reader_rate,
            span,
            pool: pick(rng, &[3, 6, 20]),
            shared_handle,
            latency: pick(rng, &LATENCIES).to_owned(),
            limit: Duration::from_millis(pick(rng, &[200, 500, 1_500, 30_000])),
            refreshes: pick(rng, &[1, 2, 8]),
            spill: pick(rng, &SPILLS),
            impatience: pick(rng, &[0.0, 0.0, 0.1, 0.3]),
            kills: kills(rng, span, processes),
            collect: None,
            ask: rng.random_bool(0.6),
            faults: faults(rng, span),
            crew,
        };
        // After everything else, whatever comes of it: so nothing else depends on it.
        if rng.random_bool(COLLECTING) {
            collecting(rng, &mut case);
        }
        case
    }
}

/// Makes it a case in which there is something to collect, and time for it.
fn collecting(rng: &mut impl Rng, case: &mut Case) {
    let retention = Duration::from_millis(pick(rng, &[1_000, 1_000, 1_700, 3_000]));
    case.collect = Some(Collect {
        retention,
        fold_objects: pick(rng, &[1, 2, 3, 5]),
    });
    // A collection takes twice the retention, and the step of the store's Date with each.
    case.span = (retention * 2 + Duration::from_secs(2)).mul_f64(pick(rng, &[1.0, 1.5, 2.5]));
    case.span = Duration::from_millis(u64::try_from(case.span.as_millis()).unwrap_or(1) / 100 * 100);
    case.spill = pick(rng, SPILLS.get(1..).unwrap_or(&SPILLS));
    // Who maintains has a handle of his own, as everybody has.
    case.shared_handle &= rng.random_bool(0.3);
    for _ in 0..rng.random_range(1..=2) {
        case.crew.writers.push(WriterTask::Maintain);
    }
    for _ in 0..rng.random_range(1..=3) {
        case.crew
            .readers
            .push(pick(rng, &[ReaderTask::Hold, ReaderTask::Pin]));
    }
    let writers = case.crew.writers.len() as f64 * case.writer_rate;
    let rate = writers + case.crew.readers.len() as f64 * case.reader_rate;
    let slower = (OPERATIONS_MAX / case.span.as_secs_f64() / rate).min(1.0);
    case.writer_rate = hundredths(case.writer_rate * slower);
    case.reader_rate = hundredths(case.reader_rate * slower);
    let processes = case.crew.writers.len() + case.crew.readers.len();
    for _ in 0..rng.random_range(0..=3) {
        case.kills.push(Kill {
            at: moment(rng, case.span),
            process: rng.random_range(0..processes),
            work: Some(pick(rng, &Work::ALL).1),
        });
    }
    case.kills.sort_by_key(|kill| (kill.at, kill.process));
    let rules = (0..rng.random_range(0..=2)).map(|_| rule(rng, case.span, &OF_COLLECTIONS));
    let rules: Vec<String> = rules.collect();
    if !rules.is_empty() {
        let drawn = (!case.faults.is_empty()).then(|| case.faults.to_string());
        let all: Vec<String> = drawn.into_iter().chain(rules).collect();
        case.faults = all.join("; ").parse().unwrap_or_default();
    }
}

fn hundredths(rate: f64) -> f64 {
    (rate * 100.0).floor().max(1.0) / 100.0
}

fn pick<T: Copy>(rng: &mut impl Rng, among: &[T]) -> T {
    // Never empty here; the first one stands for a draw that cannot be.
    #[expect(clippy::indexing_slicing, reason = "constant lists, none of them empty")]
    among.choose(rng).copied().unwrap_or(among[0])
}

fn crew(rng: &mut impl Rng) -> Crew {
    let mut writers: Vec<WriterTask> = (0..rng.random_range(1..=5))
        .map(|_| pick(rng, &WriterTask::ALL).1)
        .collect();
    if rng.random_bool(0.25) {
        // All alike: they meet more often.
        let all = writers.first().copied().unwrap_or(WriterTask::Append);
        writers.iter_mut().for_each(|writer| *writer = all);
    }
    let readers = (0..rng.random_range(0..=3)).map(|_| pick(rng, &[ReaderTask::Read, ReaderTask::Scan]));
    Crew {
        readers: readers.collect(),
        writers,
    }
}

/// In half of all cases none.
fn kills(rng: &mut impl Rng, span: Duration, processes: usize) -> Vec<Kill> {
    if rng.random_bool(0.5) {
        return Vec::new();
    }
    let mut kills: Vec<Kill> = (0..rng.random_range(1..=3))
        .map(|_| Kill {
            at: moment(rng, span),
            process: rng.random_range(0..processes.max(1)),
            work: None,
        })
        .collect();
    kills.sort_by_key(|kill| (kill.at, kill.process));
    kills
}

/// Within the span, to the millisecond, so that its text says it.
fn moment(rng: &mut impl Rng, span: Duration) -> Duration {
    let ms = u64::try_from(span.as_millis()).unwrap_or(1).max(1);
    Duration::from_millis(rng.random_range(0..ms))
}

/// In one of six cases none.
fn faults(rng: &mut impl Rng, span: Duration) -> FaultPlan {
    if rng.random_bool(1.0 / 6.0) {
        return FaultPlan::default();
    }
    let rules: Vec<String> = (0..rng.random_range(1..=4))
        .map(|_| rule(rng, span, &REQUESTS))
        .collect();
    // What is put together here always parses; tests hold it to that.
    rules.join("; ").parse().unwrap_or_default()
}

fn rule(rng: &mut impl Rng, span: Duration, requests: &[&str]) -> String {
    let requests = pick(rng, requests);
    if rng.random_bool(0.15) {
        // Nothing gets through for a while.
        let (from, length) = (moment(rng, span).as_millis(), pick(rng, &[200, 600, 1_500]));
        let how = pick(rng, &["stall", "reset", "drop", "status=503"]);
        return format!("{requests} from={from}ms to={}ms {how}", from + length);
    }
    let occurs = match rng.random_range(0..4) {
        0 => format!("nth={}", rng.random_range(1..=30)),
        1 => format!("first={}", rng.random_range(1..=5)),
        _ => format!("p={}", pick(rng, &[0.02, 0.05, 0.1, 0.2, 0.4])),
    };
    loop {
        let rule = format!("{requests} {occurs} {}", pick(rng, &ACTIONS));
        // Not everything happens to every request.
        if rule.parse::<FaultPlan>().is_ok() {
            return rule;
        }
    }
}
