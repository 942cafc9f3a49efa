//! The conditional object API that the engine needs: five calls, and answers sorted by what they prove.
//!
//! A [`Store`] sends each call at most once. It never retries: a retried conditional PUT can meet its own
//! success and report it as a failure, so retrying is the business of the protocol above.

use std::{fmt, future::Future, ops::Range, pin::Pin, sync::Arc};

use bytes::Bytes;

pub mod conformance;
pub(crate) mod memory;
pub(crate) mod meter;
pub(crate) mod probe;
#[cfg(feature = "s3")]
pub(crate) mod s3;

/// A boxed future, so that a [`Store`] can be held as `Arc<dyn Store>`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The longest ETag that is taken: S3's have some 40 bytes, and each is kept, sent back and put into tokens.
const ETAG_BYTES_MAX: usize = 1_024;

/// An entity tag, kept byte for byte as the store sent it, quotes included.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ETag(Arc<str>);

impl ETag {
    /// Wraps the header's value as it came.
    pub fn new(header: impl Into<Arc<str>>) -> Self {
        Self(header.into())
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Why no PUT can be made on the condition that an object has this ETag, if so.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        if self.0.is_empty() {
            Some("that is empty")
        } else if self.is_weak() {
            Some("that is weak")
        } else if self.0.len() > ETAG_BYTES_MAX {
            Some("of more than 1 KiB")
        } else if !self.0.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            Some("that cannot be sent back")
        } else {
            None
        }
    }

    /// True of `W/"..."`, which by RFC 9110 never satisfies If-Match.
    pub fn is_weak(&self) -> bool {
        self.0.starts_with("W/")
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The condition of a PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutMode {
    /// Only if the key does not exist (`If-None-Match: *`).
    Create,
    /// Only if the key's object still has this ETag (`If-Match`).
    Update(ETag),
    /// Whatever is there.
    Overwrite,
}

/// What a GET asks for beyond the key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// Answer [`GetAnswer::NotModified`] if the object still has this ETag (`If-None-Match`).
    pub if_none_match: Option<ETag>,
    /// Only these bytes of the object.
    pub range: Option<Range<u64>>,
    /// What the caller takes at most: a longer body is [`StoreErrorKind::TooLong`], as soon as it is known to be longer,
    /// and no more of it is kept. A range is bounded by itself too.
    pub bytes_max: Option<u64>,
}

impl GetOptions {
    /// The most bytes that may come; `None`: any.
    pub fn most(&self) -> Option<u64> {
        let range = self
            .range
            .as_ref()
            .map(|range| range.end.saturating_sub(range.start));
        match (range, self.bytes_max) {
            (Some(range), Some(most)) => Some(range.min(most)),
            (range, most) => range.or(most),
        }
    }
}

/// The answer to a GET that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GetAnswer {
    /// The object still has the ETag that was asked about (304).
    NotModified,
    /// The object, or the range of it that was asked for.
    Found {
        /// The body.
        bytes: Bytes,
        /// The object's ETag.
        etag: ETag,
    },
}

/// One page of a listing, in byte order of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// The objects: 1,000 at most on S3.
    pub objects: Vec<ListedObject>,
    /// True if there are more after the last one of this page.
    pub more: bool,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// The whole key.
    pub key: String,
    /// The object's length in bytes.
    pub bytes: u64,
}

