//! The summary that a CI job shows.

use super::{Few, Ms, Number, Report};
use crate::summary::Spread;

/// A section in markdown: the verdict, the latencies, what they cost. Begins and ends with a newline, so that
/// sections can be appended to one another.
pub fn markdown_summary(title: &str, store: &str, report: &Report<'_>) -> String {
    let detail = &report.cell.detail;
    let mut text = format!(
        "\n### {title}: {}\n\n{}\n\n",
        report.verdict.as_str(),
        cell(store)
    );
    for failure in report.failures {
        text.push_str(&format!("- failed: {}\n", cell(failure)));
    }
    if let Some(reason) = detail.validity.reason() {
        text.push_str(&format!("- invalid: {}\n", cell(reason)));
    }
    text.push_str("\n| | p50 | p95 | p99 | max |\n|---|--:|--:|--:|--:|\n");
    row(&mut text, "commit", &detail.write.response);
    row(&mut text, "read", &detail.read.response);
    row(&mut text, "bare PUT", &detail.floor_put);
    row(&mut text, "bare GET", &detail.floor_get);
    let numbers = [
        ("commit p50 / bare PUT p50", Number(detail.commit_floor_ratio, 2)),
        ("read p50 / bare GET p50", Number(detail.read_floor_ratio, 2)),
        ("requests per commit", Number(detail.requests_per_commit_path, 2)),
        (
            "requests per commit with maintenance",
            Number(detail.requests_per_commit_total, 2),
        ),
        ("requests per read", Number(detail.requests_per_read, 2)),
    ];
    text.push_str("\n| | |\n|---|--:|\n");
    for (name, number) in numbers {
        text.push_str(&format!("| {name} | {number} |\n"));
    }
    text.push_str(&format!(
        "| lost preconditions | {} |\n",
        detail.attempts.lost_precondition()
    ));
    text
}

fn row(text: &mut String, name: &str, spread: &Spread) {
    let [p50, p95, p99, max] =
        [spread.p50_ms, spread.p95_ms, spread.p99_ms, spread.max_ms].map(|ms| Ms(ms, 1));
    text.push_str(&format!(
        "| {name}{} | {p50} | {p95} | {p99} | {max} |\n",
        Few(spread.samples)
    ));
}

/// Text from outside, kept from ending its line.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
