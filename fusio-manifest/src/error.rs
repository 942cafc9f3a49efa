//! One error type, sorted by what the caller does next.

use std::{fmt, sync::Arc};

use crate::{
    entropy::EntropyFailed,
    receipt::{Attempt, CommitToken},
    store::{StoreError, probe::ProbeError},
};

/// What a failed call means for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What the transaction read was overwritten. Not committed: run it again from its beginning.
    Conflict,
    /// A single-attempt commit lost its race. Not committed: run it again from its beginning.
    PreconditionFailed,
    /// The commit may or may not be durable, now or later. Ask [`crate::Manifest::outcome`] with the token.
    CommitUnknown,
    /// The deadline passed. Not committed: nothing was sent, or what was sent lost its race.
    DeadlineExceeded,
    /// As many commits of the handle are under way as may be. Not committed: slow down.
    Busy,
    /// The state is older than the retention, or its pin is gone, and part of it has been collected. Begin again.
    SnapshotExpired,
    /// A key, value, transaction or setting is out of its range; the message names the range.
    Invalid,
    /// The manifest has no room for this commit. Not committed.
    Full,
    /// There is no manifest here, or no pin of this name. Create one, or look at the prefix.
    NotFound,
    /// There is a pin of this name already: release it, or choose another name. Or there is a HEAD, or there are objects of
    /// a manifest, where none should be.
    AlreadyExists,
    /// HEAD of an open manifest is gone, or objects of a manifest lie here without one.
    HeadLost,
    /// HEAD now belongs to another manifest.
    Replaced,
    /// The store did not answer, or asked to slow down. Nothing was committed: try again later.
    Unavailable,
    /// The store refused the request: credentials, policy, region or settings.
    Refused,
    /// An object's bytes are not what was written. See the message for which.
    Corrupt,
    /// The manifest was written by a newer version, or with features that this one does not know. Upgrade.
    Unsupported,
    /// The store showed an older state after a newer one. The handle has stopped; see the store.
    StoreWentBack,
    /// The store does not keep the conditions that commits rely on. Do not use it.
    UnfitStore,
    /// The handle is closed.
    Closed,
}

/// What went wrong, with what to do about it ([`kind`](Error::kind)) and where (its message).
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<StoreError>,
    attempts: Vec<Attempt>,
    token: Option<CommitToken>,
}

/// The result of a call to the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            source: None,
            attempts: Vec::new(),
            token: None,
        }))
    }

    /// Of a request that was not a commit, or of which it is certain that it was not applied.
    pub(crate) fn from_store(doing: &str, source: StoreError) -> Self {
        let kind = if source.is_transient() {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Refused
        };
        Self::from_store_as(kind, doing, source)
    }

    pub(crate) fn from_store_as(kind: ErrorKind, doing: impl Into<String>, source: StoreError) -> Self {
        Self::new(kind, doing).with(|inner| inner.source = Some(source))
    }

    /// Of a commit that may be durable or become so; `cause` is why that could not be found out.
    pub(crate) fn unknown(token: CommitToken, cause: &str) -> Self {
        let message = format!(
            "whether transaction {} is committed is unknown: {cause}",
            token.id
        );
        Self::new(ErrorKind::CommitUnknown, message).with(|inner| inner.token = Some(token))
    }

    #[must_use]
    pub(crate) fn with_attempts(self, attempts: Vec<Attempt>) -> Self {
        self.with(|inner| inner.attempts = attempts)
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// What the failure means for the caller.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// True if the transaction lost to another one, and running it again is the answer.
    pub fn is_conflict(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Conflict | ErrorKind::PreconditionFailed)
    }

    /// True if nothing was committed and the same work may succeed when it is begun again.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Conflict
                | ErrorKind::PreconditionFailed
                | ErrorKind::SnapshotExpired
                | ErrorKind::Unavailable
                | ErrorKind::DeadlineExceeded
                | ErrorKind::Busy
        )
    }

    /// True if a commit may be durable in spite of the error. [`token`](Error::token) is set.
    pub fn outcome_unknown(&self) -> bool {
        self.0.kind == ErrorKind::CommitUnknown
    }

    /// What to ask about a commit whose outcome is unknown.
    pub fn token(&self) -> Option<&CommitToken> {
        self.0.token.as_ref()
    }

    /// Each PUT of HEAD that carried the transaction which failed.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The store's answer, if one was the cause.
    pub fn store_error(&self) -> Option<&StoreError> {
        self.0.source.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.to_string())
            .field("attempts", &self.0.attempts.len())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

impl From<ProbeError> for Error {
    fn from(error: ProbeError) -> Self {
        match error {
            ProbeError::Unfit { .. } => Self::new(ErrorKind::UnfitStore, error.to_string()),
            ProbeError::Inconclusive { .. } => Self::new(ErrorKind::Unavailable, error.to_string()),
            ProbeError::Unanswered { check, source } => Self::from_store(
                &format!("asking the store whether {} holds", check.rule()),
                source,
            ),
            ProbeError::Entropy(failed) => failed.into(),
        }
    }
}

impl From<EntropyFailed> for Error {
    fn from(failed: EntropyFailed) -> Self {
        Self::new(ErrorKind::Unavailable, failed.to_string())
    }
}
