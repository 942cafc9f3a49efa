//! The open-loop schedule: when each operation is due, and what issues it then: a thread of its own or, in virtual
//! time, a task.
//!
//! Operation `i` of a client is due at its start plus `i` periods, computed from `i`: a late one delays no
//! other. Nothing waits for answers.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use fusio_manifest::{Clock, Moment};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{client::Driver, settings::Arrivals, timer::lower_timer_slack};

/// The longest sleep: how soon an interrupt is noticed.
const SLEEP_MAX: Duration = Duration::from_millis(20);

/// How often a client operates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// How its operations are spaced.
    pub arrivals: Arrivals,
    /// Operations a second.
    pub rate: f64,
    /// Decides its start, and every gap of Poisson arrivals.
    pub seed: u64,
}

impl Plan {
    /// When its operations are due, as times since t0, in order, without end. The start is drawn within one
    /// period: equal periods that start together would meet each other every time.
    pub fn dues(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let Self { arrivals, rate, seed } = *self;
        let mut rng = StdRng::seed_from_u64(seed);
        let start = Duration::from_secs_f64(rng.random_range(0.0..1.0) / rate);
        let mut last = Duration::ZERO;
        (0_u64..).map(move |number| match arrivals {
            Arrivals::Periodic => start + Duration::from_secs_f64(number as f64 / rate),
            Arrivals::Poisson => {
                // A gap of a Poisson process; 1 minus the draw, which may be 0 but never 1.
                let gap = -(1.0 - rng.random_range(0.0..1.0_f64)).ln() / rate;
                last += Duration::from_secs_f64(gap);
                last
            }
        })
    }
}

/// What issues operations, until the window ends or it is [stopped](Self::stop).
#[derive(Debug)]
pub enum Schedule {
    /// In real time: a thread, which is late by less than any task would be.
    Thread {
        /// The thread.
        thread: JoinHandle<()>,
        /// Tells it to end.
        stop: Arc<AtomicBool>,
    },
    /// In virtual time, which knows nothing of threads: a task, which is never late.
    Task(tokio::task::JoinHandle<()>),
}

impl Schedule {
    /// Issues nothing more.
    pub async fn stop(self, clock: &dyn Clock) {
        match self {
            Self::Thread { thread, stop } => {
                stop.store(true, Ordering::Release);
                while !thread.is_finished() {
                    clock.sleep(Duration::from_millis(1)).await;
                }
            }
            Self::Task(task) => {
                task.abort();
                // An error says that it was aborted.
                let _ = task.await;
            }
        }
    }
}

/// Issues the operations of `clients` that are due within `window` after `t0`, from a task of the current runtime.
pub fn serve_in_virtual_time(
    clock: Arc<dyn Clock>,
    t0: Moment,
    window: Duration,
    clients: Vec<(Plan, Arc<Driver>)>,
) -> Schedule {
    let mut agenda = Agenda::new(clients, window);
    Schedule::Task(tokio::spawn(async move {
        while let Some(due) = agenda.earliest() {
            let wait = (t0 + due).saturating_sub(clock.now());
            if !wait.is_zero() {
                clock.sleep(wait).await;
            }
            agenda.issue(t0);
        }
    }))
}

/// Issues the operations of `clients` that are due within `window` after `t0`, from a thread of its own.
///
/// # Errors
///
/// The system gives no thread.
pub fn serve(
    clock: Arc<dyn Clock>,
    t0: Moment,
    window: Duration,
    clients: Vec<(Plan, Arc<Driver>)>,
) -> io::Result<Schedule> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = thread::Builder::new()
        .name("perf-schedule".to_owned())
        .spawn(move || {
            lower_timer_slack();
            let mut agenda = Agenda::new(clients, window);
            while let Some(due) = agenda.earliest() {
                loop {
                    if stopped.load(Ordering::Acquire) {
                        return;
                    }
                    let now = clock.now();
                    match (t0 + due).checked_sub(now).filter(|wait| !wait.is_zero()) {
                        Some(wait) => thread::park_timeout(wait.min(SLEEP_MAX)),
                        None => break,
                    }
                }
                agenda.issue(t0);
            }
        })?;
    Ok(Schedule::Thread { thread, stop })
}

type Dues = Box<dyn Iterator<Item = Duration> + Send>;

/// What is due next, over all clients.
struct Agenda {
    clients: Vec<(Dues, Arc<Driver>)>,
    window: Duration,
    due: BinaryHeap<Reverse<(Duration, usize)>>,
}

impl Agenda {
    fn new(clients: Vec<(Plan, Arc<Driver>)>, window: Duration) -> Self {
        let clients: Vec<(Dues, _)> = clients
            .into_iter()
            .map(|(plan, driver)| (Box::new(plan.dues()) as Dues, driver))
            .collect();
        let mut agenda = Self {
            due: BinaryHeap::with_capacity(clients.len()),
            clients,
            window,
        };
        (0..agenda.clients.len()).for_each(|client| agenda.plan(client));
        agenda
    }

    fn earliest(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// Issues the earliest operation, and plans its client's next one.
    fn issue(&mut self, t0: Moment) {
        let Some(Reverse((due, client))) = self.due.pop() else {
            return;
        };
        if let Some((_, driver)) = self.clients.get(client) {
            driver.arrive(t0 + due);
        }
        self.plan(client);
    }

    fn plan(&mut self, client: usize) {
        let next = self.clients.get_mut(client).and_then(|(dues, _)| dues.next());
        if let Some(due) = next.filter(|due| *due < self.window) {
            self.due.push(Reverse((due, client)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periodic(rate: f64, seed: u64) -> Plan {
        Plan {
            arrivals: Arrivals::Periodic,
            rate,
            seed,
        }
    }

    fn start(plan: Plan) -> Duration {
        plan.dues().next().unwrap()
    }

    #[test]
    fn a_period_is_never_accumulated() {
        let plan = periodic(3.0, 1);
        assert_eq!(
            plan.dues().nth(3_000_000).unwrap(),
            start(plan) + Duration::from_secs(1_000_000)
        );
    }

    #[test]
    fn a_window_of_whole_periods_holds_as_many_operations_whatever_the_start() {
        for seed in 0..200 {
            let dues = periodic(0.1, seed).dues();
            assert_eq!(
                dues.take_while(|due| *due < Duration::from_secs(120)).count(),
                12,
                "{seed}"
            );
        }
    }

    #[test]
    fn starts_differ_and_follow_the_seed() {
        assert_ne!(start(periodic(100.0, 1)), start(periodic(100.0, 2)));
        assert_eq!(start(periodic(100.0, 1)), start(periodic(100.0, 1)));
        assert!((0..100).all(|seed| start(periodic(100.0, seed)) < Duration::from_millis(10)));
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_their_kind() {
        let window = Duration::from_secs(1_000);
        let count = |seed| {
            let plan = Plan {
                arrivals: Arrivals::Poisson,
                rate: 1.0,
                seed,
            };
            plan.dues().take_while(|due| *due < window).count() as f64
        };
        let counts: Vec<f64> = (0..100).map(count).collect();
        let mean = counts.iter().sum::<f64>() / 100.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 99.0;
        // Mean and variance of the counts are 1,000; the tolerances are over four standard errors.
        assert!((mean - 1_000.0).abs() < 15.0, "{mean}");
        assert!((variance / 1_000.0 - 1.0).abs() < 0.6, "{variance}");
    }
}
