//! Scenarios: what the ignored tests run. Each says what it is about to do, does it, says what came of it, and
//! ends with one `RESULT` line, whatever happened.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use fusio_manifest::{Clock, Moment, SystemClock};
use serde::Serialize;

use crate::{
    compare::Recording,
    config::WorkloadConfig,
    environment::EnvironmentWatch,
    interrupt::Interrupt,
    output::{RunFolder, unix_now},
    plot,
    price::PriceTable,
    progress::Progress,
    report::{store_line, write_header},
    requests::RequestCounts,
    result::{ScenarioResult, Verdict},
    run::{Cell, CellOutcome},
    settings::Settings,
    simulate::{self, HandleSeeds},
    store_under_test::StoreUnderTest,
    summary::{CellInput, CellSummary},
    target::engine::Engine,
    timer,
};

pub use baseline::baseline;
pub use conformance::conformance;
pub use contention::contention;
pub use faults::faults;
pub use group_commit::group_commit;
pub use knee::knee;
pub use latency_sweep_plot::latency_sweep_plot;
pub use requests::requests;
pub use shared_reads::shared_reads;
pub use sweep::sweep;

mod against;
mod baseline;
mod by_turns;
mod closed_loop;
mod conclude;
mod conformance;
mod contention;
mod estimate;
mod faults;
mod group_commit;
mod judge;
mod knee;
mod latency_sweep_plot;
mod repeats;
mod requests;
mod shared_reads;
mod sweep;
#[cfg(test)]
mod tests;

use against::Comparable;
use estimate::{AROUND_REQUESTS, announce_estimate, class, workload_requests};

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

/// What is known before a scenario begins.
struct Begin {
    /// What it will do, for people.
    load: Option<String>,
    /// The run that it is held against.
    earlier: Option<Recording>,
}

/// Runs a scenario that is not held against earlier runs. An error is one line: why the test fails.
fn run<F: Serialize>(plan: &Plan, body: impl AsyncFnOnce(&Context) -> Ended<F>) -> Result<(), String> {
    run_continuing(plan, None, |_| Ok(None), body)
}

/// The same for one that may be held against an earlier run.
fn run_comparable<F: Serialize>(
    plan: &Plan,
    comparable: &Comparable,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    run_continuing(plan, Some(comparable), |_| Ok(None), body)
}

/// Runs a scenario that may go on where an earlier run of it ended: `find` looks for that one, when no other run can
/// be writing, sets [`Settings::continued`], and says what it found.
fn run_continuing<F: Serialize>(
    plan: &Plan,
    comparable: Option<&Comparable>,
    find: impl FnOnce(&mut Settings) -> Result<Option<String>, String>,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    let mut settings = match Settings::from_env(std::env::vars_os()) {
        Ok(settings) => settings,
        Err(error) => return refuse(plan, None, &error.to_string()),
    };
    let mut load = match (plan.adjust)(&mut settings) {
        Ok(load) => load,
        Err(why) => return refuse(plan, Some(&settings), &why),
    };
    let earlier = match against::earlier(plan.name, comparable, &settings) {
        Ok(earlier) => earlier,
        Err(why) => return refuse(plan, Some(&settings), &why),
    };
    let folder = settings.out.clone();
    let lock = match one_at_a_time(&folder) {
        Ok(lock) => lock,
        Err(error) => {
            let folder = folder.display();
            return refuse(
                plan,
                Some(&settings),
                &format!("results cannot be written to {folder}: {error}"),
            );
        }
    };
    match find(&mut settings) {
        Ok(found) => load = join_lines(load, found),
        Err(error) => return refuse(plan, Some(&settings), &error),
    }
    let begin = Begin { load, earlier };
    let outcome = if settings.store.is_simulated() {
        in_virtual_time(plan, settings, begin, body)
    } else {
        in_real_time(plan, settings, begin, body)
    };
    drop(lock);
    outcome
}

/// Both, one below the other.
fn join_lines(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}\n{second}")),
        (first, second) => first.or(second),
    }
}

fn in_real_time<F: Serialize>(
    plan: &Plan,
    settings: Settings,
    begin: Begin,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(plan, Some(&settings), &format!("no runtime: {error}")),
    };
    let outcome = runtime.block_on(carry_through(plan, settings, begin, Arc::new(SystemClock), body));
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome
}

fn in_virtual_time<F: Serialize>(
    plan: &Plan,
    settings: Settings,
    begin: Begin,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    let work = async |clock| carry_through(plan, settings.clone(), begin, Arc::new(clock), body).await;
    simulate::run(work).unwrap_or_else(|error| refuse(plan, Some(&settings), &error.to_string()))
}

