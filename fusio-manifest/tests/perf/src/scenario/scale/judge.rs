//! What a manifest of a million keys may cost.

use super::{Scale, expected};
use crate::{result::ScaleFields, scenario::judge::Judgement};

/// The bounds of what an open costs are made for so many keys: the footers of more are not all loaded ahead.
const KEYS_DESIGNED: u64 = 1_000_000;
const COLD_ROUND_TRIPS: u64 = 3;
const COLD_BYTES_MAX: u64 = 4_000_000;
const COLD_BYTES_AFTER_FOLD_MAX: u64 = 2_000_000;
const PEAK_RSS_MB_MAX: f64 = 64.0;
const HEAD_BYTES_MAX: u64 = 300 * 1024;
const SCAN_RATIO_MIN: f64 = 0.7;
/// The latencies that the bound of scans is made for: without any, a scan is held against loopback.
const JUDGED_LATENCY: &str = "s3-standard";
/// A scan of less is over before its pipeline is full.
const SCAN_BYTES_JUDGED: u64 = 32 << 20;
/// 21 spills of 48 KiB, a fold and a third, and merges that read and write each byte about twice.
const MAINTENANCE_PER_MIB_MAX: f64 = 32.0;
/// Less log is less than a few folds, of which each request is a large part.
const LOG_BYTES_JUDGED: u64 = 4 << 20;

/// `latency` is none of a real store.
pub(super) fn judge(scale: &Scale, fields: &ScaleFields, latency: Option<&str>) -> Judgement {
    let mut judgement = Judgement::default();
    judge_contents(scale, &mut judgement);
    judge_cold(fields, &mut judgement);
    judge_writes(scale, fields, &mut judgement);
    judge_memory(scale, fields, &mut judgement);
    if latency.is_none_or(|latency| latency == JUDGED_LATENCY) {
        judge_scan(scale, fields, &mut judgement);
    }
    judgement
}

/// Adds what holds to what was verified, and what does not to the failures.
fn hold(judgement: &mut Judgement, holds: bool, what: String) {
    if holds {
        judgement.verified.push(what);
    } else {
        judgement.failures.push(what);
    }
}

fn judge_contents(scale: &Scale, judgement: &mut Judgement) {
    let Some(warm) = &scale.in_the_end.warm else {
        judgement.failures.push("nothing was scanned".to_owned());
        return;
    };
    let (seen, wanted) = (warm.digest, expected(scale));
    judgement.fail_if(seen != wanted, || {
        format!(
            "the scan showed {} entries that are not what {} commits wrote to {} keys",
            seen.entries, scale.updates.commits, wanted.entries
        )
    });
    if seen == wanted {
        let what = format!(
            "{} entries, each with the value that was written last",
            seen.entries
        );
        judgement.verified.push(what);
    }
    judgement.fail_if(scale.updates.commits < scale.dataset.keys / 10, || {
        format!("{} of {} updates", scale.updates.commits, scale.dataset.keys / 10)
    });
}

fn judge_cold(fields: &ScaleFields, judgement: &mut Judgement) {
    if fields.keys > KEYS_DESIGNED {
        return;
    }
    for (when, trips, bytes, bytes_max) in [
        ("", fields.cold_round_trips, fields.cold_bytes, COLD_BYTES_MAX),
        (
            " just after a fold",
            fields.cold_round_trips_after_fold,
            fields.cold_bytes_after_fold,
            COLD_BYTES_AFTER_FOLD_MAX,
        ),
    ] {
        let holds = trips <= COLD_ROUND_TRIPS && bytes < bytes_max;
        let what = format!(
            "cold open to first value{when}: {trips} round trips and {bytes} bytes (at most {COLD_ROUND_TRIPS}, under \
             {bytes_max})"
        );
        hold(judgement, holds, what);
    }
}

fn judge_writes(scale: &Scale, fields: &ScaleFields, judgement: &mut Judgement) {
    let commit = fields.requests_per_commit;
    let told = commit.map_or_else(|| "none was made".to_owned(), |requests| format!("{requests:.2}"));
    hold(
        judgement,
        commit == Some(1.0),
        format!("requests per commit: {told} (1)"),
    );
    let head = fields.head_bytes_max;
    hold(
        judgement,
        head < HEAD_BYTES_MAX,
        format!("largest HEAD: {head} bytes (under {HEAD_BYTES_MAX})"),
    );
    if let Some(per_mib) = fields
        .maintenance_requests_per_mib
        .filter(|_| scale.updated.spills.bytes >= LOG_BYTES_JUDGED)
    {
        hold(
            judgement,
            per_mib <= MAINTENANCE_PER_MIB_MAX,
            format!("maintenance requests per MiB of log: {per_mib:.1} (at most {MAINTENANCE_PER_MIB_MAX})"),
        );
    }
    if let Some(served) = scale.served {
        judgement.fail_if(!served.same_as(&scale.updated), || {
            format!(
                "the server saw other requests than were sent: {served:?}, {:?}",
                scale.updated
            )
        });
    }
}

fn judge_memory(scale: &Scale, fields: &ScaleFields, judgement: &mut Judgement) {
    judgement.fail_if(
        scale.own_process && fields.peak_rss_mb.is_none() && cfg!(target_os = "linux"),
        || "the reader did not tell its memory".to_owned(),
    );
    if let Some(peak) = fields.peak_rss_mb {
        hold(
            judgement,
            peak < PEAK_RSS_MB_MAX,
            format!("the reader's memory: {peak:.1} MB (under {PEAK_RSS_MB_MAX})"),
        );
    }
}

fn judge_scan(scale: &Scale, fields: &ScaleFields, judgement: &mut Judgement) {
    let scanned = scale.in_the_end.warm.as_ref().map_or(0, |warm| warm.scan_bytes);
    if let Some(ratio) = fields.scan_ratio.filter(|_| scanned >= SCAN_BYTES_JUDGED) {
        hold(
            judgement,
            ratio >= SCAN_RATIO_MIN,
            format!("scan / plain GETs of the same bytes: {ratio:.3} (at least {SCAN_RATIO_MIN})"),
        );
    }
}
