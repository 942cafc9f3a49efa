//! A scenario from its settings to its last word: it is refused in one line, or set up, run, put down in files and
//! told, whatever happened.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use fusio_manifest::{Clock, SystemClock};
use serde::Serialize;

use super::{
    Context, Ended, Plan,
    against::{self, Comparable},
    estimate::announce_estimate,
};
use crate::{
    compare::Recording,
    interrupt::Interrupt,
    plot,
    report::{store_line, write_header},
    result::{ScenarioResult, Verdict},
    settings::{Settings, SettingsError},
    simulate,
};

/// What is known before a scenario begins.
pub(super) struct Begin {
    /// Whether it uses the store that the settings name.
    uses_store: bool,
    /// What it will do, for people.
    load: Option<String>,
    /// The run that it is held against.
    earlier: Option<Recording>,
}

/// Runs a scenario that is not held against earlier runs. An error is one line: why the test fails.
pub(super) fn run<F: Serialize>(
    plan: &Plan,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    run_continuing(plan, None, |_| Ok(None), body)
}

/// The same for one that may be held against an earlier run.
pub(super) fn run_comparable<F: Serialize>(
    plan: &Plan,
    comparable: &Comparable,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    run_continuing(plan, Some(comparable), |_| Ok(None), body)
}

/// Runs a scenario that may go on where an earlier run of it ended: `find` looks for that one, when no other run can
/// be writing, sets [`Settings::continued`], and says what it found.
pub(super) fn run_continuing<F: Serialize>(
    plan: &Plan,
    comparable: Option<&Comparable>,
    find: impl FnOnce(&mut Settings) -> Result<Option<String>, String>,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    begin(plan, from_environment(), comparable, find, |settings, begin| {
        if settings.store.is_simulated() {
            in_virtual_time(plan, settings, begin, body)
        } else {
            in_real_time(plan, settings, begin, body)
        }
    })
}

/// Runs a scenario in real time with settings that were read already.
pub(super) fn run_given<F: Serialize>(
    plan: &Plan,
    settings: Result<Settings, SettingsError>,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    begin(
        plan,
        settings,
        None,
        |_| Ok(None),
        |settings, begin| in_real_time(plan, settings, begin, body),
    )
}

pub(super) fn from_environment() -> Result<Settings, SettingsError> {
    Settings::from_env(std::env::vars_os())
}

/// Runs a scenario in real time, whatever the store: it makes simulations of its own, on threads.
pub(super) fn run_simulations<F: Serialize>(
    plan: &Plan,
    body: impl AsyncFnOnce(&Context) -> Ended<F>,
) -> Result<(), String> {
    begin(
        plan,
        from_environment(),
        None,
        |_| Ok(None),
        |settings, begin| {
            let begin = Begin {
                uses_store: false,
                ..begin
            };
            in_real_time(plan, settings, begin, body)
        },
    )
}

/// Refuses what cannot be, and hands over when no other run can be writing.
fn begin(
    plan: &Plan,
    settings: Result<Settings, SettingsError>,
    comparable: Option<&Comparable>,
    find: impl FnOnce(&mut Settings) -> Result<Option<String>, String>,
    carry_out: impl FnOnce(Settings, Begin) -> Result<(), String>,
) -> Result<(), String> {
    let mut settings = match settings {
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
    let begin = Begin {
        uses_store: true,
        load,
        earlier,
    };
    let outcome = carry_out(settings, begin);
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
        if !begin.uses_store {
            let load = begin.load.as_deref().unwrap_or_default();
            return writeln!(out, "=== Running {} ===\n{load}\n", plan.title);
        }
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
    if let Some(passed) = context.virtual_time().filter(|_| begin.uses_store) {
        context.say(|out| writeln!(out, "\n{passed}"));
    }
    finish(plan, &context, ended)
}

pub(super) fn finish<F: Serialize>(plan: &Plan, context: &Context, ended: Ended<F>) -> Result<(), String> {
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
pub(super) fn put_down<F: Serialize>(plan: &Plan, context: &Context, ended: Ended<F>) -> ScenarioResult<F> {
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
