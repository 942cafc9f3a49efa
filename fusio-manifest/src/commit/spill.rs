//! Moves the oldest inline commits out of HEAD, beside the path: they are written to log objects while commits go
//! on, and the next HEAD swaps them for references.
//!
//! A spill is built only from a HEAD that has landed, and swapped in only where every commit that it holds still
//! stands in its place, compared by transaction ids. Whoever loses that race deletes nothing.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::stored::{Stored, store_all};
use crate::{
    access::Purpose,
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::{Head, Swap},
    immutable::Destination,
    limits::LOG_OBJECTS_MAX,
    log::LoggedCommit,
    log_store::LogStore,
    mutant::{Broken, Mutant},
};

/// Commits that stand inline one behind the other.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stretch {
    first_txn: u64,
    commits: Vec<LoggedCommit>,
    /// What they take in HEAD.
    bytes: usize,
}

/// What a spill would move out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    stretches: Vec<Stretch>,
    pub(super) bytes: usize,
}

impl Selection {
    /// The oldest inline commits, so many that at least `spill_keep_bytes` of the newest stay.
    ///
    /// Each stretch costs a PUT and one of the objects that HEAD can name, so where log objects cut the inline
    /// commits into many, only the largest few stretches go, and none that is hardly larger than its reference.
    pub(super) fn of(head: &Head) -> Self {
        let free = LOG_OBJECTS_MAX.saturating_sub(head.log_objects().count());
        let mut stretches = spillable_stretches(head);
        if head.settings.spill_keep_bytes > 0 {
            stretches.retain(|stretch| stretch.bytes >= STRETCH_BYTES_MIN);
        }
        stretches.sort_by_key(|stretch| std::cmp::Reverse(stretch.bytes));
        stretches.truncate(free.min(STRETCHES_MAX));
        stretches.sort_by_key(|stretch| stretch.first_txn);
        let bytes = stretches.iter().map(|stretch| stretch.bytes).sum();
        Self { stretches, bytes }
    }

    /// A deliberate breakage.
    fn leave_out_last(&mut self) {
        let last = self
            .stretches
            .last_mut()
            .and_then(|stretch| stretch.commits.last_mut());
        if let Some(commit) = last {
            commit.writes.clear();
        }
    }

    /// A deliberate breakage.
    fn leave_out_deletions(&mut self) {
        let commits = self.stretches.iter_mut().flat_map(|stretch| &mut stretch.commits);
        for commit in commits {
            commit.writes.retain(|write| write.value.is_some());
        }
    }
}

/// The stretches of inline commits that are old enough to go.
fn spillable_stretches(head: &Head) -> Vec<Stretch> {
    let keep = usize::try_from(head.settings.spill_keep_bytes).unwrap_or(usize::MAX);
    let mut over = head.inline_bytes().saturating_sub(keep);
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut next_txn = None;
    for commit in head.inline_commits() {
        let bytes = commit.encoded_bytes();
        if bytes > over {
            break;
        }
        over -= bytes;
        if next_txn != Some(commit.txn) {
            stretches.push(Stretch {
                first_txn: commit.txn,
                ..Stretch::default()
            });
        }
        next_txn = commit.txn.checked_add(1);
        if let Some(stretch) = stretches.last_mut() {
            stretch.bytes += bytes;
            stretch.commits.push(LoggedCommit {
                id: commit.id,
                writes: commit.writes.clone(),
            });
        }
    }
    stretches
}

/// The most objects that one spill writes.
const STRETCHES_MAX: usize = 8;
/// A stretch smaller than this stays inline, unless nothing is to stay: its reference takes about half as much.
pub(super) const STRETCH_BYTES_MIN: usize = 192;
/// By how much HEAD grows before a spill that failed is tried again.
const RETRY_BYTES: usize = 16 * 1024;

/// What was written; or why it could not be, and how many bytes HEAD carried.
type Written = Result<Vec<Swap>, (Error, usize)>;

/// The one spill that a handle has at a time.
#[derive(Debug, Default)]
pub(super) enum Spill {
    #[default]
    Idle,
    /// Its objects are being written.
    UnderWay(oneshot::Receiver<Written>),
    /// They wait for the next HEAD.
    Ready(Vec<Swap>),
    /// They could not be written, when HEAD carried so many bytes.
    Failed(Error, usize),
    /// The epoch was raised while they were written: the same commits have to be written again.
    Behind,
}

