//! One thing a seed, on all cores. What comes of a seed depends on nothing but the seed, so neither the number of
//! threads nor their order can be seen in the results.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;

use super::Context;
use crate::{interrupt::Interrupt, settings::Settings};

/// Who waits is told how far it is this often.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Settings that a scenario over seeds draws for each of them.
const DRAWN: [&str; 14] = [
    "PERF_NUM_WRITERS",
    "PERF_NUM_READERS",
    "PERF_WRITER_RATE",
    "PERF_READER_RATE",
    "PERF_DURATION_SECS",
    "PERF_MAX_RETRY_COUNT",
    "PERF_KEY_POOL_SIZE",
    "PERF_KEY_OVERLAP_RATIO",
    "PERF_WRITER_KIND",
    "PERF_WARMUP_SECS",
    "PERF_IN_FLIGHT",
    "PERF_ARRIVALS",
    "PERF_LATENCY",
    "PERF_FAULTS",
];

/// Refuses settings that would have no effect.
pub(super) fn refuse_what_is_drawn(settings: &Settings, scenario: &str) -> Result<(), String> {
    if let Some(name) = DRAWN.iter().find(|name| settings.is_set(name)) {
        return Err(format!(
            "{scenario} draws it for each seed, {name} has no effect: unset it, or set PERF_CASE for test_simulation"
        ));
    }
    if settings.is_set("PERF_STORE") && !settings.store.is_simulated() {
        let store = settings.store.name();
        return Err(format!(
            "{scenario} is about simulations, PERF_STORE={store} has no effect: unset it"
        ));
    }
    Ok(())
}

/// As many threads as there are cores, up to `PERF_PARALLEL`.
pub(super) fn threads(settings: &Settings) -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.min(usize::try_from(settings.parallel).unwrap_or(usize::MAX))
}

/// Carries out `one` for `count` seeds from `first` on, in this order as far as threads allow, until the run is stopped:
/// then those that were begun are ended. What came of them, by seed.
pub(super) fn over_seeds<T: Send>(
    (first, count): (u64, u64),
    threads: usize,
    interrupt: &Interrupt,
    ended: &AtomicU64,
    one: impl Fn(u64) -> T + Sync,
) -> BTreeMap<u64, T> {
    let (next, results) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while !interrupt.is_set() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let seed = first.wrapping_add(number);
            let result = one(seed);
            results.lock().insert(seed, result);
            ended.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    results.into_inner()
}

/// Waits for `work`, which is done on threads of its own, and tells how far it is: so many of `count` things.
pub(super) async fn wait_for<T: Send + 'static>(
    context: &Context,
    what: &str,
    count: u64,
    ended: &Arc<AtomicU64>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let mut working = tokio::task::spawn_blocking(work);
    loop {
        tokio::select! {
            biased;
            done = &mut working => return done.map_err(|error| format!("a thread has ended: {error}")),
            () = context.clock.sleep(TOLD_EVERY) => {
                let ended = ended.load(Ordering::Relaxed);
                // Nobody may be listening, and a run does not end for that.
                let _ = writeln!(io::stderr(), "{what}: {ended}/{count}");
            }
        }
    }
}
