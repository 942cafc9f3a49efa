//! The reader as a process of its own: the test binary, run again and told by a variable that it is the reader. So its
//! memory is what opening and reading the manifest takes, and nothing of what loaded it or of the store.

use std::{
    env, fs,
    io::{self, Write as _},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use fusio_manifest::{RequestMeter, SystemClock};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::reader::{Assignment, Equipment, Findings, read};
use crate::{
    s3::accounting::{Budget, BudgetedStore},
    scenario::Context,
    store_under_test::Address,
    target::engine::Engine,
};

/// Names the reader's task. Not one of the settings, which begin with `PERF_`.
const VARIABLE: &str = "MANIFEST_SCALE_READER";
/// Begins the line that the reader answers with.
const ANSWER: &str = "READER ";
/// A reader that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(900);

/// Threads of the reader: each has memory of its own, and how many cores a machine has must not decide how much.
const WORKERS: usize = 2;

/// What the process is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Task {
    address: Address,
    /// What is left of PERF_MAX_REQUESTS.
    requests_max: Option<u64>,
    assignment: Assignment,
}

/// Lets a reader do it: another process, running the test of this name; in this one if no other can reach the store.
pub(super) async fn ask(context: &Context, test: &str, assignment: Assignment) -> Result<Findings, String> {
    let Some(address) = context.store.address() else {
        let meter = Arc::new(RequestMeter::new());
        let equipment = Equipment {
            store: context.store.store(&meter),
            meter,
            clock: Arc::clone(&context.clock),
            engine: context.engine(),
            memory: || None,
        };
        return read(&equipment, &assignment).await;
    };
    let task = Task {
        address,
        requests_max: context.store.budget_left(),
        assignment,
    };
    tokio::select! {
        biased;
        answer = spawn(test, &task) => answer,
        () = context.interrupt.wait() => Err("interrupted".to_owned()),
        () = context.clock.sleep(LIMIT) => Err(format!("the reader did not end within {} s", LIMIT.as_secs())),
    }
}

async fn spawn(test: &str, task: &Task) -> Result<Findings, String> {
    let failed = |error: &dyn ToString| format!("the reader's process: {}", error.to_string());
    let program = env::current_exe().map_err(|error| failed(&error))?;
    let task = serde_json::to_string(task).map_err(|error| failed(&error))?;
    let output = Command::new(program)
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(VARIABLE, task)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(&error))?;
    answer(&String::from_utf8_lossy(&output.stdout)).unwrap_or_else(|| {
        let (status, program) = (output.status, "the reader's process");
        Err(format!("{program} ended without an answer: {status}"))
    })
}

/// The answer among what the process printed.
fn answer(printed: &str) -> Option<Result<Findings, String>> {
    let line = printed.lines().find_map(|line| line.strip_prefix(ANSWER))?;
    let answer: Result<Result<Findings, String>, _> = serde_json::from_str(line);
    Some(answer.unwrap_or_else(|error| Err(format!("the reader's answer: {error}"))))
}

/// Reads, if this process was started to; then nothing else is to be done in it.
pub(super) fn read_if_asked() -> Option<Result<(), String>> {
    let task = env::var(VARIABLE).ok()?;
    let answer = serde_json::from_str(&task)
        .map_err(|error| error.to_string())
        .and_then(|task| carry_out(&task));
    let line = serde_json::to_string(&answer).map_err(|error| error.to_string());
    // Past libtest's capture, on a line of its own.
    Some(line.and_then(|line| {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "\n{ANSWER}{line}")
            .and_then(|()| stdout.flush())
            .map_err(|error| error.to_string())
    }))
}

fn carry_out(task: &Task) -> Result<Findings, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let meter = Arc::new(RequestMeter::new());
        let store = task.address.connect(&meter).await?;
        let budget = Arc::new(Budget::new(task.requests_max));
        let equipment = Equipment {
            store: Arc::new(BudgetedStore::new(store, budget)),
            meter,
            clock: Arc::new(SystemClock),
            engine: Engine::default(),
            memory: peak_memory,
        };
        read(&equipment, &task.assignment).await
    })
}

/// The most memory that this process has had so far, in bytes; where the system tells.
fn peak_memory() -> Option<u64> {
    high_water_mark(&fs::read_to_string("/proc/self/status").ok()?)
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_from_the_status() {
        let status = "Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 17 kB\n";
        assert_eq!(high_water_mark(status), Some(2 << 20));
        for broken in ["", "VmHWM:\t2048", "VmHWM:\tmuch kB"] {
            assert_eq!(high_water_mark(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_answer_is_found_among_what_libtest_prints() {
        let failed = "\nrunning 1 test\ntest x ... \nREADER {\"Err\":\"no store\"}\nok\n";
        assert_eq!(answer(failed), Some(Err("no store".to_owned())));
        assert_eq!(answer("\nrunning 0 tests\n"), None);
        let torn = answer("READER {\"Ok\":{}}").unwrap().unwrap_err();
        assert!(torn.starts_with("the reader's answer: "), "{torn}");
    }
}
