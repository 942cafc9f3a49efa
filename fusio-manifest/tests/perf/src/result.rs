//! The line that scripts read: `RESULT {json}`, the last thing that a scenario says.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::{
    output::{OutputError, RunFolder},
    summary::CellSummary,
};

mod contention;
mod crash;
mod faults;
mod group_commit;
mod knee;
mod latency_sweep_plot;
mod mutants;
mod scale;
mod shared_reads;
mod simulation;
mod soak;
mod sweep;

pub use contention::ContentionFields;
pub use crash::CrashFields;
pub use faults::FaultsFields;
pub use group_commit::GroupCommitFields;
pub use knee::{KneeFields, KneePoint};
pub use latency_sweep_plot::LatencySweepPlotFields;
pub use mutants::{MutantFate, MutantsFields};
pub use scale::{ScaleFields, TenMillionFields};
pub use shared_reads::{SharedReadsFields, SharedReadsPoint};
pub use simulation::SimulationFields;
pub use soak::{SoakFields, SoakTrend};
pub use sweep::SweepFields;

/// What a scenario came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check held.
    Pass,
    /// A check did not hold, or the scenario could not run.
    Fail,
    /// It was stopped.
    Interrupted,
}

impl Verdict {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A result line: the fields that every scenario has, and its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult<F> {
    /// The test's name.
    pub scenario: String,
    /// `embedded`, `s3` or `simulated`.
    pub store: String,
    /// The latency profile; null for a real store.
    pub latency: Option<String>,
    /// The seed.
    pub seed: u64,
    /// What it came to.
    pub verdict: Verdict,
    /// Whether the load was offered as configured.
    pub valid: bool,
    /// Why it failed, was stopped or is invalid; null if none of these.
    pub reason: Option<String>,
    /// The scenario's own fields; all absent if it failed before it had any.
    #[serde(flatten)]
    pub fields: Option<F>,
}

/// The fields of `test_baseline`. Numbers without samples are null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineFields {
    /// Acknowledged writes.
    pub writes: u64,
    /// Successful reads.
    pub reads: u64,
    /// Attempts that lost their precondition.
    pub precondition_failures: u64,
    /// Response time of writes.
    #[serde(serialize_with = "rounded")]
    pub write_p50_ms: Option<f64>,
    /// Response time of writes.
    #[serde(serialize_with = "rounded")]
    pub write_p99_ms: Option<f64>,
    /// Response time of reads.
    #[serde(serialize_with = "rounded")]
    pub read_p50_ms: Option<f64>,
    /// Response time of reads.
    #[serde(serialize_with = "rounded")]
    pub read_p99_ms: Option<f64>,
    /// Bare conditional PUT.
    #[serde(serialize_with = "rounded")]
    pub floor_put_p50_ms: Option<f64>,
    /// Bare conditional GET.
    #[serde(serialize_with = "rounded")]
    pub floor_get_p50_ms: Option<f64>,
    /// Write p50 / floor PUT p50.
    #[serde(serialize_with = "rounded")]
    pub commit_floor_ratio: Option<f64>,
    /// Read p50 / floor GET p50.
    #[serde(serialize_with = "rounded")]
    pub read_floor_ratio: Option<f64>,
    /// Requests that callers waited for, per acknowledged write.
    #[serde(serialize_with = "rounded")]
    pub requests_per_commit: Option<f64>,
    /// Requests that callers waited for, per successful read.
    #[serde(serialize_with = "rounded")]
    pub requests_per_read: Option<f64>,
    /// How late the generator was.
    #[serde(serialize_with = "rounded")]
    pub lateness_p99_ms: Option<f64>,
    /// Arrivals that were never issued.
    pub dropped: u64,
}

impl BaselineFields {
    /// The fields of this cell.
    pub fn new(cell: &CellSummary) -> Self {
        let CellSummary { columns, detail, .. } = cell;
        Self {
            writes: detail.write.response.samples,
            reads: columns.total_reads,
            precondition_failures: detail.attempts.lost_precondition(),
            write_p50_ms: columns.write_p50_ms,
            write_p99_ms: columns.write_p99_ms,
            read_p50_ms: columns.read_p50_ms,
            read_p99_ms: columns.read_p99_ms,
            floor_put_p50_ms: detail.floor_put.p50_ms,
            floor_get_p50_ms: detail.floor_get.p50_ms,
            commit_floor_ratio: detail.commit_floor_ratio,
            read_floor_ratio: detail.read_floor_ratio,
            requests_per_commit: detail.requests_per_commit_path,
            requests_per_read: detail.requests_per_read,
            lateness_p99_ms: detail.lateness.p99_ms,
            dropped: detail.dropped(),
        }
    }
}

/// The fields of `test_requests`. Numbers without samples are null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestsFields {
    /// Acknowledged commits.
    pub commits: u64,
    /// Requests that callers waited for, per commit.
    #[serde(serialize_with = "rounded")]
    pub requests_per_commit_path: Option<f64>,
    /// The same with the engine's maintenance.
    #[serde(serialize_with = "rounded")]
    pub requests_per_commit_total: Option<f64>,
    /// Requests that callers waited for, per read.
    #[serde(serialize_with = "rounded")]
    pub requests_per_read: Option<f64>,
    /// Commit p50 / floor PUT p50.
    #[serde(serialize_with = "rounded")]
    pub commit_floor_ratio: Option<f64>,
    /// Read p50 / floor GET p50.
    #[serde(serialize_with = "rounded")]
    pub read_floor_ratio: Option<f64>,
    /// Of the first 1,000 commits, or of the first third if there are fewer than 3,000.
    #[serde(serialize_with = "rounded")]
    pub commit_p50_ms_first: Option<f64>,
    /// Of as many at the end.
    #[serde(serialize_with = "rounded")]
    pub commit_p50_ms_last: Option<f64>,
    /// The largest HEAD that a commit made.
    pub head_bytes_max: usize,
    /// Merges of a manifest of small blocks, each of which lasts for dozens of commits.
    pub merges: u64,
    /// Commits while its handle merged, and as many while it did not.
    pub commits_merging: u64,
    /// Commits while nothing was merged.
    pub commits_quiet: u64,
    /// While nothing was merged.
    #[serde(serialize_with = "rounded")]
    pub commit_p50_ms_quiet: Option<f64>,
    /// While a merge was under way.
    #[serde(serialize_with = "rounded")]
    pub commit_p50_ms_merging: Option<f64>,
    /// The ratio of the two.
    #[serde(serialize_with = "rounded")]
    pub merging_ratio: Option<f64>,
}

