//! What a process is told when it is started.

use std::{path::PathBuf, time::Duration};

use fusio_manifest::Mutant;
use serde::{Deserialize, Serialize};

use crate::store_under_test::Address;

/// The variable that holds the order. Its name does not begin like those of settings, which are refused if unknown.
pub(crate) const VARIABLE: &str = "MANIFEST_PERF_PROCESS";

/// What a process does all its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Commits transactions of every kind.
    Writer,
    /// Reads fresh states, states that it holds, and states that it pins.
    Reader,
    /// Does the maintenance that is due.
    Maintainer,
    /// Creates and destroys a manifest of its own.
    Founder,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Writer, Self::Reader, Self::Maintainer, Self::Founder];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::Maintainer => "maintainer",
            Self::Founder => "founder",
        }
    }
}

/// What one process is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) role: Role,
    /// Which of its role it is; whoever takes its place has the same one.
    pub(crate) slot: u32,
    /// No other process of the run has this one.
    pub(crate) number: u32,
    pub(crate) address: Address,
    pub(crate) prefix: String,
    pub(crate) journal: PathBuf,
    pub(crate) seed: u64,
    /// Pause after each operation.
    pub(crate) pause: Duration,
    /// Keys that transactions share.
    pub(crate) pool: u32,
    /// States that it holds are read again after at most this.
    pub(crate) held_max: Duration,
    /// Where it dies, by name: at the first of these points that it comes to.
    pub(crate) points: Vec<String>,
    /// How its engine is broken, by name, if it is.
    pub(crate) mutant: Option<String>,
}

impl Order {
    pub(crate) fn mutant(&self) -> Option<Mutant> {
        let named = self.mutant.as_deref()?;
        Mutant::ALL
            .into_iter()
            .find(|mutant| format!("{mutant:?}") == named)
    }
}

/// The order in the environment, if this process was started by one. An error is one line.
pub(crate) fn ordered() -> Option<Result<Ordered, String>> {
    let text = std::env::var(VARIABLE).ok()?;
    let order = serde_json::from_str(&text).map_err(|error| format!("{VARIABLE}: {error}"));
    Some(order.map(Ordered))
}

/// An order that was found in the environment.
#[derive(Debug)]
pub(crate) struct Ordered(pub(crate) Order);
