//! Group commit: many tasks of one process commit on one handle, each again as soon as it is answered; then
//! one task alone, beside bare PUTs, to see that the sharing costs it nothing.

use std::{io::Write as _, sync::Arc, time::Duration};

use super::{
    AROUND_REQUESTS, Context, Ended, Plan,
    by_turns::{self, Commits, commit_in_turn},
    class,
    closed_loop::{Shown, saturate},
    conclude::{Run, conclude},
    judge::Judgement,
    run,
};
use crate::{
    client::{Client, MonotonicWriter, Own},
    config::{WorkloadConfig, WriterKind},
    history::ClientId,
    requests::RequestCounts,
    result::GroupCommitFields,
    run::{CellOutcome, Prepared, seed_of},
    settings::Settings,
    summary::CellSummary,
};

/// How long the tasks commit, unless the settings say.
const USUAL_DURATION: Duration = Duration::from_secs(20);
/// Commits of one task alone, for each second that many commit.
const SINGLE_PER_SECOND: f64 = 20.0;
/// Fewer give no ratio worth judging: the p50 of as many PUTs is known to about 1 %.
const SINGLE_JUDGED: u64 = 300;
/// What the engine may add to a bare PUT when one task commits alone.
const SINGLE_FLOOR_RATIO_MAX: f64 = 1.05;
/// The latencies that the bounds are made for.
const JUDGED_LATENCY: &str = "s3-standard";
/// PUTs that one wire sends in a second at those latencies, about.
const PUTS_PER_SECOND: f64 = 20.0;

const STEM: &str = "test_group_commit";
const TITLE: &str = "Group Commit Test";

/// Commits with `PERF_TASKS` tasks on one handle, then with one.
///
/// # Errors
///
/// One line: which bound did not hold, or why it could not run.
pub fn group_commit() -> Result<(), String> {
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate,
        duration: |settings| {
            settings.workload.duration + by_turns::expected_time(single_commits(&settings.workload))
        },
        adjust: |settings| {
            settings.set_unless_given("PERF_DURATION_SECS", USUAL_DURATION, |settings| {
                &mut settings.workload.duration
            });
            settings.writer_kind = WriterKind::Monotonic;
            Ok(Some(format!(
                "Load: {} tasks on one handle, each always with one commit under way, {:.1}s (here 20 s unless \
                 set); then {} commits of one task",
                settings.tasks,
                settings.workload.duration.as_secs_f64(),
                single_commits(&settings.workload)
            )))
        },
    };
    run(&plan, async |context| measure(context).await)
}

/// Enough for a ratio at the usual duration, and fewer in proportion when a look is enough.
#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
fn single_commits(config: &WorkloadConfig) -> u64 {
    (config.duration.as_secs_f64() * SINGLE_PER_SECOND).ceil() as u64
}

/// What so many tasks must commit in a second, at the latencies of S3 Standard.
fn commits_per_s_min(tasks: u32) -> Option<f64> {
    match tasks {
        512.. => Some(4_000.0),
        64.. => Some(800.0),
        _ => None,
    }
}

fn estimate(settings: &Settings) -> RequestCounts {
    let seconds = (settings.workload.duration + settings.warmup).as_secs_f64();
    let single = single_commits(&settings.workload) as f64 * 2.0;
    RequestCounts {
        conditional_put: class(seconds * PUTS_PER_SECOND + single + 2.0 * AROUND_REQUESTS),
        ..RequestCounts::default()
    }
}

/// The part with many tasks.
struct Together {
    config: WorkloadConfig,
    outcome: CellOutcome,
    /// How often HEAD was replaced meanwhile.
    head_puts: u64,
}

/// The part with one.
struct Alone {
    config: WorkloadConfig,
    outcome: CellOutcome,
    commits: Commits,
}

