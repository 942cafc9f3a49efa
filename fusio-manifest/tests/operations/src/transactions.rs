//! Transactions that stay open while others commit.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, CommitOptions, CompareAndSet, Error, ErrorKind, Freshness, KeyRange, Moment, Transaction,
};
use tokio::task::JoinSet;

use crate::{
    Verdict,
    commits::Tried,
    ensure,
    input::Input,
    model::{Read, Writes},
    succeeds,
    world::World,
};

/// A transaction, and what it did.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) handle: usize,
    transaction: Transaction,
    /// Its state was the newest one at this time, or later.
    newest_at: Moment,
    reads: Vec<Read>,
    writes: Writes,
}

impl World {
    /// True if a state may have lost objects: collections delete what was let go a retention ago. Dates have whole seconds.
    pub(crate) fn may_have_expired(&self, newest_at: Moment) -> bool {
        self.clock.now().saturating_sub(newest_at) + Duration::from_secs(1) >= self.shared.retention
    }

    fn tried(&self, open: &Open) -> Tried {
        Tried {
            handle: open.handle,
            snapshot: open.transaction.snapshot().txn(),
            old: self.may_have_expired(open.newest_at),
            reads: open.reads.clone(),
            writes: open.writes.clone(),
        }
    }

    async fn begun(&mut self, handle: usize, how: u8) -> Result<Option<Open>, String> {
        let manifest = self.manifest(handle)?;
        let begun = match how {
            0 => manifest.begin().await,
            1 => match manifest.snapshot(Freshness::Cached).await {
                Ok(snapshot) => manifest.begin_on(snapshot),
                Err(error) => Err(error),
            },
            _ => match manifest.snapshot(Freshness::Latest).await {
                Ok(snapshot) => manifest.begin_on(snapshot),
                Err(error) => Err(error),
            },
        };
        match begun {
            Err(error) => {
                self.excused(handle, "beginning", &error)?;
                Ok(None)
            }
            Ok(transaction) => Ok(Some(Open {
                handle,
                newest_at: self.clock.now().saturating_sub(transaction.snapshot().age()),
                transaction,
                reads: Vec::new(),
                writes: Writes::new(),
            })),
        }
    }

    pub(crate) async fn begin(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let slot = input.index(self.transactions.len());
        let begun = self.begun(handle, input.below(3)).await?;
        if let Some(place) = self.transactions.get_mut(slot) {
            *place = begun;
        }
        Ok(())
    }

    /// One that writes, and reads nothing or what it writes.
    pub(crate) async fn write(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let kind = input.byte();
        let Some(mut open) = self.begun(handle, kind % 2).await? else {
            return Ok(());
        };
        for _ in 0..=kind / 2 % 3 {
            let key = input.key();
            if kind & 0x10 != 0 && !self.read_key(&mut open, &key).await? {
                return Ok(());
            }
            self.stage(&mut open, key, input)?;
        }
        self.finish(open, None).await
    }

    fn stage(&mut self, open: &mut Open, key: Bytes, input: &mut Input<'_>) -> Verdict {
        let value = match input.below(5) {
            0 => None,
            _ => Some(self.value(input)),
        };
        let staged = match &value {
            Some(value) => open.transaction.put(key.clone(), value.clone()),
            None => open.transaction.delete(key.clone()),
        };
        succeeds("staging", staged)?;
        open.writes.insert(key, value);
        Ok(())
    }

    /// One more step of an open transaction.
    pub(crate) async fn in_transaction(&mut self, input: &mut Input<'_>) -> Verdict {
        let slot = input.index(self.transactions.len());
        let Some(mut open) = self.transactions.get_mut(slot).and_then(Option::take) else {
            return Ok(());
        };
        let goes_on = match input.below(6) {
            0 | 1 => {
                let key = input.key();
                self.read_key(&mut open, &key).await?
            }
            2 | 3 => {
                let (range, limit) = (input.range(), input.index(6));
                self.read_range(&mut open, &range, limit).await?
            }
            _ => {
                let key = input.key();
                self.stage(&mut open, key, input)?;
                true
            }
        };
        if let Some(place) = self.transactions.get_mut(slot).filter(|_| goes_on) {
            *place = Some(open);
        }
        Ok(())
    }

    /// False if the transaction cannot go on.
    fn goes_on(&self, open: &Open, error: &Error) -> Result<bool, String> {
        match error.kind() {
            ErrorKind::SnapshotExpired => {
                ensure!(
                    self.may_have_expired(open.newest_at),
                    "a young state has expired: {error}"
                );
            }
            _ => self.excused(open.handle, "reading in a transaction", error)?,
        }
        Ok(false)
    }

    async fn read_key(&self, open: &mut Open, key: &Bytes) -> Result<bool, String> {
        let at = open.transaction.snapshot().txn();
        let expected = match open.writes.get(key) {
            Some(staged) => staged.clone(),
            None => self.model.value(key, at),
        };
        match open.transaction.get(key).await {
            Err(error) => return self.goes_on(open, &error),
            Ok(read) => ensure!(
                read == expected,
                "{key:?} is {read:?} after {at}, not {expected:?}"
            ),
        }
        if !open.writes.contains_key(key) {
            open.reads.push(Read::Key(key.clone()));
        }
        Ok(true)
    }

