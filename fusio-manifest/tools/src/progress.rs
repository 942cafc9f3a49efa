//! What somebody sees who waits at a terminal for a long check or copy.

use std::time::Duration;

use fusio_manifest::{CopyProgress, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line on stderr, on a terminal only, and what was found until now.
pub(crate) struct Watch {
    bar: ProgressBar,
    /// Findings come in the report, as JSON.
    silent: bool,
    found: bool,
}

impl Watch {
    pub(crate) fn new(doing: &str, silent: bool) -> Self {
        // Hidden where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(&format!("{{spinner}} {doing}  {{msg}}  {{elapsed}}"))
        {
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
                self.tell([objects, of_objects], [bytes, of_bytes]);
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

    pub(crate) fn copied(&mut self, progress: CopyProgress) {
        let objects = [progress.objects, progress.of_objects];
        self.tell(objects, [progress.bytes, progress.of_bytes]);
    }

    fn tell(&self, [objects, of_objects]: [u64; 2], bytes: [u64; 2]) {
        let [mib, of_mib] = bytes.map(|bytes| bytes >> 20);
        self.bar.set_message(format!(
            "{objects} of {of_objects} objects, {mib} of {of_mib} MiB"
        ));
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// True if anything is broken, whatever became of the check.
    pub(crate) fn found(&self) -> bool {
        self.found
    }
}
