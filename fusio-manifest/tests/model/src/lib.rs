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

pub use broken::Broken;
pub use configuration::Configuration;
pub use configurations::ordinary;
pub use exploration::{Counterexample, Exploration, explore, shortest_counterexample, simulate};
#[cfg(test)]
mod tests;
