//! What somebody sees who waits at a terminal for a long check.

use std::time::Duration;

use fusio_manifest::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line on stderr, on a terminal only, and what was found until now.
pub(crate) struct Watch {
    bar: ProgressBar,
    /// Findings come in the report, as JSON.
    silent: bool,
    found: bool,
}

impl Watch {
    pub(crate) fn new(silent: bool) -> Self {
        // Hidden where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} checking  {msg}  {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            bar,
            silent,
            found: false,
        }
    }

    pub(crate) fn see(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Read {
                objects,
                of_objects,
                bytes,
                of_bytes,
            } => {
                let mib = |bytes: u64| bytes >> 20;
                self.bar.set_message(format!(
                    "{objects} of {of_objects} objects, {} of {} MiB",
                    mib(bytes),
                    mib(of_bytes)
                ));
            }
            Progress::Found(finding) => {
                self.found = true;
                if !self.silent {
                    // At once: a check may take hours.
                    self.bar.suspend(|| eprintln!("{finding}\n"));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// True if anything is broken, whatever became of the check.
    pub(crate) fn found(&self) -> bool {
        self.found
    }
}
