//! Holds the files of runs against those of earlier ones, without running anything:
//!
//! ```text
//! compare-runs [--across-stores] OLD.csv [OLD.csv ...] -- NEW.csv [NEW.csv ...]
//! ```
//!
//! One CSV of each is told with the noise of a single run, and fails on request counts; six or more of each, measured
//! by turns, go through the latency gate. The exit status is 0 if nothing got worse, 1 if something did, and 2 if
//! the files cannot be compared. `PERF_SUMMARY` names a file to which the table is appended in markdown.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use manifest_perf::{
    compare::{Recording, turns},
    export::read_recording,
    output::append,
};

const USAGE: &str = "usage: compare-runs [--across-stores] OLD.csv [OLD.csv ...] -- NEW.csv [NEW.csv ...]";

fn main() -> ExitCode {
    match carry_out(std::env::args_os().skip(1).map(PathBuf::from).collect()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            // Nobody may be listening; the status says it too.
            let _ = writeln!(io::stderr(), "error: {why}");
            ExitCode::from(2)
        }
    }
}

/// True if nothing got worse.
fn carry_out(mut paths: Vec<PathBuf>) -> Result<bool, String> {
    let flag = Path::new("--across-stores");
    let across_stores = paths.iter().any(|path| path == flag);
    paths.retain(|path| path != flag);
    let mut sides = paths.split(|path| path == Path::new("--"));
    let (Some(old), Some(new), None) = (sides.next(), sides.next(), sides.next()) else {
        return Err(USAGE.to_owned());
    };
    let (old, new) = (read(old)?, read(new)?);
    let verdict = turns::hold(&old, &new, across_stores)?;
    let mut out = io::stdout().lock();
    let told = |error: io::Error| format!("the table cannot be printed: {error}");
    verdict.table.write(&mut out).map_err(told)?;
    for failure in &verdict.failures {
        writeln!(out, "WORSE  {failure}").map_err(told)?;
    }
    if let Some(path) = std::env::var_os("PERF_SUMMARY").filter(|path| !path.is_empty()) {
        let mut text = verdict.table.markdown("Two builds");
        for failure in &verdict.failures {
            text.push_str(&format!("\n- worse: {failure}\n"));
        }
        append(Path::new(&path), &text).map_err(|error| error.to_string())?;
    }
    Ok(verdict.failures.is_empty())
}

fn read(paths: &[PathBuf]) -> Result<Vec<Recording>, String> {
    if paths.is_empty() {
        return Err(USAGE.to_owned());
    }
    paths.iter().map(|path| read_recording(path)).collect()
}
