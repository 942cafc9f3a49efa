//! Requests for HEAD: the look (a conditional GET) and the PUT.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    backoff::Backoff,
    clock::{Clock, Moment, within},
    entropy::Entropy,
    error::{Error, ErrorKind, Result},
    frame::FormatError,
    head::Head,
    head_cache::{Author, Certified, HeadCache, Sent},
    id::Keys,
    state::State,
    store::{ETag, GetAnswer, GetOptions, PutMode, Store, StoreError, StoreErrorKind},
};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The backoff after an answer that asks for patience. Its caller's deadline bounds it, not a count: an outage
/// that ends in time costs nobody an error.
pub(crate) fn patience() -> Backoff {
    Backoff::new(FIRST_WAIT, LONGEST_WAIT, u32::MAX)
}

#[derive(Debug)]
pub(crate) struct HeadIo {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) request_timeout: Duration,
    pub(crate) cache: HeadCache,
}

/// The answer to a PUT of HEAD.
#[derive(Debug)]
pub(crate) struct PutAnswer {
    pub(crate) sent: Sent,
    pub(crate) duration: Duration,
    pub(crate) result: Result<ETag, StoreError>,
}

impl HeadIo {
    /// Looks at HEAD: one GET, more only if the store asks for patience or does not answer.
    pub(crate) async fn look(&self, deadline: Moment) -> Result<Certified> {
        let mut backoff = patience();
        loop {
            let known = self.cache.current()?.state;
            let sent = self.cache.sent();
            let options = GetOptions {
                if_none_match: Some(known.etag.clone()),
                range: None,
            };
            let answer = get(
                &*self.store,
                &*self.clock,
                self.keys.head(),
                options,
                self.limit(deadline),
            )
            .await;
            match answer {
                Ok(GetAnswer::NotModified) => {
                    self.cache.observe_get(self.clock.now().saturating_sub(sent.at));
                    return self.cache.certify(&known, sent);
                }
                Ok(GetAnswer::Found { bytes, etag }) => {
                    self.cache.observe_get(self.clock.now().saturating_sub(sent.at));
                    let length = bytes.len();
                    let head = decode(self.keys.head(), bytes)?;
                    let state = if head.revision > known.head.revision && head.last_txn >= known.head.last_txn
                    {
                        known.follow(head, etag, length)?
                    } else {
                        State::build(head, etag, length)?
                    };
                    return self.cache.install(state, sent, Author::Somebody);
                }
                Err(error) if error.kind == StoreErrorKind::NotFound => return Err(self.head_lost(error)),
                Err(error) if error.is_transient() => {
                    let wait = backoff.next(self.entropy.unit()?);
                    match wait.filter(|wait| self.clock.now() + *wait < deadline) {
                        Some(wait) => self.clock.sleep(wait).await,
                        None => return Err(Error::from_store("looking at HEAD", error)),
                    }
                }
                Err(error) => return Err(Error::from_store("looking at HEAD", error)),
            }
        }
    }

    /// Sends one PUT of HEAD, on the condition that it still has `base`'s ETag.
    pub(crate) async fn put(&self, body: Bytes, base: &ETag) -> PutAnswer {
        let sent = self.cache.sent();
        let put = self
            .store
            .put(self.keys.head(), body, PutMode::Update(base.clone()));
        let result = within(&*self.clock, self.request_timeout, put).await;
        let duration = self.clock.now().saturating_sub(sent.at);
        let result = result.unwrap_or_else(|| Err(timed_out("PUT", self.keys.head(), self.request_timeout)));
        if result.is_ok() {
            self.cache.observe_put(duration);
        }
        PutAnswer {
            sent,
            duration,
            result,
        }
    }

    pub(crate) fn head_lost(&self, error: StoreError) -> Error {
        Error::from_store_as(
            ErrorKind::HeadLost,
            format!(
                "HEAD of an open manifest is gone from {}; it is never made anew",
                self.store.describe()
            ),
            error,
        )
    }

    fn limit(&self, deadline: Moment) -> Duration {
        self.request_timeout
            .min(deadline.saturating_sub(self.clock.now()))
    }
}

/// One GET, bounded in time.
pub(crate) async fn get(
    store: &dyn Store,
    clock: &dyn Clock,
    key: &str,
    options: GetOptions,
    limit: Duration,
) -> Result<GetAnswer, StoreError> {
    let answer = within(clock, limit, store.get(key, options)).await;
    answer.unwrap_or_else(|| Err(timed_out("GET", key, limit)))
}

/// Decodes a HEAD, or says what is wrong with which object.
pub(crate) fn decode(key: &str, bytes: Bytes) -> Result<Head> {
    Head::decode(bytes).map_err(|error| {
        let kind = match error {
            FormatError::NewerVersion { .. } | FormatError::UnknownFeatures { .. } => ErrorKind::Unsupported,
            FormatError::Damaged(_) | FormatError::Foreign => ErrorKind::Corrupt,
        };
        Error::new(kind, format!("object {key}: {error}"))
    })
}

pub(crate) fn timed_out(operation: &'static str, key: &str, limit: Duration) -> StoreError {
    let message = format!("no answer within {} ms", limit.as_millis());
    StoreError::new(StoreErrorKind::Timeout, operation, key, message)
}
