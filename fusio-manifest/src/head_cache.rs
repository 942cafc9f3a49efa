//! The newest HEAD that a handle has seen, and what answers that come later may do to it.
//!
//! Requests overtake each other, so every request is marked when it is sent and its answer is held against
//! what had been received by then. Only a higher revision replaces the state. An answer that shows an older
//! state than one received *before the request was sent* cannot be an answer that was overtaken: the store
//! went back, and the handle stops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    change_rate::ChangeRate,
    clock::{Clock, Moment},
    error::{Error, ErrorKind, Result},
    head::{Head, Place},
    mutant::{Broken, Mutant},
    state::State,
    store::ETag,
};

/// When a request was sent: by count, because clocks tie, and by time, because staleness is a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    sequence: u64,
    pub(crate) at: Moment,
}

impl Sent {
    /// True if the request was sent after something that was marked earlier.
    pub(crate) fn is_after(&self, earlier: u64) -> bool {
        self.sequence > earlier
    }
}

/// Who made a HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    Oneself,
    Somebody,
}

/// A state, and when the look that certified it last was sent.
#[derive(Debug, Clone)]
pub(crate) struct Certified {
    pub(crate) state: Arc<State>,
    pub(crate) sent: Sent,
}

#[derive(Debug)]
pub(crate) struct HeadCache {
    clock: Arc<dyn Clock>,
    sequence: AtomicU64,
    cell: Mutex<Cell>,
    broken: Broken,
}

#[derive(Debug)]
struct Cell {
    certified: Certified,
    /// The highest revision that was received, though its log objects may not be read yet, and the mark at which
    /// it was.
    highest: u64,
    received: u64,
    rate: ChangeRate,
    stopped: Option<Error>,
    /// Told of each state that is installed, and when the handle stops.
    news: watch::Sender<()>,
}

impl HeadCache {
    pub(crate) fn new(clock: Arc<dyn Clock>, state: State, sent_at: Moment, broken: Broken) -> Self {
        let sent = Sent {
            sequence: 0,
            at: sent_at,
        };
        let certified = Certified {
            state: Arc::new(state),
            sent,
        };
        let cell = Cell {
            highest: certified.state.head.revision,
            certified,
            received: 0,
            rate: ChangeRate::default(),
            stopped: None,
            news: watch::Sender::new(()),
        };
        Self {
            clock,
            sequence: AtomicU64::new(0),
            cell: Mutex::new(cell),
            broken,
        }
    }

    /// Marks a point in the order of sends and receipts.
    pub(crate) fn mark(&self) -> u64 {
        // Read and written under the order of the cell's lock or of the caller's own sends: a total order of
        // this one counter is all that is needed.
        self.sequence.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Marks a request that is about to be sent.
    pub(crate) fn sent(&self) -> Sent {
        Sent {
            sequence: self.mark(),
            at: self.clock.now(),
        }
    }

    /// The newest state, or why the handle stopped.
    pub(crate) fn current(&self) -> Result<Certified> {
        let cell = self.cell.lock();
        match &cell.stopped {
            Some(error) => Err(error.clone()),
            None => Ok(cell.certified.clone()),
        }
    }

    /// Wakes when a newer state is installed, or the handle stops.
    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.cell.lock().news.subscribe()
    }

    /// When the request was sent that showed last that HEAD has this ETag; none if another state is known by now.
    pub(crate) fn seen(&self, etag: &ETag) -> Option<Moment> {
        let cell = self.cell.lock();
        (cell.certified.state.etag == *etag).then_some(cell.certified.sent.at)
    }

    /// True if a write transaction had better begin on the cached state than look first.
    pub(crate) fn begin_on_cached(&self) -> bool {
        let cell = self.cell.lock();
        let age = self.clock.now().saturating_sub(cell.certified.sent.at);
        age < cell.certified.state.head.settings.retention / 2 && cell.rate.cached_state_pays(age)
    }

    pub(crate) fn observe_get(&self, latency: Duration) {
        self.cell.lock().rate.observe_get(latency);
    }

    pub(crate) fn observe_put(&self, latency: Duration) {
        self.cell.lock().rate.observe_put(latency);
    }

    /// The usual latencies of a look at HEAD and of a PUT of it.
    pub(crate) fn latencies(&self) -> (Duration, Duration) {
        let cell = self.cell.lock();
        (cell.rate.get_latency(), cell.rate.put_latency())
    }

    /// A 304 said that HEAD was still `asked` after `sent`.
    pub(crate) fn certify(&self, asked: &State, sent: Sent) -> Result<Certified> {
        let mut cell = self.cell.lock();
        let highest = cell.highest;
        if asked.head.revision < highest && sent.is_after(cell.received) {
            return Err(cell.stop(format!("revision {} again after {highest}", asked.head.revision)));
        }
        cell.look_done(sent, 0)
    }

    /// True if `head`, which an answer to a request sent at `sent` showed, is newer than what is known. Else the
    /// answer was overtaken, and certifies what is known.
    pub(crate) fn is_news(&self, head: &Head, sent: Sent) -> Result<bool> {
        let mark = self.mark();
        let news = self.cell.lock().judge(head, sent, mark)?;
        Ok(news || self.broken.by(Mutant::LowerRevisionInstalled))
    }

