//! The store as one manifest uses it: each request bounded in time, asked again where patience helps, and
//! maintenance told from what callers wait for.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    backoff::Backoff,
    clock::{Clock, Moment, within},
    dates::Dates,
    entropy::Entropy,
    error::{Error, ErrorKind, Result},
    id::Keys,
    limits::HEAD_BYTES_READ_MAX,
    options::Options,
    store::{
        ETag, GetAnswer, GetOptions, ListPage, PutMode, Store, StoreError, StoreErrorKind,
        meter::{RequestClass, RequestMeter},
    },
};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The backoff after an answer that asks for patience. Its caller's deadline bounds it, not a count: an outage
/// that ends in time costs nobody an error.
pub(crate) fn patience() -> Backoff {
    Backoff::new(FIRST_WAIT, LONGEST_WAIT, u32::MAX)
}

/// What a GET of HEAD asks for.
pub(crate) fn whole_head(if_none_match: Option<ETag>) -> GetOptions {
    GetOptions {
        if_none_match,
        range: None,
        bytes_max: Some(HEAD_BYTES_READ_MAX),
    }
}

/// An object that could not be read. One that is longer than it can be is damaged, whoever is to blame.
pub(crate) fn unread(doing: &str, key: &str, error: StoreError) -> Error {
    match error.kind {
        StoreErrorKind::TooLong => {
            let message = format!("object {key}: damaged: longer than it can be");
            Error::from_store_as(ErrorKind::Corrupt, message, error)
        }
        _ => Error::from_store(doing, error),
    }
}

/// Who waits for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A caller.
    Path,
    /// Nobody: it is maintenance beside the path.
    Maintenance,
}

#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) request_timeout: Duration,
    /// Requests that were maintenance.
    pub(crate) maintenance: RequestMeter,
    dates: Dates,
}

impl Access {
    pub(crate) fn new(store: Arc<dyn Store>, keys: Keys, options: &Options) -> Self {
        Self {
            store,
            keys,
            clock: Arc::clone(&options.clock),
            entropy: Arc::clone(&options.entropy),
            request_timeout: options.request_timeout,
            maintenance: RequestMeter::new(),
            dates: Dates::default(),
        }
    }

    /// One GET, bounded in time and in length.
    pub(crate) async fn get(
        &self,
        key: &str,
        options: GetOptions,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<GetAnswer, StoreError> {
        let limit = self.limit(deadline);
        let most = options.most();
        let get = self.store.get(key, options);
        let mut answer = self.bounded("GET", key, limit, get).await;
        if let (Ok(GetAnswer::Found { bytes, .. }), Some(most)) = (&answer, most)
            && bytes.len() as u64 > most
        {
            // A store that does not keep to its bounds: nothing of it is believed.
            let message = format!(
                "{} bytes came, and {most} are the most that it may have",
                bytes.len()
            );
            answer = Err(StoreError::new(StoreErrorKind::TooLong, "GET", key, message));
        }
        if purpose == Purpose::Maintenance {
            self.maintenance.count(RequestClass::Get);
            if let Ok(GetAnswer::Found { bytes, .. }) = &answer {
                self.maintenance.count_bytes(RequestClass::Get, bytes.len());
            }
        }
        answer
    }

    /// One conditional PUT, bounded in time.
    pub(crate) async fn put(
        &self,
        key: &str,
        body: Bytes,
        mode: PutMode,
        purpose: Purpose,
        limit: Duration,
    ) -> Result<ETag, StoreError> {
        if purpose == Purpose::Maintenance {
            self.maintenance.count(RequestClass::ConditionalPut);
            self.maintenance
                .count_bytes(RequestClass::ConditionalPut, body.len());
        }
        let put = self.store.put(key, body, mode);
        self.bounded("PUT", key, limit, put).await
    }

    /// HEAD and its ETag, if there is one.
    pub(crate) async fn read_head(
        &self,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<Option<(Bytes, ETag)>> {
        let key = self.keys.head();
        let mut backoff = patience();
        loop {
            let error = match self.get(key, whole_head(None), deadline, purpose).await {
                Ok(GetAnswer::Found { bytes, etag }) => return Ok(Some((bytes, etag))),
                Ok(GetAnswer::NotModified) => {
                    let message = format!("object {key}: 304 to a request without a condition");
                    return Err(Error::new(ErrorKind::Unavailable, message));
                }
                Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
                Err(error) => error,
            };
            if !error.is_transient() || !self.wait(&mut backoff, deadline).await? {
                return Err(unread("reading HEAD", key, error));
            }
        }
    }

    /// One page of what lies below `prefix`, patiently.
    pub(crate) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        deadline: Moment,
        doing: &str,
    ) -> Result<ListPage> {
        let mut backoff = patience();
        loop {
            self.maintenance.count(RequestClass::List);
            let page = self.store.list(prefix, after);
            let error = match self.bounded("LIST", prefix, self.limit(deadline), page).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            if !error.is_transient() || !self.wait(&mut backoff, deadline).await? {
                return Err(Error::from_store(doing, error));
            }
        }
    }

    /// A request that the store may never answer.
    pub(crate) async fn bounded<T>(
        &self,
        operation: &'static str,
        key: &str,
        limit: Duration,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let sent = self.dates.mark();
        let answer = within(&*self.clock, limit, request).await.unwrap_or_else(|| {
            let message = format!("no answer within {} ms", limit.as_millis());
            Err(StoreError::new(StoreErrorKind::Timeout, operation, key, message))
        });
        let answered = match &answer {
            Ok(_) => true,
            Err(error) => error.status.is_some(),
        };
        if answered {
            self.dates.take(self.store.date(), self.clock.now(), sent);
        }
        answer
    }

    /// The store's Date, if two answers agree on it: only by such a one are pins dropped.
    pub(crate) fn believed_date(&self) -> Option<u64> {
        self.dates.believed(self.store.date(), self.clock.now())
    }

    /// The same, or the only one that it has told so far.
    pub(crate) fn date(&self) -> Option<u64> {
        self.dates.not_contradicted(self.store.date(), self.clock.now())
    }

    /// What the store's Date may be by now, by how long ago it told it. Only a look tells.
    pub(crate) fn date_may_be(&self) -> Option<u64> {
        self.dates.may_be(self.clock.now())
    }

    /// Waits before asking again; false if the deadline comes first.
    pub(crate) async fn wait(&self, backoff: &mut Backoff, deadline: Moment) -> Result<bool> {
        let wait = backoff.next(self.entropy.unit()?);
        match wait.filter(|wait| self.clock.now() + *wait < deadline) {
            Some(wait) => {
                self.clock.sleep(wait).await;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// How long a request may take that must be answered by `deadline`.
    pub(crate) fn limit(&self, deadline: Moment) -> Duration {
        self.request_timeout
            .min(deadline.saturating_sub(self.clock.now()))
    }
}
