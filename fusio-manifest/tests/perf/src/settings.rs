//! The settings of a run, from the environment variables that begin with `PERF_`.
//!
//! A mistake is refused before anything starts, in one line that names the variable. A variable that is set
//! but empty counts as not set, so that a CI job may pass through what it was not given.

use std::{ffi::OsStr, ops::RangeInclusive, path::PathBuf, time::Duration};

use fusio_manifest::S3Config;
use thiserror::Error;

use crate::{
    config::{
        CLIENTS, DURATION_SECS, KeyPool, OVERLAPS, POOL_SIZES, RATES, RETRIES, WorkloadConfig, WriterKind,
    },
    output::workspace_root,
};

mod given;
mod table;
#[cfg(test)]
mod tests;

use given::Given;
pub use table::{SETTINGS, Setting, markdown};

/// Why the settings were refused. One line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No such variable.
    #[error("{name} is not a setting; the nearest one is {nearest}. Rename it, or unset it")]
    Unknown {
        /// The variable that was set.
        name: String,
        /// The known one that is spelt most like it.
        nearest: &'static str,
    },
    /// A value that cannot be read or is out of range.
    #[error("{name} is {value:?}, allowed: {allowed}{unit}. Correct it, or unset it {fallback}")]
    Bad {
        /// The variable.
        name: &'static str,
        /// What it held.
        value: String,
        /// What it may hold.
        allowed: String,
        /// The unit in brackets, with a leading blank; empty if it has none.
        unit: String,
        /// What holds when it is not set.
        fallback: String,
    },
    /// Values that exclude one another, or one that another requires.
    #[error("{problem}: {remedy}")]
    Contradiction {
        /// Which variables, and why they do not go together.
        problem: String,
        /// What to do.
        remedy: String,
    },
}

/// Fewer keys make no large manifest; more do not lie in the memory of one machine, where the embedded store has them.
const KEYS: RangeInclusive<u64> = 1_000..=10_000_000;

/// How the arrivals of a client are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrivals {
    /// Evenly, from a start of its own that the seed draws.
    #[default]
    Periodic,
    /// As a Poisson process of the same rate.
    Poisson,
}

impl Arrivals {
    /// Their name in `PERF_ARRIVALS` and in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Periodic => "periodic",
            Self::Poisson => "poisson",
        }
    }
}

/// The store under measurement, with the settings that it alone has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// An S3 endpoint inside the test process.
    Embedded {
        /// The latency profile, as written.
        latency: String,
        /// The fault rules, as written.
        faults: Option<String>,
    },
    /// A bucket in memory, in virtual time.
    Simulated {
        /// The latency profile, as written.
        latency: String,
        /// The fault rules, as written.
        faults: Option<String>,
    },
    /// A real endpoint.
    S3 {
        /// The bucket.
        bucket: String,
        /// Its URL, used path style; AWS if none.
        endpoint: Option<String>,
        /// Whether to create the bucket if it is missing.
        create_bucket: bool,
    },
}

/// Everything that the environment decides about a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The load.
    pub workload: WorkloadConfig,
    /// Which client writes.
    pub writer_kind: WriterKind,
    /// Decides every draw.
    pub seed: u64,
    /// Load before the measurement.
    pub warmup: Duration,
    /// Open operations per client; arrivals beyond it are dropped.
    pub in_flight: u32,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// What is measured.
    pub store: StoreSettings,
    /// The most requests that a run may send; no bound if none.
    pub max_requests: Option<u64>,
    /// Where results go; absolute unless the workspace cannot be found.
    pub out: PathBuf,
    /// Whether objects written to a real store stay there.
    pub keep: bool,
    /// The file that a markdown summary is appended to.
    pub summary: Option<PathBuf>,
    /// Commits that the request-counting scenario makes.
    pub commits: u64,
    /// Keys of the large manifest.
    pub keys: u64,
    /// Tasks that commit at once on one handle, where group commit is measured.
    pub tasks: u32,
    /// Handles that fight over one HEAD, where contention is measured.
    pub handles: u32,
    /// Processes that are killed at random moments, where processes are killed; by the scenario's choice if none.
    pub kills: Option<u64>,
    /// Cells of the sweep that run at once.
    pub parallel: u32,
    /// Cases that are played, one a seed.
    pub seeds: u64,
    /// The one case that is played instead, as written.
    pub case: Option<String>,
    /// Cells of the workload that run at once, by the scenario's choice.
    pub cells_at_once: u32,
    /// The folder of an earlier run that this one goes on with, by the scenario's choice.
    pub continued: Option<PathBuf>,
    /// The CSV of an earlier run that this one is held against.
    pub compare: Option<PathBuf>,
    /// Whether to measure repeats, and to fail on a regression of latency.
    pub gate_latency: bool,
    given: Given,
}

