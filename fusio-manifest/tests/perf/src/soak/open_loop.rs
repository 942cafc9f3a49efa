//! Operations that fall due by a schedule, whatever became of earlier ones.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{Clock as _, Moment, SystemClock};
use tokio::task::JoinSet;

use super::counts::Counts;
use crate::interrupt::Interrupt;

/// When operations of a client fall due.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// The first one.
    pub(super) first: Moment,
    pub(super) every: Duration,
    /// None falls due from here on.
    pub(super) end: Moment,
    /// As many may be open.
    pub(super) in_flight: usize,
    pub(super) stop: Interrupt,
}

/// Begins what falls due, each as a task of its own, and returns when all have ended. `operate` is told the operation's
/// number, from 1 on, and when it was due.
pub(super) async fn offer<F>(schedule: Schedule, counts: Arc<Counts>, operate: impl Fn(u32, Moment) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    for number in 0_u32.. {
        let due = schedule.first + schedule.every.mul_f64(f64::from(number));
        if due >= schedule.end {
            break;
        }
        tokio::select! {
            biased;
            () = schedule.stop.wait() => break,
            () = SystemClock.sleep(due.saturating_sub(SystemClock.now())) => {}
        }
        // What has ended is let go of, or it would be kept until the end.
        while open.try_join_next().is_some() {}
        if open.len() < schedule.in_flight {
            open.spawn(operate(number + 1, due));
        } else {
            counts.drop_one();
        }
    }
    while open.join_next().await.is_some() {}
}
