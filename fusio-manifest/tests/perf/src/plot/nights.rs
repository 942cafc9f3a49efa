//! The history of the nights as one page that needs no network: for each store its numbers night by night, and a table.

use std::collections::BTreeMap;

use super::{
    figure::{Axis, Figure, Panel, Point, Series},
    page::{
        PAGE_RULES, grid,
        table::{Table, decimals},
    },
    scale::Scale,
    style::{Dash, RULES, variables},
    svg::escape,
};
use crate::nights::{Night, judge::NIGHTS_MIN};

#[cfg(test)]
mod tests;

const HEIGHT: f64 = 200.0;
/// Nights whose row is shown at once, and those that are folded away behind them; the CSV has them all.
const ROWS_AT_ONCE: usize = 14;
const ROWS_FOLDED: usize = 90;
/// The most reasons that are told.
const REASONS_MAX: usize = 10;

/// A number of a night.
type Column = fn(&Night) -> Option<f64>;

/// The whole page.
///
/// # Errors
///
/// One line: which night is not a day.
pub fn page(nights: &[Night]) -> Result<String, String> {
    let mut stores: BTreeMap<&str, Vec<&Night>> = BTreeMap::new();
    for night in nights {
        stores.entry(&night.store).or_default().push(night);
    }
    let mut body = head(&stores);
    for (store, nights) in &mut stores {
        nights.sort_by(|one, other| one.night.cmp(&other.night));
        body.push_str(&section(store, nights)?);
    }
    body.push_str(&reading());
    let style = format!("{}{PAGE_RULES}{RULES}", variables(":root"));
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>fusio-manifest, night by night</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n\
         {body}</main>\n</body>\n</html>\n"
    ))
}

fn head(stores: &BTreeMap<&str, Vec<&Night>>) -> String {
    let mut text = "<header>\n<h1>fusio-manifest, night by night</h1>\n".to_owned();
    if stores.is_empty() {
        text.push_str("<p>No night has been measured yet.</p>\n");
    }
    text.push_str("<dl class=\"facts\">\n");
    for (store, nights) in stores {
        if let Some(last) = nights.iter().max_by(|one, other| one.night.cmp(&other.night)) {
            let class = if last.passed() { "pass" } else { "fail" };
            text.push_str(&format!(
                "<div><dt>{}, {}</dt><dd><span class=\"verdict {class}\">{}</span>{} nights</dd></div>\n",
                escape(store),
                escape(&last.night),
                escape(&last.verdict.to_uppercase()),
                nights.len()
            ));
        }
    }
    text.push_str("</dl>\n</header>\n");
    text
}

fn section(store: &str, nights: &[&Night]) -> Result<String, String> {
    let figures = figures(store, nights)?;
    let mut text = format!("<section>\n<h2>{}</h2>\n", escape(store));
    if let Some(last) = nights.last() {
        let known = [
            ("load", &last.load),
            ("latency profile", &last.latency),
            ("processor", &last.cpu_model),
        ];
        let known = known
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        let known = known.collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "<p class=\"quiet\">Last night: {}.</p>\n",
            escape(&known)
        ));
    }
    text.push_str(&grid(figures.iter().collect()));
    text.push_str("<h3>Each night, the newest first</h3>\n");
    text.push_str(&table(nights.iter().rev().take(ROWS_AT_ONCE)).html());
    text.push_str(&reasons(nights));
    let earlier = table(nights.iter().rev().skip(ROWS_AT_ONCE).take(ROWS_FOLDED));
    if !earlier.is_empty() {
        text.push_str(&format!(
            "<details>\n<summary>Earlier nights</summary>\n{}</details>\n",
            earlier.html()
        ));
    }
    text.push_str("</section>\n");
    Ok(text)
}

fn table<'a>(nights: impl Iterator<Item = &'a &'a Night>) -> Table {
    let mut table = Table::new([
        "night",
        "verdict",
        "commit p50, ms",
        "commit p99, ms",
        "read p50, ms",
        "read p99, ms",
        "commit / bare PUT",
        "read / bare GET",
        "requests a commit",
        "with main\u{ad}tenance",
        "requests a read",
        "sweep, valid cells",
        "stolen, %",
        "revision",
    ]);
    for night in nights {
        let revision = night.revision.as_deref().unwrap_or_default();
        table.row(vec![
            night.night.clone(),
            night.verdict.clone(),
            decimals(night.write_p50_ms, 1),
            decimals(night.write_p99_ms, 1),
            decimals(night.read_p50_ms, 1),
            decimals(night.read_p99_ms, 1),
            decimals(night.write_p50_of_floor, 2),
            decimals(night.read_p50_of_floor, 2),
            decimals(night.requests_per_commit, 3),
            decimals(night.requests_per_commit_total, 3),
            decimals(night.requests_per_read, 3),
            format!("{} of {}", night.sweep_valid_cells, night.sweep_cells),
            decimals(night.steal_share.map(|share| share * 100.0), 1),
            revision.chars().take(10).collect(),
        ]);
    }
    table
}

fn reasons(nights: &[&Night]) -> String {
    let failed = nights.iter().rev().filter(|night| !night.passed());
    let items: String = failed
        .take(REASONS_MAX)
        .map(|night| {
            let reason = night.reason.as_deref().unwrap_or("no reason was left");
            format!(
                "<li class=\"reason\">{}: {}</li>\n",
                escape(&night.night),
                escape(reason)
            )
        })
        .collect();
    if items.is_empty() {
        return items;
    }
    format!("<h3>Why nights failed</h3>\n<ul class=\"notes\">\n{items}</ul>\n")
}

