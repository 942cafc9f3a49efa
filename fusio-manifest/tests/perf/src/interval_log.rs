//! Interval logs in the format of HdrHistogram (`.hlog`): how latencies went over time, for any of its readers and
//! for plots.
//!
//! One line an interval of a series of a cell, with the tag `<label>-<role>-<outcome>`; its histogram is V2,
//! compressed, in microseconds. All intervals of a tag add up to the histogram that the percentiles of the CSV are
//! taken of. Times are seconds since `BaseTime`, at which the first cell began to measure.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, Tag},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::metrics::{MetricsCollector, Timeline};

/// Microseconds in the unit in which the maximum of an interval is shown.
const SHOWN_PER_MS: f64 = 1_000.0;

/// One kind of times of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// `<role>-<outcome>`.
    pub name: String,
    /// The times.
    pub times: Timeline,
}

/// What a cell has to log.
#[derive(Debug, Clone, Copy)]
pub struct CellIntervals<'a> {
    /// Its label.
    pub label: &'a str,
    /// When its measurement began, since the epoch of Unix; in virtual time since its beginning.
    pub began: Duration,
    /// Its times.
    pub series: &'a [Series],
}

/// An interval log that could not be rendered.
#[derive(Debug, Error)]
#[error("cannot render the interval log: {0}")]
pub struct IntervalLogError(String);

