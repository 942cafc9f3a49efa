//! What happens to a request on its way to a store that stands for S3: the drawn delay, and faults. The embedded
//! endpoint and the simulated store both come through here, so that one text means the same to both.

use std::time::Duration;

use fusio_manifest::Moment;
use parking_lot::Mutex;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    fault::{Disturbance, Fault, FaultAction, FaultPlan, FaultRequest, FaultState, FaultStatus, FiredFaults},
    latency::{LatencyProfile, RequestClass},
};

/// The connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is cut")]
pub(crate) enum Cut {
    Close,
    Reset,
}

/// What a fault does inside the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tampering {
    IgnoreConditions,
    Corrupt(Fault),
}

/// The draws of a store: each request takes one of its delay and, if there are faults, those of its fate.
#[derive(Debug)]
pub(crate) struct Injection {
    latency: LatencyProfile,
    draws: Mutex<StdRng>,
    faults: Mutex<ActiveFaults>,
}

#[derive(Debug)]
struct ActiveFaults {
    plan: FaultPlan,
    state: FaultState,
    fired: FiredFaults,
    since: Moment,
}

impl ActiveFaults {
    fn new(plan: FaultPlan, seed: u64, since: Moment) -> Self {
        let state = plan.state(seed);
        Self {
            plan,
            state,
            fired: FiredFaults::default(),
            since,
        }
    }
}

/// What one request has met.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Met {
    class: RequestClass,
    /// From the profile, without that of the answer's bytes and of faults.
    pub(crate) drawn: Duration,
    fault: Option<Fault>,
    /// The moment from which the plan of the fault counts.
    since: Moment,
}

/// A request on its way, with the store at its end.
pub(crate) trait Passage {
    /// What the store says, refusals included.
    type Answer;

    /// Now, on the store's clock.
    fn now(&self) -> Moment;

    /// Waits, and says how long it really was.
    fn wait_until(&self, deadline: Moment) -> impl Future<Output = Duration> + Send;

    /// Has the store apply the request.
    fn apply(&self, tampering: Option<Tampering>) -> impl Future<Output = Result<Self::Answer, Cut>> + Send;

    /// The bytes of an answer that take time on their way back.
    fn bytes_back(&self, answer: &Self::Answer) -> u64;

    /// The answer that a fault puts in the store's place.
    fn injected(&self, status: FaultStatus) -> Result<Self::Answer, Cut>;
}

impl Injection {
    pub(crate) fn new(latency: LatencyProfile, faults: FaultPlan, seed: u64, now: Moment) -> Self {
        Self {
            latency,
            draws: Mutex::new(StdRng::seed_from_u64(seed)),
            faults: Mutex::new(ActiveFaults::new(faults, seed, now)),
        }
    }

    /// Replaces the plan: its windows, counts and draws begin now.
    pub(crate) fn set_faults(&self, plan: FaultPlan, seed: u64, now: Moment) {
        *self.faults.lock() = ActiveFaults::new(plan, seed, now);
    }

    /// What has fired since the plan was set.
    pub(crate) fn fired(&self) -> FiredFaults {
        self.faults.lock().fired.clone()
    }

    /// A request with a body of so many bytes has arrived whole.
    pub(crate) fn meet(&self, request: &FaultRequest<'_>, bytes_in: u64, now: Moment) -> Met {
        let drawn = self
            .latency
            .draw(request.class, bytes_in, &mut *self.draws.lock());
        let mut faults = self.faults.lock();
        let ActiveFaults {
            plan,
            state,
            fired,
            since,
        } = &mut *faults;
        let elapsed = now.saturating_sub(*since);
        let fault = plan.decide(request, elapsed, state);
        if let Some(fault) = &fault {
            fired.note(fault, elapsed);
        }
        Met {
            class: request.class,
            drawn,
            fault,
            since: *since,
        }
    }

    /// Lets the request pass to the store and its answer back, and adds what was waited to `delay`. Of one that
    /// arrives [late](Met::late) only its caller knows what to do.
    pub(crate) async fn pass<P: Passage>(
        &self,
        met: &Met,
        passage: &P,
        delay: &mut Duration,
    ) -> Result<P::Answer, Cut> {
        let action = met.fault.map(|fault| fault.action);
        // The delay comes before the store applies the request: the other way round, writers that race on
        // one key would not hold each other up, and twice as many commits would fit into a second.
        *delay += passage.wait_until(passage.now() + met.drawn).await;
        if let Some(FaultAction::Before(disturbance)) = action
            && let Some(answer) = met.disturb(disturbance, passage, delay).await?
        {
            return Ok(answer);
        }
        let mut answer = passage.apply(met.tampering()).await?;
        if action == Some(FaultAction::Replay) {
            answer = passage.apply(met.tampering()).await?;
        }
        if matches!(met.class, RequestClass::Get | RequestClass::List) {
            let transfer = self.latency.transfer(passage.bytes_back(&answer));
            *delay += passage.wait_until(passage.now() + transfer).await;
        }
        if let Some(FaultAction::After(disturbance)) = action
            && let Some(answer) = met.disturb(disturbance, passage, delay).await?
        {
            return Ok(answer);
        }
        Ok(answer)
    }
}

impl Met {
    /// If the client's connection is closed at once: how much later the request is applied.
    pub(crate) fn late(&self) -> Option<Duration> {
        match self.fault?.action {
            FaultAction::Late(span) => Some(span),
            _ => None,
        }
    }

    fn tampering(&self) -> Option<Tampering> {
        let fault = self.fault?;
        match fault.action {
            FaultAction::Corrupt => Some(Tampering::Corrupt(fault)),
            FaultAction::IgnoreConditions => Some(Tampering::IgnoreConditions),
            _ => None,
        }
    }

    /// The answer that takes the place of the store's, if there is one.
    async fn disturb<P: Passage>(
        &self,
        disturbance: Disturbance,
        passage: &P,
        delay: &mut Duration,
    ) -> Result<Option<P::Answer>, Cut> {
        match disturbance {
            Disturbance::Drop => Err(Cut::Close),
            Disturbance::Reset => Err(Cut::Reset),
            Disturbance::Delay(span) => {
                *delay += passage.wait_until(passage.now() + span).await;
                Ok(None)
            }
            Disturbance::StallUntil(end) => {
                *delay += passage.wait_until(self.since + end).await;
                Ok(None)
            }
            Disturbance::Status(status) => passage.injected(status).map(Some),
        }
    }
}
