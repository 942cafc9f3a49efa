//! A plot as data, and its drawing: one column as wide as a phone, so that its text is as large there as on a desk.

use super::{
    scale::Scale,
    style::{Dash, Marker, RULES, variables},
    svg::{Anchor, Canvas, escape, px},
};

mod axes;
mod bars;
mod lanes;
mod legend;
mod marks;

pub(super) use bars::{Bar, Bars};
pub(super) use lanes::{Band, Lane, Lanes, Span, Stack};

/// What is laid out for a phone has this width, and is scaled.
pub(super) const WIDTH: f64 = 440.0;
/// What is laid out for a desk, where a phone has another drawing of it.
pub(super) const WIDTH_OF_A_DESK: f64 = 960.0;
/// Around the plot.
const MARGIN: f64 = 10.0;
const TITLE_LINE: f64 = 19.0;
/// How wide a character is at most on average, in sizes of its font.
const CHARACTER: f64 = 0.58;
const FONT: f64 = 13.0;
const TITLE_FONT: f64 = 15.0;

/// Said of hollow markers in the legend, unless they mean something else.
pub(super) const FEW_SAMPLES: &str = "hollow: fewer than 100 samples";

/// A plot, from which an SVG is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// The stem of its file.
    pub(super) name: String,
    pub(super) title: String,
    /// What it shows and how to read it, in a sentence or two.
    pub(super) caption: String,
    /// What the legend says of hollow markers.
    pub(super) hollow: &'static str,
    /// For how many pixels it is laid out.
    pub(super) width: f64,
    pub(super) body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    /// One above the other.
    Panels(Vec<Panel>),
    Bars(Bars),
    /// The same, each with a legend of its own, on one axis of time.
    Lanes(Lanes),
}

/// One pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panel {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) height: f64,
    pub(super) series: Vec<Series>,
}

/// An axis and what it measures, with the unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) scale: Scale,
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) label: String,
    pub(super) colour: usize,
    pub(super) dash: Dash,
    /// None where points are too many to be marked.
    pub(super) marker: Option<Marker>,
    pub(super) points: Vec<Point>,
}

/// A value, and whether it rests on too few samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) few: bool,
}

impl Axis {
    pub(super) fn new(label: impl Into<String>, scale: Scale) -> Self {
        let mut label = label.into();
        if scale.is_log() {
            label.push_str(" (log scale)");
        }
        Self { label, scale }
    }
}

impl Series {
    /// A solid line with the marker of its colour.
    pub(super) fn new(label: impl Into<String>, colour: usize, points: Vec<Point>) -> Self {
        Self {
            label: label.into(),
            colour,
            dash: Dash::Solid,
            marker: Some(Marker::of(colour)),
            points,
        }
    }

    pub(super) fn dashed(mut self, dash: Dash) -> Self {
        self.dash = dash;
        self
    }

    fn has_few(&self) -> bool {
        self.marker.is_some() && self.points.iter().any(|point| point.few)
    }
}

impl Figure {
    /// A plot of panels; none if no series has a point, for an empty plot says nothing.
    pub(super) fn of_panels(
        name: impl Into<String>,
        title: impl Into<String>,
        caption: impl Into<String>,
        panels: Vec<Panel>,
    ) -> Option<Self> {
        let drawn = panels.iter().flat_map(|panel| &panel.series);
        let any = drawn.into_iter().any(|series| !series.points.is_empty());
        any.then(|| Self {
            name: name.into(),
            title: title.into(),
            caption: caption.into(),
            hollow: FEW_SAMPLES,
            width: WIDTH,
            body: Body::Panels(panels),
        })
    }

    /// The same, with another meaning of hollow markers.
    pub(super) fn hollow_means(mut self, hollow: &'static str) -> Self {
        self.hollow = hollow;
        self
    }

    /// Its file beside the report.
    pub(super) fn file_name(&self) -> String {
        format!("{}.svg", self.name)
    }

