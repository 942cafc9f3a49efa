//! Handles that die: a process that is killed in the middle of whatever it does, and callers that do not wait for their
//! answers.
//!
//! What a killed process had sent is applied all the same, or not, and it sends nothing any more. Its callers die with
//! it: nobody was told anything. Another process takes its place, with a handle that knows nothing of what was before.

use std::{fmt, mem, sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Clock, CommitOutcome, CommitToken,
    store::{BoxFuture, Store},
};
use parking_lot::Mutex;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::sync::oneshot;

use self::{
    held::Held,
    severed::{End, Severed},
};
use super::{
    Ask, CommitAnswer, CommitReport, Inventory, ReadReport, Refusal, Stage, Target, TargetHandle,
    TargetSnapshot,
};
use crate::{
    history::{Read, State},
    requests::RequestCounts,
};

pub use severed::Work;

mod held;
mod severed;

/// How long a process needs to come back, and to try again if it cannot open the manifest.
const RESTART: Duration = Duration::from_millis(50);
/// How often it tries.
const RESTARTS_MAX: u32 = 200;
/// A caller that does not wait is gone after less than this.
const PATIENCE_MAX: Duration = Duration::from_millis(400);

const KILLED: &str = "the process was killed";
const DOWN: &str = "the process is down";
const LEFT: &str = "its caller did not wait";

/// A target whose handles can be killed.
pub struct Mortal<T> {
    founder: T,
    within: Arc<T>,
    clock: Arc<dyn Clock>,
    /// The share of callers that do not wait for their answers.
    impatience: f64,
    rng: Arc<Mutex<StdRng>>,
    processes: Mutex<Vec<Arc<Process<T>>>>,
}

impl<T> fmt::Debug for Mortal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mortal")
            .field("processes", &self.processes.lock().len())
            .finish_non_exhaustive()
    }
}

impl<T: Target + 'static> Mortal<T> {
    /// Handles of `within`, of whose callers this share does not wait; `seed` decides which. Who makes the manifest is
    /// of `founder`, and lives on.
    pub fn new(founder: T, within: T, clock: Arc<dyn Clock>, impatience: f64, seed: u64) -> Self {
        Self {
            founder,
            within: Arc::new(within),
            clock,
            impatience,
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
            processes: Mutex::default(),
        }
    }

    /// Kills the process that opened a handle as the `number`th, and starts another in its place. False if there is
    /// none, or it is down already.
    pub fn kill(&self, number: usize) -> bool {
        let processes = self.processes.lock();
        let process = processes.get(number).cloned();
        drop(processes);
        process.is_some_and(|process| process.kill())
    }

    /// The same as soon as it has sent such a request. False if it never does.
    pub async fn kill_at(&self, number: usize, work: Work) -> bool {
        let Some(sent) = self.awaits(number, work) else {
            return false;
        };
        sent.await.is_ok() && self.kill(number)
    }

    fn awaits(&self, number: usize, work: Work) -> Option<oneshot::Receiver<()>> {
        let process = self.processes.lock().get(number).cloned()?;
        let life = process.life.lock().clone()?;
        Some(life.end.awaits(work))
    }
}

impl<T: Target + 'static> Target for Mortal<T> {
    fn create<'a>(
        &'a self,
        store: Arc<dyn Store>,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn TargetHandle>, String>> {
        self.founder.create(store, prefix)
    }

    fn open<'a>(
        &'a self,
        store: Arc<dyn Store>,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn TargetHandle>, String>> {
        Box::pin(async move {
            let process = Arc::new(Process {
                target: Arc::clone(&self.within),
                store,
                prefix: prefix.to_owned(),
                clock: Arc::clone(&self.clock),
                impatience: self.impatience,
                rng: Arc::clone(&self.rng),
                life: Mutex::new(None),
                spent: Mutex::default(),
            });
            process.start().await?;
            self.processes.lock().push(Arc::clone(&process));
            Ok(process as Arc<dyn TargetHandle>)
        })
    }
}

