//! The knee: the highest commit rate that the manifest sustains, for 1, 2, 4 and 8 writers with a handle each, and
//! with one handle for all. Each rate is a cell of its own; bisection finds where they stop being sustained.

use std::{io::Write as _, time::Duration};

use super::{
    AROUND_REQUESTS, Context, Ended, Plan, class,
    conclude::{Run, conclude_cells},
    judge::Judgement,
    run,
};
use crate::{
    config::{WorkloadConfig, WriterKind},
    requests::RequestCounts,
    result::{KneeFields, KneePoint},
    run::{Cell, CellOutcome, run_loop, seed_of},
    settings::{Arrivals, Settings, StoreSettings},
    summary::{CellSummary, LATENESS_LIMIT_MS},
};
use probe::{Missed, Probe, SLO, growth};
use search::{PROBES_MAX, Search};

mod probe;
mod search;
#[cfg(test)]
mod tests;

/// Writers whose knees are looked for in virtual time, each with own handles and with a shared one.
const WRITERS: [u32; 4] = [1, 2, 4, 8];
/// Writers of the one point that is looked for on a real store, unless the settings say.
const WRITERS_REAL: u32 = 2;
/// How long a rate is offered, unless the settings say: in virtual time, and on a store that takes its time.
const USUAL_DURATION: Duration = Duration::from_secs(60);
const USUAL_DURATION_REAL: Duration = Duration::from_secs(10);
/// Commits a second of all writers at which the search begins.
const FIRST_RATE: f64 = 4.0;
/// Requests a second of a probe, about, most of which are above what is sustained by one handle.
const REQUESTS_PER_SECOND: f64 = 60.0;

const RUN: Run = Run {
    stem: "test_knee",
    title: "Knee Test",
    open_loop: true,
};

/// Looks for the knees.
///
/// # Errors
///
/// One line: which check did not hold, or why it could not run.
pub fn knee() -> Result<(), String> {
    let plan = Plan {
        name: RUN.stem,
        title: RUN.title,
        estimate: |settings| {
            let (probes, seconds) = (probes_max(settings), settings.workload.duration.as_secs_f64());
            RequestCounts {
                conditional_put: class(probes * (seconds * REQUESTS_PER_SECOND + AROUND_REQUESTS)),
                ..RequestCounts::default()
            }
        },
        duration: |settings| settings.workload.duration.mul_f64(probes_max(settings)),
        adjust,
    };
    run(&plan, async |context| measure(context).await)
}

#[expect(clippy::unnecessary_wraps, reason = "one of several functions of this type")]
fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    let (latency, faults) = (settings.latency().map(str::to_owned), settings.store.faults());
    let simulated = StoreSettings::Simulated {
        latency: latency.unwrap_or_else(|| "s3-standard".to_owned()),
        faults: faults.map(str::to_owned),
    };
    settings.set_unless_given("PERF_STORE", simulated, |settings| &mut settings.store);
    let usual = if settings.store.is_simulated() {
        USUAL_DURATION
    } else {
        USUAL_DURATION_REAL
    };
    settings.set_unless_given("PERF_DURATION_SECS", usual, |s| &mut s.workload.duration);
    settings.set_unless_given("PERF_ARRIVALS", Arrivals::Poisson, |s| &mut s.arrivals);
    settings.set_unless_given("PERF_NUM_WRITERS", WRITERS_REAL, |s| &mut s.workload.num_writers);
    settings.workload.num_readers = 0;
    settings.writer_kind = WriterKind::Monotonic;
    let (writers, seconds) = (writers_of(settings), settings.workload.duration.as_secs_f64());
    Ok(Some(format!(
        "Load: {} writers with a handle each{}; each rate for {seconds:.1}s, at most {PROBES_MAX} rates a point. A rate \
         is sustained if 99% of it is achieved, p99 is at most {:.1}s and the queue does not grow",
        writers.map_or_else(|| "1, 2, 4 and 8".to_owned(), |writers| writers.to_string()),
        if writers.is_none() {
            ", and with one for all"
        } else {
            ""
        },
        SLO.as_secs_f64(),
    )))
}