impl Spill {
    /// Begins one, unless one is under way or waits to be swapped in. False if there is nothing to move.
    pub(super) fn begin(
        &mut self,
        head: &Head,
        log: &Arc<LogStore>,
        deadline: Moment,
        broken: Broken,
    ) -> bool {
        match self {
            Self::UnderWay(_) | Self::Ready(_) => return true,
            // A store that refuses is not asked again with every commit.
            Self::Failed(_, bytes) if head.inline_bytes() < *bytes + RETRY_BYTES => return false,
            Self::Idle | Self::Failed(..) | Self::Behind => {}
        }
        let mut selection = Selection::of(head);
        if broken.by(Mutant::SpillLeavesOutLast) {
            selection.leave_out_last();
        }
        if broken.by(Mutant::SpillLeavesOutDeletions) {
            selection.leave_out_deletions();
        }
        if selection.bytes == 0 {
            return false;
        }
        let to = Destination::by(head, deadline, Purpose::Maintenance);
        let (reply, answer) = oneshot::channel();
        let (log, carried) = (Arc::clone(log), head.inline_bytes());
        tokio::spawn(async move {
            let written = write(&log, to, selection).await;
            // Nobody waits if the handle is gone: the objects are garbage then.
            let _ = reply.send(written.map_err(|error| (error, carried)));
        });
        *self = Self::UnderWay(answer);
        true
    }

    /// Takes note if its objects are written.
    pub(super) fn poll(&mut self) {
        if let Self::UnderWay(answer) = self {
            match answer.try_recv() {
                Ok(written) => *self = Self::ended(written),
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => *self = Self::ended(Err(stopped())),
            }
        }
    }

    /// Waits until its objects are written, or could not be.
    pub(super) async fn finished(&mut self) -> Result<()> {
        if let Self::UnderWay(answer) = self {
            let written = answer.await.unwrap_or_else(|_| Err(stopped()));
            *self = Self::ended(written);
        }
        self.failure().map_or(Ok(()), Err)
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self, Self::UnderWay(_))
    }

    /// Why the last one failed, if it did.
    pub(super) fn failure(&self) -> Option<Error> {
        match self {
            Self::Failed(error, _) => Some(error.clone()),
            Self::Idle | Self::UnderWay(_) | Self::Ready(_) | Self::Behind => None,
        }
    }

    /// There is reason to try again what failed: the store takes objects, or HEAD is small again. A full HEAD cannot
    /// grow until it is tried again.
    pub(super) fn forget_failure(&mut self) {
        if matches!(self, Self::Failed(..)) {
            *self = Self::Idle;
        }
    }

    /// What the HEAD that follows `head` swaps. A spill whose commits no longer all stand there is let go: somebody
    /// else was faster, or it has been swapped in. So is one that HEAD has no more names for.
    pub(super) fn swaps(&mut self, head: &Head, broken: Broken) -> Vec<Swap> {
        if let Self::Ready(swaps) = self
            && broken.by(Mutant::SwapByNumbers)
        {
            swaps.iter_mut().for_each(|swap| take_for_ours(swap, head));
        }
        match self {
            Self::Ready(swaps)
                if head.stands(swaps) && head.log_objects().count() + swaps.len() <= LOG_OBJECTS_MAX =>
            {
                swaps.clone()
            }
            Self::Ready(swaps) => {
                *self = match head.stands_behind_fence(swaps) {
                    true => Self::Behind,
                    false => Self::Idle,
                };
                Vec::new()
            }
            Self::Idle | Self::UnderWay(_) | Self::Failed(..) | Self::Behind => Vec::new(),
        }
    }

    /// True if what was written last could not be named because the epoch had been raised meanwhile.
    pub(super) fn is_behind(&self) -> bool {
        matches!(self, Self::Behind)
    }

    /// How many bytes it could move out of `head`: nothing while the last one waits to be swapped in, or failed.
    pub(super) fn spillable(&self, head: &Head) -> usize {
        match self {
            Self::Idle | Self::UnderWay(_) | Self::Behind => Selection::of(head).bytes,
            Self::Ready(_) | Self::Failed(..) => 0,
        }
    }

    fn ended(written: Written) -> Self {
        match written {
            Ok(swaps) => Self::Ready(swaps),
            Err((error, carried)) => {
                tracing::warn!(%error, "commits stay in HEAD: they could not be spilled");
                Self::Failed(error, carried)
            }
        }
    }
}

