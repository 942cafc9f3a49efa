//! What must be flat, and how flat. Pure: from rows to trends.

use std::time::Duration;

use crate::{result::SoakTrend, soak::Row, statistics::trend::Trend};

/// Trends of shorter runs are shown, and not judged: pools and caches are still filling.
pub(super) const JUDGED_FROM: Duration = Duration::from_secs(600);
/// The part of a run that is not judged, and the shortest such time: connections are made, allocators and caches find
/// their size.
const WARM_UP: f64 = 1.0 / 6.0;
const WARM_UP_MIN: Duration = Duration::from_secs(240);
/// A movement is one beyond so many of its standard errors.
const ERRORS: f64 = 3.0;

const MIB: f64 = 1024.0 * 1024.0;

/// In which direction a movement is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    Up,
    Down,
}

/// A number that must be flat, and by how much of its level and by how much at all it may move over a run.
struct Bound {
    what: &'static str,
    of: fn(&Row) -> Option<f64>,
    bad: Bad,
    relative: f64,
    absolute: f64,
}

const fn up(what: &'static str, of: fn(&Row) -> Option<f64>, relative: f64, absolute: f64) -> Bound {
    Bound {
        what,
        of,
        bad: Bad::Up,
        relative,
        absolute,
    }
}

/// Each with the reason for its size. A leak has no bound, so a bound need only be small beside what half an hour of one
/// would be.
const BOUNDS: [Bound; 20] = [
    // An allocator's arenas grow a little for long after the load is steady; 0.5 MB/min is 12 MB.
    up(
        "memory, MiB",
        |row| row.memory_bytes.map(|bytes| bytes / MIB),
        0.05,
        2.0,
    ),
    up(
        "memory of no file, MiB",
        |row| row.anonymous_bytes.map(|bytes| bytes / MIB),
        0.05,
        2.0,
    ),
    // Idle connections come and go with stalls; one a minute is 25.
    up("open files", |row| row.open_files, 0.05, 4.0),
    // Threads that look up names come and go.
    up("threads", |row| row.threads, 0.0, 2.0),
    up("tasks", |row| Some(row.tasks), 0.05, 5.0),
    // A reference is some 70 bytes, and HEAD a saw-tooth of spills.
    up("HEAD, bytes", |row| Some(row.head_bytes), 0.05, 512.0),
    up("log objects in HEAD", |row| Some(row.log_objects), 0.1, 1.0),
    up("runs in HEAD", |row| Some(row.runs), 0.1, 1.0),
    up("pins in HEAD", |row| Some(row.pins), 0.1, 1.0),
    // Saw-teeth of collections; without one there would be ten times as many at the end.
    up("objects in the store", |row| Some(row.objects? as f64), 0.1, 5.0),
    up(
        "unreferenced objects",
        |row| Some(row.unreferenced_objects? as f64),
        0.15,
        5.0,
    ),
    up("bytes per live byte", Row::bytes_per_live_byte, 0.1, 0.2),
    // Requests are what costs.
    up("requests per commit", Row::requests_per_commit, 0.02, 0.0),
    up(
        "maintenance requests per commit",
        Row::maintenance_per_commit,
        0.05,
        0.0,
    ),
    up("requests per read", Row::requests_per_read, 0.02, 0.0),
    up("commit p50, ms", |row| row.commit_p50_ms, 0.05, 0.5),
    up("commit p99, ms", |row| row.commit_p99_ms, 0.25, 2.0),
    up("read p50, ms", |row| row.read_p50_ms, 0.05, 0.5),
    up("read p99, ms", |row| row.read_p99_ms, 0.25, 2.0),
    Bound {
        what: "commits/s",
        of: Row::commits_per_s,
        bad: Bad::Down,
        relative: 0.02,
        absolute: 0.0,
    },
];

/// When the judged part of a run begins; none if it is too short.
pub(super) fn judged_from(duration: Duration) -> Option<Duration> {
    (duration >= JUDGED_FROM).then(|| duration.mul_f64(WARM_UP).max(WARM_UP_MIN))
}