/// A place for processes, one after the other.
struct Process<T> {
    target: Arc<T>,
    store: Arc<dyn Store>,
    prefix: String,
    clock: Arc<dyn Clock>,
    impatience: f64,
    rng: Arc<Mutex<StdRng>>,
    /// None while it is down.
    life: Mutex<Option<Arc<Life>>>,
    /// What earlier ones sent for maintenance.
    spent: Mutex<RequestCounts>,
}

/// One process.
struct Life {
    handle: Arc<dyn TargetHandle>,
    end: Arc<End>,
}

/// Why an operation has no answer.
enum Silence {
    Killed,
    Down,
    Left,
}

impl<T: Target + 'static> Process<T> {
    async fn start(&self) -> Result<(), String> {
        let end = Arc::new(End::default());
        let store = Arc::new(Severed {
            store: Arc::clone(&self.store),
            end: Arc::clone(&end),
        });
        let handle = self.target.open(store, &self.prefix).await?;
        *self.life.lock() = Some(Arc::new(Life { handle, end }));
        Ok(())
    }

    fn kill(self: Arc<Self>) -> bool {
        let Some(life) = mem::take(&mut *self.life.lock()) else {
            return false;
        };
        life.end.come();
        let mut spent = self.spent.lock();
        *spent = spent.plus(&life.handle.maintenance());
        drop(spent);
        tokio::spawn(async move {
            for _ in 0..RESTARTS_MAX {
                self.clock.sleep(RESTART).await;
                match self.start().await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%error, "starting again"),
                }
            }
        });
        true
    }

    /// Carries out `operation` on the living handle, until that dies or its caller leaves.
    async fn carry_out<'a, A>(
        &'a self,
        operation: impl FnOnce(Arc<dyn TargetHandle>) -> BoxFuture<'a, A> + Send,
    ) -> Result<A, Silence> {
        let life = self.life.lock().clone().ok_or(Silence::Down)?;
        let patience = self.patience();
        let leave = async {
            match patience {
                Some(patience) => self.clock.sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = life.end.wait() => Err(Silence::Killed),
            () = leave => Err(Silence::Left),
            answer = operation(Arc::clone(&life.handle)) => Ok(answer),
        }
    }

    /// The same of a state, which dies with the handle that has shown it.
    async fn hold<'a>(
        &'a self,
        operation: impl FnOnce(Arc<dyn TargetHandle>) -> BoxFuture<'a, Result<Arc<dyn TargetSnapshot>, Refusal>>
        + Send,
    ) -> Result<Arc<dyn TargetSnapshot>, Refusal> {
        let end = self.life.lock().as_ref().map(|life| Arc::clone(&life.end));
        let held = self.carry_out(operation).await;
        let snapshot = held.unwrap_or_else(|silence| Err(Refusal::Failed(silence.text())))?;
        match end {
            Some(end) => Ok(Arc::new(Held { snapshot, end })),
            None => Err(Refusal::Failed(DOWN.to_owned())),
        }
    }

    fn patience(&self) -> Option<Duration> {
        let mut rng = self.rng.lock();
        let leaves = self.impatience > 0.0 && rng.random_bool(self.impatience);
        leaves.then(|| PATIENCE_MAX.mul_f64(rng.random_range(0.0..1.0)))
    }
}

/// The living handle's.
fn current(life: &Mutex<Option<Arc<Life>>>) -> Option<Arc<dyn TargetHandle>> {
    life.lock().as_ref().map(|life| Arc::clone(&life.handle))
}

impl Silence {
    fn report(self) -> CommitReport {
        CommitReport::without_attempts(match self {
            // Nothing was begun.
            Self::Down => CommitAnswer::Failed(DOWN.to_owned()),
            Self::Killed => CommitAnswer::Unknown(KILLED.to_owned()),
            Self::Left => CommitAnswer::Unknown(LEFT.to_owned()),
        })
    }

    fn text(self) -> String {
        match self {
            Self::Down => DOWN,
            Self::Killed => KILLED,
            Self::Left => LEFT,
        }
        .to_owned()
    }
}

