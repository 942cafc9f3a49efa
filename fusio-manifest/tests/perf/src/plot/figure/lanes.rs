//! Panels one above the other on one axis of time, each with a legend of its own, under bands that go through all.

use super::{FONT, MARGIN, Panel, axes, legend, marks, width_of, wrapped};
use crate::plot::{
    style::{COLOURS, on_paper},
    svg::{Anchor, Canvas, px},
};

/// A line of text.
const LINE: f64 = 18.0;
/// Between two lanes.
const BETWEEN: f64 = 16.0;
/// A span is drawn this wide at least, or nobody would see it.
const SPAN_MIN: f64 = 3.0;

/// All of them.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Lanes {
    pub(in crate::plot) bands: Vec<Band>,
    pub(in crate::plot) lanes: Vec<Lane>,
}

/// A time that is set apart in every lane.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Band {
    pub(in crate::plot) label: String,
    pub(in crate::plot) from: f64,
    pub(in crate::plot) to: f64,
}

/// One panel.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Lane {
    /// Its axes and lines; the upright axis's label is its heading.
    pub(in crate::plot) panel: Panel,
    /// From when to when each bar goes.
    pub(in crate::plot) intervals: Vec<(f64, f64)>,
    /// Bars that stand on one another.
    pub(in crate::plot) stacks: Vec<Stack>,
    /// Times that are marked above the panel.
    pub(in crate::plot) spans: Vec<Span>,
    /// Said below it.
    pub(in crate::plot) notes: Vec<String>,
}

/// One kind of bars: a height in each interval.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Stack {
    pub(in crate::plot) label: String,
    pub(in crate::plot) colour: usize,
    pub(in crate::plot) filled: bool,
    pub(in crate::plot) heights: Vec<f64>,
}

/// A marked time, with what it is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Span {
    pub(in crate::plot) label: String,
    pub(in crate::plot) colour: usize,
    pub(in crate::plot) from: f64,
    pub(in crate::plot) to: f64,
}

impl Stack {
    /// The classes of its bars, and how they look without a style sheet.
    fn look(&self) -> (String, String) {
        let (number, paper) = (self.colour % COLOURS.len(), on_paper(self.colour));
        match self.filled {
            true => (
                format!("c{number} solid"),
                format!("fill=\"currentColor\" color=\"{paper}\""),
            ),
            false => (
                format!("c{number} mark hollow"),
                format!("fill=\"#ffffff\" stroke=\"{paper}\" color=\"{paper}\" stroke-width=\"1.5\""),
            ),
        }
    }
}

impl Lanes {
    /// Draws the lanes below `top`, and tells where they end.
    pub(super) fn draw(&self, canvas: &mut Canvas, width: f64, mut top: f64) -> f64 {
        let left = axes::left_edge(self.lanes.iter().map(|lane| &lane.panel));
        let right = width - MARGIN - 8.0;
        for (number, lane) in self.lanes.iter().enumerate() {
            let first = number == 0;
            let last = number + 1 == self.lanes.len();
            canvas.text("head", Anchor::Start, (MARGIN, top + FONT), &lane.panel.y.label);
            top = legend::draw(canvas, width, top + LINE, &lane.legend());
            let above = lane.spans.len() + usize::from(first && !self.bands.is_empty());
            let begins = top;
            let frame = axes::Frame {
                left,
                right,
                top: begins + above as f64 * LINE + 4.0,
                bottom: begins + above as f64 * LINE + 4.0 + lane.panel.height,
            };
            self.draw_bands(canvas, &frame, lane, begins, first);
            lane.draw(canvas, &frame, begins);
            top = frame.bottom + BETWEEN;
            if last {
                axes::labels_below(canvas, &frame, &lane.panel);
                top = frame.bottom + axes::BELOW + 4.0;
            }
            for line in lane.notes.iter().flat_map(|note| wrapped(note, FONT, width)) {
                canvas.text("label", Anchor::Start, (MARGIN, top + FONT), &line);
                top += LINE;
            }
        }
        top
    }

    fn draw_bands(&self, canvas: &mut Canvas, frame: &axes::Frame, lane: &Lane, top: f64, named: bool) {
        for band in &self.bands {
            let place = |at: f64| lane.panel.x.scale.place(at).map(|place| frame.x(place));
            let (Some(from), Some(to)) = (place(band.from), place(band.to)) else {
                continue;
            };
            let [x, y, width, height] = [from, top, (to - from).max(1.0), frame.bottom - top].map(px);
            canvas.raw(&format!(
                "<rect class=\"band\" fill=\"#fbe2d5\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
            ));
            if named {
                // Inside the figure, wherever the band is.
                let half = width_of(&band.label, FONT) / 2.0;
                let (least, most) = (MARGIN + half, frame.right - half);
                let middle = f64::midpoint(from, to).max(least).min(most.max(least));
                canvas.text("label", Anchor::Middle, (middle, top + FONT), &band.label);
            }
        }
    }
}

impl Lane {
    fn legend(&self) -> Vec<legend::Entry> {
        let bars = self.stacks.iter().map(|stack| {
            let (class, attributes) = stack.look();
            legend::Entry::bar(&stack.label, class, attributes)
        });
        let lines = self
            .panel
            .series
            .iter()
            .filter(|series| !series.points.is_empty())
            .map(legend::Entry::of);
        bars.chain(lines).collect()
    }

