//! Frame, grid, ticks and labels.

use super::{FONT, MARGIN, Panel, width_of};
use crate::plot::svg::{Anchor, Canvas};

/// The line above the axes, which says what goes up.
pub(super) const LABEL_LINE: f64 = 28.0;
/// Below the axes: the ticks' labels, and what goes right.
pub(super) const BELOW: f64 = 42.0;
/// Between a label and its axis.
const GAP: f64 = 6.0;

/// Where the axes stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    pub(super) fn x(&self, place: f64) -> f64 {
        self.left + place * (self.right - self.left)
    }

    pub(super) fn y(&self, place: f64) -> f64 {
        self.bottom - place * (self.bottom - self.top)
    }

    /// Where a point stands; none if it cannot be drawn.
    pub(super) fn place(&self, panel: &Panel, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.x(panel.x.scale.place(x)?), self.y(panel.y.scale.place(y)?)))
    }
}

/// One left edge for all panels, behind the longest label of a tick.
pub(super) fn left_edge<'a>(panels: impl IntoIterator<Item = &'a Panel>) -> f64 {
    let ticks = panels.into_iter().flat_map(|panel| &panel.y.scale.ticks);
    let widest = ticks.map(|tick| width_of(&tick.label, FONT)).fold(0.0, f64::max);
    MARGIN + widest + GAP
}

pub(super) fn draw(canvas: &mut Canvas, frame: &Frame, panel: &Panel) {
    ground(canvas, frame, panel);
    let above = frame.top - GAP - 6.0;
    canvas.text("label", Anchor::Start, (MARGIN, above), &panel.y.label);
    labels_beside(canvas, frame, panel);
    labels_below(canvas, frame, panel);
}

/// Grid, axes and ticks, without a word.
pub(super) fn ground(canvas: &mut Canvas, frame: &Frame, panel: &Panel) {
    // Attributes for programs that know no style sheets.
    canvas.raw("<g stroke=\"#d9dde2\">");
    grid(canvas, frame, panel);
    canvas.raw("</g>\n<g stroke=\"#5f6670\">");
    canvas.line("axis", (frame.left, frame.bottom), (frame.right, frame.bottom));
    canvas.line("axis", (frame.left, frame.top), (frame.left, frame.bottom));
    for tick in panel
        .x
        .scale
        .ticks
        .iter()
        .filter_map(|tick| panel.x.scale.place(tick.at))
    {
        let x = frame.x(tick);
        canvas.line("axis", (x, frame.bottom), (x, frame.bottom + 4.0));
    }
    canvas.raw("</g>");
}

fn grid(canvas: &mut Canvas, frame: &Frame, panel: &Panel) {
    let scale = &panel.y.scale;
    let minor = scale.minor.iter().map(|at| ("minor", *at));
    let major = scale.ticks.iter().map(|tick| ("grid", tick.at));
    for (class, at) in minor.chain(major) {
        if let Some(place) = scale.place(at) {
            let y = frame.y(place);
            canvas.line(class, (frame.left, y), (frame.right, y));
        }
    }
}

/// The labels beside the axis with their heights. Of labels that would touch, a power of ten is kept.
fn beside<'a>(frame: &Frame, panel: &'a Panel) -> Vec<(f64, &'a str)> {
    let is_power = |at: f64| (at.log10() - at.log10().round()).abs() < 1e-9;
    let mut ticks: Vec<_> = panel.y.scale.ticks.iter().collect();
    if panel.y.scale.is_log() {
        ticks.sort_by_key(|tick| !is_power(tick.at));
    }
    let mut kept: Vec<(f64, &str)> = Vec::new();
    for tick in ticks {
        let Some(y) = panel.y.scale.place(tick.at).map(|place| frame.y(place)) else {
            continue;
        };
        if kept.iter().all(|(other, _)| (other - y).abs() >= FONT) {
            kept.push((y, &tick.label));
        }
    }
    kept
}

/// What the ticks of the upright axis stand for.
pub(super) fn labels_beside(canvas: &mut Canvas, frame: &Frame, panel: &Panel) {
    for (y, label) in beside(frame, panel) {
        canvas.text("tick", Anchor::End, (frame.left - GAP, y + FONT / 3.0), label);
    }
}

/// What those of the other axis stand for, and what it measures.
pub(super) fn labels_below(canvas: &mut Canvas, frame: &Frame, panel: &Panel) {
    // A label that would touch the last one is left out.
    let mut free_from = f64::NEG_INFINITY;
    for tick in &panel.x.scale.ticks {
        let Some(place) = panel.x.scale.place(tick.at) else {
            continue;
        };
        let (x, half) = (frame.x(place), width_of(&tick.label, FONT) / 2.0);
        if x - half < free_from {
            continue;
        }
        let inside = frame.right + MARGIN + 6.0;
        let (anchor, x) = if x + half > inside {
            (Anchor::End, inside)
        } else if x - half < 0.0 {
            (Anchor::Start, 0.0)
        } else {
            (Anchor::Middle, x)
        };
        canvas.text("tick", anchor, (x, frame.bottom + 17.0), &tick.label);
        free_from = if anchor == Anchor::Start {
            2.0 * half
        } else {
            x + half
        } + GAP;
    }
    let middle = f64::midpoint(frame.left, frame.right);
    canvas.text(
        "label",
        Anchor::Middle,
        (middle, frame.bottom + 34.0),
        &panel.x.label,
    );
}