impl<T: Target + 'static> TargetHandle for Process<T> {
    fn put(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport> {
        Box::pin(async move {
            let done = self
                .carry_out(|handle| Box::pin(async move { handle.put(key, value).await }))
                .await;
            done.unwrap_or_else(Silence::report)
        })
    }

    fn rewrite(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport> {
        Box::pin(async move {
            let done = self
                .carry_out(|handle| Box::pin(async move { handle.rewrite(key, value).await }))
                .await;
            done.unwrap_or_else(Silence::report)
        })
    }

    fn update(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport> {
        Box::pin(async move {
            let done = self
                .carry_out(|handle| Box::pin(async move { handle.update(key, value).await }))
                .await;
            done.unwrap_or_else(Silence::report)
        })
    }

    fn transact<'a>(&'a self, asks: Vec<Ask>, stage: Stage<'a>) -> BoxFuture<'a, (CommitReport, Vec<Read>)> {
        Box::pin(async move {
            let done = self
                .carry_out(|handle| Box::pin(async move { handle.transact(asks, stage).await }))
                .await;
            done.unwrap_or_else(|silence| (silence.report(), Vec::new()))
        })
    }

    fn view(&self, asks: Vec<Ask>) -> BoxFuture<'_, Result<(u64, Vec<Read>), String>> {
        Box::pin(async move {
            let done = self
                .carry_out(|handle| Box::pin(async move { handle.view(asks).await }))
                .await;
            done.unwrap_or_else(|silence| Err(silence.text()))
        })
    }

    fn read(&self, key: Bytes) -> BoxFuture<'_, Result<ReadReport, String>> {
        Box::pin(async move {
            let done = self
                .carry_out(|handle| Box::pin(async move { handle.read(key).await }))
                .await;
            done.unwrap_or_else(|silence| Err(silence.text()))
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Arc<dyn TargetSnapshot>, Refusal>> {
        Box::pin(self.hold(|handle| Box::pin(async move { handle.snapshot().await })))
    }

    fn open_pin(&self, name: String) -> BoxFuture<'_, Result<Arc<dyn TargetSnapshot>, Refusal>> {
        Box::pin(self.hold(|handle| Box::pin(async move { handle.open_pin(name).await })))
    }

    fn release_pin(&self, name: String) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let done = self
                .carry_out(|handle| Box::pin(async move { handle.release_pin(name).await }))
                .await;
            done.unwrap_or_else(|silence| Err(Refusal::Failed(silence.text())))
        })
    }

    fn inventory(&self) -> BoxFuture<'_, Result<Inventory, String>> {
        Box::pin(async move {
            let handle = current(&self.life).ok_or_else(|| DOWN.to_owned())?;
            handle.inventory().await
        })
    }

    fn contents(&self) -> BoxFuture<'_, Result<State, String>> {
        Box::pin(async move {
            let handle = current(&self.life).ok_or_else(|| DOWN.to_owned())?;
            handle.contents().await
        })
    }

    fn outcome<'a>(&'a self, token: &'a CommitToken) -> BoxFuture<'a, Result<CommitOutcome, String>> {
        Box::pin(async move {
            let handle = current(&self.life).ok_or_else(|| DOWN.to_owned())?;
            handle.outcome(token).await
        })
    }

    fn maintain(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let done = self
                .carry_out(|handle| Box::pin(async move { handle.maintain().await }))
                .await;
            done.unwrap_or_else(|silence| Err(silence.text()))
        })
    }

    fn head_bytes(&self) -> usize {
        current(&self.life).map_or(0, |handle| handle.head_bytes())
    }

    fn head_revision(&self) -> u64 {
        current(&self.life).map_or(0, |handle| handle.head_revision())
    }

    fn maintenance(&self) -> RequestCounts {
        let spent = *self.spent.lock();
        current(&self.life).map_or(spent, |handle| spent.plus(&handle.maintenance()))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(handle) = current(&self.life) {
                handle.close().await;
            }
        })
    }
}
