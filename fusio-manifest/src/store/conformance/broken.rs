//! Stores that are wrong on purpose.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::Check;
use crate::store::{
    BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode, Store, StoreError, StoreErrorKind,
    memory::MemoryStore,
};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    IgnoresIfMatch,
    IgnoresIfNoneMatch,
    UpdatesMissingKeys,
    WeakETags,
    ConstantETags,
    OtherETagOnPut,
    NeverNotModified,
    AlwaysNotModified,
    KnowsNoConditions,
    RefusesEveryUpdate,
    /// Every second PUT of a key that exists is acknowledged and dropped.
    DropsOverwrites,
    ChecksThenActs,
    /// The conditions hold for PUTs that create, and are checked before the act for the others.
    UpdatesNotAtomic,
    LosesReplies,
    LosesRequests,
    /// Sends every third PUT twice and answers for the second.
    ReplaysPuts,
    Denies,
    Down,
    /// 409 to whoever is not alone.
    RefusesRacers,
    IgnoresBytesMax,
}

impl Flaw {
    /// The flaws that make a store unfit, the check that must find each, and words of the probe's message.
    pub(crate) const UNFIT: &[(Self, Check, &str)] = &[
        (
            Self::DropsOverwrites,
            Check::ReadAfterOverwrite,
            "read-after-write",
        ),
        (Self::OtherETagOnPut, Check::ETagOfPutIsThatOfGet, "ETag of a PUT"),
        (Self::WeakETags, Check::StrongETag, "ETags are strong"),
        (
            Self::ConstantETags,
            Check::ETagFollowsContent,
            "changes with the content",
        ),
        (
            Self::IgnoresIfNoneMatch,
            Check::CreateExisting,
            "`If-None-Match: *`",
        ),
        (
            Self::KnowsNoConditions,
            Check::CreateExisting,
            "`If-None-Match: *`",
        ),
        (Self::RefusesEveryUpdate, Check::UpdateCurrent, "`If-Match`"),
        (Self::IgnoresIfMatch, Check::UpdateStale, "`If-Match`"),
        (Self::UpdatesMissingKeys, Check::UpdateMissing, "`If-Match`"),
        (Self::NeverNotModified, Check::NotModified, "304"),
        (Self::AlwaysNotModified, Check::NotModified, "304"),
        (
            Self::ChecksThenActs,
            Check::CreateRace,
            "`If-None-Match: *` on PUT is atomic",
        ),
        (
            Self::UpdatesNotAtomic,
            Check::UpdateRace,
            "`If-Match` on PUT is atomic",
        ),
    ];
}

/// A [`MemoryStore`] with one flaw.
#[derive(Debug)]
pub(crate) struct Broken {
    inner: MemoryStore,
    flaw: Flaw,
    puts: AtomicU64,
}

impl Broken {
    pub(crate) fn new(inner: MemoryStore, flaw: Flaw) -> Self {
        Self {
            inner,
            flaw,
            puts: AtomicU64::new(0),
        }
    }

    fn shown(&self, etag: ETag, put: bool) -> ETag {
        match self.flaw {
            Flaw::WeakETags => ETag::new(format!("W/{etag}")),
            Flaw::ConstantETags => ETag::new("\"same\""),
            Flaw::OtherETagOnPut if put => ETag::new(etag.as_str().to_uppercase()),
            _ => etag,
        }
    }

    async fn current(&self, key: &str) -> Option<ETag> {
        match self.inner.get(key, GetOptions::default()).await {
            Ok(GetAnswer::Found { etag, .. }) => Some(etag),
            _ => None,
        }
    }

    /// What a file system does that knows no compare-and-swap.
    async fn check_then_act(&self, key: &str, body: Bytes, mode: PutMode) -> Result<ETag, StoreError> {
        let current = self.current(key).await;
        let holds = match &mode {
            PutMode::Create => current.is_none(),
            PutMode::Update(etag) => current.as_ref() == Some(etag),
            PutMode::Overwrite => true,
        };
        tokio::task::yield_now().await;
        let mode = if holds { PutMode::Overwrite } else { mode };
        self.inner.put(key, body, mode).await
    }

    async fn put_flawed(&self, key: &str, body: Bytes, mode: PutMode) -> Result<ETag, StoreError> {
        let number = self.puts.fetch_add(1, Ordering::Relaxed);
        let error = |kind, status: Option<u16>| {
            let error = StoreError::new(kind, "PUT", key, format!("flaw: {:?}", self.flaw));
            Err(status.into_iter().fold(error, StoreError::with_status))
        };
        let update = matches!(mode, PutMode::Update(_));
        match self.flaw {
            Flaw::IgnoresIfMatch if update && self.current(key).await.is_some() => {
                self.inner.put(key, body, PutMode::Overwrite).await
            }
            Flaw::UpdatesMissingKeys if update && self.current(key).await.is_none() => {
                self.inner.put(key, body, PutMode::Overwrite).await
            }
            Flaw::IgnoresIfNoneMatch if mode == PutMode::Create => {
                self.inner.put(key, body, PutMode::Overwrite).await
            }
            Flaw::KnowsNoConditions if mode != PutMode::Overwrite => error(StoreErrorKind::Server, Some(501)),
            Flaw::RefusesEveryUpdate if update => error(StoreErrorKind::PreconditionFailed, Some(412)),
            Flaw::DropsOverwrites if number % 2 == 1 && self.current(key).await.is_some() => {
                Ok(ETag::new("\"dropped\""))
            }
            Flaw::ChecksThenActs => self.check_then_act(key, body, mode).await,
            Flaw::UpdatesNotAtomic if update => self.check_then_act(key, body, mode).await,
            Flaw::LosesReplies if number % 3 == 2 => {
                let _ = self.inner.put(key, body, mode).await;
                error(StoreErrorKind::Timeout, None)
            }
            Flaw::LosesRequests if number % 3 == 2 => error(StoreErrorKind::SlowDown, Some(503)),
            Flaw::ReplaysPuts if number % 3 == 2 => {
                let _ = self.inner.put(key, body.clone(), mode.clone()).await;
                self.inner.put(key, body, mode).await
            }
            Flaw::Denies => error(StoreErrorKind::Denied, Some(403)),
            Flaw::Down => error(StoreErrorKind::Connection, None),
            Flaw::RefusesRacers if key.contains("race-") => error(StoreErrorKind::Conflict, Some(409)),
            _ => self.inner.put(key, body, mode).await,
        }
    }
}

impl Store for Broken {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(async move {
            let conditional = options.if_none_match.is_some();
            let options = match self.flaw {
                Flaw::NeverNotModified => GetOptions {
                    if_none_match: None,
                    ..options
                },
                Flaw::IgnoresBytesMax => GetOptions {
                    bytes_max: None,
                    ..options
                },
                _ => options,
            };
            match self.inner.get(key, options).await? {
                GetAnswer::Found { .. } if conditional && self.flaw == Flaw::AlwaysNotModified => {
                    Ok(GetAnswer::NotModified)
                }
                GetAnswer::Found { bytes, etag } => Ok(GetAnswer::Found {
                    bytes,
                    etag: self.shown(etag, false),
                }),
                GetAnswer::NotModified => Ok(GetAnswer::NotModified),
            }
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move { Ok(self.shown(self.put_flawed(key, body, mode).await?, true)) })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.delete(keys)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        self.inner.list(prefix, after)
    }

    fn describe(&self) -> String {
        format!("memory that {:?}", self.flaw)
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }
}