impl IntervalLogError {
    fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// The times of a cell that has ended, by role and outcome; those without samples are left out.
pub fn series(metrics: &MetricsCollector, floor_put: &Timeline, floor_get: &Timeline) -> Vec<Series> {
    let (writer, reader) = (&metrics.writer, &metrics.reader);
    let all = [
        ("writer-committed", &writer.acknowledged.response),
        ("writer-given_up", &writer.given_up.response),
        ("writer-failed", &writer.failed.response),
        ("writer-unknown", &writer.unknown.response),
        // Not of writes, but of each attempt that lost its precondition.
        ("writer-lost", &writer.lost_attempts),
        ("reader-read", &reader.succeeded.response),
        ("reader-failed", &reader.failed.response),
        ("floor_put-committed", floor_put),
        ("floor_get-read", floor_get),
    ];
    let held = all.into_iter().filter(|(_, times)| times.count() > 0);
    held.map(|(name, times)| Series {
        name: name.to_owned(),
        times: times.clone(),
    })
    .collect()
}

/// The log of these cells, its intervals in the order of their beginnings.
///
/// # Errors
/// If a histogram cannot be rendered, or a label does not fit into a tag.
pub fn interval_log(cells: &[CellIntervals<'_>]) -> Result<Vec<u8>, IntervalLogError> {
    let base = cells.iter().map(|cell| cell.began).min().unwrap_or_default();
    let mut lines = Vec::new();
    for cell in cells {
        for series in cell.series {
            let tag = format!("{}-{}", cell.label, series.name);
            let length = series.times.length();
            let intervals = series.times.intervals();
            lines.extend(intervals.map(|interval| {
                let start = cell.began.saturating_sub(base) + interval.start;
                (start, tag.clone(), length, interval)
            }));
        }
    }
    // Stable: at the same moment cells and their series keep their order.
    lines.sort_by_key(|(start, ..)| *start);
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[Unit: microseconds; maxima in milliseconds]")
        .add_comment("[Tags: <label>-<role>-<outcome>]")
        .with_start_time(UNIX_EPOCH + base)
        .with_base_time(UNIX_EPOCH + base)
        .with_max_value_divisor(SHOWN_PER_MS)
        .begin_log_with(&mut log, &mut serializer)
        .map_err(IntervalLogError::new)?;
    // One whole histogram at a time: all of them would fill the memory.
    for (start, tag, length, interval) in &lines {
        let tag = Tag::new(tag).ok_or_else(|| {
            IntervalLogError::new(format!("a tag may hold no comma, blank or newline: {tag:?}"))
        })?;
        writer
            .write_histogram(&interval.histogram(), *start, *length, Some(tag))
            .map_err(IntervalLogError::new)?;
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::{
        Histogram,
        serialization::interval_log::{IntervalLogIterator, LogEntry},
    };

    use super::*;

    fn timeline(moments: u64, micros: u64) -> Timeline {
        let mut timeline = Timeline::default();
        for i in 0..moments * 5 {
            timeline.record(
                Duration::from_millis(i * 200),
                Duration::from_micros(micros + i * 37),
            );
        }
        timeline
    }

    fn cell<'a>(label: &'a str, began: u64, series: &'a [Series]) -> CellIntervals<'a> {
        CellIntervals {
            label,
            began: Duration::from_secs(began),
            series,
        }
    }

    fn read_write() -> Vec<Series> {
        let series = |name: &str, times| Series {
            name: name.to_owned(),
            times,
        };
        vec![
            series("writer-committed", timeline(3, 60_000)),
            series("reader-read", timeline(4, 27_000)),
        ]
    }

    /// When each interval of each tag begins, and what it holds.
    fn read(log: &[u8]) -> BTreeMap<String, Vec<(f64, Histogram<u64>)>> {
        let mut tags: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut last = Duration::ZERO;
        for entry in IntervalLogIterator::new(log) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                assert!(interval.start_timestamp() >= last);
                last = interval.start_timestamp();
                let histogram = decode(interval.encoded_histogram());
                assert_eq!(interval.max(), histogram.max() as f64 / 1_000.0);
                let tag = interval.tag().unwrap().as_str().to_owned();
                let of_tag = tags.entry(tag).or_default();
                of_tag.push((interval.start_timestamp().as_secs_f64(), histogram));
            }
        }
        tags
    }

    fn decode(base64: &str) -> Histogram<u64> {
        const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bytes = Vec::new();
        for four in base64.as_bytes().chunks(4) {
            let letters = four.iter().filter(|letter| **letter != b'=');
            let sextets: Vec<u32> = letters
                .map(|letter| u32::try_from(LETTERS.find(char::from(*letter)).unwrap()).unwrap())
                .collect();
            let bits = (0..4).fold(0, |bits, i| (bits << 6) | sextets.get(i).copied().unwrap_or(0));
            bytes.extend(&bits.to_be_bytes()[1..sextets.len()]);
        }
        hdrhistogram::serialization::Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .unwrap()
    }

    #[test]
    fn what_is_read_back_adds_up_to_the_totals() {
        let series = read_write();
        let log = interval_log(&[cell("w1_r0.1", 100, &series), cell("w2_r0.1", 165, &series)]).unwrap();
        let tags = read(&log);
        let names: Vec<_> = tags.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "w1_r0.1-reader-read",
                "w1_r0.1-writer-committed",
                "w2_r0.1-reader-read",
                "w2_r0.1-writer-committed"
            ]
        );
        for (tag, intervals) in &tags {
            let times = &series[usize::from(tag.ends_with("read"))].times;
            let mut sum = Histogram::<u64>::new_from(&intervals[0].1);
            intervals
                .iter()
                .for_each(|(_, interval)| sum.add(interval).unwrap());
            assert_eq!(Some(&sum), times.total().histogram(), "{tag}");
            let offset = if tag.starts_with("w2") { 65.0 } else { 0.0 };
            let starts: Vec<f64> = intervals.iter().map(|(start, _)| *start).collect();
            let expected: Vec<f64> = (0..starts.len()).map(|second| offset + second as f64).collect();
            assert_eq!(starts, expected, "{tag}");
        }
    }

    #[test]
    fn the_head_tells_the_times_and_the_unit() {
        let series = read_write();
        let log =
            String::from_utf8(interval_log(&[cell("w1_r0.1", 1_700_000_000, &series)]).unwrap()).unwrap();
        for line in [
            "#[StartTime: 1700000000.000 (seconds since epoch)]",
            "#[BaseTime: 1700000000.000 (seconds since epoch)]",
            "#[MaxValueDivisor: 1000.000]",
            "#[Unit: microseconds; maxima in milliseconds]",
        ] {
            assert!(log.lines().any(|held| held == line), "{line} in {log}");
        }
    }

    #[test]
    fn a_label_that_is_no_tag_is_refused() {
        let series = read_write();
        let error = interval_log(&[cell("w1 r0.1", 0, &series)]).unwrap_err();
        assert!(
            error.to_string().contains("no comma, blank or newline"),
            "{error}"
        );
    }
}
