//! The report of a run and its plots, drawn from the files in its folder alone: any can be drawn anew, years later.
//!
//! A folder holds the CSV of its cells, the details beside it, the result line as JSON, and interval logs. What is
//! missing is not drawn and said; what is damaged is said, and the rest is drawn. Nothing here reads a clock, so that
//! the same files give the same bytes.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::output::{OutputError, write_whole};

mod figure;
mod figures;
mod files;
pub mod nights;
mod page;
mod scale;
mod style;
mod svg;

use figures::Figures;
use files::RunFiles;

/// The report's file.
pub const REPORT: &str = "report.html";

/// The CSV by which a folder with a sweep is known.
pub const SWEEP_CSV: &str = "comprehensive_sweep_v2.csv";

/// Results that could not be drawn. One line.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The folder could not be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why it could not be.
        source: io::Error,
    },
    /// There is neither a result nor a CSV of cells.
    #[error("{path} holds no run: neither a .result.json nor a CSV of cells", path = .0.display())]
    Nothing(PathBuf),
    /// No folder of a run has a sweep.
    #[error(
        "no run below {path} has a {SWEEP_CSV}: run test_comprehensive_sweep, or set PERF_OUT to the folder of a run",
        path = .0.display()
    )]
    NoSweep(PathBuf),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] OutputError),
}

/// What was drawn.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Of which run.
    pub run: DrawnRun,
    /// The report, and each plot.
    pub files: Vec<PathBuf>,
    /// What is not there, and so is not drawn. A line each.
    pub missing: Vec<String>,
    /// What is there and could not be read. A line each.
    pub damaged: Vec<String>,
}

/// The run that was drawn, as its files name it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DrawnRun {
    /// `embedded`, `s3` or `simulated`.
    pub store: Option<String>,
    /// The latency profile; none for a real store.
    pub latency: Option<String>,
    /// The seed.
    pub seed: Option<u64>,
}

/// Draws the report and the plots of the run in `folder`, into it.
///
/// # Errors
/// If the folder holds no run, or cannot be read or written to.
pub fn draw(folder: &Path) -> Result<Drawn, PlotError> {
    let run = RunFiles::read(folder)?;
    let figures = Figures::of(&run);
    let mut files = Vec::new();
    let mut write = |name: &str, text: &str| -> Result<(), OutputError> {
        let path = folder.join(name);
        write_whole(&path, text.as_bytes())?;
        files.push(path);
        Ok(())
    };
    write(REPORT, &page::page(&run, &figures))?;
    for figure in figures.all() {
        write(&figure.file_name(), &figure.standalone())?;
    }
    let text = |name: &str| run.text(name).or(run.detail(name)).map(str::to_owned);
    Ok(Drawn {
        run: DrawnRun {
            store: text("store"),
            latency: text("latency"),
            seed: run.field("seed").and_then(serde_json::Value::as_u64),
        },
        files,
        missing: run.missing,
        damaged: run.damaged,
    })
}

/// The folder to draw: `out` itself if it is the folder of a run (or a CSV in one), else the newest below it with a
/// sweep.
///
/// # Errors
/// If there is none, or `out` cannot be read.
pub fn folder_to_draw(out: &Path) -> Result<PathBuf, PlotError> {
    let failed = |source| PlotError::Folder {
        path: out.to_owned(),
        source,
    };
    if out.is_file() {
        return Ok(out.parent().unwrap_or(out).to_owned());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(out).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name());
    }
    let is_result = |name: &str| name.ends_with(".result.json") || name.ends_with(".csv");
    if names.iter().any(|name| name.to_str().is_some_and(is_result)) {
        return Ok(out.to_owned());
    }
    // A folder's name begins with the time of its run. `latest` is a link to one of them.
    names.sort();
    let folders = names.iter().rev().map(|name| out.join(name));
    folders
        .into_iter()
        .find(|folder| !folder.is_symlink() && folder.join(SWEEP_CSV).is_file())
        .ok_or_else(|| PlotError::NoSweep(out.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        files::sample::{baseline, folder, sweep},
        *,
    };

    fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read(path).unwrap())
            })
            .collect()
    }

    #[test]
    fn the_same_files_give_the_same_bytes_also_when_drawn_again() {
        let (one, other) = (folder("one", &sweep()), folder("other", &sweep()));
        let drawn = draw(&one).unwrap();
        draw(&other).unwrap();
        draw(&other).unwrap();
        assert_eq!(contents(&one), contents(&other));
        assert_eq!(drawn.files.len(), 1 + 30);
        assert!(drawn.files.iter().all(|path| path.is_file()));
        assert_eq!((drawn.missing, drawn.damaged), (vec![], vec![]));
        assert_eq!(
            (drawn.run.store.as_deref(), drawn.run.seed),
            (Some("embedded"), Some(42))
        );
        for folder in [one, other] {
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn the_newest_folder_with_a_sweep_is_drawn_or_the_one_that_is_named() {
        let out = folder("newest", &[]);
        let place = |name: &str, files: &[(String, Vec<u8>)]| {
            let path = out.join(name);
            fs::create_dir_all(&path).unwrap();
            for (name, content) in files {
                fs::write(path.join(name), content).unwrap();
            }
            path
        };
        place("20260101T000000Z-test_comprehensive_sweep-1", &sweep());
        let error = folder_to_draw(&out.join("nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read "), "{error}");
        let newest = place("20260102T000000Z-test_comprehensive_sweep-1", &sweep());
        let later = place("20260103T000000Z-test_baseline-1", &baseline());
        assert_eq!(folder_to_draw(&out).unwrap(), newest);
        assert_eq!(folder_to_draw(&later).unwrap(), later);
        assert_eq!(folder_to_draw(&later.join("test_baseline.csv")).unwrap(), later);
        fs::remove_dir_all(&newest).unwrap();
        fs::remove_dir_all(out.join("20260101T000000Z-test_comprehensive_sweep-1")).unwrap();
        let error = folder_to_draw(&out).unwrap_err().to_string();
        assert!(error.contains("run test_comprehensive_sweep"), "{error}");
        fs::remove_dir_all(out).unwrap();
    }
}
