//! Comparisons as tables: for the console, and in markdown.

use std::io::{self, Write};

use super::{
    Comparison, Judged, Line, Metric,
    gate::{Gate, GateLine, Gated},
    noise::{Limit, Size},
};

/// Text in rows and columns; the first two columns are words, the others numbers or verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// Prints it with aligned columns. A cell's name stands in its first row only.
    ///
    /// # Errors
    ///
    /// `out` cannot be written to.
    pub fn write(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        let mut widths: Vec<usize> = self.header.iter().map(|name| name.chars().count()).collect();
        for row in &self.rows {
            for (width, text) in widths.iter_mut().zip(row) {
                *width = (*width).max(text.chars().count());
            }
        }
        let line = |out: &mut dyn Write, texts: &mut dyn Iterator<Item = &str>| {
            for (place, (text, width)) in texts.zip(&widths).enumerate() {
                match place {
                    0 => write!(out, "{text:<width$}")?,
                    1 => write!(out, "  {text:<width$}")?,
                    _ => write!(out, "  {text:>width$}")?,
                }
            }
            writeln!(out)
        };
        let mut out = out;
        line(&mut out, &mut self.header.iter().copied())?;
        let mut above = None;
        for row in &self.rows {
            let cell = row.first();
            let mut texts: Vec<&str> = row.iter().map(String::as_str).collect();
            if let (true, Some(text)) = (cell == above, texts.first_mut()) {
                *text = "";
            }
            line(&mut out, &mut texts.into_iter())?;
            above = cell;
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(out, "Note: {note}"))
    }

    /// The same in markdown. Begins and ends with a newline.
    pub fn markdown(&self, title: &str) -> String {
        let row = |texts: &mut dyn Iterator<Item = &str>| {
            let cells: Vec<String> = texts
                .map(|text| text.replace('|', "\\|").replace(['\n', '\r'], " "))
                .collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let mut text = format!("\n### {}\n\n", title.replace(['\n', '\r'], " "));
        text.push_str(&row(&mut self.header.iter().copied()));
        let rules = (0..self.header.len()).map(|place| if place < 2 { "---" } else { "--:" });
        text.push_str(&format!("|{}|\n", rules.collect::<Vec<_>>().join("|")));
        for texts in &self.rows {
            text.push_str(&row(&mut texts.iter().map(String::as_str)));
        }
        for note in &self.notes {
            text.push_str(&format!("\nNote: {note}\n"));
        }
        text
    }
}

pub(super) fn of_comparison(comparison: &Comparison) -> Table {
    Table {
        header: vec![
            "cell", "metric", "old", "new", "change", "noise", "from", "verdict",
        ],
        rows: comparison.lines.iter().map(comparison_row).collect(),
        notes: comparison.notes.clone(),
    }
}

fn comparison_row(line: &Line) -> Vec<String> {
    let verdict = match line.judged {
        Judged::Within => "within",
        Judged::Better => "BETTER",
        Judged::Worse => "WORSE",
        Judged::Grew => "GREW",
        Judged::Open(why) => why,
    };
    let noise = line.limit.map(|limit| noise(line.metric, limit, line.old));
    vec![
        line.label.clone(),
        line.metric.name().to_owned(),
        line.metric.show(line.old),
        line.metric.show(line.new),
        change(line.old, line.new),
        noise.unwrap_or_else(|| "-".to_owned()),
        line.limit.map_or("-", |limit| limit.source.as_str()).to_owned(),
        verdict.to_owned(),
    ]
}

/// In percent of the old value.
fn change(old: Option<f64>, new: Option<f64>) -> String {
    match (old, new) {
        (Some(old), Some(new)) if old != 0.0 => format!("{:+.1}%", (new / old - 1.0) * 100.0),
        (Some(_), Some(0.0)) => "+0.0%".to_owned(),
        _ => "-".to_owned(),
    }
}

/// In percent of the old value, as the change is; what has no such percentage stands as it is.
fn noise(metric: Metric, limit: Limit, old: Option<f64>) -> String {
    match (limit.size, old) {
        (Size::Log(limit), _) => format!("±{:.1}%", limit.exp_m1() * 100.0),
        (Size::Difference(limit), _) if metric == Metric::LostPreconditions => {
            format!("±{:.1} points", limit * 100.0)
        }
        (Size::Difference(limit), Some(old)) if old > 0.0 => format!("±{:.1}%", limit / old * 100.0),
        (Size::Difference(limit), _) => format!("±{limit:.3}"),
    }
}

pub(super) fn of_gate(gate: &Gate) -> Table {
    Table {
        header: vec![
            "cell", "metric", "old", "new", "change", "needed", "chance", "verdict",
        ],
        rows: gate.lines.iter().map(gate_row).collect(),
        notes: vec![format!(
            "medians of {} repeats or more on each side",
            gate.repeats
        )],
    }
}

fn gate_row(line: &GateLine) -> Vec<String> {
    let verdict = match line.gated {
        Gated::Within => "within",
        Gated::Better => "BETTER",
        Gated::Regression => "REGRESSION",
        Gated::TooFew => "too few repeats",
        Gated::Uncalibrated => "not calibrated",
    };
    vec![
        line.label.clone(),
        line.metric.name().to_owned(),
        line.metric.show(Some(line.old)),
        line.metric.show(Some(line.new)),
        change(Some(line.old), Some(line.new)),
        format!("±{:.1}%", line.effect_log.exp_m1() * 100.0),
        format!("{:.4}", line.probability),
        verdict.to_owned(),
    ]
}
