//! The baseline: a light, steady load, and every number about it.

use std::io::Write as _;

use super::{
    Context, Ended, Plan, as_given,
    conclude::{Run, conclude},
    judge::Judgement,
    run, workload_requests,
};
use crate::{
    result::BaselineFields,
    run::{CellOutcome, run_loop},
    summary::CellSummary,
};

/// The most that attempts may lose their precondition.
const PRECONDITION_FAILURE_RATE_MAX: f64 = 0.10;
/// The longest that writers may wait, p99.
const WRITE_P99_MAX_MS: f64 = 5_000.0;
/// The longest that readers may wait, p99.
const READ_P99_MAX_MS: f64 = 3_000.0;

const STEM: &str = "test_baseline";
const TITLE: &str = "Baseline Test";

/// Runs the baseline, or the load that the settings give.
///
/// # Errors
///
/// One line: which check did not hold, or why it could not run.
pub fn baseline() -> Result<(), String> {
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate: |settings| workload_requests(&settings.workload, settings.warmup),
        duration: |settings| settings.workload.duration,
        adjust: as_given,
    };
    run(&plan, async |context| measure(context).await)
}

/// How often a cell is run until it is valid. A load that was not offered as configured says nothing; the machine
/// may have been busy elsewhere.
pub(super) fn tries() -> u32 {
    if std::env::var_os("CI").is_some() { 3 } else { 2 }
}

async fn measure(context: &Context) -> Ended<BaselineFields> {
    let tries = tries();
    let mut number = 1;
    loop {
        let outcome = match run_cell(context, number).await {
            Ok(outcome) => outcome,
            Err(error) => {
                context.say(|out| writeln!(out, "error: {error}"));
                return context.could_not_begin(error);
            }
        };
        let cell = context.summarize(&context.settings.workload, &outcome);
        match cell.detail.validity.reason() {
            Some(reason) if number < tries && !outcome.interrupted && !context.store.budget_spent() => {
                context.say(|out| writeln!(out, "Invalid ({reason}): running again"));
                number += 1;
            }
            _ => return report(context, &outcome, &cell),
        }
    }
}

pub(super) async fn run_cell(context: &Context, number: u32) -> Result<CellOutcome, String> {
    let engine = context.engine();
    run_loop(&context.cell(format!("baseline-{number}"), &context.settings.workload, &engine)).await
}

pub(super) fn judge(context: &Context, outcome: &CellOutcome, cell: &CellSummary) -> Judgement {
    let (history, final_state) = (&outcome.history, &outcome.final_state);
    let mut judgement = Judgement::of_history(
        history,
        final_state,
        context.settings.writer_kind,
        &context.folder,
    );
    let (columns, detail) = (&cell.columns, &cell.detail);
    judgement.fail_if(
        columns.precondition_failure_rate >= PRECONDITION_FAILURE_RATE_MAX,
        || {
            format!(
                "{:.1}% of the attempts lost their precondition",
                columns.precondition_failure_rate * 100.0
            )
        },
    );
    for (who, clients, p99, most) in [
        (
            "writer",
            context.settings.workload.num_writers,
            columns.write_p99_ms,
            WRITE_P99_MAX_MS,
        ),
        (
            "reader",
            context.settings.workload.num_readers,
            columns.read_p99_ms,
            READ_P99_MAX_MS,
        ),
    ] {
        judgement.fail_if(clients > 0 && p99.is_none(), || {
            format!("no {who} succeeded even once")
        });
        judgement.fail_if(p99.is_some_and(|p99| p99 >= most), || {
            format!("{who} p99 is {most} ms or more")
        });
    }
    judgement.fail_if(detail.stale_reads > 0, || {
        format!("{} reads missed what was acknowledged before", detail.stale_reads)
    });
    judgement.fail_if(outcome.undrained > 0, || {
        format!("{} operations never ended", outcome.undrained)
    });
    judgement.fail_if(context.store.budget_spent(), || {
        "PERF_MAX_REQUESTS stopped the run".to_owned()
    });
    if let Some(reason) = cell.detail.validity.reason() {
        judgement.failures.push(format!("invalid: {reason}"));
    }
    let (errors, examples) = &outcome.errors;
    if *errors > 0 && !context.has_faults() {
        judgement.failures.push(format!(
            "{errors} operations failed, such as: {}",
            examples.join("; ")
        ));
    }
    judgement
}

fn report(context: &Context, outcome: &CellOutcome, cell: &CellSummary) -> Ended<BaselineFields> {
    let run = Run {
        stem: STEM,
        title: TITLE,
        open_loop: true,
    };
    let (verdict, reason) = conclude(context, &run, cell, judge(context, outcome, cell));
    let valid = cell.detail.validity.is_valid();
    Ended {
        verdict,
        valid,
        reason,
        fields: Some(BaselineFields::new(cell)),
    }
}
