//! The numbers: latencies of each thing, and what each cell came to.

use super::table::{Table, count, decimals, percent};
use crate::plot::files::{Cell, Percentiles};

/// Whose percentiles, by the name of their columns.
const SPREADS: [(&str, &str); 7] = [
    ("commits, response", "write_response"),
    ("commits, service", "write_service"),
    ("reads, response", "read_response"),
    ("reads, service", "read_service"),
    ("bare PUT", "floor_put"),
    ("bare GET", "floor_get"),
    ("lateness of issue", "lateness"),
];

/// Said below tables in which a number is marked.
const FEW: &str = "<p class=\"quiet\">† fewer than 100 samples: mostly chance.</p>\n";

pub(super) fn section(cells: &[Cell]) -> String {
    let table = match cells {
        [] => return String::new(),
        [cell] => of_one(cell),
        several => of_several(several),
    };
    let note = if table.contains('†') { FEW } else { "" };
    format!("<section>\n<h2>Numbers</h2>\n{table}{note}</section>\n")
}

fn of_one(cell: &Cell) -> String {
    let mut table = Table::new(["ms", "p50", "p95", "p99", "p99.9", "max", "samples"]);
    for (name, of) in SPREADS {
        let found = cell.percentiles(of);
        if found.samples.is_some_and(|samples| samples > 0) || found.p50.is_some() {
            table.row(spread(name, &found));
        }
    }
    let mut figures = Table::new(["", "commits", "reads"]);
    let rates = [cell.columns.write_tps, cell.columns.read_tps];
    pair(&mut figures, "achieved, per second", rates.map(Some), 2);
    for (name, of, scale, digits) in [
        (
            "offered, per second",
            ["write_offered_per_s", "read_offered_per_s"],
            1.0,
            2,
        ),
        (
            "p50 / bare request's p50",
            ["commit_floor_ratio", "read_floor_ratio"],
            1.0,
            3,
        ),
        (
            "requests waited for",
            ["requests_per_commit_path", "requests_per_read"],
            1.0,
            3,
        ),
        (
            "requests, with maintenance",
            ["requests_per_commit_total", ""],
            1.0,
            3,
        ),
        (
            "dollars per million",
            ["dollars_per_commit", "dollars_per_read"],
            1e6,
            4,
        ),
        ("dropped arrivals", ["write_dropped", "read_dropped"], 1.0, 0),
        (
            "longest backlog",
            ["write_backlog_max", "read_backlog_max"],
            1.0,
            0,
        ),
    ] {
        let values = of.map(|name| cell.number(name).map(|number| number * scale));
        pair(&mut figures, name, values, digits);
    }
    format!(
        "<h3>Latency</h3>\n{}<h3>Rates and costs</h3>\n{}",
        table.html(),
        figures.html()
    )
}

fn pair(table: &mut Table, name: &str, values: [Option<f64>; 2], digits: usize) {
    if values.iter().any(Option::is_some) {
        let [commits, reads] = values.map(|value| decimals(value, digits));
        table.row(vec![name.to_owned(), commits, reads]);
    }
}

fn spread(name: &str, found: &Percentiles) -> Vec<String> {
    let mark = if found.few() { "†" } else { "" };
    let shown = |number: Option<f64>| {
        let mark = if number.is_some() { mark } else { "" };
        format!("{}{mark}", decimals(number, 2))
    };
    vec![
        name.to_owned(),
        // What fits a phone without scrolling comes first.
        shown(found.p50),
        shown(found.p95),
        shown(found.p99),
        shown(found.p999),
        // A maximum is what it is, of however many.
        decimals(found.max, 2),
        count(found.samples),
    ]
}

fn of_several(cells: &[Cell]) -> String {
    let mut table = Table::new([
        "cell",
        "commit p50, ms",
        "p99",
        "service p99",
        "commits",
        "read p50, ms",
        "p99",
        "service p99",
        "reads",
        "lost preconditions",
        "predicted",
        "commit / floor",
        "read / floor",
        "requests per commit",
        "per read",
        "valid",
    ]);
    for cell in cells {
        let [write, served, read, read_served] =
            ["write_response", "write_service", "read_response", "read_service"]
                .map(|of| cell.percentiles(of));
        let ms = |found: &Percentiles, value: Option<f64>| {
            let mark = if found.few() && value.is_some() { "†" } else { "" };
            format!("{}{mark}", decimals(value, 1))
        };
        let valid = match (cell.detail("valid"), cell.detail("reason")) {
            (Some("true"), _) => "yes".to_owned(),
            (Some(_), Some(reason)) => format!("no: {reason}"),
            (Some(_), None) => "no".to_owned(),
            (None, _) => "unknown".to_owned(),
        };
        table.row(vec![
            cell.label().to_owned(),
            ms(&write, write.p50),
            ms(&write, write.p99),
            ms(&served, served.p99),
            count(write.samples),
            ms(&read, read.p50),
            ms(&read, read.p99),
            ms(&read_served, read_served.p99),
            count(Some(cell.columns.total_reads)),
            percent(Some(cell.columns.precondition_failure_rate)),
            percent(cell.number("conflict_rate_predicted")),
            decimals(cell.number("commit_floor_ratio"), 2),
            decimals(cell.number("read_floor_ratio"), 2),
            decimals(cell.number("requests_per_commit_total"), 2),
            decimals(cell.number("requests_per_read"), 2),
            valid,
        ]);
    }
    table.html()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plot::files::{
        RunFiles,
        sample::{baseline, folder, sweep},
    };

    fn shown(files: &[(String, Vec<u8>)]) -> String {
        let folder = folder("numbers", files);
        let files = RunFiles::read(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        section(&files.cells)
    }

    /// The sample: reads take 20 to 119 ms from due, each issued 0.2 ms late.
    #[test]
    fn response_and_service_stand_one_below_the_other() {
        let html = shown(&baseline());
        for row in [
            "<th scope=\"row\">reads, response</th><td>69.",
            "<th scope=\"row\">reads, service</th><td>68.",
            "<th scope=\"row\">bare PUT</th><td>60.",
        ] {
            assert!(html.contains(row), "{row} is missing from {html}");
        }
        assert!(html.contains("<td>24,000</td></tr>"), "{html}");
    }

    #[test]
    fn percentiles_of_few_samples_are_marked_and_the_mark_is_explained() {
        for html in [shown(&baseline()), shown(&sweep())] {
            assert!(html.contains("†</td>") && html.contains(FEW), "{html}");
        }
        let html = shown(&baseline());
        let reads = html
            .lines()
            .find(|line| line.contains("reads, response"))
            .unwrap();
        assert!(!reads.contains('†'), "{reads}");
    }
}