async fn carry_through<F: Serialize>(
    plan: &Plan,
    settings: Settings,
    begin: Begin,
    clock: Arc<dyn Clock>,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    let interrupt = Interrupt::new();
    let _listening = interrupt.listen();
    let estimate = (plan.estimate)(&settings);
    let priced = announce_estimate(&settings, &estimate);
    if let Some(max) = settings.max_requests.filter(|max| estimate.requests() > *max) {
        let needed = estimate.requests();
        let why = format!(
            "PERF_MAX_REQUESTS is {max}, this run needs about {needed}: raise it, or shorten the run"
        );
        return refuse(plan, Some(&settings), &why);
    }
    let context = match Context::open(plan.name, settings.clone(), clock, interrupt).await {
        Ok(context) => Context {
            earlier: begin.earlier,
            ..context
        },
        Err(error) => return refuse(plan, Some(&settings), &error),
    };
    context.say(|out| {
        writeln!(out)?;
        write_header(
            out,
            plan.title,
            &store_line(&context.settings),
            (plan.duration)(&context.settings),
        )?;
        if let Some(load) = &begin.load {
            writeln!(out, "{load}")?;
        }
        write!(out, "{priced}")?;
        for stale in &context.store.stale {
            writeln!(
                out,
                "Note: an earlier run was killed and left {stale}: delete it when nothing runs there"
            )?;
        }
        writeln!(
            out,
            "First the store is asked whether its conditions hold: seconds, on slow ones half a minute\n"
        )
    });
    let ended = body(&context).await;
    if let Some(note) = context.store.clean_up().await {
        context.say(|out| writeln!(out, "Note: {note}"));
    }
    if let Some(passed) = context.virtual_time() {
        context.say(|out| writeln!(out, "\n{passed}"));
    }
    finish(plan, &context, ended)
}

fn finish<F: Serialize>(plan: &Plan, context: &Context, ended: Ended<F>) -> Result<(), String> {
    let result = put_down(plan, context, ended);
    let printed = result.print().map_err(|error| error.to_string());
    match result.verdict {
        Verdict::Pass => printed,
        Verdict::Fail | Verdict::Interrupted => Err(result
            .reason
            .unwrap_or_else(|| result.verdict.as_str().to_owned())),
    }
}

/// Writes the result, and the report of all files.
fn put_down<F: Serialize>(plan: &Plan, context: &Context, ended: Ended<F>) -> ScenarioResult<F> {
    let mut result = ScenarioResult {
        scenario: plan.name.to_owned(),
        store: context.settings.store.name().to_owned(),
        latency: context.settings.latency().map(str::to_owned),
        seed: context.settings.seed,
        verdict: ended.verdict,
        valid: ended.valid,
        reason: ended.reason,
        fields: ended.fields,
    };
    let written = result.write(&context.folder).map_err(|error| error.to_string());
    if let Err(error) = written.and_then(|_| draw_report(context)) {
        // The line is the last word, so it must know.
        context.say(|out| writeln!(out, "error: {error}"));
        result.verdict = if result.verdict == Verdict::Pass {
            Verdict::Fail
        } else {
            result.verdict
        };
        result.reason.get_or_insert(error);
    }
    result
}

/// Draws the report from the files that were just written. An error is one line.
fn draw_report(context: &Context) -> Result<(), String> {
    let drawn = plot::draw(context.folder.path()).map_err(|error| error.to_string())?;
    if drawn.damaged.is_empty() {
        Ok(())
    } else {
        Err(drawn.damaged.join("; "))
    }
}

/// Ends a scenario that never began: one line, and the result line.
fn refuse(plan: &Plan, settings: Option<&Settings>, why: &str) -> Result<(), String> {
    // Nobody may be listening; the test fails all the same.
    let _ = writeln!(io::stdout(), "\nerror: {why}");
    let result = ScenarioResult::<()> {
        scenario: plan.name.to_owned(),
        store: settings
            .map_or("none", |settings| settings.store.name())
            .to_owned(),
        latency: settings.and_then(Settings::latency).map(str::to_owned),
        seed: settings.map_or(0, |settings| settings.seed),
        verdict: Verdict::Fail,
        valid: false,
        reason: Some(why.to_owned()),
        fields: None,
    };
    let _ = result.print();
    Err(why.to_owned())
}

/// Measurements disturb each other, also those of two processes: one at a time holds the lock.
fn one_at_a_time(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let file = File::create(folder.join(".lock"))?;
    if file.try_lock().is_err() {
        let _ = writeln!(
            io::stderr(),
            "waiting for another run that writes to {}",
            folder.display()
        );
        file.lock()?;
    }
    Ok(file)
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
