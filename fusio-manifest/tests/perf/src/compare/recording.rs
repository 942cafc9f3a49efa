//! A run that was written to files, and whether another one may be held against it.

use std::collections::BTreeMap;

use csv::StringRecord;

use super::{Row, RowDetail, metric::Floor};
use crate::{
    config::{WorkloadConfig, create_config_label},
    latency::LatencyProfile,
    settings::Settings,
    summary::{Columns, LogErrors},
};

/// The column of a repeat's number, before the 26 of the CSV.
pub const REPEAT: &str = "repeat";

/// What an earlier run left.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Where it lies, as people read it.
    pub name: String,
    /// Its cells.
    pub rows: Vec<Row>,
    /// What it ran on; none if no details lie beside it.
    pub facts: Option<Facts>,
    /// The same cell measured again and again, if it was recorded so.
    pub repeats: Vec<Columns>,
}

/// What a run ran on, as its details have it. What an older version did not write is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    store: Option<String>,
    endpoint: Option<String>,
    latency: Option<String>,
    faults: Option<String>,
    writer_kind: Option<String>,
    arrivals: Option<String>,
    /// What it came to.
    pub verdict: Option<String>,
    /// The revision that ran.
    pub revision: Option<String>,
    /// The processor.
    pub cpu_model: Option<String>,
    /// The share of processor time that a hypervisor took, as the file has it.
    pub steal_share: Option<String>,
}

/// What a run is about to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Its cells.
    pub cells: Vec<WorkloadConfig>,
    /// Whether a schedule offers the load. Else rates and duration are results.
    pub open_loop: bool,
    /// What it runs on.
    pub facts: Facts,
}

impl Expected {
    /// These cells with these settings.
    pub fn new(cells: Vec<WorkloadConfig>, open_loop: bool, settings: &Settings) -> Self {
        let text = |text: &str| Some(text.to_owned());
        Self {
            cells,
            open_loop,
            facts: Facts {
                store: text(settings.store.name()),
                endpoint: settings.store.endpoint_kind().map(str::to_owned),
                latency: settings.latency().map(str::to_owned),
                faults: settings.store.faults().map(str::to_owned),
                writer_kind: text(settings.writer_kind.as_str()),
                arrivals: text(settings.arrivals.as_str()),
                ..Facts::default()
            },
        }
    }
}

impl Recording {
    /// Reads a run back from its CSV, and from its details and its repeats if they lie beside it.
    ///
    /// # Errors
    ///
    /// One line: what is wrong with which of them.
    pub fn parse(name: &str, csv: &str, detail: Option<&str>, repeats: Option<&str>) -> Result<Self, String> {
        let columns = rows_of(name, csv, &[])?;
        if columns.is_empty() {
            return Err(format!("{name} has no rows"));
        }
        let details = detail.map(|text| details_of(name, text)).transpose()?;
        let repeats = repeats
            .map(|text| rows_of(&format!("the repeats beside {name}"), text, &[REPEAT]))
            .transpose()?;
        let mut facts = None;
        let rows = columns
            .into_iter()
            .map(|columns| {
                let detail = details.as_ref().and_then(|all| all.get(&columns.config_label));
                if let Some((_, of_run)) = detail {
                    facts.get_or_insert_with(|| of_run.clone());
                }
                Row {
                    columns,
                    detail: detail.map(|(detail, _)| detail.clone()),
                }
            })
            .collect();
        Ok(Self {
            name: name.to_owned(),
            rows,
            facts,
            repeats: repeats.unwrap_or_default(),
        })
    }