    /// A GET that was sent at `sent` showed nothing new: `seen`, under this ETag.
    ///
    /// If that is the HEAD which is known, and not its ETag, the answer that told the ETag was wrong, and no commit could
    /// ever be made on it. The newer word is taken.
    pub(crate) fn nothing_new(&self, seen: &Head, etag: &ETag, sent: Sent) -> Result<Certified> {
        let mut cell = self.cell.lock();
        let known = Arc::clone(&cell.certified.state);
        let same = seen.revision == known.head.revision
            && seen.nonce_of(seen.revision) == known.head.nonce_of(known.head.revision);
        if same && *etag != known.etag && sent.is_after(cell.certified.sent.sequence) {
            tracing::warn!(known = %known.etag, seen = %etag, "the store gave HEAD two ETags");
            cell.certified.state = Arc::new(known.under(etag.clone()));
        }
        cell.look_done(sent, 0)
    }

    /// Puts `same` in place of `state`, which it is but for the runs that it reads from; false if a newer one is known.
    pub(crate) fn exchange(&self, state: &Arc<State>, same: State) -> bool {
        let mut cell = self.cell.lock();
        let current = Arc::ptr_eq(&cell.certified.state, state);
        if current {
            cell.certified.state = Arc::new(same);
        }
        current
    }

    /// A GET or a PUT that was sent at `sent` showed `state`.
    pub(crate) fn install(&self, state: State, sent: Sent, author: Author) -> Result<Certified> {
        let mark = self.mark();
        let mut cell = self.cell.lock();
        let mut foreign = 0;
        if cell.judge(&state.head, sent, mark)? || self.broken.by(Mutant::LowerRevisionInstalled) {
            let known = cell.certified.state.head.revision;
            let steps = state.head.revision.saturating_sub(known);
            foreign = if author == Author::Oneself {
                steps.saturating_sub(1)
            } else {
                steps
            };
            cell.certified.state = Arc::new(state);
            cell.news.send_replace(());
        }
        cell.look_done(sent, foreign)
    }
}

impl Cell {
    /// True if `seen`, received at `mark`, is newer than what is known.
    fn judge(&mut self, seen: &Head, sent: Sent, mark: u64) -> Result<bool> {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let known = Arc::clone(&self.certified.state);
        if seen.manifest != known.head.manifest {
            return Err(Error::new(
                ErrorKind::Replaced,
                format!(
                    "HEAD belongs to manifest {} now, this handle has {} open: open it again",
                    seen.manifest, known.head.manifest
                ),
            ));
        }
        if let Some(contradiction) = contradiction(&known.head, seen) {
            return Err(self.stop(contradiction));
        }
        if seen.revision < self.highest && sent.is_after(self.received) {
            let (old, new) = (seen.revision, self.highest);
            return Err(self.stop(format!("revision {old} after {new}")));
        }
        if seen.revision > self.highest {
            self.highest = seen.revision;
            self.received = mark;
        }
        Ok(seen.revision > known.head.revision)
    }

    /// Whatever a look showed, the newest state is at least as new as HEAD was when the look was sent.
    fn look_done(&mut self, sent: Sent, foreign_changes: u64) -> Result<Certified> {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let span = sent.at.saturating_sub(self.certified.sent.at);
        self.rate.observe(span, foreign_changes);
        if sent.is_after(self.certified.sent.sequence) {
            self.certified.sent = sent;
        }
        Ok(self.certified.clone())
    }

    fn stop(&mut self, what: String) -> Error {
        let error = Error::new(
            ErrorKind::StoreWentBack,
            format!(
                "the store went back: it showed {what}. This handle has stopped. Look for a restored backup, a \
                 replica or a cache between here and the store before anybody writes again"
            ),
        );
        tracing::error!(%error);
        self.stopped = Some(error.clone());
        self.news.send_replace(());
        error
    }
}

/// What two HEADs of one history cannot both say.
fn contradiction(known: &Head, seen: &Head) -> Option<String> {
    let twice = |revision: u64| match (known.nonce_of(revision), seen.nonce_of(revision)) {
        (Some(a), Some(b)) => a != b,
        _ => false,
    };
    let first = known
        .nonces
        .first()
        .map_or(known.revision, |(revision, _)| *revision);
    if let Some(revision) = (first..=known.revision).find(|revision| twice(*revision)) {
        return Some(format!("another HEAD as revision {revision}"));
    }
    let (older, newer) = if known.revision <= seen.revision {
        (known, seen)
    } else {
        (seen, known)
    };
    if newer.last_txn < older.last_txn || newer.epoch < older.epoch {
        return Some(format!(
            "fewer commits or a lower epoch at the higher revision {}",
            newer.revision
        ));
    }
    let last = older.last_txn;
    let id = |head: &Head| match head.place(last) {
        Place::Holds(id) => Some(id),
        Place::Empty | Place::InObject(..) | Place::Hidden => None,
    };
    (id(older)? != id(newer)?).then(|| format!("another transaction as commit {last}"))
}

#[cfg(test)]
mod tests;