impl RequestsFields {
    /// The fields of this cell, the p50 of its first and its last commits, and its largest HEAD.
    pub fn new(
        cell: &CellSummary,
        first_p50_ms: Option<f64>,
        last_p50_ms: Option<f64>,
        head_bytes_max: usize,
    ) -> Self {
        let detail = &cell.detail;
        Self {
            commits: detail.write.response.samples,
            requests_per_commit_path: detail.requests_per_commit_path,
            requests_per_commit_total: detail.requests_per_commit_total,
            requests_per_read: detail.requests_per_read,
            commit_floor_ratio: detail.commit_floor_ratio,
            read_floor_ratio: detail.read_floor_ratio,
            commit_p50_ms_first: first_p50_ms,
            commit_p50_ms_last: last_p50_ms,
            head_bytes_max,
            ..Self::default()
        }
    }
}

/// Thousandths are enough; what is not a finite number is null.
fn rounded<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value
        .filter(|value| value.is_finite())
        .map(|value| (value * 1_000.0).round() / 1_000.0)
        .serialize(serializer)
}

/// A result that could not be told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResultError {
    /// Its file could not be written.
    #[error(transparent)]
    File(#[from] OutputError),
    /// It could not be printed.
    #[error("cannot print the RESULT line: {0}")]
    Print(#[from] io::Error),
    /// It is not JSON.
    #[error("cannot render the result: {0}")]
    Json(#[from] serde_json::Error),
}

impl<F: Serialize> ScenarioResult<F> {
    /// The line, without a newline: `RESULT {json}`.
    ///
    /// # Errors
    /// If the fields cannot be rendered.
    pub fn line(&self) -> Result<String, ResultError> {
        Ok(format!("RESULT {}", serde_json::to_string(self)?))
    }

    /// Prints the line on standard output, past libtest's capture: on a line of its own, whatever libtest has
    /// begun.
    ///
    /// # Errors
    /// If the result cannot be rendered or printed.
    pub fn print(&self) -> Result<(), ResultError> {
        let line = self.line()?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "\n{line}")?;
        Ok(stdout.flush()?)
    }

    /// Writes `<scenario>.result.json` into the run's folder.
    ///
    /// # Errors
    /// If the result cannot be rendered or written.
    pub fn write(&self, folder: &RunFolder) -> Result<PathBuf, ResultError> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        Ok(folder.write(&format!("{}.result.json", self.scenario), json.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn result(fields: Option<BaselineFields>) -> ScenarioResult<BaselineFields> {
        ScenarioResult {
            scenario: "test_baseline".to_owned(),
            store: "embedded".to_owned(),
            latency: Some("s3-standard".to_owned()),
            seed: 42,
            verdict: Verdict::Pass,
            valid: true,
            reason: None,
            fields,
        }
    }

    #[test]
    fn the_line_parses_back_and_names_every_field() {
        let line = result(Some(BaselineFields::new(&example::cell())))
            .line()
            .unwrap();
        let json: serde_json::Value = serde_json::from_str(line.strip_prefix("RESULT ").unwrap()).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        for name in "scenario store latency seed verdict valid reason writes reads precondition_failures \
                     write_p50_ms write_p99_ms read_p50_ms read_p99_ms floor_put_p50_ms floor_get_p50_ms \
                     commit_floor_ratio read_floor_ratio requests_per_commit requests_per_read \
                     lateness_p99_ms dropped"
            .split_whitespace()
        {
            assert!(names.contains(&name), "{name} is missing from {names:?}");
        }
        assert_eq!(
            (names.len(), &json["verdict"], &json["writes"]),
            (22, &"pass".into(), &12.into())
        );
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn numbers_are_rounded_and_never_nan() {
        let mut fields = BaselineFields::new(&example::cell());
        fields.write_p50_ms = Some(61.234_567);
        fields.commit_floor_ratio = Some(f64::NAN);
        fields.read_floor_ratio = None;
        let line = result(Some(fields)).line().unwrap();
        assert!(line.contains("\"write_p50_ms\":61.235,"), "{line}");
        assert!(
            line.contains("\"commit_floor_ratio\":null,\"read_floor_ratio\":null"),
            "{line}"
        );
    }

    #[test]
    fn a_scenario_that_never_started_still_has_the_common_fields() {
        let mut failed = result(None);
        failed.verdict = Verdict::Fail;
        failed.reason = Some("no \"bucket\"".to_owned());
        assert_eq!(
            failed.line().unwrap(),
            "RESULT {\"scenario\":\"test_baseline\",\"store\":\"embedded\",\"latency\":\"s3-standard\",\
             \"seed\":42,\"verdict\":\"fail\",\"valid\":true,\"reason\":\"no \\\"bucket\\\"\"}"
        );
    }
}