    /// Whether the run that is about to begin may be held against this one.
    ///
    /// # Errors
    ///
    /// One line: what is different.
    pub fn check(&self, expected: &Expected) -> Result<(), String> {
        let name = &self.name;
        if let Some(facts) = &self.facts {
            facts
                .check(&expected.facts)
                .map_err(|what| format!("{name} {what}"))?;
        }
        let [only] = expected.cells.as_slice() else {
            return expected.cells.iter().try_for_each(|cell| self.check_cell(cell));
        };
        match (expected.open_loop, self.rows.as_slice()) {
            (true, _) => self.check_cell(only),
            (false, [row]) => {
                let clients = (row.columns.num_writers, row.columns.num_readers);
                if clients == (only.num_writers, only.num_readers) {
                    return Ok(());
                }
                let (writers, readers) = clients;
                Err(format!(
                    "{name} is of {writers} writers and {readers} readers, not of this scenario"
                ))
            }
            (false, rows) => Err(format!(
                "{name} has {} rows, not the one of this scenario",
                rows.len()
            )),
        }
    }

    fn check_cell(&self, cell: &WorkloadConfig) -> Result<(), String> {
        let (name, label) = (&self.name, create_config_label(cell));
        // A row of several repeats is as long as all of them together.
        let repeated = self.repeats.iter().find(|columns| columns.config_label == label);
        let row = self.rows.iter().map(|row| &row.columns);
        let row = repeated.or_else(|| row.into_iter().find(|columns| columns.config_label == label));
        let Some(columns) = row else {
            let labels: Vec<_> = self
                .rows
                .iter()
                .take(4)
                .map(|row| row.columns.config_label.as_str())
                .collect();
            return Err(format!(
                "{name} is of another configuration: it has {}, not {label}",
                labels.join(", ")
            ));
        };
        let seconds = cell.duration.as_secs_f64();
        if (columns.duration / seconds - 1.0).abs() > 0.01 {
            return Err(format!(
                "{name} is of another configuration: {label} lasted {} s, not {seconds} s",
                columns.duration
            ));
        }
        Ok(())
    }
}

impl Facts {
    #[cfg(test)]
    pub(crate) fn of_store(store: &str) -> Self {
        Self {
            store: Some(store.to_owned()),
            ..Self::default()
        }
    }

    /// Whether two runs ran on the same. What one of them does not tell is not held against it.
    ///
    /// # Errors
    ///
    /// What is different, as the end of a sentence about the earlier one.
    pub fn check(&self, now: &Self) -> Result<(), String> {
        let told = |what: &str, old: Option<&String>, new: Option<&String>, may_be_missing: bool| {
            let [before, after] = [old, new].map(|text| text.map_or("none", String::as_str));
            if before == after || (may_be_missing && old.is_none()) {
                Ok(())
            } else {
                Err(format!("was measured with {what} {before}, this run has {after}"))
            }
        };
        told("the store", self.store.as_ref(), now.store.as_ref(), true)?;
        told(
            "the endpoint",
            self.endpoint.as_ref(),
            now.endpoint.as_ref(),
            true,
        )?;
        if !same_latency(self.latency.as_deref(), now.latency.as_deref()) {
            told("the latency", self.latency.as_ref(), now.latency.as_ref(), false)?;
        }
        told("the faults", self.faults.as_ref(), now.faults.as_ref(), false)?;
        told(
            "the client",
            self.writer_kind.as_ref(),
            now.writer_kind.as_ref(),
            true,
        )?;
        told("arrivals", self.arrivals.as_ref(), now.arrivals.as_ref(), true)
    }

    /// True if things were broken on purpose.
    pub fn has_faults(&self) -> bool {
        self.faults.is_some()
    }

    /// The latency profile; none for a real store.
    pub fn latency(&self) -> Option<&str> {
        self.latency.as_deref()
    }

    /// `embedded`, `s3` or `simulated`.
    pub fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }
}

/// Different texts may mean the same profile.
fn same_latency(old: Option<&str>, new: Option<&str>) -> bool {
    let read = |text: Option<&str>| text.map(str::parse::<LatencyProfile>);
    match (read(old), read(new)) {
        (None, None) => true,
        (Some(Ok(old)), Some(Ok(new))) => old == new,
        _ => false,
    }
}