    fn draw(&self, canvas: &mut Canvas, frame: &axes::Frame, begins: f64) {
        axes::ground(canvas, frame, &self.panel);
        axes::labels_beside(canvas, frame, &self.panel);
        self.draw_bars(canvas, frame);
        for series in &self.panel.series {
            marks::draw(canvas, frame, &self.panel, series);
        }
        // The lowest rows: what names a band stands above them.
        let row = frame.top - 4.0 - self.spans.len() as f64 * LINE;
        let mut y = row.max(begins);
        for span in &self.spans {
            self.draw_span(canvas, frame, span, y);
            y += LINE;
        }
    }

    fn draw_bars(&self, canvas: &mut Canvas, frame: &axes::Frame) {
        let mut below = vec![0.0; self.intervals.len()];
        for stack in &self.stacks {
            let (class, attributes) = stack.look();
            for ((interval, below), height) in self.intervals.iter().zip(&mut below).zip(&stack.heights) {
                if *height <= 0.0 {
                    continue;
                }
                let corners = (
                    frame.place(&self.panel, interval.0, *below + height),
                    frame.place(&self.panel, interval.1, *below),
                );
                *below += height;
                let (Some((left, top)), Some((right, bottom))) = corners else {
                    continue;
                };
                let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
                let [x, y, width, height] = [left, top, right - left - gap, bottom - top].map(px);
                canvas.raw(&format!(
                    "<rect class=\"{class}\" {attributes} x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
                ));
            }
        }
    }

    fn draw_span(&self, canvas: &mut Canvas, frame: &axes::Frame, span: &Span, y: f64) {
        let place = |at: f64| self.panel.x.scale.place(at).map(|place| frame.x(place));
        let (Some(from), Some(to)) = (place(span.from), place(span.to)) else {
            return;
        };
        let to = to.max(from + SPAN_MIN);
        let (number, paper) = (span.colour % COLOURS.len(), on_paper(span.colour));
        let [x, top, width] = [from, y + 4.0, to - from].map(px);
        canvas.raw(&format!(
            "<rect class=\"c{number} solid\" fill=\"currentColor\" color=\"{paper}\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"9\"/>"
        ));
        let fits = to + 6.0 + width_of(&span.label, FONT) <= frame.right + 8.0;
        let (anchor, x) = match fits {
            true => (Anchor::Start, to + 6.0),
            false => (Anchor::End, from - 6.0),
        };
        canvas.text("label", anchor, (x, y + FONT), &span.label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{
        figure::{Axis, Body, FEW_SAMPLES, Figure, Series, WIDTH},
        scale::Scale,
    };

    fn figure(stacks: Vec<Stack>, spans: Vec<Span>) -> String {
        let panel = Panel {
            x: Axis::new("time, s", Scale::until(4.0, 4.0)),
            y: Axis::new("faults", Scale::from_zero([3.0])),
            height: 80.0,
            series: vec![Series::new("none of them", 0, Vec::new())],
        };
        let lane = Lane {
            panel,
            intervals: vec![(0.0, 2.0), (2.0, 4.0)],
            stacks,
            spans,
            notes: vec!["every commit <is> accounted for".to_owned()],
        };
        let band = Band {
            label: "outage".to_owned(),
            from: 1.0,
            to: 2.0,
        };
        let figure = Figure {
            name: "n".to_owned(),
            title: "t".to_owned(),
            caption: "c".to_owned(),
            hollow: FEW_SAMPLES,
            width: WIDTH,
            body: Body::Lanes(Lanes {
                bands: vec![band],
                lanes: vec![lane.clone(), lane],
            }),
        };
        figure.standalone()
    }

    fn stack(colour: usize, heights: [f64; 2]) -> Stack {
        Stack {
            label: format!("kind {colour}"),
            colour,
            filled: colour == 0,
            heights: heights.to_vec(),
        }
    }

    #[test]
    fn bars_stand_on_one_another_and_empty_ones_are_not_drawn() {
        let svg = figure(vec![stack(0, [1.0, 0.0]), stack(1, [2.0, 1.0])], Vec::new());
        // Of two lanes each: in the legend one, and one of each height above 0.
        assert_eq!(svg.matches("class=\"c0 solid\"").count(), 2 * (1 + 1), "{svg}");
        assert_eq!(
            svg.matches("class=\"c1 mark hollow\"").count(),
            2 * (1 + 2),
            "{svg}"
        );
        // A third of the height, then two thirds on top of it.
        assert!(
            svg.contains("height=\"26.7\"") && svg.contains("height=\"53.3\""),
            "{svg}"
        );
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn a_band_goes_through_all_lanes_and_is_named_once() {
        let svg = figure(vec![stack(0, [1.0, 1.0])], Vec::new());
        assert_eq!(svg.matches("class=\"band\"").count(), 2);
        assert_eq!(svg.matches(">outage<").count(), 1);
        // Time is told once, below the last lane; a line without points has no legend.
        assert_eq!(svg.matches(">time, s<").count(), 1);
        assert!(!svg.contains("none of them"));
        assert!(svg.contains(">every commit &lt;is&gt; accounted for<"), "{svg}");
    }

    #[test]
    fn a_span_is_named_where_there_is_room() {
        let span = |from, to| Span {
            label: "the first commit after 264 ms".to_owned(),
            colour: 2,
            from,
            to,
        };
        let svg = figure(Vec::new(), vec![span(1.0, 1.2), span(3.5, 3.5)]);
        let said: Vec<_> = svg
            .lines()
            .filter(|line| line.contains("264 ms"))
            .map(|line| line.contains("text-anchor=\"start\""))
            .collect();
        assert_eq!(said, [true, false, true, false]);
        // However short it is.
        assert!(svg.contains("width=\"3\" height=\"9\""), "{svg}");
    }
}
