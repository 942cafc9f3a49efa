//! Where a bucket is, as another process can be told.

use std::sync::Arc;

use fusio_manifest::{RequestMeter, S3Config, S3Store};
use serde::{Deserialize, Serialize};

pub(super) const EMBEDDED_BUCKET: &str = "perf";
pub(super) const EMBEDDED_ACCESS_KEY: &str = "embedded";
pub(super) const EMBEDDED_SECRET: &str = "embedded-secret";

/// A bucket that is reached over HTTP. Holds no secret: credentials of a real one are in the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The bucket.
    pub bucket: String,
    /// The URL of its endpoint; AWS if none.
    pub endpoint: Option<String>,
    /// Whether it is the embedded one of some process, which has credentials of its own.
    pub embedded: bool,
}

impl Address {
    /// Reaches it; requests are counted by `meter`.
    ///
    /// # Errors
    ///
    /// One line: why it cannot be reached.
    pub async fn connect(&self, meter: &Arc<RequestMeter>) -> Result<S3Store, String> {
        let mut config = S3Config::new(&self.bucket);
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint(endpoint);
        }
        if self.embedded {
            config = config
                .region("us-east-1")
                .credentials(EMBEDDED_ACCESS_KEY, EMBEDDED_SECRET);
        }
        let connected = S3Store::connect(config, Arc::clone(meter)).await;
        connected.map_err(|error| error.message)
    }
}
