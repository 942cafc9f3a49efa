//! Time as a handle, so that a whole run can happen in virtual time.

use std::{fmt, time::Duration};

use crate::store::BoxFuture;

/// A point in time, as the span since an arbitrary origin of its [`Clock`]. Only differences mean anything.
pub type Moment = Duration;

/// A monotonic clock and its timer.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// Now. Must count time in which the machine was suspended: staleness bounds rely on it.
    fn now(&self) -> Moment;

    /// Completes when `span` has passed.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}

/// Real time: the operating system's monotonic clock that counts suspended time, and tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        now_counting_suspension()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio_sleep(span))
    }
}

/// Tokio's clock. In a runtime whose time is paused this is virtual time.
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    origin: tokio::time::Instant,
}

impl TokioClock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
        }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Moment {
        self.origin.elapsed()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio_sleep(span))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everything else goes through"
)]
async fn tokio_sleep(span: Duration) {
    tokio::time::sleep(span).await;
}

#[cfg(unix)]
fn now_counting_suspension() -> Moment {
    // Linux stops CLOCK_MONOTONIC in suspend and has CLOCK_BOOTTIME for this; elsewhere CLOCK_MONOTONIC counts.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

#[cfg(not(unix))]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everything else goes through"
)]
fn now_counting_suspension() -> Moment {
    static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    ORIGIN.get_or_init(std::time::Instant::now).elapsed()
}

/// Runs `work` for at most `span`; `None` when the time is over first.
pub(crate) async fn within<T>(clock: &dyn Clock, span: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep(span) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_clock_never_goes_back() {
        let clock = SystemClock;
        let mut last = clock.now();
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tokio_clock_follows_virtual_time() {
        let clock = TokioClock::new();
        let before = clock.now();
        clock.sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now() - before, Duration::from_secs(3600));
    }
}
