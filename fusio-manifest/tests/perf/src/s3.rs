//! S3 for the harness: an endpoint inside the process.

mod backend;
mod call;
mod digest;
pub mod embedded;
mod endpoint;
mod objects;
pub mod request_log;
mod server;
