//! On what a run ran: a number without it cannot be compared to another.

use std::{fs, num::NonZero, process::Command, thread};

use crate::output::workspace_root;

/// The machine and the build. What cannot be found out is none, never an error.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment {
    /// The processor's name.
    pub cpu_model: Option<String>,
    /// Processors that this process may use.
    pub cores: Option<usize>,
    /// The share of processor time that the hypervisor gave to others while the run lasted, 0 to 1.
    pub steal_share: Option<f64>,
    /// The compiler on the path.
    pub rustc: Option<String>,
    /// The commit of the tree, with `-dirty` if it was changed since.
    pub revision: Option<String>,
    /// Whether debug assertions were compiled in.
    pub debug_assertions: bool,
    /// The optimisation level of the harness.
    pub opt_level: Option<&'static str>,
}

/// Watches the machine while a run lasts.
#[derive(Debug)]
pub struct EnvironmentWatch {
    begun: Environment,
    ticks: Option<CpuTicks>,
}

impl EnvironmentWatch {
    /// Looks at the machine and the build. Blocks for two short commands: call it before the measurement.
    pub fn start() -> Self {
        let begun = Environment {
            cpu_model: fs::read_to_string("/proc/cpuinfo")
                .ok()
                .as_deref()
                .and_then(cpu_model),
            cores: thread::available_parallelism().ok().map(NonZero::get),
            steal_share: None,
            rustc: first_line("rustc", &["-V"]),
            revision: revision(),
            debug_assertions: cfg!(debug_assertions),
            opt_level: option_env!("MANIFEST_PERF_OPT_LEVEL"),
        };
        Self {
            begun,
            ticks: CpuTicks::now(),
        }
    }

    /// Looks at the build alone: what a run in virtual time comes to does not depend on the machine, nor may what it
    /// writes.
    pub fn of_the_build() -> Self {
        let Self { mut begun, .. } = Self::start();
        begun.cpu_model = None;
        begun.cores = None;
        Self { begun, ticks: None }
    }

    /// The environment, with what was stolen since the start.
    pub fn finish(&self) -> Environment {
        let steal_share = self
            .ticks
            .zip(CpuTicks::now())
            .and_then(|(then, now)| then.steal_share(now));
        Environment {
            steal_share,
            ..self.begun.clone()
        }
    }
}

/// The commit of the tree, with `-dirty` if it was changed since; none if that cannot be found out.
pub fn revision() -> Option<String> {
    first_line("git", &["describe", "--always", "--dirty", "--exclude=*"])
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(workspace_root())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text
        .lines()
        .next()
        .filter(|line| output.status.success() && !line.is_empty())?;
    Some(line.to_owned())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

/// Processor time since boot, over all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CpuTicks {
    all: u64,
    stolen: u64,
}

impl CpuTicks {
    fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// `cpu user nice system idle iowait irq softirq steal guest guest_nice`: guests are in user and nice too.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .take(8)
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        Some(Self {
            all: ticks.iter().sum(),
            stolen: *ticks.get(7)?,
        })
    }

    fn steal_share(self, later: Self) -> Option<f64> {
        let all = later.all.checked_sub(self.all).filter(|all| *all > 0)?;
        Some(later.stolen.saturating_sub(self.stolen) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_a_share_of_all_time_between_two_looks() {
        let then = CpuTicks::parse("cpu  100 0 50 800 0 0 0 50 10 0\ncpu0 1 2 3\n").unwrap();
        let now = CpuTicks::parse("cpu  150 0 60 820 0 0 0 70 60 0\n").unwrap();
        assert_eq!((then.all, then.stolen), (1_000, 50));
        assert_eq!(then.steal_share(now), Some(0.2));
        assert_eq!(then.steal_share(then), None);
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        assert_eq!(CpuTicks::parse("cpu0 1 2 3\n"), None);
        assert_eq!(CpuTicks::parse("cpu  1 2 3\n"), None);
        assert_eq!(cpu_model("processor : 0\n"), None);
        assert_eq!(first_line("no-such-program-here", &[]), None);
    }

    #[test]
    fn the_processor_is_named() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.50GHz\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("Some CPU @ 2.50GHz"));
    }

    #[test]
    fn the_build_alone_says_nothing_of_the_machine() {
        let Environment {
            cpu_model,
            cores,
            steal_share,
            rustc,
            revision,
            debug_assertions,
            opt_level,
        } = EnvironmentWatch::of_the_build().finish();
        assert_eq!((cpu_model, cores, steal_share), (None, None, None));
        let all = EnvironmentWatch::start().finish();
        assert_eq!((rustc, revision), (all.rustc, all.revision));
        assert_eq!(
            (debug_assertions, opt_level),
            (all.debug_assertions, all.opt_level)
        );
    }

    #[test]
    fn the_optimisation_level_is_known() {
        assert!(EnvironmentWatch::start().finish().opt_level.is_some());
    }
}
