//! Faults: the open-loop load of writers and readers on a store that loses replies, asks to slow down and is
//! gone for three seconds. What clients were told must be true in the end, of every single commit.

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use fusio_manifest::{CommitOutcome, Moment};

use super::{
    Context, Ended, Plan,
    conclude::{Run, conclude},
    judge::Judgement,
    run, workload_requests,
};
use crate::{
    checker::{Accounting, ViolationKind, account},
    fault::FaultPlan,
    history::{History, OperationId, OperationKind, Outcome},
    result::FaultsFields,
    run::{Asked, CellOutcome, Offered, Prepared, SETTER_UP},
    settings::Settings,
    summary::CellSummary,
};

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
        Ok((outcome, offered, asked)) => report(context, &outcome, &offered, &asked),
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

async fn carry_out(context: &Context) -> Result<(CellOutcome, Offered, Vec<Asked>), String> {
    let mut engine = context.engine();
    engine.options.commit_timeout = COMMIT_TIMEOUT;
    let cell = context.cell("faults".to_owned(), &context.settings.workload, &engine);
    // The set-up and the last look are not what is measured: nothing breaks there.
    context.store.calm();
    let mut prepared = Prepared::new(&cell).await?;
    let offered = prepared.offer().await?;
    let asked = prepared.ask_about_unknown().await;
    context.store.calm();
    let outcome = prepared
        .finish(offered.measured, offered.stopped, offered.undrained)
        .await;
    Ok((outcome, offered, asked))
}

/// What the writers were told at first, and what became of the unknown ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    ok: u64,
    failed: u64,
    unknown: u64,
    unknown_committed: u64,
    unknown_open: u64,
}

/// Sorts the writers' commits by their first answers. The history holds the last ones.
fn told(history: &History, asked: &[Asked]) -> Told {
    let asked: BTreeMap<OperationId, Option<CommitOutcome>> = asked
        .iter()
        .map(|asked| (asked.operation, asked.answer))
        .collect();
    let mut told = Told::default();
    let commits = history
        .operations
        .iter()
        .filter(|operation| operation.kind == OperationKind::Commit && operation.client != SETTER_UP);
    for operation in commits {
        match (asked.get(&operation.id), operation.outcome) {
            (Some(Some(CommitOutcome::Committed { .. })), _) => {
                told.unknown += 1;
                told.unknown_committed += 1;
            }
            (Some(Some(CommitOutcome::NotCommitted)), _) => told.unknown += 1,
            (Some(Some(CommitOutcome::StillUnknown) | None), _) | (None, Outcome::Unknown { .. }) => {
                told.unknown += 1;
                told.unknown_open += 1;
            }
            (None, Outcome::Ok { .. }) => told.ok += 1,
            (None, Outcome::Failed { .. } | Outcome::Conflict { .. }) => told.failed += 1,
        }
    }
    told
}

/// From the end of the outage to the first commit that was answered as ok after it.
fn recovery(history: &History, asked: &[Asked], outage_end: Moment) -> Option<Duration> {
    let answered = history.operations.iter().filter(|operation| {
        operation.txn().is_some() && !asked.iter().any(|asked| asked.operation == operation.id)
    });
    answered
        .filter_map(|operation| operation.completed.map(Duration::from_nanos))
        .filter(|completed| *completed >= outage_end)
        .min()
        .map(|completed| completed - outage_end)
}

/// When the last outage of the run ended, if there was one and it did.
fn outage_end(context: &Context, offered: &Offered) -> Option<Moment> {
    let mut store = context.settings.store.clone();
    let plan: FaultPlan = store.faults_mut()?.as_deref()?.parse().ok()?;
    let end = plan.last_outage_end()?;
    (end < offered.measured).then(|| offered.t0 + end)
}

fn report(
    context: &Context,
    outcome: &CellOutcome,
    offered: &Offered,
    asked: &[Asked],
) -> Ended<FaultsFields> {
    let cell = context.summarize(&context.settings.workload, outcome);
    let mut judgement = Judgement::of_history(
        &outcome.history,
        &outcome.final_state,
        context.settings.writer_kind,
        &context.folder,
    );
    let outage_end = outage_end(context, offered);
    let recovery = outage_end.and_then(|end| recovery(&outcome.history, asked, end));
    let books = (outcome.final_state.as_ref().ok()).map(|state| account(&outcome.history, state));
    let books = books.unwrap_or_default();
    let fields = fields(&told(&outcome.history, asked), &books, &judgement, recovery);
    judgement.fail_if(outage_end.is_some() && recovery.is_none(), || {
        "no commit succeeded after the outage".to_owned()
    });
    judge(&fields, &books, outcome, &cell, &mut judgement);
    judgement.fail_if(context.store.budget_spent(), || {
        "PERF_MAX_REQUESTS stopped the run".to_owned()
    });
    context.say(|out| write_fields(out, &fields));
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

fn fields(
    told: &Told,
    books: &Accounting,
    judgement: &Judgement,
    recovery: Option<Duration>,
) -> FaultsFields {
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
        recovery_ms: recovery.map(|span| span.as_secs_f64() * 1_000.0),
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

fn write_fields(out: &mut impl std::io::Write, fields: &FaultsFields) -> std::io::Result<()> {
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
    match fields.recovery_ms {
        Some(ms) => writeln!(out, "First commit after the outage: {ms:.1} ms\n"),
        None => writeln!(out),
    }
}

#[cfg(test)]
mod tests;
