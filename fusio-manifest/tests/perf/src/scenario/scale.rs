//! Scale: a manifest of a million keys. What it costs to write all of them, to open it in another process and read one,
//! to commit to it, to update a part of it at random, and to scan it.

use std::{io::Write as _, sync::Arc, time::Duration};

use fusio_manifest::{Info, Manifest};

use super::{AROUND_REQUESTS, Context, Ended, Plan, class, run};
use crate::{
    requests::{ClassCount, RequestCounts},
    result::ScaleFields,
    settings::Settings,
    statistics::ranks::median,
    trace::TracedStore,
};

use dataset::{Dataset, Digest};
use larger::{Measured, ten_million};
use reader::{Assignment, Findings};
use upkeep::Upkeep;

mod dataset;
mod judge;
mod larger;
mod plain;
mod process;
mod reader;
mod tell;
#[cfg(test)]
mod tests;
mod upkeep;
mod writing;

const STEM: &str = "test_scale";
const TITLE: &str = "Scale Test";

/// Longer than a request of a reader that has ended is delayed.
const LEFT_OVER: Duration = Duration::from_secs(2);
/// Keys that the reader reads at random, of the usual number of keys.
const RANDOM_GETS: u64 = 10_000;

/// Makes a manifest of `PERF_KEYS` keys, and measures what they cost.
///
/// # Errors
///
/// One line: which bound did not hold, or why it could not run.
pub fn scale() -> Result<(), String> {
    if let Some(done) = process::read_if_asked() {
        return done;
    }
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate,
        duration: expected_time,
        adjust,
    };
    run(&plan, async |context| measure(context).await)
}

fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    if settings.store.faults().is_some() {
        return Err(
            "PERF_FAULTS: test_scale counts requests, and faults would add to them: unset it".to_owned(),
        );
    }
    let reader = if settings.store.is_simulated() {
        "a reader in this process, because no other one can reach the simulated store: its memory is not measured"
    } else {
        "a reader in a process of its own"
    };
    let (keys, tasks) = (settings.keys, settings.tasks);
    Ok(Some(format!(
        "Load: {keys} keys of {} bytes, {} updates by {tasks} tasks, {} reads at random, scans; {reader}",
        dataset::VALUE_BYTES,
        keys / 10,
        random_gets(keys),
    )))
}

/// As many as there are keys at most: more would read none that they have not read.
fn random_gets(keys: u64) -> u64 {
    keys.min(RANDOM_GETS)
}

fn expected_time(settings: &Settings) -> Duration {
    Duration::from_micros(settings.keys.saturating_mul(180))
}

fn estimate(settings: &Settings) -> RequestCounts {
    let (keys, tasks) = (settings.keys as f64, f64::from(settings.tasks));
    let (updates, gets) = (keys / 10.0, random_gets(settings.keys) as f64);
    // A block is 64 KiB, a request of a scan eight of them; seven times everything is read, and merges read it twice.
    let spans = keys * 120.0 / (512.0 * 1024.0);
    RequestCounts {
        conditional_put: class(keys / 2_500.0 + updates / tasks * 1.2 + AROUND_REQUESTS + 400.0),
        conditional_get: class(gets + 1_000.0),
        get: class(gets + spans * 9.0 + 500.0),
        list: ClassCount::default(),
        ..RequestCounts::default()
    }
}

/// Everything that was measured.
struct Scale {
    dataset: Dataset,
    load: Duration,
    loaded: Upkeep,
    after_fold: Findings,
    updates: writing::Updated,
    updated: Upkeep,
    /// The same requests as the server saw them, if it is in this process and has kept all of them.
    served: Option<Upkeep>,
    info: Info,
    in_the_end: Findings,
    own_process: bool,
}

