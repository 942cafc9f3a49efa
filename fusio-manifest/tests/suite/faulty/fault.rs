//! What can go wrong with one request, and gates at which requests wait for the test.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::store::{BoxFuture, ETag};
use tokio::sync::Semaphore;

/// What happens to one request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Nothing.
    Pass,
    /// It is not applied, and no answer comes.
    LostRequest,
    /// It is applied, and no answer comes.
    LostReply,
    /// The connection breaks before it is applied.
    ConnectionBefore,
    /// The connection breaks after it was applied.
    ConnectionAfter,
    /// It is not applied and answered with this status.
    StatusBefore(u16),
    /// It is applied and answered with this status.
    StatusAfter(u16),
    /// It is applied, then sent again by a proxy, and the answer is that of the second copy.
    Replay,
    /// A proxy sends it twice; the second copy is answered first, with this status, while the first one is
    /// under way until `deliver_late`.
    ReplayRaces(u16),
    /// No answer comes; it is applied, if its condition holds then, by `deliver_late`.
    Late,
    /// It arrives after this time.
    Delay(Duration),
    /// It arrives when the gate opens.
    HoldBefore(Gate),
    /// It is applied at once, and answered when the gate opens.
    HoldAfter(Gate),
    /// (GET) It is answered with these bytes, as an object with this ETag.
    Shows(Bytes, ETag),
}

/// What the test does after a fault took effect and before the answer.
pub(crate) type Hook = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A place where requests wait for the test.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    arrived: Arc<Semaphore>,
    opened: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            opened: Arc::new(Semaphore::new(0)),
        }
    }

    /// Waits until a request stands before the gate.
    pub(crate) async fn reached(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Lets one request through.
    pub(crate) fn open(&self) {
        self.opened.add_permits(1);
    }

    pub(super) async fn pass(&self) {
        self.arrived.add_permits(1);
        self.opened.acquire().await.unwrap().forget();
    }
}
