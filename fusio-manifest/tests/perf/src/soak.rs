//! A process that works on one manifest for long, with keys that are used again and again, and tells once an interval what
//! it takes: memory, open files, requests, time.
//!
//! It is this program once more, started with an [order](Order) in its environment, so that its memory is what the engine
//! and its handles take: the store, the [census](crate::scenario) of it and the history are its parent's. What it does it
//! puts down in a [journal](crate::crash::journal), and keeps none of it.

mod client;
mod counts;
mod open_loop;
mod order;
mod process;
mod resources;
mod row;

pub(crate) use order::{Order, VARIABLE, ordered, shared_settings};
pub(crate) use process::carry_out;
pub(crate) use row::{Census, Row, read_rows, rows_csv};

/// The process appends a row an interval to this file, in the folder of its order.
pub(crate) const ROWS: &str = "rows.jsonl";
/// And what it does to this one.
pub(crate) const JOURNAL: &str = "journal.jsonl";
