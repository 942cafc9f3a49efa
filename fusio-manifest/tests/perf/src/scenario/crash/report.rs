//! What people read of a run in which processes were killed.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use crate::{
    crash::{Told, points::Point},
    report::write_verdict,
    result::{CrashFields, Verdict},
    scenario::judge::Judgement,
};

/// Every point, how often somebody died there, and what else was done.
pub(super) fn write_points(out: &mut impl Write, hits: &BTreeMap<Point, u64>, told: &Told) -> io::Result<()> {
    writeln!(out, "--- Killed between Requests ---")?;
    for (point, hits) in hits {
        writeln!(out, "{hits:>5}  {point}")?;
    }
    writeln!(out, "\n--- Beside Commits and Reads ---")?;
    for (what, count) in &told.done {
        writeln!(out, "{count:>5}  {what}")?;
    }
    for (what, count) in &told.failed {
        writeln!(out, "{count:>5}  failed: {what}")?;
    }
    writeln!(out)
}

pub(super) fn write(
    out: &mut impl Write,
    fields: &CrashFields,
    judgement: &Judgement,
    verdict: Verdict,
) -> io::Result<()> {
    writeln!(out, "--- Crashes ---")?;
    for (name, count) in [
        ("Processes killed:          ", fields.kills),
        ("  at random:               ", fields.kills_at_random),
        ("  between two requests:    ", fields.kills_at_points),
        ("Points hit:                ", fields.points_hit),
        ("  of:                      ", fields.points),
        ("Commits acknowledged:      ", fields.commits_ok),
        ("  never answered:          ", fields.commits_unknown),
        ("    of which applied:      ", fields.unknown_applied),
        ("Reads checked:             ", fields.reads),
        ("Lost:                      ", fields.lost),
        ("Doubled:                   ", fields.doubled),
        ("Orphans before collection: ", fields.orphans_before_collect),
        ("  after it:                ", fields.orphans_after_collect),
        ("Found broken by verify:    ", fields.verify_findings),
    ] {
        writeln!(out, "{name}{count}")?;
    }
    write_verdict(out, verdict, &judgement.verified, &judgement.failures)
}
