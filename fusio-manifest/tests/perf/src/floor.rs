//! The floor: bare conditional requests for an object of HEAD's size, on the same store at the same time.
//! What the engine adds to them is what it costs.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Moment, StoreError,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, PutMode, Store},
};
use parking_lot::Mutex;

use crate::{
    client::{Arrival, Client, ClientType, Shared},
    metrics::Timeline,
    target::TargetHandle,
};

/// Bare conditional PUTs a second.
pub const FLOOR_PUT_RATE: f64 = 2.0;
/// Bare conditional GETs a second.
pub const FLOOR_GET_RATE: f64 = 10.0;

/// The object that bare requests are about. It has one writer, so that no condition fails.
pub struct FloorObject {
    store: Arc<dyn Store>,
    key: String,
    sized_like: Arc<dyn TargetHandle>,
    shared: Arc<Shared>,
    written: Mutex<(u64, Option<ETag>)>,
}

impl fmt::Debug for FloorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FloorObject")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl FloorObject {
    /// Its key beside a manifest under this prefix.
    pub fn key(prefix: &str) -> String {
        format!("{prefix}floor")
    }

    /// Writes the object for the first time.
    ///
    /// # Errors
    ///
    /// One line: what the store answered.
    pub async fn create(
        store: Arc<dyn Store>,
        prefix: &str,
        sized_like: Arc<dyn TargetHandle>,
        shared: Arc<Shared>,
    ) -> Result<Arc<Self>, String> {
        let object = Self {
            store,
            key: Self::key(prefix),
            sized_like,
            shared,
            written: Mutex::default(),
        };
        object
            .put()
            .await
            .map_err(|error| format!("the floor's object cannot be written: {error}"))?;
        Ok(Arc::new(object))
    }

    async fn put(&self) -> Result<(), StoreError> {
        let (body, mode) = {
            let mut written = self.written.lock();
            written.0 += 1;
            let mode = written.1.clone().map_or(PutMode::Overwrite, PutMode::Update);
            // Bytes that differ from the last ones, or the ETag would not.
            let mut body = vec![b'-'; self.sized_like.head_bytes().max(16)];
            for (to, from) in body.iter_mut().zip(written.0.to_le_bytes()) {
                *to = from;
            }
            (Bytes::from(body), mode)
        };
        match self.store.put(&self.key, body, mode).await {
            Ok(etag) => {
                self.written.lock().1 = Some(etag);
                Ok(())
            }
            Err(error) => {
                // Whether it landed or not, an unconditional one sets things right next time.
                self.written.lock().1 = None;
                Err(error)
            }
        }
    }
}

/// Replaces the object again and again.
#[derive(Debug)]
pub struct FloorPut {
    object: Arc<FloorObject>,
    times: Times,
}

/// Reads it again and again, each time on the condition that it has changed.
#[derive(Debug)]
pub struct FloorGet {
    object: Arc<FloorObject>,
    seen: Mutex<Option<ETag>>,
    times: Times,
}

/// Response times of those that are due within the measurement.
#[derive(Debug)]
struct Times {
    window: Duration,
    timeline: Mutex<Timeline>,
}

impl Times {
    fn new(window: Duration) -> Self {
        Self {
            window,
            timeline: Mutex::default(),
        }
    }

    fn record(&self, shared: &Shared, due: Moment) {
        let Some(t0) = shared.epoch.t0() else { return };
        let at = due.saturating_sub(t0);
        if at < self.window {
            let response = shared.clock.now().saturating_sub(due);
            self.timeline.lock().record(at, response);
        }
    }
}

impl FloorPut {
    /// Measures for `window`.
    pub fn new(object: Arc<FloorObject>, window: Duration) -> Arc<Self> {
        Arc::new(Self {
            object,
            times: Times::new(window),
        })
    }

    /// The response times so far.
    pub fn times(&self) -> Timeline {
        self.times.timeline.lock().clone()
    }
}

impl FloorGet {
    /// Measures for `window`.
    pub fn new(object: Arc<FloorObject>, window: Duration) -> Arc<Self> {
        Arc::new(Self {
            object,
            seen: Mutex::new(None),
            times: Times::new(window),
        })
    }

    /// The response times so far.
    pub fn times(&self) -> Timeline {
        self.times.timeline.lock().clone()
    }

    async fn get(&self) -> Result<(), StoreError> {
        let if_none_match = self.seen.lock().clone();
        let options = GetOptions {
            if_none_match,
            range: None,
            bytes_max: None,
        };
        if let GetAnswer::Found { etag, .. } = self.object.store.get(&self.object.key, options).await? {
            *self.seen.lock() = Some(etag);
        }
        Ok(())
    }
}

impl Client for FloorPut {
    fn kind(&self) -> ClientType {
        ClientType::FloorPut
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match self.object.put().await {
                Ok(()) => self.times.record(&self.object.shared, arrival.due),
                // No sample, and nothing that the manifest can be blamed for.
                Err(error) => tracing::debug!(%error, "floor"),
            }
        })
    }

    fn dropped(&self, _: Moment) {}

    fn load(&self, _: u64, _: u64) {}
}

impl Client for FloorGet {
    fn kind(&self) -> ClientType {
        ClientType::FloorGet
    }

    fn operate(&self, arrival: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match self.get().await {
                Ok(()) => self.times.record(&self.object.shared, arrival.due),
                // No sample, and nothing that the manifest can be blamed for.
                Err(error) => tracing::debug!(%error, "floor"),
            }
        })
    }

    fn dropped(&self, _: Moment) {}

    fn load(&self, _: u64, _: u64) {}
}
