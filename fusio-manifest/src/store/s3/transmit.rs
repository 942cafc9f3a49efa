//! Watches one call on its way out and back: counts it, and keeps what the SDK's answer leaves out.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use aws_sdk_s3::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
};
use aws_smithy_runtime_api::{box_error::BoxError, client::interceptors::dyn_dispatch_hint};
use aws_smithy_types::date_time::{DateTime, Format};

use super::credentials::Carried;
use crate::store::{
    ETag,
    meter::{RequestClass, RequestMeter},
};

/// What was seen of one call.
#[derive(Debug, Default)]
pub(super) struct Seen {
    transmitted: AtomicBool,
    etag: OnceLock<ETag>,
    carried: OnceLock<Carried>,
}

impl Seen {
    /// True once the request was handed to the connection. Until then the store cannot have heard of it.
    pub(super) fn transmitted(&self) -> bool {
        // Acquire pairs with the interceptor's release; the call's future has ended or was dropped by now.
        self.transmitted.load(Ordering::Acquire)
    }

    /// The text without what of the credentials the request carried.
    pub(super) fn strike_from(&self, text: String) -> String {
        match self.carried.get() {
            Some(carried) => carried.strike_from(text),
            None => text,
        }
    }

    /// The ETag header of the answer, byte for byte.
    pub(super) fn etag(&self) -> Option<ETag> {
        self.etag.get().cloned()
    }
}

/// The Date of the newest answer that had one.
#[derive(Debug, Default)]
pub(super) struct LastDate(AtomicU64);

impl LastDate {
    /// In milliseconds of Unix time; `None` before the first.
    pub(super) fn unix_ms(&self) -> Option<u64> {
        // Relaxed: the number stands by itself.
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            unix_ms => Some(unix_ms),
        }
    }

    /// Takes note of a Date header; one that is none changes nothing.
    pub(super) fn learn(&self, header: &str) {
        let date = DateTime::from_str(header, Format::HttpDate).ok();
        let unix_ms = date.and_then(|date| date.to_millis().ok());
        if let Some(unix_ms) = unix_ms.and_then(|unix_ms| u64::try_from(unix_ms).ok()) {
            self.0.store(unix_ms, Ordering::Relaxed);
        }
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
    pub(super) date: Arc<LastDate>,
}

#[dyn_dispatch_hint]
impl Intercept for Transmit {
    fn name(&self) -> &'static str {
        "Transmit"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // It is signed by now, and this is the one attempt.
        let _ = self.seen.carried.set(Carried::by(context.request().headers()));
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
        if let Some(header) = context.response().headers().get("date") {
            self.date.learn(header);
        }
        Ok(())
    }
}
