//! Contention: handles of their own that always have one commit under way, and as many bare loops of GET and
//! compare-and-swap on an object of HEAD's size, by turns on the same store. The engine may not be slower than
//! what anybody can do without it, nor unfair, and may lose nothing.

use std::{io::Write as _, sync::Arc, time::Duration};

use super::{
    AROUND_REQUESTS, Context, Ended, Plan, class,
    closed_loop::{Shown, saturate},
    conclude::{Run, conclude},
    judge::Judgement,
    run,
};
use crate::{
    checker::{ViolationKind, account},
    client::{Client, MonotonicWriter, Own, Writer},
    config::{WorkloadConfig, WriterKind},
    history::{Operation, Outcome},
    requests::RequestCounts,
    result::ContentionFields,
    run::{CellOutcome, Prepared},
    settings::Settings,
    summary::{CellSummary, jain},
};
use bare_loop::{BareLoop, BareObject, Tally};
use slices::{Side, Windows, plan};

mod bare_loop;
mod slices;

/// How long each side has, unless the settings say.
const USUAL_DURATION: Duration = Duration::from_secs(20);
/// How often a transaction that was told of a conflict is run again, unless the settings say: with few keys
/// conflicts come in rows, and giving up is an error here.
const USUAL_RETRIES: u32 = 1_000;
/// What the engine must reach of the rate of the bare loops.
const RATIO_MIN: f64 = 0.95;
/// How evenly the handles must get through.
const JAIN_MIN: f64 = 0.95;
/// Below this a bare PUT takes as long as the scheduling of tasks, and a ratio says nothing of the engine.
const FLOOR_JUDGED_MS: f64 = 10.0;
/// A GET and a PUT on S3 Standard, about.
const ROUND: Duration = Duration::from_millis(90);

const STEM: &str = "test_contention";
const TITLE: &str = "Contention Test";

/// Lets `PERF_HANDLES` handles fight over one HEAD.
///
/// # Errors
///
/// One line: which bound did not hold, or why it could not run.
pub fn contention() -> Result<(), String> {
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate,
        duration: |settings| settings.workload.duration * 2,
        adjust,
    };
    run(&plan, async |context| measure(context).await)
}

#[expect(clippy::unnecessary_wraps, reason = "one of several functions of this type")]
fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    settings.set_unless_given("PERF_DURATION_SECS", USUAL_DURATION, |settings| {
        &mut settings.workload.duration
    });
    settings.set_unless_given("PERF_MAX_RETRY_COUNT", USUAL_RETRIES, |settings| {
        &mut settings.workload.max_retry_count
    });
    let keys = match settings.writer_kind {
        WriterKind::Monotonic => "appends of new keys".to_owned(),
        WriterKind::ReadModifyWrite => format!(
            "read-modify-writes, rebased by the engine, of {} keys, of which all share {:.0} %, run again after \
             a conflict up to {} times (here 1,000 unless set)",
            settings.workload.keys.size,
            settings.workload.keys.overlap_ratio * 100.0,
            settings.workload.max_retry_count
        ),
    };
    Ok(Some(format!(
        "Load: {} handles, each always with one commit under way, {keys}; by turns as many bare loops of GET and \
         conditional PUT; {:.1}s each (here 20 s unless set)",
        settings.handles,
        settings.workload.duration.as_secs_f64()
    )))
}

fn estimate(settings: &Settings) -> RequestCounts {
    let seconds = (settings.workload.duration + settings.warmup).as_secs_f64();
    let rounds = 2.0 * f64::from(settings.handles) * seconds / ROUND.as_secs_f64();
    RequestCounts {
        conditional_put: class(rounds + AROUND_REQUESTS),
        conditional_get: class(rounds),
        ..RequestCounts::default()
    }
}

/// What both sides left behind.
struct Fought {
    outcome: CellOutcome,
    engine: Windows,
    bare: Windows,
    loops: Vec<Tally>,
}

