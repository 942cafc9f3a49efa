//! Scenarios: what the ignored tests run. Each says what it is about to do, does it, says what came of it, and
//! ends with one `RESULT` line, whatever happened.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use fusio_manifest::{Clock, Moment};

use crate::{
    compare::Recording,
    config::WorkloadConfig,
    environment::EnvironmentWatch,
    interrupt::Interrupt,
    output::{RunFolder, unix_now},
    price::PriceTable,
    progress::Progress,
    requests::RequestCounts,
    result::Verdict,
    run::{Cell, CellOutcome},
    settings::Settings,
    simulate::HandleSeeds,
    store_under_test::StoreUnderTest,
    summary::{CellInput, CellSummary},
    target::engine::Engine,
    timer,
};

pub use baseline::baseline;
pub use conformance::conformance;
pub use contention::contention;
pub use crash::{crash, crash_given};
pub use faults::faults;
pub use group_commit::group_commit;
pub use knee::knee;
pub use latency_sweep_plot::latency_sweep_plot;
pub use mutants::mutants;
pub use requests::requests;
pub use scale::scale;
pub use shared_reads::shared_reads;
pub use simulation::simulation;
pub use soak::{soak, soak_given};
pub use sweep::sweep;

mod aftermath;
mod against;
mod baseline;
mod by_turns;
mod closed_loop;
mod conclude;
mod conformance;
mod contention;
mod crash;
mod estimate;
mod faults;
mod group_commit;
mod judge;
mod knee;
mod latency_sweep_plot;
mod lifecycle;
mod mutants;
mod over_seeds;
mod repeats;
mod requests;
mod scale;
mod shared_reads;
mod simulation;
mod soak;
mod sweep;
#[cfg(test)]
mod tests;

use against::Comparable;
use estimate::{AROUND_REQUESTS, class, workload_requests};
use lifecycle::{run, run_comparable, run_continuing, run_given, run_simulations};

/// What every scenario has.
struct Context {
    settings: Settings,
    store: StoreUnderTest,
    clock: Arc<dyn Clock>,
    interrupt: Interrupt,
    progress: Progress,
    folder: RunFolder,
    environment: EnvironmentWatch,
    /// The randomness of handles, if the run is simulated. One for the run: no two handles may draw the same.
    seeds: Option<Arc<HandleSeeds>>,
    /// The run that this one is held against.
    earlier: Option<Recording>,
    began: Began,
}

/// When the run began, in its own time and on the wall.
struct Began {
    clock: Moment,
    wall: Instant,
    /// Since the epoch of Unix, for files; zero if it is simulated.
    unix: Duration,
}

/// How a scenario ended.
struct Ended<F> {
    verdict: Verdict,
    valid: bool,
    reason: Option<String>,
    fields: Option<F>,
}

impl<F> Ended<F> {
    /// It could not be carried through.
    fn failed(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            valid: false,
            reason: Some(reason.into()),
            fields: None,
        }
    }
}

/// Why a scenario did not pass, in one line.
fn reason(verdict: Verdict, failures: &[String]) -> Option<String> {
    match (verdict, failures.is_empty()) {
        (_, false) => Some(failures.join("; ")),
        (Verdict::Interrupted, true) => Some("interrupted".to_owned()),
        (Verdict::Pass | Verdict::Fail, true) => None,
    }
}

/// What a scenario is called, and how large it is.
struct Plan {
    /// The test's name.
    name: &'static str,
    /// As people read it.
    title: &'static str,
    /// The requests that it will send, about.
    estimate: fn(&Settings) -> RequestCounts,
    /// How long it measures.
    duration: fn(&Settings) -> Duration,
    /// Puts the scenario's own defaults in the place of what the environment left open, and says what it will
    /// do. An error is one line: why it cannot run with these settings.
    adjust: fn(&mut Settings) -> Result<Option<String>, String>,
}

/// For scenarios whose defaults are the general ones.
#[expect(clippy::unnecessary_wraps, reason = "one of several functions of this type")]
fn as_given(_: &mut Settings) -> Result<Option<String>, String> {
    Ok(None)
}

