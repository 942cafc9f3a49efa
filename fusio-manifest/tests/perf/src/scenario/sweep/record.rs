//! What stays of a cell that has ended: enough to write every file of the sweep again without running it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::judge::Judgement;
use crate::{
    export::{ExportError, Fields, RunFacts, column_fields, detail_fields},
    interval_log::{CellIntervals, Series},
    result::Verdict,
    summary::CellSummary,
};

/// A cell that has ended. Numbers are kept as the files show them: text, which comes back as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CellRecord {
    pub(super) label: String,
    /// How often it was run.
    pub(super) tries: u32,
    pub(super) verdict: Verdict,
    pub(super) valid: bool,
    /// Why it is invalid.
    pub(super) invalid: Option<String>,
    /// What was checked and held.
    pub(super) verified: Vec<String>,
    /// What did not hold.
    pub(super) failures: Vec<String>,
    /// The row of the CSV.
    pub(super) columns: Fields,
    /// The row of the details.
    pub(super) detail: Fields,
    /// When its measurement began, since the epoch of Unix; in virtual time since its beginning.
    pub(super) began: Duration,
    /// Its times, for the interval log.
    pub(super) series: Vec<Series>,
}

impl CellRecord {
    pub(super) fn new(
        cell: &CellSummary,
        tries: u32,
        judgement: &Judgement,
        facts: &RunFacts,
    ) -> Result<Self, ExportError> {
        Ok(Self {
            label: cell.label().to_owned(),
            tries,
            verdict: facts.verdict,
            valid: cell.detail.validity.is_valid(),
            invalid: cell.detail.validity.reason().map(str::to_owned),
            verified: judgement.verified.clone(),
            failures: judgement.failures.clone(),
            columns: column_fields(cell)?,
            detail: detail_fields(cell, facts),
            began: cell.began,
            series: cell.series.clone(),
        })
    }

    /// What it has to log.
    pub(super) fn intervals(&self) -> CellIntervals<'_> {
        CellIntervals {
            label: &self.label,
            began: self.began,
            series: &self.series,
        }
    }

    /// True if it need not be run again.
    pub(super) fn is_final(&self, tries_max: u32) -> bool {
        self.valid || self.tries >= tries_max
    }

    /// A number of one of its rows; none for an empty field.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let mut fields = self.columns.iter().chain(&self.detail);
        fields.find(|(column, _)| column == name)?.1.parse().ok()
    }
}
