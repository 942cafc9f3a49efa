//! The sweep: fifteen loads from light to less light, many at once, a row each. What a cell came to is kept as it
//! ends, so that a run that was stopped or killed is finished by the next one.

use std::{io::Write as _, path::PathBuf, time::Duration};

use super::{
    Comparable, Context, Ended, Plan,
    against::{self, Against},
    baseline::tries,
    conclude::{checking_failure, write_evidence},
    judge::Judgement,
    reason, run_continuing, workload_requests,
};
use crate::{
    config::{WorkloadConfig, create_config_label, generate_all_configs_v2},
    export::RunFacts,
    output::append,
    requests::RequestCounts,
    result::{SweepFields, Verdict},
    run::CellOutcome,
    settings::Settings,
    summary::CellSummary,
};
use identity::Identity;
use progress::Sweep;
use record::CellRecord;
use wave::{Planned, run_at_once};

mod folder;
mod identity;
mod progress;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod together;
mod wave;

/// The stem of the files.
const STEM: &str = "comprehensive_sweep_v2";
/// What the sweep is, beside its files.
const SIDECAR: &str = "comprehensive_sweep_v2.sweep.json";
const NAME: &str = "test_comprehensive_sweep";
/// Written when a run of it has come to its end.
const RESULT: &str = "test_comprehensive_sweep.result.json";
const TITLE: &str = "Comprehensive Sweep";

/// The load of each cell, unless the settings say.
const USUAL_DURATION: Duration = Duration::from_secs(60);
/// Of the cells that run at once, those that may keep each other company when they are run again: the machine may
/// have been too busy.
const AGAIN_AT_ONCE: usize = 2;
/// What the sweep sets itself.
const SWEPT: [&str; 2] = ["PERF_NUM_WRITERS", "PERF_WRITER_RATE"];

/// Runs the sweep, or what is missing of an earlier one.
///
/// # Errors
///
/// One line: what did not hold, is invalid or is missing, or why it could not run.
pub fn sweep() -> Result<(), String> {
    let plan = Plan {
        name: NAME,
        title: TITLE,
        estimate,
        duration,
        adjust,
    };
    let comparable = Comparable {
        cells: configs,
        open_loop: true,
        has_repeats: false,
    };
    run_continuing(&plan, Some(&comparable), look_for_earlier, async |context| {
        measure(context).await
    })
}

fn adjust(settings: &mut Settings) -> Result<Option<String>, String> {
    if let Some(name) = SWEPT.iter().find(|name| settings.is_set(name)) {
        return Err(format!(
            "{name} has no effect here, because it is swept: unset it"
        ));
    }
    settings.set_unless_given("PERF_DURATION_SECS", USUAL_DURATION, |settings| {
        &mut settings.workload.duration
    });
    let mut load = String::new();
    if settings.store.faults().is_some() && settings.parallel > 1 {
        // Windows and counts of faults begin with the measurement of a cell.
        settings.parallel = 1;
        load.push_str("One cell at a time, because each begins the faults anew. ");
    }
    settings.cells_at_once = settings.parallel;
    let cells = configs(settings);
    load.push_str(&format!(
        "Load: {} cells of {:.1}s, {} at a time; 1 to 3 writers at 0.02/s to 0.2/s, {} readers at {}/s",
        cells.len(),
        settings.workload.duration.as_secs_f64(),
        settings.parallel,
        settings.workload.num_readers,
        settings.workload.reader_rate
    ));
    Ok(Some(load))
}

/// The cells, with what the settings say of all of them.
fn configs(settings: &Settings) -> Vec<WorkloadConfig> {
    let given = &settings.workload;
    let cells = generate_all_configs_v2().into_iter();
    cells
        .map(|cell| WorkloadConfig {
            num_writers: cell.num_writers,
            writer_rate: cell.writer_rate,
            ..given.clone()
        })
        .collect()
}

fn labels(configs: &[WorkloadConfig]) -> Vec<String> {
    configs.iter().map(create_config_label).collect()
}

/// The cells that an earlier run has not ended, if this one goes on with it.
fn remaining(settings: &Settings) -> Vec<WorkloadConfig> {
    let mut cells = configs(settings);
    if let Some(path) = &settings.continued {
        let records = folder::read_records(path, &labels(&cells));
        let ended = |label: &str| {
            let mut records = records.iter();
            records.any(|record| record.label == label && record.is_final(tries()))
        };
        cells.retain(|config| !ended(&create_config_label(config)));
    }
    cells
}

fn estimate(settings: &Settings) -> RequestCounts {
    remaining(settings)
        .iter()
        .map(|config| workload_requests(config, settings.warmup))
        .fold(RequestCounts::default(), |sum, cell| sum.plus(&cell))
}

fn duration(settings: &Settings) -> Duration {
    let waves = remaining(settings).len().div_ceil(at_once(settings));
    settings.workload.duration * u32::try_from(waves).unwrap_or(u32::MAX)
}

fn at_once(settings: &Settings) -> usize {
    usize::try_from(settings.parallel).unwrap_or(1).max(1)
}