impl Context {
    /// Reaches the store and makes the folder. An error is one line: why that cannot be.
    async fn open(
        name: &str,
        settings: Settings,
        clock: Arc<dyn Clock>,
        interrupt: Interrupt,
    ) -> Result<Self, String> {
        let began = Began {
            clock: clock.now(),
            wall: timer::now(),
            unix: match settings.store.is_simulated() {
                true => Duration::ZERO,
                false => unix_now(),
            },
        };
        let store = StoreUnderTest::connect(&settings, Arc::clone(&clock)).await?;
        let folder = match &settings.continued {
            Some(path) => RunFolder::reopen(&settings.out, path),
            None => RunFolder::create(&settings.out, name),
        };
        let folder = folder.map_err(|error| error.to_string())?;
        let simulated = settings.store.is_simulated();
        let environment = if simulated {
            EnvironmentWatch::of_the_build()
        } else {
            EnvironmentWatch::start()
        };
        Ok(Self {
            seeds: simulated.then(|| Arc::new(HandleSeeds::new(settings.seed))),
            settings,
            store,
            clock,
            interrupt,
            progress: Progress::new(),
            folder,
            environment,
            earlier: None,
            began,
        })
    }

    /// The engine, on the run's clock.
    fn engine(&self) -> Engine {
        let mut engine = Engine::default();
        engine.options.clock = Arc::clone(&self.clock);
        engine.seeds = self.seeds.clone();
        engine
    }

    /// How much virtual time has passed, and how much on the wall; nothing if the run is not simulated.
    fn virtual_time(&self) -> Option<String> {
        let passed = self.clock.now().saturating_sub(self.began.clock);
        let (passed, wall) = (passed.as_secs_f64(), self.began.wall.elapsed().as_secs_f64());
        let simulated = self.settings.store.is_simulated();
        simulated.then(|| format!("Virtual time: {passed:.2}s, simulated in {wall:.2}s"))
    }

    /// A cell of this run.
    fn cell<'a>(&'a self, name: String, config: &'a WorkloadConfig, target: &'a Engine) -> Cell<'a> {
        Cell {
            name,
            config,
            settings: &self.settings,
            store: &self.store,
            meters: Arc::clone(&self.store.meters),
            target,
            shared_handle: false,
            crew: None,
            clock: Arc::clone(&self.clock),
            interrupt: &self.interrupt,
            progress: &self.progress,
        }
    }

    /// The numbers of a cell that has ended.
    fn summarize(&self, config: &WorkloadConfig, outcome: &CellOutcome) -> CellSummary {
        let since_beginning = outcome.t0.saturating_sub(self.began.clock);
        let mut cell = CellSummary::new(&CellInput {
            config,
            measured: outcome.measured,
            metrics: &outcome.metrics,
            floor_put: &outcome.floor_put,
            floor_get: &outcome.floor_get,
            requests: &outcome.requests,
            prices: PriceTable::of(&self.settings.store),
        });
        cell.began = self.began.unix + since_beginning;
        cell
    }

    /// True once nothing new is to be begun.
    fn should_stop(&self) -> bool {
        self.interrupt.is_set() || self.store.budget_spent()
    }

    fn could_not_begin<F>(&self, error: String) -> Ended<F> {
        let verdict = if self.interrupt.is_set() {
            Verdict::Interrupted
        } else {
            Verdict::Fail
        };
        Ended {
            verdict,
            ..Ended::failed(error)
        }
    }

    /// True if the run breaks things on purpose: operations may then fail.
    fn has_faults(&self) -> bool {
        self.settings.store.faults().is_some()
    }

    /// Prints on standard output, past libtest's capture, with no progress bar running through it.
    fn say(&self, print: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) {
        self.progress.suspend(|| {
            let mut out = io::stdout().lock();
            // Nobody may be listening; the files and the verdict do not depend on it.
            let _ = print(&mut out).and_then(|()| out.flush());
        });
    }
}
