//! What a manifest consists of, by key: for tests that hold what a collection has left against a listing.

use std::collections::BTreeSet;

use super::Manifest;
use crate::{error::Result, maintenance::pin};

impl Manifest {
    /// The keys of HEAD, of every object that it names, and of those that its pins need, by a fresh look and a GET of each
    /// pin.
    ///
    /// # Errors
    ///
    /// What the store answered; [`Corrupt`](crate::ErrorKind::Corrupt) if a pin is gone.
    #[doc(hidden)]
    pub async fn references(&self) -> Result<BTreeSet<String>> {
        let state = self.refresh().await?.state;
        let (head, access) = (&state.head, &self.0.io.access);
        let deadline = access.clock.now().saturating_add(self.0.options.read_timeout);
        let pinned = pin::needed(access, head.manifest, head.pins.iter(), || deadline).await?;
        let named = head.live().chain(pinned);
        let keys = named.map(|(folder, name)| access.keys.object(head.manifest, folder, name));
        Ok(keys.chain([access.keys.head().to_owned()]).collect())
    }
}
