//! What is left when all processes are gone: one collection must leave nothing that nothing references, and take nothing
//! that something does.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fusio_manifest::{
    Clock, Manifest, Options, Verification,
    store::{GetAnswer, GetOptions, Store},
    verify,
};

use super::stored_head::StoredHead;

/// What was on the wire when its process was killed has arrived by then.
pub(crate) const LATE: Duration = Duration::from_secs(2);
/// Between two rounds of maintenance.
const ROUND: Duration = Duration::from_millis(250);
/// A collection takes two retentions, and what remains of the one before it as long.
const COLLECTION_MAX: Duration = Duration::from_secs(90);

/// What a listing says beside HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Remains {
    /// Keys that nothing references.
    pub(crate) orphans: Vec<String>,
    /// Keys that HEAD references, and that are not there.
    pub(crate) missing: Vec<String>,
}

/// The manifest of a run that is over.
pub(crate) struct Ended<'a> {
    pub(crate) store: Arc<dyn Store>,
    /// It ends with a slash.
    pub(crate) prefix: &'a str,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Ended<'_> {
    /// Those of processes that were killed. An error is one line.
    pub(crate) async fn release_pins(&self) -> Result<(), String> {
        let manifest = self.open().await?;
        let pins = manifest.pins().await.map_err(|error| error.to_string())?;
        for pin in pins {
            let released = manifest.release_pin(&pin.name).await;
            released.map_err(|error| format!("pin {} cannot be released: {error}", pin.name))?;
        }
        manifest.close().await;
        Ok(())
    }

    /// Has one collection begin and end. An error is one line.
    pub(crate) async fn collect(&self) -> Result<(), String> {
        let manifest = self.open().await?;
        let epoch = self.head().await?.epoch();
        let until = self.clock.now() + COLLECTION_MAX;
        loop {
            let maintained = manifest.maintain().await;
            maintained.map_err(|error| format!("the last collection failed: {error}"))?;
            let head = self.head().await?;
            // What was listed before these processes ended does not name what they have left.
            if head.epoch() > epoch && !head.collects() {
                manifest.close().await;
                return Ok(());
            }
            if self.clock.now() > until {
                return Err("the last collection does not end".to_owned());
            }
            self.clock.sleep(ROUND).await;
        }
    }

    /// The engine's own check of every object. An error is one line.
    pub(crate) async fn verify(&self) -> Result<Verification, String> {
        verify(Arc::clone(&self.store), self.prefix, &self.options(), |_| {})
            .await
            .map_err(|error| format!("what is left cannot be verified: {error}"))
    }

    async fn open(&self) -> Result<Manifest, String> {
        Manifest::open(Arc::clone(&self.store), self.prefix, self.options())
            .await
            .map_err(|error| format!("the manifest cannot be opened: {error}"))
    }

    fn options(&self) -> Options {
        Options {
            clock: Arc::clone(&self.clock),
            ..Options::default()
        }
    }

    /// Everything that lies below the prefix, held against what HEAD references.
    pub(crate) async fn remains(&self) -> Result<Remains, String> {
        let referenced = self.head().await?.referenced();
        let referenced: BTreeSet<String> = referenced
            .into_iter()
            .map(|key| format!("{}{key}", self.prefix))
            .chain([self.head_key()])
            .collect();
        let listed = list(&*self.store, self.prefix).await?;
        Ok(Remains {
            orphans: listed.difference(&referenced).cloned().collect(),
            missing: referenced.difference(&listed).cloned().collect(),
        })
    }

    async fn head(&self) -> Result<StoredHead, String> {
        let answer = self.store.get(&self.head_key(), GetOptions::default()).await;
        match answer.map_err(|error| format!("HEAD cannot be read: {error}"))? {
            GetAnswer::Found { bytes, .. } => {
                StoredHead::decode(bytes).ok_or_else(|| "HEAD is not what its schema says".to_owned())
            }
            GetAnswer::NotModified => Err("304 to a request without a condition".to_owned()),
        }
    }

    fn head_key(&self) -> String {
        format!("{}HEAD", self.prefix)
    }
}

/// Every key below a prefix. An error is one line.
pub(crate) async fn list(store: &dyn Store, prefix: &str) -> Result<BTreeSet<String>, String> {
    let mut keys: BTreeSet<String> = BTreeSet::new();
    loop {
        let after = keys.last().cloned();
        let page = store.list(prefix, after.as_deref()).await;
        let page = page.map_err(|error| format!("what is left cannot be listed: {error}"))?;
        let more = page.more;
        keys.extend(page.objects.into_iter().map(|object| object.key));
        if !more {
            return Ok(keys);
        }
    }
}
