//! The same manifest with ten million keys, computed from what this one counted.

use super::reader::Cold;
use crate::result::TenMillionFields;

const KEYS: u64 = 10_000_000;
const MIB: u64 = 1024 * 1024;
/// Footers that an open loads ahead, as DESIGN.md says.
const FOOTERS_AHEAD: u64 = 2 * MIB;
/// How large tables get, and how many a run has at most, about.
const TABLE_BYTES: u64 = 16 * MIB;
const TABLES_MAX: u64 = 64;
/// What HEAD takes for the name of a table.
const TABLE_NAME_BYTES: u64 = 110;
/// The tiers of runs.
const RATIO: f64 = 4.0;

/// What this manifest came to.
pub(super) struct Measured<'a> {
    pub(super) keys: u64,
    pub(super) after_fold: &'a Cold,
    pub(super) updated: &'a Cold,
    pub(super) runs: u64,
    pub(super) tables: u64,
    pub(super) run_bytes: u64,
    pub(super) load_s: f64,
    pub(super) load_rewritten_per_byte: Option<f64>,
    pub(super) scan_mb_per_s: Option<f64>,
}

/// In the words of the fields.
const FORMULA: &str = "f = 10,000,000 / keys. Tables: f x run bytes by the larger of 16 MiB and 1/64 of them, one more for each run \
     beside the largest. Cold bytes: HEAD and 110 bytes for each further table; the log objects as they are; footers x f, of \
     which 2 MiB at most are loaded ahead, and where that is not all of them one more of each run that may hold the key, in a \
     round trip of its own; the same blocks. Load: f x load_s x (w + log4 f) / w, w being 1 + load_rewritten_per_byte, \
     since every entry is written once more for each tier of ratio 4. Scan: f x run bytes at the measured rate. A commit, the \
     maintenance of an update, the largest HEAD of a commit and the memory of a reader, whose footers lie in the block cache, do not grow with the keys.";

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
pub(super) fn ten_million(measured: &Measured<'_>) -> TenMillionFields {
    let factor = KEYS as f64 / measured.keys.max(1) as f64;
    let times = |bytes: u64| (bytes as f64 * factor) as u64;
    let run_bytes = times(measured.run_bytes);
    let table_bytes = TABLE_BYTES.max(run_bytes / TABLES_MAX);
    let tables = run_bytes.div_ceil(table_bytes) + measured.runs.saturating_sub(1);
    let more_names = tables.saturating_sub(measured.tables) * TABLE_NAME_BYTES;
    let cold = |cold: &Cold| {
        let footers = times(cold.footers.bytes);
        let late = footers > FOOTERS_AHEAD;
        // Each run that may hold the key has one, of about this size.
        let own = if late {
            footers / tables.max(1) * cold.blocks.requests.max(1)
        } else {
            0
        };
        let head = cold.head.bytes + more_names * cold.head.requests.min(1);
        let bytes = head + cold.log.bytes + footers.min(FOOTERS_AHEAD) + own + cold.blocks.bytes;
        // With a log its objects take the round trip in which footers would come.
        let trips = cold.round_trips + u64::from(late && cold.log.requests > 0);
        (trips, bytes, head)
    };
    let (cold_round_trips, cold_bytes, _) = cold(measured.updated);
    let (_, cold_bytes_after_fold, head_bytes) = cold(measured.after_fold);
    let load = measured.load_rewritten_per_byte.map(|rewritten| {
        let written = 1.0 + rewritten;
        let tiers = (factor.ln() / RATIO.ln()).max(0.0);
        factor * measured.load_s * (written + tiers) / written
    });
    TenMillionFields {
        cold_round_trips,
        cold_bytes,
        cold_bytes_after_fold,
        tables,
        head_bytes,
        load_s: load,
        scan_s: measured.scan_mb_per_s.map(|rate| run_bytes as f64 / 1e6 / rate),
        formula: FORMULA.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::scale::upkeep::Sum;

    fn sum(requests: u64, bytes: u64) -> Sum {
        Sum { requests, bytes }
    }

    fn cold(log: Sum, footers: Sum) -> Cold {
        Cold {
            round_trips: 3,
            head: sum(2, 10_000),
            log,
            footers,
            blocks: sum(1, 65_000),
            ms: None,
        }
    }

    fn of(keys: u64, footers: u64) -> TenMillionFields {
        let after_fold = cold(Sum::default(), sum(8, footers));
        let updated = cold(sum(16, 700_000), sum(9, footers));
        ten_million(&Measured {
            keys,
            after_fold: &after_fold,
            updated: &updated,
            runs: 2,
            tables: 9,
            run_bytes: 128 * MIB,
            load_s: 30.0,
            load_rewritten_per_byte: Some(3.0),
            scan_mb_per_s: Some(100.0),
        })
    }

    /// Ten times the keys: footers do not fit what is loaded ahead.
    #[test]
    fn ten_times_as_many_keys_load_a_footer_late() {
        let larger = of(1_000_000, 1_300_000);
        // 1,280 MiB in tables of 20 MiB, and those of the other run.
        assert_eq!((larger.tables, larger.cold_round_trips), (65, 4));
        let names = (65 - 9) * TABLE_NAME_BYTES;
        assert_eq!(larger.head_bytes, 10_000 + names);
        let late = 13_000_000 / 65;
        let expected = 10_000 + names + FOOTERS_AHEAD + late + 65_000;
        assert_eq!(larger.cold_bytes_after_fold, expected);
        assert_eq!(larger.cold_bytes, expected + 700_000);
        let scan = larger.scan_s.unwrap();
        assert!((scan - 1_280.0 * MIB as f64 / 1e8).abs() < 1e-6, "{scan}");
        let load = larger.load_s.unwrap();
        assert!(
            (load - 300.0 * (4.0 + 10_f64.ln() / 4_f64.ln()) / 4.0).abs() < 1e-6,
            "{load}"
        );
    }

    #[test]
    fn as_many_keys_come_to_what_was_measured() {
        let same = of(KEYS, 1_300_000);
        assert_eq!((same.tables, same.cold_round_trips), (9, 3));
        assert_eq!(same.cold_bytes, 10_000 + 700_000 + 1_300_000 + 65_000);
        assert_eq!(same.load_s, Some(30.0));
    }
}
