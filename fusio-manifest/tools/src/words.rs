//! Results in words.

use std::fmt::Write as _;

use fusio_manifest::{Amount, Copied, Destroyed, Info, PinInfo, Restored, Verification};

pub(crate) fn copied(done: &Copied) -> String {
    let mut text = format!("manifest  {}\n", done.manifest);
    let _ = writeln!(
        text,
        "state     revision {}, commit {}; pins: {}",
        done.revision,
        done.last_txn,
        names(&done.pins)
    );
    let _ = writeln!(text, "needs     {} and HEAD", amount(&done.needed));
    if done.begun_again > 0 {
        let _ = writeln!(
            text,
            "          begun again {} times: the source had deleted what was still to come",
            done.begun_again
        );
    }
    let missing = Amount {
        objects: done.needed.objects - done.present.objects,
        bytes: done.needed.bytes.saturating_sub(done.present.bytes),
    };
    let there = match done.present.objects {
        0 => String::new(),
        _ => format!("; {} were there already", amount(&done.present)),
    };
    let _ = match done.written {
        true => write!(text, "copied    {}{there}; HEAD last", amount(&missing)),
        false => write!(
            text,
            "dry run   would copy {}{there}; nothing was written",
            amount(&missing)
        ),
    };
    text
}

pub(crate) fn restored(restored: &Restored) -> String {
    let mut text = format!("manifest  {}\n", restored.manifest);
    for (copy, lacking) in &restored.unusable {
        let _ = writeln!(text, "unusable  {copy}\n          needs {lacking}");
    }
    if let Some(object) = &restored.object {
        let _ = writeln!(text, "from      {object}");
    }
    let _ = writeln!(
        text,
        "state     revision {}, commit {}; pins: {}",
        restored.revision,
        restored.last_txn,
        names(&restored.pins)
    );
    if !restored.pins_lost.is_empty() {
        let _ = writeln!(
            text,
            "pins lost {}: something that they need is gone",
            names(&restored.pins_lost)
        );
    }
    let _ = match restored.written {
        true => write!(
            text,
            "restored  all that it needs is here; commits after {} are lost: open every handle anew",
            restored.last_txn
        ),
        false => write!(text, "dry run   all that it needs is here; nothing was written"),
    };
    text
}

pub(crate) fn destroyed(gone: &Destroyed) -> String {
    let head = if gone.head { "HEAD and " } else { "" };
    let mut text = format!("destroyed {head}{} objects", gone.objects);
    if gone.foreign > 0 {
        let _ = write!(text, "\nleft      {} objects that are not its own:", gone.foreign);
        for key in &gone.foreign_keys {
            let _ = write!(text, "\n          {key}");
        }
    }
    if gone.unanswered {
        text.push_str("\nunanswered: create and copy nothing below this prefix for 15 minutes: a late request may delete it");
    }
    text
}

pub(crate) fn pinned(pin: &PinInfo, txn: u64) -> String {
    let until = match pin.expires_unix_ms {
        Some(unix_ms) => format!(
            "until {} (seconds of Unix time, by the store's Date)",
            unix_ms / 1_000
        ),
        None => "until it is released".to_owned(),
    };
    format!(
        "pinned    \"{}\", revision {}, commit {txn}, {until}",
        pin.name, pin.revision
    )
}

pub(crate) fn maintained(before: &Info, after: &Info) -> String {
    let mut text = String::new();
    for (what, before, after) in compared(before, after) {
        let line = match before == after {
            true => format!("{what:<18} {after}\n"),
            false => format!("{what:<18} {before} -> {after}\n"),
        };
        text.push_str(&line);
    }
    let requests = after.maintenance.total();
    let _ = write!(text, "{:<18} {requests}", "requests");
    text
}

/// What maintenance changes.
pub(crate) fn compared(before: &Info, after: &Info) -> [(&'static str, u64, u64); 8] {
    let of = |what, number: fn(&Info) -> u64| (what, number(before), number(after));
    [
        of("revision", |info| info.revision),
        of("epoch", |info| info.epoch),
        of("head_bytes", |info| info.head_bytes as u64),
        of("log_objects", |info| info.log_objects as u64),
        of("runs", |info| info.runs as u64),
        of("tables", |info| info.tables as u64),
        of("pins", |info| info.pins as u64),
        of("collected_through", |info| info.collected_through),
    ]
}

fn amount(amount: &Amount) -> String {
    let noun = if amount.objects == 1 { "object" } else { "objects" };
    format!("{} {noun}, {} bytes", amount.objects, amount.bytes)
}

fn names(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        _ => format!("\"{}\"", names.join("\", \"")),
    }
}

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
