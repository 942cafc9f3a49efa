//! Crashes: processes that write, read, pin, maintain, create and destroy are killed, at random and between any two
//! requests, and replaced. Nothing that was acknowledged may be missing, nothing be there twice, and one collection must
//! leave nothing that nothing references.

use std::{ffi::OsStr, io::Write as _, time::Duration};

use fusio_manifest::Mutant;

use super::{
    Context, Ended, Plan, aftermath::store, class, conclude::write_evidence, judge::Judgement,
    lifecycle::from_environment, reason, run_given,
};
use crate::{
    checker::{ViolationKind, account},
    config::WriterKind,
    crash::{
        self,
        crew::{self, Crew},
        ordered,
    },
    requests::RequestCounts,
    result::{CrashFields, Verdict},
    settings::{Settings, SettingsError},
    target::Target as _,
};
use left::{Left, look};

mod left;
mod report;
#[cfg(test)]
mod tests;

const USUAL_DURATION: Duration = Duration::from_secs(60);
const USUAL_WRITERS: u32 = 8;
const USUAL_READERS: u32 = 4;
const USUAL_WRITER_RATE: f64 = 3.0;
const USUAL_READER_RATE: f64 = 10.0;
/// Keys that many transactions meet at.
const USUAL_KEYS: u32 = 100;
const MAINTAINERS: u32 = 3;
const FOUNDERS: u32 = 3;
/// One is killed every so often, unless the settings say how many are.
const KILL_EVERY: Duration = Duration::from_secs(2);
/// A run of at least this long must have hit every point; shorter ones see too few collections.
const POINTS_JUDGED_FROM: Duration = Duration::from_secs(30);
/// How much longer it goes on for points at which nobody has died.
const POINTS_WAIT: Duration = Duration::from_secs(240);
/// How often the dead are looked for.
const TEND_EVERY: Duration = Duration::from_millis(10);
/// How long processes may take to stop.
const STOP_MAX: Duration = Duration::from_secs(30);

const STEM: &str = "test_crash";
const TITLE: &str = "Crash Test";

/// Kills processes and sees what is left. `test` is the name of the test that calls this: the processes are this program,
/// running that test, in which this call then does their work.
///
/// # Errors
///
/// One line: what did not hold, or why it could not run.
pub fn crash(test: &str) -> Result<(), String> {
    carry_out(test, None, from_environment)
}

/// The same with these settings, and with an engine that is broken in this way, if any.
///
/// # Errors
///
/// One line: what did not hold, or why it could not run.
pub fn crash_given<K: AsRef<OsStr>, V: AsRef<OsStr>>(
    test: &str,
    settings: impl IntoIterator<Item = (K, V)>,
    mutant: Option<Mutant>,
) -> Result<(), String> {
    carry_out(test, mutant, || Settings::from_env(settings))
}

fn carry_out(
    test: &str,
    mutant: Option<Mutant>,
    settings: impl FnOnce() -> Result<Settings, SettingsError>,
) -> Result<(), String> {
    if let Some(ordered) = ordered() {
        crash::carry_out(ordered);
    }
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate,
        duration: |settings| settings.workload.duration,
        adjust,
    };
    run_given(&plan, settings(), async |context| {
        measure(context, test, mutant).await
    })
}

fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    if settings.store.is_simulated() {
        return Err(
            "test_crash kills real processes, which PERF_STORE=simulated has none of: unset it, or set \
             PERF_STORE=s3"
                .to_owned(),
        );
    }
    if settings.max_requests.is_some() {
        return Err(
            "PERF_MAX_REQUESTS cannot bound processes that are killed before they tell: unset it".to_owned(),
        );
    }
    settings.set_unless_given("PERF_DURATION_SECS", USUAL_DURATION, |s| &mut s.workload.duration);
    settings.set_unless_given("PERF_NUM_WRITERS", USUAL_WRITERS, |s| &mut s.workload.num_writers);
    settings.set_unless_given("PERF_NUM_READERS", USUAL_READERS, |s| &mut s.workload.num_readers);
    settings.set_unless_given("PERF_WRITER_RATE", USUAL_WRITER_RATE, |s| {
        &mut s.workload.writer_rate
    });
    settings.set_unless_given("PERF_READER_RATE", USUAL_READER_RATE, |s| {
        &mut s.workload.reader_rate
    });
    settings.set_unless_given("PERF_KEY_POOL_SIZE", USUAL_KEYS, |s| &mut s.workload.keys.size);
    let load = &settings.workload;
    if load.num_writers == 0 {
        return Err("PERF_NUM_WRITERS is 0, test_crash is about commits: set it to 1 or more".to_owned());
    }
    let usual_kills = (load.duration.as_millis() / KILL_EVERY.as_millis()).max(1);
    let kills = *settings
        .kills
        .get_or_insert(u64::try_from(usual_kills).unwrap_or(u64::MAX));
    Ok(Some(format!(
        "Load: {} writers, each at most {} commits/s, {} readers, each at most {} reads/s, {MAINTAINERS} that maintain, \
         {FOUNDERS} that create and destroy; retention 1 s; {kills} are killed at random moments, one every {:.2} s, \
         and others between two requests",
        load.num_writers,
        load.writer_rate,
        load.num_readers,
        load.reader_rate,
        load.duration.as_secs_f64() / kills as f64
    )))
}

