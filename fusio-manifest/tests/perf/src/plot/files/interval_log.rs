//! HDR interval logs: which latencies, in which second.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{
        DeserializeError, Deserializer,
        interval_log::{IntervalLogHistogram, IntervalLogIterator, LogEntry, LogIteratorError},
    },
};

/// Whose latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plot) enum Role {
    Writer,
    Reader,
    FloorPut,
    FloorGet,
}

impl Role {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "writer" => Some(Self::Writer),
            "reader" => Some(Self::Reader),
            "floor_put" => Some(Self::FloorPut),
            "floor_get" => Some(Self::FloorGet),
            _ => None,
        }
    }
}

/// The histograms of one tag, in microseconds, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Track {
    pub(in crate::plot) role: Role,
    /// `committed`, `lost`, `read`, ...
    pub(in crate::plot) outcome: String,
    pub(in crate::plot) intervals: Vec<Interval>,
}

/// One interval of a track. Its histogram stays encoded: decoded it takes some 200 KiB, and there may be 100,000.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Interval {
    /// Seconds since the log's base.
    pub(in crate::plot) start: f64,
    pub(in crate::plot) seconds: f64,
    encoded: Vec<u8>,
}

impl Interval {
    pub(in crate::plot) fn end(&self) -> f64 {
        self.start + self.seconds
    }
}

impl Track {
    /// All intervals together; none if nothing was recorded.
    pub(in crate::plot) fn merged(&self) -> Option<Histogram<u64>> {
        self.sum_of(|_| true)
    }

    /// Some of the intervals together; none if nothing was recorded in them.
    pub(in crate::plot) fn sum_of(&self, wanted: impl Fn(&Interval) -> bool) -> Option<Histogram<u64>> {
        let mut deserializer = Deserializer::new();
        let mut sum = Histogram::<u64>::new(3).ok()?;
        for interval in self.intervals.iter().filter(|interval| wanted(interval)) {
            // It was decoded once, when it was read.
            sum.add(decode(&mut deserializer, &interval.encoded).ok()?).ok()?;
        }
        (!sum.is_empty()).then_some(sum)
    }
}

fn decode(deserializer: &mut Deserializer, mut encoded: &[u8]) -> Result<Histogram<u64>, DeserializeError> {
    deserializer.deserialize(&mut encoded)
}

/// The tracks of each cell by its label.
#[derive(Debug, Default)]
pub(in crate::plot) struct Log {
    tracks: BTreeMap<String, BTreeMap<(Role, String), Track>>,
}

impl Log {
    pub(in crate::plot) fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// The tracks of a cell, writers first.
    pub(in crate::plot) fn of<'a>(&'a self, label: &str) -> impl Iterator<Item = &'a Track> {
        self.tracks.get(label).into_iter().flat_map(BTreeMap::values)
    }

    /// Adds what a file holds, up to the first line that is damaged. An error is one line.
    pub(in crate::plot) fn read(&mut self, text: &str) -> Result<(), String> {
        let mut deserializer = Deserializer::new();
        let mut start_time = 0.0;
        let mut relative = false;
        for entry in IntervalLogIterator::new(text.as_bytes()) {
            match entry.map_err(|LogIteratorError::ParseError { offset }| {
                format!("not an HdrHistogram interval log at byte {offset}")
            })? {
                LogEntry::StartTime(at) => start_time = at.as_secs_f64(),
                LogEntry::BaseTime(_) => relative = true,
                LogEntry::Interval(interval) => {
                    // Without a base, the times are seconds since 1970.
                    let begun = if relative { 0.0 } else { start_time };
                    self.add(&interval, begun, &mut deserializer)?;
                }
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        interval: &IntervalLogHistogram<'_>,
        begun: f64,
        deserializer: &mut Deserializer,
    ) -> Result<(), String> {
        let at = interval.start_timestamp().as_secs_f64();
        let tag = interval.tag().map_or("", |tag| tag.as_str());
        let (label, role, outcome) =
            parts(tag).ok_or_else(|| format!("the tag {tag:?} is not <label>-<role>-<outcome>"))?;
        let encoded = STANDARD
            .decode(interval.encoded_histogram())
            .map_err(|error| format!("the histogram of {tag} at {at} s is not base64: {error}"))?;
        decode(deserializer, &encoded)
            .map_err(|error| format!("the histogram of {tag} at {at} s cannot be read: {error}"))?;
        let tracks = self.tracks.entry(label.to_owned()).or_default();
        let track = tracks.entry((role, outcome.to_owned())).or_insert_with(|| Track {
            role,
            outcome: outcome.to_owned(),
            intervals: Vec::new(),
        });
        track.intervals.push(Interval {
            start: at - begun,
            seconds: interval.duration().as_secs_f64(),
            encoded,
        });
        Ok(())
    }
}

/// Labels may hold hyphens, roles and outcomes do not.
fn parts(tag: &str) -> Option<(&str, Role, &str)> {
    let (rest, outcome) = tag.rsplit_once('-')?;
    let (label, role) = rest.rsplit_once('-')?;
    Some((label, Role::parse(role)?, outcome))
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn what_was_written_is_read() {
        let mut log = Log::default();
        let text = sample::hlog(&[
            ("a-b_r0.1-floor_put-put", 3, &[60_000, 70_000]),
            ("a-b_r0.1-writer-committed", 0, &[61_000]),
        ]);
        log.read(&text).unwrap();
        let tracks: Vec<_> = log.of("a-b_r0.1").collect();
        assert_eq!(tracks.len(), 2);
        assert_eq!(
            (tracks[0].role, tracks[0].outcome.as_str()),
            (Role::Writer, "committed")
        );
        let floor = tracks[1];
        assert_eq!((floor.intervals[0].start, floor.intervals[0].seconds), (3.0, 1.0));
        let merged = floor.merged().unwrap();
        assert_eq!((merged.len(), merged.max() / 100), (2, 700));
    }

    #[test]
    fn times_without_a_base_count_from_the_start() {
        let text = sample::hlog(&[("c-reader-read", 7, &[1_000])]);
        let text: String = (text.lines())
            .filter(|line| !line.contains("BaseTime"))
            .map(|line| format!("{}\n", line.replacen("0.000 (", "5.000 (", 1)))
            .collect();
        let mut log = Log::default();
        log.read(&text).unwrap();
        assert_eq!(log.of("c").next().unwrap().intervals[0].start, 2.0);
    }

    #[test]
    fn a_foreign_tag_is_said() {
        let mut log = Log::default();
        let error = log.read(&sample::hlog(&[("stranger", 0, &[1])])).unwrap_err();
        assert!(error.contains("\"stranger\""), "{error}");
    }
}