#[expect(clippy::unnecessary_wraps, reason = "of the type that scenarios are run with")]
fn look_for_earlier(settings: &mut Settings) -> Result<Option<String>, String> {
    let configs = configs(settings);
    let identity = Identity::new(settings, &configs);
    let found = folder::find(&settings.out, &identity, &labels(&configs), tries());
    let mut said = Vec::new();
    match found.unfinished {
        Some((path, ended)) => {
            said.push(format!(
                "Goes on with {}: {ended} of its {} cells have ended and are kept",
                path.display(),
                configs.len()
            ));
            settings.continued = Some(path);
        }
        None => {
            if let Some(path) = found.complete.last() {
                said.push(format!(
                    "{} holds this sweep, complete: it is left as it is",
                    path.display()
                ));
            }
        }
    }
    if let Some((path, difference)) = found.others.last() {
        let more = match found.others.len() {
            1 => String::new(),
            many => format!(", and {} more such", many - 1),
        };
        said.push(format!(
            "{} holds an unfinished sweep, but another one (its {difference} differs): left alone{more}",
            path.display()
        ));
    }
    Ok((!said.is_empty()).then(|| said.join("\n")))
}

async fn measure(context: &Context) -> Ended<SweepFields> {
    let configs = configs(&context.settings);
    let mut sweep = match Sweep::begin(context, configs) {
        Ok(sweep) => sweep,
        Err(error) => return could_not_begin(context, error),
    };
    let at_once = at_once(&context.settings);
    while sweep.goes_on(context) {
        let cells = match sweep.next(context, at_once) {
            cells if cells.is_empty() => break,
            cells => cells,
        };
        let outcomes = run_at_once(context, &cells).await;
        for (planned, outcome) in cells.iter().zip(outcomes) {
            match outcome {
                Ok(outcome) => end_cell(context, &mut sweep, planned, &outcome),
                Err(error) => sweep.could_not_run(&planned.label, error),
            }
        }
        sweep.write_files(context);
    }
    conclude(context, sweep)
}

fn could_not_begin(context: &Context, error: String) -> Ended<SweepFields> {
    context.say(|out| writeln!(out, "error: {error}"));
    context.could_not_begin(error)
}

/// Checks what a cell left behind, and keeps what it came to unless it was stopped early.
fn end_cell(context: &Context, sweep: &mut Sweep, planned: &Planned, outcome: &CellOutcome) {
    let cell = context.summarize(&planned.config, outcome);
    let mut judgement = judge(context, &planned.label, outcome, &cell);
    sweep.files.append(&mut judgement.files);
    sweep.counterexamples.append(&mut judgement.counterexamples);
    sweep.checking += judgement.checking;
    sweep.sent = sweep.sent.plus(&outcome.requests.total);
    if outcome.interrupted {
        return sweep.stopped_early(&planned.label, judgement.failures);
    }
    let verdict = match judgement.failures.is_empty() {
        true => Verdict::Pass,
        false => Verdict::Fail,
    };
    let facts = RunFacts::new(&context.settings, context.environment.finish(), verdict);
    match CellRecord::new(&cell, planned.number, &judgement, &facts) {
        Ok(record) => {
            context.say(|out| table::write_line(out, &record));
            sweep.keep(context, record);
        }
        Err(error) => sweep.could_not_run(&planned.label, error.to_string()),
    }
}

fn judge(context: &Context, label: &str, outcome: &CellOutcome, cell: &CellSummary) -> Judgement {
    let mut judgement = Judgement::of_part(
        &format!("history_{label}"),
        &outcome.history,
        &outcome.final_state,
        context.settings.writer_kind,
        &context.folder,
    );
    let (columns, detail) = (&cell.columns, &cell.detail);
    for (what, offered, successes) in [
        ("write", detail.write.offered_rate, detail.write.response.samples),
        ("read", detail.read.offered_rate, columns.total_reads),
    ] {
        judgement.fail_if(offered > 0.0 && successes == 0, || {
            format!("no {what} succeeded even once")
        });
    }
    judgement.fail_if(detail.stale_reads > 0, || {
        format!("{} reads missed what was acknowledged before", detail.stale_reads)
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

fn conclude(context: &Context, mut sweep: Sweep) -> Ended<SweepFields> {
    let missing = sweep.missing();
    let mut failures = sweep.failures();
    if context.store.budget_spent() {
        failures.push("PERF_MAX_REQUESTS stopped the run".to_owned());
    }
    if !missing.is_empty() {
        failures.push(format!("missing: {}", missing.join(", ")));
    }
    let csv = context.folder.path().join(format!("{STEM}.csv"));
    let against = against::hold_written(context, &csv, &mut failures);
    failures.extend(checking_failure(context, sweep.checking));
    let verdict = match (context.interrupt.is_set(), failures.is_empty()) {
        (true, _) => Verdict::Interrupted,
        (false, true) => Verdict::Pass,
        (false, false) => Verdict::Fail,
    };
    let fields = sweep.fields(context, missing);
    let mut files: Vec<PathBuf> = sweep.written.clone();
    files.append(&mut sweep.files);
    files.push(context.folder.path().join(RESULT));
    if let Some(path) = &context.settings.summary {
        let mut text = table::markdown(context, &sweep.records, verdict, &failures);
        text.extend(against.as_ref().map(Against::markdown));
        if let Err(error) = append(path, &text) {
            failures.push(error.to_string());
        }
    }
    context.say(|out| {
        table::write(out, &sweep, &fields, verdict, &failures, &files)?;
        write_evidence(out, context, NAME, &sweep.counterexamples, sweep.checking)?;
        against.as_ref().map_or(Ok(()), |against| against.write(out))
    });
    Ended {
        verdict,
        valid: fields.valid_cells == sweep.labels.len(),
        reason: reason(verdict, &failures),
        fields: Some(fields),
    }
}
