//! How fast the checker is and what it needs, by the size of the history.
//!
//! ```text
//! cargo test -p manifest-perf --lib a_million_operations -- --ignored --nocapture
//! ```

use std::{collections::BTreeMap, fs, time::Duration};

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::bytes;
use crate::{
    checker::{check, conflicts_justified},
    history::{
        ClientId, History, Operation, OperationId, OperationKind, Outcome, Read, State, Write, write_jsonl,
    },
};

/// Keys that are written and read.
const KEYS: usize = 1_000;
/// One operation in so many is a commit, the others are reads.
const COMMIT_IN: u64 = 5;
/// One commit in so many is of unknown outcome.
const UNKNOWN_IN: u64 = 200;

/// By how much longer an operation of the largest history may take than one of the smallest, an eighth of its size: what
/// ordered maps and the processor's caches cost, about 1.4. A checker whose work grew with the square would take 8.
const SLOWER_MAX: f64 = 2.0;
/// How often each size is measured.
const TURNS: usize = 3;

fn key(number: usize) -> Bytes {
    bytes(&format!("key_{number:06}"))
}

/// A right history of so many operations, one after the other: reads of one key, and commits that read one and write
/// it back.
fn history(operations: u64) -> (History, State) {
    let mut rng = StdRng::seed_from_u64(operations);
    let mut entries: BTreeMap<Bytes, Bytes> = BTreeMap::new();
    let mut history = History::default();
    let mut txn = 0;
    for number in 0..operations {
        let key = key(rng.random_range(0..KEYS));
        let read = Read::Point {
            value: entries.get(&key).cloned(),
            key: key.clone(),
        };
        let mut operation = Operation {
            id: OperationId(number),
            client: ClientId(u32::try_from(number % 10).unwrap()),
            kind: OperationKind::Read,
            invoked: number * 10,
            completed: Some(number * 10 + 5),
            reads: vec![read],
            writes: Vec::new(),
            outcome: Outcome::Ok {
                snapshot: txn,
                txn: None,
            },
        };
        if number % COMMIT_IN == 0 {
            let value = bytes(&format!("{number:-<100}"));
            operation.kind = OperationKind::Commit;
            operation.writes.push(Write {
                key: key.clone(),
                value: Some(value.clone()),
            });
            entries.insert(key, value);
            operation.outcome = if rng.random_range(0..UNKNOWN_IN) == 0 {
                Outcome::Unknown { snapshot: Some(txn) }
            } else {
                Outcome::Ok {
                    snapshot: txn,
                    txn: Some(txn + 1),
                }
            };
            txn += 1;
        }
        history.operations.push(operation);
    }
    (history, State { txn, entries })
}

/// What this thread has computed so far: the check is one thread's work, and others may want the processor too.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap(),
        u32::try_from(time.tv_nsec).unwrap(),
    )
}

/// A field of `/proc/self/status` in MiB; 0 where there is no such file.
fn status_mib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}

/// What the check of one history took.
struct Measured {
    held: u64,
    took: f64,
    /// MiB at most, beside the history.
    peak: u64,
    left_open: u64,
}

fn measure(operations: u64) -> Measured {
    let before = status_mib("VmRSS");
    let (history, last) = history(operations);
    let held = status_mib("VmRSS");
    // From here on the peak is that of the check.
    let reset = fs::write("/proc/self/clear_refs", "5").is_ok();
    let began = processor_time();
    let verdict = check(&history, Some(&last));
    let conflicts = conflicts_justified(&history, Some(&last));
    let took = processor_time().saturating_sub(began).as_secs_f64();
    let peak = match reset {
        true => status_mib("VmHWM").saturating_sub(held),
        false => 0,
    };
    assert!(verdict.passed() && conflicts.passed(), "{verdict}");
    Measured {
        held: held.saturating_sub(before),
        took,
        peak,
        left_open: verdict.left_open,
    }
}

#[test]
#[ignore = "measures for a quarter of a minute"]
fn a_million_operations() {
    println!(
        "| operations | history MiB | processor s | operations/s | memory of the check, MiB at most | left open |"
    );
    println!("|---|---|---|---|---|---|");
    let sizes = [125_000, 250_000, 500_000, 1_000_000];
    let mut rates = [0.0_f64; 4];
    // The best of several turns: what else runs on the machine takes its share of the caches.
    for _ in 0..TURNS {
        for (operations, rate) in sizes.into_iter().zip(&mut rates) {
            let Measured {
                held,
                took,
                peak,
                left_open,
            } = measure(operations);
            *rate = rate.max(operations as f64 / took);
            println!(
                "| {operations} | {held} | {took:.2} | {:.0} | {peak} | {left_open} |",
                operations as f64 / took
            );
        }
    }
    // Linear: what is left for more is what a larger history costs in the processor's caches.
    assert!(rates[3] * SLOWER_MAX > rates[0], "{rates:?}");
}

#[test]
fn the_history_that_is_measured_is_right_and_has_unknown_commits() {
    let (history, last) = history(5_000);
    let verdict = check(&history, Some(&last));
    assert!(verdict.passed() && verdict.unknown > 0, "{verdict}");
    assert_eq!((verdict.reads, verdict.commits), (5_000, 1_000));
    let mut lines = Vec::new();
    write_jsonl(&mut lines, &history, Some(&last)).unwrap();
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 5_002);
}