/// The writers of the only point; none if there are several points, which only virtual time has the time for.
fn writers_of(settings: &Settings) -> Option<u32> {
    let one = !settings.store.is_simulated() || settings.is_set("PERF_NUM_WRITERS");
    one.then_some(settings.workload.num_writers)
}

/// The points: how many writers, and whether they share a handle.
fn points(settings: &Settings) -> Vec<(u32, bool)> {
    match writers_of(settings) {
        Some(writers) => vec![(writers, false)],
        None => [false, true]
            .iter()
            .flat_map(|shared| WRITERS.map(|writers| (writers, *shared)))
            .collect(),
    }
}

fn probes_max(settings: &Settings) -> f64 {
    f64::from(PROBES_MAX) * points(settings).len() as f64
}

/// What the search for one knee left.
struct Found {
    point: KneePoint,
    /// The cell at the knee.
    cell: Option<CellSummary>,
    judgement: Judgement,
    /// Rates of which nothing can be said, because the generator did not offer them.
    invalid: Vec<String>,
}

async fn measure(context: &Context) -> Ended<KneeFields> {
    let mut found: Vec<Found> = Vec::new();
    for (writers, shared) in points(&context.settings) {
        if context.should_stop() {
            break;
        }
        match find(context, writers, shared).await {
            Ok(one) => {
                let point = &one.point;
                context.say(|out| {
                    let knee = point.knee_per_s.unwrap_or_default();
                    writeln!(
                        out,
                        "{writers} writers, {} handle: {knee:.1} commits/s",
                        point.handle
                    )
                });
                found.push(one);
            }
            Err(error) => {
                context.say(|out| writeln!(out, "error: {error}"));
                return context.could_not_begin(error);
            }
        }
    }
    report(context, found)
}

/// One knee.
async fn find(context: &Context, writers: u32, shared: bool) -> Result<Found, String> {
    let handle = handle_of(shared);
    let mut search = Search::from(FIRST_RATE);
    let (mut judgement, mut at_knee, mut limited_by) = (None::<Judgement>, None, None);
    let mut invalid = Vec::new();
    let mut number = 0;
    while let Some(rate) = search.next() {
        if context.should_stop() {
            break;
        }
        number += 1;
        let (config, outcome) = offer(context, (writers, shared), rate, number).await?;
        if outcome.interrupted {
            break;
        }
        let mut cell = context.summarize(&config, &outcome);
        if shared {
            // Everything else of its label is that of writers with own handles at the same rate.
            cell.columns.config_label.push_str("_shared");
        }
        let own = Judgement::of_part(
            &name_of((writers, shared), number),
            &outcome.history,
            &outcome.final_state,
            context.settings.writer_kind,
            &context.folder,
        );
        judgement = Some(match judgement {
            Some(earlier) => Judgement::and(earlier, own),
            None => own,
        });
        if cell
            .detail
            .lateness
            .p99_ms
            .is_some_and(|ms| ms > LATENESS_LIMIT_MS)
        {
            invalid.push(format!(
                "{handle} {writers} at {rate:.1}/s: the generator was late"
            ));
        }
        let missed = probe(&outcome, &cell, rate).sustained().err();
        search.note(rate, missed.is_none());
        match missed {
            None => at_knee = Some((rate, cell)),
            Some(missed) => limited_by = Some((rate, missed)),
        }
    }
    Ok(Found {
        point: point(writers, handle, search, at_knee.as_ref(), limited_by),
        cell: at_knee.map(|(_, cell)| cell),
        judgement: judgement.unwrap_or_default(),
        invalid,
    })
}

fn handle_of(shared: bool) -> &'static str {
    if shared { "shared" } else { "own" }
}

/// What the cell of a probe is called.
fn name_of((writers, shared): (u32, bool), number: u32) -> String {
    format!("{}-{writers}-{number}", handle_of(shared))
}

