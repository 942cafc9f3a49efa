//! What changes with the writers' rate: a line for each number of writers.

use std::collections::BTreeMap;

use super::clients;
use crate::plot::{
    figure::{Axis, Figure, Panel, Point, Series},
    files::Cell,
    scale::Scale,
    style::Dash,
};
use crate::summary::SAMPLES_ENOUGH;

const HEIGHT: f64 = 230.0;
const X: &str = "rate of each writer, commits/s";

/// Cells by their writers, each row in the order of its rates.
type Rows<'a> = BTreeMap<u32, Vec<&'a Cell>>;

/// The plots of a sweep; none if all cells have the same rate.
pub(super) fn figures(cells: &[Cell]) -> Vec<Figure> {
    let mut rows = Rows::new();
    for cell in cells {
        rows.entry(cell.columns.num_writers).or_default().push(cell);
    }
    for row in rows.values_mut() {
        row.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
    }
    let Some(first) = cells.first().map(rate) else {
        return Vec::new();
    };
    if cells.iter().all(|cell| rate(cell).total_cmp(&first).is_eq()) {
        return Vec::new();
    }
    [
        latency(
            &rows,
            ("writers", "write_response"),
            "Commits: latency against rate",
            "Response time, from due to answer. Where a line rises, writers wait for one another.",
        ),
        latency(
            &rows,
            ("readers", "read_response"),
            "Fresh reads: latency against the writers' rate",
            "Response time, from due to answer. A flat line says that readers do not wait for writers.",
        ),
        service(&rows),
        conflicts(&rows),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn rate(cell: &Cell) -> f64 {
    cell.columns.writer_rate
}

fn latency(rows: &Rows<'_>, (who, of): (&str, &str), title: &str, caption: &str) -> Option<Figure> {
    let lines = lines(
        rows,
        [("p50", Dash::Solid), ("p99", Dash::Dashed)],
        |cell, place| {
            let percentiles = cell.percentiles(of);
            let value = if place == 0 {
                percentiles.p50
            } else {
                percentiles.p99
            };
            Some((value?, percentiles.few()))
        },
    );
    Figure::of_panels(
        format!("latency_{who}"),
        title,
        caption,
        vec![milliseconds(rows, "response time, ms", lines)],
    )
}

fn service(rows: &Rows<'_>) -> Option<Figure> {
    let names = [("response", Dash::Solid), ("service", Dash::Dashed)];
    let lines = lines(rows, names, |cell, place| {
        let of = ["write_response", "write_service"].get(place)?;
        let percentiles = cell.percentiles(of);
        Some((percentiles.p99?, percentiles.few()))
    });
    Figure::of_panels(
        "response_and_service",
        "Commits: p99 of response and of service",
        "Service time leaves out what a commit waited before it was begun. Where the two part, a queue has grown.",
        vec![milliseconds(rows, "p99, ms", lines)],
    )
}

fn conflicts(rows: &Rows<'_>) -> Option<Figure> {
    let names = [("measured", Dash::Solid), ("predicted", Dash::Dashed)];
    let lines = lines(rows, names, |cell, place| {
        let rate = cell.number(["conflict_rate", "conflict_rate_predicted"].get(place)?)?;
        let few = place == 0 && cell.count("attempts").is_some_and(|n| n < SAMPLES_ENOUGH);
        Some((rate * 100.0, few))
    });
    let values: Vec<_> = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.y)
        .collect();
    let panel = Panel {
        x: x_axis(rows),
        y: Axis::new(
            "attempts that lost their precondition, %",
            Scale::from_zero(values),
        ),
        height: HEIGHT,
        series: lines,
    };
    Figure::of_panels(
        "conflicts",
        "Conflict rate: measured and predicted",
        "Predicted is the chance that another writer of a Poisson load commits while one is at it.",
        vec![panel],
    )
}

fn milliseconds(rows: &Rows<'_>, label: &str, series: Vec<Series>) -> Panel {
    let values: Vec<_> = series
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.y)
        .collect();
    Panel {
        x: x_axis(rows),
        y: Axis::new(label, Scale::log(values)),
        height: HEIGHT,
        series,
    }
}

fn x_axis(rows: &Rows<'_>) -> Axis {
    let rates = rows.values().flatten().map(|cell| rate(cell));
    Axis::new(X, Scale::from_zero(rates))
}

/// Two lines for each number of writers: `value` tells the point of a cell on the first or the second.
fn lines(
    rows: &Rows<'_>,
    names: [(&str, Dash); 2],
    value: impl Fn(&Cell, usize) -> Option<(f64, bool)>,
) -> Vec<Series> {
    let mut lines = Vec::new();
    for (colour, (writers, row)) in rows.iter().enumerate() {
        for (place, (name, dash)) in names.iter().enumerate() {
            let points = row.iter().filter_map(|cell| {
                let (y, few) = value(cell, place)?;
                let x = rate(cell);
                Some(Point { x, y, few })
            });
            let label = format!("{}, {name}", clients(*writers, "writer"));
            lines.push(Series::new(label, colour, points.collect()).dashed(*dash));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::plot::{
        figure::{Body, FEW_SAMPLES},
        files::{
            RunFiles,
            sample::{folder, sweep},
        },
    };

    fn of_sweep() -> Vec<Figure> {
        let folder = folder("by-rate", &sweep());
        let files = RunFiles::read(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        figures(&files.cells)
    }

    #[test]
    fn a_line_for_each_number_of_writers_and_percentile() {
        let figures = of_sweep();
        let svg = figures[0].inline();
        for label in [
            "1 writer, p50",
            "1 writer, p99",
            "2 writers, p50",
            "2 writers, p99",
            X,
        ] {
            assert!(svg.contains(&format!(">{label}<")), "{label}");
        }
        let Body::Panels(panels) = &figures[0].body else {
            panic!("{figures:?}");
        };
        let series = &panels[0].series;
        assert_eq!(series.len(), 4);
        let rates: Vec<_> = series[0].points.iter().map(|point| point.x).collect();
        assert_eq!(rates, [0.05, 0.1, 0.2]);
        assert!(series[0].points[0].y < series[1].points[0].y);
    }

    #[test]
    fn twelve_commits_are_marked_as_few_and_24_000_reads_are_not() {
        let figures = of_sweep();
        assert!(figures[0].inline().contains(FEW_SAMPLES));
        assert!(!figures[1].inline().contains(FEW_SAMPLES));
    }

    #[test]
    fn conflicts_are_in_percent() {
        let figures = of_sweep();
        let Body::Panels(panels) = &figures[3].body else {
            panic!("{figures:?}");
        };
        let measured = &panels[0].series[2];
        assert_eq!(measured.label, "2 writers, measured");
        assert!((measured.points[2].y - 2.5).abs() < 1e-9, "{measured:?}");
    }

    #[test]
    fn one_rate_makes_no_line() {
        let folder = folder("one-rate", &sweep());
        let files = RunFiles::read(&folder).unwrap();
        fs::remove_dir_all(folder).unwrap();
        assert!(figures(&files.cells[..1]).is_empty());
        assert!(figures(&[]).is_empty());
    }
}
