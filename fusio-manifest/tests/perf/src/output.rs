//! Where results go: a folder per run, and files that are written whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use thiserror::Error;

/// Names that are tried for a folder before it is an error.
const FOLDERS_PER_SECOND: u32 = 1_000;

/// A result that could not be written.
#[derive(Debug, Error)]
#[error("cannot write {path}: {source}{remedy}", path = path.display())]
pub struct OutputError {
    /// What was to be written.
    pub path: PathBuf,
    /// Why it could not be.
    pub source: io::Error,
    remedy: &'static str,
}

impl OutputError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "; set PERF_OUT to a directory that you may write to"
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "; free some space, or set PERF_OUT to a directory on another disk"
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                "; a file stands where a directory is needed: set PERF_OUT to another place"
            }
            _ => "",
        };
        Self {
            path: path.to_owned(),
            source,
            remedy,
        }
    }
}

/// The workspace that this crate was built in, or the working directory if it is gone.
pub fn workspace_root() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3);
    match built {
        Some(root) if root.join("Cargo.toml").is_file() => root.to_owned(),
        Some(_) | None => std::env::current_dir().unwrap_or_default(),
    }
}

/// The folder of one run: `<UTC time>-<scenario>-<pid>`, with a number behind it if that is taken.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder below `out`, and points the link `latest` beside it at it.
    ///
    /// # Errors
    /// If `out` cannot be made or written to.
    pub fn create(out: &Path, scenario: &str) -> Result<Self, OutputError> {
        fs::create_dir_all(out).map_err(|source| OutputError::new(out, source))?;
        let path = create_new(out, &format!("{}-{scenario}-{}", now_utc(), process::id()))?;
        point_latest(out, &path)?;
        Ok(Self { path })
    }

    /// The folder of an earlier run below `out`, to go on writing to; `latest` points at it again.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn reopen(out: &Path, path: &Path) -> Result<Self, OutputError> {
        point_latest(out, path)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file `name` in it, whole or not at all, and tells its path.
    ///
    /// # Errors
    /// If the disk is full or the folder is gone; then no file of this name, nor a part of it, is left.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, OutputError> {
        let path = self.path.join(name);
        write_whole(&path, content)?;
        Ok(path)
    }
}

/// No run writes into the folder of another, not even of the same process in the same second.
fn create_new(out: &Path, name: &str) -> Result<PathBuf, OutputError> {
    let mut path = out.join(name);
    for again in 2..=FOLDERS_PER_SECOND {
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = out.join(format!("{name}-{again}"));
            }
            made => {
                return made
                    .map(|()| path.clone())
                    .map_err(|source| OutputError::new(&path, source));
            }
        }
    }
    Err(OutputError::new(&path, io::ErrorKind::AlreadyExists.into()))
}

/// Writes a file whole or not at all: into a temporary file beside it, flushed to disk, then renamed. An older
/// file of this name is replaced at once.
///
/// # Errors
/// If any step fails; the temporary file is removed, an older file is untouched.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), OutputError> {
    let temporary = beside(path);
    let written = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = written {
        // The first error is the one to report; the file may not even exist.
        let _ = fs::remove_file(&temporary);
        return Err(OutputError::new(path, source));
    }
    // A rename is durable once its directory is. Not every file system can flush one, and the file is whole
    // without it.
    if let Some(Ok(directory)) = path.parent().map(File::open) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// Appends to a file, which is made if it is missing.
///
/// # Errors
/// If the file cannot be made or written to.
pub fn append(path: &Path, content: &str) -> Result<(), OutputError> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|source| OutputError::new(path, source))
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A hidden name in the same directory, so that a rename cannot cross file systems, of this call alone.
fn beside(path: &Path) -> PathBuf {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{call}.tmp", process::id()))
}

/// Replaces the link by renaming a new one over it, so that it always points at some run.
#[cfg(unix)]
fn point_latest(out: &Path, folder: &Path) -> Result<(), OutputError> {
    let latest = out.join("latest");
    let temporary = beside(&latest);
    let target = folder.file_name().unwrap_or_default();
    std::os::unix::fs::symlink(target, &temporary)
        .and_then(|()| fs::rename(&temporary, &latest))
        .map_err(|source| {
            let _ = fs::remove_file(&temporary);
            OutputError::new(&latest, source)
        })
}

/// Links need a privilege elsewhere: runs are found by the time in their names.
#[cfg(not(unix))]
fn point_latest(_out: &Path, _folder: &Path) -> Result<(), OutputError> {
    Ok(())
}

/// Now, since the epoch of Unix, by a clock that may jump: for names and for the heads of files.
#[expect(
    clippy::disallowed_methods,
    reason = "tells people when a run was: nothing is measured by it"
)]
pub fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn now_utc() -> String {
    utc_text(unix_now().as_secs())
}

/// `20260131T235959Z`, by the civil calendar: years begin in March, so that the leap day comes last.
fn utc_text(unix_seconds: u64) -> String {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_PER_400_YEARS: u64 = 146_097;
    let (days, second) = (unix_seconds / 86_400 + DAYS_TO_1970, unix_seconds % 86_400);
    let (era, day) = (days / DAYS_PER_400_YEARS, days % DAYS_PER_400_YEARS);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day_of_month:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("manifest-perf-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let out = scratch("replace");
        write_whole(&out.join("a.csv"), b"a longer first content").unwrap();
        write_whole(&out.join("a.csv"), b"second").unwrap();
        assert_eq!(fs::read(out.join("a.csv")).unwrap(), b"second");
        assert_eq!(names(&out), ["a.csv"]);
        fs::remove_dir_all(&out).unwrap();
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_says_where() {
        let out = scratch("failed");
        fs::create_dir(out.join("taken")).unwrap();
        let error = write_whole(&out.join("taken"), b"x").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot write {}", out.join("taken").display()))
        );
        assert_eq!(names(&out), ["taken"]);
        fs::remove_dir_all(&out).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named_with_a_remedy() {
        let out = scratch("file");
        fs::write(out.join("perf"), b"").unwrap();
        let error = RunFolder::create(&out.join("perf"), "test_baseline").unwrap_err();
        assert!(error.to_string().contains("set PERF_OUT"), "{error}");
        fs::remove_dir_all(&out).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn latest_points_at_the_newest_run() {
        let out = scratch("latest");
        let first = RunFolder::create(&out, "test_requests").unwrap();
        RunFolder::create(&out, "test_baseline").unwrap();
        let second = RunFolder::create(&out, "test_baseline").unwrap();
        second.write("x.csv", b"x").unwrap();
        assert_ne!(first.path(), second.path());
        assert_eq!(fs::read(out.join("latest/x.csv")).unwrap(), b"x");
        assert_eq!(names(&out).len(), 4, "{:?}", names(&out));
        fs::remove_dir_all(&out).unwrap();
    }

    #[test]
    fn appending_keeps_what_was_there() {
        let out = scratch("append");
        append(&out.join("summary.md"), "one\n").unwrap();
        append(&out.join("summary.md"), "two\n").unwrap();
        assert_eq!(fs::read_to_string(out.join("summary.md")).unwrap(), "one\ntwo\n");
        fs::remove_dir_all(&out).unwrap();
    }

    #[test]
    fn utc_text_knows_the_calendar() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_767_225_599, "20251231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(utc_text(seconds), text);
        }
    }
}
