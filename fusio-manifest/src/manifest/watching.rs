//! Watches of a handle.

use std::sync::Arc;

use super::Manifest;
use crate::{
    error::Result,
    options::WatchOptions,
    watch::{Watch, WatchFrom, check_position},
};

impl Manifest {
    /// Watches the manifest: every committed transaction from `from` on, whoever commits it, in the order of commits, with its
    /// number, its id and its writes. Looks at HEAD once a second where there is nothing else to learn from:
    /// [`watch_with`](Self::watch_with) chooses.
    ///
    /// # Guarantee
    ///
    /// No commit is left out and none is told twice, and what is told is durable: numbers follow on each other, but for a
    /// [`Gap`](crate::WatchEvent::Gap), which says which ones can no longer be told. Commits can be told while they stand in
    /// HEAD or in its log objects, and a while longer: HEAD remembers the last 64 log objects that were folded, which are
    /// there for a retention. So there is a gap only for who begins far back, was away, or looks so rarely that more than that
    /// comes and goes between two looks; commits that were folded before they left HEAD are the exception, which happens to
    /// small ones between large ones.
    ///
    /// To go on after a gap, take a snapshot: its [`txn`](crate::Snapshot::txn) is at least the gap's last. Whoever wants
    /// the state and then every change of it takes a snapshot first, and watches from `snapshot.txn() + 1`.
    ///
    /// # Cost
    ///
    /// One GET of HEAD an interval, a 304 unless something changed, and only while somebody waits in
    /// [`next`](Watch::next). What this handle learns by its commits and fresh reads is told without a request, and puts off
    /// the next look. Commits that do not stand in HEAD take a GET of their log object, one for all readers and watches of the
    /// handle, as long as what they have not come to yet is at most 16 MiB; of what was read before the watch began, one more.
    /// Memory holds one HEAD, 4 MiB of log objects read ahead (or one, if it is larger) and those 16 MiB, however slow who
    /// watches is.
    ///
    /// # End
    ///
    /// A watch ends when the handle is closed or its last clone is dropped: what was known then is told first. Dropping
    /// the watch stops its requests.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use fusio_manifest::{Error, Manifest, MemoryStore, Options};
    /// use fusio_manifest::{WatchEvent, WatchFrom};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// # let store = Arc::new(MemoryStore::new());
    /// let (manifest, _) = Manifest::create(store, "tables/orders", Options::default()).await?;
    /// let mut watch = manifest.watch(WatchFrom::Now).await?;
    ///
    /// let mut transaction = manifest.begin().await?;
    /// transaction.put("count", "1")?;
    /// transaction.delete("draft")?;
    /// let receipt = transaction.commit().await?;
    ///
    /// let Some(WatchEvent::Commit(commit)) = watch.next().await? else {
    ///     panic!("a commit that was just made is no gap");
    /// };
    /// assert_eq!((Some(commit.txn), commit.id), (receipt.txn, receipt.id));
    /// let writes = [("count".into(), Some("1".into())), ("draft".into(), None)];
    /// assert_eq!(commit.writes, writes);
    ///
    /// manifest.close().await;
    /// assert_eq!(watch.next().await?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for commit 0; with [`WatchFrom::Now`] those of a fresh read.
    pub async fn watch(&self, from: WatchFrom) -> Result<Watch> {
        self.watch_with(from, WatchOptions::default()).await
    }

    /// The same with settings of its own.
    ///
    /// # Errors
    ///
    /// Those of [`watch`](Self::watch), and [`Invalid`](crate::ErrorKind::Invalid) if a setting is out of its range.
    pub async fn watch_with(&self, from: WatchFrom, options: WatchOptions) -> Result<Watch> {
        options.validate()?;
        let (known, next) = match from {
            WatchFrom::Txn(txn) => (self.0.io.cache.current()?, txn),
            WatchFrom::Now => {
                let newest = self.refresh().await?;
                let next = newest.state.head.last_txn + 1;
                (newest, next)
            }
        };
        check_position(next)?;
        let handle = &self.0;
        Ok(Watch::new(
            Arc::clone(&handle.io),
            Arc::clone(&handle.refresher),
            handle.queue.end(),
            options,
            handle.options.read_timeout,
            &known.state.head,
            next,
        ))
    }
}
