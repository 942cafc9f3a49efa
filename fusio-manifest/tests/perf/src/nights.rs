//! What the nights of a store came to: a row a night and store, kept for years. Pure: whoever calls it reads and
//! writes the files.
//!
//! A night measures the baseline several times and the sweep once. Its row has the medians of the repeats;
//! [`judge`] holds a night against the last one that passed, and takes from the rows how much nights differ anyway.

use std::{cmp::Ordering, fmt::Write as _};

use serde::{Deserialize, Serialize};
use time::{Date, Month};

use crate::{
    compare::{Metric, Percentile, Recording, Row},
    statistics::ranks::median,
};

pub mod judge;
#[cfg(test)]
mod tests;

/// A night on a store: a row of the history.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Night {
    /// The day on which it began, UTC, as 2026-01-31.
    pub night: String,
    /// What the store is called: `embedded`, `seaweedfs`, `aws`.
    pub store: String,
    /// The latency profile; none for a real store.
    pub latency: Option<String>,
    /// The load of the baseline: its label and seconds.
    pub load: Option<String>,
    /// The revision that ran.
    pub revision: Option<String>,
    /// `pass` or `fail`.
    pub verdict: String,
    /// Why it failed; one line.
    pub reason: Option<String>,
    /// Repeats of the baseline that left their numbers.
    pub repeats: usize,
    /// Medians of the repeats from here on. Response times of commits, ms.
    pub write_p50_ms: Option<f64>,
    /// The same.
    pub write_p99_ms: Option<f64>,
    /// Response times of fresh reads, ms.
    pub read_p50_ms: Option<f64>,
    /// The same.
    pub read_p99_ms: Option<f64>,
    /// Bare conditional PUTs, ms.
    pub floor_put_p50_ms: Option<f64>,
    /// Bare conditional GETs, ms.
    pub floor_get_p50_ms: Option<f64>,
    /// Commits / bare PUTs of the same repeat.
    pub write_p50_of_floor: Option<f64>,
    /// The same.
    pub write_p99_of_floor: Option<f64>,
    /// Reads / bare GETs of the same repeat.
    pub read_p50_of_floor: Option<f64>,
    /// The same.
    pub read_p99_of_floor: Option<f64>,
    /// Requests that a caller waited for / commits.
    pub requests_per_commit: Option<f64>,
    /// The same with maintenance.
    pub requests_per_commit_total: Option<f64>,
    /// Requests / reads.
    pub requests_per_read: Option<f64>,
    /// Dollars a commit.
    pub dollars_per_commit: Option<f64>,
    /// Dollars a read.
    pub dollars_per_read: Option<f64>,
    /// Cells of the sweep.
    pub sweep_cells: usize,
    /// Those whose load was offered as configured.
    pub sweep_valid_cells: usize,
    /// The largest share of its attempts that a cell of the sweep lost.
    pub sweep_conflict_rate_max: Option<f64>,
    /// The processor.
    pub cpu_model: Option<String>,
    /// The largest share of processor time that a hypervisor took.
    pub steal_share: Option<f64>,
}

impl Night {
    /// The row of a night from what it measured.
    pub fn of(night: &str, store: &str, baseline: &[Recording], sweep: Option<&Recording>) -> Self {
        let rows: Vec<&Row> = baseline.iter().filter_map(|run| run.rows.first()).collect();
        let middle = |of: &dyn Fn(&Row) -> Option<f64>| {
            let values: Vec<f64> = rows.iter().filter_map(|row| of(row)).collect();
            median(&values)
        };
        let metric = |metric: Metric| middle(&|row| metric.value(row));
        let all = || baseline.iter().chain(sweep).filter_map(|run| run.facts.as_ref());
        let cells = sweep.map(|run| run.rows.as_slice()).unwrap_or_default();
        let is_valid = |row: &&Row| row.detail.as_ref().is_some_and(|detail| detail.valid);
        let conflict_rates = cells.iter().map(|row| row.columns.precondition_failure_rate);
        let steal = all().filter_map(|facts| facts.steal_share.as_ref()?.parse().ok());
        Self {
            night: night.to_owned(),
            store: store.to_owned(),
            latency: all().find_map(|facts| facts.latency().map(str::to_owned)),
            load: rows.first().map(|row| load_of(row)),
            revision: all().find_map(|facts| facts.revision.clone()),
            verdict: "pass".to_owned(),
            reason: None,
            repeats: rows.len(),
            write_p50_ms: metric(Metric::Write(Percentile::P50)),
            write_p99_ms: metric(Metric::Write(Percentile::P99)),
            read_p50_ms: metric(Metric::Read(Percentile::P50)),
            read_p99_ms: metric(Metric::Read(Percentile::P99)),
            floor_put_p50_ms: middle(&|row| row.detail.as_ref()?.floor_put.p50_ms),
            floor_get_p50_ms: middle(&|row| row.detail.as_ref()?.floor_get.p50_ms),
            write_p50_of_floor: metric(Metric::WriteOfFloor(Percentile::P50)),
            write_p99_of_floor: metric(Metric::WriteOfFloor(Percentile::P99)),
            read_p50_of_floor: metric(Metric::ReadOfFloor(Percentile::P50)),
            read_p99_of_floor: metric(Metric::ReadOfFloor(Percentile::P99)),
            requests_per_commit: metric(Metric::RequestsPerCommit),
            requests_per_commit_total: metric(Metric::RequestsPerCommitTotal),
            requests_per_read: metric(Metric::RequestsPerRead),
            dollars_per_commit: middle(&|row| row.detail.as_ref()?.dollars_per_commit),
            dollars_per_read: middle(&|row| row.detail.as_ref()?.dollars_per_read),
            sweep_cells: cells.len(),
            sweep_valid_cells: cells.iter().filter(is_valid).count(),
            sweep_conflict_rate_max: conflict_rates.reduce(f64::max),
            cpu_model: all().find_map(|facts| facts.cpu_model.clone()),
            steal_share: steal.reduce(f64::max),
        }
    }

