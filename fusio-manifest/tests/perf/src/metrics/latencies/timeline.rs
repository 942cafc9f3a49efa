//! Durations by when they were due: the total, and what it was at each moment.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{LONGEST_US, Latencies};

/// What an interval lasts, until there would be too many of them.
const INTERVAL: Duration = Duration::from_secs(1);
/// The most intervals: one more, and two by two become one.
const INTERVALS_MAX: usize = 600;
/// Up to here a histogram of three digits tells microseconds apart; then it keeps so many leading bits.
const LEADING_BITS: u32 = 11;

/// Durations in intervals of a second, or of 2, 4, ... if more than ten minutes went by. An interval counts how often
/// each value came that a histogram tells apart, so that all of them make up the [total](Self::total) exactly, and
/// many short intervals need little room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    length: Duration,
    /// By microseconds, as [`distinct`] has them.
    intervals: Vec<BTreeMap<u32, u64>>,
    below_range: u64,
    above_range: u64,
    sum: Duration,
}

/// One interval of a timeline.
#[derive(Debug, Clone, Copy)]
pub struct Interval<'a> {
    /// When it begins, since the start of the measurement.
    pub start: Duration,
    counts: &'a BTreeMap<u32, u64>,
}

impl Interval<'_> {
    /// Its durations in microseconds. Takes a hundred times the room of the interval itself.
    pub fn histogram(&self) -> Histogram<u64> {
        let mut histogram = Latencies::empty_histogram();
        for (value, count) in self.counts {
            histogram.saturating_record_n(u64::from(*value), *count);
        }
        histogram
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            length: INTERVAL,
            intervals: Vec::new(),
            below_range: 0,
            above_range: 0,
            sum: Duration::ZERO,
        }
    }
}

impl Timeline {
    /// Adds a duration to the interval of `at`, a time since the start of the measurement.
    pub fn record(&mut self, at: Duration, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.below_range += u64::from(micros < 1);
        self.above_range += u64::from(micros > LONGEST_US);
        self.sum = self.sum.saturating_add(duration);
        let value = distinct(micros.clamp(1, LONGEST_US));
        while self.place(at) >= INTERVALS_MAX {
            self.coarsen();
        }
        let place = self.place(at);
        self.add(place, value, 1);
    }

    /// Adds all of another's durations.
    pub fn merge(&mut self, other: &Self) {
        while self.length < other.length {
            self.coarsen();
        }
        for (place, interval) in other.intervals.iter().enumerate() {
            let start = other.length * u32::try_from(place).unwrap_or(u32::MAX);
            for (value, count) in interval {
                self.add(self.place(start), *value, *count);
            }
        }
        self.below_range += other.below_range;
        self.above_range += other.above_range;
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// All of them in one histogram.
    pub fn total(&self) -> Latencies {
        let mut total = Latencies {
            histogram: None,
            below_range: self.below_range,
            above_range: self.above_range,
            sum: self.sum,
        };
        for (value, count) in self.intervals.iter().flatten() {
            total.open().saturating_record_n(u64::from(*value), *count);
        }
        total
    }

    /// Counts all of it as so much later.
    pub fn delay(&mut self, by: Duration) {
        let earlier = std::mem::take(self);
        *self = Self {
            intervals: Vec::new(),
            ..earlier
        };
        for (place, interval) in earlier.intervals.iter().enumerate() {
            let start = earlier.length * u32::try_from(place).unwrap_or(u32::MAX) + by;
            while self.place(start) >= INTERVALS_MAX {
                self.coarsen();
            }
            for (value, count) in interval {
                self.add(self.place(start), *value, *count);
            }
        }
    }

    /// The intervals that hold any.
    pub fn intervals(&self) -> impl Iterator<Item = Interval<'_>> {
        let starts = (0_u32..).map(|place| self.length * place);
        let all = starts
            .zip(&self.intervals)
            .map(|(start, counts)| Interval { start, counts });
        all.filter(|interval| !interval.counts.is_empty())
    }

    /// What each interval lasts.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How many durations.
    pub fn count(&self) -> u64 {
        self.intervals.iter().flat_map(BTreeMap::values).sum()
    }

    /// How many were longer than 60 s.
    pub fn above_range(&self) -> u64 {
        self.above_range
    }

    /// As [`Latencies::quantile_ms`] of all of them.
    pub fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        self.total().quantile_ms(quantile)
    }

    /// The mean in ms, exact; none without samples.
    pub fn mean_ms(&self) -> Option<f64> {
        self.total().mean_ms()
    }

    fn place(&self, at: Duration) -> usize {
        usize::try_from(at.as_nanos() / self.length.as_nanos().max(1)).unwrap_or(usize::MAX)
    }

    fn add(&mut self, place: usize, value: u32, count: u64) {
        if self.intervals.len() <= place {
            self.intervals.resize_with(place + 1, BTreeMap::new);
        }
        if let Some(interval) = self.intervals.get_mut(place) {
            *interval.entry(value).or_default() += count;
        }
    }

    /// Two by two, intervals become one.
    fn coarsen(&mut self) {
        self.length *= 2;
        for (place, interval) in std::mem::take(&mut self.intervals).into_iter().enumerate() {
            for (value, count) in interval {
                self.add(place / 2, value, count);
            }
        }
    }
}

