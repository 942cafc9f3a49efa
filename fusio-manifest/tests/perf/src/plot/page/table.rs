//! Tables that scroll by themselves where the page is narrow.

use crate::plot::{scale::thousands, svg::escape};

/// A table of which the first column names the row.
#[derive(Debug, Default)]
pub(in crate::plot) struct Table {
    head: Vec<String>,
    rows: Vec<(&'static str, Vec<String>)>,
}

impl Table {
    pub(in crate::plot) fn new<'a>(head: impl IntoIterator<Item = &'a str>) -> Self {
        let head = head.into_iter().map(str::to_owned).collect();
        Self {
            head,
            rows: Vec::new(),
        }
    }

    pub(in crate::plot) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(("", cells));
    }

    /// A row of sums.
    pub(in crate::plot) fn sum(&mut self, cells: Vec<String>) {
        self.rows.push((" class=\"sum\"", cells));
    }

    pub(in crate::plot) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(in crate::plot) fn html(&self) -> String {
        let head: String = self
            .head
            .iter()
            .map(|name| format!("<th scope=\"col\">{}</th>", escape(name)))
            .collect();
        let rows: String = self.rows.iter().map(|(class, cells)| row(class, cells)).collect();
        format!(
            "<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
        )
    }
}

fn row(class: &str, cells: &[String]) -> String {
    let mut text = format!("<tr{class}>");
    for (place, cell) in cells.iter().enumerate() {
        let cell = escape(cell);
        let element = match place {
            0 => format!("<th scope=\"row\">{cell}</th>"),
            _ => format!("<td>{cell}</td>"),
        };
        text.push_str(&element);
    }
    text.push_str("</tr>\n");
    text
}

/// What stands in a table where nothing is known.
pub(in crate::plot) const UNKNOWN: &str = "–";

/// A number with so many decimals.
pub(in crate::plot) fn decimals(number: Option<f64>, digits: usize) -> String {
    match number {
        Some(number) => {
            let text = format!("{number:.digits$}");
            let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |parts| parts);
            let point = if rest.is_empty() { "" } else { "." };
            match whole.strip_prefix('-') {
                Some(whole) => format!("-{}{point}{rest}", thousands(whole)),
                None => format!("{}{point}{rest}", thousands(whole)),
            }
        }
        None => UNKNOWN.to_owned(),
    }
}

/// A count with commas.
pub(in crate::plot) fn count(number: Option<u64>) -> String {
    number.map_or(UNKNOWN.to_owned(), |number| thousands(&number.to_string()))
}

/// A share as a percentage.
pub(in crate::plot) fn percent(share: Option<f64>) -> String {
    match share {
        Some(share) => format!("{} %", decimals(Some(share * 100.0), 2)),
        None => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_escapes_what_it_shows() {
        let mut table = Table::new(["a & b", "c"]);
        table.row(vec!["<x>".to_owned(), decimals(Some(1_234.567), 1)]);
        table.sum(vec!["all".to_owned(), count(None)]);
        let html = table.html();
        for text in [
            "<th scope=\"col\">a &amp; b</th>",
            "<th scope=\"row\">&lt;x&gt;</th><td>1,234.6</td>",
            "<tr class=\"sum\"><th scope=\"row\">all</th><td>–</td>",
        ] {
            assert!(html.contains(text), "{text} is missing from {html}");
        }
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!(percent(Some(0.0123)), "1.23 %");
        assert_eq!(count(Some(24_000)), "24,000");
        assert_eq!(decimals(Some(-0.5), 2), "-0.50");
    }
}