fn reading() -> String {
    format!(
        "<section>\n<h2>How to read this</h2>\n<p>A point is the median of the repeats of one night. Nights run on \
         machines that differ: compare latencies with the bare requests measured beside them, and look for steps \
         that stay. Request counts do not depend on the machine. A hollow point is a night that failed.</p>\n<p>A night fails on a check of correctness, on request counts that \
         grew, and on latencies that are worse than those of the last night that passed by more than nights differ \
         anyway, which is read off the nights themselves from {NIGHTS_MIN} on.</p>\n</section>\n"
    )
}

fn figures(store: &str, nights: &[&Night]) -> Result<Vec<Figure>, String> {
    let mut days = Vec::with_capacity(nights.len());
    for night in nights {
        days.push(f64::from(night.date()?.to_julian_day()));
    }
    let labels: Vec<(f64, &str)> = days
        .iter()
        .copied()
        .zip(nights.iter().map(|night| night.night.as_str()))
        .collect();
    let plot = Plot {
        nights,
        days: &days,
        x: Axis::new("night", Scale::nights(&labels)),
    };
    let all = [
        plot.latency(
            &format!("{store}_commits"),
            "Commits",
            [
                ("commit p50", |night| night.write_p50_ms),
                ("commit p99", |night| night.write_p99_ms),
                ("bare PUT p50", |night| night.floor_put_p50_ms),
            ],
        ),
        plot.latency(
            &format!("{store}_reads"),
            "Fresh reads",
            [
                ("read p50", |night| night.read_p50_ms),
                ("read p99", |night| night.read_p99_ms),
                ("bare GET p50", |night| night.floor_get_p50_ms),
            ],
        ),
        plot.linear(
            &format!("{store}_floor"),
            ("Beside bare requests", "multiple of the bare request"),
            "Response time / that of the bare request in the same run, at p50. 1 means that nothing is added.",
            &[
                ("commit / bare PUT", |night| night.write_p50_of_floor),
                ("read / bare GET", |night| night.read_p50_of_floor),
            ],
        ),
        plot.linear(
            &format!("{store}_requests"),
            ("Requests", "requests an operation"),
            "What commits and reads waited for, and commits with maintenance. These must not grow.",
            &[
                ("a commit", |night| night.requests_per_commit),
                ("a commit with maintenance", |night| night.requests_per_commit_total),
                ("a read", |night| night.requests_per_read),
            ],
        ),
        plot.linear(
            &format!("{store}_dollars"),
            ("Dollars", "dollars a million"),
            "At list prices, lost races and maintenance included.",
            &[
                ("commits", |night| Some(night.dollars_per_commit? * 1e6)),
                ("reads", |night| Some(night.dollars_per_read? * 1e6)),
            ],
        ),
        plot.linear(
            &format!("{store}_conflicts"),
            ("Conflicts in the sweep", "lost attempts, %"),
            "The largest share of its attempts that any cell of the sweep lost.",
            &[("lost preconditions", |night| Some(night.sweep_conflict_rate_max? * 100.0))],
        ),
    ];
    Ok(all.into_iter().flatten().collect())
}

/// The nights of a store, as plots need them.
struct Plot<'a> {
    nights: &'a [&'a Night],
    days: &'a [f64],
    x: Axis,
}

impl Plot<'_> {
    fn series(&self, lines: &[(&str, Column)]) -> Vec<Series> {
        let dashes = [Dash::Solid, Dash::Dashed, Dash::Dotted];
        let mut all: Vec<Series> = (lines.iter().zip(dashes).enumerate())
            .map(|(colour, ((label, column), dash))| {
                let points = self.nights.iter().zip(self.days).filter_map(|(night, day)| {
                    Some(Point {
                        x: *day,
                        y: column(night)?,
                        few: !night.passed(),
                    })
                });
                Series::new(*label, colour, points.collect()).dashed(dash)
            })
            .collect();
        // The first matters most: nothing is drawn over it.
        all.reverse();
        all
    }

    fn latency(&self, name: &str, title: &str, lines: [(&'static str, Column); 3]) -> Option<Figure> {
        let caption = "Response time, from due to answer; medians of the repeats of a night.";
        let series = self.series(&lines);
        let scale = Scale::log(values(&series));
        self.figure(name, title, caption, Axis::new("ms", scale), series)
    }

    fn linear(
        &self,
        name: &str,
        (title, unit): (&str, &str),
        caption: &str,
        lines: &[(&str, Column)],
    ) -> Option<Figure> {
        let series = self.series(lines);
        let scale = Scale::from_zero(values(&series));
        self.figure(name, title, caption, Axis::new(unit, scale), series)
    }

    fn figure(&self, name: &str, title: &str, caption: &str, y: Axis, series: Vec<Series>) -> Option<Figure> {
        let panel = Panel {
            x: self.x.clone(),
            y,
            height: HEIGHT,
            series,
        };
        let figure = Figure::of_panels(name, title, caption, vec![panel])?;
        Some(figure.hollow_means("hollow: a night that failed"))
    }
}

fn values(series: &[Series]) -> Vec<f64> {
    series
        .iter()
        .flat_map(|series| &series.points)
        .map(|point| point.y)
        .collect()
}