/// The least value that a histogram of three digits does not tell apart from this one.
fn distinct(micros: u64) -> u32 {
    let dropped = (u64::BITS - micros.leading_zeros()).saturating_sub(LEADING_BITS);
    u32::try_from((micros >> dropped) << dropped).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Durations over the whole range, a few at each moment, whose leading digits differ.
    fn samples(moments: u64) -> impl Iterator<Item = (Duration, Duration)> {
        (0..moments * 7).map(|i| {
            let micros = (i * i * 7_919 + i) % (1 << (i % 27)).max(3);
            (
                Duration::from_millis(i * 1_000 / 7),
                Duration::from_micros(micros),
            )
        })
    }

    #[test]
    fn the_intervals_add_up_to_what_one_histogram_of_all_holds() {
        let (mut timeline, mut all) = (Timeline::default(), Latencies::default());
        for (at, duration) in samples(60) {
            timeline.record(at, duration);
            all.record(duration);
        }
        let total = timeline.total();
        assert_eq!(total.histogram(), all.histogram());
        assert_eq!(
            (
                total.count(),
                total.mean_ms(),
                total.below_range(),
                total.above_range()
            ),
            (420, all.mean_ms(), all.below_range(), all.above_range())
        );
        let mut added = Latencies::empty_histogram();
        let intervals: Vec<_> = timeline
            .intervals()
            .map(|interval| (interval.start, interval.histogram()))
            .collect();
        intervals
            .iter()
            .for_each(|(_, interval)| added.add(interval).unwrap());
        assert_eq!(Some(&added), all.histogram());
        let starts = intervals.iter().map(|(start, _)| start.as_secs());
        assert!(starts.eq(0..60));
        assert!(intervals.iter().all(|(_, interval)| interval.len() == 7));
    }

    #[test]
    fn every_value_stands_for_itself_in_a_histogram() {
        for micros in (1..5_000)
            .chain((1..60_000).map(|i| i * 1_000 + 7))
            .chain([LONGEST_US])
        {
            let histogram = Latencies::empty_histogram();
            assert!(
                histogram.equivalent(micros, u64::from(distinct(micros))),
                "{micros}"
            );
        }
    }

    #[test]
    fn a_long_run_has_longer_intervals_and_the_same_total() {
        let (mut long, mut all) = (Timeline::default(), Latencies::default());
        for (at, duration) in samples(1_500) {
            long.record(at, duration);
            all.record(duration);
        }
        assert_eq!(long.length(), Duration::from_secs(4));
        assert!(long.intervals().count() <= INTERVALS_MAX);
        assert_eq!(long.total().histogram(), all.histogram());
        // A short one beside it is merged into intervals of that length, whichever comes first.
        let mut short = Timeline::default();
        short.record(Duration::from_secs(9), Duration::from_millis(5));
        let (mut one, mut other) = (long.clone(), short.clone());
        one.merge(&short);
        other.merge(&long);
        assert_eq!(one, other);
        let at_8_s = |timeline: &Timeline| {
            let third = timeline.intervals().nth(2);
            third.map(|interval| (interval.start, interval.histogram().len()))
        };
        assert_eq!(at_8_s(&long), Some((Duration::from_secs(8), 28)));
        assert_eq!(at_8_s(&one), Some((Duration::from_secs(8), 29)));
    }

    #[test]
    fn it_comes_back_from_its_record_as_it_was() {
        let mut timeline = Timeline::default();
        samples(10).for_each(|(at, duration)| timeline.record(at, duration));
        let text = serde_json::to_string(&timeline).unwrap();
        assert_eq!(serde_json::from_str::<Timeline>(&text).unwrap(), timeline);
    }

    #[test]
    fn what_is_delayed_falls_into_later_intervals_and_adds_up_to_the_same() {
        let mut timeline = Timeline::default();
        for (at, duration) in samples(60) {
            timeline.record(at, duration);
        }
        let mut delayed = timeline.clone();
        delayed.delay(Duration::from_secs(120));
        let starts = |timeline: &Timeline| {
            timeline
                .intervals()
                .map(|interval| interval.start)
                .collect::<Vec<_>>()
        };
        let later: Vec<_> = starts(&timeline)
            .iter()
            .map(|start| *start + Duration::from_secs(120))
            .collect();
        assert_eq!(starts(&delayed), later);
        assert_eq!(delayed.total().histogram(), timeline.total().histogram());
        // So late that intervals become longer.
        delayed.delay(Duration::from_secs(3_600));
        assert!(delayed.length() > timeline.length());
        assert_eq!(delayed.count(), timeline.count());
    }
}
