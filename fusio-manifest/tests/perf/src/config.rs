//! What a run offers: how many clients, how fast, for how long, over which keys.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use thiserror::Error;

/// Allowed numbers of writers, and of readers.
pub const CLIENTS: RangeInclusive<u32> = 0..=1_024;
/// Allowed operations a second of one client; the lower end itself is excluded.
pub const RATES: RangeInclusive<f64> = 0.0..=10_000.0;
/// Allowed seconds of measurement.
pub const DURATION_SECS: RangeInclusive<f64> = 0.1..=86_400.0;
/// Allowed retries of one write.
pub const RETRIES: RangeInclusive<u32> = 0..=1_000;
/// Allowed keys in the pool.
pub const POOL_SIZES: RangeInclusive<u32> = 1..=1_000_000;
/// Allowed share of the pool that all writers have in common.
pub const OVERLAPS: RangeInclusive<f64> = 0.0..=1.0;

/// The load of one cell. `Default` is the baseline: 1 writer at 0.1/s, 2 readers at 100/s each, 120 s.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadConfig {
    /// Clients that commit.
    pub num_writers: u32,
    /// Clients that read.
    pub num_readers: u32,
    /// Commits a second, of each writer.
    pub writer_rate: f64,
    /// Reads a second, of each reader.
    pub reader_rate: f64,
    /// How long operations fall due; warm-up and drain come on top.
    pub duration: Duration,
    /// How often a write that lost is tried again before it is given up.
    pub max_retry_count: u32,
    /// The keys that read-modify-writers draw from.
    pub keys: KeyPool,
}

/// The keys that read-modify-writers draw from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyPool {
    /// Keys that one writer draws from.
    pub size: u32,
    /// The share of them that is common to all writers; the rest is the writer's own.
    pub overlap_ratio: f64,
}

impl Default for KeyPool {
    fn default() -> Self {
        Self {
            size: 1_000,
            overlap_ratio: 0.1,
        }
    }
}

impl Default for WorkloadConfig {
    fn default() -> Self {
        Self {
            num_writers: 1,
            num_readers: 2,
            writer_rate: 0.1,
            reader_rate: 100.0,
            duration: Duration::from_secs(120),
            max_retry_count: 10,
            keys: KeyPool::default(),
        }
    }
}

/// A field of [`WorkloadConfig`] that is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} is {value}, allowed: {allowed}")]
pub struct ConfigError {
    /// The field's name.
    pub field: &'static str,
    /// What it held.
    pub value: String,
    /// What it may hold.
    pub allowed: String,
}

impl ConfigError {
    fn new(field: &'static str, value: impl fmt::Display, allowed: impl Into<String>) -> Self {
        Self {
            field,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }
}

impl WorkloadConfig {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field out of range, by name, with its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("num_writers", self.num_writers, &CLIENTS)?;
        within("num_readers", self.num_readers, &CLIENTS)?;
        if self.num_writers == 0 && self.num_readers == 0 {
            return Err(ConfigError::new(
                "num_writers + num_readers",
                0,
                "at least one client",
            ));
        }
        rate("writer_rate", self.writer_rate)?;
        rate("reader_rate", self.reader_rate)?;
        within("duration", self.duration.as_secs_f64(), &DURATION_SECS)?;
        within("max_retry_count", self.max_retry_count, &RETRIES)?;
        within("keys.size", self.keys.size, &POOL_SIZES)?;
        within("keys.overlap_ratio", self.keys.overlap_ratio, &OVERLAPS)
    }
}

fn within<T: PartialOrd + fmt::Display>(
    field: &'static str,
    value: T,
    allowed: &RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let allowed = format!("{} to {}", allowed.start(), allowed.end());
    Err(ConfigError::new(field, value, allowed))
}

fn rate(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value > *RATES.start() && value <= *RATES.end() {
        return Ok(());
    }
    let allowed = format!("above {} up to {} per second", RATES.start(), RATES.end());
    Err(ConfigError::new(field, value, allowed))
}

/// A cell's name: `w{writers}_r{rate}`, and a suffix for each field that differs from the sweep's own value
/// (`_n` readers, `_q` reader rate, `_m` retries, `_k` keys, `_o` overlap).
///
/// Stable, and different for any two configurations that differ in more than their duration.
pub fn create_config_label(config: &WorkloadConfig) -> String {
    let usual = WorkloadConfig::default();
    let mut label = format!("w{}_r{}", config.num_writers, config.writer_rate);
    if config.num_readers != usual.num_readers {
        label.push_str(&format!("_n{}", config.num_readers));
    }
    if config.reader_rate != usual.reader_rate {
        label.push_str(&format!("_q{}", config.reader_rate));
    }
    if config.max_retry_count != usual.max_retry_count {
        label.push_str(&format!("_m{}", config.max_retry_count));
    }
    if config.keys.size != usual.keys.size {
        label.push_str(&format!("_k{}", config.keys.size));
    }
    if config.keys.overlap_ratio != usual.keys.overlap_ratio {
        label.push_str(&format!("_o{}", config.keys.overlap_ratio));
    }
    label
}

