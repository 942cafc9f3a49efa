//! The folder of a sweep: what it is, in a sidecar file, and a record of each cell that has ended. Every file is
//! written whole or not at all, so that a run may be killed at any moment and another one go on.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::{RESULT, SIDECAR, STEM, identity::Identity, record::CellRecord};
use crate::{
    export::{ExportError, Fields, fields_csv},
    interval_log::{CellIntervals, interval_log},
    output::{OutputError, RunFolder, write_whole},
};

/// Below the folder, a file a cell.
const CELLS: &str = "cells";

/// What lies where results go.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// The newest sweep of this identity that did not come to its end, and how many of its cells have.
    pub(super) unfinished: Option<(PathBuf, usize)>,
    /// Sweeps of this identity that did.
    pub(super) complete: Vec<PathBuf>,
    /// Unfinished sweeps of another identity, and in what they differ.
    pub(super) others: Vec<(PathBuf, String)>,
}

/// Looks at the sweeps below `out`.
pub(super) fn find(out: &Path, identity: &Identity, labels: &[String], tries_max: u32) -> Found {
    let mut found = Found::default();
    for path in folders(out) {
        let Some(other) = read_json::<Identity>(&path.join(SIDECAR)) else {
            continue;
        };
        let difference = identity.differs(&other);
        let records = read_records(&path, labels);
        let ended = records.iter().filter(|record| record.is_final(tries_max)).count();
        let complete = ended == labels.len() && path.join(RESULT).is_file();
        match difference {
            Some(difference) if !path.join(RESULT).is_file() => found.others.push((path, difference)),
            Some(_) => {}
            None if complete => found.complete.push(path),
            None => found.unfinished = Some((path, ended)),
        }
    }
    found
}

/// The folders below `out`, in the order of their names, which begin with the time.
fn folders(out: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(out) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        // Not `latest`, which is a link to one of them.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// The records in the folder, in the order of the labels. What cannot be read is as good as missing.
pub(super) fn read_records(path: &Path, labels: &[String]) -> Vec<CellRecord> {
    let read = |label: &String| {
        let record = read_json::<CellRecord>(&path.join(CELLS).join(format!("{label}.json")));
        record.filter(|record| record.label == *label)
    };
    labels.iter().filter_map(read).collect()
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Makes the folder that of a sweep. What an earlier run said of it as a whole does not hold any more.
pub(super) fn begin(folder: &RunFolder, identity: &Identity) -> Result<(), OutputError> {
    folder.write(SIDECAR, &json(identity))?;
    let cells = folder.path().join(CELLS);
    let made = fs::create_dir_all(&cells);
    made.map_err(|source| OutputError::new(&cells, source))?;
    let result = folder.path().join(RESULT);
    match fs::remove_file(&result) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OutputError::new(&result, error)),
        _ => Ok(()),
    }
}

/// Keeps what a cell came to, in the place of what an earlier try of it did.
pub(super) fn keep(folder: &RunFolder, record: &CellRecord) -> Result<(), OutputError> {
    let path = folder.path().join(CELLS).join(format!("{}.json", record.label));
    write_whole(&path, &json(record))
}

/// Writes the files of people: a row a cell, in the order of the records.
pub(super) fn write_files(folder: &RunFolder, records: &[CellRecord]) -> Result<Vec<PathBuf>, ExportError> {
    let intervals: Vec<CellIntervals<'_>> = records.iter().map(CellRecord::intervals).collect();
    let rows = |fields: fn(&CellRecord) -> &Fields| fields_csv(records.iter().map(fields));
    Ok(vec![
        folder.write(&format!("{STEM}.csv"), &rows(|record| &record.columns)?)?,
        folder.write(&format!("{STEM}_detail.csv"), &rows(|record| &record.detail)?)?,
        folder.write(
            &format!("{STEM}.hlog"),
            &interval_log(&intervals).map_err(ExportError::from)?,
        )?,
    ])
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Structs of text and numbers are never refused; an empty file would be read as nothing, and done again.
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    text
}
