//! Shared reads: many fresh reads of one handle, which may share a look at HEAD. How many looks may be on the
//! wire at once is a choice between money and milliseconds; this measures both.

use std::{io::Write as _, time::Duration};

use super::{
    Context, Ended, Plan,
    baseline::tries,
    conclude::{Run, conclude_cells},
    judge::Judgement,
    run, workload_requests,
};
use crate::{
    config::WorkloadConfig,
    requests::RequestCounts,
    result::{SharedReadsFields, SharedReadsPoint},
    run::{CellOutcome, run_loop},
    settings::Settings,
    summary::CellSummary,
};

/// Looks at HEAD that may be on the wire at once: the cheapest, something between, and the engine's default.
const POINTS: [usize; 3] = [1, 4, 8];
/// The load of each part, unless the settings say.
const USUAL_DURATION: Duration = Duration::from_secs(20);
const USUAL_READER_RATE: f64 = 200.0;
const USUAL_WRITER_RATE: f64 = 0.5;

const STEM: &str = "test_shared_reads";
const TITLE: &str = "Shared Reads Test";

/// Reads with one handle, with different numbers of looks at HEAD at once.
///
/// # Errors
///
/// One line: which check did not hold, or why it could not run.
pub fn shared_reads() -> Result<(), String> {
    let plan = Plan {
        name: STEM,
        title: TITLE,
        estimate,
        duration: |settings| settings.workload.duration * 3,
        adjust,
    };
    run(&plan, async |context| measure(context).await)
}

#[expect(clippy::unnecessary_wraps, reason = "one of several functions of this type")]
fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    settings.set_unless_given("PERF_DURATION_SECS", USUAL_DURATION, |s| &mut s.workload.duration);
    settings.set_unless_given("PERF_READER_RATE", USUAL_READER_RATE, |s| {
        &mut s.workload.reader_rate
    });
    settings.set_unless_given("PERF_WRITER_RATE", USUAL_WRITER_RATE, |s| {
        &mut s.workload.writer_rate
    });
    // One reader is one handle; its reads overlap. The writer has a handle of its own.
    (settings.workload.num_readers, settings.workload.num_writers) = (1, 1);
    let load = &settings.workload;
    Ok(Some(format!(
        "Load: {}/s reads on one handle, 1 writer at {}/s; {} refreshes in flight, {:.1}s each (here 200/s, 0.5/s \
         and 20 s unless set)",
        load.reader_rate,
        load.writer_rate,
        POINTS.map(|point| point.to_string()).join(", "),
        load.duration.as_secs_f64()
    )))
}

fn estimate(settings: &Settings) -> RequestCounts {
    let part = workload_requests(&settings.workload, settings.warmup);
    POINTS
        .iter()
        .fold(RequestCounts::default(), |sum, _| sum.plus(&part))
}

/// One part: so many looks at once, and what came of it.
struct Part {
    refreshes_in_flight: usize,
    outcome: CellOutcome,
}

async fn measure(context: &Context) -> Ended<SharedReadsFields> {
    let mut parts = Vec::new();
    for refreshes_in_flight in POINTS {
        if context.should_stop() {
            break;
        }
        match carry_out(context, refreshes_in_flight).await {
            Ok(outcome) => parts.push(Part {
                refreshes_in_flight,
                outcome,
            }),
            Err(error) => {
                context.say(|out| writeln!(out, "error: {error}"));
                return context.could_not_begin(error);
            }
        }
    }
    report(context, &parts)
}

/// One part, run again while it is invalid and there are tries left.
async fn carry_out(context: &Context, refreshes_in_flight: usize) -> Result<CellOutcome, String> {
    let mut engine = context.engine();
    engine.options.refreshes_in_flight = refreshes_in_flight;
    let (config, tries) = (&context.settings.workload, tries());
    let mut number = 1;
    loop {
        let name = format!("refreshes-{refreshes_in_flight}-{number}");
        let outcome = run_loop(&context.cell(name, config, &engine)).await?;
        let cell = context.summarize(config, &outcome);
        match cell.detail.validity.reason() {
            Some(reason) if number < tries && !outcome.interrupted && !context.should_stop() => {
                context.say(|out| writeln!(out, "Invalid ({reason}): running again"));
                number += 1;
            }
            _ => return Ok(outcome),
        }
    }
}

