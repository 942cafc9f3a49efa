//! A model of the commit protocol.
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