/// The sweep: writers 1, 2, 3 by writer rate 0.02, 0.05, 0.1, 0.15, 0.2, each cell 60 s with 2 readers at
/// 100/s; 15 cells, ordered by writers, then by rate.
pub fn generate_all_configs_v2() -> Vec<WorkloadConfig> {
    let mut cells = Vec::new();
    for num_writers in [1, 2, 3] {
        for writer_rate in [0.02, 0.05, 0.1, 0.15, 0.2] {
            let duration = Duration::from_secs(60);
            cells.push(WorkloadConfig {
                num_writers,
                writer_rate,
                duration,
                ..WorkloadConfig::default()
            });
        }
    }
    cells
}

/// Which of the two writing clients a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriterKind {
    /// Appends the registry's next key, and lets the engine rebase.
    #[default]
    Monotonic,
    /// Reads a key of the pool, writes it back in a single attempt, and retries by itself.
    ReadModifyWrite,
}

impl WriterKind {
    /// Its name in `PERF_WRITER_KIND` and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monotonic => "monotonic",
            Self::ReadModifyWrite => "writer",
        }
    }
}

impl FromStr for WriterKind {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "monotonic" => Ok(Self::Monotonic),
            "writer" => Ok(Self::ReadModifyWrite),
            other => Err(ConfigError::new("writer kind", other, "monotonic, writer")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn refused(change: impl FnOnce(&mut WorkloadConfig)) -> String {
        let mut config = WorkloadConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_baseline_and_every_cell_of_the_sweep_are_valid() {
        WorkloadConfig::default().validate().unwrap();
        for cell in generate_all_configs_v2() {
            cell.validate().unwrap();
        }
    }

    #[test]
    fn a_bad_field_is_named_with_its_value_and_range() {
        assert_eq!(
            refused(|c| c.num_writers = 5_000),
            "num_writers is 5000, allowed: 0 to 1024"
        );
        assert_eq!(
            refused(|c| c.num_readers = 1_025),
            "num_readers is 1025, allowed: 0 to 1024"
        );
        assert_eq!(
            refused(|c| (c.num_writers, c.num_readers) = (0, 0)),
            "num_writers + num_readers is 0, allowed: at least one client"
        );
        let rates = "allowed: above 0 up to 10000 per second";
        assert_eq!(
            refused(|c| c.writer_rate = 0.0),
            format!("writer_rate is 0, {rates}")
        );
        assert_eq!(
            refused(|c| c.writer_rate = f64::NAN),
            format!("writer_rate is NaN, {rates}")
        );
        assert_eq!(
            refused(|c| c.reader_rate = f64::INFINITY),
            format!("reader_rate is inf, {rates}")
        );
        assert_eq!(
            refused(|c| c.duration = Duration::ZERO),
            "duration is 0, allowed: 0.1 to 86400"
        );
        assert_eq!(
            refused(|c| c.max_retry_count = 1_001),
            "max_retry_count is 1001, allowed: 0 to 1000"
        );
        assert_eq!(
            refused(|c| c.keys.size = 0),
            "keys.size is 0, allowed: 1 to 1000000"
        );
        assert_eq!(
            refused(|c| c.keys.overlap_ratio = 1.5),
            "keys.overlap_ratio is 1.5, allowed: 0 to 1"
        );
    }

    #[test]
    fn labels_are_stable_and_tell_all_cells_apart() {
        let cells = generate_all_configs_v2();
        let labels: BTreeSet<_> = cells.iter().map(create_config_label).collect();
        assert_eq!((cells.len(), labels.len()), (15, 15));
        assert!(
            labels.contains("w1_r0.02") && labels.contains("w3_r0.2"),
            "{labels:?}"
        );
    }

    #[test]
    fn labels_tell_apart_what_the_sweep_keeps_fixed() {
        let base = WorkloadConfig::default();
        let keys = KeyPool {
            size: 10,
            overlap_ratio: 0.5,
        };
        let other = WorkloadConfig {
            num_readers: 0,
            reader_rate: 0.5,
            max_retry_count: 3,
            keys,
            ..base.clone()
        };
        assert_eq!(create_config_label(&base), "w1_r0.1");
        assert_eq!(create_config_label(&other), "w1_r0.1_n0_q0.5_m3_k10_o0.5");
    }

    #[test]
    fn writer_kinds_read_back_what_they_are_called() {
        for kind in [WriterKind::Monotonic, WriterKind::ReadModifyWrite] {
            assert_eq!(kind.as_str().parse::<WriterKind>().unwrap(), kind);
        }
        assert!("Monotonic".parse::<WriterKind>().is_err());
    }
}