/// How every number went in a run that was to take so long.
pub(super) fn trends(rows: &[Row], duration: Duration) -> Vec<SoakTrend> {
    let from = judged_from(duration);
    BOUNDS.iter().map(|bound| bound.trend(rows, from)).collect()
}

impl Bound {
    fn trend(&self, rows: &[Row], from: Option<Duration>) -> SoakTrend {
        let after = from.unwrap_or_default().as_secs_f64();
        let points: Vec<(f64, f64)> = rows
            .iter()
            .filter(|row| row.second - row.seconds >= after - 0.5)
            .filter_map(|row| Some((row.second, (self.of)(row)?)))
            .collect();
        let Some(trend) = Trend::of(&points) else {
            return SoakTrend {
                what: self.what.to_owned(),
                ..SoakTrend::default()
            };
        };
        let growth = match self.bad {
            Bad::Up => trend.rise,
            Bad::Down => trend.fall,
        };
        let allowed = self.relative * trend.median.abs() + self.absolute;
        SoakTrend {
            what: self.what.to_owned(),
            median: Some(trend.median),
            growth: Some(growth),
            error: Some(trend.error),
            allowed: Some(allowed),
            flat: from.map(|_| growth - ERRORS * trend.error <= allowed),
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "small numbers, rounded down on purpose"
)]
mod tests {
    use super::*;

    const RUN: Duration = Duration::from_secs(1_800);

    /// A run that is as it should be, but for what `change` does to a row; it is told the minutes that have passed.
    fn run(change: impl Fn(&mut Row, f64)) -> Vec<SoakTrend> {
        let rows: Vec<Row> = (1_u32..=180)
            .map(|number| {
                let wave = f64::from(number % 5);
                let mut row = Row {
                    second: f64::from(number) * 10.0,
                    seconds: 10.0,
                    memory_bytes: Some(40.0 * MIB + wave * 0.2 * MIB),
                    anonymous_bytes: Some(28.0 * MIB + wave * 0.2 * MIB),
                    open_files: Some(30.0 + wave),
                    threads: Some(5.0),
                    tasks: 20.0 + wave,
                    head_bytes: 6_000.0 + 500.0 * wave,
                    log_objects: wave,
                    runs: 5.0 + wave,
                    commits_offered: 100,
                    commits: 97,
                    reads: 200,
                    commit_puts: 130,
                    read_gets: 200,
                    maintenance_puts: 40,
                    commit_p50_ms: Some(12.0 + 0.1 * wave),
                    commit_p99_ms: Some(40.0 + 4.0 * wave),
                    read_p50_ms: Some(6.0),
                    read_p99_ms: Some(20.0 + wave),
                    objects: Some(60 + 7 * u64::from(number % 5)),
                    bytes: Some(1_000_000),
                    unreferenced_objects: Some(40 + 7 * u64::from(number % 5)),
                    live_bytes: Some(100_000),
                    ..Row::default()
                };
                change(&mut row, f64::from(number) / 6.0);
                row
            })
            .collect();
        trends(&rows, RUN)
    }

    fn not_flat(change: impl Fn(&mut Row, f64)) -> Vec<String> {
        let found = run(change).into_iter().filter(|trend| trend.flat != Some(true));
        found.map(|trend| trend.what).collect()
    }

    #[test]
    fn noise_and_saw_teeth_are_flat() {
        assert_eq!(not_flat(|_, _| {}), [""; 0]);
        // An outage of each minute: a peak, and afterwards as before.
        assert_eq!(
            not_flat(|row, minute| {
                if minute.fract() < 0.1 {
                    row.commit_p99_ms = Some(2_500.0);
                    row.open_files = Some(90.0);
                    row.commits = 50;
                }
            }),
            [""; 0]
        );
        // A saw-tooth of five minutes and 3 MiB.
        assert_eq!(
            not_flat(|row, minute| {
                let tooth = (minute % 5.0) / 5.0 * 3.0 * MIB;
                row.memory_bytes = row.memory_bytes.map(|bytes| bytes + tooth);
            }),
            [""; 0]
        );
        // What fills in the first minutes and then has its size.
        assert_eq!(
            not_flat(|row, minute| {
                let filled = (minute / 5.0).min(1.0) * 10.0 * MIB;
                row.memory_bytes = row.memory_bytes.map(|bytes| bytes + filled);
            }),
            [""; 0]
        );
    }

