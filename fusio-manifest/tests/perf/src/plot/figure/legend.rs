//! What each line and marker stands for.

use super::{FONT, MARGIN, Series, marks, width_of};
use crate::plot::{
    style::{Dash, Marker},
    svg::{Anchor, Canvas, px},
};

const LINE: f64 = 19.0;
/// The sample of a line or bar, and the gap behind it.
const SAMPLE: f64 = 30.0;
const GAP: f64 = 6.0;
/// Between two entries.
const BETWEEN: f64 = 14.0;

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    label: String,
    sample: Sample,
}

#[derive(Debug, Clone, PartialEq)]
enum Sample {
    Line(usize, Dash, Option<Marker>),
    Hollow,
    /// The classes of a bar and its fill on paper.
    Bar(String, String),
}

impl Entry {
    pub(super) fn of(series: &Series) -> Self {
        Self {
            label: series.label.clone(),
            sample: Sample::Line(series.colour, series.dash, series.marker),
        }
    }

    pub(super) fn hollow(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            sample: Sample::Hollow,
        }
    }

    pub(super) fn bar(label: &str, class: impl Into<String>, attributes: String) -> Self {
        Self {
            label: label.to_owned(),
            sample: Sample::Bar(class.into(), attributes),
        }
    }

    fn width(&self) -> f64 {
        SAMPLE + GAP + width_of(&self.label, FONT)
    }
}

/// Draws the entries below `top`, in as many lines of a figure so wide as they need, and tells where they end.
pub(super) fn draw(canvas: &mut Canvas, width: f64, top: f64, entries: &[Entry]) -> f64 {
    let (mut x, mut y) = (MARGIN, top);
    for entry in entries {
        if x > MARGIN && x + entry.width() > width - MARGIN {
            (x, y) = (MARGIN, y + LINE);
        }
        sample(canvas, (x, y + LINE / 2.0), &entry.sample);
        let at = (x + SAMPLE + GAP, y + LINE / 2.0 + FONT / 3.0);
        canvas.text("label", Anchor::Start, at, &entry.label);
        x += entry.width() + BETWEEN;
    }
    if entries.is_empty() { y } else { y + LINE + 6.0 }
}

fn sample(canvas: &mut Canvas, (x, y): (f64, f64), sample: &Sample) {
    let middle = (x + SAMPLE / 2.0, y);
    match sample {
        Sample::Line(colour, dash, marker) => {
            canvas.raw(&marks::group(*colour));
            let d = format!("M{} {}H{}", px(x), px(y), px(x + SAMPLE));
            if *dash != Dash::Absent {
                canvas.raw(&marks::path(*dash, &d));
            }
            if let Some(marker) = marker {
                marks::mark(canvas, *marker, middle, marks::LARGE, false);
            }
            canvas.raw("</g>");
        }
        Sample::Hollow => {
            canvas.raw("<g stroke=\"#5f6670\" class=\"axis\">");
            marks::mark(canvas, Marker::Circle, middle, marks::LARGE, true);
            canvas.raw("</g>");
        }
        Sample::Bar(class, attributes) => {
            let (x, y, width) = (px(x), px(y - 6.0), px(SAMPLE));
            canvas.raw(&format!(
                "<rect class=\"{class}\" {attributes} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"12\"/>"
            ));
        }
    }
}
