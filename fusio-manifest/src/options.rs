//! Settings: those that all handles of a manifest share, and those of one handle.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, OsEntropy},
    error::{Error, ErrorKind, Result},
    limits,
    mutant::{Broken, Mutant},
};

const DAY_MS: u64 = 24 * 3_600_000;

/// Settings that stand in HEAD, so that all handles agree. `create` writes them; who opens adopts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedSettings {
    /// How long what nothing references is kept for readers that still hold it. Longer keeps more garbage, shorter ends slow
    /// readers with an error. (A transaction may be older: what it read is read again.)
    /// Default 1 hour; 1 second to 30 days.
    pub retention: Duration,
    /// Inline commits are moved into a log object once they pass this many bytes. HEAD's size is money: every
    /// polling reader downloads it when it changed, and 1 MiB costs about 20 ms. Default 64 KiB.
    pub spill_bytes: u64,
    /// The newest bytes that stay inline, for the loser of one race to find what it missed. Default 16 KiB.
    pub spill_keep_bytes: u64,
    /// A transaction over this goes into a log object of its own. Default 16 KiB.
    pub transaction_inline_bytes: u64,
    /// Log objects that make a run. Default 16.
    pub fold_objects: u32,
    /// Bytes of log objects that make a run. Default 8 MiB.
    pub fold_bytes: u64,
    /// At this many log objects a commit first helps to fold them. Default 64.
    pub log_objects_max: u32,
    /// At this many runs a commit first helps to merge them. Default 40.
    pub runs_max: u32,
    /// How much larger each tier of runs is than the one before. Default 4.
    pub tier_ratio: u32,
    /// The smallest size that a table is filled to. Default 16 MiB.
    pub table_bytes: u64,
    /// The size of a block, the unit of reading. Default 64 KiB.
    pub block_bytes: u64,
}

impl Default for SharedSettings {
    fn default() -> Self {
        const KIB: u64 = 1024;
        Self {
            retention: Duration::from_secs(3600),
            spill_bytes: 64 * KIB,
            spill_keep_bytes: 16 * KIB,
            transaction_inline_bytes: 16 * KIB,
            fold_objects: 16,
            fold_bytes: 8 * KIB * KIB,
            log_objects_max: 64,
            runs_max: 40,
            tier_ratio: 4,
            table_bytes: 16 * KIB * KIB,
            block_bytes: 64 * KIB,
        }
    }
}

impl SharedSettings {
    /// Refuses settings out of range, naming the setting, its value and the range.
    pub fn validate(&self) -> Result<()> {
        const MIB: u64 = 1024 * 1024;
        let inline_max = limits::HEAD_BYTES_MAX as u64;
        within("retention_ms", ms(self.retention), 1_000, 30 * 24 * 3_600_000)?;
        within("spill_bytes", self.spill_bytes, 1, inline_max)?;
        within("spill_keep_bytes", self.spill_keep_bytes, 0, self.spill_bytes)?;
        // What stays after a spill, one more commit and the names of all log objects must fit: else HEAD could fill
        // for good.
        within(
            "spill_keep_bytes + transaction_inline_bytes",
            self.spill_keep_bytes
                .saturating_add(self.transaction_inline_bytes),
            0,
            inline_max / 2,
        )?;
        within(
            "transaction_inline_bytes",
            self.transaction_inline_bytes,
            0,
            inline_max,
        )?;
        within("log_objects_max", self.log_objects_max.into(), 1, 1_024)?;
        within(
            "fold_objects",
            self.fold_objects.into(),
            1,
            self.log_objects_max.into(),
        )?;
        within("fold_bytes", self.fold_bytes, 1, 1_024 * MIB)?;
        within("runs_max", self.runs_max.into(), 2, 1_024)?;
        within("tier_ratio", self.tier_ratio.into(), 2, 64)?;
        within("block_bytes", self.block_bytes, 1_024, 16 * MIB)?;
        within("table_bytes", self.table_bytes, self.block_bytes, 1_024 * MIB)
    }
}

/// When a handle folds log objects into runs and merges runs. (Every handle that commits spills: HEAD must stay small.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Maintenance {
    /// Beside the commits, when its own HEAD crossed a threshold.
    #[default]
    Beside,
    /// Only in [`Manifest::maintain`](crate::Manifest::maintain): for people who want a process of its own for it. At
    /// the hard limits ([`SharedSettings::log_objects_max`], [`SharedSettings::runs_max`]) a commit does its share all
    /// the same, or there would be no more commits should that process be gone.
    OnDemand,
}

