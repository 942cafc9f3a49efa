//! How likely it is that somebody else has changed HEAD since it was last looked at, and what a wrong guess
//! costs: what decides whether a transaction begins on the cached state.

use std::time::Duration;

/// Observations count for about this long.
const MEMORY: Duration = Duration::from_secs(60);
/// The share of a new measurement in a running mean.
const WEIGHT: f64 = 0.1;
/// A measurement counts as at most so many times the mean so far.
const OUTLIER: u32 = 4;
/// Before anything is measured: S3 Standard, GET 27 ms, conditional PUT 61 ms.
const GET_GUESS: Duration = Duration::from_millis(27);
const PUT_GUESS: Duration = Duration::from_millis(61);

/// What a handle has seen of foreign changes of HEAD and of its own latencies.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeRate {
    changes: f64,
    seconds: f64,
    get: Option<Duration>,
    put: Option<Duration>,
}

impl ChangeRate {
    /// `changes` by others were seen in `span`.
    pub(crate) fn observe(&mut self, span: Duration, changes: u64) {
        let keep = (-span.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        self.changes = self.changes * keep + changes as f64;
        self.seconds = self.seconds * keep + span.as_secs_f64();
    }

    pub(crate) fn observe_get(&mut self, latency: Duration) {
        self.get = Some(mean(self.get_latency(), self.get.is_some(), latency));
    }

    pub(crate) fn observe_put(&mut self, latency: Duration) {
        self.put = Some(mean(self.put_latency(), self.put.is_some(), latency));
    }

    /// The usual latency of a look at HEAD.
    pub(crate) fn get_latency(&self) -> Duration {
        self.get.unwrap_or(GET_GUESS)
    }

    /// The usual latency of a PUT of HEAD.
    pub(crate) fn put_latency(&self) -> Duration {
        self.put.unwrap_or(PUT_GUESS)
    }

    /// The chance that HEAD has changed in a span of this length, for changes that come at random.
    fn chance_of_change(&self, age: Duration) -> f64 {
        if self.seconds <= 0.0 {
            return 0.0;
        }
        1.0 - (-(self.changes / self.seconds) * age.as_secs_f64()).exp()
    }

    /// True if beginning on a state of this age is cheaper than looking first. Looking costs a GET always;
    /// not looking costs a GET and a PUT, but only when HEAD has changed.
    pub(crate) fn cached_state_pays(&self, age: Duration) -> bool {
        let get = self.get_latency().as_secs_f64();
        let put = self.put_latency().as_secs_f64();
        self.chance_of_change(age) * (get + put) <= get
    }
}

/// One stall must not pass for how the store is: no measurement counts as more than a few times the mean.
fn mean(so_far: Duration, measured: bool, latency: Duration) -> Duration {
    let latency = latency.min(so_far * OUTLIER);
    if measured {
        so_far.mul_f64(1.0 - WEIGHT) + latency.mul_f64(WEIGHT)
    } else {
        latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_quiet_head_is_believed() {
        let mut rate = ChangeRate::default();
        assert!(rate.cached_state_pays(SECOND));
        rate.observe(SECOND * 30, 0);
        assert!(rate.cached_state_pays(SECOND * 600));
    }

    #[test]
    fn a_busy_head_is_looked_at_first() {
        let mut rate = ChangeRate::default();
        rate.observe(SECOND * 10, 20);
        // 2 changes/s: after 100 ms the chance is 0.18, after 300 ms 0.45; the break-even is 0.31.
        assert!(rate.cached_state_pays(SECOND / 10));
        assert!(!rate.cached_state_pays(SECOND * 3 / 10));
    }

    #[test]
    fn the_break_even_follows_measured_latencies() {
        let mut rate = ChangeRate::default();
        rate.observe(SECOND * 10, 20);
        rate.observe_get(Duration::from_millis(60));
        rate.observe_put(Duration::from_millis(10));
        // A look that costs six PUTs pays only when HEAD has changed almost surely.
        assert!(rate.cached_state_pays(SECOND * 3 / 10));
    }

    #[test]
    fn one_stall_does_not_pass_for_how_the_store_is() {
        let mut rate = ChangeRate::default();
        rate.observe_get(SECOND * 14);
        assert_eq!(rate.get_latency(), GET_GUESS * 4);
        for _ in 0..50 {
            rate.observe_get(Duration::from_millis(30));
        }
        rate.observe_get(SECOND * 14);
        assert!(rate.get_latency() < Duration::from_millis(50));
        // What is slow for good is learnt.
        (0..50).for_each(|_| rate.observe_get(SECOND));
        assert!(rate.get_latency() > Duration::from_millis(900));
    }

    #[test]
    fn old_observations_fade() {
        let mut rate = ChangeRate::default();
        rate.observe(SECOND, 100);
        rate.observe(SECOND * 600, 0);
        assert!(rate.cached_state_pays(SECOND * 10));
    }
}
