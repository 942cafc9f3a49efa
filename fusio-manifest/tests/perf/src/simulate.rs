//! A whole run in virtual time, over a store in memory: hours of load in seconds, and the same bytes from the same
//! seed.
//!
//! One thread runs every task. Time stands still while any of them can run, and then jumps to the next moment for
//! which something waits: so nothing that the machine does, nor how long it takes, can be seen in the numbers. What
//! must not depend on the machine is held to this: time comes from the run's [`VirtualClock`], draws from its seed,
//! and nothing waits for another thread or a socket, of which virtual time knows nothing.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use fusio_manifest::{Entropy, Moment, SeededEntropy};
use thiserror::Error;

use crate::run::seed_of;

pub use store::SimulatedStore;
pub use virtual_clock::VirtualClock;

mod operation;
mod store;
mod virtual_clock;

/// Sets the draws of handles apart from those of clients, which use the same numbers.
const OF_HANDLES: u64 = 0x68_616e_646c_6573;

/// Why a simulation came to no end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The operating system gave no runtime.
    #[error("no runtime: {0}")]
    NoRuntime(#[from] io::Error),
    /// No task can run and nothing waits for a later moment, so nothing would ever happen again.
    #[error(
        "the simulation stands still at {:.3} s of its time: every task waits for another one",
        .at.as_secs_f64()
    )]
    StandsStill {
        /// The virtual time.
        at: Moment,
    },
}

/// Carries out `work` in virtual time, on a runtime of its own whose clock it is given.
///
/// # Errors
///
/// There is no runtime, or `work` can never end.
pub fn run<T>(work: impl AsyncFnOnce(VirtualClock) -> T) -> Result<T, SimulationError> {
    let clock = VirtualClock::new();
    let idle = clock.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        // For Ctrl-C, the only thing that comes from outside.
        .enable_all()
        .on_thread_park(move || idle.advance())
        .build()?;
    let done = runtime.block_on(clock.unless_it_stands_still(work(clock.clone())));
    drop(runtime);
    clock.end();
    done
}

/// Gives each handle of a run randomness of its own, as processes have, but by the run's seed.
#[derive(Debug)]
pub struct HandleSeeds {
    seed: u64,
    handed_out: AtomicU32,
}

impl HandleSeeds {
    /// For the run with this seed. Make one for the whole run: two would repeat each other's transaction ids.
    pub fn new(seed: u64) -> Self {
        Self {
            seed: seed ^ OF_HANDLES,
            handed_out: AtomicU32::new(0),
        }
    }

    /// The randomness of the next handle.
    pub fn next(&self) -> Arc<dyn Entropy> {
        let number = self.handed_out.fetch_add(1, Ordering::Relaxed);
        Arc::new(SeededEntropy::new(seed_of(self.seed, number)))
    }
}

#[cfg(test)]
mod tests;