impl Settings {
    /// Reads the settings from an environment, such as `std::env::vars_os()`.
    ///
    /// # Errors
    /// A variable `PERF_*` that is unknown, unreadable, out of range, or at odds with
    /// another. Variables of Linux perf are let through.
    pub fn from_env<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, SettingsError>
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        let given = Given::read(vars)?;
        let arrivals = [Arrivals::Periodic, Arrivals::Poisson].map(|kind| (kind.as_str(), kind));
        let kinds = [WriterKind::Monotonic, WriterKind::ReadModifyWrite].map(|kind| (kind.as_str(), kind));
        let out = given.text("PERF_OUT").unwrap_or("target/perf");
        Ok(Self {
            workload: workload(&given)?,
            writer_kind: given.choice("PERF_WRITER_KIND", &kinds)?.unwrap_or_default(),
            seed: given.number("PERF_SEED", &(0..=u64::MAX))?.unwrap_or(42),
            warmup: seconds(given.number("PERF_WARMUP_SECS", &(0.0..=3_600.0))?, 2.0),
            in_flight: given.number("PERF_IN_FLIGHT", &(1..=100_000))?.unwrap_or(1_024),
            arrivals: given.choice("PERF_ARRIVALS", &arrivals)?.unwrap_or_default(),
            store: store(&given)?,
            max_requests: given.number("PERF_MAX_REQUESTS", &(1..=u64::MAX))?,
            out: workspace_root().join(out),
            keep: given.switch("PERF_KEEP")?.unwrap_or(false),
            summary: given.text("PERF_SUMMARY").map(|path| workspace_root().join(path)),
            commits: given.number("PERF_COMMITS", &(1..=10_000_000))?.unwrap_or(1_000),
            keys: given.number("PERF_KEYS", &KEYS)?.unwrap_or(1_000_000),
            tasks: given.number("PERF_TASKS", &(1..=4_096))?.unwrap_or(64),
            handles: given.number("PERF_HANDLES", &(1..=64))?.unwrap_or(8),
            kills: given.number("PERF_KILLS", &(1..=100_000))?,
            parallel: given.number("PERF_PARALLEL", &(1..=64))?.unwrap_or(8),
            seeds: given.number("PERF_SEEDS", &(1..=10_000_000))?.unwrap_or(1_000),
            case: given.owned("PERF_CASE"),
            cells_at_once: 1,
            continued: None,
            compare: given.text("PERF_COMPARE").map(|path| workspace_root().join(path)),
            gate_latency: given.switch("PERF_GATE_LATENCY")?.unwrap_or(false),
            given,
        })
    }

    /// True if this variable was set, even if to its default: lets a scenario with defaults of its own tell.
    pub fn is_set(&self, name: &str) -> bool {
        self.given.text(name).is_some()
    }

    /// The command that runs a scenario again with all that was given, and this seed.
    pub fn command(&self, scenario: &str) -> String {
        let given = self.given.all().filter(|(name, _)| *name != "PERF_SEED");
        let words = given.map(|(name, value)| format!("{name}='{value}' "));
        format!(
            "{}PERF_SEED={} cargo test -p fusio-manifest --test performance_test {scenario} -- --ignored --exact \
             --nocapture",
            words.collect::<String>(),
            self.seed
        )
    }

    /// Sets a field unless the environment gave its variable: for a scenario with a default of its own.
    pub fn set_unless_given<T>(&mut self, name: &str, value: T, field: impl FnOnce(&mut Self) -> &mut T) {
        if !self.is_set(name) {
            *field(self) = value;
        }
    }

    /// The latency profile as written; none for a real store.
    pub fn latency(&self) -> Option<&str> {
        self.store.latency()
    }
}

impl StoreSettings {
    /// The fault rules of a store that can break on purpose.
    pub fn faults_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            Self::Embedded { faults, .. } | Self::Simulated { faults, .. } => Some(faults),
            Self::S3 { .. } => None,
        }
    }

    /// The latency profile of a store that has one.
    pub fn latency_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Embedded { latency, .. } | Self::Simulated { latency, .. } => Some(latency),
            Self::S3 { .. } => None,
        }
    }

    /// Its name in `PERF_STORE` and in results.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded { .. } => "embedded",
            Self::Simulated { .. } => "simulated",
            Self::S3 { .. } => "s3",
        }
    }

    /// Whose a real store is: `aws`, or `other`; none for one that stands for it.
    pub fn endpoint_kind(&self) -> Option<&'static str> {
        match self {
            Self::Embedded { .. } | Self::Simulated { .. } => None,
            Self::S3 { endpoint, .. } => Some(if endpoint.is_some() { "other" } else { "aws" }),
        }
    }

    /// True if the run happens in virtual time.
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated { .. })
    }

    /// The latency profile as written; none for a real store.
    pub fn latency(&self) -> Option<&str> {
        match self {
            Self::Embedded { latency, .. } | Self::Simulated { latency, .. } => Some(latency),
            Self::S3 { .. } => None,
        }
    }

    /// The fault rules as written, if there are any.
    pub fn faults(&self) -> Option<&str> {
        match self {
            Self::Embedded { faults, .. } | Self::Simulated { faults, .. } => faults.as_deref(),
            Self::S3 { .. } => None,
        }
    }
}

