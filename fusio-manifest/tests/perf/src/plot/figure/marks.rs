//! Lines and markers.

use super::{Panel, Series, axes::Frame};
use crate::plot::{
    style::{COLOURS, Dash, Marker, on_paper},
    svg::{Canvas, px},
};

/// The size of a marker, and of one among many.
pub(super) const LARGE: f64 = 4.5;
const SMALL: f64 = 2.6;
/// More points than this are marked small.
const MANY: usize = 30;

/// Opens a group in a series' colour.
pub(super) fn group(colour: usize) -> String {
    let (number, paper) = (colour % COLOURS.len(), on_paper(colour));
    format!("<g class=\"c{number}\" stroke=\"{paper}\" color=\"{paper}\">")
}

/// A line, without a fill also where no style sheet is known.
pub(super) fn path(dash: Dash, d: &str) -> String {
    let pattern = match dash {
        Dash::Solid | Dash::Absent => "",
        Dash::Dashed => " stroke-dasharray=\"7 5\"",
        Dash::Dotted => " stroke-dasharray=\"1 5\"",
    };
    let class = dash.class();
    format!("<path class=\"{class}\" fill=\"none\" stroke-width=\"2\"{pattern} d=\"{d}\"/>")
}

/// Draws one series; what has no place on the axes is left out.
pub(super) fn draw(canvas: &mut Canvas, frame: &Frame, panel: &Panel, series: &Series) {
    let places: Vec<_> = series
        .points
        .iter()
        .filter_map(|point| Some((frame.place(panel, point.x, point.y)?, point.few)))
        .collect();
    canvas.raw(&group(series.colour));
    let mut d = String::new();
    for (number, ((x, y), _)) in places.iter().enumerate() {
        let command = if number == 0 { 'M' } else { 'L' };
        d.push_str(&format!("{command}{} {}", px(*x), px(*y)));
    }
    if places.len() > 1 && series.dash != Dash::Absent {
        canvas.raw(&path(series.dash, &d));
    }
    if let Some(marker) = series.marker {
        let size = if places.len() > MANY { SMALL } else { LARGE };
        for (at, few) in &places {
            mark(canvas, marker, *at, size, *few);
        }
    }
    canvas.raw("</g>");
}

/// One marker, in the colour of its group.
pub(super) fn mark(canvas: &mut Canvas, marker: Marker, (x, y): (f64, f64), size: f64, hollow: bool) {
    let (class, fill) = if hollow {
        ("mark hollow", "#ffffff")
    } else {
        ("mark", "currentColor")
    };
    if marker.corners().is_empty() {
        let (x, y, radius) = (px(x), px(y), px(size));
        canvas.raw(&format!(
            "<circle class=\"{class}\" fill=\"{fill}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>"
        ));
        return;
    }
    let corners = marker.corners().iter();
    let points: Vec<_> = corners
        .map(|(right, down)| format!("{},{}", px(x + right * size), px(y + down * size)))
        .collect();
    let points = points.join(" ");
    canvas.raw(&format!(
        "<polygon class=\"{class}\" fill=\"{fill}\" points=\"{points}\"/>"
    ));
}