async fn measure(context: &Context) -> Ended<GroupCommitFields> {
    let parts = async {
        let together = together(context).await?;
        Ok::<_, String>((together, alone(context).await?))
    };
    match parts.await {
        Ok((together, alone)) => report(context, together, alone),
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

async fn together(context: &Context) -> Result<Together, String> {
    let mut config = WorkloadConfig {
        num_writers: 1,
        num_readers: 0,
        ..context.settings.workload.clone()
    };
    let engine = context.engine();
    let cell = context.cell("together".to_owned(), &config, &engine);
    let mut prepared = Prepared::new(&cell).await?;
    let first = prepared.clients.owns.first().ok_or("no writer")?;
    let tasks = tasks(first, context.settings.tasks, context.settings.seed);
    let handle = Arc::clone(&first.handle);
    // The warm-up is not measured: the epoch begins after it.
    saturate(
        context,
        &tasks,
        context.clock.now() + context.settings.warmup,
        None,
    )
    .await?;
    let t0 = prepared.begin();
    let before = handle.head_revision();
    let shown = Shown {
        progress: &context.progress.cell("tasks", config.duration),
        began: t0,
        ended: &Arc::default(),
    };
    saturate(context, &tasks, t0 + config.duration, Some(&shown)).await?;
    let measured = context.clock.now().saturating_sub(t0).min(config.duration);
    let head_puts = handle.head_revision().saturating_sub(before);
    let outcome = prepared.finish(measured, context.should_stop(), 0).await;
    // The load was not offered but came about; the files say what it was.
    config.writer_rate = outcome.metrics.writer.count() as f64 / measured.as_secs_f64().max(f64::EPSILON);
    config.reader_rate = 0.0;
    Ok(Together {
        config,
        outcome,
        head_puts,
    })
}

/// The first client, and others beside it on its handle.
fn tasks(first: &Arc<Own>, count: u32, seed: u64) -> Vec<Arc<dyn Client>> {
    let others = (1..count).map(|number| {
        let id = ClientId(first.id.0 + number);
        first.beside(id, seed_of(seed, id.0))
    });
    std::iter::once(Arc::clone(first))
        .chain(others)
        .map(|own| Arc::new(MonotonicWriter::new(own)) as Arc<dyn Client>)
        .collect()
}

async fn alone(context: &Context) -> Result<Alone, String> {
    let mut config = WorkloadConfig {
        num_writers: 1,
        num_readers: 0,
        // Everything is measured, however long it takes.
        duration: Duration::from_secs(24 * 3_600),
        ..context.settings.workload.clone()
    };
    let engine = context.engine();
    let cell = context.cell("alone".to_owned(), &config, &engine);
    let mut prepared = Prepared::new(&cell).await?;
    let t0 = prepared.begin();
    let writer = prepared.clients.first_writer()?;
    let floor = Arc::clone(&prepared.clients.floor_put);
    let count = single_commits(&context.settings.workload);
    let commits = commit_in_turn(context, count, &writer, &(floor as Arc<dyn Client>)).await;
    let measured = context.clock.now().saturating_sub(t0);
    let outcome = prepared.finish(measured, context.should_stop(), 0).await;
    config.duration = measured;
    Ok(Alone {
        config,
        outcome,
        commits,
    })
}

fn report(context: &Context, mut together: Together, alone: Alone) -> Ended<GroupCommitFields> {
    // The bill is of the whole run, and grew with the second part.
    together.outcome.requests.total = alone.outcome.requests.total;
    let cell = context.summarize(&together.config, &together.outcome);
    let single = context.summarize(&alone.config, &alone.outcome);
    let fields = fields(
        context.settings.tasks,
        &cell,
        together.head_puts,
        &single,
        &alone.commits,
    );
    let mut judgement =
        judgement(context, "together", &together.outcome).and(judgement(context, "alone", &alone.outcome));
    judge_bounds(context, &fields, &mut judgement);
    context.say(|out| write_fields(out, &fields));
    let run = Run {
        stem: STEM,
        title: TITLE,
        open_loop: false,
    };
    let (verdict, reason) = conclude(context, &run, &cell, judgement);
    Ended {
        verdict,
        valid: true,
        reason,
        fields: Some(fields),
    }
}

fn fields(
    tasks: u32,
    cell: &CellSummary,
    head_puts: u64,
    single: &CellSummary,
    alone: &Commits,
) -> GroupCommitFields {
    let (detail, requests) = (&cell.detail, &cell.requests);
    let puts = requests.writers.plus(&requests.maintenance);
    let puts = puts.conditional_put.requests + puts.put.requests;
    let per = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
    GroupCommitFields {
        tasks,
        commits_per_s: Some(detail.write.achieved_rate),
        single_task_commits_per_s: alone.per_second(),
        mean_batch_commits: per(detail.write.response.samples as f64, head_puts as f64),
        puts_per_s: per(puts as f64, cell.columns.duration),
        requests_per_commit: detail.requests_per_commit_total,
        commit_p50_ms: detail.write.response.p50_ms,
        commit_p99_ms: detail.write.response.p99_ms,
        single_commits: single.detail.write.response.samples,
        single_commit_p50_ms: single.detail.write.response.p50_ms,
        single_floor_put_p50_ms: single.detail.floor_put.p50_ms,
        single_floor_ratio: single.detail.commit_floor_ratio,
    }
}

fn judgement(context: &Context, part: &str, outcome: &CellOutcome) -> Judgement {
    let mut judgement = Judgement::of_part(
        &format!("history_{part}"),
        &outcome.history,
        &outcome.final_state,
        WriterKind::Monotonic,
        &context.folder,
    );
    let (errors, examples) = &outcome.errors;
    judgement.fail_if(*errors > 0 && !context.has_faults(), || {
        format!("{errors} operations failed, such as: {}", examples.join("; "))
    });
    judgement
}

fn judge_bounds(context: &Context, fields: &GroupCommitFields, judgement: &mut Judgement) {
    judgement.fail_if(context.store.budget_spent(), || {
        "PERF_MAX_REQUESTS stopped the run".to_owned()
    });
    if context.settings.latency() != Some(JUDGED_LATENCY) || context.has_faults() {
        context.say(|out| {
            writeln!(
                out,
                "Note: rates and ratios are only judged at the latencies {JUDGED_LATENCY}, without faults"
            )
        });
        return;
    }
    if let (Some(least), Some(rate)) = (commits_per_s_min(fields.tasks), fields.commits_per_s) {
        judgement.fail_if(rate < least, || {
            format!(
                "{} tasks committed {rate:.0} times a second, wanted is {least:.0}",
                fields.tasks
            )
        });
        if rate >= least {
            judgement.verified.push(format!("{rate:.0} commits/s"));
        }
    }
    let Some(ratio) = fields
        .single_floor_ratio
        .filter(|_| fields.single_commits >= SINGLE_JUDGED)
    else {
        context.say(|out| {
            writeln!(
                out,
                "Note: the ratio of one task alone is not judged: that takes {SINGLE_JUDGED} commits"
            )
        });
        return;
    };
    judgement.fail_if(ratio > SINGLE_FLOOR_RATIO_MAX, || {
        format!("commit p50 / bare PUT p50 of one task is {ratio:.3}, allowed is {SINGLE_FLOOR_RATIO_MAX}")
    });
    if ratio <= SINGLE_FLOOR_RATIO_MAX {
        judgement
            .verified
            .push(format!("commit p50 / bare PUT p50 of one task {ratio:.3}"));
    }
}

fn write_fields(out: &mut impl std::io::Write, fields: &GroupCommitFields) -> std::io::Result<()> {
    let shown = |number: Option<f64>| number.map_or("n/a".to_owned(), |number| format!("{number:.2}"));
    writeln!(out, "--- Group Commit ---")?;
    writeln!(
        out,
        "{} tasks on one handle: {} commits/s, {} commits per PUT of HEAD, {} PUTs/s",
        fields.tasks,
        shown(fields.commits_per_s),
        shown(fields.mean_batch_commits),
        shown(fields.puts_per_s)
    )?;
    writeln!(
        out,
        "One task alone: {} commits/s, p50 {} ms beside bare PUTs of {} ms: ratio {} (n={})\n",
        shown(fields.single_task_commits_per_s),
        shown(fields.single_commit_p50_ms),
        shown(fields.single_floor_put_p50_ms),
        shown(fields.single_floor_ratio),
        fields.single_commits
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_from_their_number_of_tasks_on() {
        for (tasks, least) in [
            (1, None),
            (63, None),
            (64, Some(800.0)),
            (511, Some(800.0)),
            (512, Some(4_000.0)),
            (4_096, Some(4_000.0)),
        ] {
            assert_eq!(commits_per_s_min(tasks), least, "{tasks}");
        }
    }

    #[test]
    fn the_usual_duration_gives_enough_commits_of_one_task_to_judge() {
        let config = |duration| WorkloadConfig {
            duration,
            ..WorkloadConfig::default()
        };
        assert!(single_commits(&config(USUAL_DURATION)) >= SINGLE_JUDGED);
        assert_eq!(single_commits(&config(Duration::from_millis(100))), 2);
    }
}
