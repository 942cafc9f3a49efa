//! Transactions that are written to log objects before HEAD names them: large ones, batches that HEAD has no room
//! for, and what is spilled out of HEAD.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::{
    error::{Error, ErrorKind, Result},
    head::{LogReference, ObjectReference},
    id::TransactionId,
    immutable::Destination,
    log::{self, LogObject, LoggedCommit},
    log_store::LogStore,
};

/// A log object that is written, and what it holds.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) object: ObjectReference,
    pub(super) content: Arc<LogObject>,
}

impl Stored {
    pub(super) fn ids(&self) -> impl Iterator<Item = TransactionId> {
        self.content.commits.iter().map(|commit| commit.id)
    }

    /// How HEAD names it, at this place in the order of commits.
    pub(super) fn at(&self, first_txn: u64) -> LogReference {
        LogReference::new(first_txn, &self.ids().collect::<Vec<_>>(), self.object)
    }
}

/// Writes one log object of these commits, oldest first.
pub(super) async fn store(
    log: &LogStore,
    to: Destination,
    commits: Vec<LoggedCommit>,
) -> Result<Arc<Stored>> {
    let parts = commits.iter().map(|commit| (commit.id, commit.writes.as_slice()));
    let bytes = log::encode(to.manifest, parts)
        .map_err(|error| Error::new(ErrorKind::Corrupt, format!("building a log object: {error}")))?;
    let content = Arc::new(LogObject { commits });
    let object = log.put(to, bytes, &content).await?;
    Ok(Arc::new(Stored { object, content }))
}

/// Writes one log object for each of these stretches of commits, all at once, and returns them in their order.
pub(super) async fn store_all(
    log: &Arc<LogStore>,
    to: Destination,
    stretches: Vec<Vec<LoggedCommit>>,
) -> Result<Vec<Arc<Stored>>> {
    let mut writes = JoinSet::new();
    for (place, commits) in stretches.into_iter().enumerate() {
        let log = Arc::clone(log);
        writes.spawn(async move { (place, store(&log, to, commits).await) });
    }
    let mut written = Vec::new();
    while let Some(done) = writes.join_next().await {
        let (place, stored) = done.map_err(|stopped| {
            Error::new(
                ErrorKind::Closed,
                format!("writing log objects was stopped: {stopped}"),
            )
        })?;
        written.push((place, stored?));
    }
    written.sort_by_key(|(place, _)| *place);
    Ok(written.into_iter().map(|(_, stored)| stored).collect())
}
