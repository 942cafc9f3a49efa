//! The columns of the details, by name.

use super::{Fields, RunFacts};
use crate::summary::{CellSummary, Detail, Load, Spread};

/// Each column of the details with its value; the same names in the same order for every cell.
pub(super) fn fields(cell: &CellSummary, facts: &RunFacts) -> Fields {
    let detail = &cell.detail;
    let mut fields = vec![("config_label".to_owned(), cell.label().to_owned())];
    verdict(&mut fields, detail, facts);
    load(&mut fields, "write", &detail.write);
    load(&mut fields, "read", &detail.read);
    spread(&mut fields, "lateness", &detail.lateness);
    outcomes(&mut fields, detail);
    spread(&mut fields, "floor_put", &detail.floor_put);
    spread(&mut fields, "floor_get", &detail.floor_get);
    costs(&mut fields, detail);
    requests(&mut fields, cell);
    environment(&mut fields, facts);
    fields
}

fn put(fields: &mut Fields, name: impl Into<String>, value: impl ToString) {
    fields.push((name.into(), value.to_string()));
}

/// An empty field for what is not known.
fn put_known<T: ToString>(fields: &mut Fields, name: impl Into<String>, value: Option<T>) {
    fields.push((
        name.into(),
        value.map(|value| value.to_string()).unwrap_or_default(),
    ));
}

fn verdict(fields: &mut Fields, detail: &Detail, facts: &RunFacts) {
    put(fields, "verdict", facts.verdict.as_str());
    put(fields, "valid", detail.validity.is_valid());
    put_known(fields, "reason", detail.validity.reason());
    put(fields, "store", facts.store);
    put_known(fields, "endpoint", facts.endpoint);
    put_known(fields, "latency", facts.latency.as_ref());
    put_known(fields, "faults", facts.faults.as_ref());
    put(fields, "writer_kind", facts.writer_kind.as_str());
    put(fields, "arrivals", facts.arrivals.as_str());
    put(fields, "seed", facts.seed);
}

fn load(fields: &mut Fields, role: &str, load: &Load) {
    put(fields, format!("{role}_offered_per_s"), load.offered_rate);
    put(fields, format!("{role}_achieved_per_s"), load.achieved_rate);
    put(fields, format!("{role}_dropped"), load.dropped);
    put(fields, format!("{role}_in_flight_max"), load.in_flight_max);
    put(fields, format!("{role}_backlog_max"), load.backlog_max);
    spread(fields, &format!("{role}_response"), &load.response);
    spread(fields, &format!("{role}_service"), &load.service);
    let errors = &load.response_log_errors;
    for (percentile, error) in [("p50", errors.p50), ("p95", errors.p95), ("p99", errors.p99)] {
        put_known(fields, format!("{role}_response_{percentile}_log_error"), error);
    }
}

fn spread(fields: &mut Fields, of: &str, spread: &Spread) {
    put(fields, format!("{of}_samples"), spread.samples);
    put_known(fields, format!("{of}_p50_ms"), spread.p50_ms);
    put_known(fields, format!("{of}_p95_ms"), spread.p95_ms);
    put_known(fields, format!("{of}_p99_ms"), spread.p99_ms);
    put_known(fields, format!("{of}_p999_ms"), spread.p999_ms);
    put_known(fields, format!("{of}_max_ms"), spread.max_ms);
}

fn outcomes(fields: &mut Fields, detail: &Detail) {
    put(fields, "samples_above_60_s", detail.saturated);
    put(fields, "writes", detail.writes);
    put(fields, "writes_failed", detail.writes_failed);
    put(fields, "writes_unknown", detail.writes_unknown);
    put(fields, "reads_failed", detail.reads_failed);
    put(fields, "attempts", detail.attempts.total());
    put(fields, "attempts_committed", detail.attempts.committed);
    put(fields, "attempts_lost_race", detail.attempts.lost_race);
    put(fields, "attempts_lost_conflict", detail.attempts.lost_conflict);
    put(fields, "attempts_head_missing", detail.attempts.head_missing);
    put(
        fields,
        "attempts_own_earlier_success",
        detail.attempts.own_earlier_success,
    );
    put(fields, "attempts_refused", detail.attempts.refused);
    put(fields, "attempts_unknown", detail.attempts.unknown);
    let conflicts = &detail.conflicts;
    put(fields, "conflict_rate", conflicts.rate);
    put(fields, "conflict_rate_predicted", conflicts.predicted);
    put(fields, "conflict_rate_residual", conflicts.residual());
    put_known(fields, "conflict_window_mean_ms", conflicts.window_mean_ms);
    put(fields, "foreign_commits_per_s", conflicts.foreign_per_s);
    put_known(fields, "jain", detail.jain);
    put(fields, "losing_streak_max", detail.losing_streak_max);
    put(fields, "stale_reads", detail.stale_reads);
    put(fields, "behind_max_commits", detail.behind_max);
}

fn costs(fields: &mut Fields, detail: &Detail) {
    put_known(fields, "commit_floor_ratio", detail.commit_floor_ratio);
    put_known(fields, "read_floor_ratio", detail.read_floor_ratio);
    put_known(
        fields,
        "requests_per_commit_path",
        detail.requests_per_commit_path,
    );
    put_known(
        fields,
        "requests_per_commit_total",
        detail.requests_per_commit_total,
    );
    put_known(fields, "requests_per_read", detail.requests_per_read);
    put_known(fields, "dollars_per_commit", detail.dollars_per_commit);
    put_known(fields, "dollars_per_read", detail.dollars_per_read);
    put(fields, "dollars_lost_races", detail.dollars_lost_races);
    put(fields, "dollars_total", detail.dollars_total);
    put(fields, "price_table", detail.price_table);
}

fn requests(fields: &mut Fields, cell: &CellSummary) {
    let purposes = [
        ("writers", &cell.requests.writers),
        ("readers", &cell.requests.readers),
        ("maintenance", &cell.requests.maintenance),
        ("floor", &cell.requests.floor),
        ("total", &cell.requests.total),
    ];
    for (purpose, counts) in purposes {
        for (class, count) in counts.classes() {
            put(fields, format!("{purpose}_{class}_requests"), count.requests);
            put(fields, format!("{purpose}_{class}_bytes"), count.bytes);
        }
    }
}

fn environment(fields: &mut Fields, facts: &RunFacts) {
    let environment = &facts.environment;
    put_known(fields, "revision", environment.revision.as_ref());
    put_known(fields, "cpu_model", environment.cpu_model.as_ref());
    put_known(fields, "cores", environment.cores);
    put_known(fields, "steal_share", environment.steal_share);
    put_known(fields, "rustc", environment.rustc.as_ref());
    put(fields, "debug_assertions", environment.debug_assertions);
    put_known(fields, "opt_level", environment.opt_level);
}
