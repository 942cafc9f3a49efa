//! Faults: the open-loop load of writers and readers on a store that loses replies, asks to slow down and is
//! gone for three seconds. What clients were told must be true in the end, of every single commit.

use std::{io::Write as _, path::PathBuf, time::Duration};

use recovery::Recovery;
use timeline::Parts;
use told::Told;

use super::{
    Context, Ended, Plan,
    conclude::{Run, conclude},
    judge::Judgement,
    run, workload_requests,
};
use crate::{
    checker::{Accounting, ViolationKind, account},
    fault::{FaultPlan, FiredFaults},
    faults_timeline::{self, FaultsTimeline},
    history::{History, Operation, OperationKind, State},
    result::FaultsFields,
    run::{Asked, CellOutcome, Offered, Prepared, SETTER_UP},
    settings::Settings,
    summary::CellSummary,
};

mod recovery;
mod timeline;
mod told;

/// The load, unless the settings say.
const USUAL_DURATION: Duration = Duration::from_secs(30);
const USUAL_WRITERS: u32 = 4;
const USUAL_WRITER_RATE: f64 = 2.0;
const USUAL_READERS: u32 = 2;
const USUAL_READER_RATE: f64 = 20.0;
/// How long nothing gets through, in the middle of the run; at most a third of it.
const OUTAGE: Duration = Duration::from_secs(3);
/// How long a commit may take here: so little that callers give up while their PUT is on the wire, or while its
/// outcome is looked for.
const COMMIT_TIMEOUT: Duration = Duration::from_millis(500);

/// How soon after the outage commits must be acknowledged again.
const RECOVERY_MAX: Duration = Duration::from_secs(1);

const STEM: &str = "test_faults";
const TITLE: &str = "Faults Test";

/// Runs the load on a store that breaks on purpose.
///
/// # Errors
///
/// One line: which check did not hold, or why it could not run.
pub fn faults() -> Result<(), String> {
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate: |settings| workload_requests(&settings.workload, settings.warmup),
        duration: |settings| settings.workload.duration,
        adjust,
    };
    run(&plan, async |context| measure(context).await)
}

fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    settings.set_unless_given("PERF_DURATION_SECS", USUAL_DURATION, |s| &mut s.workload.duration);
    settings.set_unless_given("PERF_NUM_WRITERS", USUAL_WRITERS, |s| &mut s.workload.num_writers);
    settings.set_unless_given("PERF_WRITER_RATE", USUAL_WRITER_RATE, |s| {
        &mut s.workload.writer_rate
    });
    settings.set_unless_given("PERF_NUM_READERS", USUAL_READERS, |s| &mut s.workload.num_readers);
    settings.set_unless_given("PERF_READER_RATE", USUAL_READER_RATE, |s| {
        &mut s.workload.reader_rate
    });
    if settings.workload.num_writers == 0 {
        return Err("PERF_NUM_WRITERS is 0, test_faults is about commits: set it to 1 or more".to_owned());
    }
    let (usual, load) = (usual_faults(settings.workload.duration), &settings.workload);
    let said = format!(
        "Load: {} writers at {}/s, {} readers at {}/s, commits with a time limit of {} ms (here 4 at 2/s, 2 at 20/s, 30 s and the \
         faults above unless set)",
        load.num_writers,
        load.writer_rate,
        load.num_readers,
        load.reader_rate,
        COMMIT_TIMEOUT.as_millis()
    );
    let name = settings.store.name();
    let Some(faults) = settings.store.faults_mut() else {
        return Err(format!(
            "test_faults breaks its store on purpose, which PERF_STORE={name} does not allow: unset PERF_STORE"
        ));
    };
    faults.get_or_insert(usual);
    Ok(Some(said))
}

/// An outage in the middle; beside it every twentieth reply is lost and every twentieth request refused.
fn usual_faults(duration: Duration) -> String {
    let outage = OUTAGE.min(duration / 3);
    let from = (duration - outage) / 2;
    let [from, to] = [from, from + outage].map(|span| span.as_millis());
    format!("any from={from}ms to={to}ms reset; any after p=0.05 drop; any p=0.05 status=503")
}

