//! States that a process holds: they die with it.

use std::{sync::Arc, time::Duration};

use fusio_manifest::store::BoxFuture;

use super::{KILLED, severed::End};
use crate::{
    history::Read,
    target::{Ask, Refusal, TargetSnapshot},
};

pub(super) struct Held {
    pub(super) snapshot: Arc<dyn TargetSnapshot>,
    pub(super) end: Arc<End>,
}

impl TargetSnapshot for Held {
    fn txn(&self) -> u64 {
        self.snapshot.txn()
    }

    fn read(&self, asks: Vec<Ask>) -> BoxFuture<'_, (Vec<Read>, Option<Refusal>)> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = self.end.wait() => (Vec::new(), Some(killed())),
                read = self.snapshot.read(asks) => read,
            }
        })
    }

    fn pin(&self, name: String, keep: Option<Duration>) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = self.end.wait() => Err(killed()),
                pinned = self.snapshot.pin(name, keep) => pinned,
            }
        })
    }
}

fn killed() -> Refusal {
    Refusal::Failed(KILLED.to_owned())
}
