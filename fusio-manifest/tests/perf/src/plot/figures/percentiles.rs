//! The whole distribution: how long the slowest tenth, hundredth, thousandth took.

use crate::{
    plot::{
        figure::{Axis, Figure, Panel, Point, Series},
        files::{Role, Track},
        scale::{Scale, quantile_of_max},
        style::Dash,
    },
    summary::SAMPLES_ENOUGH,
};

/// Where a curve has its points; the last one is the maximum.
const QUANTILES: [f64; 11] = [
    0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.999_5, 0.999_9, 0.999_95, 0.999_99,
];

/// A curve for each track that holds something.
pub(super) fn figure<'a>(tracks: impl Iterator<Item = &'a Track>, stem: &str, of: &str) -> Option<Figure> {
    let mut series = Vec::new();
    let mut most = 0;
    for (colour, track) in tracks.enumerate() {
        let Some(histogram) = track.merged() else {
            continue;
        };
        let samples = histogram.len();
        most = most.max(samples);
        let few = samples < SAMPLES_ENOUGH;
        let last = quantile_of_max(samples);
        let ms = |micros: u64| micros as f64 / 1_000.0;
        let mut points: Vec<_> = QUANTILES
            .iter()
            // Nearer than that, a point would hide behind the last one.
            .filter(|quantile| 1.0 - **quantile > 1.3 * (1.0 - last))
            .map(|&x| {
                let y = ms(histogram.value_at_quantile(x));
                Point { x, y, few }
            })
            .collect();
        points.push(Point {
            x: last,
            y: ms(histogram.max()),
            few,
        });
        let dash = match track.role {
            Role::Writer | Role::Reader => Dash::Solid,
            Role::FloorPut | Role::FloorGet => Dash::Dashed,
        };
        series.push(Series::new(label(track, samples), colour, points).dashed(dash));
    }
    let values: Vec<_> = series
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.y)
        .collect();
    let panel = Panel {
        x: Axis::new(
            "percentile; the last point is the maximum",
            Scale::quantiles(most),
        ),
        y: Axis::new("time, ms", Scale::log(values)),
        height: 250.0,
        series,
    };
    Figure::of_panels(
        format!("{stem}percentiles"),
        format!("Percentiles{of}"),
        "Each step to the right is ten times rarer. Response times of commits and reads, durations of attempts that \
         lost, and bare requests (dashed).",
        vec![panel],
    )
}

fn label(track: &Track, samples: u64) -> String {
    let name = match (track.role, track.outcome.as_str()) {
        (Role::Writer, "committed") => "commits".to_owned(),
        (Role::Writer, "lost") => "lost attempts".to_owned(),
        (Role::Writer, outcome) => format!("writes, {outcome}"),
        (Role::Reader, "read") => "reads".to_owned(),
        (Role::Reader, outcome) => format!("reads, {outcome}"),
        (Role::FloorPut, _) => "bare PUT".to_owned(),
        (Role::FloorGet, _) => "bare GET".to_owned(),
    };
    if samples < SAMPLES_ENOUGH {
        format!("{name} (n={samples})")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{
        figure::Body,
        files::{Log, sample::hlog},
    };

    #[test]
    fn a_curve_ends_at_the_maximum_and_says_how_few_it_rests_on() {
        let reads: Vec<u64> = (1..=1_000).map(|n| n * 100).collect();
        let mut log = Log::default();
        log.read(&hlog(&[
            ("c-reader-read", 0, &reads),
            ("c-writer-committed", 0, &[60_000, 61_000]),
            ("c-floor_get-get", 0, &[27_000; 100]),
        ]))
        .unwrap();
        let figure = figure(log.of("c"), "c_", " of c").unwrap();
        let Body::Panels(panels) = &figure.body else {
            panic!("{figure:?}");
        };
        let [commits, reads, bare] = &panels[0].series[..] else {
            panic!("{figure:?}");
        };
        assert_eq!(
            [&commits.label, &reads.label, &bare.label],
            ["commits (n=2)", "reads", "bare GET"]
        );
        let last = reads.points.last().unwrap();
        assert!((last.y / 100.0 - 1.0).abs() < 0.01 && last.x > 0.999, "{last:?}");
        assert!(
            reads
                .points
                .windows(2)
                .all(|pair| pair[0].y <= pair[1].y && pair[0].x < pair[1].x)
        );
        assert!(commits.points.iter().all(|point| point.few));
        let svg = figure.standalone();
        for text in [">99.9<", ">50<", "Percentiles of c", ">time, ms (log scale)<"] {
            assert!(svg.contains(text), "{text} is missing from {svg}");
        }
    }
}
