//! Watches one call on its way out and back: counts it, and keeps what the SDK's answer leaves out.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use aws_sdk_s3::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{interceptors::dyn_dispatch_hint, orchestrator::HttpResponse},
};
use aws_smithy_types::date_time::{DateTime, Format};

use super::{
    body::{self, Content},
    credentials::Carried,
};
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
    page: AtomicBool,
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

    /// True if the answer says that it is HTML, which no store answers with.
    pub(super) fn is_page(&self) -> bool {
        self.page.load(Ordering::Acquire)
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
    /// What the answer holds.
    pub(super) content: Content,
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

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.note(context.response());
        body::bound(context.response_mut(), self.content)
    }
}

impl Transmit {
    /// Takes note of headers that the SDK drops, or gives only of a success.
    fn note(&self, response: &HttpResponse) {
        let headers = response.headers();
        if let Some(header) = headers.get("etag") {
            // A second answer cannot come: every call is one attempt.
            let _ = self.seen.etag.set(ETag::new(header));
        }
        if let Some(header) = headers.get("date") {
            self.date.learn(header);
        }
        let kind = headers.get("content-type").unwrap_or_default();
        if kind.trim_start().to_ascii_lowercase().starts_with("text/html") {
            self.seen.page.store(true, Ordering::Release);
        }
    }
}