    /// The same night, failed for these reasons if there are any.
    #[must_use]
    pub fn failed(mut self, reasons: &[String]) -> Self {
        if !reasons.is_empty() {
            self.verdict = "fail".to_owned();
            self.reason = Some(reasons.join("; ").replace(['\n', '\r'], " "));
        }
        self
    }

    /// True if nothing was wrong with it.
    pub fn passed(&self) -> bool {
        self.verdict == "pass"
    }

    /// The day, if it is one.
    ///
    /// # Errors
    ///
    /// One line: what the text should have been.
    pub fn date(&self) -> Result<Date, String> {
        date(&self.night)
    }

    /// True if both measured the same load on the same kind of store.
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |night: &Self| (night.store.clone(), night.latency.clone(), night.load.clone());
        of(self) == of(other)
    }

    fn check(&self) -> Result<(), String> {
        self.date()?;
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if self.store.is_empty() || !self.store.chars().all(named) {
            return Err(format!("store {:?}, allowed: a-z, 0-9, - and _", self.store));
        }
        if !matches!(self.verdict.as_str(), "pass" | "fail") {
            return Err(format!("verdict {:?}, allowed: pass, fail", self.verdict));
        }
        Ok(())
    }

    fn key(&self) -> (&str, &str) {
        (&self.night, &self.store)
    }
}

fn load_of(row: &Row) -> String {
    format!("{} {}s", row.columns.config_label, row.columns.duration.round())
}

/// A day written as 2026-01-31.
fn date(text: &str) -> Result<Date, String> {
    let wrong = || format!("night {text:?} is not a day such as 2026-01-31");
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return Err(wrong());
    };
    if [year.len(), month.len(), day.len()] != [4, 2, 2] {
        return Err(wrong());
    }
    let month = month
        .parse::<u8>()
        .ok()
        .and_then(|month| Month::try_from(month).ok());
    let (Ok(year), Some(month), Ok(day)) = (year.parse(), month, day.parse()) else {
        return Err(wrong());
    };
    Date::from_calendar_date(year, month, day).map_err(|_| wrong())
}

/// Reads rows back.
///
/// # Errors
///
/// One line: which row of `name` is wrong, and how.
pub fn parse(name: &str, text: &str) -> Result<Vec<Night>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    check_header(&mut reader).map_err(|why| format!("{name} is not a history of nights: {why}"))?;
    let mut nights: Vec<Night> = Vec::new();
    for (place, row) in reader.deserialize::<Night>().enumerate() {
        let wrong = |why: String| format!("{name}, row {}: {}", place + 1, why.replace(['\n', '\r'], " "));
        let night = row.map_err(|error| wrong(error.to_string()))?;
        night.check().map_err(wrong)?;
        if nights.iter().any(|other| other.key() == night.key()) {
            return Err(wrong(format!("{} of {} a second time", night.night, night.store)));
        }
        nights.push(night);
    }
    Ok(nights)
}

/// The columns must be those of a row, of which an older version may lack the last ones.
fn check_header(reader: &mut csv::Reader<&[u8]>) -> Result<(), String> {
    let header = reader.headers().map_err(|error| error.to_string())?;
    let known = write(&[Night::default()])?;
    let known: Vec<&str> = known.lines().next().unwrap_or_default().split(',').collect();
    let wrong = header
        .iter()
        .enumerate()
        .find(|(place, name)| known.get(*place) != Some(name));
    match wrong {
        Some((place, name)) => Err(format!("column {} is {name:?}", place + 1)),
        None => Ok(()),
    }
}

/// Writes rows, by day and store.
///
/// # Errors
///
/// One line: what cannot be written as CSV.
pub fn write(nights: &[Night]) -> Result<String, String> {
    let told = |error: &dyn std::fmt::Display| format!("the history cannot be written: {error}");
    let mut sorted: Vec<&Night> = nights.iter().collect();
    sorted.sort_by(|one, other| one.key().cmp(&other.key()));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for night in sorted {
        writer.serialize(night).map_err(|error| told(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| told(&error))?;
    String::from_utf8(bytes).map_err(|error| told(&error))
}

/// Adds a night. A second row of the same night and store is refused unless it is to replace the first.
///
/// # Errors
///
/// One line that names the night which is there already.
pub fn add(nights: &mut Vec<Night>, night: Night, replace: bool) -> Result<(), String> {
    night.check()?;
    match nights.iter_mut().find(|other| other.key() == night.key()) {
        Some(other) if replace => *other = night,
        Some(other) => {
            return Err(format!(
                "the history has the night {} of {} already: ask for it to be replaced, or leave it",
                other.night, other.store
            ));
        }
        None => nights.push(night),
    }
    Ok(())
}

/// What a night came to, in a line.
pub fn line(night: &Night) -> String {
    let mut text = format!("{} {}: {}", night.night, night.store, night.verdict);
    if let Some(reason) = &night.reason {
        // Writing to a String cannot fail.
        let _ = write!(text, " ({reason})");
    }
    text
}

/// Earlier nights like this one, oldest first.
pub(crate) fn before<'a>(nights: &'a [Night], night: &Night) -> Vec<&'a Night> {
    let earlier = |other: &&Night| other.is_like(night) && other.night.cmp(&night.night) == Ordering::Less;
    let mut found: Vec<&Night> = nights.iter().filter(earlier).collect();
    found.sort_by(|one, other| one.night.cmp(&other.night));
    found
}
