//! Lengths side by side: what is measured above what it is measured against, row by row.

use super::{
    FONT, MARGIN, WIDTH,
    axes::{BELOW, Frame},
    legend::Entry,
    width_of,
};
use crate::plot::{
    scale::{Scale, thousands},
    style::{COLOURS, on_paper},
    svg::{Anchor, Canvas, px},
};

const BAR: f64 = 15.0;
const ROW: f64 = 2.0 * BAR + 14.0;

/// Said of every bar without a filling, in the legend.
const FEW: &str = "not filled: fewer than 100 samples";

/// Rows of bars on one axis from 0.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Bars {
    /// What is measured, with the unit.
    pub(in crate::plot) label: String,
    /// What the first and the second bar of each row are.
    pub(in crate::plot) names: [String; 2],
    pub(in crate::plot) rows: Vec<(String, [Option<Bar>; 2])>,
}

/// One length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::plot) struct Bar {
    pub(in crate::plot) value: f64,
    pub(in crate::plot) few: bool,
}

impl Bars {
    fn all(&self) -> impl Iterator<Item = &Bar> {
        self.rows.iter().flat_map(|(_, bars)| bars).flatten()
    }

    pub(super) fn legend(&self) -> Vec<Entry> {
        let mut entries: Vec<_> = (0..)
            .zip(&self.names)
            .map(|(place, name)| {
                let (class, attributes) = look(place, false);
                Entry::bar(name, class, attributes)
            })
            .collect();
        if self.all().any(|bar| bar.few) {
            let few = "fill=\"none\" stroke=\"#5f6670\" stroke-width=\"1.5\"".to_owned();
            entries.push(Entry::bar(FEW, "axis hollow few", few));
        }
        entries
    }

    /// Draws the rows below `top`, and tells where they end.
    pub(super) fn draw(&self, canvas: &mut Canvas, top: f64) -> f64 {
        let scale = Scale::from_zero(self.all().map(|bar| bar.value));
        let labels = self.rows.iter().map(|(label, _)| width_of(label, FONT));
        let frame = Frame {
            left: MARGIN + labels.fold(0.0, f64::max) + 6.0,
            // The longest bar has its number behind it.
            right: WIDTH - MARGIN - 56.0,
            top,
            bottom: top + ROW * self.rows.len() as f64 + 4.0,
        };
        self.draw_axis(canvas, &frame, &scale);
        let mut y = top + 8.0;
        for (label, bars) in &self.rows {
            let middle = (frame.left - 6.0, y + BAR + FONT / 3.0);
            canvas.text("tick", Anchor::End, middle, label);
            for (place, bar) in (0..).zip(bars) {
                if let Some(bar) = bar {
                    draw_bar(canvas, &frame, &scale, (place, y + BAR * f64::from(place)), *bar);
                }
            }
            y += ROW;
        }
        frame.bottom + BELOW
    }

    fn draw_axis(&self, canvas: &mut Canvas, frame: &Frame, scale: &Scale) {
        canvas.raw("<g stroke=\"#d9dde2\">");
        let places: Vec<_> = scale
            .ticks
            .iter()
            .filter_map(|tick| Some((frame.x(scale.place(tick.at)?), &tick.label)))
            .collect();
        for (x, _) in &places {
            canvas.line("grid", (*x, frame.top), (*x, frame.bottom));
        }
        canvas.raw("</g>\n<g stroke=\"#5f6670\">");
        canvas.line("axis", (frame.left, frame.top), (frame.left, frame.bottom));
        canvas.line("axis", (frame.left, frame.bottom), (frame.right, frame.bottom));
        canvas.raw("</g>");
        for (x, label) in &places {
            canvas.text("tick", Anchor::Middle, (*x, frame.bottom + 17.0), label);
        }
        let middle = f64::midpoint(frame.left, frame.right);
        canvas.text(
            "label",
            Anchor::Middle,
            (middle, frame.bottom + 34.0),
            &self.label,
        );
    }
}

fn draw_bar(canvas: &mut Canvas, frame: &Frame, scale: &Scale, (place, y): (u8, f64), bar: Bar) {
    let Some(end) = scale.place(bar.value).map(|end| frame.x(end)) else {
        return;
    };
    let (class, attributes) = look(place, bar.few);
    let [x, top, width, height] = [frame.left, y, end - frame.left, BAR - 2.0].map(px);
    canvas.raw(&format!(
        "<rect class=\"{class}\" {attributes} x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/>"
    ));
    let at = (end + 5.0, y + BAR - 4.0);
    canvas.text("value", Anchor::Start, at, &said(bar.value));
}

/// A tenth of a millisecond is worth saying below a second.
fn said(value: f64) -> String {
    if value < 1_000.0 {
        format!("{value:.1}")
    } else {
        thousands(&format!("{value:.0}"))
    }
}

/// The classes of a bar, and how it looks without a style sheet. The second is lighter, whatever the colours.
fn look(place: u8, few: bool) -> (&'static str, String) {
    let colour = usize::from(place) * 4 % COLOURS.len();
    let paper = on_paper(colour);
    let fill = if few { "none" } else { "currentColor" };
    let class = match (place, few) {
        (0, false) => "c0 mark",
        (0, true) => "c0 mark few",
        (_, false) => "c4 mark",
        (_, true) => "c4 mark few",
    };
    (
        class,
        format!("fill=\"{fill}\" stroke=\"{paper}\" color=\"{paper}\" stroke-width=\"1.5\""),
    )
}
