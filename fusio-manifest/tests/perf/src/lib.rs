//! The performance harness of fusio-manifest.

pub mod checker;
pub mod config;
pub mod environment;
pub mod export;
pub mod fault;
pub mod history;
pub mod interrupt;
pub mod latency;
pub mod metrics;
pub mod output;
pub mod price;
pub mod progress;
pub mod registry;
pub mod report;
pub mod requests;
pub mod result;
pub mod s3;
pub mod settings;
pub mod summary;
pub mod timer;