/// Settings of one handle.
#[derive(Debug, Clone)]
pub struct Options {
    /// What `create` writes into HEAD. Ignored by `open`, and by a `create` that finds a manifest.
    pub shared: SharedSettings,
    /// How many looks at HEAD may be on the wire at once for fresh reads of this handle. Readers over it
    /// share the next look. 8 keeps the median within 1 % of a bare GET at 100 reads/s; 1 saves money, about
    /// 37 GETs/s at most on S3 Standard. Default 8; 1 to 1,024.
    pub refreshes_in_flight: usize,
    /// How long a commit may take when its caller names no deadline. Maintenance beside the commits has as long for a
    /// spill, a fold or a request of a collection, and never less than two requests. Default 30 s.
    pub commit_timeout: Duration,
    /// How long a read may take, its retries included. Default 30 s.
    pub read_timeout: Duration,
    /// How long one request may take before its answer counts as lost. Default 15 s.
    pub request_timeout: Duration,
    /// Commits that may be under way at once, waiting or on the wire; one more is refused as [`ErrorKind::Busy`].
    /// Default 4,096; 1 to 1,000,000.
    pub commit_queue: usize,
    /// The most memory for parts of tables that were read. Those of keys that are read again and again stay. Default
    /// 20 MiB, with which a process that does nothing but read a million keys has some 60 MB; 1 MiB to 1 TiB.
    pub cache_bytes: u64,
    /// Who folds and merges. Default: every handle.
    pub maintenance: Maintenance,
    /// Time. Default: the system's.
    pub clock: Arc<dyn Clock>,
    /// Randomness. Default: the operating system's.
    pub entropy: Arc<dyn Entropy>,
    /// Breaks the engine on purpose, to see that its checkers notice.
    #[cfg(feature = "mutants")]
    #[doc(hidden)]
    pub mutant: Option<Mutant>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shared: SharedSettings::default(),
            refreshes_in_flight: 8,
            commit_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(15),
            commit_queue: 4_096,
            cache_bytes: 20 << 20,
            maintenance: Maintenance::Beside,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

impl Options {
    /// How the engine is to be broken, if it is.
    #[cfg(feature = "mutants")]
    pub(crate) fn broken(&self) -> Broken {
        Broken(self.mutant)
    }

    /// Not at all, without the feature `mutants`.
    #[cfg(not(feature = "mutants"))]
    #[expect(
        clippy::unused_self,
        reason = "the same call whether the feature is there or not"
    )]
    pub(crate) fn broken(&self) -> Broken {
        Broken()
    }

    /// True if the engine is to be broken in this way.
    pub(crate) fn broken_by(&self, mutant: Mutant) -> bool {
        self.broken().by(mutant)
    }

    pub(crate) fn validate(&self) -> Result<()> {
        self.shared.validate()?;
        within("refreshes_in_flight", self.refreshes_in_flight as u64, 1, 1_024)?;
        within("commit_timeout_ms", ms(self.commit_timeout), 1, DAY_MS)?;
        within("read_timeout_ms", ms(self.read_timeout), 1, DAY_MS)?;
        within("request_timeout_ms", ms(self.request_timeout), 1, DAY_MS)?;
        within("cache_bytes", self.cache_bytes, 1 << 20, 1 << 40)?;
        within("commit_queue", self.commit_queue as u64, 1, 1_000_000)
    }
}

/// Settings of one watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchOptions {
    /// How long after the last look at HEAD it is looked at again: how late a commit of another handle is told at most, but
    /// for the look itself. Each look is a GET. Default 1 s; 10 ms to 1 day.
    pub interval: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
        }
    }
}

impl WatchOptions {
    pub(crate) fn validate(&self) -> Result<()> {
        within("interval_ms", ms(self.interval), 10, DAY_MS)
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Invalid,
        format!("{name} is {value}; allowed is {least} to {most}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        Options::default().validate().unwrap();
    }

    #[test]
    fn settings_with_which_head_would_fill_for_good_are_refused() {
        let shared = SharedSettings {
            spill_bytes: 256 * 1024,
            spill_keep_bytes: 256 * 1024,
            ..SharedSettings::default()
        };
        let message = shared.validate().unwrap_err().to_string();
        assert!(
            message.contains("spill_keep_bytes + transaction_inline_bytes") && message.contains("131072"),
            "{message}"
        );
    }

    #[test]
    fn a_bad_setting_is_named_with_its_range() {
        let shared = SharedSettings {
            tier_ratio: 1,
            ..SharedSettings::default()
        };
        let message = shared.validate().unwrap_err().to_string();
        assert_eq!(message, "tier_ratio is 1; allowed is 2 to 64");
        let options = Options {
            refreshes_in_flight: 0,
            ..Options::default()
        };
        assert!(
            options
                .validate()
                .unwrap_err()
                .to_string()
                .contains("refreshes_in_flight")
        );
    }
}
