//! Response time beside service time: what users wait, and what the store takes.

use crate::plot::{
    figure::{Axis, Figure, Panel, Point, Series},
    files::Cell,
    scale::Scale,
    style::Dash,
};

const NAMES: [&str; 5] = ["p50", "p95", "p99", "p99.9", "max"];

/// Both, for writers and readers; none without either.
pub(super) fn figure(cell: &Cell, stem: &str, of: &str) -> Option<Figure> {
    let panels = [("write", "commits, ms"), ("read", "fresh reads, ms")];
    let panels = panels.iter().filter_map(|(role, label)| panel(cell, role, label));
    Figure::of_panels(
        format!("{stem}response_and_service"),
        format!("Response and service time{of}"),
        "A stall of the store is in one service time, and in the response time of everybody who was due meanwhile.",
        panels.collect(),
    )
}

fn panel(cell: &Cell, role: &str, label: &str) -> Option<Panel> {
    let line = |what: &str, label: &str, colour, dash| {
        let percentiles = cell.percentiles(&format!("{role}_{what}"));
        let values = [
            percentiles.p50,
            percentiles.p95,
            percentiles.p99,
            percentiles.p999,
            percentiles.max,
        ];
        let points = (0_u32..).zip(values).filter_map(|(place, value)| {
            Some(Point {
                x: f64::from(place),
                y: value?,
                few: percentiles.few(),
            })
        });
        Series::new(label, colour, points.collect()).dashed(dash)
    };
    let series = vec![
        line("response", "response, due to answer", 0, Dash::Solid),
        line("service", "service, begin to answer", 1, Dash::Dashed),
    ];
    let values: Vec<_> = series
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.y)
        .collect();
    if values.is_empty() {
        return None;
    }
    Some(Panel {
        x: Axis::new("", Scale::names(NAMES)),
        y: Axis::new(label, Scale::log(values)),
        height: 130.0,
        series,
    })
}
