//! One small run with everything that can go wrong, as plain data: clients, rates, latencies, faults, kills.
//!
//! A seed [draws](Case::draw) one. It is [played](Case::play) in virtual time, by the clients, the store, the recorder
//! and the checkers that all other runs use. One that fails [shrinks](shrink()) to the smallest that still does. Its
//! text says all of it, and is what plays it again:
//!
//! ```text
//! seed=7 writers=append,transact readers=scan writer-rate=4 reader-rate=5 span=3000ms pool=6 shared=no
//! latency=s3-standard limit=500ms refreshes=1 spill=300/100/100 collect=1000ms/3 impatience=0.1
//! kills=1200ms@0,0ms@1:delete ask=yes faults=cas p=0.1 after drop; any from=1000ms to=1500ms stall
//! ```
//!
//! | word | meaning |
//! |---|---|
//! | `seed` | decides every draw of the run |
//! | `writers`, `readers` | what each client does: `monotonic`, `rewrite`, `update`, `append`, `transact`, `maintain`; `read`, `scan`, `hold`, `pin`; or `none` |
//! | `writer-rate`, `reader-rate` | operations a second of each client, as a Poisson process |
//! | `span` | how long operations fall due |
//! | `pool` | keys that writers share |
//! | `shared` | whether all writers have one handle |
//! | `latency` | as `PERF_LATENCY` |
//! | `limit` | how long a commit may take |
//! | `refreshes` | looks at HEAD that a handle has on the wire at most |
//! | `spill` | bytes at which commits leave HEAD, that stay, and of one transaction that stands in HEAD |
//! | `collect` | the retention, and log objects that make a run; or `none`: then nothing is collected within the span |
//! | `impatience` | the share of callers that do not wait for their answers |
//! | `kills` | when which process is killed and replaced, in the order in which they opened the manifest, or, from then on, in the midst of which request (`table`, `listing`, `list`, `delete`); or `none` |
//! | `ask` | whether the engine is asked in the end what became of commits of unknown outcome |
//! | `faults` | as `PERF_FAULTS`; always last |

use std::time::Duration;

use crate::{fault::FaultPlan, run::Crew, target::mortal::Work};

pub use grammar::ParseCaseError;
pub use play::{Played, Problem, Tally};
pub use shrink::{Shrunk, shrink};

mod collected;
mod draw;
mod grammar;
mod play;
mod shrink;
#[cfg(test)]
mod tests;

/// A small run. See the module for the text that it parses from and prints.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Decides every draw.
    pub seed: u64,
    /// What each client does.
    pub crew: Crew,
    /// Commits a second of each writer.
    pub writer_rate: f64,
    /// Reads a second of each reader.
    pub reader_rate: f64,
    /// How long operations fall due.
    pub span: Duration,
    /// Keys that writers share.
    pub pool: u32,
    /// Whether all writers have one handle.
    pub shared_handle: bool,
    /// The latency profile, as written.
    pub latency: String,
    /// How long a commit may take.
    pub limit: Duration,
    /// Looks at HEAD that a handle has on the wire at most.
    pub refreshes: usize,
    /// When commits leave HEAD.
    pub spill: Spill,
    /// What is to be collected within the span, and when; nothing is without it.
    pub collect: Option<Collect>,
    /// The share of callers that do not wait for their answers.
    pub impatience: f64,
    /// Processes that are killed.
    pub kills: Vec<Kill>,
    /// Whether the engine is asked what became of commits of unknown outcome.
    pub ask: bool,
    /// What goes wrong in the store.
    pub faults: FaultPlan,
}

/// When commits leave HEAD for log objects, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spill {
    /// At this many they leave.
    pub at: u64,
    /// So many stay.
    pub keep: u64,
    /// A transaction of more never enters.
    pub inline: u64,
}

impl Spill {
    /// As a manifest has it that nobody has set up otherwise.
    pub const USUAL: Self = Self {
        at: 65_536,
        keep: 16_384,
        inline: 16_384,
    };
}

/// When what nothing references is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collect {
    /// How long it is kept.
    pub retention: Duration,
    /// So many log objects make a run.
    pub fold_objects: u32,
}

/// A process that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// How long after the beginning.
    pub at: Duration,
    /// Which process, in the order in which they opened the manifest.
    pub process: usize,
    /// In the midst of its next request of this kind. Else at once.
    pub work: Option<Work>,
}
