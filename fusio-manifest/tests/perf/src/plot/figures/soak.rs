//! How what must be flat went over a soak: all on one axis of time.

use crate::{
    plot::{
        figure::{Axis, Figure, Panel, Point, Series},
        scale::Scale,
        style::Dash,
    },
    soak::Row,
};

const MIB: f64 = 1024.0 * 1024.0;
const KIB: f64 = 1024.0;
const HEIGHT: f64 = 84.0;
/// Longer runs are drawn in minutes.
const MINUTES_FROM: f64 = 300.0;

type Of = fn(&Row) -> Option<f64>;

/// A line: its label, colour, pattern, and what it shows.
struct Line(&'static str, usize, Dash, Of);

/// A pair of axes: what goes up, whether it begins at zero, and its lines.
struct Rising<'a>(&'a str, bool, &'a [Line]);

/// What the process takes, what lies in the store, and what users see.
pub(super) fn figures(rows: &[Row]) -> Vec<Figure> {
    let Some(last) = rows.last() else {
        return Vec::new();
    };
    let time = Time::of(last.second);
    [
        Figure::of_panels(
            "soak_process",
            "What the process takes",
            "Of the process that has the handles; the store is in another one. A leak is a line that rises.",
            panels(rows, &time, &PROCESS),
        ),
        Figure::of_panels(
            "soak_store",
            "What lies in the store",
            "Keys are used again and again, so all of it must stay. Saw-teeth are folds, merges and collections.",
            panels(rows, &time, &STORE),
        ),
        Figure::of_panels(
            "soak_users",
            "What users see, and what it costs",
            "Response time counts from due to answer. A peak is an outage of the store.",
            panels(rows, &time, &USERS),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const PROCESS: [Rising<'static>; 3] = [
    Rising(
        "memory, MiB",
        true,
        &[
            Line("resident memory", 0, Dash::Solid, |row| {
                Some(row.memory_bytes? / MIB)
            }),
            Line("of no file", 1, Dash::Dashed, |row| {
                Some(row.anonymous_bytes? / MIB)
            }),
        ],
    ),
    Rising(
        "number",
        true,
        &[
            Line("open files", 2, Dash::Solid, |row| row.open_files),
            Line("tasks", 3, Dash::Dashed, |row| Some(row.tasks)),
            Line("threads", 4, Dash::Dotted, |row| row.threads),
        ],
    ),
    Rising(
        "HEAD, KiB",
        true,
        &[
            Line("HEAD", 0, Dash::Solid, |row| Some(row.head_bytes / KIB)),
            Line("largest HEAD", 5, Dash::Dotted, |row| {
                Some(row.head_bytes_max / KIB)
            }),
        ],
    ),
];

const STORE: [Rising<'static>; 3] = [
    Rising(
        "named in HEAD",
        true,
        &[
            Line("log objects", 1, Dash::Solid, |row| Some(row.log_objects)),
            Line("runs", 2, Dash::Dashed, |row| Some(row.runs)),
            Line("pins", 3, Dash::Dotted, |row| Some(row.pins)),
        ],
    ),
    Rising(
        "objects in the store",
        true,
        &[
            Line("objects", 0, Dash::Solid, |row| Some(row.objects? as f64)),
            Line("not named by HEAD", 1, Dash::Dashed, |row| {
                Some(row.unreferenced_objects? as f64)
            }),
        ],
    ),
    Rising(
        "bytes in the store per live byte",
        true,
        &[Line(
            "bytes per live byte",
            4,
            Dash::Solid,
            Row::bytes_per_live_byte,
        )],
    ),
];

const USERS: [Rising<'static>; 3] = [
    Rising(
        "requests",
        true,
        &[
            Line("per commit", 0, Dash::Solid, Row::requests_per_commit),
            Line(
                "maintenance per commit",
                1,
                Dash::Dashed,
                Row::maintenance_per_commit,
            ),
            Line("per read", 2, Dash::Dotted, Row::requests_per_read),
        ],
    ),
    Rising(
        "response time, ms",
        false,
        &[
            Line("commit p50", 0, Dash::Solid, |row| row.commit_p50_ms),
            Line("commit p99", 0, Dash::Dotted, |row| row.commit_p99_ms),
            Line("read p50", 2, Dash::Solid, |row| row.read_p50_ms),
            Line("read p99", 2, Dash::Dotted, |row| row.read_p99_ms),
        ],
    ),
    Rising(
        "transactions/s",
        true,
        &[
            Line("due", 5, Dash::Dashed, |row| per_s(row.commits_offered, row)),
            Line("committed", 0, Dash::Solid, Row::commits_per_s),
        ],
    ),
];

/// One above the other; the lowest says what goes right.
fn panels(rows: &[Row], time: &Time, of: &[Rising<'_>]) -> Vec<Panel> {
    let panels = of
        .iter()
        .map(|Rising(label, from_zero, lines)| panel(rows, time, label, *from_zero, lines));
    let mut panels: Vec<Panel> = panels.collect();
    if let Some(last) = panels.last_mut() {
        time.label.clone_into(&mut last.x.label);
    }
    panels
}

fn per_s(count: u64, row: &Row) -> Option<f64> {
    (row.seconds > 0.0).then(|| count as f64 / row.seconds)
}

/// The axis that all panels share.
struct Time {
    unit: f64,
    label: &'static str,
    end: f64,
}

impl Time {
    fn of(seconds: f64) -> Self {
        let (unit, label) = match seconds >= MINUTES_FROM {
            true => (60.0, "time since the load began, min"),
            false => (1.0, "time since the load began, s"),
        };
        Self {
            unit,
            label,
            // A row comes a little late, and the axis would end at the next tick.
            end: (seconds / unit * 10.0).round() / 10.0,
        }
    }
}

fn panel(rows: &[Row], time: &Time, label: &str, from_zero: bool, lines: &[Line]) -> Panel {
    let series: Vec<Series> = lines
        .iter()
        .map(|Line(label, colour, dash, of)| {
            let points = rows.iter().filter_map(|row| {
                Some(Point {
                    // The middle of its interval.
                    x: (row.second - row.seconds / 2.0) / time.unit,
                    y: of(row)?,
                    few: false,
                })
            });
            let mut series = Series::new(*label, *colour, points.collect()).dashed(*dash);
            // As many as pixels.
            series.marker = None;
            series
        })
        .collect();
    let values = || series.iter().flat_map(|line| &line.points).map(|point| point.y);
    Panel {
        x: Axis::new("", Scale::from_zero([time.end])),
        y: Axis::new(
            label,
            match from_zero {
                true => Scale::from_zero(values()),
                false => Scale::log(values()),
            },
        ),
        height: HEIGHT,
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::figure::Body;

    #[test]
    fn every_interval_has_its_point_and_what_is_not_known_none() {
        let rows: Vec<Row> = (1_u32..=180)
            .map(|number| Row {
                second: f64::from(number) * 10.0,
                seconds: 10.0,
                memory_bytes: Some(30.0 * MIB),
                commits: 97,
                commits_offered: 100,
                ..Row::default()
            })
            .collect();
        let figures = figures(&rows);
        assert_eq!(figures.len(), 3);
        let panels = figures.iter().flat_map(|figure| match &figure.body {
            Body::Panels(panels) => panels.as_slice(),
            Body::Bars(_) | Body::Lanes(_) => &[],
        });
        let series: Vec<&Series> = panels.flat_map(|panel| &panel.series).collect();
        let of = |label: &str| {
            let found = series.iter().find(|series| series.label == label).unwrap();
            found
                .points
                .iter()
                .map(|point| (point.x, point.y))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("resident memory").len(), 180);
        assert_eq!(of("resident memory")[0], (5.0 / 60.0, 30.0));
        assert_eq!(of("committed")[179], (1_795.0 / 60.0, 9.7));
        assert_eq!((of("open files"), of("commit p50")), (vec![], vec![]));
        assert!(figures.iter().all(|figure| !figure.standalone().contains("NaN")));
        assert!(super::figures(&[]).is_empty());
        assert_eq!((Time::of(1_800.002).end, Time::of(20.001).end), (30.0, 20.0));
    }
}
