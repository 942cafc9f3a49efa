//! The performance harness of fusio-manifest: an open-loop load on a store that is embedded or real, latencies
//! as users wait for them, requests and dollars, and a checker that proves the same run strictly serializable.
//!
//! Run it by the ignored tests of `fusio-manifest`:
//!
//! ```text
//! cargo test -p fusio-manifest --test performance_test test_baseline -- --ignored --nocapture
//! ```
//!
//! A run reads its [`settings`], connects to the [store under test](store_under_test), [runs](run) a cell
//! (clients driven by the [schedule], the [floor] beside them), [checks](checker) the [history] and writes
//! what came of it ([export], [report], [result]), and [plot] draws a report from those files. [`scenario`] puts that together.

pub mod case;
pub mod checker;
pub mod client;
pub mod compare;
pub mod config;
mod crash;
pub mod environment;
pub mod export;
pub mod fault;
pub mod faults_timeline;
pub mod floor;
pub mod history;
mod injection;
pub mod interrupt;
pub mod interval_log;
pub mod latency;
pub mod metrics;
pub mod nights;
pub mod oracle;
pub mod output;
pub mod plot;
pub mod price;
pub mod progress;
pub mod registry;
pub mod report;
pub mod requests;
pub mod result;
pub mod run;
pub mod s3;
pub mod scenario;
pub mod schedule;
pub mod settings;
pub mod simulate;
mod soak;
pub mod statistics;
pub mod store_under_test;
pub mod summary;
pub mod target;
pub mod timer;
pub mod trace;
