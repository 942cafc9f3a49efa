//! The ways to change a manifest that most people will use: a closure that is run again when it loses, and
//! two small operations on one key.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    error::{Error, ErrorKind, Result},
    manifest::{Freshness, Manifest},
    receipt::Receipt,
    transaction::{CommitOptions, Transaction},
};

/// What a closure returned, and the receipt of the transaction that it ran in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the closure returned in the run that counts.
    pub value: T,
    /// The receipt; [`Receipt::txn`] is `None` if that run wrote nothing.
    pub receipt: Receipt,
}

/// What [`Manifest::put_if_absent`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutIfAbsent {
    /// The key was absent and now holds the value.
    Written(Receipt),
    /// The key held this value; nothing was written.
    Present(Bytes),
}

/// What [`Manifest::compare_and_set`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompareAndSet {
    /// The key held what was expected and was changed.
    Written(Receipt),
    /// The key held this, or nothing; nothing was written.
    Differs(Option<Bytes>),
}

impl Manifest {
    /// Runs `body` in a transaction and commits it, again and again while it loses to others, for at most
    /// [`Options::commit_timeout`](crate::Options::commit_timeout).
    ///
    /// `body` may run more than once, so let it do nothing but read and stage. (In a spawned task, write
    /// `async move |txn| ...`: a closure that borrows from its surroundings makes the task not `Send`.) Whatever it returns counts as
    /// if it had run alone, at one moment of this call: if it wrote, its commit proves that; if it wrote
    /// nothing or failed, what it read is looked at once more (one GET, where it had not begun with one).
    ///
    /// # Errors
    ///
    /// What `body` returned, or the engine's error: [`DeadlineExceeded`](ErrorKind::DeadlineExceeded) after
    /// losing until the time was over, [`CommitUnknown`](ErrorKind::CommitUnknown) with its token.
    pub async fn transact<T, E>(
        &self,
        body: impl AsyncFnMut(&mut Transaction) -> Result<T, E>,
    ) -> Result<Committed<T>, E>
    where
        E: From<Error>,
    {
        self.transact_within(self.options().commit_timeout, body).await
    }

    /// [`transact`](Self::transact) with a time limit of its own.
    pub async fn transact_within<T, E>(
        &self,
        timeout: Duration,
        mut body: impl AsyncFnMut(&mut Transaction) -> Result<T, E>,
    ) -> Result<Committed<T>, E>
    where
        E: From<Error>,
    {
        let clock = &self.options().clock;
        let (began, deadline) = (self.mark(), clock.now().saturating_add(timeout));
        let mut last_conflict: Option<Error> = None;
        let mut snapshot = None;
        loop {
            let mut transaction = match snapshot.take() {
                Some(snapshot) => self.begin_on(snapshot)?,
                None => self.begin().await?,
            };
            let value = body(&mut transaction).await;
            if value.is_err() || transaction.is_read_only() {
                match self.still_holds(&transaction, began).await {
                    Ok(None) => {}
                    Ok(newer) if clock.now() < deadline => {
                        snapshot = newer;
                        continue;
                    }
                    Ok(_) => return Err(out_of_time(timeout, last_conflict).into()),
                    // What the closure found out is not certified, so it cannot be told.
                    Err(error) => return Err(error.into()),
                }
            }
            let value = value?;
            let remaining = deadline.saturating_sub(clock.now());
            if remaining.is_zero() {
                return Err(out_of_time(timeout, last_conflict).into());
            }
            let options = CommitOptions {
                timeout: Some(remaining),
                single_attempt: false,
            };
            match transaction.commit_with(options).await {
                Ok(receipt) => return Ok(Committed { value, receipt }),
                Err(error) if error.is_conflict() => {
                    last_conflict = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes the key if it is absent.
    pub async fn put_if_absent(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<PutIfAbsent> {
        Ok(
            match self.compare_and_set(key, None::<Bytes>, Some(value)).await? {
                CompareAndSet::Written(receipt) => PutIfAbsent::Written(receipt),
                CompareAndSet::Differs(Some(present)) => PutIfAbsent::Present(present),
                // A key cannot differ from absence by being absent.
                CompareAndSet::Differs(None) => {
                    return Err(Error::new(
                        ErrorKind::Corrupt,
                        "an absent key was taken for a present one",
                    ));
                }
            },
        )
    }

    /// Changes the key to `new` if it holds `expected`; `None` is absence, on both sides.
    pub async fn compare_and_set(
        &self,
        key: impl Into<Bytes>,
        expected: Option<impl Into<Bytes>>,
        new: Option<impl Into<Bytes>>,
    ) -> Result<CompareAndSet> {
        let (key, expected, new) = (key.into(), expected.map(Into::into), new.map(Into::into));
        let done = self
            .transact(async move |transaction: &mut Transaction| -> Result<_> {
                let held = transaction.get(&key).await?;
                if held != expected {
                    return Ok(Some(held));
                }
                match &new {
                    Some(value) => transaction.put(key.clone(), value.clone())?,
                    None => transaction.delete(key.clone())?,
                }
                Ok(None)
            })
            .await?;
        Ok(match done.value {
            Some(held) => CompareAndSet::Differs(held),
            None => CompareAndSet::Written(done.receipt),
        })
    }

    /// Whether what a transaction read was the newest state at some moment after `began`; if not, a newer
    /// snapshot to run it on.
    async fn still_holds(&self, transaction: &Transaction, began: u64) -> Result<Option<crate::Snapshot>> {
        if transaction.snapshot().certified_after(began) {
            return Ok(None);
        }
        let newest = self.snapshot(Freshness::Latest).await?;
        let read_at = transaction.snapshot().txn();
        let conflict = self.io().conflict(transaction.reads(), read_at, newest.state());
        // Boxed, because it is large.
        let conflict = Box::pin(conflict).await?;
        Ok(conflict.map(|_| newest))
    }
}

fn out_of_time(timeout: Duration, last_conflict: Option<Error>) -> Error {
    let why = last_conflict
        .as_ref()
        .map_or_else(String::new, |conflict| format!("; last: {conflict}"));
    let message = format!("not committed within {} ms{why}", timeout.as_millis());
    let attempts = last_conflict
        .map(|conflict| conflict.attempts().to_vec())
        .unwrap_or_default();
    Error::new(ErrorKind::DeadlineExceeded, message).with_attempts(attempts)
}