async fn write(log: &Arc<LogStore>, to: Destination, selection: Selection) -> Result<Vec<Swap>> {
    let (firsts, stretches): (Vec<u64>, Vec<_>) = selection
        .stretches
        .into_iter()
        .map(|stretch| (stretch.first_txn, stretch.commits))
        .unzip();
    let written = store_all(log, to, stretches).await?;
    let swap = |(first_txn, stored): (u64, Arc<Stored>)| Swap {
        ids: stored.ids().collect(),
        reference: stored.at(first_txn),
    };
    Ok(firsts.into_iter().zip(written).map(swap).collect())
}

/// A deliberate breakage: whatever stands at its numbers passes for what was spilled.
fn take_for_ours(swap: &mut Swap, head: &Head) {
    let standing = head
        .inline_commits()
        .filter(|commit| swap.reference.holds(commit.txn));
    swap.ids = standing.map(|commit| commit.id).collect();
}

fn stopped() -> (Error, usize) {
    let what = "the runtime stopped while commits were being spilled";
    (Error::new(ErrorKind::Closed, what), 0)
}

/// True if HEAD carries more commits than it should.
pub(super) fn is_due(head: &Head) -> bool {
    head.inline_bytes() > threshold(head)
}

/// True if the writer of `after` is the one to spill: its HEAD crossed the threshold, or did not get below it by
/// the spill that it swapped in. At twice the threshold whoever sees it is, in case that writer is gone.
pub(super) fn is_ours(before: &Head, after: &Head, swapped: bool) -> bool {
    let inline = after.inline_bytes();
    is_due(after) && (swapped || !is_due(before) || inline > threshold(after).saturating_mul(2))
}

fn threshold(head: &Head) -> usize {
    usize::try_from(head.settings.spill_bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        head::{InlineCommit, LogItem, LogReference, ObjectReference, Write},
        id::{ManifestId, Nonce, ObjectName, TransactionId},
        options::SharedSettings,
    };

    fn inline(txn: u64, bytes: usize) -> LogItem {
        let write = Write {
            key: "k".into(),
            value: Some(vec![0; bytes].into()),
        };
        let id = TransactionId::from_bits(u128::from(txn));
        LogItem::Inline(Arc::new(InlineCommit::new(txn, id, vec![write])))
    }

    fn object(txn: u64) -> LogItem {
        let name = ObjectName {
            epoch: 1,
            nonce: Nonce::from_bits(u128::from(txn)),
        };
        let object = ObjectReference {
            name,
            bytes: 0,
            crc32c: 0,
        };
        let id = TransactionId::from_bits(u128::from(txn));
        LogItem::Object(LogReference::new(txn, &[id], object))
    }

    fn head(log: Vec<LogItem>) -> Head {
        let settings = SharedSettings {
            spill_bytes: 5_000,
            spill_keep_bytes: 2_000,
            ..SharedSettings::default()
        };
        let mut head = Head::first(ManifestId::from_bits(1), Nonce::from_bits(1), settings);
        head.last_txn = log.len() as u64;
        head.log = log;
        head
    }

    fn selected(log: Vec<LogItem>) -> Vec<(u64, usize)> {
        let selection = Selection::of(&head(log));
        let stretches = selection.stretches.iter();
        stretches
            .map(|stretch| (stretch.first_txn, stretch.commits.len()))
            .collect()
    }

    #[test]
    fn the_newest_commits_stay() {
        let log = (1..=10).map(|txn| inline(txn, 1_000)).collect();
        // 10 commits of about 1,035 bytes: two of them are over 2,000, one is not.
        assert_eq!(selected(log), [(1, 8)]);
        assert_eq!(selected(vec![inline(1, 100)]), []);
    }

    #[test]
    fn a_log_object_between_them_makes_two_stretches() {
        let log = vec![
            inline(1, 900),
            inline(2, 900),
            object(3),
            inline(4, 900),
            inline(5, 2_500),
        ];
        assert_eq!(selected(log), [(1, 2), (4, 1)]);
    }

    #[test]
    fn nothing_is_selected_that_head_cannot_name() {
        let full = (1..=LOG_OBJECTS_MAX as u64).map(object);
        let log = full.chain([inline(LOG_OBJECTS_MAX as u64 + 1, 9_000)]).collect();
        assert_eq!(selected(log), []);
    }

    #[test]
    fn who_crosses_the_threshold_spills_and_at_twice_everybody_does() {
        let of = |commits: u64| head((1..=commits).map(|txn| inline(txn, 1_000)).collect());
        assert!(!is_ours(&of(3), &of(4), false));
        assert!(is_ours(&of(4), &of(5), false));
        assert!(!is_ours(&of(5), &of(6), false));
        assert!(is_ours(&of(5), &of(6), true));
        assert!(is_ours(&of(9), &of(10), false));
    }
}