    #[test]
    fn half_a_megabyte_a_minute_is_found() {
        let leak = |row: &mut Row, minute: f64| {
            row.memory_bytes = row.memory_bytes.map(|bytes| bytes + minute * 500_000.0);
        };
        assert_eq!(not_flat(leak), ["memory, MiB"]);
    }

    #[test]
    fn a_file_a_minute_is_found() {
        let leak = |row: &mut Row, minute: f64| {
            row.open_files = row.open_files.map(|files| files + minute.floor());
        };
        assert_eq!(not_flat(leak), ["open files"]);
    }

    #[test]
    fn each_number_is_found_when_it_grows() {
        for (what, grow) in [
            ("tasks", (|row, minute| row.tasks += minute) as fn(&mut Row, f64)),
            ("threads", |row, minute| row.threads = Some(5.0 + minute / 5.0)),
            ("HEAD, bytes", |row, minute| row.head_bytes += 70.0 * minute),
            ("runs in HEAD", |row, minute| row.runs += minute / 6.0),
            ("log objects in HEAD", |row, minute| {
                row.log_objects += minute / 6.0
            }),
            ("pins in HEAD", |row, minute| row.pins += minute / 6.0),
            ("bytes per live byte", |row, minute| {
                row.bytes = Some(1_000_000 + (minute * 20_000.0) as u64);
            }),
            ("requests per commit", |row, minute| {
                row.commit_gets = (minute / 3.0) as u64
            }),
            ("maintenance requests per commit", |row, minute| {
                row.maintenance_gets = (minute / 3.0) as u64;
            }),
            ("requests per read", |row, minute| {
                row.read_gets += (minute / 2.0) as u64
            }),
            ("commit p50, ms", |row, minute| {
                row.commit_p50_ms = Some(12.0 + minute * 0.1)
            }),
            ("commit p99, ms", |row, minute| {
                row.commit_p99_ms = Some(40.0 + minute)
            }),
            ("read p50, ms", |row, minute| {
                row.read_p50_ms = Some(6.0 + minute * 0.1)
            }),
            ("read p99, ms", |row, minute| {
                row.read_p99_ms = Some(20.0 + minute)
            }),
        ] {
            assert_eq!(not_flat(grow), [what]);
        }
        let garbage = |row: &mut Row, minute: f64| {
            row.objects = row.objects.map(|objects| objects + (minute * 2.0) as u64);
            row.unreferenced_objects = row
                .unreferenced_objects
                .map(|objects| objects + (minute * 2.0) as u64);
        };
        assert_eq!(
            not_flat(garbage),
            ["objects in the store", "unreferenced objects"]
        );
        let slower = |row: &mut Row, minute: f64| {
            row.commits -= (minute / 5.0) as u64;
            row.commit_puts -= (minute / 4.0) as u64;
            row.maintenance_puts -= (minute / 10.0) as u64;
        };
        assert_eq!(not_flat(slower), ["commits/s"]);
    }

    #[test]
    fn a_short_run_is_shown_and_not_judged() {
        let rows: Vec<Row> = (1_u32..=20)
            .map(|second| Row {
                second: f64::from(second),
                seconds: 1.0,
                open_files: Some(f64::from(second)),
                ..Row::default()
            })
            .collect();
        let trends = trends(&rows, Duration::from_secs(20));
        assert!(trends.iter().all(|trend| trend.flat.is_none()), "{trends:?}");
        let files = trends.iter().find(|trend| trend.what == "open files").unwrap();
        assert_eq!(
            (files.median, files.growth.map(f64::round)),
            (Some(10.5), Some(19.0))
        );
        assert_eq!(judged_from(Duration::from_secs(599)), None);
        assert_eq!(judged_from(JUDGED_FROM), Some(WARM_UP_MIN));
        assert_eq!(judged_from(RUN), Some(Duration::from_secs(300)));
    }
}
