//! Clients that always have one operation under way: what a store and an engine carry at most.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fusio_manifest::Moment;

use super::{Context, by_turns::now};
use crate::{client::Client, progress::CellProgress};

/// How soon a request to stop is noticed, and progress told.
const TICK: Duration = Duration::from_millis(250);

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
            tokio::spawn(async move {
                loop {
                    let arrival = now(&*clock);
                    if nanos(arrival.due) >= last.load(Ordering::Acquire) {
                        break;
                    }
                    client.operate(arrival).await;
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    while context.clock.now() < end {
        let left = end.saturating_sub(context.clock.now());
        tokio::select! {
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

fn nanos(moment: Moment) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}
