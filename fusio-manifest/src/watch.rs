//! Watching: committed transactions in their order, as they come.
//!
//! A watch has a position, the number of the commit that it wants next, and holds one HEAD at a time: it goes through what
//! that HEAD tells of the commits from its position on, then takes the newest HEAD that its handle knows, and looks at HEAD
//! only where that is not newer. So nothing queues: who is slow holds one HEAD and a few log objects.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    access::Purpose,
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::{Head, Write},
    head_cache::Certified,
    head_io::{HeadIo, lost},
    id::TransactionId,
    immutable::Unread,
    log_store::Follower,
    options::WatchOptions,
    refresh::Refresher,
    spawned::Spawned,
};

use plan::{ObjectPart, Part, Plan};

mod plan;

/// The log objects that are read ahead of who watches, in bytes and in number. One is always read.
const AHEAD_BYTES_MAX: u64 = 4 * 1024 * 1024;
const AHEAD_MAX: usize = 8;

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchFrom {
    /// With the commit of this number, whether it is made already or will be. The first one has number 1.
    Txn(u64),
    /// Behind the newest commit of a look at HEAD that is sent now: no commit that was acknowledged before the call,
    /// every commit that is begun after it has returned.
    Now,
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// A transaction was committed.
    Commit(WatchedCommit),
    /// Commits `from..=to` cannot be told one by one any more: they were folded into runs, which keep the newest version of
    /// each key only, and HEAD's log has forgotten them, or what it remembers of them was collected. What they made of the
    /// manifest can be read: any snapshot whose [`txn`](crate::Snapshot::txn) is `to` or higher has it. The watch goes on
    /// with commit `to + 1`.
    Gap {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
}

/// A committed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedCommit {
    /// Its number in the order of commits.
    pub txn: u64,
    /// The transaction's id, as its [`Receipt`](crate::Receipt) has it.
    pub id: TransactionId,
    /// What it wrote, in the order of keys: key and value, `None` where it deleted the key.
    pub writes: Vec<(Bytes, Option<Bytes>)>,
}

impl WatchedCommit {
    fn new(txn: u64, id: TransactionId, writes: &[Write]) -> Self {
        // Copied: a slice of the object that it came in would keep all of that object in memory.
        let copied = |write: &Write| {
            let value = write.value.as_deref().map(Bytes::copy_from_slice);
            (Bytes::copy_from_slice(&write.key), value)
        };
        Self {
            txn,
            id,
            writes: writes.iter().map(copied).collect(),
        }
    }
}

/// Committed transactions in their order, as they come: see [`Manifest::watch`](crate::Manifest::watch).
#[derive(Debug)]
pub struct Watch {
    io: Arc<HeadIo>,
    refresher: Arc<Refresher>,
    options: WatchOptions,
    read_timeout: Duration,
    /// The commit that comes next.
    next: u64,
    plan: Plan,
    follower: Follower,
    looking: Option<Spawned<Result<Certified>>>,
    /// When this watch looked last.
    looked_at: Moment,
    news: watch::Receiver<()>,
    end: watch::Receiver<bool>,
}

impl Watch {
    pub(crate) fn new(
        io: Arc<HeadIo>,
        refresher: Arc<Refresher>,
        end: watch::Receiver<bool>,
        options: WatchOptions,
        read_timeout: Duration,
        head: &Head,
        next: u64,
    ) -> Self {
        Self {
            follower: Follower::new(Arc::clone(&io.log), next),
            news: io.cache.news(),
            io,
            refresher,
            options,
            read_timeout,
            next,
            plan: Plan::of(head, next),
            looking: None,
            looked_at: Moment::ZERO,
            end,
        }
    }

    /// The number of the commit that is told next, or that begins the next gap: a new watch from here goes on where this one
    /// stands.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// The next commit, or the next gap; waits for it. `None` when the handle was closed, or its last clone dropped, and
    /// everything is told that it knew then.
    ///
    /// The future may be dropped at any time: nothing is lost and nothing is told twice, and a request that is under way goes
    /// on for the next call.
    ///
    /// # Errors
    ///
    /// None of them loses anything: the next call goes on, at the earliest an interval after the last look where HEAD has to
    /// be looked at again. [`Unavailable`](ErrorKind::Unavailable) if the store did not answer within
    /// [`Options::read_timeout`](crate::Options::read_timeout); [`HeadLost`](ErrorKind::HeadLost) if HEAD is gone, and
    /// [`Replaced`](ErrorKind::Replaced) if it belongs to another manifest now; [`StoreWentBack`](ErrorKind::StoreWentBack) if
    /// the store showed an older state: the handle has stopped, and every call says so;
    /// [`Corrupt`](ErrorKind::Corrupt) if HEAD or a log object is damaged.
    pub async fn next(&mut self) -> Result<Option<WatchEvent>> {
        loop {
            // Before the state is looked at: what the handle learnt before its end is told.
            let ended = self.has_ended();
            if let Some(event) = self.known().await? {
                return Ok(Some(event));
            }
            self.news.mark_unchanged();
            if self.take_newest()? {
                continue;
            }
            if ended {
                self.looking = None;
                return Ok(None);
            }
            self.wait().await?;
        }
    }

