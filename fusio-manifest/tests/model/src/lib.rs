//! A model of the commit protocol of `fusio-manifest`, explored with `stateright`.
//!
//! It has the engine's rules and the engine's names, and neither bytes nor time: every order of requests, answers,
//! faults and deaths is a path. A *world* ([`ordinary`], [`large`]) says who commits what and how much of everything may
//! happen; it is explored to the end, held against the properties in `properties.rs`, and must come by what `reached.rs`
//! names for it, so that it cannot hold because nothing happened. A *variant* ([`variants`]) is a world with one rule
//! taken out; the shortest way to what then goes wrong is found, and it must go through the steps that make it go wrong
//! for the right reason. [`product`] has everything at once and is walked at random.
//!
//! DESIGN.md, "Model", says what it covers, what it leaves out and why the numbers may be small. To see the tables:
//!
//! ```text
//! cargo run -p manifest-model                      # what the tests explore
//! cargo run -p manifest-model -- large             # larger worlds, minutes each
//! cargo run -p manifest-model -- large within=600  # the same, each left after ten minutes
//! cargo run -p manifest-model -- OldEpochNamed      # those whose name holds a word
//! ```
#![expect(
    clippy::indexing_slicing,
    reason = "handles, callers and looks are numbered by the model itself"
)]

mod batch;
mod body;
mod broken;
mod caller;
mod collect;
mod configuration;
mod configurations;
mod exploration;
mod fate;
mod fault;
mod fold;
mod handle;
mod head;
mod history;
mod model;
mod pin;
mod properties;
mod publish;
mod reached;
mod refresh;
mod spill;
mod state;
mod store;
mod symmetry;
mod upkeep;
mod variants;

pub use broken::Broken;
pub use configuration::Configuration;
pub use exploration::{Counterexample, Exploration, explore, shortest_counterexample, simulate};
pub use variants::{Variant, Verdict, variants};

/// Worlds that the ordinary tests explore to the end.
pub fn ordinary() -> Vec<Configuration> {
    configurations::ordinary()
}

/// Larger ones: minutes each.
pub fn large() -> Vec<Configuration> {
    configurations::large::all()
}

/// Three handles, two transactions each, every fault and all maintenance: too many states to see them all.
pub fn product() -> Configuration {
    configurations::large::product()
}

#[cfg(test)]
mod tests;
