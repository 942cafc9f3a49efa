//! S3 for the harness: an endpoint inside the process, and what a real one is asked before a run.

pub mod accounting;
mod backend;
mod call;
pub mod credentials;
mod digest;
pub mod embedded;
mod endpoint;
mod objects;
pub mod preflight;
pub mod request_log;
mod server;