async fn measure(context: &Context) -> Ended<ScaleFields> {
    match carry_out(context, STEM).await {
        Ok(scale) => tell::report(context, &scale),
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

/// `test` is the name under which the test binary runs the reader.
async fn carry_out(context: &Context, test: &str) -> Result<Scale, String> {
    let prefix = context.store.prefix("scale");
    let dataset = Dataset {
        keys: context.settings.keys,
        seed: context.settings.seed,
    };
    let sent = context.store.store(&context.store.meters.writers);
    let traced = Arc::new(TracedStore::new(sent, Arc::clone(&context.clock)));
    let trace = traced.trace();
    let options = context.engine().next_options();
    let created = Manifest::create(traced, &prefix, options).await;
    let (manifest, _) = created.map_err(|error| error.to_string())?;
    let load = writing::load(context, &manifest, dataset).await?;
    let loaded = Upkeep::of(&trace.take());
    writing::fill_a_fold(context, &manifest, dataset).await?;
    let opens = assignment(dataset, &prefix, true);
    let after_fold = process::ask(context, test, opens).await?;
    // What a reader had asked for when it ended, the server answers all the same.
    context.clock.sleep(LEFT_OVER).await;
    let served_before = served(context, &prefix);
    trace.take();
    let updates = writing::update(context, &manifest, dataset).await?;
    manifest.close().await;
    let updated = Upkeep::of(&trace.take());
    let served_after = served(context, &prefix);
    let info = manifest.info().map_err(|error| error.to_string())?;
    let reads = assignment(dataset, &prefix, false);
    let in_the_end = process::ask(context, test, reads).await?;
    Ok(Scale {
        dataset,
        load,
        loaded,
        after_fold,
        updates,
        updated,
        served: served_before
            .zip(served_after)
            .map(|(before, after)| after.since(before)),
        info,
        in_the_end,
        own_process: context.store.address().is_some(),
    })
}

fn assignment(dataset: Dataset, prefix: &str, only_opens: bool) -> Assignment {
    Assignment {
        dataset,
        prefix: prefix.to_owned(),
        only_opens,
        random_gets: random_gets(dataset.keys),
    }
}

/// What the server has seen below this prefix; none if it is in another process, or has seen too much to know.
fn served(context: &Context, prefix: &str) -> Option<Upkeep> {
    let log = context.store.request_log()?;
    (log.len() < crate::s3::request_log::ENTRIES_MAX).then(|| Upkeep::served(&log, prefix))
}

impl Scale {
    fn fields(&self) -> ScaleFields {
        let (cold, fold) = (&self.in_the_end.cold, &self.after_fold.cold);
        let mb = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64 / 1e6);
        let per = |part: u64, whole: f64| (whole > 0.0).then(|| part as f64 / whole);
        let log_mib = self.updated.spills.bytes as f64 / (1024.0 * 1024.0);
        let mut fields = ScaleFields {
            keys: self.dataset.keys,
            cold_round_trips: cold.round_trips,
            cold_bytes: cold.bytes(),
            cold_round_trips_after_fold: fold.round_trips,
            cold_bytes_after_fold: fold.bytes(),
            cold_get_ms: cold.ms,
            start_rss_mb: mb(self.in_the_end.start_memory),
            cold_rss_mb: mb(self.in_the_end.cold_memory),
            updates: self.updates.commits,
            updates_per_s: per(self.updates.commits, self.updates.took.as_secs_f64()),
            update_p50_ms: self.updates.times.quantile_ms(0.5),
            maintenance_requests_per_mib: self.updated.requests_per_mib(),
            spill_puts_per_mib: per(self.updated.spills.requests, log_mib),
            table_puts_per_mib: per(self.updated.table_puts.requests, log_mib),
            table_gets_per_mib: per(self.updated.table_gets.requests, log_mib),
            bytes_rewritten_per_byte: self.updated.rewritten_per_byte(),
            head_bytes_max: self.updated.head_bytes_max.max(self.loaded.head_bytes_max),
            load_s: Some(self.load.as_secs_f64()),
            load_rewritten_per_byte: self.loaded.rewritten_per_byte(),
            runs: self.info.runs,
            tables: self.info.tables,
            run_bytes: self.info.run_bytes,
            ..ScaleFields::default()
        };
        if let Some(warm) = &self.in_the_end.warm {
            fields.get_p50_ms = warm.get_p50_ms;
            fields.cached_get_p50_ms = warm.cached_get_p50_ms;
            fields.requests_per_random_get = per(warm.random_get_requests, warm.random_gets as f64);
            fields.gets_rss_mb = mb(warm.gets_memory);
            fields.peak_rss_mb = mb(warm.scan_memory);
            fields.requests_per_commit = per(warm.commit_requests, warm.commits as f64);
            fields.commit_p50_ms = warm.commit_p50_ms;
            fields.scan_mb_per_s = median(&warm.scan_mb_per_s);
            fields.plain_mb_per_s = median(&warm.plain_mb_per_s);
            let rates = fields.scan_mb_per_s.zip(fields.plain_mb_per_s);
            fields.scan_ratio = rates.map(|(scan, plain)| scan / plain);
            fields.scan_in_flight = warm.in_flight;
        }
        fields.ten_million = Some(ten_million(&Measured {
            keys: self.dataset.keys,
            after_fold: fold,
            updated: cold,
            runs: self.info.runs as u64,
            tables: self.info.tables as u64,
            run_bytes: self.info.run_bytes,
            load_s: self.load.as_secs_f64(),
            load_rewritten_per_byte: fields.load_rewritten_per_byte,
            scan_mb_per_s: fields.scan_mb_per_s,
        }));
        fields
    }
}

/// What the scan must have shown.
fn expected(scale: &Scale) -> Digest {
    scale.updates.digest
}
