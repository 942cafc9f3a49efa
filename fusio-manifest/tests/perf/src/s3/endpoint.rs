//! What happens to a request between the wire and the store: the drawn delay, faults, and the log.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use hyper::body::Body as _;
use parking_lot::Mutex;
use rand::{SeedableRng as _, rngs::StdRng};
use s3s::{Body, HttpResponse, S3Error, S3ErrorCode, service::S3Service};

use super::{
    backend::Tampering,
    call::Call,
    embedded::DELAY_HEADER,
    request_log::{LoggedRequest, RequestLog},
};
use crate::{
    fault::{Disturbance, Fault, FaultAction, FaultPlan, FaultState, FaultStatus},
    latency::{LatencyProfile, RequestClass},
    timer::{TimerThread, now},
};

/// Waits shorter than the timer's own error are left out. Of what is injected only the time for the bytes
/// of an answer below 5 KiB is that short.
const WAIT_MIN: Duration = Duration::from_micros(100);

/// The connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is cut")]
pub(super) enum Cut {
    Close,
    Reset,
}

#[derive(Debug)]
pub(super) struct Endpoint {
    service: S3Service,
    latency: LatencyProfile,
    timer: TimerThread,
    draws: Mutex<StdRng>,
    faults: Mutex<ActiveFaults>,
    started: Instant,
    pub(super) log: RequestLog,
}

#[derive(Debug)]
struct ActiveFaults {
    plan: FaultPlan,
    state: FaultState,
    since: Instant,
}

impl ActiveFaults {
    fn new(plan: FaultPlan, seed: u64) -> Self {
        let state = plan.state(seed);
        Self {
            plan,
            state,
            since: now(),
        }
    }
}

/// A fault, and the moment from which its plan counts.
#[derive(Debug, Clone, Copy)]
struct Struck {
    fault: Option<Fault>,
    since: Instant,
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
            latency,
            timer,
            draws: Mutex::new(StdRng::seed_from_u64(seed)),
            faults: Mutex::new(ActiveFaults::new(faults, seed)),
            started: now(),
            log: RequestLog::default(),
        }
    }

    pub(super) fn set_faults(&self, plan: FaultPlan, seed: u64) {
        *self.faults.lock() = ActiveFaults::new(plan, seed);
    }

    /// Serves a request that has arrived whole. What was begun is finished, also if the client goes away.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Bytes>) -> Result<HttpResponse, Cut> {
        let arrived = now();
        let call = Call::of(&request);
        let bytes_in = u64::try_from(request.body().len()).unwrap_or(u64::MAX);
        let drawn = self.latency.draw(call.class, bytes_in, &mut *self.draws.lock());
        let struck = self.strike(&call, arrived);
        let head = request.method() == Method::HEAD;
        let mut delay = Duration::ZERO;
        let mut outcome = match struck.fault.map(|fault| fault.action) {
            Some(FaultAction::Late(span)) => {
                Arc::clone(&self).apply_late(request, span);
                Err(Cut::Close)
            }
            _ => self.serve(&request, call.class, drawn, struck, &mut delay).await,
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
            drawn,
            delay,
            at: arrived.saturating_duration_since(self.started),
        });
        outcome
    }

    /// For the server, which has no timer of its own.
    pub(super) async fn pause(&self, span: Duration) {
        self.timer.sleep_until(now() + span).await;
    }

    fn strike(&self, call: &Call, arrived: Instant) -> Struck {
        let mut faults = self.faults.lock();
        let ActiveFaults { plan, state, since } = &mut *faults;
        let fault = plan.decide(&call.facts(), arrived.saturating_duration_since(*since), state);
        Struck { fault, since: *since }
    }

    async fn serve(
        &self,
        request: &Request<Bytes>,
        class: RequestClass,
        drawn: Duration,
        struck: Struck,
        delay: &mut Duration,
    ) -> Result<HttpResponse, Cut> {
        let action = struck.fault.map(|fault| fault.action);
        // The delay comes before the store applies the request: the other way round, writers that race on
        // one key would not hold each other up, and twice as many commits would fit into a second.
        *delay += self.wait_until(now() + drawn).await;
        if let Some(FaultAction::Before(disturbance)) = action
            && let Some(answer) = self.disturb(disturbance, struck.since, delay).await?
        {
            return Ok(answer);
        }
        let mut response = self.apply(request, struck.fault).await?;
        if action == Some(FaultAction::Replay) {
            response = self.apply(request, struck.fault).await?;
        }
        if matches!(class, RequestClass::Get | RequestClass::List) && request.method() != Method::HEAD {
            *delay += self
                .wait_until(now() + self.latency.transfer(body_length(&response)))
                .await;
        }
        if let Some(FaultAction::After(disturbance)) = action
            && let Some(answer) = self.disturb(disturbance, struck.since, delay).await?
        {
            return Ok(answer);
        }
        Ok(response)
    }

    /// The answer that takes the place of the store's, if there is one.
    async fn disturb(
        &self,
        disturbance: Disturbance,
        since: Instant,
        delay: &mut Duration,
    ) -> Result<Option<HttpResponse>, Cut> {
        match disturbance {
            Disturbance::Drop => Err(Cut::Close),
            Disturbance::Reset => Err(Cut::Reset),
            Disturbance::Delay(span) => {
                *delay += self.wait_until(now() + span).await;
                Ok(None)
            }
            Disturbance::StallUntil(end) => {
                *delay += self.wait_until(since + end).await;
                Ok(None)
            }
            Disturbance::Status(status) => fault_response(status).map(Some),
        }
    }

    async fn apply(&self, request: &Request<Bytes>, fault: Option<Fault>) -> Result<HttpResponse, Cut> {
        let mut request = request.clone().map(Body::from);
        match fault.map(|fault| (fault.action, fault)) {
            Some((FaultAction::Corrupt, fault)) => {
                request.extensions_mut().insert(Tampering::Corrupt(fault));
            }
            Some((FaultAction::IgnoreConditions, _)) => {
                request.extensions_mut().insert(Tampering::IgnoreConditions);
            }
            _ => {}
        }
        self.service.call(request).await.map_err(|_| Cut::Close)
    }

    fn apply_late(self: Arc<Self>, request: Request<Bytes>, span: Duration) {
        tokio::spawn(async move {
            self.wait_until(now() + span).await;
            // Nobody is there to be answered.
            let _ = self.apply(&request, None).await;
        });
    }

    /// Waits, and says how long it really was.
    async fn wait_until(&self, deadline: Instant) -> Duration {
        let begun = now();
        if deadline.saturating_duration_since(begun) < WAIT_MIN {
            return Duration::ZERO;
        }
        self.timer.sleep_until(deadline).await;
        begun.elapsed()
    }
}

fn fault_response(status: FaultStatus) -> Result<HttpResponse, Cut> {
    let code = match status {
        FaultStatus::InternalError => S3ErrorCode::InternalError,
        FaultStatus::SlowDown => S3ErrorCode::SlowDown,
        FaultStatus::Conflict => S3ErrorCode::ConditionalRequestConflict,
    };
    S3Error::with_message(code, "injected fault")
        .to_http_response()
        .map_err(|_| Cut::Close)
}

/// What the answer's body takes on the wire; 304 has none, whatever s3s puts there.
fn body_length(response: &HttpResponse) -> u64 {
    match response.status() {
        StatusCode::NOT_MODIFIED => 0,
        _ => response.body().size_hint().exact().unwrap_or(0),
    }
}