/// Rows of the 26 columns, behind those of `before`.
fn rows_of(name: &str, text: &str, before: &[&str]) -> Result<Vec<Columns>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader
        .headers()
        .map_err(|error| format!("{name} is no CSV: {}", one_line(&error)))?
        .clone();
    check_header(&header, before).map_err(|why| format!("{name} is not a CSV of this harness: {why}"))?;
    let mut rows = Vec::new();
    for (place, record) in reader.records().enumerate() {
        let bad = |error: csv::Error| format!("{name}, row {}: {}", place + 1, one_line(&error));
        let columns: Columns = record.map_err(bad)?.deserialize(Some(&header)).map_err(bad)?;
        let positive = columns.duration > 0.0 && columns.duration.is_finite();
        if !positive {
            return Err(format!(
                "{name}, row {}: a duration of {}",
                place + 1,
                columns.duration
            ));
        }
        rows.push(columns);
    }
    Ok(rows)
}

fn check_header(header: &StringRecord, before: &[&str]) -> Result<(), String> {
    let wanted: Vec<&str> = before.iter().copied().chain(Columns::NAMES).collect();
    if header.len() != wanted.len() {
        return Err(format!("it has {} columns, not {}", header.len(), wanted.len()));
    }
    let differs = header
        .iter()
        .zip(&wanted)
        .position(|(name, wanted)| name != *wanted);
    match differs.and_then(|place| Some((place, header.get(place)?, wanted.get(place)?))) {
        Some((place, name, wanted)) => Err(format!("column {} is {name:?}, not {wanted:?}", place + 1)),
        None => Ok(()),
    }
}

fn one_line(error: &csv::Error) -> String {
    error.to_string().replace(['\n', '\r'], " ")
}

/// What is needed of the details, by label.
fn details_of(name: &str, text: &str) -> Result<BTreeMap<String, (RowDetail, Facts)>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let bad = |error: &csv::Error| format!("the details beside {name}: {}", one_line(error));
    let header = reader.headers().map_err(|error| bad(&error))?.clone();
    let mut all = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| bad(&error))?;
        let field = |column: &str| {
            let place = header.iter().position(|name| name == column)?;
            record.get(place).filter(|text| !text.is_empty())
        };
        let text = |column: &str| field(column).map(str::to_owned);
        let number = |column: &str| {
            field(column)?
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
        };
        let errors = |role: &str| LogErrors {
            p50: number(&format!("{role}_response_p50_log_error")),
            p95: number(&format!("{role}_response_p95_log_error")),
            p99: number(&format!("{role}_response_p99_log_error")),
        };
        let floor = |of: &str| Floor {
            p50_ms: number(&format!("{of}_p50_ms")),
            p95_ms: number(&format!("{of}_p95_ms")),
            p99_ms: number(&format!("{of}_p99_ms")),
        };
        let Some(label) = text("config_label") else {
            return Err(format!("the details beside {name} have no config_label"));
        };
        let detail = RowDetail {
            valid: field("valid") != Some("false"),
            write_log_errors: errors("write"),
            read_log_errors: errors("read"),
            requests_per_commit_path: number("requests_per_commit_path"),
            requests_per_commit_total: number("requests_per_commit_total"),
            requests_per_read: number("requests_per_read"),
            floor_put: floor("floor_put"),
            floor_get: floor("floor_get"),
            dollars_per_commit: number("dollars_per_commit"),
            dollars_per_read: number("dollars_per_read"),
        };
        let facts = Facts {
            store: text("store"),
            endpoint: text("endpoint"),
            latency: text("latency"),
            faults: text("faults"),
            writer_kind: text("writer_kind"),
            arrivals: text("arrivals"),
            verdict: text("verdict"),
            revision: text("revision"),
            cpu_model: text("cpu_model"),
            steal_share: text("steal_share"),
        };
        all.insert(label, (detail, facts));
    }
    Ok(all)
}
