//! How far a run is: a bar per cell on a terminal, a line every 10 s elsewhere. On standard error, so that the
//! report can be piped.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use parking_lot::Mutex;

/// How often a cell tells where it is when nobody watches a bar.
const EVERY: Duration = Duration::from_secs(10);

/// Shows the progress of a run's cells.
#[derive(Debug)]
pub struct Progress {
    bars: Option<MultiProgress>,
    silent: bool,
}

impl Progress {
    /// Bars if standard error is a terminal, else lines.
    pub fn new() -> Self {
        Self {
            bars: io::stderr().is_terminal().then(MultiProgress::new),
            silent: false,
        }
    }

    /// Nothing at all: for cells of which thousands are run.
    pub fn silent() -> Self {
        Self {
            bars: None,
            silent: true,
        }
    }

    /// A cell that will take `total`.
    pub fn cell(&self, label: &str, total: Duration) -> CellProgress {
        let view = match &self.bars {
            None if self.silent => View::Silent,
            Some(bars) => View::Bar(bars.add(bar(label, total))),
            None => View::Lines {
                next: Mutex::new(EVERY),
            },
        };
        CellProgress {
            label: label.to_owned(),
            total,
            view,
        }
    }

    /// Prints without a bar running through it.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// The progress of one cell; its bar goes away when this is dropped.
#[derive(Debug)]
pub struct CellProgress {
    label: String,
    total: Duration,
    view: View,
}

#[derive(Debug)]
enum View {
    Silent,
    Bar(ProgressBar),
    Lines { next: Mutex<Duration> },
}

impl CellProgress {
    /// Tells how long the cell has run by the run's own clock, and how many operations it has finished. Call it
    /// about once a second.
    pub fn update(&self, elapsed: Duration, operations: u64) {
        match &self.view {
            View::Silent => {}
            View::Bar(bar) => {
                bar.set_position(millis(elapsed.min(self.total)));
                bar.set_message(format!("{operations} ops"));
            }
            View::Lines { next } => {
                if falls_due(&mut next.lock(), elapsed) {
                    // Nobody may be listening, and a run does not end for that.
                    let _ = writeln!(
                        io::stderr(),
                        "{}",
                        line(&self.label, elapsed, self.total, operations)
                    );
                }
            }
        }
    }
}

impl Drop for CellProgress {
    fn drop(&mut self) {
        match &self.view {
            View::Bar(bar) => bar.finish_and_clear(),
            View::Silent | View::Lines { .. } => {}
        }
    }
}

fn bar(label: &str, total: Duration) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:16} [{bar:30}] {percent:>3}% {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(millis(total))
        .with_style(style)
        .with_prefix(label.to_owned())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// True once in every period, however seldom it is asked.
fn falls_due(next: &mut Duration, elapsed: Duration) -> bool {
    let due = elapsed >= *next;
    while *next <= elapsed {
        *next += EVERY;
    }
    due
}

fn line(label: &str, elapsed: Duration, total: Duration, operations: u64) -> String {
    format!(
        "{label}: {}/{} s, {operations} ops",
        elapsed.as_secs(),
        total.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_falls_due_once_in_ten_seconds() {
        let mut next = EVERY;
        let due: Vec<u64> = (0..=45)
            .filter(|&second| falls_due(&mut next, Duration::from_secs(second)))
            .collect();
        assert_eq!(due, [10, 20, 30, 40]);
    }

    #[test]
    fn a_long_silence_makes_one_line_not_many() {
        let mut next = EVERY;
        assert!(falls_due(&mut next, Duration::from_secs(95)));
        assert!(!falls_due(&mut next, Duration::from_secs(99)));
        assert!(falls_due(&mut next, Duration::from_secs(100)));
    }

    #[test]
    fn a_line_tells_elapsed_total_and_operations() {
        let text = line(
            "w1_r0.1",
            Duration::from_secs(30),
            Duration::from_secs(120),
            6_003,
        );
        assert_eq!(text, "w1_r0.1: 30/120 s, 6003 ops");
    }

    #[test]
    fn the_template_of_the_bar_is_valid() {
        assert!(ProgressStyle::with_template("{prefix:16} [{bar:30}] {percent:>3}% {msg}").is_ok());
    }
}