    /// A file of its own, with its colours in it.
    pub(super) fn standalone(&self) -> String {
        let style = format!("<style>\n{}{RULES}</style>\n", variables(":root"));
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.svg(&style))
    }

    /// For a page that has the colours and rules.
    pub(super) fn inline(&self) -> String {
        self.svg("")
    }

    fn svg(&self, style: &str) -> String {
        let mut canvas = Canvas::default();
        let mut top = MARGIN;
        for line in wrapped(&self.title, TITLE_FONT, self.width) {
            canvas.text("title", Anchor::Start, (MARGIN, top + TITLE_FONT - 1.0), &line);
            top += TITLE_LINE;
        }
        top = legend::draw(&mut canvas, self.width, top + 4.0, &self.legend());
        match &self.body {
            Body::Panels(panels) => {
                let left = axes::left_edge(panels);
                for panel in panels {
                    top = panel.draw(&mut canvas, top, left);
                }
            }
            Body::Bars(bars) => top = bars.draw(&mut canvas, top),
            Body::Lanes(lanes) => top = lanes.draw(&mut canvas, self.width, top),
        }
        let (width, height) = (px(self.width), px(top + MARGIN));
        let (title, caption) = (escape(&self.title), escape(&self.caption));
        // A program that knows no style sheet still draws dark text on a transparent ground.
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" font-family=\"sans-serif\" font-size=\"{FONT}\">\n\
             <title>{title}</title>\n<desc>{caption}</desc>\n{style}{}</svg>\n",
            canvas.finish()
        )
    }

    fn legend(&self) -> Vec<legend::Entry> {
        match &self.body {
            Body::Panels(panels) => {
                let mut entries: Vec<legend::Entry> = Vec::new();
                let all = panels.iter().flat_map(|panel| &panel.series);
                let mut few = false;
                for series in all.filter(|series| !series.points.is_empty()) {
                    few |= series.has_few();
                    let entry = legend::Entry::of(series);
                    if !entries.contains(&entry) {
                        entries.push(entry);
                    }
                }
                entries.extend(few.then(|| legend::Entry::hollow(self.hollow)));
                entries
            }
            Body::Bars(bars) => bars.legend(),
            // Each lane has its own.
            Body::Lanes(_) => Vec::new(),
        }
    }
}

impl Panel {
    /// Draws axes and series below `top`, and tells where it ends.
    fn draw(&self, canvas: &mut Canvas, top: f64, left: f64) -> f64 {
        let frame = axes::Frame {
            left,
            right: WIDTH - MARGIN - 8.0,
            top: top + axes::LABEL_LINE,
            bottom: top + axes::LABEL_LINE + self.height,
        };
        axes::draw(canvas, &frame, self);
        for series in &self.series {
            marks::draw(canvas, &frame, self, series);
        }
        frame.bottom + axes::BELOW
    }
}

/// How wide a text is, about, and rather more than less.
fn width_of(text: &str, font: f64) -> f64 {
    text.chars().count() as f64 * CHARACTER * font
}

/// Lines of words that fit between the margins of a figure so wide.
fn wrapped(text: &str, font: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width_of(line, font) + width_of(word, font) < width - 2.5 * MARGIN => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(points: Vec<Point>) -> Option<Figure> {
        let panel = Panel {
            x: Axis::new("writer rate, commits/s", Scale::from_zero([0.2])),
            y: Axis::new("response time, ms", Scale::log([50.0, 200.0])),
            height: 200.0,
            series: vec![Series::new("1 < 2 writers", 0, points)],
        };
        Figure::of_panels("rate", "Rate & latency", "What it shows.", vec![panel])
    }

    fn point(y: f64, few: bool) -> Point {
        Point { x: 0.1, y, few }
    }

    #[test]
    fn a_plot_names_its_axes_its_series_and_its_ticks() {
        let svg = figure(vec![point(60.0, false), point(80.0, true)])
            .unwrap()
            .standalone();
        for text in [
            ">Rate &amp; latency<",
            ">writer rate, commits/s<",
            ">response time, ms (log scale)<",
            ">1 &lt; 2 writers<",
            ">100<",
            ">0.05<",
            FEW_SAMPLES,
        ] {
            assert!(svg.contains(text), "{text} is missing from {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("<path").count(), 2, "{svg}");
        // The point of few samples, and the legend's.
        assert_eq!(
            svg.matches("class=\"mark hollow\" fill=\"#ffffff\"").count(),
            2,
            "{svg}"
        );
    }

    #[test]
    fn hollow_markers_are_explained_only_where_there_are_some() {
        let svg = figure(vec![point(60.0, false)]).unwrap().inline();
        assert!(!svg.contains(FEW_SAMPLES) && !svg.contains("hollow"), "{svg}");
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let svg = figure(vec![
            point(f64::NAN, false),
            point(0.0, false),
            point(60.0, false),
        ]);
        let svg = svg.unwrap().inline();
        // One in the legend.
        assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
        assert!(!svg.contains("NaN"), "{svg}");
        assert_eq!(figure(Vec::new()), None);
    }

    #[test]
    fn of_labels_that_would_touch_the_powers_of_ten_are_kept() {
        let svg = |height| {
            let panel = Panel {
                x: Axis::new("", Scale::names(["p50"])),
                y: Axis::new("ms", Scale::log([50.0, 9_000.0])),
                height,
                series: vec![Series::new("all", 0, vec![point(100.0, false)])],
            };
            Figure::of_panels("n", "t", "c", vec![panel]).unwrap().inline()
        };
        let (low, high) = (svg(60.0), svg(600.0));
        for label in [">100<", ">1,000<", ">10,000<"] {
            assert!(low.contains(label) && high.contains(label), "{label}");
        }
        assert!(high.contains(">2,000<") && !low.contains(">2,000<"), "{low}");
    }

    #[test]
    fn long_titles_take_more_lines() {
        let lines = wrapped(&"word ".repeat(40), TITLE_FONT, WIDTH);
        assert!(lines.len() > 1);
        assert!(
            lines.iter().all(|line| width_of(line, TITLE_FONT) < WIDTH),
            "{lines:?}"
        );
    }
}
