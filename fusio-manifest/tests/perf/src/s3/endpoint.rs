//! What happens to a request between the wire and the store: the drawn delay, faults, and the log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fusio_manifest::Moment;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use hyper::body::Body as _;
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode, service::S3Service};

use super::{
    call::Call,
    embedded::DELAY_HEADER,
    request_log::{LoggedRequest, RequestLog},
};
use crate::{
    fault::{FaultPlan, FaultStatus, FiredFaults},
    injection::{Cut, Injection, Passage, Tampering},
    latency::LatencyProfile,
    timer::{TimerThread, now},
};

/// Waits shorter than the timer's own error are left out. Of what is injected only the time for the bytes
/// of an answer below 5 KiB is that short.
const WAIT_MIN: Duration = Duration::from_micros(100);

#[derive(Debug)]
pub(super) struct Endpoint {
    service: S3Service,
    injection: Injection,
    timer: TimerThread,
    started: Instant,
    pub(super) log: RequestLog,
}

impl Endpoint {
    pub(super) fn new(
        service: S3Service,
        latency: LatencyProfile,
        faults: FaultPlan,
        seed: u64,
        timer: TimerThread,
    ) -> Self {
        Self {
            service,
            injection: Injection::new(latency, faults, seed, Moment::ZERO),
            timer,
            started: now(),
            log: RequestLog::default(),
        }
    }

    pub(super) fn set_faults(&self, plan: FaultPlan, seed: u64) {
        self.injection.set_faults(plan, seed, self.age());
    }

    pub(super) fn fired_faults(&self) -> FiredFaults {
        self.injection.fired()
    }

    /// Serves a request that has arrived whole. What was begun is finished, also if the client goes away.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Bytes>) -> Result<HttpResponse, Cut> {
        let arrived = self.age();
        let call = Call::of(&request);
        let bytes_in = u64::try_from(request.body().len()).unwrap_or(u64::MAX);
        let met = self.injection.meet(&call.facts(), bytes_in, arrived);
        let head = request.method() == Method::HEAD;
        let mut delay = Duration::ZERO;
        let mut outcome = match met.late() {
            Some(span) => {
                Arc::clone(&self).apply_late(request, span);
                Err(Cut::Close)
            }
            None => {
                let exchange = Exchange {
                    endpoint: &self,
                    request: &request,
                };
                self.injection.pass(&met, &exchange, &mut delay).await
            }
        };
        if let Ok(response) = &mut outcome {
            let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
            response
                .headers_mut()
                .insert(HeaderName::from_static(DELAY_HEADER), HeaderValue::from(micros));
        }
        self.log.record(LoggedRequest {
            class: call.class,
            key: call.key,
            status: outcome.as_ref().ok().map(|response| response.status().as_u16()),
            bytes_in,
            bytes_out: outcome.as_ref().ok().filter(|_| !head).map_or(0, body_length),
            drawn: met.drawn,
            delay,
            at: arrived,
        });
        outcome
    }

    /// For the server, which has no timer of its own.
    pub(super) async fn pause(&self, span: Duration) {
        self.timer.sleep_until(now() + span).await;
    }

    /// The moment that it is, since the start.
    fn age(&self) -> Moment {
        now().saturating_duration_since(self.started)
    }

    fn apply_late(self: Arc<Self>, request: Request<Bytes>, span: Duration) {
        tokio::spawn(async move {
            let exchange = Exchange {
                endpoint: &self,
                request: &request,
            };
            exchange.wait_until(exchange.now() + span).await;
            // Nobody is there to be answered.
            let _ = exchange.apply(None).await;
        });
    }
}

/// A request, and the service that answers it.
struct Exchange<'a> {
    endpoint: &'a Endpoint,
    request: &'a Request<Bytes>,
}

impl Passage for Exchange<'_> {
    type Answer = HttpResponse;

    fn now(&self) -> Moment {
        self.endpoint.age()
    }

    async fn wait_until(&self, deadline: Moment) -> Duration {
        let begun = self.now();
        if deadline.saturating_sub(begun) < WAIT_MIN {
            return Duration::ZERO;
        }
        let endpoint = self.endpoint;
        endpoint.timer.sleep_until(endpoint.started + deadline).await;
        self.now().saturating_sub(begun)
    }

    async fn apply(&self, tampering: Option<Tampering>) -> Result<HttpResponse, Cut> {
        let mut request = self.request.clone().map(Body::from);
        // In the request's extensions, since its headers are signed.
        if let Some(tampering) = tampering {
            request.extensions_mut().insert(tampering);
        }
        self.endpoint.service.call(request).await.map_err(|_| Cut::Close)
    }

    fn bytes_back(&self, response: &HttpResponse) -> u64 {
        if self.request.method() == Method::HEAD {
            return 0;
        }
        body_length(response)
    }

    fn injected(&self, status: FaultStatus) -> Result<HttpResponse, Cut> {
        let code = match status {
            FaultStatus::InternalError => S3ErrorCode::InternalError,
            FaultStatus::SlowDown => S3ErrorCode::SlowDown,
            FaultStatus::Denied => S3ErrorCode::AccessDenied,
            FaultStatus::Conflict => S3ErrorCode::ConditionalRequestConflict,
        };
        S3Error::with_message(code, "injected fault")
            .to_http_response()
            .map_err(|_| Cut::Close)
    }
}

/// What the answer's body takes on the wire; 304 has none, whatever s3s puts there.
fn body_length(response: &HttpResponse) -> u64 {
    match response.status() {
        StatusCode::NOT_MODIFIED => 0,
        _ => response.body().size_hint().exact().unwrap_or(0),
    }
}