fn workload(given: &Given) -> Result<WorkloadConfig, SettingsError> {
    let usual = WorkloadConfig::default();
    let config = WorkloadConfig {
        num_writers: given
            .number("PERF_NUM_WRITERS", &CLIENTS)?
            .unwrap_or(usual.num_writers),
        num_readers: given
            .number("PERF_NUM_READERS", &CLIENTS)?
            .unwrap_or(usual.num_readers),
        writer_rate: given
            .rate("PERF_WRITER_RATE", &RATES)?
            .unwrap_or(usual.writer_rate),
        reader_rate: given
            .rate("PERF_READER_RATE", &RATES)?
            .unwrap_or(usual.reader_rate),
        duration: seconds(
            given.number("PERF_DURATION_SECS", &DURATION_SECS)?,
            usual.duration.as_secs_f64(),
        ),
        max_retry_count: given
            .number("PERF_MAX_RETRY_COUNT", &RETRIES)?
            .unwrap_or(usual.max_retry_count),
        keys: KeyPool {
            size: given
                .number("PERF_KEY_POOL_SIZE", &POOL_SIZES)?
                .unwrap_or(usual.keys.size),
            overlap_ratio: given
                .number("PERF_KEY_OVERLAP_RATIO", &OVERLAPS)?
                .unwrap_or(usual.keys.overlap_ratio),
        },
    };
    config.validate().map_err(|error| SettingsError::Contradiction {
        problem: format!("PERF_NUM_WRITERS and PERF_NUM_READERS: {error}"),
        remedy: "set one of them to 1 or more".to_owned(),
    })?;
    Ok(config)
}

/// What `PERF_STORE` may say.
#[derive(Clone, Copy)]
enum Kind {
    Embedded,
    Simulated,
    S3,
}

/// Settings of stores that stand for S3, and those of a real one.
const OF_STAND_INS: &[&str] = &["PERF_LATENCY", "PERF_FAULTS"];
const OF_S3: &[&str] = &["PERF_S3_BUCKET", "PERF_S3_ENDPOINT", "PERF_S3_CREATE_BUCKET"];

fn store(given: &Given) -> Result<StoreSettings, SettingsError> {
    let kinds = [
        ("embedded", Kind::Embedded),
        ("s3", Kind::S3),
        ("simulated", Kind::Simulated),
    ];
    let kind = given.choice("PERF_STORE", &kinds)?.unwrap_or(Kind::Embedded);
    let (store, other, foreign) = match kind {
        Kind::Embedded => ("embedded", "s3", OF_S3),
        Kind::Simulated => ("simulated", "s3", OF_S3),
        Kind::S3 => ("s3", "embedded", OF_STAND_INS),
    };
    if let Some(name) = foreign.iter().find(|name| given.text(name).is_some()) {
        return Err(SettingsError::Contradiction {
            problem: format!("{name} has no effect with PERF_STORE={store}"),
            remedy: format!("unset it, or set PERF_STORE={other}"),
        });
    }
    let latency = given.text("PERF_LATENCY").unwrap_or("s3-standard").to_owned();
    let faults = given.owned("PERF_FAULTS");
    match kind {
        Kind::Embedded => Ok(StoreSettings::Embedded { latency, faults }),
        Kind::Simulated => Ok(StoreSettings::Simulated { latency, faults }),
        Kind::S3 => real_store(given),
    }
}

fn real_store(given: &Given) -> Result<StoreSettings, SettingsError> {
    let bucket = given.parse("PERF_S3_BUCKET", bucket_name, || {
        "3 to 63 of a-z, 0-9, dot and hyphen".to_owned()
    })?;
    let endpoint = given.owned("PERF_S3_ENDPOINT");
    if let Some(url) = &endpoint {
        // Not with its value, as other settings are refused: it may be one that holds credentials.
        let checked = S3Config::new("any").endpoint(url).validate();
        checked.map_err(|error| SettingsError::Contradiction {
            problem: format!("PERF_S3_ENDPOINT is not allowed: {}", error.message),
            remedy: "correct it, or unset it to go without it".to_owned(),
        })?;
    }
    Ok(StoreSettings::S3 {
        bucket: bucket.ok_or_else(|| SettingsError::Contradiction {
            problem: "PERF_STORE=s3 needs a bucket".to_owned(),
            remedy: "set PERF_S3_BUCKET".to_owned(),
        })?,
        endpoint,
        create_bucket: given.switch("PERF_S3_CREATE_BUCKET")?.unwrap_or(false),
    })
}

fn bucket_name(text: &str) -> Option<String> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    ((3..=63).contains(&text.len()) && text.chars().all(letters)).then(|| text.to_owned())
}

/// The ranges above keep any given number within what a `Duration` holds.
fn seconds(given: Option<f64>, default: f64) -> Duration {
    Duration::from_secs_f64(given.unwrap_or(default))
}
