//! The baseline: a light, steady load, and every number about it.

use std::io::Write as _;

use super::{
    Comparable, Context, Ended, Plan,
    conclude::{Run, conclude},
    judge::Judgement,
    repeats, run_comparable, workload_requests,
};
use crate::{
    compare::gate::REPEATS_MIN,
    requests::RequestCounts,
    result::BaselineFields,
    run::{Cell, CellOutcome, run_loop},
    settings::Settings,
    summary::CellSummary,
};

/// The most that attempts may lose their precondition.
const PRECONDITION_FAILURE_RATE_MAX: f64 = 0.10;
/// The longest that writers may wait, p99.
const WRITE_P99_MAX_MS: f64 = 5_000.0;
/// The longest that readers may wait, p99.
const READ_P99_MAX_MS: f64 = 3_000.0;

/// What the run is called.
pub(super) const RUN: Run = Run {
    stem: "test_baseline",
    title: "Baseline Test",
    open_loop: true,
};

/// Runs the baseline, or the load that the settings give.
///
/// # Errors
///
/// One line: which check did not hold, or why it could not run.
pub fn baseline() -> Result<(), String> {
    let plan = Plan {
        name: RUN.stem,
        title: RUN.title,
        estimate,
        duration: |settings| settings.workload.duration * repeats_of(settings),
        adjust,
    };
    let comparable = Comparable {
        cells: |settings| vec![settings.workload.clone()],
        open_loop: true,
        has_repeats: true,
    };
    run_comparable(&plan, &comparable, async |context| {
        if context.settings.gate_latency {
            repeats::measure(context).await
        } else {
            measure(context).await
        }
    })
}

/// How often the cell is measured.
fn repeats_of(settings: &Settings) -> u32 {
    let many = u32::try_from(REPEATS_MIN).unwrap_or(u32::MAX);
    if settings.gate_latency { many } else { 1 }
}

fn estimate(settings: &Settings) -> RequestCounts {
    let one = workload_requests(&settings.workload, settings.warmup);
    (0..repeats_of(settings)).fold(RequestCounts::default(), |sum, _| sum.plus(&one))
}

#[expect(clippy::unnecessary_wraps, reason = "one of several functions of this type")]
fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    Ok(settings.gate_latency.then(|| {
        let (repeats, seconds) = (repeats_of(settings), settings.workload.duration.as_secs_f64());
        format!(
            "Load: {repeats} repeats of {seconds:.1}s, each with arrivals of its own, for the latency gate"
        )
    }))
}

/// How often a cell is run until it is valid. A load that was not offered as configured says nothing; the machine
/// may have been busy elsewhere.
pub(super) fn tries() -> u32 {
    if std::env::var_os("CI").is_some() { 3 } else { 2 }
}

async fn measure(context: &Context) -> Ended<BaselineFields> {
    match valid_cell(context, &context.settings, "baseline").await {
        Ok((outcome, cell)) => report(context, &outcome, &cell),
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            context.could_not_begin(error)
        }
    }
}

/// One cell with these settings, run again while it is invalid and there are tries left.
pub(super) async fn valid_cell(
    context: &Context,
    settings: &Settings,
    name: &str,
) -> Result<(CellOutcome, CellSummary), String> {
    let (engine, tries) = (context.engine(), tries());
    let mut number = 1;
    loop {
        let cell = Cell {
            settings,
            ..context.cell(format!("{name}-{number}"), &settings.workload, &engine)
        };
        let outcome = run_loop(&cell).await?;
        let cell = context.summarize(&settings.workload, &outcome);
        match cell.detail.validity.reason() {
            Some(reason) if number < tries && !outcome.interrupted && !context.store.budget_spent() => {
                context.say(|out| writeln!(out, "Invalid ({reason}): running again"));
                number += 1;
            }
            _ => return Ok((outcome, cell)),
        }
    }
}

#[cfg(test)]
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
    let (verdict, reason) = conclude(context, &RUN, cell, judge(context, outcome, cell));
    let valid = cell.detail.validity.is_valid();
    Ended {
        verdict,
        valid,
        reason,
        fields: Some(BaselineFields::new(cell)),
    }
}
