//! Soak: half an hour of everything at once, with faults, on one manifest whose keys are used again and again. What grows
//! then, would grow for ever: memory, open files, HEAD, garbage, requests and time of a commit.

use std::{ffi::OsStr, io::Write as _, time::Duration};

use fusio_manifest::Mutant;

use super::{Context, Ended, Plan, aftermath::store, class, lifecycle::from_environment, run_given};
use crate::{
    requests::RequestCounts,
    result::SoakFields,
    settings::{Settings, SettingsError},
    soak,
    target::Target as _,
};
use child::Child;

mod child;
mod flat;
mod judge;
mod tell;
#[cfg(test)]
mod tests;
mod watch;

const USUAL_DURATION: Duration = Duration::from_secs(1_800);
const USUAL_WRITERS: u32 = 4;
const USUAL_READERS: u32 = 4;
const USUAL_WRITER_RATE: f64 = 4.0;
const USUAL_READER_RATE: f64 = 10.0;
const USUAL_KEYS: u32 = 300;
/// Commits of 10 ms: with them thousands fit into the time.
const USUAL_LATENCY: &str = "s3-express";
/// Rows of a run, about: as many as a plot shows, each with enough commits for a percentile.
const INTERVALS: u32 = 180;
/// The shortest interval: resources are looked at once a second.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// The store is gone for so long, or for a twentieth of the time that lies between.
const OUTAGE: Duration = Duration::from_secs(2);
/// Once in so long, or once in a shorter run.
const OUTAGE_EVERY: Duration = Duration::from_secs(300);

const STEM: &str = "test_soak";
const TITLE: &str = "Soak Test";

/// Lets a process work for long, and judges what it takes. `test` is the name of the test that calls this: the process is
/// this program, running that test, in which this call then does its work.
///
/// # Errors
///
/// One line: what did not hold, or why it could not run.
pub fn soak(test: &str) -> Result<(), String> {
    carry_out(test, None, from_environment)
}

/// The same with these settings, and with an engine that is broken in this way, if any.
///
/// # Errors
///
/// One line: what did not hold, or why it could not run.
pub fn soak_given<K: AsRef<OsStr>, V: AsRef<OsStr>>(
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
    if let Some(ordered) = soak::ordered() {
        soak::carry_out(ordered);
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
            "test_soak measures a real process, which PERF_STORE=simulated has none of: unset it, or set PERF_STORE=s3"
                .to_owned(),
        );
    }
    if settings.max_requests.is_some() {
        return Err("PERF_MAX_REQUESTS cannot bound the requests of another process: unset it".to_owned());
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
    if settings.workload.num_writers == 0 {
        return Err("PERF_NUM_WRITERS is 0, test_soak is about commits: set it to 1 or more".to_owned());
    }
    let usual_latency = !settings.is_set("PERF_LATENCY");
    if let Some(latency) = settings.store.latency_mut().filter(|_| usual_latency) {
        USUAL_LATENCY.clone_into(latency);
    }
    let usual = usual_faults(settings.workload.duration);
    if let Some(faults) = settings.store.faults_mut() {
        faults.get_or_insert(usual);
    }
    let load = &settings.workload;
    Ok(Some(format!(
        "Load: {} writers at {}/s on two handles, {} readers at {}/s, each fifth of whose states is held or pinned, a handle \
         that comes and goes, in a process of their own; {} keys; retention {} s; a row every {} s; trends are judged {}",
        load.num_writers,
        load.writer_rate,
        load.num_readers,
        load.reader_rate,
        load.keys.size,
        soak::shared_settings().retention.as_secs(),
        interval(load.duration).as_secs(),
        match flat::judged_from(load.duration) {
            Some(from) => format!("from {} s on", from.as_secs()),
            None => format!("in runs of {} s and more", flat::JUDGED_FROM.as_secs()),
        }
    )))
}

/// Every hundredth reply is lost, every hundredth request refused, and now and then nothing gets through.
fn usual_faults(duration: Duration) -> String {
    let outages = (duration.as_secs() / OUTAGE_EVERY.as_secs()).max(1);
    let every = duration.div_f64(outages as f64);
    let outage = OUTAGE.min(every / 20);
    let windows = (0..outages).map(|number| {
        let from = every.mul_f64(number as f64 + 0.5);
        let [from, to] = [from, from + outage].map(|span| span.as_millis());
        format!("any from={from}ms to={to}ms reset; ")
    });
    let windows: String = windows.collect();
    format!("{windows}any after p=0.01 drop; any p=0.01 status=503")
}

/// Whole seconds.
fn interval(duration: Duration) -> Duration {
    let seconds = duration.as_millis().div_ceil(u128::from(INTERVALS) * 1_000);
    Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)).max(INTERVAL_MIN)
}

fn estimate(settings: &Settings) -> RequestCounts {
    let load = &settings.workload;
    let seconds = load.duration.as_secs_f64();
    let commits = f64::from(load.num_writers) * load.writer_rate * seconds;
    let reads = f64::from(load.num_readers) * load.reader_rate * seconds;
    RequestCounts {
        conditional_put: class(2.0 * commits + 0.1 * reads),
        conditional_get: class(commits + 1.2 * reads),
        get: class(commits + reads),
        ..RequestCounts::default()
    }
}

async fn measure(context: &Context, test: &str, mutant: Option<Mutant>) -> Ended<SoakFields> {
    let watched = match prepare(context, test, mutant).await {
        Ok(child) => watch::until_its_end(context, child).await,
        Err(error) => Err(error),
    };
    match watched {
        Ok(watched) => tell::conclude(context, watched).await,
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

/// Makes the manifest, and starts the process.
async fn prepare(context: &Context, test: &str, mutant: Option<Mutant>) -> Result<Child, String> {
    let settings = &context.settings;
    let load = &settings.workload;
    let address = context
        .store
        .address()
        .ok_or("no process could reach this store")?;
    let prefix = context.store.prefix("soak");
    context.store.calm();
    let mut engine = context.engine();
    engine.options.shared = soak::shared_settings();
    let created = engine.create(store(context), &prefix).await?;
    created.close().await;
    context.store.restart_faults();
    Child::start(
        test,
        soak::Order {
            address,
            prefix,
            folder: context.folder.path().join("process"),
            seed: settings.seed,
            pool: load.keys.size,
            writers: load.num_writers,
            readers: load.num_readers,
            writer_rate: load.writer_rate,
            reader_rate: load.reader_rate,
            in_flight: settings.in_flight as usize,
            duration: load.duration,
            interval: interval(load.duration),
            mutant: mutant.map(|mutant| format!("{mutant:?}")),
        },
    )
}
