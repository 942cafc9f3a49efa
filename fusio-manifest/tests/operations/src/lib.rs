//! Any sequence of operations on a manifest, held against a map with versions.
//!
//! [`hold`] reads bytes as a sequence: two or three handles of one manifest over a store in memory, in virtual time;
//! transactions that read, scan and write while others commit; snapshots and pins, read later, forward and backward; maintenance,
//! collections, handles that close and open; requests that are lost, answered too late or applied when nobody waits any more.
//! Every read, every scan, every conflict and every outcome is held against the model. Fuzzers and tests run this very
//! function, so a sequence that a fuzzer found is a test once it lies in the corpus.
//!
//! It uses what the engine offers to everybody, nothing else.

use fusio_manifest::Error;

use input::Input;
use world::World;

mod commits;
mod faulty;
mod genesis;
mod input;
mod model;
mod operation;
mod pins;
mod reads;
mod seeds;
#[cfg(test)]
mod tests;
mod transactions;
mod world;

pub use seeds::seeds;

/// Whether everything held; if not, what was seen.
pub type Verdict = Result<(), String>;

/// Holds a property against what was seen.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err(format!($($seen)+));
        }
    };
}
pub(crate) use ensure;

/// Runs the sequence that these bytes stand for.
///
/// # Errors
///
/// What did not hold, and after which operations.
pub fn hold(data: &[u8]) -> Verdict {
    told(data, |_| {})
}

/// The same, telling each operation before it is done.
///
/// # Errors
///
/// As [`hold`].
pub fn told(data: &[u8], mut tell: impl FnMut(&str)) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut input = Input::new(data);
        let mut world = World::new(&mut input).await?;
        let mut steps = String::new();
        let mut note = |step: &str| {
            steps.push('\n');
            steps.push_str(step);
            tell(step);
        };
        let done = world.run(&mut input, &mut note).await;
        done.map_err(|seen| format!("{seen}\nafter:{steps}"))
    })
}

/// What was to succeed.
fn succeeds<T>(doing: &str, result: Result<T, Error>) -> Result<T, String> {
    result.map_err(|error| format!("{doing} failed as {:?}: {error}", error.kind()))
}