    async fn read_range(&self, open: &mut Open, range: &KeyRange, limit: usize) -> Result<bool, String> {
        let at = open.transaction.snapshot().txn();
        let mut expected: BTreeMap<Bytes, Bytes> = self.model.range(range, at);
        for (key, value) in open.writes.iter().filter(|(key, _)| range.contains(key)) {
            match value {
                Some(value) => expected.insert(key.clone(), value.clone()),
                None => expected.remove(key),
            };
        }
        // 5 stands for all of it.
        let limit = if limit == 5 { usize::MAX } else { limit };
        let mut read = Vec::new();
        let mut at_end = false;
        let mut scan = open.transaction.scan(range.clone());
        let mut broken = None;
        while read.len() < limit && !at_end && broken.is_none() {
            match scan.next().await {
                Ok(Some(entry)) => read.push(entry),
                Ok(None) => at_end = true,
                Err(error) => broken = Some(error),
            }
        }
        if let Some(error) = broken {
            return self.goes_on(open, &error);
        }
        let expected: Vec<_> = expected.into_iter().take(limit).collect();
        ensure!(
            read == expected,
            "{range:?} is {read:?} after {at}, not {expected:?}"
        );
        let through = read.last().map(|(last, _)| last.clone());
        if at_end || through.is_some() {
            open.reads.push(Read::Range {
                range: range.clone(),
                through: through.filter(|_| !at_end),
            });
        }
        Ok(true)
    }

    pub(crate) async fn commit(&mut self, input: &mut Input<'_>) -> Verdict {
        let slot = input.index(self.transactions.len());
        let timeout = input.one_of(&[None, None, Some(1), Some(30), Some(400)]);
        let Some(open) = self.transactions.get_mut(slot).and_then(Option::take) else {
            return Ok(());
        };
        self.finish(open, timeout.map(Duration::from_millis)).await
    }

    async fn finish(&mut self, open: Open, timeout: Option<Duration>) -> Verdict {
        let tried = self.tried(&open);
        let options = CommitOptions {
            timeout,
            ..CommitOptions::default()
        };
        match open.transaction.commit_with(options).await {
            // A short time may be over without a fault, before the answer or before anything was sent.
            Err(error) if timeout.is_some() && too_late(&error) => Ok(()),
            result => self.conclude(vec![(tried, result)]).await,
        }
    }

    /// All that are open, side by side.
    pub(crate) async fn commit_all(&mut self) -> Verdict {
        let mut running = JoinSet::new();
        let mut tried = Vec::new();
        for open in self
            .transactions
            .iter_mut()
            .filter_map(Option::take)
            .collect::<Vec<_>>()
        {
            tried.push(self.tried(&open));
            let place = tried.len() - 1;
            running.spawn(async move { (place, open.transaction.commit().await) });
        }
        let mut done = Vec::new();
        while let Some(joined) = running.join_next().await {
            let (place, result) = joined.map_err(|stopped| stopped.to_string())?;
            done.push((tried.get(place).ok_or("nobody tried it")?.clone(), result));
        }
        self.conclude(done).await
    }

    pub(crate) async fn compare_and_set(&mut self, handle: usize, input: &mut Input<'_>) -> Verdict {
        let key = input.key();
        let at = self.model.last();
        let expected = match input.below(3) {
            0 => None,
            1 => Some(Bytes::from_static(b"nobody wrote this")),
            _ => self.model.value(&key, at),
        };
        let new = (input.below(4) > 0).then(|| self.value(input));
        let manifest = self.manifest(handle)?;
        let result = manifest
            .compare_and_set(key.clone(), expected.clone(), new.clone())
            .await;
        let tried = |snapshot| Tried {
            handle,
            snapshot,
            old: false,
            reads: vec![Read::Key(key.clone())],
            writes: Writes::from([(key.clone(), new.clone())]),
        };
        let before = self.model.last();
        match result {
            Ok(CompareAndSet::Written(receipt)) => {
                let tried = tried(receipt.snapshot);
                self.conclude(vec![(tried.clone(), Ok(receipt))]).await?;
                let held = self.model.value(&key, self.model.last() - 1);
                ensure!(
                    held == expected,
                    "{key:?} held {held:?} and was changed from {expected:?}"
                );
                Ok(())
            }
            Ok(CompareAndSet::Differs(held)) => {
                self.settle().await?;
                let mut states = before..=self.model.last();
                ensure!(
                    held != expected && states.any(|at| self.model.value(&key, at) == held),
                    "{key:?} was told to hold {held:?}"
                );
                Ok(())
            }
            // On which state it was tried last is not told.
            Err(error) if error.outcome_unknown() => {
                let tried = Tried {
                    reads: Vec::new(),
                    ..tried(before)
                };
                self.conclude(vec![(tried, Err(error))]).await
            }
            Err(error) => self.excused(handle, "comparing and setting", &error),
        }
    }
}

fn too_late(error: &Error) -> bool {
    [ErrorKind::DeadlineExceeded, ErrorKind::Unavailable].contains(&error.kind())
}
