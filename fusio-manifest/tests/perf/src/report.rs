//! What a run prints for people. A line says only what was checked.

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use crate::{
    result::Verdict,
    settings::{Settings, StoreSettings},
    summary::{CellSummary, SAMPLES_ENOUGH, Spread, Validity},
};

#[cfg(test)]
pub(crate) mod example;
mod markdown;
#[cfg(test)]
mod tests;

pub use markdown::markdown_summary;

/// What the results of a run rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct Report<'a> {
    /// The results.
    pub cell: &'a CellSummary,
    /// Whether a schedule offered the load: else there is nothing to say about how it was kept.
    pub open_loop: bool,
    /// What the run came to.
    pub verdict: Verdict,
    /// What was checked and held, in words.
    pub verified: &'a [String],
    /// What was checked and did not hold, or why the run ended early.
    pub failures: &'a [String],
    /// The files that were written.
    pub files: &'a [PathBuf],
}

/// The store as people read it: `embedded S3, simulated latency s3-standard (seed 42)`.
pub fn store_line(settings: &Settings) -> String {
    let seed = settings.seed;
    let faults = settings
        .store
        .faults()
        .map(|faults| format!(", faults {faults}"))
        .unwrap_or_default();
    match &settings.store {
        StoreSettings::Embedded { latency, .. } => {
            format!("embedded S3, simulated latency {latency}{faults} (seed {seed})")
        }
        StoreSettings::Simulated { latency, .. } => {
            format!("simulated, latency {latency}{faults} (seed {seed})")
        }
        StoreSettings::S3 { bucket, endpoint, .. } => {
            let endpoint = endpoint.as_deref().unwrap_or("AWS");
            format!("S3, bucket {bucket} at {endpoint} (seed {seed})")
        }
    }
}

/// Prints what is about to run; `title` is such as `Baseline Test`.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_header(out: &mut impl Write, title: &str, store: &str, duration: Duration) -> io::Result<()> {
    writeln!(out, "=== Running {title} ===")?;
    writeln!(out, "Store: {store}")?;
    writeln!(out, "Duration: {:.2}s", duration.as_secs_f64())?;
    writeln!(out)
}

/// Prints the results of a run.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_results(out: &mut impl Write, report: &Report<'_>) -> io::Result<()> {
    write_metrics(out, report.cell)?;
    write_verdict(out, report.verdict, report.verified, report.failures)?;
    write_floor(out, report.cell)?;
    write_cost(out, report.cell)?;
    if report.open_loop {
        write_generator(out, report.cell)?;
    }
    write_files(out, report.files)?;
    out.flush()
}

/// Prints what a run came to, and its files, without the numbers of a cell: for a run of several.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_conclusion(out: &mut impl Write, report: &Report<'_>) -> io::Result<()> {
    write_outcome(
        out,
        report.verdict,
        report.verified,
        report.failures,
        report.files,
    )
}

/// The same for a run whose cells are not at hand.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_outcome(
    out: &mut impl Write,
    verdict: Verdict,
    verified: &[String],
    failures: &[String],
    files: &[PathBuf],
) -> io::Result<()> {
    write_verdict(out, verdict, verified, failures)?;
    write_files(out, files)?;
    out.flush()
}

fn write_files(out: &mut impl Write, files: &[PathBuf]) -> io::Result<()> {
    if !files.is_empty() {
        writeln!(out, "\nFiles:")?;
    }
    for file in files {
        writeln!(out, "  {}", file.display())?;
    }
    Ok(())
}

fn write_metrics(out: &mut impl Write, cell: &CellSummary) -> io::Result<()> {
    let CellSummary { columns, detail, .. } = cell;
    let (writes, reads) = (&detail.write.response, &detail.read.response);
    let lost = detail.attempts.lost_precondition();
    writeln!(out, "--- Write Metrics ---")?;
    writeln!(out, "Total attempts:        {}", detail.attempts.total())?;
    writeln!(out, "Successful commits:    {}", writes.samples)?;
    writeln!(out, "Precondition failures: {lost}")?;
    for (name, count) in [
        ("Given up:              ", columns.total_max_retries_exceeded),
        ("Failed:                ", detail.writes_failed),
        ("Unknown outcome:       ", detail.writes_unknown),
    ] {
        if count > 0 {
            writeln!(out, "{name}{count}")?;
        }
    }
    writeln!(out, "Write TPS:             {:.2}", columns.write_tps)?;
    writeln!(out, "Write latency (p50/p95/p99): {}", three(writes))?;
    writeln!(out)?;
    writeln!(out, "--- Read Metrics ---")?;
    writeln!(out, "Total reads:           {}", columns.total_reads)?;
    if detail.reads_failed > 0 {
        writeln!(out, "Failed reads:          {}", detail.reads_failed)?;
    }
    writeln!(out, "Read TPS:              {:.1}", columns.read_tps)?;
    writeln!(out, "Read latency (p50/p95/p99): {}", three(reads))?;
    writeln!(out)?;
    writeln!(out, "📊 Latency Summary:")?;
    for (role, spread) in [("Writer", writes), ("Reader", reads)] {
        let (p50, p99) = (Ms(spread.p50_ms, 2), Ms(spread.p99_ms, 2));
        writeln!(out, "  {role} p50: {p50}, p99: {p99}{}", Few(spread.samples))?;
    }
    let percent = columns.precondition_failure_rate * 100.0;
    writeln!(out, "  Precondition failures: {lost} ({percent:.2}%)")
}

