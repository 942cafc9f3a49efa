//! What a run left in its folder, read back. Nothing here knows a run: a report can be drawn anew years later.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::PlotError;
use crate::{
    faults_timeline::{self, FaultsTimeline},
    soak::Row,
};

mod cell;
mod interval_log;
#[cfg(test)]
pub(super) mod sample;

pub(super) use cell::{Cell, Percentiles};
pub(super) use interval_log::{Interval, Log, Role, Track};

/// Its rows are intervals and no cells.
const SOAK_CSV: &str = "test_soak.csv";
/// The scenario that leaves a timeline of faults.
const UNDER_FAULTS: &str = "test_faults";

/// The files of a run, and what could not be read of them.
#[derive(Debug, Default)]
pub(super) struct RunFiles {
    /// The result line; none if there is no such file.
    pub(super) result: Option<Value>,
    pub(super) cells: Vec<Cell>,
    /// The intervals of a soak; empty of other runs.
    pub(super) soak: Vec<Row>,
    /// The interval logs, merged; empty if there are none.
    pub(super) log: Log,
    /// A run under faults, interval by interval; none of other runs.
    pub(super) timeline: Option<FaultsTimeline>,
    /// What is not there, and so is not drawn. A line each.
    pub(super) missing: Vec<String>,
    /// What is there and cannot be read. A line each.
    pub(super) damaged: Vec<String>,
}

impl RunFiles {
    /// Reads a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, PlotError> {
        let names = names_in(folder)?;
        let ending = |end: &'static str| names.iter().filter(move |name| name.ends_with(end));
        let mut files = Self::default();
        files.read_results(folder, ending(".result.json"));
        // Repeats are measurements of a cell that its own row sums up.
        let beside = |name: &str| {
            let ends = ["_detail.csv", "_repeats.csv", faults_timeline::SUFFIX];
            ends.iter().any(|end| name.ends_with(end))
        };
        let csvs = ending(".csv").filter(|name| !beside(name));
        for name in csvs {
            match name == SOAK_CSV {
                true => files.read_soak(folder, name),
                false => files.read_cells(folder, name),
            }
        }
        for name in ending(".hlog") {
            let read = read_text(&folder.join(name)).and_then(|text| files.log.read(&text));
            if let Err(why) = read {
                files.damaged.push(format!("{name}: {why}"));
            }
        }
        for name in ending(faults_timeline::SUFFIX) {
            match read_text(&folder.join(name)).and_then(|text| FaultsTimeline::parse(&text)) {
                Ok(timeline) => files.timeline = Some(timeline),
                Err(why) => files.damaged.push(format!("{name}: {why}")),
            }
        }
        let empty = files.result.is_none() && files.cells.is_empty();
        let nothing = empty && files.soak.is_empty() && files.timeline.is_none();
        if nothing && files.damaged.is_empty() {
            return Err(PlotError::Nothing(folder.to_owned()));
        }
        files.say_what_is_missing();
        Ok(files)
    }

    fn read_results<'a>(&mut self, folder: &Path, names: impl Iterator<Item = &'a String>) {
        for name in names {
            let read = read_text(&folder.join(name))
                .and_then(|text| serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}")));
            match read {
                Ok(value) if self.result.is_none() => self.result = Some(value),
                // A redrawn report leaves a result of its own; the run's comes first by name, or is the only one.
                Ok(_) => {}
                Err(why) => self.damaged.push(format!("{name}: {why}")),
            }
        }
    }

    fn read_soak(&mut self, folder: &Path, name: &str) {
        match read_text(&folder.join(name)).and_then(|text| soak_rows(&text)) {
            Ok(rows) => self.soak = rows,
            Err(why) => self.damaged.push(format!("{name}: {why}")),
        }
    }

    fn read_cells(&mut self, folder: &Path, name: &str) {
        let stem = name.strip_suffix(".csv").unwrap_or(name);
        let detail_name = format!("{stem}_detail.csv");
        let detail = match fs::exists(folder.join(&detail_name)) {
            Ok(false) => {
                self.missing.push(format!(
                    "{detail_name} is not there: no service times, floor, requests or dollars"
                ));
                BTreeMap::new()
            }
            Ok(true) | Err(_) => {
                let read = read_text(&folder.join(&detail_name)).and_then(|text| cell::read_details(&text));
                read.unwrap_or_else(|why| {
                    self.damaged.push(format!("{detail_name}: {why}"));
                    BTreeMap::new()
                })
            }
        };
        match read_text(&folder.join(name)).and_then(|text| cell::read_cells(&text, detail)) {
            Ok(cells) => self.cells.extend(cells),
            Err(why) => self.damaged.push(format!("{name}: {why}")),
        }
    }

    fn say_what_is_missing(&mut self) {
        let damaged = |end: &str| self.damaged.iter().any(|line| line.contains(end));
        let mut missing = Vec::new();
        if self.result.is_none() && !damaged(".result.json:") {
            missing.push("no .result.json: verdict and reason are not known".to_owned());
        }
        if self.cells.is_empty() && self.soak.is_empty() && !damaged(".csv:") {
            missing.push("no CSV: this scenario measures no cell, so there is nothing to plot".to_owned());
        }
        if self.log.is_empty() && !damaged(".hlog:") && !self.cells.is_empty() {
            missing.push("no .hlog: no percentile curves and no timeline".to_owned());
        }
        let of_faults = self.text("scenario") == Some(UNDER_FAULTS);
        if of_faults && self.timeline.is_none() && !damaged(faults_timeline::SUFFIX) {
            let name = format!("{UNDER_FAULTS}{}", faults_timeline::SUFFIX);
            missing.push(format!(
                "{name} is not there: no picture of the faults and the recovery"
            ));
        }
        self.missing.append(&mut missing);
    }

    /// A field of the result line.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.result.as_ref()?.get(name)
    }

    /// A field of the result line that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.field(name)?.as_str()
    }

    /// A column of the details that is the same for all cells, if it is known.
    pub(super) fn detail(&self, name: &str) -> Option<&str> {
        self.cells.first()?.detail(name)
    }
}

