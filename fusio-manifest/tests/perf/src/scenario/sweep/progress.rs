//! How far a sweep is: which cells have ended, which are to be run next, and what went wrong.

use std::{path::PathBuf, time::Duration};

use super::{
    super::{Context, baseline::tries},
    AGAIN_AT_ONCE, folder,
    identity::Identity,
    labels,
    record::CellRecord,
    wave::Planned,
};
use crate::{
    config::WorkloadConfig, price::PriceTable, requests::RequestCounts, result::SweepFields,
    s3::accounting::report_counts,
};

/// A sweep under way.
pub(super) struct Sweep {
    configs: Vec<WorkloadConfig>,
    /// Those of all its cells, in their order.
    pub(super) labels: Vec<String>,
    /// The cells that have ended, in the order of the labels.
    pub(super) records: Vec<CellRecord>,
    /// What an earlier run had ended.
    resumed: usize,
    tries_max: u32,
    /// What its cells have sent in this run.
    pub(super) sent: RequestCounts,
    /// Evidence.
    pub(super) files: Vec<PathBuf>,
    pub(super) counterexamples: Vec<String>,
    /// How long the checkers took, on the wall.
    pub(super) checking: Duration,
    /// The CSVs.
    pub(super) written: Vec<PathBuf>,
    /// What went wrong besides the checks of cells that have ended.
    troubles: Vec<String>,
    stuck: bool,
}

impl Sweep {
    /// Begins it, or goes on with it, in the folder of the run.
    pub(super) fn begin(context: &Context, configs: Vec<WorkloadConfig>) -> Result<Self, String> {
        let labels = labels(&configs);
        let identity = Identity::new(&context.settings, &configs);
        folder::begin(&context.folder, &identity).map_err(|error| error.to_string())?;
        let records = folder::read_records(context.folder.path(), &labels);
        let tries_max = tries();
        let resumed = (records.iter())
            .filter(|record| record.is_final(tries_max))
            .count();
        let mut sweep = Self {
            configs,
            labels,
            records,
            resumed,
            tries_max,
            sent: RequestCounts::default(),
            files: Vec::new(),
            counterexamples: Vec::new(),
            checking: Duration::ZERO,
            written: Vec::new(),
            troubles: Vec::new(),
            stuck: false,
        };
        if resumed > 0 {
            sweep.write_files(context);
        }
        Ok(sweep)
    }

    /// False once nothing new is to be begun.
    pub(super) fn goes_on(&self, context: &Context) -> bool {
        !self.stuck && !context.should_stop()
    }

    /// The cells to run next: first each once, then the invalid ones again, with less company.
    pub(super) fn next(&self, context: &Context, at_once: usize) -> Vec<Planned> {
        let tries = |label: &String| self.record(label).map_or(0, |record| record.tries);
        let plan = |(place, number)| {
            let config: Option<&WorkloadConfig> = self.configs.get(place);
            config.map(|config| Planned::new(context, place, config.clone(), number))
        };
        let places = self.labels.iter().enumerate();
        let never = places.clone().filter(|(_, label)| self.record(label).is_none());
        let planned: Vec<Planned> = never
            .take(at_once)
            .filter_map(|(place, _)| plan((place, 1)))
            .collect();
        if !planned.is_empty() {
            return planned;
        }
        let again = places.filter(|(_, label)| {
            let record = self.record(label);
            record.is_some_and(|record| !record.is_final(self.tries_max))
        });
        again
            .take(at_once.min(AGAIN_AT_ONCE))
            .filter_map(|(place, label)| plan((place, tries(label) + 1)))
            .collect()
    }

    fn record(&self, label: &str) -> Option<&CellRecord> {
        self.records.iter().find(|record| record.label == label)
    }

    /// A cell has ended: it has its row from now on, whatever becomes of the run.
    pub(super) fn keep(&mut self, context: &Context, record: CellRecord) {
        if let Err(error) = folder::keep(&context.folder, &record) {
            self.stuck = true;
            self.troubles.push(error.to_string());
        }
        self.records.retain(|earlier| earlier.label != record.label);
        self.records.push(record);
        let labels = &self.labels;
        self.records
            .sort_by_key(|record| labels.iter().position(|label| *label == record.label));
    }

    /// A cell was stopped before its time: it has no row, but what was found wrong with it counts.
    pub(super) fn stopped_early(&mut self, label: &str, failures: Vec<String>) {
        let failures = failures.into_iter().map(|why| format!("{label}: {why}"));
        self.troubles.extend(failures);
    }

    /// A cell could not be run. Others could not be either.
    pub(super) fn could_not_run(&mut self, label: &str, error: String) {
        self.stuck = true;
        self.troubles.push(format!("{label}: {error}"));
    }

    /// Writes the CSVs of the cells that have ended.
    pub(super) fn write_files(&mut self, context: &Context) {
        if self.records.is_empty() {
            return;
        }
        match folder::write_files(&context.folder, &self.records) {
            Ok(written) => self.written = written,
            Err(error) => {
                self.stuck = true;
                self.troubles.push(error.to_string());
            }
        }
    }

    /// The cells that have not ended.
    pub(super) fn missing(&self) -> Vec<String> {
        let missing = self.labels.iter().filter(|label| self.record(label).is_none());
        missing.cloned().collect()
    }

    /// Everything that is wrong with it.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for record in &self.records {
            let own = record.failures.iter().cloned();
            let invalid = record.invalid.iter().map(|why| format!("invalid: {why}"));
            failures.extend(own.chain(invalid).map(|why| format!("{}: {why}", record.label)));
        }
        failures.extend(self.troubles.iter().cloned());
        failures
    }

    /// What was checked of every cell and held.
    pub(super) fn verified(&self) -> Vec<String> {
        let mut records = self.records.iter();
        let mut verified = records
            .next()
            .map(|record| record.verified.clone())
            .unwrap_or_default();
        for record in records {
            verified.retain(|what| record.verified.contains(what));
        }
        verified
    }

    pub(super) fn fields(&self, context: &Context, missing: Vec<String>) -> SweepFields {
        let count = |what: fn(&CellRecord) -> bool| self.records.iter().filter(|record| what(record)).count();
        let sent = self.sent.plus(&report_counts(&context.store.meters.total()));
        let dollars = PriceTable::of(&context.settings.store).dollars(&sent);
        let passed = context.clock.now().saturating_sub(context.began.clock);
        SweepFields {
            cells: self.records.len(),
            valid_cells: count(|record| record.valid),
            failed_cells: count(|record| !record.failures.is_empty()),
            resumed_cells: self.resumed,
            repeated_cells: count(|record| record.tries > 1),
            missing,
            wall_s: (passed.as_secs_f64() * 1e3).round() / 1e3,
            requests: sent.requests(),
            dollars: (dollars * 1e6).round() / 1e6,
        }
    }
}
