//! Requests and latencies of many commits in a row, against bare requests that alternate with them: enough
//! samples to judge what the engine adds.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use fusio_manifest::{Clock, limits::HEAD_BYTES_MAX};

use super::{
    AROUND_REQUESTS, Comparable, Context, Ended, Plan, as_given,
    by_turns::{self, Commits, commit_in_turn, now},
    class,
    conclude::{Run, conclude},
    judge::Judgement,
    run_comparable,
};
use crate::{
    client::Client,
    config::WorkloadConfig,
    metrics::Latencies,
    requests::RequestCounts,
    result::RequestsFields,
    run::{CellOutcome, Prepared},
    s3::accounting::report_counts,
    settings::Settings,
    summary::CellSummary,
};

/// Readers that alternate between a fresh read and a bare GET while the writer commits. So many that the p50
/// of a distribution as wide as that of a GET is known to about 1 %.
const READERS: u32 = 8;
/// What the engine may add to a bare request.
const FLOOR_RATIO_MAX: f64 = 1.05;
/// Fewer commits give no ratio worth judging.
const COMMITS_JUDGED: u64 = 1_000;
/// Below this a bare request takes as long as the scheduling of two tasks, and a ratio says nothing of the engine.
const FLOOR_JUDGED_MS: f64 = 10.0;

use merges::{BesideMerges, commit_beside_merges};

mod merges;

const STEM: &str = "test_requests";
const TITLE: &str = "Requests Test";

/// Makes `PERF_COMMITS` commits, one after the other, and reads meanwhile.
///
/// # Errors
///
/// One line: which bound did not hold, or why it could not run.
pub fn requests() -> Result<(), String> {
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate,
        duration: expected_time,
        adjust: as_given,
    };
    let comparable = Comparable {
        cells: |settings| vec![workload(settings)],
        open_loop: false,
        has_repeats: false,
    };
    run_comparable(&plan, &comparable, async |context| measure(context).await)
}

fn workload(settings: &Settings) -> WorkloadConfig {
    WorkloadConfig {
        num_writers: 1,
        num_readers: READERS,
        ..settings.workload.clone()
    }
}

/// What maintenance may add to one request per commit.
const WITH_MAINTENANCE_MAX: f64 = 1.02;
/// Beside its look at HEAD a read of what was folded may ask for a block that is not in memory.
const PER_READ_MAX: f64 = 1.01;
/// What the last 1,000 commits may take at p50, against the first 1,000.
const GROWTH_MAX: f64 = 1.05;
/// From so many commits on the first and the last thousand are told apart.
const GROWTH_JUDGED: u64 = 3_000;

fn expected_time(settings: &Settings) -> Duration {
    let beside_merges = 3 * merges::samples(settings.commits);
    by_turns::expected_time(settings.commits + beside_merges / 2)
}

fn estimate(settings: &Settings) -> RequestCounts {
    let commits = settings.commits as f64;
    let beside_merges = merges::samples(settings.commits) as f64;
    RequestCounts {
        conditional_put: class(commits * 2.0 + 2.0 * AROUND_REQUESTS + beside_merges * 4.0),
        // Each reader makes about two reads and two bare GETs while one commit and its bare PUT take place.
        conditional_get: class(commits * 4.0 * f64::from(READERS)),
        // A merge reads its runs by some hundred requests.
        get: class(beside_merges * 15.0 + 400.0),
        ..RequestCounts::default()
    }
}

impl Commits {
    /// p50 of the first and of the last thousand, or third if there are fewer than 3,000.
    fn first_and_last_p50_ms(&self) -> (Option<f64>, Option<f64>) {
        let part = if self.times.len() >= 3_000 {
            1_000
        } else {
            self.times.len() / 3
        };
        let p50 = |times: &mut dyn Iterator<Item = &Duration>| {
            let mut latencies = Latencies::default();
            times.for_each(|time| latencies.record(*time));
            latencies.quantile_ms(0.5)
        };
        (
            p50(&mut self.times.iter().take(part)),
            p50(&mut self.times.iter().rev().take(part)),
        )
    }
}

