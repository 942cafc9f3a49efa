//! What the system says that this process has: memory, open files, threads; and its runtime, tasks.

use std::fs;

use tokio::runtime::Handle;

use crate::statistics::ranks::median;

/// One look.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Resources {
    /// Resident memory, with the pages of the program that were touched.
    pub(super) memory_bytes: Option<f64>,
    /// Resident memory of no file: heap and stacks.
    pub(super) anonymous_bytes: Option<f64>,
    /// Descriptors: files, sockets, pipes.
    pub(super) open_files: Option<f64>,
    pub(super) threads: Option<f64>,
    pub(super) tasks: f64,
}

impl Resources {
    /// Those of this process, now. What the system does not tell is none.
    pub(super) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let files = fs::read_dir("/proc/self/fd").ok();
        Self {
            memory_bytes: kib(&status, "VmRSS:"),
            anonymous_bytes: kib(&status, "RssAnon:"),
            // The one with which the directory is read is open only meanwhile.
            open_files: files.map(|files| files.count().saturating_sub(1) as f64),
            threads: field(&status, "Threads:").and_then(|text| text.parse().ok()),
            tasks: Handle::current().metrics().num_alive_tasks() as f64,
        }
    }
}

/// The median of each, over looks of which some may have told less.
pub(super) fn medians(looks: &[Resources]) -> Resources {
    let of =
        |field: fn(&Resources) -> Option<f64>| median(&looks.iter().filter_map(field).collect::<Vec<_>>());
    Resources {
        memory_bytes: of(|look| look.memory_bytes),
        anonymous_bytes: of(|look| look.anonymous_bytes),
        open_files: of(|look| look.open_files),
        threads: of(|look| look.threads),
        tasks: of(|look| Some(look.tasks)).unwrap_or_default(),
    }
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn kib(status: &str, name: &str) -> Option<f64> {
    let kib: u64 = field(status, name)?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib as f64 * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_threads_are_read_from_the_status() {
        let status = "Name:\tx\nVmRSS:\t    2048 kB\nRssAnon:\t  1024 kB\nThreads:\t7\n";
        assert_eq!(kib(status, "VmRSS:"), Some(2_097_152.0));
        assert_eq!(kib(status, "RssAnon:"), Some(1_048_576.0));
        assert_eq!(field(status, "Threads:"), Some("7"));
        assert_eq!(kib("VmRSS:\tmany\n", "VmRSS:"), None);
    }

    #[tokio::test]
    async fn what_is_open_is_counted() {
        let before = Resources::now();
        let opened: Vec<_> = (0..20).map(|_| fs::File::open("Cargo.toml").unwrap()).collect();
        let after = Resources::now();
        drop(opened);
        if let (Some(before), Some(after)) = (before.open_files, after.open_files) {
            // Other tests of this process open files meanwhile.
            assert!(after >= before + 10.0, "{before} {after}");
        }
    }

    #[tokio::test]
    async fn a_median_is_of_those_that_told() {
        let look = |files| Resources {
            open_files: files,
            tasks: 3.0,
            ..Resources::default()
        };
        let medians = medians(&[look(Some(5.0)), look(None), look(Some(7.0)), look(Some(50.0))]);
        assert_eq!(
            (medians.open_files, medians.threads, medians.tasks),
            (Some(7.0), None, 3.0)
        );
    }
}
