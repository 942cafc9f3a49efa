//! Colours, markers and line styles: told apart in colour, without some colours, and in grey.

/// Colours of series: on white and on black. Their lightness differs, so that they differ in grey; the markers and
/// line styles differ as well.
pub(super) const COLOURS: [(&str, &str); 6] = [
    ("#003f7d", "#7cb8f5"),
    ("#c64f00", "#ffa366"),
    ("#1f9270", "#63d9ad"),
    ("#73309a", "#d3a4ee"),
    ("#3f97d3", "#b4e0ff"),
    ("#9a7400", "#ecd06f"),
];

/// The rules of an SVG; in a page they stand once.
pub(super) const RULES: &str = "\
.plot{background:var(--paper);font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',\
'DejaVu Sans',Arial,sans-serif;font-size:13px}\n\
.plot text{fill:var(--ink)}\n\
.plot .title{font-size:15px;font-weight:600}\n\
.plot .axis{stroke:var(--axis);stroke-width:1}\n\
.plot .grid{stroke:var(--grid);stroke-width:1}\n\
.plot .minor{stroke:var(--grid);stroke-width:.5}\n\
.plot .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\n\
.plot .mark{stroke-width:1.5;stroke-linejoin:round}\n\
.plot .hollow{fill:var(--paper)}\n\
.plot .dashed{stroke-dasharray:7 5}\n\
.plot .dotted{stroke-dasharray:1 5}\n\
.plot .few{stroke-dasharray:3 3}\n\
.plot .solid{stroke:none}\n\
.plot .head{font-weight:600}\n\
.plot .band{fill:var(--band)}\n";

/// The variables of both schemes, below `root`. What is printed is always light.
pub(super) fn variables(root: &str) -> String {
    let of = |dark: bool| {
        let (paper, ink, axis, grid, soft, rule, band) = if dark {
            (
                "#14171a", "#e8eaed", "#9aa0a6", "#3a3f45", "#1f2429", "#aab2ba", "#43302a",
            )
        } else {
            (
                "#ffffff", "#1c1f23", "#5f6670", "#d9dde2", "#f3f5f7", "#4d555e", "#fbe2d5",
            )
        };
        let mut text = format!(
            "--paper:{paper};--ink:{ink};--axis:{axis};--grid:{grid};--soft:{soft};--quiet:{rule};--band:{band};"
        );
        for (number, (light, other)) in COLOURS.iter().enumerate() {
            let colour = if dark { other } else { light };
            text.push_str(&format!("--c{number}:{colour};"));
        }
        text
    };
    let mut text = format!(
        "{root}{{color-scheme:light dark;{}}}\n\
         @media screen and (prefers-color-scheme:dark){{{root}{{{}}}}}\n",
        of(false),
        of(true)
    );
    for number in 0..COLOURS.len() {
        text.push_str(&format!(
            ".plot .c{number}{{stroke:var(--c{number});color:var(--c{number})}}\n"
        ));
    }
    text
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dash {
    Solid,
    Dashed,
    Dotted,
    /// Markers alone.
    Absent,
}

impl Dash {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Solid | Self::Absent => "line",
            Self::Dashed => "line dashed",
            Self::Dotted => "line dotted",
        }
    }
}

/// How a point is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
    Down,
    Pentagon,
}

impl Marker {
    /// The marker that goes with a colour.
    pub(super) fn of(colour: usize) -> Self {
        match colour % COLOURS.len() {
            0 => Self::Circle,
            1 => Self::Square,
            2 => Self::Triangle,
            3 => Self::Diamond,
            4 => Self::Down,
            _ => Self::Pentagon,
        }
    }

    /// Its corners around the middle, at a size of 1; none for a circle.
    pub(super) fn corners(self) -> &'static [(f64, f64)] {
        match self {
            Self::Circle => &[],
            Self::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Self::Triangle => &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
            Self::Diamond => &[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
            Self::Down => &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
            Self::Pentagon => &[
                (0.0, -1.2),
                (1.15, -0.35),
                (0.7, 1.0),
                (-0.7, 1.0),
                (-1.15, -0.35),
            ],
        }
    }
}

/// The colour of a series, on paper: for programs that know no variables.
pub(super) fn on_paper(colour: usize) -> &'static str {
    COLOURS
        .get(colour % COLOURS.len())
        .map_or("#000000", |(light, _)| light)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How light a colour is, 0 to 1, as a grey print shows it.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(one: f64, other: f64) -> f64 {
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_colour_stands_out_from_its_paper() {
        for (light, dark) in COLOURS {
            assert!(contrast(luminance(light), luminance("#ffffff")) >= 3.0, "{light}");
            assert!(contrast(luminance(dark), luminance("#14171a")) >= 3.0, "{dark}");
        }
    }

    #[test]
    fn the_first_three_colours_differ_in_grey() {
        let [one, two, three] = [0, 1, 2].map(|number| luminance(COLOURS[number].0));
        for (a, b) in [(one, two), (two, three), (one, three)] {
            assert!(contrast(a, b) >= 1.15, "{a} {b}");
        }
    }

    #[test]
    fn no_two_series_have_the_same_marker() {
        let markers: Vec<_> = (0..COLOURS.len()).map(Marker::of).collect();
        for (place, marker) in markers.iter().enumerate() {
            assert!(!markers[..place].contains(marker), "{marker:?}");
        }
    }
}
