//! Watches one call on its way out and back: counts it, and keeps what the SDK's answer leaves out.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use aws_sdk_s3::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
};
use aws_smithy_runtime_api::{box_error::BoxError, client::interceptors::dyn_dispatch_hint};

use crate::store::{
    ETag,
    meter::{RequestClass, RequestMeter},
};

/// What was seen of one call.
#[derive(Debug, Default)]
pub(super) struct Seen {
    transmitted: AtomicBool,
    etag: OnceLock<ETag>,
}

impl Seen {
    /// True once the request was handed to the connection. Until then the store cannot have heard of it.
    pub(super) fn transmitted(&self) -> bool {
        // Acquire pairs with the interceptor's release; the call's future has ended or was dropped by now.
        self.transmitted.load(Ordering::Acquire)
    }

    /// The ETag header of the answer, byte for byte.
    pub(super) fn etag(&self) -> Option<ETag> {
        self.etag.get().cloned()
    }
}

/// The interceptor of one call.
#[derive(Debug)]
pub(super) struct Transmit {
    pub(super) class: RequestClass,
    /// The length of the body that goes out.
    pub(super) bytes: usize,
    pub(super) meter: Arc<RequestMeter>,
    pub(super) seen: Arc<Seen>,
}

#[dyn_dispatch_hint]
impl Intercept for Transmit {
    fn name(&self) -> &'static str {
        "Transmit"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.seen.transmitted.store(true, Ordering::Release);
        self.meter.count(self.class);
        self.meter.count_bytes(self.class, self.bytes);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(header) = context.response().headers().get("etag") {
            // A second answer cannot come: every call is one attempt.
            let _ = self.seen.etag.set(ETag::new(header));
        }
        Ok(())
    }
}
