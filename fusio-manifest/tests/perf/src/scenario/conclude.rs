//! The end of a run that measured: its files, what people read, and its verdict.

use std::{io, path::PathBuf, time::Duration};

use super::{
    Context,
    against::{self, Against},
    judge::{Judgement, checked_too_long},
    reason,
};
use crate::{
    export::{RunFacts, write_numbers, write_repeats},
    output::{OutputError, append},
    plot,
    report::{Report, markdown_summary, store_line, write_conclusion, write_results},
    result::Verdict,
    summary::CellSummary,
};

/// What a run is called, and how its load came about.
pub(super) struct Run {
    /// The test's name, and the stem of its files.
    pub(super) stem: &'static str,
    /// As people read it.
    pub(super) title: &'static str,
    /// Whether a schedule offered the load.
    pub(super) open_loop: bool,
}

/// Writes the files, prints the report, and says what the run came to and why.
pub(super) fn conclude(
    context: &Context,
    run: &Run,
    cell: &CellSummary,
    judgement: Judgement,
) -> (Verdict, Option<String>) {
    conclude_repeats(context, run, cell, &[], judgement)
}

/// The same for a cell that was measured several times: once more for each, and all together.
pub(super) fn conclude_repeats(
    context: &Context,
    run: &Run,
    together: &CellSummary,
    repeats: &[CellSummary],
    judgement: Judgement,
) -> (Verdict, Option<String>) {
    let cells = std::slice::from_ref(together);
    finish(context, run, (cells, repeats), judgement, |out, report| {
        write_results(out, report)
    })
}

/// The same for a run of several cells, whose numbers are printed by `table`.
pub(super) fn conclude_cells(
    context: &Context,
    run: &Run,
    cells: &[CellSummary],
    judgement: Judgement,
    table: impl Fn(&mut dyn io::Write) -> io::Result<()>,
) -> (Verdict, Option<String>) {
    if cells.is_empty() {
        let verdict = verdict(context, &judgement);
        return (verdict, reason(verdict, &judgement.failures));
    }
    finish(context, run, (cells, &[]), judgement, |out, report| {
        table(out)?;
        write_conclusion(out, report)
    })
}

fn finish(
    context: &Context,
    run: &Run,
    (cells, repeats): (&[CellSummary], &[CellSummary]),
    mut judgement: Judgement,
    print: impl FnOnce(&mut io::StdoutLock<'_>, &Report<'_>) -> io::Result<()>,
) -> (Verdict, Option<String>) {
    let against = against::hold(context, run, cells, repeats, &mut judgement);
    judgement
        .failures
        .extend(checking_failure(context, judgement.checking));
    let facts = RunFacts::new(
        &context.settings,
        context.environment.finish(),
        verdict(context, &judgement),
    );
    let mut files = Vec::new();
    match write_numbers(&context.folder, run.stem, cells, &facts) {
        Ok(written) => files.extend(written),
        Err(error) => judgement.failures.push(error.to_string()),
    }
    if !repeats.is_empty() {
        match write_repeats(&context.folder, run.stem, repeats) {
            Ok(written) => files.push(written),
            Err(error) => judgement.failures.push(error.to_string()),
        }
    }
    files.append(&mut judgement.files);
    let last = [format!("{}.result.json", run.stem), plot::REPORT.to_owned()];
    files.extend(last.map(|name| context.folder.path().join(name)));
    if let Err(error) = summarize(context, run, cells, &judgement, &files, against.as_ref()) {
        judgement.failures.push(error.to_string());
    }
    let verdict = verdict(context, &judgement);
    context.say(|out| {
        if let Some(cell) = cells.first() {
            print(out, &report(run, cell, verdict, &judgement, &files))?;
        }
        if let Some(against) = &against {
            against.write(out)?;
        }
        write_evidence(
            out,
            context,
            run.stem,
            &judgement.counterexamples,
            judgement.checking,
        )
    });
    (verdict, reason(verdict, &judgement.failures))
}

/// Why the checks took too long, if they did. In virtual time there is nothing to hold them against.
pub(super) fn checking_failure(context: &Context, checking: Duration) -> Option<String> {
    if context.settings.store.is_simulated() {
        return None;
    }
    let measured = context.settings.workload.duration;
    checked_too_long(checking, context.began.wall.elapsed(), measured)
}

/// What contradicts, with the command that runs it again; and what the check took, by the clock on the wall, whatever the
/// clock of the run.
pub(super) fn write_evidence(
    out: &mut dyn io::Write,
    context: &Context,
    scenario: &str,
    counterexamples: &[String],
    checking: Duration,
) -> io::Result<()> {
    for example in counterexamples {
        writeln!(out, "\n{example}")?;
    }
    if !counterexamples.is_empty() {
        writeln!(out, "Again: {}", context.settings.command(scenario))?;
    }
    let run = context.began.wall.elapsed().as_secs_f64();
    let share = checking.as_secs_f64() / run.max(f64::MIN_POSITIVE) * 100.0;
    writeln!(
        out,
        "Checking took {:.3} s, {share:.1} % of the run",
        checking.as_secs_f64()
    )
}

/// Appends what people and CI read in markdown, where the settings ask for it.
fn summarize(
    context: &Context,
    run: &Run,
    cells: &[CellSummary],
    judgement: &Judgement,
    files: &[PathBuf],
    against: Option<&Against>,
) -> Result<(), OutputError> {
    let Some(path) = &context.settings.summary else {
        return Ok(());
    };
    let mut about = store_line(&context.settings);
    if let Some(passed) = context.virtual_time() {
        about = format!("{about}. {passed}");
    }
    for cell in cells {
        let report = report(run, cell, verdict(context, judgement), judgement, files);
        let title = match cells.len() {
            1 => run.title.to_owned(),
            _ => format!("{} {}", run.title, cell.label()),
        };
        append(path, &markdown_summary(&title, &about, &report))?;
    }
    against.map_or(Ok(()), |against| append(path, &against.markdown()))
}

fn report<'a>(
    run: &Run,
    cell: &'a CellSummary,
    verdict: Verdict,
    judgement: &'a Judgement,
    files: &'a [PathBuf],
) -> Report<'a> {
    let (verified, failures) = (&judgement.verified, &judgement.failures);
    Report {
        open_loop: run.open_loop,
        cell,
        verdict,
        verified,
        failures,
        files,
    }
}

fn verdict(context: &Context, judgement: &Judgement) -> Verdict {
    match (context.interrupt.is_set(), judgement.failures.is_empty()) {
        (true, _) => Verdict::Interrupted,
        (false, true) => Verdict::Pass,
        (false, false) => Verdict::Fail,
    }
}