async fn measure(context: &Context) -> Ended<FaultsFields> {
    match carry_out(context).await {
        Ok(carried) => report(context, &carried),
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

async fn carry_out(context: &Context) -> Result<Carried, String> {
    let mut engine = context.engine();
    engine.options.commit_timeout = COMMIT_TIMEOUT;
    let cell = context.cell("faults".to_owned(), &context.settings.workload, &engine);
    // The set-up and the last look are not what is measured: nothing breaks there.
    context.store.calm();
    let mut prepared = Prepared::new(&cell).await?;
    let offered = prepared.offer().await?;
    let fired = context.store.fired_faults();
    let asked = prepared.ask_about_unknown().await;
    context.store.calm();
    let outcome = prepared
        .finish(offered.measured, offered.stopped, offered.undrained)
        .await;
    Ok(Carried {
        outcome,
        offered,
        asked,
        fired,
    })
}

/// What the load left behind, before anybody asked about what was unknown.
struct Carried {
    outcome: CellOutcome,
    offered: Offered,
    asked: Vec<Asked>,
    fired: FiredFaults,
}

/// What broke, as the settings have it.
fn plan(context: &Context) -> FaultPlan {
    let faults = context.settings.store.faults().unwrap_or_default();
    // It has been parsed before the store was opened.
    faults.parse().unwrap_or_default()
}

/// Commits of the set-up that the final state holds.
fn set_up(history: &History, state: &State) -> u64 {
    let set_up = history
        .operations
        .iter()
        .filter(|operation| operation.client == SETTER_UP && operation.kind == OperationKind::Commit);
    let shown = |operation: &Operation| {
        let mut writes = operation.writes.iter();
        writes.any(|write| state.entries.get(&write.key) == write.value.as_ref())
    };
    set_up
        .filter(|operation| operation.txn().is_some() || shown(operation))
        .count() as u64
}

fn report(context: &Context, carried: &Carried) -> Ended<FaultsFields> {
    let Carried {
        outcome,
        offered,
        asked,
        fired,
    } = carried;
    let cell = context.summarize(&context.settings.workload, outcome);
    let mut judgement = Judgement::of_history(
        &outcome.history,
        &outcome.final_state,
        context.settings.writer_kind,
        &context.folder,
    );
    let plan = plan(context);
    let outage = plan.last_outage().filter(|outage| outage.to < offered.measured);
    let commits = told::commits(&outcome.history, asked, offered.t0);
    let acknowledged = &outcome.metrics.writer.acknowledged.series;
    let recovery = outage.map(|outage| Recovery::of(&commits, acknowledged, (outage.from, outage.to)));
    let recovery = recovery.unwrap_or_default();
    let state = outcome.final_state.as_ref().ok();
    let books = state.map(|state| account(&outcome.history, state));
    let books = books.unwrap_or_default();
    let fields = fields(&Told::of(&commits), &books, &judgement, &recovery);
    if outage.is_some() {
        judge_recovery(&fields, &mut judgement);
    }
    judge(&fields, &books, outcome, &cell, &mut judgement);
    judgement.fail_if(context.store.budget_spent(), || {
        "PERF_MAX_REQUESTS stopped the run".to_owned()
    });
    let parts = Parts {
        measured: offered.measured,
        plan: &plan,
        fired,
        outage,
        metrics: &outcome.metrics,
        commits: &commits,
        recovery: &recovery,
        fields: &fields,
        books: &books,
        in_the_end: state.map(|state| state.txn),
        set_up: state.map_or(0, |state| set_up(&outcome.history, state)),
    };
    let timeline = parts.timeline();
    match keep(context, &timeline) {
        Ok(path) => judgement.files.push(path),
        Err(error) => judgement.failures.push(error),
    }
    context.say(|out| write_fields(out, &fields, &timeline));
    let run = Run {
        stem: STEM,
        title: TITLE,
        open_loop: true,
    };
    let (verdict, reason) = conclude(context, &run, &cell, judgement);
    Ended {
        verdict,
        valid: cell.detail.validity.is_valid(),
        reason: reason.or_else(|| cell.detail.validity.reason().map(str::to_owned)),
        fields: Some(fields),
    }
}

/// Writes the timeline, whole or not at all.
fn keep(context: &Context, timeline: &FaultsTimeline) -> Result<PathBuf, String> {
    let name = format!("{STEM}{}", faults_timeline::SUFFIX);
    let csv = timeline
        .csv()
        .map_err(|error| format!("{name} cannot be rendered: {error}"))?;
    context
        .folder
        .write(&name, &csv)
        .map_err(|error| error.to_string())
}

/// The store is back: so are commits, within a second. How long the last of the writers waits is told and has no bound: what
/// queued up meanwhile races for HEAD, and who is last in that is chance.
fn judge_recovery(fields: &FaultsFields, judgement: &mut Judgement) {
    let most = RECOVERY_MAX.as_secs_f64() * 1_000.0;
    match fields.recovery_ms {
        None => judgement
            .failures
            .push("no commit succeeded after the outage".to_owned()),
        Some(took) => judgement.fail_if(took > most, || {
            format!("the first commit took {took:.1} ms from the end of the outage, more than {most:.0} ms")
        }),
    }
    judgement.fail_if(
        fields.recovery_ms.is_some() && fields.recovery_every_writer_ms.is_none(),
        || "a writer committed nothing after the outage".to_owned(),
    );
}

fn fields(told: &Told, books: &Accounting, judgement: &Judgement, recovery: &Recovery) -> FaultsFields {
    let found =
        |kinds: &[ViolationKind]| -> u64 { kinds.iter().filter_map(|kind| judgement.counts.get(kind)).sum() };
    FaultsFields {
        commits_ok: told.ok,
        commits_failed: told.failed,
        commits_unknown: told.unknown,
        unknown_applied: told.unknown_committed + books.unknown_seen,
        unknown_open: told.unknown_open.saturating_sub(books.unknown_seen),
        lost: books.lost.max(found(&[ViolationKind::LostWrite])),
        doubled: books.doubled.max(found(&[
            ViolationKind::DuplicateCommit,
            ViolationKind::DuplicateTxn,
            ViolationKind::DuplicateKey,
        ])),
        recovery_ms: recovery.first.map(|span| span.ms()),
        recovery_every_writer_ms: recovery.every.map(|span| span.ms()),
        recovery_latency_ms: recovery.latency.map(|span| span.ms()),
    }
}

fn judge(
    fields: &FaultsFields,
    books: &Accounting,
    outcome: &CellOutcome,
    cell: &CellSummary,
    judgement: &mut Judgement,
) {
    judgement.fail_if(fields.commits_ok == 0, || "nothing was committed".to_owned());
    judgement.fail_if(fields.lost > 0, || format!("{} commits are missing", fields.lost));
    judgement.fail_if(fields.doubled > 0, || {
        format!("{} commits are there more than once", fields.doubled)
    });
    judgement.fail_if(books.failed_seen > 0, || {
        format!("{} commits are there although they failed", books.failed_seen)
    });
    judgement.fail_if(cell.detail.stale_reads > 0, || {
        format!(
            "{} reads missed what was acknowledged before",
            cell.detail.stale_reads
        )
    });
    judgement.fail_if(outcome.undrained > 0, || {
        format!("{} operations never ended", outcome.undrained)
    });
    if outcome.final_state.is_ok() && books.balanced() {
        judgement.verified.push("every commit accounted for".to_owned());
    }
}

fn write_fields(
    out: &mut impl std::io::Write,
    fields: &FaultsFields,
    timeline: &FaultsTimeline,
) -> std::io::Result<()> {
    writeln!(out, "--- Commits under Faults ---")?;
    for (name, count) in [
        ("Told committed:        ", fields.commits_ok),
        ("Told not committed:    ", fields.commits_failed),
        ("Told unknown:          ", fields.commits_unknown),
        ("  of which committed:  ", fields.unknown_applied),
        ("  of which still open: ", fields.unknown_open),
        ("Lost:                  ", fields.lost),
        ("Doubled:               ", fields.doubled),
    ] {
        writeln!(out, "{name}{count}")?;
    }
    for line in faults_timeline::lines(timeline) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests;
