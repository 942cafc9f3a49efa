//! Asks for the maintenance that is due, as a process would that does nothing else: it moves HEAD without committing
//! anything.

use std::sync::{Arc, atomic::Ordering};

use fusio_manifest::{Moment, store::BoxFuture};

use super::{Arrival, Client, ClientType, Own};

/// Maintains. Nothing of it is recorded: it changes nothing that anybody can read.
#[derive(Debug)]
pub struct Maintainer(Arc<Own>);

impl Maintainer {
    /// A client.
    pub fn new(own: Arc<Own>) -> Self {
        Self(own)
    }
}

impl Client for Maintainer {
    fn kind(&self) -> ClientType {
        ClientType::Maintainer
    }

    fn operate(&self, _: Arrival) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let shared = &self.0.shared;
            // It looks at HEAD first: it does what is due as far as its handle knows.
            let looked = self.0.handle.view(Vec::new()).await.map(|_| ());
            let done = match looked {
                Ok(()) => self.0.handle.maintain().await,
                Err(error) => Err(error),
            };
            if let Err(why) = done {
                shared
                    .errors
                    .note(|| format!("maintainer {}: {why}", self.0.id.0));
            }
            shared.ended.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn dropped(&self, _: Moment) {}

    fn load(&self, _: u64, _: u64) {}
}
