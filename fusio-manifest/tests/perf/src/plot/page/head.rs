//! The top of the report: what came of the run, why, and what was run where.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::plot::{
    files::{Cell, RunFiles},
    scale::plain,
    svg::escape,
};

/// What the page is called.
pub(super) fn title(files: &RunFiles) -> String {
    let scenario = files.text("scenario").unwrap_or("Results without a result line");
    match files.text("store").or(files.detail("store")) {
        Some(store) => format!("{scenario}, {store} store"),
        None => scenario.to_owned(),
    }
}

pub(super) fn head(files: &RunFiles) -> String {
    let verdict = files.text("verdict").or(files.detail("verdict"));
    let class = if verdict == Some("pass") { "pass" } else { "fail" };
    let shown = verdict.unwrap_or("verdict unknown").to_uppercase();
    let mut text = format!(
        "<header>\n<h1>{}</h1>\n<p><span class=\"verdict {class}\">{}</span>{}</p>\n",
        escape(&title(files)),
        escape(&shown),
        validity(files)
    );
    match files.text("reason") {
        Some(reason) => text.push_str(&format!("<p class=\"reason bad\">Why: {}</p>\n", escape(reason))),
        None if verdict == Some("pass") => text.push_str("<p>Every check of the scenario held.</p>\n"),
        None => {}
    }
    text.push_str("</header>\n<section>\n<h2>What was run</h2>\n");
    text.push_str(&facts(&load(files)));
    text.push_str("<h3>Where</h3>\n");
    text.push_str(&facts(&place(files)));
    text.push_str("</section>\n");
    text
}

fn validity(files: &RunFiles) -> String {
    let invalid = files
        .cells
        .iter()
        .filter(|cell| cell.detail("valid") == Some("false"));
    let invalid = invalid.count();
    match (files.field("valid").and_then(Value::as_bool), invalid) {
        (Some(true), 0) => "<span>valid: the load was offered as configured</span>".to_owned(),
        (Some(false), 0) => "<span class=\"bad\">not valid</span>".to_owned(),
        (None, 0) => "<span class=\"quiet\">validity unknown</span>".to_owned(),
        (_, _) => format!(
            "<span class=\"bad\">not valid: the load was not offered as configured in {invalid} of {} cells</span>",
            files.cells.len()
        ),
    }
}

type Facts = Vec<(&'static str, Option<String>)>;

fn facts(facts: &Facts) -> String {
    let mut text = String::from("<dl class=\"facts\">\n");
    for (name, value) in facts {
        if let Some(value) = value {
            text.push_str(&format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(value)));
        }
    }
    text.push_str("</dl>\n");
    text
}

fn load(files: &RunFiles) -> Facts {
    let all = |of: fn(&Cell) -> f64, unit: &str| {
        let values = each(&files.cells, of)?;
        Some(format!("{values}{unit}"))
    };
    let cells = files.cells.len();
    vec![
        ("Cells", (cells > 1).then(|| cells.to_string())),
        ("Writers", all(|cell| f64::from(cell.columns.num_writers), "")),
        (
            "Rate of each writer",
            all(|cell| cell.columns.writer_rate, " commits/s"),
        ),
        ("Readers", all(|cell| f64::from(cell.columns.num_readers), "")),
        (
            "Rate of each reader",
            all(|cell| cell.columns.reader_rate, " reads/s"),
        ),
        ("Measured", all(|cell| cell.columns.duration, " s")),
        ("Writers' client", files.detail("writer_kind").map(str::to_owned)),
        (
            "Keys of read-modify-writers",
            all(|cell| f64::from(cell.columns.key_pool_size), ""),
        ),
        (
            "Share of them in common",
            all(|cell| cell.columns.key_overlap_ratio, ""),
        ),
        (
            "Retries allowed to a write",
            all(|cell| f64::from(cell.columns.max_retry_count), ""),
        ),
    ]
}

/// The different values of the cells, in order.
fn each(cells: &[Cell], of: fn(&Cell) -> f64) -> Option<String> {
    let mut values: Vec<f64> = cells.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let mut said: Vec<String> = values.into_iter().map(plain).collect();
    said.dedup();
    (!said.is_empty()).then(|| said.join(", "))
}

fn place(files: &RunFiles) -> Facts {
    let detail = |name: &str| files.detail(name).map(str::to_owned);
    let result = |name: &str| files.text(name).map(str::to_owned);
    let seed = files.field("seed").map(Value::to_string);
    let latency = result("latency").or(detail("latency"));
    let steals: BTreeSet<_> = files
        .cells
        .iter()
        .filter_map(|cell| cell.detail("steal_share"))
        .collect();
    let steal = steals
        .into_iter()
        .next_back()
        .and_then(|share| share.parse::<f64>().ok())
        .map(|share| format!("{:.1} % of processor time", share * 100.0));
    vec![
        ("Store", result("store").or(detail("store"))),
        (
            "Latency profile",
            Some(latency.unwrap_or("none: the store's own".to_owned())),
        ),
        ("Faults injected", detail("faults")),
        ("Seed", seed.or(detail("seed"))),
        ("Revision", detail("revision")),
        ("Processor", detail("cpu_model")),
        ("Cores", detail("cores")),
        ("Stolen by the hypervisor", steal),
        ("Compiler", detail("rustc")),
        ("Optimisation level", detail("opt_level")),
        ("Debug assertions", detail("debug_assertions")),
        ("Prices", detail("price_table")),
    ]
}