    fn has_ended(&self) -> bool {
        // Without its sender the wire is gone with its runtime.
        *self.end.borrow() || self.end.has_changed().is_err()
    }

    /// The next event of the HEAD that this watch holds.
    async fn known(&mut self) -> Result<Option<WatchEvent>> {
        loop {
            self.leave_told_parts();
            // Before a gap is told: an object that is gone belongs to it.
            if self.first_is_gone().await? {
                self.plan.parts.pop_front();
                continue;
            }
            let Some(part) = self.plan.parts.front() else {
                let last_txn = self.plan.last_txn;
                return Ok((self.next <= last_txn).then(|| self.gap(last_txn)));
            };
            let first_txn = part.first_txn();
            if first_txn > self.next {
                return Ok(Some(self.gap(first_txn - 1)));
            }
            let commit = part.commit(self.next)?;
            self.next += 1;
            return Ok(Some(WatchEvent::Commit(commit)));
        }
    }

    fn leave_told_parts(&mut self) {
        let next = self.next;
        while let Some(told) = self.plan.parts.pop_front_if(|part| part.last_txn() < next) {
            if let Part::Object(_) = told {
                self.follower.has_come_to(next);
            }
        }
    }

    fn gap(&mut self, to: u64) -> WatchEvent {
        let from = self.next;
        self.next = to + 1;
        WatchEvent::Gap { from, to }
    }

    /// Reads the first part of the plan, if it has to be read; true if it was collected.
    async fn first_is_gone(&mut self) -> Result<bool> {
        self.read_ahead();
        let Some(Part::Object(part)) = self.plan.parts.front_mut() else {
            return Ok(false);
        };
        let Some(read) = &mut part.read else {
            return Ok(false);
        };
        let answer = read.done().await;
        part.read = None;
        let name = match answer? {
            Ok(object) => {
                part.object = Some(object);
                return Ok(false);
            }
            Err(Unread::Failed(error)) => return Err(error),
            Err(Unread::Gone(name)) => name,
        };
        // What was folded may be collected. HEAD is asked only if this handle does not know that it was.
        let last_txn = part.reference.last_txn();
        if self.io.cache.current()?.state.head.folded_through() < last_txn {
            let newest = self.refresher.refresh().await?.state;
            if newest.head.folded_through() < last_txn {
                return Err(lost(&self.io.access, "log object", name));
            }
        }
        Ok(true)
    }

    /// Begins to read the first part, if it is a log object, and some of those behind it.
    fn read_ahead(&mut self) {
        let Some(Part::Object(ObjectPart { object: None, .. })) = self.plan.parts.front() else {
            return;
        };
        let manifest = self.plan.manifest;
        let deadline = self.io.access.clock.now().saturating_add(self.read_timeout);
        let objects = self.plan.parts.iter_mut().filter_map(|part| match part {
            Part::Object(part) => Some(part),
            Part::Inline(_) => None,
        });
        let mut bytes = 0;
        for (number, part) in objects.take(AHEAD_MAX).enumerate() {
            bytes += part.reference.object.bytes;
            if number > 0 && bytes > AHEAD_BYTES_MAX {
                return;
            }
            if part.read.is_none() && part.object.is_none() {
                let (log, reference) = (Arc::clone(&self.io.log), part.reference);
                part.read = Some(Spawned::new(async move {
                    log.load(manifest, reference, deadline, Purpose::Path).await
                }));
            }
        }
    }

    /// Takes the newest HEAD that the handle knows; false if it tells nothing that this watch has not told.
    fn take_newest(&mut self) -> Result<bool> {
        let newest = self.io.cache.current()?.state;
        if newest.head.last_txn < self.next {
            return Ok(false);
        }
        self.plan = Plan::of(&newest.head, self.next);
        self.follower.has_come_to(self.next);
        Ok(true)
    }

    /// Waits until the handle knows more, or has ended; looks at HEAD when the interval is over.
    async fn wait(&mut self) -> Result<()> {
        let clock = &self.io.access.clock;
        let seen = self.io.cache.current()?.sent.at.max(self.looked_at);
        let due = seen.saturating_add(self.options.interval);
        let idle = self.looking.is_none();
        let looking = async {
            match &mut self.looking {
                Some(looking) => looking.done().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            // Neither can fail for good: the handle's cache is held, and without its end there is `has_ended`.
            _ = self.news.changed() => return Ok(()),
            _ = self.end.changed() => return Ok(()),
            looked = looking => {
                self.looking = None;
                return looked?.map(|_| ());
            }
            () = clock.sleep(due.saturating_sub(clock.now())), if idle => {}
        }
        self.looked_at = clock.now();
        let refresher = Arc::clone(&self.refresher);
        // A task, so that who drops the future of `next` again and again learns in the end what it found.
        self.looking = Some(Spawned::new(async move { refresher.refresh().await }));
        Ok(())
    }
}

/// Refuses a position that no commit can have.
pub(crate) fn check_position(txn: u64) -> Result<()> {
    if txn == 0 {
        return Err(Error::new(
            ErrorKind::Invalid,
            "commits are numbered from 1: there is none of number 0 to watch from",
        ));
    }
    Ok(())
}
