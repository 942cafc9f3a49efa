//! What people read of a soak, and its files.

use std::io::{self, Write};

use super::{
    STEM,
    judge::{Judged, judge},
    watch::Watched,
};
use crate::{
    crash::journal::Told,
    report::write_verdict,
    result::{SoakFields, SoakTrend, Verdict},
    scenario::{Context, Ended, conclude::write_evidence, judge::Judgement, reason},
    soak::rows_csv,
};

/// Judges the run, writes its rows and tells what came of it.
pub(super) async fn conclude(context: &Context, mut watched: Watched) -> Ended<SoakFields> {
    let written = rows_csv(&watched.rows).and_then(|csv| {
        let written = context.folder.write(&format!("{STEM}.csv"), &csv);
        written.map_err(|error| error.to_string())
    });
    let judged = judge(context, &mut watched).await;
    let Judged {
        fields,
        mut judgement,
        told,
    } = match judged {
        Ok(judged) => judged,
        Err(error) => {
            context.say(|out| writeln!(out, "error: {error}"));
            return Ended::failed(error);
        }
    };
    judgement.failures.extend(written.err());
    let verdict = match (context.interrupt.is_set(), judgement.failures.is_empty()) {
        (true, _) => Verdict::Interrupted,
        (false, true) => Verdict::Pass,
        (false, false) => Verdict::Fail,
    };
    if verdict == Verdict::Pass {
        // Evidence of nothing, and large.
        let _ = std::fs::remove_dir_all(&watched.child.order.folder);
    }
    context.say(|out| write_all(out, &fields, &judgement, &told, verdict));
    context.say(|out| write_evidence(out, context, STEM, &judgement.counterexamples, judgement.checking));
    Ended {
        verdict,
        valid: true,
        reason: reason(verdict, &judgement.failures),
        fields: Some(fields),
    }
}

fn write_all(
    out: &mut impl Write,
    fields: &SoakFields,
    judgement: &Judgement,
    told: &Told,
    verdict: Verdict,
) -> io::Result<()> {
    writeln!(out, "--- Beside Commits and Reads ---")?;
    for (what, count) in &told.done {
        writeln!(out, "{count:>6}  {what}")?;
    }
    for (what, count) in &told.failed {
        writeln!(out, "{count:>6}  failed: {what}")?;
    }
    writeln!(out, "\n--- Soak ---")?;
    for (name, count) in [
        ("Transactions due:          ", fields.commits_offered),
        ("  committed:               ", fields.commits_ok),
        ("  told of a conflict:      ", fields.conflicts),
        ("  never told:              ", fields.commits_unknown),
        ("Reads checked:             ", fields.reads),
        ("States held or pinned:     ", fields.kept),
        ("Handles opened and closed: ", fields.visits),
        ("Folds:                     ", fields.folds),
        ("Merges:                    ", fields.merges),
        ("Collections:               ", fields.collections),
        ("Lost:                      ", fields.lost),
        ("Doubled:                   ", fields.doubled),
        ("Orphans after collection:  ", fields.orphans_after_collect),
        ("Found broken by verify:    ", fields.verify_findings),
    ] {
        writeln!(out, "{name}{count}")?;
    }
    write_trends(out, fields)?;
    write_verdict(out, verdict, &judgement.verified, &judgement.failures)
}

fn write_trends(out: &mut impl Write, fields: &SoakFields) -> io::Result<()> {
    match fields.judged_from_s {
        Some(from) => writeln!(
            out,
            "\nFrom second {from:.0} to {:.0}, {} intervals in all: level, movement for the worse with its standard error, \
             and what is allowed beyond three of these",
            fields.seconds, fields.intervals
        )?,
        None => writeln!(
            out,
            "\nTrends are not judged: the run is too short, or was stopped. Level and movement of {} intervals:",
            fields.intervals
        )?,
    }
    for trend in &fields.trends {
        writeln!(out, "{}", line(trend))?;
    }
    Ok(())
}

fn line(trend: &SoakTrend) -> String {
    let number = |value: Option<f64>| value.map_or("n/a".to_owned(), |value| format!("{value:.2}"));
    let said = match trend.flat {
        Some(true) => "flat",
        Some(false) => "NOT FLAT",
        None => "",
    };
    format!(
        "{:<32} {:>10} {:>9} ± {:<7} {:>8} {said}",
        trend.what,
        number(trend.median),
        number(trend.growth),
        number(trend.error),
        number(trend.allowed)
    )
    .trim_end()
    .to_owned()
}
