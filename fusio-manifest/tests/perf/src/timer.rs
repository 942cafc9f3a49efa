//! Real time for the harness: the monotonic clock, and a timer that is late by about 0.1 ms.
//!
//! Tokio's timer has a resolution of 1 ms, so at the latencies measured here its own error would be seen in
//! the results. A [`TimerThread`] is one plain OS thread that sleeps on a condition variable until the
//! earliest of its deadlines. It never spins: spinning costs most of a core and gains 0.05 ms.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

/// The monotonic clock of the harness. It never goes back; on Linux it stands still while the machine is
/// suspended.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the harness goes through"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// A thread that completes futures at their deadlines.
///
/// Fit for some thousands of deadlines a second. Dropping it stops the thread and waits for it to end.
#[derive(Debug)]
pub struct TimerThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    sleepers: BinaryHeap<Reverse<Sleeper>>,
    registered: u64,
    stopped: bool,
}

/// Ordered by deadline, then by registration, so that equal deadlines complete in the order they came.
#[derive(Debug)]
struct Sleeper {
    deadline: Instant,
    number: u64,
    wake: oneshot::Sender<()>,
}

impl TimerThread {
    /// Starts a thread of this name (Linux shows its first 15 bytes).
    ///
    /// # Errors
    ///
    /// The operating system refused to start a thread.
    pub fn start(name: &str) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || served.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Completes at `deadline`, never before it, and at once if it has passed.
    ///
    /// The deadline is registered by the call, not by the first poll. A future dropped early costs its place
    /// in the heap until its deadline. If the timer is dropped first, the future completes then: waiting
    /// forever would hang what is being shut down.
    pub fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + use<> {
        let registered = (deadline > now()).then(|| self.shared.register(deadline));
        async move {
            if let Some(woken) = registered {
                // An error says that the timer was dropped.
                let _ = woken.await;
            }
        }
    }
}

impl Drop for TimerThread {
    fn drop(&mut self) {
        self.shared.queue.lock().stopped = true;
        self.shared.changed.notify_one();
        let Some(thread) = self.thread.take() else { return };
        // Waking a sleeper can drop the last owner of this timer, and then this is the thread itself.
        if thread.thread().id() != thread::current().id() {
            // The thread runs no code that panics, and there is nobody to tell.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn register(&self, deadline: Instant) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        let mut queue = self.queue.lock();
        let number = queue.registered;
        queue.registered += 1;
        let earliest = queue
            .sleepers
            .peek()
            .is_none_or(|Reverse(first)| deadline < first.deadline);
        queue.sleepers.push(Reverse(Sleeper {
            deadline,
            number,
            wake,
        }));
        drop(queue);
        if earliest {
            self.changed.notify_one();
        }
        woken
    }

    fn run(&self) {
        lower_timer_slack();
        let mut due = Vec::new();
        let mut queue = self.queue.lock();
        while !queue.stopped {
            queue.take_due(now(), &mut due);
            if !due.is_empty() {
                // Wakers run outside the lock: they may register the next deadline.
                drop(queue);
                for sleeper in due.drain(..) {
                    // An error says that nobody waits any more.
                    let _ = sleeper.wake.send(());
                }
                queue = self.queue.lock();
                continue;
            }
            match queue.sleepers.peek().map(|Reverse(first)| first.deadline) {
                Some(deadline) => {
                    self.changed.wait_until(&mut queue, deadline);
                }
                None => self.changed.wait(&mut queue),
            }
        }
        let abandoned = std::mem::take(&mut queue.sleepers);
        drop(queue);
        drop(abandoned);
    }
}

impl Queue {
    fn take_due(&mut self, now: Instant, due: &mut Vec<Sleeper>) {
        while self
            .sleepers
            .peek()
            .is_some_and(|Reverse(first)| first.deadline <= now)
        {
            due.extend(self.sleepers.pop().map(|Reverse(first)| first));
        }
    }
}

impl Sleeper {
    fn rank(&self) -> (Instant, u64) {
        (self.deadline, self.number)
    }
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Sleeper {}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// Linux may add 50 us to every sleep of a thread, to wake fewer times. 1 us here; without the permission to
/// set it the timer only gets less exact.
pub(crate) fn lower_timer_slack() {
    #[cfg(target_os = "linux")]
    {
        let slack_ns = std::num::NonZeroU64::new(1_000);
        let _ = rustix::thread::set_current_timer_slack(slack_ns);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn never_wakes_before_the_deadline() {
        let timer = TimerThread::start("timer-test").unwrap();
        for micros in [0, 1, 50, 400, 3_000] {
            let deadline = now() + Duration::from_micros(micros);
            timer.sleep_until(deadline).await;
            assert!(now() >= deadline);
        }
    }

    #[tokio::test]
    async fn a_thousand_sleepers_all_wake() {
        let timer = TimerThread::start("timer-test").unwrap();
        let start = now();
        let (woken, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut expected = Vec::new();
        for i in 0..1_000_u64 {
            // A permutation of 0..1000, so that most registrations are not the earliest.
            let place = (i * 617) % 1_000;
            expected.push(place);
            let sleep =
                timer.sleep_until(start + Duration::from_millis(20) + Duration::from_micros(place * 10));
            let woken = woken.clone();
            tokio::spawn(async move {
                sleep.await;
                woken.send(place).unwrap();
            });
        }
        drop(woken);
        expected.sort_unstable();
        let mut seen = Vec::new();
        while let Some(place) = order.recv().await {
            seen.push(place);
        }
        seen.sort_unstable();
        assert_eq!(seen, expected);
        assert!(now() >= start + Duration::from_millis(20));
    }

    #[tokio::test]
    async fn an_earlier_deadline_overtakes_a_registered_one() {
        let timer = TimerThread::start("timer-test").unwrap();
        let mut late = std::pin::pin!(timer.sleep_until(now() + Duration::from_secs(3_600)));
        tokio::select! {
            biased;
            () = &mut late => panic!("an hour has not passed"),
            () = timer.sleep_until(now() + Duration::from_millis(2)) => {}
        }
    }

    #[tokio::test]
    async fn dropping_the_timer_releases_its_sleepers() {
        let timer = TimerThread::start("timer-test").unwrap();
        let sleep = timer.sleep_until(now() + Duration::from_secs(3_600));
        drop(timer);
        sleep.await;
    }

    #[tokio::test]
    async fn abandoned_sleeps_do_not_stop_the_others() {
        let timer = TimerThread::start("timer-test").unwrap();
        let deadline = now() + Duration::from_millis(2);
        drop(timer.sleep_until(deadline));
        timer.sleep_until(deadline).await;
        assert!(now() >= deadline);
    }

    #[test]
    fn equal_deadlines_complete_in_order_of_registration() {
        let deadline = now();
        let mut queue = Queue::default();
        let mut receivers = Vec::new();
        for number in [2, 0, 1] {
            let (wake, woken) = oneshot::channel();
            queue.sleepers.push(Reverse(Sleeper {
                deadline,
                number,
                wake,
            }));
            receivers.push(woken);
        }
        let mut due = Vec::new();
        queue.take_due(deadline, &mut due);
        assert_eq!(
            due.iter().map(|sleeper| sleeper.number).collect::<Vec<_>>(),
            [0, 1, 2]
        );
    }
}
