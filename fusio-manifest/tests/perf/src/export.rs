//! The CSV of a run, and the details beside it.

use std::path::PathBuf;

use thiserror::Error;

use crate::{
    compare::recording::REPEAT,
    config::WriterKind,
    environment::Environment,
    interval_log::{CellIntervals, IntervalLogError, interval_log},
    output::{OutputError, RunFolder},
    result::Verdict,
    settings::{Arrivals, Settings},
    summary::CellSummary,
};

mod detail;
mod read_back;
#[cfg(test)]
mod tests;

pub use read_back::read_recording;

/// What holds for all cells of a run, for the details.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// What the run came to.
    pub verdict: Verdict,
    /// `embedded`, `s3` or `simulated`.
    pub store: &'static str,
    /// Whose a real store is, `aws` or `other`; none for one that stands for it.
    pub endpoint: Option<&'static str>,
    /// The latency profile; none for a real store.
    pub latency: Option<String>,
    /// The fault rules, as written.
    pub faults: Option<String>,
    /// Which client wrote.
    pub writer_kind: WriterKind,
    /// How arrivals were spaced.
    pub arrivals: Arrivals,
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
            endpoint: settings.store.endpoint_kind(),
            latency: settings.latency().map(str::to_owned),
            faults: settings.store.faults().map(str::to_owned),
            writer_kind: settings.writer_kind,
            arrivals: settings.arrivals,
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
    /// The interval log could not be rendered.
    #[error(transparent)]
    IntervalLog(#[from] IntervalLogError),
    /// The CSV could not be rendered.
    #[error("cannot render the CSV: {0}")]
    Csv(#[from] csv::Error),
}

/// The columns of a row, in their order: name and value.
pub type Fields = Vec<(String, String)>;

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

/// The 26 columns of one cell, as the CSV shows them.
///
/// # Errors
/// If the row cannot be rendered.
pub fn column_fields(cell: &CellSummary) -> Result<Fields, ExportError> {
    let csv = columns_csv(std::slice::from_ref(cell))?;
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let names = reader.headers()?.clone();
    let mut fields = Fields::new();
    for row in reader.records() {
        let row = row?;
        let pairs = names.iter().zip(row.iter());
        fields.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    Ok(fields)
}

/// Everything else about a cell, as the details show it.
pub fn detail_fields(cell: &CellSummary, facts: &RunFacts) -> Fields {
    detail::fields(cell, facts)
}

/// A header, by the names of the first row, and a row each.
///
/// # Errors
/// If a row cannot be rendered, as one of other columns cannot.
pub fn fields_csv<'a>(rows: impl IntoIterator<Item = &'a Fields>) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (place, row) in rows.into_iter().enumerate() {
        if place == 0 {
            writer.write_record(row.iter().map(|(name, _)| name))?;
        }
        writer.write_record(row.iter().map(|(_, value)| value))?;
    }
    finish(writer)
}

/// The details: a header and a row a cell, which begins with the cell's label.
///
/// # Errors
/// If a row cannot be rendered.
pub fn detail_csv(cells: &[CellSummary], facts: &RunFacts) -> Result<Vec<u8>, ExportError> {
    let rows: Vec<Fields> = cells.iter().map(|cell| detail_fields(cell, facts)).collect();
    fields_csv(&rows)
}

/// The repeats of one cell: the CSV with the number of the repeat, from 1, before its columns.
///
/// # Errors
/// If a row cannot be rendered.
pub fn repeats_csv(repeats: &[CellSummary]) -> Result<Vec<u8>, ExportError> {
    let plain = columns_csv(repeats)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(plain.as_slice());
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (number, record) in reader.records().enumerate() {
        let first = if number == 0 {
            REPEAT.to_owned()
        } else {
            number.to_string()
        };
        writer.write_record(std::iter::once(first.as_str()).chain(record?.iter()))?;
    }
    finish(writer)
}

/// Writes `<stem>_repeats.csv` into the run's folder, and tells its path.
///
/// # Errors
/// If it cannot be rendered or written.
pub fn write_repeats(
    folder: &RunFolder,
    stem: &str,
    repeats: &[CellSummary],
) -> Result<PathBuf, ExportError> {
    Ok(folder.write(&format!("{stem}_repeats.csv"), &repeats_csv(repeats)?)?)
}

/// Writes `<stem>.csv`, `<stem>_detail.csv` and `<stem>.hlog` into the run's folder, and tells their paths.
///
/// # Errors
/// If one of them cannot be rendered or written.
pub fn write_numbers(
    folder: &RunFolder,
    stem: &str,
    cells: &[CellSummary],
    facts: &RunFacts,
) -> Result<[PathBuf; 3], ExportError> {
    let intervals: Vec<CellIntervals<'_>> = cells.iter().map(CellSummary::intervals).collect();
    Ok([
        folder.write(&format!("{stem}.csv"), &columns_csv(cells)?)?,
        folder.write(&format!("{stem}_detail.csv"), &detail_csv(cells, facts)?)?,
        folder.write(&format!("{stem}.hlog"), &interval_log(&intervals)?)?,
    ])
}

fn finish(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, ExportError> {
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()).into())
}
