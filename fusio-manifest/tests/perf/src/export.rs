//! The CSV of a run, and the details beside it.

use std::path::PathBuf;

use thiserror::Error;

use crate::{
    config::WriterKind,
    environment::Environment,
    output::{OutputError, RunFolder},
    result::Verdict,
    settings::Settings,
    summary::CellSummary,
};

mod detail;
#[cfg(test)]
mod tests;

/// What holds for all cells of a run, for the details.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// What the run came to.
    pub verdict: Verdict,
    /// `embedded`, `s3` or `simulated`.
    pub store: &'static str,
    /// The latency profile; none for a real store.
    pub latency: Option<String>,
    /// The fault rules, as written.
    pub faults: Option<String>,
    /// Which client wrote.
    pub writer_kind: WriterKind,
    /// The seed.
    pub seed: u64,
    /// The machine and the build.
    pub environment: Environment,
}

impl RunFacts {
    /// The facts of a run with these settings.
    pub fn new(settings: &Settings, environment: Environment, verdict: Verdict) -> Self {
        Self {
            verdict,
            store: settings.store.name(),
            latency: settings.latency().map(str::to_owned),
            faults: settings.store.faults().map(str::to_owned),
            writer_kind: settings.writer_kind,
            seed: settings.seed,
            environment,
        }
    }
}

/// Results that could not be exported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] OutputError),
    /// The CSV could not be rendered.
    #[error("cannot render the CSV: {0}")]
    Csv(#[from] csv::Error),
}

/// The CSV: a header of 26 columns and a row a cell.
///
/// # Errors
/// If a row cannot be rendered.
pub fn columns_csv(cells: &[CellSummary]) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for cell in cells {
        writer.serialize(&cell.columns)?;
    }
    finish(writer)
}

/// The details: a header and a row a cell, which begins with the cell's label.
///
/// # Errors
/// If a row cannot be rendered.
pub fn detail_csv(cells: &[CellSummary], facts: &RunFacts) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (place, cell) in cells.iter().enumerate() {
        let (names, values): (Vec<_>, Vec<_>) = detail::fields(cell, facts).into_iter().unzip();
        if place == 0 {
            writer.write_record(&names)?;
        }
        writer.write_record(&values)?;
    }
    finish(writer)
}

/// Writes `<stem>.csv` and `<stem>_detail.csv` into the run's folder, and tells their paths.
///
/// # Errors
/// If one of them cannot be rendered or written.
pub fn write_csvs(
    folder: &RunFolder,
    stem: &str,
    cells: &[CellSummary],
    facts: &RunFacts,
) -> Result<[PathBuf; 2], ExportError> {
    Ok([
        folder.write(&format!("{stem}.csv"), &columns_csv(cells)?)?,
        folder.write(&format!("{stem}_detail.csv"), &detail_csv(cells, facts)?)?,
    ])
}

fn finish(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, ExportError> {
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()).into())
}
