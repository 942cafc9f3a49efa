//! How the run went, second by second.

use std::collections::BTreeMap;

use crate::{
    plot::{
        figure::{Axis, Figure, Panel, Point, Series},
        files::{Interval, Role, Track},
        scale::{Scale, plain},
        style::Dash,
    },
    summary::SAMPLES_ENOUGH,
};

/// More are not told apart on a phone.
const BUCKETS_MAX: f64 = 60.0;

/// The time that the intervals of a cell cover, in buckets.
#[derive(Debug, Clone, Copy)]
struct Buckets {
    begun: f64,
    ended: f64,
    seconds: f64,
}

/// One plot for writers and one for readers.
pub(super) fn figures(tracks: Vec<&Track>, stem: &str, of: &str) -> Vec<Figure> {
    let Some(buckets) = Buckets::of(&tracks) else {
        return Vec::new();
    };
    let figure = |role, main: &str, who: &str, what: &str| {
        let own: Vec<_> = tracks
            .iter()
            .copied()
            .filter(|track| track.role == role)
            .collect();
        let every = match plain(buckets.seconds).as_str() {
            "1" => "second".to_owned(),
            seconds => format!("{seconds} s"),
        };
        Figure::of_panels(
            format!("{stem}timeline_{who}"),
            format!("Timeline{of}: {what}"),
            format!("Response times of every {every} and, below, operations by outcome. A stall is a peak."),
            vec![latency(&own, main, buckets), rate(&own, buckets)],
        )
    };
    [
        figure(Role::Writer, "committed", "writers", "commits"),
        figure(Role::Reader, "read", "readers", "fresh reads"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Buckets {
    /// None if nothing was recorded.
    fn of(tracks: &[&Track]) -> Option<Self> {
        let all = || tracks.iter().flat_map(|track| &track.intervals);
        let begun = all().map(|interval| interval.start).reduce(f64::min)?.floor();
        let ended = all().map(Interval::end).reduce(f64::max)?;
        let shortest = all()
            .map(|interval| interval.seconds)
            .reduce(f64::min)?
            .max(0.001);
        let steps = [
            1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0,
        ];
        let fits = |seconds: &f64| (ended - begun) / seconds <= BUCKETS_MAX && *seconds >= shortest * 0.999;
        let seconds = steps.into_iter().find(fits);
        Some(Self {
            begun,
            ended,
            seconds: seconds.unwrap_or(((ended - begun) / BUCKETS_MAX).max(shortest)),
        })
    }

    fn count(&self) -> u32 {
        let count = ((self.ended - self.begun) / self.seconds - 1e-6).ceil();
        (1..)
            .take_while(|number| f64::from(*number) <= count)
            .last()
            .unwrap_or(1)
    }

    fn holds(&self, bucket: u32, interval: &Interval) -> bool {
        let from = self.begun + f64::from(bucket) * self.seconds;
        (from - 1e-6..from + self.seconds - 1e-6).contains(&interval.start)
    }

    /// The middle of a bucket, in seconds since the first one began.
    fn middle(&self, bucket: u32) -> f64 {
        (f64::from(bucket) + 0.5) * self.seconds
    }

    /// Seconds of a bucket that were measured: the last one may be cut short.
    fn covered(&self, bucket: u32) -> f64 {
        let from = self.begun + f64::from(bucket) * self.seconds;
        self.seconds.min((self.ended - from).max(0.001))
    }

    fn x_axis(&self, label: &str) -> Axis {
        Axis::new(label, Scale::from_zero([self.ended - self.begun]))
    }
}

/// What a bucket of a track comes to.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    count: u64,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
}

/// The buckets of a track that hold something.
fn filled(track: &Track, buckets: Buckets) -> BTreeMap<u32, Bucket> {
    let of = |bucket| {
        let sum = track.sum_of(|interval| buckets.holds(bucket, interval))?;
        let found = Bucket {
            count: sum.len(),
            p50_us: sum.value_at_quantile(0.5),
            p99_us: sum.value_at_quantile(0.99),
            max_us: sum.max(),
        };
        Some((bucket, found))
    };
    (0..buckets.count()).filter_map(of).collect()
}

fn latency(tracks: &[&Track], main: &str, buckets: Buckets) -> Panel {
    let main = tracks.iter().find(|track| track.outcome == main);
    let found = main.map(|track| filled(track, buckets)).unwrap_or_default();
    let line = |label: &str, colour: usize, dash, value: &dyn Fn(&Bucket) -> u64| {
        let points = found.iter().map(|(number, bucket)| Point {
            x: buckets.middle(*number),
            y: value(bucket) as f64 / 1_000.0,
            few: bucket.count < SAMPLES_ENOUGH,
        });
        Series::new(label, colour, points.collect()).dashed(dash)
    };
    let mut longest = line("max", 2, Dash::Dotted, &|bucket| bucket.max_us);
    // A maximum is what it is, of however many.
    longest.points.iter_mut().for_each(|point| point.few = false);
    let series = vec![
        line("p50", 0, Dash::Solid, &|bucket| bucket.p50_us),
        line("p99", 1, Dash::Dashed, &|bucket| bucket.p99_us),
        longest,
    ];
    let values: Vec<_> = series
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.y)
        .collect();
    Panel {
        x: buckets.x_axis(""),
        y: Axis::new("response time, ms", Scale::log(values)),
        height: 170.0,
        series,
    }
}

fn rate(tracks: &[&Track], buckets: Buckets) -> Panel {
    let mut series = Vec::new();
    for (number, track) in tracks.iter().enumerate() {
        let found = filled(track, buckets);
        let points = (0..buckets.count()).map(|number| Point {
            x: buckets.middle(number),
            y: found.get(&number).map_or(0.0, |bucket| bucket.count as f64) / buckets.covered(number),
            few: false,
        });
        let dashes = [Dash::Solid, Dash::Dashed];
        let mut line = Series::new(format!("{}/s", track.outcome), 3 + number, points.collect());
        // Every bucket has a point, and none rests on samples: markers would say nothing.
        line.marker = None;
        line.dash = dashes.get(number).copied().unwrap_or(Dash::Dotted);
        series.push(line);
    }
    let values: Vec<_> = series
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.y)
        .collect();
    Panel {
        x: buckets.x_axis("time since the measurement began, s"),
        y: Axis::new("operations/s", Scale::from_zero(values)),
        height: 80.0,
        series,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{
        figure::Body,
        files::{Log, sample::hlog},
    };

    fn panels(log: &Log) -> Vec<Vec<Panel>> {
        let figures = figures(log.of("c").collect(), "", "");
        figures
            .into_iter()
            .map(|figure| match figure.body {
                Body::Panels(panels) => panels,
                Body::Bars(_) | Body::Lanes(_) => panic!("panels alone"),
            })
            .collect()
    }

    #[test]
    fn a_second_in_which_nothing_happened_has_a_rate_and_no_latency() {
        let mut log = Log::default();
        let writes = "c-writer-committed";
        log.read(&hlog(&[
            (writes, 100, &[60_000; 10]),
            (writes, 102, &[1_400_000; 20]),
        ]))
        .unwrap();
        let [panels] = &panels(&log)[..] else {
            panic!("writers alone");
        };
        let (latency, rate) = (&panels[0].series, &panels[1].series);
        let at = |line: &Series| {
            line.points
                .iter()
                .map(|point| (point.x, point.y))
                .collect::<Vec<_>>()
        };
        assert_eq!(at(&rate[0]), [(0.5, 10.0), (1.5, 0.0), (2.5, 20.0)]);
        let p50 = at(&latency[0]);
        assert_eq!(p50.len(), 2);
        assert!(
            (p50[1].1 / 1_400.0 - 1.0).abs() < 0.01 && p50[1].0 == 2.5,
            "{p50:?}"
        );
        assert!(latency[0].points[0].few && !latency[2].points[0].few);
    }

    #[test]
    fn long_runs_are_drawn_in_longer_steps() {
        let seconds: Vec<u64> = (0..600).collect();
        let all: Vec<_> = seconds
            .iter()
            .map(|s| ("c-reader-read", *s, &[27_000; 3][..]))
            .collect();
        let mut log = Log::default();
        log.read(&hlog(&all)).unwrap();
        let panels = panels(&log);
        let rate = &panels[0][1].series[0].points;
        assert_eq!(rate.len(), 60);
        assert!(rate.iter().all(|point| (point.y - 3.0).abs() < 1e-9), "{rate:?}");
    }
}