fn soak_rows(text: &str) -> Result<Vec<Row>, String> {
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
    let rows: Result<Vec<Row>, csv::Error> = rows.collect();
    let rows =
        rows.map_err(|error| format!("not a CSV of intervals: {}", error.to_string().replace('\n', " ")))?;
    match rows.is_empty() {
        true => Err("it has no row".to_owned()),
        false => Ok(rows),
    }
}

fn names_in(folder: &Path) -> Result<Vec<String>, PlotError> {
    let failed = |source: io::Error| PlotError::Folder {
        path: folder.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // What is still being written has a name that begins with a dot.
        names.extend(name.into_string().ok().filter(|name| !name.starts_with('.')));
    }
    names.sort();
    Ok(names)
}

fn read_text(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{sample::folder, *};

    fn lines(files: &RunFiles) -> (Vec<&str>, Vec<&str>) {
        let [missing, damaged] =
            [&files.missing, &files.damaged].map(|lines| lines.iter().map(String::as_str).collect());
        (missing, damaged)
    }

    #[test]
    fn a_whole_folder_is_read_without_a_word() {
        let folder = folder("whole", &sample::sweep());
        let files = RunFiles::read(&folder).unwrap();
        assert_eq!(lines(&files), (vec![], vec![]));
        assert_eq!(files.cells.len(), 6);
        assert_eq!(files.text("verdict"), Some("pass"));
        assert_eq!(files.detail("seed"), Some("42"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn each_file_that_is_missing_is_a_line() {
        let mut left = sample::sweep();
        left.retain(|(name, _)| name == "comprehensive_sweep_v2.csv");
        let folder = folder("missing", &left);
        let files = RunFiles::read(&folder).unwrap();
        let (missing, damaged) = lines(&files);
        assert_eq!(missing.len(), 3, "{missing:?}");
        assert!(damaged.is_empty(), "{damaged:?}");
        assert_eq!(files.cells.len(), 6);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn each_file_that_is_damaged_is_a_line_and_the_others_are_read() {
        for damage in [
            (
                "comprehensive_sweep_v2.csv",
                &b"config_label,num_writers\nw1,x\n"[..],
                0,
            ),
            ("comprehensive_sweep_v2.csv", b"\xff\xfe", 0),
            ("comprehensive_sweep_v2_detail.csv", b"a,b\n1\n", 6),
            (
                "comprehensive_sweep_v2.hlog",
                b"Tag=w1_r0.1-writer-committed,0.0,1.0,2.0,notbase64!\n",
                6,
            ),
            ("comprehensive_sweep_v2.hlog", b"nonsense", 6),
            ("test_comprehensive_sweep.result.json", b"{\"verdict\":", 6),
        ] {
            let (name, content, cells) = damage;
            let mut left = sample::sweep();
            left.retain(|(kept, _)| kept != name);
            left.push((name.to_owned(), content.to_vec()));
            let folder = folder("damaged", &left);
            let files = RunFiles::read(&folder).unwrap();
            let (missing, damaged) = lines(&files);
            assert_eq!(damaged.len(), 1, "{name}: {damaged:?} {missing:?}");
            assert!(damaged[0].starts_with(name), "{damaged:?}");
            assert!(!damaged[0].contains('\n'), "{damaged:?}");
            assert!(missing.is_empty(), "{name}: {missing:?}");
            assert_eq!(files.cells.len(), cells, "{name}");
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn a_timeline_of_faults_that_is_missing_or_damaged_is_named() {
        let whole = sample::faults();
        let name = "test_faults_timeline.csv";
        let text = sample::faults_timeline();
        for (content, missing_line, damaged_line) in [
            (Some(text), "", ""),
            (None, "test_faults_timeline.csv is not there: no picture", ""),
            (
                Some("what,name\n"),
                "",
                "test_faults_timeline.csv: it does not say how long",
            ),
            (
                text.get(..text.len() / 2),
                "",
                "test_faults_timeline.csv: not a timeline of faults: ",
            ),
        ] {
            let mut left = whole.clone();
            left.retain(|(kept, _)| kept != name);
            left.extend(content.map(|content| (name.to_owned(), content.as_bytes().to_vec())));
            let folder = folder("faults", &left);
            let files = RunFiles::read(&folder).unwrap();
            let (missing, damaged) = lines(&files);
            for (lines, line) in [(missing, missing_line), (damaged, damaged_line)] {
                match line {
                    "" => assert!(lines.is_empty(), "{lines:?}"),
                    line => assert!(lines.len() == 1 && lines[0].starts_with(line), "{lines:?}"),
                }
            }
            assert_eq!(files.cells.len(), 1);
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn a_timeline_of_faults_alone_is_drawn() {
        let mut left = sample::faults();
        left.retain(|(name, _)| name == "test_faults_timeline.csv");
        let folder = folder("faults-alone", &left);
        assert!(RunFiles::read(&folder).unwrap().timeline.is_some());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_of_something_else_is_refused_in_one_line() {
        let folder = folder("else", &[("notes.txt".to_owned(), b"x".to_vec())]);
        let error = RunFiles::read(&folder).unwrap_err().to_string();
        assert!(error.contains("holds no run") && !error.contains('\n'), "{error}");
        fs::remove_dir_all(&folder).unwrap();
        let error = RunFiles::read(&folder).unwrap_err().to_string();
        assert!(error.starts_with("cannot read "), "{error}");
    }
}
