//! Ctrl-C: the first one asks a run to drain, check and write what it has; the second ends the process.

use std::{
    io::{self, Write},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::Notify, task::AbortHandle};

/// What a shell reports for a process that SIGINT ended.
const EXIT_CODE: i32 = 130;

/// Whether the run is to stop. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    set: AtomicBool,
    changed: Notify,
}

/// Ends the listening when dropped. Ctrl-C has no effect between then and the next
/// [`listen`](Interrupt::listen): its default is gone once it was listened for.
#[derive(Debug)]
pub struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Interrupt {
    /// Not set, and without a listener.
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens for Ctrl-C on the current runtime, until what this returns is dropped: the first one sets this,
    /// the second exits at once with code 130.
    #[must_use = "dropping it ends the listening"]
    pub fn listen(&self) -> Listening {
        let interrupt = self.clone();
        let task = tokio::spawn(async move {
            // Where signals cannot be listened for, Ctrl-C keeps its default.
            while tokio::signal::ctrl_c().await.is_ok() {
                if interrupt.is_set() {
                    process::exit(EXIT_CODE);
                }
                interrupt.set();
                let message = "interrupted: draining and checking; press Ctrl-C again to quit at once";
                let _ = writeln!(io::stderr(), "\n{message}");
            }
        });
        Listening(task.abort_handle())
    }

    /// Asks the run to stop.
    pub fn set(&self) {
        self.shared.set.store(true, Ordering::Release);
        self.shared.changed.notify_waiters();
    }

    /// True once the run is asked to stop.
    pub fn is_set(&self) -> bool {
        self.shared.set.load(Ordering::Acquire)
    }

    /// Returns when the run is asked to stop, at once if it already is. May be dropped and called again.
    pub async fn wait(&self) {
        let mut changed = std::pin::pin!(self.shared.changed.notified());
        // Enlisted before the flag is read: a set in between is not missed.
        changed.as_mut().enable();
        if !self.is_set() {
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_waiter_is_woken_and_later_ones_do_not_wait() {
        let interrupt = Interrupt::new();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let interrupt = interrupt.clone();
                tokio::spawn(async move { interrupt.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(!interrupt.is_set() && waiters.iter().all(|waiter| !waiter.is_finished()));
        interrupt.set();
        for waiter in waiters {
            waiter.await.unwrap();
        }
        interrupt.wait().await;
        assert!(interrupt.is_set());
    }

    #[tokio::test]
    async fn listening_alone_sets_nothing() {
        let interrupt = Interrupt::new();
        let listening = interrupt.listen();
        tokio::task::yield_now().await;
        drop(listening);
        assert!(!interrupt.is_set());
    }
}
