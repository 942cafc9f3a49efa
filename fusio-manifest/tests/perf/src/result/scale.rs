//! The fields of `test_scale`.

use serde::{Deserialize, Serialize};

use super::rounded;

/// The fields of `test_scale`. Numbers without samples are null. MB are 10^6 bytes, MiB 2^20.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScaleFields {
    /// Keys in the manifest, with values of 100 bytes.
    pub keys: u64,
    /// Round trips in a row from nothing to the first value, after the updates.
    pub cold_round_trips: u64,
    /// Bytes received meanwhile.
    pub cold_bytes: u64,
    /// The same where a fold has just emptied the log.
    pub cold_round_trips_after_fold: u64,
    /// The same where a fold has just emptied the log.
    pub cold_bytes_after_fold: u64,
    /// From nothing to the first value, median of three opens.
    #[serde(serialize_with = "rounded")]
    pub cold_get_ms: Option<f64>,
    /// Fresh reads of keys drawn at random, one after the other.
    #[serde(serialize_with = "rounded")]
    pub get_p50_ms: Option<f64>,
    /// Fresh reads of a key whose block is in memory.
    #[serde(serialize_with = "rounded")]
    pub cached_get_p50_ms: Option<f64>,
    /// Requests per fresh read, of many at once of keys drawn at random.
    #[serde(serialize_with = "rounded")]
    pub requests_per_random_get: Option<f64>,
    /// The most memory of the reader's process; null if it had none of its own.
    #[serde(serialize_with = "rounded")]
    pub peak_rss_mb: Option<f64>,
    /// By the time that it began to open the manifest.
    #[serde(serialize_with = "rounded")]
    pub start_rss_mb: Option<f64>,
    /// By the time that it had the first value.
    #[serde(serialize_with = "rounded")]
    pub cold_rss_mb: Option<f64>,
    /// By the time that it had read the keys drawn at random.
    #[serde(serialize_with = "rounded")]
    pub gets_rss_mb: Option<f64>,
    /// Requests that callers waited for, per commit of the reader.
    #[serde(serialize_with = "rounded")]
    pub requests_per_commit: Option<f64>,
    /// Time of such a commit.
    #[serde(serialize_with = "rounded")]
    pub commit_p50_ms: Option<f64>,
    /// Updates of keys drawn at random.
    pub updates: u64,
    /// Updates a second.
    #[serde(serialize_with = "rounded")]
    pub updates_per_s: Option<f64>,
    /// Time of one of them.
    #[serde(serialize_with = "rounded")]
    pub update_p50_ms: Option<f64>,
    /// Requests of the updates that were no commit, per MiB of log.
    #[serde(serialize_with = "rounded")]
    pub maintenance_requests_per_mib: Option<f64>,
    /// PUTs of log objects, per MiB of log.
    #[serde(serialize_with = "rounded")]
    pub spill_puts_per_mib: Option<f64>,
    /// PUTs of tables, by folds and merges, per MiB of log.
    #[serde(serialize_with = "rounded")]
    pub table_puts_per_mib: Option<f64>,
    /// GETs of tables, by merges, per MiB of log.
    #[serde(serialize_with = "rounded")]
    pub table_gets_per_mib: Option<f64>,
    /// Bytes of tables written per byte of log.
    #[serde(serialize_with = "rounded")]
    pub bytes_rewritten_per_byte: Option<f64>,
    /// The largest HEAD that was written.
    pub head_bytes_max: u64,
    /// A forward scan of everything, in bytes that it received; median of three.
    #[serde(serialize_with = "rounded")]
    pub scan_mb_per_s: Option<f64>,
    /// Plain GETs of the same ranges.
    #[serde(serialize_with = "rounded")]
    pub plain_mb_per_s: Option<f64>,
    /// The ratio of the two.
    #[serde(serialize_with = "rounded")]
    pub scan_ratio: Option<f64>,
    /// Requests that the scan, and the plain reads, had under way at most.
    pub scan_in_flight: usize,
    /// Time to write every key once, with the folds that became due.
    #[serde(serialize_with = "rounded")]
    pub load_s: Option<f64>,
    /// Bytes of tables that the load wrote, per byte of its log.
    #[serde(serialize_with = "rounded")]
    pub load_rewritten_per_byte: Option<f64>,
    /// Runs after the updates.
    pub runs: usize,
    /// Tables of which they consist.
    pub tables: usize,
    /// Their bytes.
    pub run_bytes: u64,
    /// The same figures for ten million keys, computed.
    pub ten_million: Option<TenMillionFields>,
}

/// What ten million keys would come to, computed from the counts of this run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenMillionFields {
    /// Round trips in a row from nothing to the first value.
    pub cold_round_trips: u64,
    /// Bytes received meanwhile.
    pub cold_bytes: u64,
    /// The same where a fold has just emptied the log.
    pub cold_bytes_after_fold: u64,
    /// Tables.
    pub tables: u64,
    /// HEAD, where a fold has just emptied the log.
    pub head_bytes: u64,
    /// Time to write every key once.
    #[serde(serialize_with = "rounded")]
    pub load_s: Option<f64>,
    /// A forward scan of everything.
    #[serde(serialize_with = "rounded")]
    pub scan_s: Option<f64>,
    /// How all of that was computed.
    pub formula: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_that_scripts_read_are_there_and_numbers_are_rounded() {
        let fields = ScaleFields {
            keys: 1_000_000,
            scan_ratio: Some(0.912_345),
            maintenance_requests_per_mib: Some(f64::NAN),
            ..ScaleFields::default()
        };
        let json = serde_json::to_value(&fields).unwrap();
        for name in "keys cold_round_trips cold_bytes peak_rss_mb requests_per_commit \
                     maintenance_requests_per_mib bytes_rewritten_per_byte head_bytes_max scan_ratio"
            .split_whitespace()
        {
            assert!(json.get(name).is_some(), "{name} is missing from {json}");
        }
        assert_eq!(
            (&json["keys"], &json["scan_ratio"]),
            (&1_000_000.into(), &0.912.into())
        );
        assert!(json["maintenance_requests_per_mib"].is_null() && json["peak_rss_mb"].is_null());
        let back: ScaleFields = serde_json::from_value(json).unwrap();
        assert_eq!((back.keys, back.scan_ratio), (fields.keys, Some(0.912)));
    }
}
