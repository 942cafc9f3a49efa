//! Every setting by name: what it defaults to, in which unit, and what it does.

/// One environment variable that the harness reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub name: &'static str,
    /// What holds when it is not set; empty if nothing does.
    pub default: &'static str,
    /// The unit of a number, or the kind of text.
    pub unit: &'static str,
    /// What it does.
    pub what: &'static str,
}

const fn setting(
    name: &'static str,
    default: &'static str,
    unit: &'static str,
    what: &'static str,
) -> Setting {
    Setting {
        name,
        default,
        unit,
        what,
    }
}

/// The settings that a scenario of this version uses.
pub const SETTINGS: &[Setting] = &[
    setting("PERF_NUM_WRITERS", "1", "clients", "writers"),
    setting("PERF_NUM_READERS", "2", "clients", "readers"),
    setting(
        "PERF_WRITER_RATE",
        "0.1",
        "commits/s",
        "rate that each writer offers",
    ),
    setting(
        "PERF_READER_RATE",
        "100",
        "reads/s",
        "rate that each reader offers",
    ),
    setting(
        "PERF_DURATION_SECS",
        "120",
        "seconds",
        "how long operations fall due, without warm-up and drain",
    ),
    setting(
        "PERF_MAX_RETRY_COUNT",
        "10",
        "retries",
        "how often a write that lost is tried again",
    ),
    setting(
        "PERF_KEY_POOL_SIZE",
        "1000",
        "keys",
        "keys that a read-modify-writer draws from",
    ),
    setting(
        "PERF_KEY_OVERLAP_RATIO",
        "0.1",
        "share",
        "share of those keys that all writers have in common",
    ),
    setting(
        "PERF_WRITER_KIND",
        "monotonic",
        "`monotonic`, `writer`",
        "appends new keys with the engine's rebase, or read-modify-write in single attempts",
    ),
    setting("PERF_SEED", "42", "number", "decides every draw of a run"),
    setting(
        "PERF_WARMUP_SECS",
        "2",
        "seconds",
        "load before the measurement, not counted",
    ),
    setting(
        "PERF_IN_FLIGHT",
        "1024",
        "operations",
        "open operations per client; arrivals beyond it are dropped",
    ),
    setting(
        "PERF_ARRIVALS",
        "periodic",
        "`periodic`, `poisson`",
        "how arrivals are spaced",
    ),
    setting(
        "PERF_STORE",
        "embedded",
        "`embedded`, `s3`, `simulated`",
        "an S3 server inside the test, a real one, or the server's latencies in virtual time",
    ),
    setting(
        "PERF_LATENCY",
        "s3-standard",
        "`s3-standard`, `s3-express`, `none`, `get=..,put=..,cas=..`",
        "delays of the embedded or simulated store: median ms and sigma of a lognormal per request class",
    ),
    setting(
        "PERF_FAULTS",
        "",
        "rules",
        "faults that the embedded or simulated store injects",
    ),
    setting(
        "PERF_S3_BUCKET",
        "",
        "name",
        "bucket of the real store; required there",
    ),
    setting(
        "PERF_S3_ENDPOINT",
        "",
        "URL",
        "endpoint of the real store, path style; AWS if not set",
    ),
    setting(
        "PERF_S3_CREATE_BUCKET",
        "0",
        "`0`, `1`",
        "creates the bucket if it is missing",
    ),
    setting(
        "PERF_MAX_REQUESTS",
        "",
        "requests",
        "bounds the bill of a run; no bound if not set",
    ),
    setting(
        "PERF_OUT",
        "target/perf",
        "directory",
        "where results go; relative to the workspace",
    ),
    setting(
        "PERF_KEEP",
        "0",
        "`0`, `1`",
        "keeps the objects that a run wrote to the real store",
    ),
    setting(
        "PERF_SUMMARY",
        "",
        "file",
        "appends a summary in markdown; relative to the workspace",
    ),
    setting(
        "PERF_COMMITS",
        "1000",
        "commits",
        "commits that `test_requests` makes",
    ),
    setting(
        "PERF_KEYS",
        "1000000",
        "keys",
        "keys of 100-byte values that `test_scale` loads, 1000 to 10000000; a tenth as many updates follow",
    ),
    setting(
        "PERF_TASKS",
        "64",
        "tasks",
        "tasks that commit at once on the one handle of `test_group_commit`, and update in `test_scale`",
    ),
    setting(
        "PERF_HANDLES",
        "8",
        "handles",
        "handles that fight over one HEAD in `test_contention`",
    ),
    setting(
        "PERF_KILLS",
        "",
        "processes",
        "processes that `test_crash` kills at random moments, spread over its duration; one every 2 s if not set",
    ),
    setting(
        "PERF_PARALLEL",
        "8",
        "cells",
        "cells of `test_comprehensive_sweep` that run at once",
    ),
    setting(
        "PERF_SEEDS",
        "1000",
        "seeds",
        "cases that `test_simulation` plays, one a seed from `PERF_SEED` on; `test_mutants` plays up to 3000 of each mutant unless it is set",
    ),
    setting(
        "PERF_CASE",
        "",
        "case",
        "the one case that `test_simulation` plays, as it prints those that fail",
    ),
    setting(
        "PERF_COMPARE",
        "",
        "file",
        "CSV of an earlier run of the same configuration that this one is held against; relative to the workspace",
    ),
    setting(
        "PERF_GATE_LATENCY",
        "0",
        "`0`, `1`",
        "measures six repeats, records them, and fails on a regression of latency against a recording",
    ),
];

/// Variables of Linux perf, which have nothing to do with this harness.
pub(super) const LINUX_PERF: &[&str] = &[
    "PERF_BUILDID_DIR",
    "PERF_COLOR",
    "PERF_CONFIG",
    "PERF_CONFIG_NOGLOBAL",
    "PERF_CONFIG_NOSYSTEM",
    "PERF_DEBUGFS_DIR",
    "PERF_DIR",
    "PERF_EXEC_PATH",
    "PERF_PAGER",
    "PERF_PAGER_IN_USE",
    "PERF_TRACEFS_DIR",
    "PERF_WORK_TREE",
];

/// The table of settings in markdown, as the README shows it between `<!-- settings -->` and
/// `<!-- /settings -->`. Ends with a newline.
pub fn markdown() -> String {
    let mut table = String::from("| variable | default | unit or values | what |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let default = match setting.default {
            "" => "not set".to_owned(),
            default => format!("`{default}`"),
        };
        let Setting { name, unit, what, .. } = setting;
        table.push_str(&format!("| `{name}` | {default} | {unit} | {what} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::output::workspace_root;

    #[test]
    fn every_name_stands_in_one_list_once() {
        let names: Vec<&str> = SETTINGS
            .iter()
            .map(|setting| setting.name)
            .chain(LINUX_PERF.iter().copied())
            .collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(names.iter().all(|name| name.starts_with("PERF_")), "{names:?}");
    }

    #[test]
    fn no_cell_of_the_markdown_table_breaks_its_row() {
        for line in markdown().lines() {
            assert_eq!(line.matches('|').count(), 5, "{line}");
        }
    }

    #[test]
    fn the_readme_shows_this_table() {
        let Ok(readme) = fs::read_to_string(workspace_root().join("README.md")) else {
            return;
        };
        let Some((_, rest)) = readme.split_once("<!-- settings -->") else {
            return;
        };
        let (shown, _) = rest
            .split_once("<!-- /settings -->")
            .expect("the table's end is marked");
        assert_eq!(
            shown.trim(),
            markdown().trim(),
            "the README's table of settings is out of date:\n{}",
            markdown()
        );
    }
}
