//! What the checks share: keys to work on, requests that outlast passing failures, and the cleaning.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    backoff::Backoff,
    clock::Clock,
    store::{ETag, GetAnswer, GetOptions, PutMode, Store, StoreError, StoreErrorKind},
};

/// Why a check did not pass.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The store answered, and broke the rule.
    Unfit { expected: String, got: String },
    /// A request failed for a reason that says nothing about the rule.
    Store(StoreError),
    /// The answers prove nothing either way.
    Undecided(String),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(super) fn unfit(expected: impl Into<String>, got: impl Into<String>) -> Fault {
    Fault::Unfit {
        expected: expected.into(),
        got: got.into(),
    }
}

/// The answer to a PUT, once it is certain.
#[derive(Debug)]
pub(super) enum Put {
    Done(ETag),
    Refused(StoreError),
}

impl Put {
    pub(super) fn accepted(self, what: &str) -> Result<ETag, Fault> {
        match self {
            Self::Done(etag) => Ok(etag),
            Self::Refused(error) => Err(unfit(format!("{what} to be accepted"), shown(&error))),
        }
    }

    /// Refused, and by one of these kinds: another refusal means that the store did not get to the condition.
    pub(super) fn refused(self, what: &str, kinds: &[StoreErrorKind]) -> Result<(), Fault> {
        match self {
            Self::Refused(error) if kinds.contains(&error.kind) => Ok(()),
            Self::Refused(error) => Err(unfit(format!("{what} to be refused with 412"), shown(&error))),
            Self::Done(_) => Err(unfit(format!("{what} to be refused"), "it was accepted")),
        }
    }
}

/// An error as an answer.
pub(super) fn shown(error: &StoreError) -> String {
    error.message.clone()
}

/// More than any object of the suite has.
const READ_MAX: u64 = 8 * 1024 * 1024;

/// The workbench of a suite.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: &'a dyn Clock,
    prefix: String,
    /// Every key that a check may have written.
    keys: Mutex<BTreeSet<String>>,
    bodies: AtomicU64,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(store: Arc<dyn Store>, clock: &'a dyn Clock, prefix: String) -> Self {
        Self {
            store,
            clock,
            prefix,
            keys: Mutex::default(),
            bodies: AtomicU64::new(0),
        }
    }

    /// A key of the suite's, noted for the cleaning.
    pub(super) fn key(&self, name: &str) -> String {
        let key = format!("{}{name}", self.prefix);
        self.keys.lock().insert(key.clone());
        key
    }

    /// Bytes unlike any others of the suite, so that a GET tells whose they are.
    pub(super) fn body(&self) -> Bytes {
        Bytes::from(format!("body {}", self.bodies.fetch_add(1, Ordering::Relaxed)))
    }

    /// Waits before a failed request is sent again, without jitter: the suite is one client.
    pub(super) fn backoff(&self) -> Waits<'a> {
        Waits {
            clock: self.clock,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(2), 6),
        }
    }

    pub(super) async fn get(&self, key: &str, options: GetOptions) -> Result<GetAnswer, StoreError> {
        let options = GetOptions {
            bytes_max: options.bytes_max.or(Some(READ_MAX)),
            ..options
        };
        let mut waits = self.backoff();
        loop {
            match self.store.get(key, options.clone()).await {
                Err(error) if error.is_transient() => waits.wait_or(error).await?,
                answer => return answer,
            }
        }
    }

    /// The whole object, if there is one.
    pub(super) async fn read(&self, key: &str) -> Result<Option<(Bytes, ETag)>, Fault> {
        match self.get(key, GetOptions::default()).await {
            Ok(GetAnswer::Found { bytes, etag }) => Ok(Some((bytes, etag))),
            Ok(GetAnswer::NotModified) => Err(unfit("an object to an unconditional GET", "304")),
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Fails unless exactly these bytes are there; returns their ETag.
    pub(super) async fn expect(&self, key: &str, body: &Bytes, when: &str) -> Result<ETag, Fault> {
        match self.read(key).await? {
            Some((bytes, etag)) if bytes == *body => Ok(etag),
            Some((bytes, _)) => Err(unfit(
                format!("{when}, the {} bytes that were put", body.len()),
                format!("{} other bytes", bytes.len()),
            )),
            None => Err(unfit(format!("{when}, an object"), "404")),
        }
    }

    /// Sends a PUT until its fate is certain. Nobody else may write the key, and the body must be unlike what
    /// was there: then a GET settles what a lost reply, or a proxy that sent the request twice, left open.
    pub(super) async fn put(&self, key: &str, body: &Bytes, mode: PutMode) -> Result<Put, Fault> {
        let mut waits = self.backoff();
        loop {
            let error = match self.store.put(key, body.clone(), mode.clone()).await {
                Ok(etag) => return Ok(Put::Done(etag)),
                Err(error) => error,
            };
            if is_refusal(&error, &mode) {
                return Ok(match self.read(key).await? {
                    // The refusal was of a second copy: the first had landed.
                    Some((bytes, etag)) if bytes == *body => Put::Done(etag),
                    _ => Put::Refused(error),
                });
            }
            if !error.is_transient() && error.kind != StoreErrorKind::Conflict {
                return Err(error.into());
            }
            waits.wait_or(error).await?;
        }
    }

    /// Puts new bytes without a condition, which every store must accept.
    pub(super) async fn seed(&self, key: &str) -> Result<(Bytes, ETag), Fault> {
        let body = self.body();
        let etag = self
            .put(key, &body, PutMode::Overwrite)
            .await?
            .accepted("a PUT without a condition")?;
        Ok((body, etag))
    }

    pub(super) async fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        let mut waits = self.backoff();
        loop {
            match self.store.delete(keys).await {
                Err(error) if error.is_transient() => waits.wait_or(error).await?,
                answer => return answer,
            }
        }
    }

    /// Deletes what the checks wrote: by name, since the store's listing may be what is broken.
    pub(crate) async fn clean(&self) -> Result<(), StoreError> {
        let keys: Vec<String> = std::mem::take(&mut *self.keys.lock()).into_iter().collect();
        let mut outcome = Ok(());
        for batch in keys.chunks(1_000) {
            let done = self.delete(batch).await;
            outcome = outcome.and(done);
        }
        outcome
    }
}

/// An answer to the condition rather than to the request. A plain PUT of the suite has succeeded before, so
/// what a store dislikes about a conditional one is its condition.
fn is_refusal(error: &StoreError, mode: &PutMode) -> bool {
    match mode {
        PutMode::Overwrite => error.kind == StoreErrorKind::PreconditionFailed,
        PutMode::Create | PutMode::Update(_) => {
            matches!(
                error.kind,
                StoreErrorKind::PreconditionFailed | StoreErrorKind::NotFound | StoreErrorKind::Rejected
            ) || matches!(error.status, Some(405 | 501))
        }
    }
}

/// A bounded series of waits.
pub(super) struct Waits<'a> {
    clock: &'a dyn Clock,
    backoff: Backoff,
}

impl Waits<'_> {
    /// Waits, or gives the error back when all waits are spent.
    pub(super) async fn wait_or<E>(&mut self, error: E) -> Result<(), E> {
        match self.backoff.next(1.0) {
            Some(span) => {
                self.clock.sleep(span).await;
                Ok(())
            }
            None => Err(error),
        }
    }
}
