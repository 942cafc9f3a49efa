//! Clients that always have one operation under way: what a store and an engine carry at most.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fusio_manifest::{Clock, Moment};

use super::{Context, by_turns::now};
use crate::{client::Client, progress::CellProgress};

/// How soon a request to stop is noticed, and progress told.
const TICK: Duration = Duration::from_millis(250);

/// What takes less has sent nothing: it was refused in this process, because the manifest is full or the requests of
/// the run are spent.
const REQUEST_MIN: Duration = Duration::from_micros(50);
/// Who is refused waits so long: else the loop would spin, and virtual time stand still.
const PAUSE: Duration = Duration::from_millis(10);

/// What is shown of a loop while it runs.
pub(super) struct Shown<'a> {
    pub(super) progress: &'a CellProgress,
    /// When the part of the run began that the progress is about.
    pub(super) began: Moment,
    /// Operations that ended in it so far.
    pub(super) ended: &'a Arc<AtomicU64>,
}

/// Each client operates, and again as soon as it is answered, until `end` or until the run is stopped. Returns
/// when the last one is answered.
///
/// # Errors
///
/// A client's task ended early.
pub(super) async fn saturate(
    context: &Context,
    clients: &[Arc<dyn Client>],
    end: Moment,
    shown: Option<&Shown<'_>>,
) -> Result<(), String> {
    let ended = shown.map_or_else(Arc::default, |shown| Arc::clone(shown.ended));
    // Moved forward when the run is stopped: nothing is begun after it.
    let last = Arc::new(AtomicU64::new(nanos(end)));
    let tasks: Vec<_> = (clients.iter())
        .map(|client| {
            let (client, clock) = (Arc::clone(client), Arc::clone(&context.clock));
            let (ended, last) = (Arc::clone(&ended), Arc::clone(&last));
            tokio::spawn(async move { repeat(&*client, &*clock, &last, &ended).await })
        })
        .collect();
    while context.clock.now() < end {
        let left = end.saturating_sub(context.clock.now());
        tokio::select! {
            biased;
            () = context.clock.sleep(left.min(TICK)) => {}
            () = context.interrupt.wait() => {}
        }
        if let Some(shown) = shown {
            let elapsed = context.clock.now().saturating_sub(shown.began);
            shown.progress.update(elapsed, ended.load(Ordering::Relaxed));
        }
        if context.should_stop() {
            last.store(0, Ordering::Release);
            break;
        }
    }
    for task in tasks {
        task.await
            .map_err(|error| format!("a client's task ended: {error}"))?;
    }
    Ok(())
}

/// Operates until `last`.
async fn repeat(client: &dyn Client, clock: &dyn Clock, last: &AtomicU64, ended: &AtomicU64) {
    loop {
        let arrival = now(clock);
        if nanos(arrival.due) >= last.load(Ordering::Acquire) {
            return;
        }
        client.operate(arrival).await;
        ended.fetch_add(1, Ordering::Relaxed);
        if clock.now().saturating_sub(arrival.due) < REQUEST_MIN {
            clock.sleep(PAUSE).await;
        }
    }
}

fn nanos(moment: Moment) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use fusio_manifest::{TokioClock, store::BoxFuture};

    use super::*;
    use crate::client::{Arrival, ClientType};

    /// A client whose operations take this long.
    struct Lasting(TokioClock, Duration);

    impl Client for Lasting {
        fn kind(&self) -> ClientType {
            ClientType::Reader
        }

        fn operate(&self, _: Arrival) -> BoxFuture<'_, ()> {
            if self.1.is_zero() {
                return Box::pin(async {});
            }
            self.0.sleep(self.1)
        }

        fn dropped(&self, _: Moment) {}

        fn load(&self, _: u64, _: u64) {}
    }

    async fn operations(lasting: Duration) -> u64 {
        let clock = TokioClock::new();
        let ended = AtomicU64::new(0);
        let last = AtomicU64::new(nanos(clock.now() + Duration::from_secs(1)));
        repeat(&Lasting(clock, lasting), &clock, &last, &ended).await;
        ended.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_operation_begins_when_the_last_one_is_answered() {
        assert_eq!(operations(Duration::from_millis(50)).await, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_at_once_does_not_stop_time() {
        assert_eq!(operations(Duration::ZERO).await, 100);
    }
}
