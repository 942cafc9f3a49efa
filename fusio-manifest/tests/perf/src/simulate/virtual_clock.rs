//! A clock that stands still while any task can run, and otherwise jumps to the next moment that a task waits for.
//!
//! Tokio's own paused clock rounds every wait to a millisecond, which is 2 % of what is measured here, and wakes all
//! that falls into the same one in an order of its own. This one counts nanoseconds and wakes one sleeper at a time.

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use fusio_manifest::{Clock, Moment, store::BoxFuture};
use parking_lot::Mutex;

use super::SimulationError;

/// Virtual time, beginning at zero. Clones are the same clock.
///
/// It moves only in a runtime that tells it when there is nothing to do, such as that of
/// [`simulate::run`](super::run).
#[derive(Clone, Default)]
pub struct VirtualClock {
    time: Arc<Mutex<Time>>,
}

#[derive(Default)]
struct Time {
    now: Moment,
    sleepers: BTreeMap<Place, Option<Waker>>,
    registered: u64,
    root: Option<Waker>,
    stands_still: bool,
}

/// Ordered by deadline, then by registration: equal deadlines are met in the order in which they were set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    deadline: Moment,
    number: u64,
}

impl VirtualClock {
    /// A clock at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Jumps to the earliest deadline that a task waits for, and wakes that task.
    ///
    /// To be called when no task can run, and only then: as the hook of a runtime that is about to park. Tokio calls
    /// it when its queues are empty and the future of `block_on` was not woken (tests hold it to that), and does not
    /// park if the hook has woken something. One task a call: the next one may be due at the same moment, but what
    /// this one does comes first.
    ///
    /// The root future is woken every time: a waker may outlive its task and wake nobody, and then the runtime would
    /// park for good. So it comes back here, until something runs or the standstill is certain.
    pub(super) fn advance(&self) {
        let mut time = self.time.lock();
        let (sleeper, root) = (time.pass(), time.root.clone());
        drop(time);
        // Outside the lock: a waker may drop a task, and with it sleepers.
        for waker in sleeper.into_iter().chain(root) {
            waker.wake();
        }
    }

    /// Wakes nobody any more. The waker of the root keeps its runtime, which keeps this clock for its hook: without this
    /// every run would leave its runtime behind, and with it open files.
    pub(super) fn end(&self) {
        let mut time = self.time.lock();
        let wakers = (time.root.take(), mem::take(&mut time.sleepers));
        drop(time);
        // Outside the lock: a waker may drop a task, and with it sleepers.
        drop(wakers);
    }

    /// The output of `work`, or an error when no task can run any more and none sleeps.
    pub(super) async fn unless_it_stands_still<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, SimulationError> {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            let mut time = self.time.lock();
            if mem::take(&mut time.stands_still) {
                return Poll::Ready(Err(SimulationError::StandsStill { at: time.now }));
            }
            time.root = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Time {
    /// Moves on, and tells who is to be woken for it.
    fn pass(&mut self) -> Option<Waker> {
        while let Some((place, waker)) = self.sleepers.pop_first() {
            // One that was never polled has nobody to wake: it finds its time passed whenever it is.
            if let Some(waker) = waker {
                self.now = place.deadline;
                return Some(waker);
            }
        }
        self.stands_still = true;
        None
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        self.time.lock().now
    }

    /// Registered by the call, not by the first poll; gone when it is dropped.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        let mut time = self.time.lock();
        let place = Place {
            deadline: time.now.saturating_add(span),
            number: time.registered,
        };
        time.registered += 1;
        time.sleepers.insert(place, None);
        drop(time);
        Box::pin(Sleep {
            time: Arc::clone(&self.time),
            place,
        })
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time.lock();
        f.debug_struct("VirtualClock")
            .field("now", &time.now)
            .field("sleepers", &time.sleepers.len())
            .finish_non_exhaustive()
    }
}

/// In the map for as long as its moment has not come.
struct Sleep {
    time: Arc<Mutex<Time>>,
    place: Place,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut time = self.time.lock();
        let Some(waker) = time.sleepers.get_mut(&self.place) else {
            return Poll::Ready(());
        };
        let earlier = waker.replace(context.waker().clone());
        // Dropped outside the lock, for it may be the last owner of a task, and that of other sleepers.
        drop(time);
        drop(earlier);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // Outside the lock, too.
        let waker = self.time.lock().sleepers.remove(&self.place);
        drop(waker);
    }
}