/// What was verified, and what came of it.
pub(crate) fn write_verdict(
    out: &mut impl Write,
    verdict: Verdict,
    verified: &[String],
    failures: &[String],
) -> io::Result<()> {
    writeln!(out)?;
    if verified.is_empty() {
        writeln!(out, "Verification: nothing was checked")?;
    } else {
        writeln!(out, "Verification: {}", verified.join(", "))?;
    }
    match verdict {
        Verdict::Pass => writeln!(out, "✅ All tests passed")?,
        Verdict::Fail => writeln!(out, "❌ Failed")?,
        Verdict::Interrupted => writeln!(out, "❌ Interrupted: these are the results until then")?,
    }
    for failure in failures {
        writeln!(out, "  - {failure}")?;
    }
    Ok(())
}

fn write_floor(out: &mut impl Write, cell: &CellSummary) -> io::Result<()> {
    let detail = &cell.detail;
    writeln!(
        out,
        "\n--- Floor: bare requests to the same store at the same time ---"
    )?;
    for (name, floor) in [("PUT", &detail.floor_put), ("GET", &detail.floor_get)] {
        writeln!(
            out,
            "Conditional {name} p50:   {}{}",
            Ms(floor.p50_ms, 1),
            Few(floor.samples)
        )?;
    }
    for (name, ratio, samples) in [
        (
            "Commit p50 / PUT p50:",
            detail.commit_floor_ratio,
            detail.write.response.samples,
        ),
        (
            "Read p50 / GET p50:  ",
            detail.read_floor_ratio,
            detail.read.response.samples,
        ),
    ] {
        writeln!(out, "{name}  {}{}", Number(ratio, 2), Few(samples))?;
    }
    Ok(())
}

fn write_cost(out: &mut impl Write, cell: &CellSummary) -> io::Result<()> {
    let detail = &cell.detail;
    let (path, total) = (
        Number(detail.requests_per_commit_path, 2),
        Number(detail.requests_per_commit_total, 2),
    );
    let thousand = |dollars: Option<f64>| Number(dollars.map(|dollars| dollars * 1_000.0), 6);
    writeln!(out, "\n--- Requests and Dollars ---")?;
    writeln!(
        out,
        "Requests per commit:   {path} waited for, {total} with maintenance"
    )?;
    writeln!(
        out,
        "Requests per read:     {}",
        Number(detail.requests_per_read, 2)
    )?;
    writeln!(
        out,
        "Dollars per 1,000 commits: {}",
        thousand(detail.dollars_per_commit)
    )?;
    writeln!(
        out,
        "Dollars per 1,000 reads:   {}",
        thousand(detail.dollars_per_read)
    )?;
    writeln!(out, "Dollars of lost races:     {:.6}", detail.dollars_lost_races)?;
    writeln!(
        out,
        "Dollars of the run:        {:.6} at prices of {}",
        detail.dollars_total, detail.price_table
    )
}

fn write_generator(out: &mut impl Write, cell: &CellSummary) -> io::Result<()> {
    let detail = &cell.detail;
    let late = &detail.lateness;
    let (p50, p99, max) = (Ms(late.p50_ms, 2), Ms(late.p99_ms, 2), Ms(late.max_ms, 2));
    writeln!(out, "\n--- Load Generator ---")?;
    writeln!(
        out,
        "Lateness (p50/p99/max): {p50} / {p99} / {max}{}",
        Few(late.samples)
    )?;
    writeln!(out, "Dropped arrivals:       {}", detail.dropped())?;
    writeln!(out, "Longest write backlog:  {}", detail.write.backlog_max)?;
    match &detail.validity {
        Validity::Valid => writeln!(out, "Offered as configured:  yes"),
        Validity::Invalid(reason) => writeln!(out, "Offered as configured:  no: {reason}"),
    }
}

fn three(spread: &Spread) -> String {
    let [p50, p95, p99] = [spread.p50_ms, spread.p95_ms, spread.p99_ms].map(|ms| Ms(ms, 1));
    format!("{p50} / {p95} / {p99}{}", Few(spread.samples))
}

/// Milliseconds with so many decimals.
struct Ms(Option<f64>, usize);

impl fmt::Display for Ms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ms) => write!(f, "{ms:.*}ms", self.1),
            None => f.write_str("n/a"),
        }
    }
}

/// A number with so many decimals.
struct Number(Option<f64>, usize);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "{number:.*}", self.1),
            None => f.write_str("n/a"),
        }
    }
}

/// A mark behind percentiles of so few samples that they are mostly chance.
struct Few(u64);

impl fmt::Display for Few {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < SAMPLES_ENOUGH {
            write!(f, " (n={})", self.0)
        } else {
            Ok(())
        }
    }
}