/// A bucket, seen through the calls that the engine needs.
///
/// # What an implementation must give
///
/// Strong read-after-write, atomic conditions on [`put`](Store::put), strong ETags that change with the
/// bytes, and honest errors: an error whose [`is_definite`](StoreError::is_definite) is true says that the
/// request was not applied and never will be. [`conformance::run`] checks an implementation.
///
/// Each call sends one request at most and is safe to drop; a dropped PUT may still be applied.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Reads an object, or a range of it. A missing key is [`StoreErrorKind::NotFound`], a body that is longer than
    /// [`GetOptions::bytes_max`] is [`StoreErrorKind::TooLong`] and is not held in memory.
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>>;

    /// Writes an object if the condition holds, and returns its new ETag.
    fn put<'a>(&'a self, key: &'a str, body: Bytes, mode: PutMode)
    -> BoxFuture<'a, Result<ETag, StoreError>>;

    /// Deletes up to 1,000 objects; a key that does not exist is not an error.
    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Lists keys that begin with `prefix` and come after `after`, a page at a time.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>>;

    /// A word about where this is, for messages: `s3://bucket at endpoint`.
    fn describe(&self) -> String;

    /// The `Date` of the newest answer, in milliseconds of Unix time: the store's own time, by which the retention of
    /// what nothing references and the expiry of pins are measured. A wrapper passes on what its inner store tells.
    ///
    /// `None` before the first answer, and always of a store that does not tell: nothing is collected from it then, and
    /// pins cannot expire. There is no default: a wrapper that forgot to pass it on would switch collection off unseen.
    fn date(&self) -> Option<u64>;

    /// Something that makes the store unfit or costly though its conditions hold, such as a bucket that
    /// keeps every version. Called once by `create`; the default asks nothing and says nothing.
    fn warning(&self) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
}

/// Why a request failed, by what the answer proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// 412: the condition did not hold.
    PreconditionFailed,
    /// 409: a concurrent write or delete of the same key.
    Conflict,
    /// 404: no such key, or no such bucket.
    NotFound,
    /// 403, or 400 that speaks of expired or unknown credentials: not allowed.
    Denied,
    /// 400 or 413: the store does not accept this request.
    Rejected,
    /// Nothing left this process: no credentials, a bad setting, a spent request budget.
    NotSent,
    /// 429 or 503: too many requests.
    SlowDown,
    /// 408 or another 5xx.
    Server,
    /// No answer in time.
    Timeout,
    /// The connection failed or broke.
    Connection,
    /// An answer that means nothing here: a redirect, another status, a body that breaks off, no ETag.
    Unexpected,
    /// An answer that is longer than what was asked for can be. What was over was not kept.
    TooLong,
}

/// A request that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{operation} {key}: {message}")]
pub struct StoreError {
    /// What the answer proves.
    pub kind: StoreErrorKind,
    /// The call: `GET`, `PUT`, `DELETE` or `LIST`.
    pub operation: &'static str,
    /// The key, or the prefix of a listing.
    pub key: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What happened, for people; never holds credentials.
    pub message: String,
}

impl StoreError {
    /// An error without a status.
    pub fn new(
        kind: StoreErrorKind,
        operation: &'static str,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            operation,
            key: key.into(),
            status: None,
            message: message.into(),
        }
    }

    /// The same with the HTTP status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// True if this request was not applied and never will be. Of a PUT, anything else is *unknown*: it may
    /// have been applied, or may be yet.
    pub fn is_definite(&self) -> bool {
        match self.kind {
            StoreErrorKind::PreconditionFailed
            | StoreErrorKind::Conflict
            | StoreErrorKind::NotFound
            | StoreErrorKind::Denied
            | StoreErrorKind::Rejected
            | StoreErrorKind::NotSent => true,
            StoreErrorKind::SlowDown
            | StoreErrorKind::Server
            | StoreErrorKind::Timeout
            | StoreErrorKind::Connection
            | StoreErrorKind::Unexpected
            | StoreErrorKind::TooLong => false,
        }
    }

    /// True of a PUT that was answered as done, in a way that proves nothing: the object itself does.
    pub(crate) fn is_not_believed(&self) -> bool {
        self.kind == StoreErrorKind::Unexpected && self.status.is_none()
    }

    /// True if the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            StoreErrorKind::SlowDown
                | StoreErrorKind::Server
                | StoreErrorKind::Timeout
                | StoreErrorKind::Connection
        )
    }

    /// Sorts an HTTP status by what it proves.
    pub fn kind_of_status(status: u16) -> StoreErrorKind {
        match status {
            412 => StoreErrorKind::PreconditionFailed,
            409 => StoreErrorKind::Conflict,
            404 => StoreErrorKind::NotFound,
            403 => StoreErrorKind::Denied,
            400 | 413 => StoreErrorKind::Rejected,
            429 | 503 => StoreErrorKind::SlowDown,
            408 | 500..=599 => StoreErrorKind::Server,
            _ => StoreErrorKind::Unexpected,
        }
    }
}
