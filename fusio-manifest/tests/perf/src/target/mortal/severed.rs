//! A store that a process reaches until its end: then nothing is sent any more, and no answer is heard.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use fusio_manifest::{
    StoreError,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode, Store},
};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// A request of maintenance, in the midst of which a process can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A fold or a merge writes a table.
    Table,
    /// A collection lists the objects.
    Listing,
    /// It writes down what it has found.
    List,
    /// It deletes.
    Delete,
}

impl Work {
    /// All of them, with their words.
    pub const ALL: [(&'static str, Self); 4] = [
        ("table", Self::Table),
        ("listing", Self::Listing),
        ("list", Self::List),
        ("delete", Self::Delete),
    ];
}

/// The end of a process.
#[derive(Default)]
pub(super) struct End {
    come: AtomicBool,
    changed: Notify,
    /// Who waits for which request.
    awaited: Mutex<Vec<(Work, oneshot::Sender<()>)>>,
}

impl End {
    pub(super) fn come(&self) {
        self.come.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(super) fn has_come(&self) -> bool {
        self.come.load(Ordering::Acquire)
    }

    pub(super) async fn wait(&self) {
        let mut changed = std::pin::pin!(self.changed.notified());
        // Enlisted before the flag is read: an end in between is not missed.
        changed.as_mut().enable();
        if !self.has_come() {
            changed.await;
        }
    }

    /// Is told when the process has sent such a request; never, if it ends before.
    pub(super) fn awaits(&self, work: Work) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.awaited.lock().push((work, sender));
        receiver
    }

    fn sending(&self, work: Work) {
        for (_, sender) in self
            .awaited
            .lock()
            .extract_if(.., |(awaited, _)| *awaited == work)
        {
            // Who waited may be gone.
            let _ = sender.send(());
        }
    }
}

/// The store, and the end of who uses it.
pub(super) struct Severed {
    pub(super) store: Arc<dyn Store>,
    pub(super) end: Arc<End>,
}

impl fmt::Debug for Severed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Severed").field(&self.store.describe()).finish()
    }
}

impl Severed {
    async fn unless_over<A>(&self, request: BoxFuture<'_, A>) -> A {
        if self.end.has_come() {
            return std::future::pending().await;
        }
        let answer = request.await;
        if self.end.has_come() {
            return std::future::pending().await;
        }
        answer
    }

    /// The same of a request in the midst of which somebody may want to kill the process.
    async fn working<A>(&self, work: Work, request: BoxFuture<'_, A>) -> A {
        if !self.end.has_come() {
            self.end.sending(work);
        }
        self.unless_over(request).await
    }
}

impl Store for Severed {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(self.unless_over(self.store.get(key, options)))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        let request = self.store.put(key, body, mode);
        if key.contains("/table/") {
            Box::pin(self.working(Work::Table, request))
        } else if key.contains("/list/") {
            Box::pin(self.working(Work::List, request))
        } else {
            Box::pin(self.unless_over(request))
        }
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.working(Work::Delete, self.store.delete(keys)))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        Box::pin(self.working(Work::Listing, self.store.list(prefix, after)))
    }

    fn describe(&self) -> String {
        self.store.describe()
    }

    fn date(&self) -> Option<u64> {
        self.store.date()
    }

    fn warning(&self) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(self.unless_over(self.store.warning()))
    }
}
