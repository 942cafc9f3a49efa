//! A run under faults, interval by interval: the file `<scenario>_timeline.csv`, of which its picture is drawn.
//!
//! A row is one thing in one interval, or one thing of the whole run. Rows without a count are left out: what is missing
//! did not happen. Times are seconds since the measurement began.
//!
//! | `what` | `name` | the other columns |
//! |---|---|---|
//! | `run` | `measured` | `seconds`: how long operations fell due |
//! | `run` | `interval` | `seconds`: the length of an interval |
//! | `run` | `baseline` | `p50_ms`: the median response of commits that fell due before the outage |
//! | `window` | the fault | a time in which it hit every request that it is about: `start_s`, `seconds`, and how many it hit |
//! | `outage` | the fault | the same of the outage that recovery is reckoned from |
//! | `fault` | the fault | how many requests it hit that arrived in this interval |
//! | `commit` | the outcome | response times of commits that were due in this interval, and how many there were |
//! | `read` | the outcome | the same of reads |
//! | `attempt` | `lost precondition`, `retry` | PUTs of HEAD that were answered in this interval |
//! | `open` | `commits`, `reads` | the most that were due and not answered at once in this interval |
//! | `told` | the outcome | commits whose clients were told it in this interval; what was unknown, by what became of it |
//! | `recovery` | `first commit`, `every writer`, `latency` | `start_s` and `seconds`: from when to when |
//! | `account` | what | a count of the whole run |
//!
//! Faults are written as in `PERF_FAULTS`. Percentiles are in ms; empty where there is nothing to say.

use serde::{Deserialize, Serialize};

mod count;
#[cfg(test)]
mod tests;
mod text;

pub use count::{Commit, Counted, Intervals};
pub use text::lines;

/// What the file's name ends with.
pub const SUFFIX: &str = "_timeline.csv";

/// The kinds of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The run.
    Run,
    /// A time in which a fault hit all.
    Window,
    /// The one that recovery is reckoned from.
    Outage,
    /// Faults that fired.
    Fault,
    /// Commits by when they were due.
    Commit,
    /// Reads by when they were due.
    Read,
    /// PUTs of HEAD by when they were answered.
    Attempt,
    /// Operations that wait.
    Open,
    /// Commits by when their clients were told.
    Told,
    /// From the end of the outage on.
    Recovery,
    /// The books of the run.
    Account,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its kind.
    pub what: What,
    /// Which of its kind.
    pub name: String,
    /// When it begins.
    pub start_s: f64,
    /// How long it is.
    pub seconds: f64,
    /// How many.
    pub count: u64,
    /// Median, in ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile, in ms.
    pub p99_ms: Option<f64>,
    /// The longest, in ms.
    pub max_ms: Option<f64>,
}

impl Row {
    /// A row of a whole run or of one interval, without percentiles.
    pub fn new(what: What, name: impl Into<String>, (start_s, seconds): (f64, f64), count: u64) -> Self {
        Self {
            what,
            name: name.into(),
            start_s: rounded(start_s),
            seconds: rounded(seconds),
            count,
            p50_ms: None,
            p99_ms: None,
            max_ms: None,
        }
    }

    /// When it ends.
    pub fn end_s(&self) -> f64 {
        self.start_s + self.seconds
    }
}

/// A microsecond is finer than anybody sees.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultsTimeline {
    /// Its rows, in the order of the file.
    pub rows: Vec<Row>,
}

impl FaultsTimeline {
    /// The file.
    ///
    /// # Errors
    /// If a row cannot be rendered.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &self.rows {
            writer.serialize(row)?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }

    /// Reads the file.
    ///
    /// # Errors
    /// One line: what is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let mut rows = Vec::new();
        for (number, row) in reader.deserialize::<Row>().enumerate() {
            let row = row.map_err(|error| {
                let error = error.to_string().replace(['\n', '\r'], " ");
                format!("not a timeline of faults: {error}")
            })?;
            let numbers = [row.start_s, row.seconds];
            let times = [row.p50_ms, row.p99_ms, row.max_ms];
            let all = numbers.into_iter().chain(times.into_iter().flatten());
            if !all.into_iter().all(|number| number.is_finite() && number >= 0.0) {
                return Err(format!("row {}: a time that is none", number + 1));
            }
            rows.push(row);
        }
        let timeline = Self { rows };
        match (timeline.run("measured"), timeline.run("interval")) {
            (Some(measured), Some(interval)) if measured > 0.0 && interval > 0.0 => {}
            _ => {
                return Err(
                    "it does not say how long the run and its intervals are: it is cut off".to_owned(),
                );
            }
        }
        if timeline.end_s() / timeline.interval_s() > f64::from(INTERVALS_READ_MAX) {
            return Err("it has more intervals than can be drawn".to_owned());
        }
        Ok(timeline)
    }

    /// The rows of a kind.
    pub fn of(&self, what: What) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.what == what)
    }

    /// The first row of a kind with this name.
    pub fn named(&self, what: What, name: &str) -> Option<&Row> {
        self.of(what).find(|row| row.name == name)
    }

    /// The names of a kind, in the order in which they come.
    pub fn names(&self, what: What) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in self.of(what) {
            if !names.contains(&row.name.as_str()) {
                names.push(&row.name);
            }
        }
        names
    }

    /// How many of a kind there were in all, by name.
    pub fn total(&self, what: What, name: &str) -> u64 {
        let rows = self.of(what).filter(|row| row.name == name);
        rows.map(|row| row.count).fold(0, u64::saturating_add)
    }

    /// The length of an interval.
    pub fn interval_s(&self) -> f64 {
        self.run("interval").unwrap_or(1.0)
    }

    /// When the last thing ended that the file tells of.
    pub fn end_s(&self) -> f64 {
        let ends = self.rows.iter().filter(|row| row.what != What::Account);
        ends.map(Row::end_s).fold(0.0, f64::max)
    }

    /// The intervals from the beginning to the end: when each begins.
    pub fn starts(&self) -> Vec<f64> {
        let (length, end) = (self.interval_s(), self.end_s());
        (0..INTERVALS_READ_MAX)
            .map(|number| f64::from(number) * length)
            .take_while(|start| *start < end - 1e-6)
            .collect()
    }

    /// The counts of a kind in each interval; 0 where there is no row.
    pub fn counts(&self, what: What, name: &str) -> Vec<u64> {
        let mut counts = vec![0_u64; self.starts().len()];
        for row in self.of(what).filter(|row| row.name == name) {
            if let Some(count) = self.place(row).and_then(|place| counts.get_mut(place)) {
                *count = count.saturating_add(row.count);
            }
        }
        counts
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of an interval, neither negative nor large"
    )]
    fn place(&self, row: &Row) -> Option<usize> {
        let place = (row.start_s / self.interval_s() + 1e-6).floor();
        (place < f64::from(INTERVALS_READ_MAX)).then_some(place as usize)
    }

    fn run(&self, name: &str) -> Option<f64> {
        self.named(What::Run, name).map(|row| row.seconds)
    }
}

/// Who writes has far fewer; a file with more is damaged.
const INTERVALS_READ_MAX: u32 = 10_000;
