//! Reading back what an earlier run wrote.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::compare::Recording;

/// Where what belongs to a CSV lies: `<stem>_<what>.csv` beside it.
pub(super) fn beside(csv: &Path, what: &str) -> PathBuf {
    let stem = csv.file_stem().unwrap_or_default().to_string_lossy();
    csv.with_file_name(format!("{stem}_{what}.csv"))
}

/// Reads the run that wrote this CSV, with the details and the repeats beside it.
///
/// # Errors
///
/// One line: which file cannot be read or is not one of this harness, and why.
pub fn read_recording(csv: &Path) -> Result<Recording, String> {
    let name = csv.display().to_string();
    let text = read(csv)?.ok_or_else(|| format!("{name} is not there"))?;
    let (detail, repeats) = (read(&beside(csv, "detail"))?, read(&beside(csv, "repeats"))?);
    Recording::parse(&name, &text, detail.as_deref(), repeats.as_deref())
}

/// The text of a file; none if there is none.
fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}
