//! Reads of the newest state and of states that are held for later.

use std::time::Duration;

use bytes::Bytes;
use fusio_manifest::{Clock as _, ErrorKind, Freshness, Moment, Snapshot};

use crate::{Verdict, ensure, input::Input, world::World};

/// A state that is held, and what is known of it.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) handle: usize,
    pub(crate) snapshot: Snapshot,
    pub(crate) newest_at: Moment,
    /// The pin that keeps it, and how often one of this name had been let go when it was opened.
    pub(crate) kept_by: Option<(u8, u32)>,
}

/// How much of a range is read, and from which end.
#[derive(Debug, Clone, Copy)]
struct Extent {
    backward: bool,
    limit: usize,
}

impl Extent {
    fn of(input: &mut Input<'_>) -> Self {
        Self {
            backward: input.below(2) == 1,
            limit: input.one_of(&[usize::MAX, usize::MAX, 1, 4]),
        }
    }

    fn entries(self, all: impl DoubleEndedIterator<Item = (Bytes, Bytes)>) -> Vec<(Bytes, Bytes)> {
        match self.backward {
            true => all.rev().take(self.limit).collect(),
            false => all.take(self.limit).collect(),
        }
    }
}

impl World {
    /// What was read of the newest state belongs to one between the beginning of the read and its end.
    pub(crate) async fn get(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let (key, before, manifest) = (input.key(), self.model.last(), self.manifest(handle)?);
        match manifest.get(&key).await {
            Err(error) => self.excused(handle, "reading a key", &error),
            Ok(read) => {
                self.settle().await?;
                let last = self.model.last();
                ensure!(
                    (before..=last).any(|at| self.model.value(&key, at) == read),
                    "{key:?} is {read:?} after {before} to {last}, not {:?}",
                    self.model.value(&key, last)
                );
                Ok(())
            }
        }
    }

    pub(crate) async fn scan(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let (range, extent) = (input.range(), Extent::of(input));
        let (before, manifest) = (self.model.last(), self.manifest(handle)?);
        let scan = match manifest.scan(range.clone()).await {
            Ok(scan) => scan,
            Err(error) => return self.excused(handle, "beginning to scan", &error),
        };
        match entries(scan, extent).await {
            Err(error) => self.excused(handle, "scanning", &error),
            Ok(read) => {
                self.settle().await?;
                let last = self.model.last();
                let expected = |at| extent.entries(self.model.range(&range, at).into_iter());
                ensure!(
                    (before..=last).any(|at| expected(at) == read),
                    "{range:?} is {read:?} after {before} to {last}, not {:?}",
                    expected(last)
                );
                Ok(())
            }
        }
    }

    pub(crate) async fn snapshot(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let slot = input.index(self.snapshots.len());
        let freshness = match input.below(4) {
            0 => Freshness::Cached,
            1 => Freshness::Within(Duration::from_millis(u64::from(input.byte()) * 20)),
            _ => Freshness::Latest,
        };
        let (before, manifest) = (self.model.last(), self.manifest(handle)?);
        let snapshot = match manifest.snapshot(freshness).await {
            Ok(snapshot) => snapshot,
            Err(error) => return self.excused(handle, "taking a snapshot", &error),
        };
        self.settle().await?;
        let (at, last) = (snapshot.txn(), self.model.last());
        ensure!(at <= last, "a state after {at} of {last} commits");
        ensure!(
            at >= before || freshness != Freshness::Latest,
            "a fresh state after {at}, {before} commits were made before"
        );
        if let Freshness::Within(bound) = freshness {
            ensure!(
                snapshot.age() <= bound || at >= before,
                "a state of {:?}, {bound:?} was asked for",
                snapshot.age()
            );
        }
        let held = Held {
            handle,
            newest_at: self.clock.now().saturating_sub(snapshot.age()),
            snapshot,
            kept_by: None,
        };
        if let Some(place) = self.snapshots.get_mut(slot) {
            *place = Some(held);
        }
        Ok(())
    }

    pub(crate) async fn read_snapshot(&mut self, input: &mut Input<'_>) -> Verdict {
        let slot = input.index(self.snapshots.len());
        let kind = input.below(3);
        let (key, range, extent) = (input.key(), input.range(), Extent::of(input));
        let Some(held) = self.snapshots.get(slot).and_then(Option::as_ref) else {
            return Ok(());
        };
        let at = held.snapshot.txn();
        let error = if kind == 0 {
            match held.snapshot.get(&key).await {
                Ok(read) => {
                    let expected = self.model.value(&key, at);
                    ensure!(
                        read == expected,
                        "{key:?} is {read:?} after {at}, not {expected:?}"
                    );
                    return Ok(());
                }
                Err(error) => error,
            }
        } else {
            match entries(held.snapshot.scan(range.clone()), extent).await {
                Ok(read) => {
                    let expected = extent.entries(self.model.range(&range, at).into_iter());
                    ensure!(
                        read == expected,
                        "{range:?} is {read:?} after {at}, not {expected:?}"
                    );
                    return Ok(());
                }
                Err(error) => error,
            }
        };
        let may_be_gone = match held.kept_by {
            None => self.may_have_expired(held.newest_at),
            Some((name, let_go)) => self.pin_may_be_gone(name, let_go),
        };
        match error.kind() {
            ErrorKind::SnapshotExpired => {
                ensure!(may_be_gone, "a state that is kept has expired: {error}");
                Ok(())
            }
            _ => self.excused(held.handle, "reading a snapshot", &error),
        }
    }
}

/// So many entries from one end of a range.
async fn entries(
    scan: fusio_manifest::Scan,
    extent: Extent,
) -> Result<Vec<(Bytes, Bytes)>, fusio_manifest::Error> {
    let mut scan = match extent.backward {
        true => scan.reversed(),
        false => scan,
    };
    let mut entries = Vec::new();
    while entries.len() < extent.limit
        && let Some(entry) = scan.next().await?
    {
        entries.push(entry);
    }
    Ok(entries)
}