fn point(
    writers: u32,
    handle: &str,
    search: Search,
    at_knee: Option<&(f64, CellSummary)>,
    limited_by: Option<(f64, Missed)>,
) -> KneePoint {
    KneePoint {
        writers,
        handle: handle.to_owned(),
        knee_per_s: search.low,
        low: search.low,
        high: search.high,
        p99_ms: at_knee.and_then(|(_, cell)| cell.columns.write_p99_ms),
        limited_by: limited_by.map(|(rate, missed)| format!("{missed} at {rate:.1}/s")),
    }
}

/// Offers a rate, spread over the writers.
async fn offer(
    context: &Context,
    (writers, shared_handle): (u32, bool),
    rate: f64,
    number: u32,
) -> Result<(WorkloadConfig, CellOutcome), String> {
    let config = WorkloadConfig {
        num_writers: writers,
        writer_rate: rate / f64::from(writers.max(1)),
        ..context.settings.workload.clone()
    };
    // Arrivals of its own: no rate is to meet the luck of another.
    let mut settings = context.settings.clone();
    settings.seed = seed_of(settings.seed, number);
    let engine = context.engine();
    let cell = Cell {
        settings: &settings,
        shared_handle,
        ..context.cell(name_of((writers, shared_handle), number), &config, &engine)
    };
    let outcome = run_loop(&cell).await?;
    Ok((config, outcome))
}

fn probe(outcome: &CellOutcome, cell: &CellSummary, rate: f64) -> Probe {
    let (writer, load) = (&outcome.metrics.writer, &cell.detail.write);
    Probe {
        offered_per_s: load.offered_rate,
        achieved_per_s: load.achieved_rate,
        p99_ms: load.response.p99_ms,
        growth: growth(&writer.acknowledged.series, outcome.measured, rate),
        errors: writer.count() - writer.acknowledged.count() + load.dropped + outcome.undrained,
    }
}

fn report(context: &Context, found: Vec<Found>) -> Ended<KneeFields> {
    let (mut cells, mut points, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
    let mut judgement: Option<Judgement> = None;
    for one in found {
        cells.extend(one.cell);
        invalid.extend(one.invalid);
        points.push(one.point);
        judgement = Some(match judgement {
            Some(earlier) => earlier.and(one.judgement),
            None => one.judgement,
        });
    }
    let mut judgement = judgement.unwrap_or_default();
    judge(&points, &invalid, &mut judgement);
    judgement.fail_if(context.store.budget_spent(), || {
        "PERF_MAX_REQUESTS stopped the run".to_owned()
    });
    let (verdict, reason) = conclude_cells(context, &RUN, &cells, judgement, |out| write_table(out, &points));
    Ended {
        verdict,
        valid: invalid.is_empty(),
        reason,
        fields: Some(KneeFields {
            slo_ms: u64::try_from(SLO.as_millis()).unwrap_or(u64::MAX),
            points,
        }),
    }
}

fn judge(points: &[KneePoint], invalid: &[String], judgement: &mut Judgement) {
    for point in points {
        judgement.fail_if(point.knee_per_s.is_none(), || {
            format!(
                "{} writers, {} handle: no rate was sustained",
                point.writers, point.handle
            )
        });
    }
    judgement
        .failures
        .extend(invalid.iter().map(|what| format!("invalid: {what}")));
}

fn write_table(out: &mut dyn std::io::Write, points: &[KneePoint]) -> std::io::Result<()> {
    writeln!(out, "\n--- Knees ---")?;
    writeln!(
        out,
        "writers  handle  commits/s  not any more  p99 there  limited by"
    )?;
    for point in points {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        writeln!(
            out,
            "{:>7}  {:<6}  {:>9}  {:>12}  {:>7}ms  {}",
            point.writers,
            point.handle,
            number(point.low),
            number(point.high),
            number(point.p99_ms),
            point.limited_by.as_deref().unwrap_or("-")
        )?;
    }
    writeln!(out)
}