fn estimate(settings: &Settings) -> RequestCounts {
    let load = &settings.workload;
    let seconds = load.duration.as_secs_f64();
    // A commit loses a race about as often as it wins one. Founders probe, of which a second has some tens of requests.
    let commits = f64::from(load.num_writers) * load.writer_rate * seconds;
    let founded = f64::from(FOUNDERS) * 60.0 * seconds;
    let reads = f64::from(load.num_readers) * load.reader_rate * seconds;
    RequestCounts {
        conditional_put: class(2.0 * commits + founded),
        conditional_get: class(2.0 * commits + 2.0 * reads + f64::from(MAINTAINERS) * 20.0 * seconds),
        ..RequestCounts::default()
    }
}

async fn measure(context: &Context, test: &str, mutant: Option<Mutant>) -> Ended<CrashFields> {
    let left = match prepare(context, test, mutant).await {
        Ok(crew) => kill_and_replace(context, crew).await,
        Err(error) => Err(error),
    };
    match left {
        Ok(left) => judge(context, left),
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

/// Makes the manifest, and starts the processes.
async fn prepare(context: &Context, test: &str, mutant: Option<Mutant>) -> Result<Crew, String> {
    let settings = &context.settings;
    let load = &settings.workload;
    let address = context
        .store
        .address()
        .ok_or("no process could reach this store")?;
    let prefix = context.store.prefix("crash");
    context.store.calm();
    let mut engine = context.engine();
    engine.options.shared = crash::shared_settings();
    let created = engine.create(store(context), &prefix).await?;
    created.close().await;
    context.store.restart_faults();
    Crew::start(crew::Plan {
        test: test.to_owned(),
        address,
        prefix,
        founded: context.store.prefix("founded"),
        folder: context.folder.path().join("processes"),
        seed: settings.seed,
        pool: load.keys.size,
        writers: load.num_writers,
        readers: load.num_readers,
        maintainers: MAINTAINERS,
        founders: FOUNDERS,
        writer_pause: Duration::from_secs_f64(1.0 / load.writer_rate),
        reader_pause: Duration::from_secs_f64(1.0 / load.reader_rate),
        mutant: mutant.map(|mutant| format!("{mutant:?}")),
    })
}

async fn kill_and_replace(context: &Context, mut crew: Crew) -> Result<Left, String> {
    let duration = context.settings.workload.duration;
    let planned = context.settings.kills.unwrap_or(1);
    let progress = context.progress.cell("crash", duration);
    let began = context.clock.now();
    let judged = duration >= POINTS_JUDGED_FROM;
    // Each falls into a part of its own of the run, somewhere in it.
    let due = |sent: u64, share: f64| duration.mul_f64((sent as f64 + share) / planned as f64);
    let (mut sent, mut share) = (0, crew.share());
    loop {
        crew.tend()?;
        let passed = context.clock.now().saturating_sub(began);
        let done = sent - crew.kills().too_late;
        if done < planned && passed >= due(done, share) && crew.kill_one()? {
            sent += 1;
            share = crew.share();
        }
        let waits = judged && !crew.all_points_hit() && passed < duration + POINTS_WAIT;
        if context.should_stop() || crew.is_hopeless() || (passed >= duration && done >= planned && !waits) {
            break;
        }
        let kills = crew.kills();
        progress.update(passed, kills.at_random + kills.at_points);
        context.clock.sleep(TEND_EVERY).await;
    }
    crew.stop();
    let until = context.clock.now() + STOP_MAX;
    while !crew.has_stopped()? && context.clock.now() < until {
        context.clock.sleep(TEND_EVERY).await;
    }
    crew.end();
    context.store.calm();
    look(context, &crew, judged).await
}

fn judge(context: &Context, left: Left) -> Ended<CrashFields> {
    let Left {
        history,
        final_state,
        mut fields,
        failures,
    } = left;
    let kind = WriterKind::ReadModifyWrite;
    let mut judgement = Judgement::of_history(&history, &final_state, kind, &context.folder);
    judgement.failures.extend(failures);
    let books = final_state.as_ref().map(|state| account(&history, state));
    let books = books.unwrap_or_default();
    let found =
        |kinds: &[ViolationKind]| -> u64 { kinds.iter().filter_map(|kind| judgement.counts.get(kind)).sum() };
    fields.lost = books.lost.max(found(&[ViolationKind::LostWrite]));
    fields.doubled = books.doubled.max(found(&[
        ViolationKind::DuplicateCommit,
        ViolationKind::DuplicateTxn,
        ViolationKind::ForeignCommit,
    ]));
    fields.commits_ok = books.acknowledged;
    fields.commits_unknown = books.unknown;
    fields.unknown_applied = books.unknown_seen;
    fields.reads = history
        .operations
        .iter()
        .map(|operation| operation.reads.len() as u64)
        .sum();
    judgement.fail_if(fields.commits_ok == 0, || "nothing was committed".to_owned());
    judgement.fail_if(fields.lost > 0, || format!("{} commits are missing", fields.lost));
    judgement.fail_if(fields.doubled > 0, || {
        format!("{} commits are there more than once", fields.doubled)
    });
    judgement.fail_if(books.failed_seen > 0, || {
        format!("{} commits are there although they failed", books.failed_seen)
    });
    let verdict = match (context.interrupt.is_set(), judgement.failures.is_empty()) {
        (true, _) => Verdict::Interrupted,
        (false, true) => Verdict::Pass,
        (false, false) => Verdict::Fail,
    };
    if verdict == Verdict::Pass {
        // Evidence of nothing, and large.
        let _ = std::fs::remove_dir_all(context.folder.path().join("processes"));
    }
    context.say(|out| report::write(out, &fields, &judgement, verdict));
    context.say(|out| write_evidence(out, context, STEM, &judgement.counterexamples, judgement.checking));
    Ended {
        verdict,
        valid: true,
        reason: reason(verdict, &judgement.failures),
        fields: Some(fields),
    }
}