async fn measure(context: &Context) -> Ended<ContentionFields> {
    let mut config = WorkloadConfig {
        num_writers: context.settings.handles,
        num_readers: 0,
        ..context.settings.workload.clone()
    };
    // Everything is measured, in whichever slice; the rates count by slices.
    config.duration = Duration::from_secs(24 * 3_600);
    match fight(context, &config).await {
        Ok(fought) => report(context, config, &fought),
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

async fn fight(context: &Context, config: &WorkloadConfig) -> Result<Fought, String> {
    let engine = context.engine();
    let cell = context.cell("contention".to_owned(), config, &engine);
    let mut prepared = Prepared::new(&cell).await?;
    let owns = &prepared.clients.owns;
    let writers: Vec<Arc<dyn Client>> = owns.iter().map(|own| writer(context, own)).collect();
    let object = BareObject::create(
        context.store.store(&context.store.meters.floor),
        &context.store.prefix("bare"),
        Arc::clone(&owns.first().ok_or("no writer")?.handle),
        Arc::clone(&context.clock),
    )
    .await?;
    let loops = |count: u32| -> Vec<_> { (0..count).map(|_| BareLoop::new(&object)).collect() };
    let clients = |loops: &[Arc<BareLoop>]| -> Vec<_> {
        let client = |own: &Arc<BareLoop>| Arc::clone(own) as Arc<dyn Client>;
        loops.iter().map(client).collect()
    };
    // The warm-up is not measured: the epoch begins after it, and its loops are let go.
    for warm in [&writers, &clients(&loops(config.num_writers))] {
        saturate(context, warm, context.clock.now() + context.settings.warmup, None).await?;
    }
    let loops = loops(config.num_writers);
    let began = prepared.begin();
    let total = context.settings.workload.duration;
    let shown = Shown {
        progress: &context.progress.cell("contention", total * 2),
        began,
        ended: &Arc::default(),
    };
    let (mut engine, mut bare) = (Windows::default(), Windows::default());
    let bare_clients = clients(&loops);
    for (side, length) in plan(total) {
        let (clients, windows) = match side {
            Side::Engine => (&writers, &mut engine),
            Side::Bare => (&bare_clients, &mut bare),
        };
        let begin = context.clock.now();
        saturate(context, clients, begin + length, Some(&shown)).await?;
        windows.add(begin, context.clock.now().min(begin + length));
        if context.should_stop() {
            break;
        }
    }
    let outcome = prepared.finish(engine.total(), context.should_stop(), 0).await;
    Ok(Fought {
        outcome,
        engine,
        bare,
        loops: loops.iter().map(|own| own.tally()).collect(),
    })
}

fn writer(context: &Context, own: &Arc<Own>) -> Arc<dyn Client> {
    let own = Arc::clone(own);
    let load = &context.settings.workload;
    match context.settings.writer_kind {
        WriterKind::Monotonic => Arc::new(MonotonicWriter::new(own)),
        WriterKind::ReadModifyWrite => Arc::new(Writer::rebasing(own, load.keys, load.max_retry_count)),
    }
}

fn report(context: &Context, mut config: WorkloadConfig, fought: &Fought) -> Ended<ContentionFields> {
    let outcome = &fought.outcome;
    // The load was not offered but came about; the files say what it was.
    config.duration = outcome.measured;
    let seconds = outcome.measured.as_secs_f64().max(f64::EPSILON);
    config.writer_rate = outcome.metrics.writer.count() as f64 / seconds / f64::from(config.num_writers);
    config.reader_rate = 0.0;
    let cell = context.summarize(&config, outcome);
    let mut judgement = Judgement::of_history(
        &outcome.history,
        &outcome.final_state,
        context.settings.writer_kind,
        &context.folder,
    );
    let mut bare = Tally::default();
    fought.loops.iter().for_each(|tally| bare.add(tally));
    let fields = fields(fought, &cell, &bare, &judgement);
    judge(context, &fields, &bare, outcome, &mut judgement);
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

fn fields(fought: &Fought, cell: &CellSummary, bare: &Tally, judgement: &Judgement) -> ContentionFields {
    let (detail, outcome) = (&cell.detail, &fought.outcome);
    let operations = &outcome.history.operations;
    let acknowledged = operations.iter().filter(|operation| operation.txn().is_some());
    let moments = acknowledged.filter_map(|operation| operation.completed.map(Duration::from_nanos));
    let commits_per_s = fought.engine.per_second(moments);
    let floor_commits_per_s = fought.bare.per_second(bare.successes.iter().copied());
    let writer = &outcome.metrics.writer;
    let found =
        |kinds: &[ViolationKind]| -> u64 { kinds.iter().filter_map(|kind| judgement.counts.get(kind)).sum() };
    let books = (outcome.final_state.as_ref().ok()).map(|state| account(&outcome.history, state));
    let books = books.unwrap_or_default();
    let of_loops: Vec<u64> = (fought.loops.iter())
        .map(|tally| tally.successes.len() as u64)
        .collect();
    let told = |operation: &&Operation| matches!(operation.outcome, Outcome::Conflict { .. });
    let puts = bare.puts.count();
    ContentionFields {
        handles: cell.columns.num_writers,
        commits_per_s,
        floor_commits_per_s,
        ratio: commits_per_s
            .zip(floor_commits_per_s)
            .map(|(own, bare)| own / bare),
        errors: writer.failed.count() + writer.unknown.count() + writer.given_up.count(),
        lost: books.lost.max(found(&[ViolationKind::LostWrite])),
        doubled: books.doubled.max(found(&[
            ViolationKind::DuplicateCommit,
            ViolationKind::DuplicateTxn,
            ViolationKind::DuplicateKey,
        ])),
        jain: detail.jain,
        floor_jain: jain(&of_loops),
        p50_ms: detail.write.response.p50_ms,
        p99_ms: detail.write.response.p99_ms,
        worst_wait_ms: detail.write.response.max_ms,
        floor_p50_ms: bare.waits.quantile_ms(0.5),
        floor_worst_wait_ms: bare.waits.max_ms(),
        conflict_rate: (detail.attempts.total() > 0).then_some(detail.conflicts.rate),
        floor_conflict_rate: (puts > 0).then(|| bare.lost as f64 / puts as f64),
        losing_streak_max: detail.losing_streak_max,
        floor_losing_streak_max: bare.losing_streak_max,
        requests_per_commit: detail.requests_per_commit_path,
        conflicts: operations.iter().filter(told).count() as u64,
        unjustified_conflicts: found(&[ViolationKind::UnjustifiedConflict]),
    }
}

fn judge(
    context: &Context,
    fields: &ContentionFields,
    bare: &Tally,
    outcome: &CellOutcome,
    judgement: &mut Judgement,
) {
    judgement.fail_if(context.store.budget_spent(), || {
        "PERF_MAX_REQUESTS stopped the run".to_owned()
    });
    let (_, examples) = &outcome.errors;
    judgement.fail_if(fields.errors > 0 && !context.has_faults(), || {
        format!(
            "{} commits failed, such as: {}",
            fields.errors,
            examples.join("; ")
        )
    });
    judgement.fail_if(fields.lost > 0, || format!("{} commits are missing", fields.lost));
    judgement.fail_if(fields.doubled > 0, || {
        format!("{} commits are there more than once", fields.doubled)
    });
    judgement.fail_if(fields.commits_per_s.is_none_or(|rate| rate <= 0.0), || {
        "nothing was committed".to_owned()
    });
    if fields.handles < 2 || context.has_faults() {
        return;
    }
    let put_p50_ms = bare.puts.quantile_ms(0.5);
    let ratio = fields
        .ratio
        .filter(|_| put_p50_ms.is_some_and(|p50| p50 > FLOOR_JUDGED_MS));
    if ratio.is_none() {
        context.say(|out| {
            writeln!(
                out,
                "Note: the ratio is not judged: that takes a p50 of bare PUTs over {FLOOR_JUDGED_MS} ms"
            )
        });
    }
    let bounds = [
        ("commits per bare replacement", ratio, RATIO_MIN),
        ("Jain's index of the handles", fields.jain, JAIN_MIN),
    ];
    for (what, value, least) in bounds {
        let Some(value) = value else { continue };
        judgement.fail_if(value < least, || format!("{what}: {value:.3}, wanted is {least}"));
        if value >= least {
            judgement.verified.push(format!("{what} {value:.3}"));
        }
    }
}

fn write_fields(out: &mut impl std::io::Write, fields: &ContentionFields) -> std::io::Result<()> {
    let shown = |number: Option<f64>| number.map_or("n/a".to_owned(), |number| format!("{number:.2}"));
    writeln!(
        out,
        "--- Contention: {} handles, as many bare loops ---",
        fields.handles
    )?;
    let rows = [
        ("commits/s", fields.commits_per_s, fields.floor_commits_per_s),
        ("p50 ms", fields.p50_ms, fields.floor_p50_ms),
        ("worst wait ms", fields.worst_wait_ms, fields.floor_worst_wait_ms),
        (
            "lost attempts, share",
            fields.conflict_rate,
            fields.floor_conflict_rate,
        ),
        ("Jain's index", fields.jain, fields.floor_jain),
        (
            "longest losing streak",
            Some(fields.losing_streak_max as f64),
            Some(fields.floor_losing_streak_max as f64),
        ),
    ];
    writeln!(out, "{:24} {:>12} {:>12}", "", "engine", "bare")?;
    for (name, own, bare) in rows {
        writeln!(out, "{name:24} {:>12} {:>12}", shown(own), shown(bare))?;
    }
    writeln!(
        out,
        "ratio {}, conflicts told {}, without a reason {}\n",
        shown(fields.ratio),
        fields.conflicts,
        fields.unjustified_conflicts
    )
}
