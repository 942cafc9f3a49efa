//! Which step of a collection is due, and who does it. Steps are changes of HEAD that ride along with commits; what lies
//! between them, listing and deleting, is done beside the commits.
//!
//! All that is known of a collection stands in HEAD, with the store's Date: whoever commits goes on with it, and a handle
//! that is gone has left nothing behind that the next collection does not find.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::due::{Due, WhoDeletes};
use crate::{
    access::Access,
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::{Collection, Edit, Head},
    id::ObjectName,
    maintenance::collect::{Collect, Deleted},
    mutant::Broken,
};

/// How long a handle leaves a deletion that failed alone, at most.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What a handle does of it just now.
#[derive(Debug, Default)]
enum Work {
    #[default]
    None,
    Listing(oneshot::Receiver<Result<Option<Collection>>>),
    /// It waits for the next HEAD.
    Listed(Collection),
    Deleting(oneshot::Receiver<Result<Deleted>>),
    /// The same.
    Deleted(Deleted),
    /// A list that nothing names any more is being deleted.
    Sweeping(oneshot::Receiver<Result<()>>),
}

/// A handle's part in the collections of its manifest.
#[derive(Debug)]
pub(super) struct Collector {
    access: Arc<Access>,
    patience: Duration,
    broken: Broken,
    work: Work,
    failure: Option<Error>,
    rests_until: Moment,
    /// It has raised the epoch, and could not list what lies behind.
    unlisted: bool,
}

impl Collector {
    pub(super) fn new(access: Arc<Access>, patience: Duration, broken: Broken) -> Self {
        Self {
            access,
            patience,
            broken,
            work: Work::None,
            failure: None,
            rests_until: Moment::ZERO,
            unlisted: false,
        }
    }

    /// What the HEAD that follows `head` should carry of it, if anything. `asked`: somebody waits for what is due.
    pub(super) fn edit(&mut self, head: &Head, asked: bool) -> Option<Edit> {
        self.poll(head);
        if let Some(edit) = self.begun(head) {
            return Some(edit);
        }
        if !matches!(self.work, Work::None) {
            return None;
        }
        let unix_ms = self.access.date()?;
        let believed_unix_ms = self.access.believed_date();
        match Due::of(head, unix_ms) {
            Due::Nothing => {
                // Any HEAD after the fence is as good a mark.
                if self.unlisted && head.collection.is_none() && self.has_rested() {
                    self.begin_listing(head);
                }
                None
            }
            Due::Fence => Some(Edit::Fence {
                epoch: head.epoch,
                unix_ms,
                believed_unix_ms,
            }),
            Due::Condemn(collection) => Some(Edit::Condemn {
                list: collection.list.name,
                believed_unix_ms,
            }),
            Due::Drop(collection) => Some(Edit::DropList {
                list: collection.list.name,
                deleted: Vec::new(),
            }),
            Due::Delete(collection, who) => {
                if self.has_rested() && (asked || who == WhoDeletes::Anybody) {
                    self.begin_deletion(head, collection);
                }
                None
            }
        }
    }

    /// The step that follows what this handle has done.
    pub(super) fn begun(&mut self, head: &Head) -> Option<Edit> {
        let edit = match &self.work {
            Work::None | Work::Listing(_) | Work::Deleting(_) | Work::Sweeping(_) => return None,
            Work::Listed(collection) => Edit::NameList(*collection),
            Work::Deleted(deleted) => Edit::DropList {
                list: deleted.list,
                deleted: deleted.log.clone(),
            },
        };
        if head.objection(&edit).is_some() {
            // Somebody else was faster. What was listed here is garbage, for a later collection.
            self.work = Work::None;
            return None;
        }
        Some(edit)
    }

    /// A HEAD that carries `edit` has landed.
    pub(super) fn landed(&mut self, edit: &Edit, head: &Head) {
        match edit {
            Edit::Fence { .. } => self.begin_listing(head),
            Edit::Condemn { .. } => {
                if let Some(collection) = head.collection {
                    self.begin_deletion(head, collection);
                }
            }
            Edit::NameList(_) => self.work = Work::None,
            Edit::DropList { list, .. } => self.begin_sweep(head, *list),
            Edit::AddPin(_) | Edit::RemovePin { .. } => {}
        }
    }

    /// Begins to list what `head` does not reference, whose epoch was raised.
    fn begin_listing(&mut self, head: &Head) {
        let listing = self.collect(head).list();
        let (reply, answer) = oneshot::channel();
        tokio::spawn(async move {
            // Nobody waits if the handle is gone: the list is garbage then.
            let _ = reply.send(listing.await);
        });
        self.work = Work::Listing(answer);
    }