async fn measure(context: &Context) -> Ended<RequestsFields> {
    let mut config = workload(&context.settings);
    // Everything is measured, however long it takes.
    config.duration = Duration::from_secs(24 * 3_600);
    let parts = async {
        let (mut outcome, commits) = carry_out(context, &config).await?;
        // With faults on purpose nothing can be said of latencies.
        let beside = match context.has_faults() || context.should_stop() {
            true => BesideMerges::default(),
            false => commit_beside_merges(context).await?,
        };
        // The bill is of the whole run, and grew with the second part.
        outcome.requests.total = report_counts(&context.store.meters.total());
        Ok::<_, String>((outcome, commits, beside))
    };
    match parts.await {
        Ok((outcome, commits, beside)) => report(context, config, &outcome, (&commits, &beside)),
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

async fn carry_out(context: &Context, config: &WorkloadConfig) -> Result<(CellOutcome, Commits), String> {
    let engine = context.engine();
    let cell = context.cell("requests".to_owned(), config, &engine);
    let mut prepared = Prepared::new(&cell).await?;
    let t0 = prepared.begin();
    let writer = prepared.clients.first_writer()?;
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (prepared.clients.readers.iter())
        .map(|(_, driver)| {
            let pair = [
                Arc::clone(driver.client()),
                Arc::clone(&prepared.clients.floor_get) as Arc<dyn Client>,
            ];
            tokio::spawn(alternate(Arc::clone(&context.clock), Arc::clone(&stop), pair))
        })
        .collect();
    let commits = commit_in_turn(
        context,
        context.settings.commits,
        &writer,
        &(Arc::clone(&prepared.clients.floor_put) as Arc<dyn Client>),
    )
    .await;
    stop.store(true, Ordering::Release);
    for reader in readers {
        reader
            .await
            .map_err(|error| format!("a reader's task ended: {error}"))?;
    }
    let measured = context.clock.now().saturating_sub(t0);
    let interrupted = context.interrupt.is_set() || context.store.budget_spent();
    Ok((prepared.finish(measured, interrupted, 0).await, commits))
}

/// Reads, without pause, by turns, until it is stopped.
async fn alternate(clock: Arc<dyn Clock>, stop: Arc<AtomicBool>, clients: [Arc<dyn Client>; 2]) {
    while !stop.load(Ordering::Acquire) {
        for client in &clients {
            client.operate(now(&*clock)).await;
        }
    }
}

fn report(
    context: &Context,
    mut config: WorkloadConfig,
    outcome: &CellOutcome,
    (commits, beside): (&Commits, &BesideMerges),
) -> Ended<RequestsFields> {
    // The load was not offered but came about; the files say what it was.
    config.duration = outcome.measured;
    let seconds = outcome.measured.as_secs_f64().max(f64::EPSILON);
    config.writer_rate = outcome.metrics.writer.count() as f64 / seconds;
    config.reader_rate = outcome.metrics.reader.succeeded.count() as f64 / seconds / f64::from(READERS);
    let cell = context.summarize(&config, outcome);
    let (first, last) = commits.first_and_last_p50_ms();
    let mut fields = RequestsFields::new(&cell, first, last, commits.head_bytes_max);
    beside.tell(&mut fields);
    context.say(|out| merges::write(out, &fields));
    let run = Run {
        stem: STEM,
        title: TITLE,
        open_loop: false,
    };
    let judgement = judge(context, outcome, &fields, &cell);
    let (verdict, reason) = conclude(context, &run, &cell, judgement);
    Ended {
        verdict,
        valid: true,
        reason,
        fields: Some(fields),
    }
}

fn judge(context: &Context, outcome: &CellOutcome, fields: &RequestsFields, cell: &CellSummary) -> Judgement {
    let (history, final_state) = (&outcome.history, &outcome.final_state);
    let mut judgement = Judgement::of_history(
        history,
        final_state,
        context.settings.writer_kind,
        &context.folder,
    );
    let asked = context.settings.commits;
    judgement.fail_if(fields.commits < asked, || {
        format!("{} of {asked} commits succeeded", fields.commits)
    });
    judge_requests(context, fields, &mut judgement);
    judge_growth(fields, cell, &mut judgement);
    merges::judge(fields, FLOOR_JUDGED_MS, &mut judgement);
    judge_ratios(context, fields, cell, &mut judgement);
    let (errors, examples) = &outcome.errors;
    judgement.fail_if(*errors > 0 && !context.has_faults(), || {
        format!("{errors} operations failed, such as: {}", examples.join("; "))
    });
    judgement
}

fn judge_requests(context: &Context, fields: &RequestsFields, judgement: &mut Judgement) {
    for (what, value, allowed) in [
        (
            "requests per commit on the path",
            fields.requests_per_commit_path,
            1.0,
        ),
        (
            "requests per commit in all",
            fields.requests_per_commit_total,
            WITH_MAINTENANCE_MAX,
        ),
        ("requests per read", fields.requests_per_read, PER_READ_MAX),
    ] {
        judgement.fail_if(
            value.is_none_or(|value| value > allowed) && !context.has_faults(),
            || format!("{what}: {value:?}, allowed is {allowed:.2}"),
        );
    }
}

/// However many commits there were before: HEAD stays small, and the last commits take as long as the first.
fn judge_growth(fields: &RequestsFields, cell: &CellSummary, judgement: &mut Judgement) {
    let head = fields.head_bytes_max;
    judgement.fail_if(head > HEAD_BYTES_MAX, || {
        format!("HEAD had {head} bytes, allowed are {HEAD_BYTES_MAX}")
    });
    let (Some(first), Some(last)) = (fields.commit_p50_ms_first, fields.commit_p50_ms_last) else {
        return;
    };
    let slow = cell
        .detail
        .floor_put
        .p50_ms
        .is_some_and(|floor| floor >= FLOOR_JUDGED_MS);
    if fields.commits >= GROWTH_JUDGED && slow {
        judgement.fail_if(last > first * GROWTH_MAX, || {
            format!("p50 of the last commits is {last:.2} ms, of the first {first:.2} ms: allowed is {GROWTH_MAX} times")
        });
        if last <= first * GROWTH_MAX {
            judgement
                .verified
                .push(format!("p50 of the last 1,000 / first 1,000 {:.3}", last / first));
        }
    }
}

fn judge_ratios(context: &Context, fields: &RequestsFields, cell: &CellSummary, judgement: &mut Judgement) {
    for (what, ratio, floor) in [
        (
            "commit p50 / bare PUT p50",
            fields.commit_floor_ratio,
            cell.detail.floor_put.p50_ms,
        ),
        (
            "read p50 / bare GET p50",
            fields.read_floor_ratio,
            cell.detail.floor_get.p50_ms,
        ),
    ] {
        let (Some(ratio), Some(floor)) = (ratio, floor) else {
            continue;
        };
        if context.settings.commits >= COMMITS_JUDGED && floor >= FLOOR_JUDGED_MS {
            judgement.fail_if(ratio > FLOOR_RATIO_MAX, || {
                format!("{what} is {ratio:.3}, allowed is {FLOOR_RATIO_MAX}")
            });
            if ratio <= FLOOR_RATIO_MAX {
                judgement.verified.push(format!("{what} {ratio:.3}"));
            }
        } else {
            context.say(|out| {
                writeln!(
                    out,
                    "Note: {what} is {ratio:.3}, not judged: that takes {COMMITS_JUDGED} commits and a bare p50 of \
                     {FLOOR_JUDGED_MS} ms"
                )
            });
        }
    }
}
