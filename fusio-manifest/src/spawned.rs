//! Work that goes on beside its owner, and ends with it.

use tokio::task::{AbortHandle, JoinHandle};

use crate::error::{Error, ErrorKind};

/// A task that is stopped when nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Spawned<T> {
    task: JoinHandle<T>,
    /// Stops it when its owner goes; none if it goes on without one.
    stop: Option<AbortHandle>,
}

impl<T: Send + 'static> Spawned<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        let task = tokio::spawn(work);
        let stop = Some(task.abort_handle());
        Self { task, stop }
    }

    /// Its result; an error if the runtime has stopped.
    pub(crate) async fn join(mut self) -> Result<T, Error> {
        self.done().await
    }

    /// The same, for those who may be dropped while they wait, and wait again then. There is one result: whoever got it
    /// must not ask again.
    pub(crate) async fn done(&mut self) -> Result<T, Error> {
        (&mut self.task)
            .await
            .map_err(|stopped| Error::new(ErrorKind::Closed, format!("reading was stopped: {stopped}")))
    }

    /// Lets it go on alone.
    pub(crate) fn detach(mut self) {
        self.stop = None;
    }
}

impl<T> Drop for Spawned<T> {
    fn drop(&mut self) {
        if let Some(stop) = &self.stop {
            stop.abort();
        }
    }
}