    /// Begins to delete what `head` condemns, unless that or something else is under way.
    pub(super) fn begin_deletion(&mut self, head: &Head, collection: Collection) {
        if !matches!(self.work, Work::None) {
            return;
        }
        let deletion = self.collect(head).delete(collection);
        let (reply, answer) = oneshot::channel();
        tokio::spawn(async move {
            // Nobody waits if the handle is gone: anybody else can do it again.
            let _ = reply.send(deletion.await);
        });
        self.work = Work::Deleting(answer);
    }

    /// Begins to delete a list that `head` does not name any more: else there would always be something to collect.
    fn begin_sweep(&mut self, head: &Head, list: ObjectName) {
        let sweep = self.collect(head).sweep(list);
        let (reply, answer) = oneshot::channel();
        tokio::spawn(async move {
            // Nobody waits if the handle is gone: the list is garbage then.
            let _ = reply.send(sweep.await);
        });
        self.work = Work::Sweeping(answer);
    }

    fn collect(&self, head: &Head) -> Collect {
        Collect {
            access: Arc::clone(&self.access),
            head: head.clone(),
            patience: self.patience,
            broken: self.broken,
        }
    }

    fn has_rested(&self) -> bool {
        self.access.clock.now() >= self.rests_until
    }

    /// Takes note of what is done.
    fn poll(&mut self, head: &Head) {
        use oneshot::error::TryRecvError::{Closed, Empty};
        match &mut self.work {
            Work::Listing(answer) => match answer.try_recv() {
                Ok(listed) => self.listed(listed),
                Err(Closed) => self.listed(Err(gone())),
                Err(Empty) => {}
            },
            Work::Deleting(answer) => match answer.try_recv() {
                Ok(deleted) => self.deleted(deleted),
                Err(Closed) => self.deleted(Err(gone())),
                Err(Empty) => {}
            },
            Work::Sweeping(answer) => match answer.try_recv() {
                Ok(swept) => self.swept(swept),
                Err(Closed) => self.swept(Err(gone())),
                Err(Empty) => {}
            },
            Work::None | Work::Listed(_) | Work::Deleted(_) => {}
        }
        if self.failure.is_some() && self.rests_until == Moment::ZERO {
            let rest = (head.settings.retention / 4).min(LONGEST_REST);
            self.rests_until = self.access.clock.now().saturating_add(rest);
        }
    }

    /// Waits until what is under way is done, or could not be.
    pub(super) async fn finished(&mut self) {
        match &mut self.work {
            Work::Listing(answer) => {
                let listed = answer.await.unwrap_or_else(|_| Err(gone()));
                self.listed(listed);
            }
            Work::Deleting(answer) => {
                let deleted = answer.await.unwrap_or_else(|_| Err(gone()));
                self.deleted(deleted);
            }
            Work::Sweeping(answer) => {
                let swept = answer.await.unwrap_or_else(|_| Err(gone()));
                self.swept(swept);
            }
            Work::None | Work::Listed(_) | Work::Deleted(_) => {}
        }
    }

    fn listed(&mut self, listed: Result<Option<Collection>>) {
        self.unlisted = listed.is_err();
        self.work = match listed {
            Ok(Some(collection)) => Work::Listed(collection),
            Ok(None) => Work::None,
            Err(error) => self.failed(error),
        };
    }

    fn deleted(&mut self, deleted: Result<Deleted>) {
        self.work = match deleted {
            Ok(deleted) => Work::Deleted(deleted),
            Err(error) => self.failed(error),
        };
    }

    fn swept(&mut self, swept: Result<()>) {
        self.work = match swept {
            Ok(()) => Work::None,
            // The next collection finds it.
            Err(error) => self.failed(error),
        };
    }

    fn failed(&mut self, error: Error) -> Work {
        tracing::warn!(%error, "a collection is left to whoever comes next");
        self.failure = Some(error);
        self.rests_until = Moment::ZERO;
        Work::None
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(
            self.work,
            Work::Listing(_) | Work::Deleting(_) | Work::Sweeping(_)
        )
    }

    /// Why the last one could not go on.
    pub(super) fn failure(&self) -> Option<Error> {
        self.failure.clone()
    }

    /// Who asks for maintenance wants the store asked, not to hear what it said last time.
    pub(super) fn forget_failure(&mut self) {
        self.failure = None;
        self.rests_until = Moment::ZERO;
    }
}

fn gone() -> Error {
    Error::new(
        ErrorKind::Closed,
        "the runtime stopped while a collection was under way",
    )
}