fn report(context: &Context, parts: &[Part]) -> Ended<SharedReadsFields> {
    let mut judgement: Option<Judgement> = None;
    let (mut cells, mut points, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let cell = summary(context, &context.settings.workload, part);
        let own = judge(context, part, &cell);
        judgement = Some(match judgement {
            Some(earlier) => earlier.and(own),
            None => own,
        });
        invalid.extend(
            (cell.detail.validity.reason())
                .map(|reason| format!("{} refreshes in flight: {reason}", part.refreshes_in_flight)),
        );
        points.push(SharedReadsPoint::new(part.refreshes_in_flight, &cell));
        cells.push(cell);
    }
    let fields = SharedReadsFields { points };
    let run = Run {
        stem: STEM,
        title: TITLE,
        open_loop: true,
    };
    let mut judgement = judgement.unwrap_or_default();
    judgement
        .failures
        .extend(invalid.iter().map(|why| format!("invalid: {why}")));
    judgement.fail_if(context.store.budget_spent(), || {
        "PERF_MAX_REQUESTS stopped the run".to_owned()
    });
    let (verdict, reason) = conclude_cells(context, &run, &cells, judgement, |out| {
        write_points(out, &fields.points)
    });
    Ended {
        verdict,
        valid: invalid.is_empty(),
        reason,
        fields: Some(fields),
    }
}

fn summary(context: &Context, config: &WorkloadConfig, part: &Part) -> CellSummary {
    let mut cell = context.summarize(config, &part.outcome);
    // The parts offer the same load; only this tells them apart.
    let suffix = format!("_f{}", part.refreshes_in_flight);
    cell.columns.config_label.push_str(&suffix);
    cell
}

fn judge(context: &Context, part: &Part, cell: &CellSummary) -> Judgement {
    let (outcome, looks) = (&part.outcome, part.refreshes_in_flight);
    let mut judgement = Judgement::of_part(
        &format!("history_{looks}"),
        &outcome.history,
        &outcome.final_state,
        context.settings.writer_kind,
        &context.folder,
    );
    judgement.fail_if(cell.columns.total_reads == 0, || {
        format!("{looks} refreshes in flight: no read succeeded")
    });
    judgement.fail_if(cell.detail.stale_reads > 0, || {
        format!(
            "{looks} refreshes in flight: {} reads missed what was acknowledged before",
            cell.detail.stale_reads
        )
    });
    judgement.fail_if(outcome.undrained > 0, || {
        format!("{} operations never ended", outcome.undrained)
    });
    let (errors, examples) = &outcome.errors;
    judgement.fail_if(*errors > 0 && !context.has_faults(), || {
        format!("{errors} operations failed, such as: {}", examples.join("; "))
    });
    judgement
}

fn write_points(out: &mut dyn std::io::Write, points: &[SharedReadsPoint]) -> std::io::Result<()> {
    let shown = |number: Option<f64>, digits: usize| {
        number.map_or("n/a".to_owned(), |number| format!("{number:.digits$}"))
    };
    writeln!(out, "--- Reads of one Handle ---")?;
    writeln!(
        out,
        "{:>19} {:>11} {:>11} {:>15} {:>7} {:>10} {:>16}",
        "refreshes in flight",
        "p50 ms",
        "p99 ms",
        "bare GET p50 ms",
        "GETs/s",
        "GETs/read",
        "$/million reads"
    )?;
    for point in points {
        writeln!(
            out,
            "{:>19} {:>11} {:>11} {:>15} {:>7} {:>10} {:>16}",
            point.refreshes_in_flight,
            shown(point.read_p50_ms, 2),
            shown(point.read_p99_ms, 2),
            shown(point.floor_get_p50_ms, 2),
            shown(point.gets_per_s, 1),
            shown(point.requests_per_read, 3),
            shown(point.dollars_per_million_reads, 3)
        )?;
    }
    Ok(())
}
