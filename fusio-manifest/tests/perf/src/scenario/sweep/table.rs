//! What people see of a sweep: a line when a cell ends, and the table of all.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use super::{super::Context, TITLE, progress::Sweep, record::CellRecord};
use crate::{
    report::{store_line, write_outcome},
    result::{SweepFields, Verdict},
    summary::SAMPLES_ENOUGH,
};

/// The columns of the table: heading, name in the files, decimals.
const COLUMNS: [(&str, &str, usize); 10] = [
    ("writes", "write_response_samples", 0),
    ("p50 ms", "write_p50_ms", 1),
    ("p99 ms", "write_p99_ms", 1),
    ("reads", "read_response_samples", 0),
    ("p50 ms", "read_p50_ms", 1),
    ("p99 ms", "read_p99_ms", 1),
    ("lost", "conflict_rate", 4),
    ("predicted", "conflict_rate_predicted", 4),
    ("residual", "conflict_rate_residual", 4),
    ("late p99 ms", "lateness_p99_ms", 2),
];

/// One line: a cell has ended.
pub(super) fn write_line(out: &mut impl Write, record: &CellRecord) -> io::Result<()> {
    let shown = |name, digits| shown(record.number(name), digits);
    let samples = record.number("write_response_samples").unwrap_or(0.0);
    let few = match samples < SAMPLES_ENOUGH as f64 {
        true => format!(" (n={samples})"),
        false => String::new(),
    };
    writeln!(
        out,
        "{}: {}, {}; writes {} / {} ms p50 / p99{few}, reads {} / {} ms, lost {}{}",
        record.label,
        record.verdict.as_str(),
        validity(record),
        shown("write_p50_ms", 1),
        shown("write_p99_ms", 1),
        shown("read_p50_ms", 1),
        shown("read_p99_ms", 1),
        shown("conflict_rate", 4),
        match record.tries {
            1 => String::new(),
            tries => format!(", try {tries}"),
        }
    )
}

fn validity(record: &CellRecord) -> String {
    match &record.invalid {
        None => "valid".to_owned(),
        Some(why) => format!("invalid ({why})"),
    }
}

/// The table, and what the sweep came to.
pub(super) fn write(
    out: &mut impl Write,
    sweep: &Sweep,
    fields: &SweepFields,
    verdict: Verdict,
    failures: &[String],
    files: &[PathBuf],
) -> io::Result<()> {
    writeln!(out, "\n--- Cells ---")?;
    write!(out, "{:10}", "cell")?;
    for (heading, ..) in COLUMNS {
        write!(out, " {heading:>11}")?;
    }
    writeln!(out, "  verdict, validity")?;
    for record in &sweep.records {
        write!(out, "{:10}", record.label)?;
        for (_, name, digits) in COLUMNS {
            write!(out, " {:>11}", shown(record.number(name), digits))?;
        }
        writeln!(out, "  {}, {}", record.verdict.as_str(), validity(record))?;
    }
    if !fields.missing.is_empty() {
        writeln!(out, "Missing: {}", fields.missing.join(", "))?;
    }
    writeln!(
        out,
        "\n{} cells, {} valid, {} of an earlier run, {} run again; {:.1}s, {} requests, {:.4} dollars in this run",
        fields.cells,
        fields.valid_cells,
        fields.resumed_cells,
        fields.repeated_cells,
        fields.wall_s,
        fields.requests,
        fields.dollars
    )?;
    write_outcome(out, verdict, &sweep.verified(), failures, files)
}

/// A section in markdown, for the summary of a CI job. Begins and ends with a newline.
pub(super) fn markdown(
    context: &Context,
    records: &[CellRecord],
    verdict: Verdict,
    failures: &[String],
) -> String {
    let one_line = |text: &str| text.replace(['\n', '\r'], " ");
    let mut text = format!(
        "\n### {TITLE}: {}\n\n{}\n\n",
        verdict.as_str(),
        one_line(&store_line(&context.settings))
    );
    for failure in failures {
        text.push_str(&format!("- {}\n", one_line(failure)));
    }
    text.push_str("\n| cell |");
    COLUMNS
        .iter()
        .for_each(|(heading, ..)| text.push_str(&format!(" {heading} |")));
    text.push_str(" verdict | valid |\n|---|");
    COLUMNS.iter().for_each(|_| text.push_str("--:|"));
    text.push_str("---|---|\n");
    for record in records {
        text.push_str(&format!("| {} |", record.label));
        for (_, name, digits) in COLUMNS {
            text.push_str(&format!(" {} |", shown(record.number(name), digits)));
        }
        text.push_str(&format!(" {} | {} |\n", record.verdict.as_str(), record.valid));
    }
    text
}

fn shown(number: Option<f64>, digits: usize) -> String {
    number.map_or("n/a".to_owned(), |number| format!("{number:.digits$}"))
}
