//! The baseline: a light, steady load, and every number about it.

use std::{io::Write as _, path::PathBuf, sync::Arc};

use super::{Context, Ended, Plan, judge::Judgement, reason, run, workload_requests};
use crate::{
    export::{RunFacts, write_csvs},
    output::append,
    price::PriceTable,
    report::{Report, markdown_summary, store_line, write_results},
    result::{BaselineFields, Verdict},
    run::{Cell, CellOutcome, run_loop},
    summary::{CellInput, CellSummary},
    target::engine::Engine,
};

/// The most that attempts may lose their precondition.
const PRECONDITION_FAILURE_RATE_MAX: f64 = 0.10;
/// The longest that writers may wait, p99.
const WRITE_P99_MAX_MS: f64 = 5_000.0;
/// The longest that readers may wait, p99.
const READ_P99_MAX_MS: f64 = 3_000.0;

const STEM: &str = "test_baseline";

/// Runs the baseline, or the load that the settings give.
///
/// # Errors
///
/// One line: which check did not hold, or why it could not run.
pub fn baseline() -> Result<(), String> {
    let plan = Plan {
        name: STEM,
        title: "Baseline Test",
        estimate: |settings| workload_requests(&settings.workload, settings.warmup),
        duration: |settings| settings.workload.duration,
    };
    run(&plan, async |context| measure(context).await)
}

async fn measure(context: &Context) -> Ended<BaselineFields> {
    // A load that was not offered as configured says nothing; the machine may have been busy elsewhere.
    let tries = if std::env::var_os("CI").is_some() { 3 } else { 2 };
    let mut number = 1;
    loop {
        let outcome = match run_cell(context, number).await {
            Ok(outcome) => outcome,
            Err(error) => {
                context.say(|out| writeln!(out, "error: {error}"));
                return context.could_not_begin(error);
            }
        };
        let cell = summarize(context, &outcome);
        match cell.detail.validity.reason() {
            Some(reason) if number < tries && !outcome.interrupted && !context.store.budget_spent() => {
                context.say(|out| writeln!(out, "Invalid ({reason}): running again"));
                number += 1;
            }
            _ => return report(context, &outcome, &cell),
        }
    }
}

async fn run_cell(context: &Context, number: u32) -> Result<CellOutcome, String> {
    let mut engine = Engine::default();
    engine.options.clock = Arc::clone(&context.clock);
    run_loop(&Cell {
        name: format!("baseline-{number}"),
        config: &context.settings.workload,
        settings: &context.settings,
        store: &context.store,
        target: &engine,
        clock: Arc::clone(&context.clock),
        interrupt: &context.interrupt,
        progress: &context.progress,
    })
    .await
}

fn summarize(context: &Context, outcome: &CellOutcome) -> CellSummary {
    CellSummary::new(&CellInput {
        config: &context.settings.workload,
        measured: outcome.measured,
        metrics: &outcome.metrics,
        floor_put: &outcome.floor_put,
        floor_get: &outcome.floor_get,
        requests: &outcome.requests,
        prices: PriceTable::of(&context.settings.store),
    })
}

fn judge(context: &Context, outcome: &CellOutcome, cell: &CellSummary) -> Judgement {
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
    let mut judgement = judge(context, outcome, cell);
    let verdict = match (outcome.interrupted, judgement.failures.is_empty()) {
        (true, _) if context.interrupt.is_set() => Verdict::Interrupted,
        (_, true) => Verdict::Pass,
        _ => Verdict::Fail,
    };
    let facts = RunFacts::new(&context.settings, context.environment.finish(), verdict);
    let mut files: Vec<PathBuf> = Vec::new();
    match write_csvs(&context.folder, STEM, std::slice::from_ref(cell), &facts) {
        Ok(written) => files.extend(written),
        Err(error) => judgement.failures.push(error.to_string()),
    }
    files.append(&mut judgement.files);
    files.push(context.folder.path().join(format!("{STEM}.result.json")));
    // Writing the files may have failed after the verdict was put into them: the console has the last word.
    let verdict = if verdict == Verdict::Pass && !judgement.failures.is_empty() {
        Verdict::Fail
    } else {
        verdict
    };
    let report = Report {
        open_loop: true,
        cell,
        verdict,
        verified: &judgement.verified,
        failures: &judgement.failures,
        files: &files,
    };
    let appended = context.settings.summary.as_ref().map(|path| {
        append(
            path,
            &markdown_summary("Baseline Test", &store_line(&context.settings), &report),
        )
    });
    context.say(|out| {
        write_results(out, &report)?;
        judgement
            .counterexamples
            .iter()
            .try_for_each(|example| writeln!(out, "\n{example}"))
    });
    let mut reasons = judgement.failures.clone();
    if let Some(Err(error)) = appended {
        reasons.push(error.to_string());
    }
    let verdict = if verdict == Verdict::Pass && !reasons.is_empty() {
        Verdict::Fail
    } else {
        verdict
    };
    Ended {
        verdict,
        valid: cell.detail.validity.is_valid(),
        reason: reason(verdict, &reasons),
        fields: Some(BaselineFields::new(cell)),
    }
}
