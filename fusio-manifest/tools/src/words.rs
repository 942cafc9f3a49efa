//! The result of a check in words.

use std::fmt::Write as _;

use fusio_manifest::Verification;

/// What was read, and what is broken in one line each; the findings themselves have been told as they came.
pub(crate) fn verification(report: &Verification) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = tell(report, &mut text);
    text.trim_end().to_owned()
}

fn tell(report: &Verification, text: &mut String) -> std::fmt::Result {
    if let (Some(manifest), Some(revision), Some(txn)) = (report.manifest, report.revision, report.last_txn) {
        writeln!(text, "manifest  {manifest}")?;
        writeln!(
            text,
            "state     revision {revision}, commit {txn}; pins: {}",
            report.pins
        )?;
    }
    writeln!(
        text,
        "read      {} objects, {} bytes, {} requests",
        report.objects,
        report.bytes,
        report.requests.total()
    )?;
    writeln!(
        text,
        "          {} commits in the log, {} entries of tables",
        report.commits, report.entries
    )?;
    if report.superseded > 0 {
        let gone = report.superseded;
        writeln!(
            text,
            "          {gone} were let go by newer HEADs meanwhile: no damage"
        )?;
    }
    if let Some(garbage) = &report.garbage {
        writeln!(text, "garbage   {garbage}")?;
    }
    for copy in &report.copies {
        let state = if copy.complete {
            "all that it needs is here"
        } else {
            "not all that it needs is here"
        };
        writeln!(
            text,
            "copy      of revision {}, commit {}: {state}",
            copy.revision, copy.last_txn
        )?;
        writeln!(text, "          {}", copy.object)?;
    }
    match report.findings.len() {
        0 => writeln!(text, "result    whole: nothing is broken"),
        count => {
            let noun = if count == 1 { "finding" } else { "findings" };
            writeln!(text, "result    DAMAGED: {count} {noun}")?;
            for finding in &report.findings {
                writeln!(text, "          {} {}", finding.damage.name(), finding.object)?;
            }
            Ok(())
        }
    }
}
