//! Requests and dollars by class, and attempts by what came of them.

use super::table::{Table, count, decimals, percent};
use crate::{
    plot::{files::Cell, svg::escape},
    price::PriceTable,
    requests::{ClassCount, RequestCounts},
};

const MILLION: f64 = 1e6;

pub(super) fn sections(cells: &[Cell]) -> String {
    format!("{}{}", requests(cells), attempts(cells))
}

fn requests(cells: &[Cell]) -> String {
    let mut text = String::new();
    if cells.len() > 1 {
        text.push_str(&totals(cells));
    }
    for cell in cells {
        let own = by_class(cell);
        if own.is_empty() {
            continue;
        }
        if cells.len() == 1 {
            text.push_str(&own);
        } else {
            let label = escape(cell.label());
            text.push_str(&format!(
                "<details>\n<summary>{label}, by class</summary>\n{own}</details>\n"
            ));
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "<section>\n<h2>Requests and dollars</h2>\n<p class=\"quiet\">Without open, probe, warm-up, floor and cleanup. \
         Commits carry the engine's maintenance. List prices; a request that loses its condition is billed too.</p>\n\
         {text}</section>\n"
    )
}

fn totals(cells: &[Cell]) -> String {
    let mut table = Table::new([
        "cell",
        "dollars per million commits",
        "dollars per million reads",
        "dollars of lost races",
        "dollars of the cell",
    ]);
    for cell in cells {
        let million = |name: &str| decimals(cell.number(name).map(|dollars| dollars * MILLION), 4);
        table.row(vec![
            cell.label().to_owned(),
            million("dollars_per_commit"),
            million("dollars_per_read"),
            decimals(cell.number("dollars_lost_races"), 6),
            decimals(cell.number("dollars_total"), 6),
        ]);
    }
    table.html()
}

/// What a million of one operation takes.
struct Bill {
    counts: RequestCounts,
    operations: u64,
}

impl Bill {
    fn commits(cell: &Cell) -> Option<Self> {
        Some(Self {
            counts: cell.requests("writers")?.plus(&cell.requests("maintenance")?),
            operations: cell.count("write_response_samples")?,
        })
    }

    fn reads(cell: &Cell) -> Option<Self> {
        Some(Self {
            counts: cell.requests("readers")?,
            operations: cell.count("read_response_samples")?,
        })
    }

    fn per_million(&self, number: f64) -> Option<f64> {
        (self.operations > 0).then(|| number * MILLION / self.operations as f64)
    }
}

/// The class at this place alone.
fn only(counts: &RequestCounts, class: &str) -> RequestCounts {
    let pick = |name: &str, own: ClassCount| if name == class { own } else { ClassCount::default() };
    RequestCounts {
        conditional_put: pick("conditional_put", counts.conditional_put),
        put: pick("put", counts.put),
        conditional_get: pick("conditional_get", counts.conditional_get),
        get: pick("get", counts.get),
        list: pick("list", counts.list),
        delete: pick("delete", counts.delete),
    }
}

fn by_class(cell: &Cell) -> String {
    let (Some(commits), Some(reads)) = (Bill::commits(cell), Bill::reads(cell)) else {
        return String::new();
    };
    let prices = cell.prices();
    let mut table = Table::new([
        "class",
        "requests per million commits",
        "dollars per million commits",
        "requests per million reads",
        "dollars per million reads",
    ]);
    let classes: Vec<_> = commits.counts.classes().iter().map(|(name, _)| *name).collect();
    for class in classes {
        let parts = [&commits, &reads].map(|bill| only(&bill.counts, class));
        if parts.iter().any(|part| part.requests() > 0) {
            table.row(row(class, [&commits, &reads], &parts, prices));
        }
    }
    table.sum(row(
        "all",
        [&commits, &reads],
        &[commits.counts, reads.counts],
        prices,
    ));
    table.html()
}

fn row(
    name: &str,
    bills: [&Bill; 2],
    counts: &[RequestCounts; 2],
    prices: Option<&PriceTable>,
) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    for (bill, counts) in bills.iter().zip(counts) {
        cells.push(decimals(bill.per_million(counts.requests() as f64), 0));
        let dollars = prices.and_then(|prices| bill.per_million(prices.dollars(counts)));
        cells.push(decimals(dollars, 4));
    }
    cells
}

/// Each PUT of HEAD as one transaction saw it.
const OUTCOMES: [(&str, &str); 7] = [
    ("committed", "attempts_committed"),
    ("lost race (412)", "attempts_lost_race"),
    ("lost conflict (409)", "attempts_lost_conflict"),
    ("HEAD missing (404)", "attempts_head_missing"),
    ("own earlier success", "attempts_own_earlier_success"),
    ("refused", "attempts_refused"),
    ("unknown", "attempts_unknown"),
];

fn attempts(cells: &[Cell]) -> String {
    let head = OUTCOMES.iter().map(|(name, _)| *name);
    let head = ["cell", "attempts"]
        .into_iter()
        .chain(head)
        .chain(["lost, measured", "lost, predicted"]);
    let mut table = Table::new(head);
    for cell in cells.iter().filter(|cell| cell.count("attempts").is_some()) {
        let mut row = vec![cell.label().to_owned(), count(cell.count("attempts"))];
        row.extend(OUTCOMES.iter().map(|(_, column)| count(cell.count(column))));
        row.push(percent(cell.number("conflict_rate")));
        row.push(percent(cell.number("conflict_rate_predicted")));
        table.row(row);
    }
    if table.is_empty() {
        return String::new();
    }
    format!(
        "<section>\n<h2>Attempts by outcome</h2>\n{}</section>\n",
        table.html()
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plot::files::{
        RunFiles,
        sample::{baseline, folder},
    };

    /// The sample: 12 commits by 12 PUTs and 3 of maintenance; 24,000 reads by as many GETs. By hand: 1.25 PUTs a
    /// commit at 0.005 dollars a thousand are 6.25 dollars a million; a GET a read at 0.0004 is 0.4.
    #[test]
    fn dollars_are_what_hand_arithmetic_says() {
        let folder = folder("dollars", &baseline());
        let files = RunFiles::read(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        let html = sections(&files.cells);
        for row in [
            "<th scope=\"row\">conditional_put</th><td>1,250,000</td><td>6.2500</td><td>0</td><td>0.0000</td>",
            "<th scope=\"row\">conditional_get</th><td>0</td><td>0.0000</td><td>1,000,000</td><td>0.4000</td>",
            "<th scope=\"row\">all</th><td>1,250,000</td><td>6.2500</td><td>1,000,000</td><td>0.4000</td>",
        ] {
            assert!(html.contains(row), "{row} is missing from {html}");
        }
        // Classes that nobody sent have no row.
        assert!(!html.contains(">list<"), "{html}");
    }

    #[test]
    fn attempts_are_told_by_outcome() {
        let folder = folder("attempts", &baseline());
        let files = RunFiles::read(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        let html = sections(&files.cells);
        assert!(
            html.contains("<th scope=\"row\">w1_r0.1</th><td>12</td><td>12</td><td>0</td>"),
            "{html}"
        );
    }
}
