//! One suite that every store runs: what the engine relies on, each rule a named check.

use std::{fmt, sync::Arc};

use self::bench::{Bench, Fault};
use super::{BoxFuture, Store, StoreError};
use crate::clock::Clock;

pub(crate) mod bench;
#[cfg(test)]
pub(crate) mod broken;
mod conditions;
mod counting;
mod listing;
mod objects;
mod race;

/// One rule that a store must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// A GET that is sent after a PUT was acknowledged shows what was put.
    ReadAfterWrite,
    /// So does a GET after a PUT that replaced an object.
    ReadAfterOverwrite,
    /// PUT and GET give an object the same ETag, byte for byte.
    ETagOfPutIsThatOfGet,
    /// ETags are strong: `If-Match` never matches a weak one.
    StrongETag,
    /// The ETag changes with the content.
    ETagFollowsContent,
    /// `If-None-Match: *` lets the first PUT through, refuses the second with 412 and leaves the first.
    CreateExisting,
    /// `If-Match` with the current ETag lets a PUT through.
    UpdateCurrent,
    /// `If-Match` with a stale ETag is refused with 412 and changes nothing.
    UpdateStale,
    /// `If-Match` on a missing key is refused with 404 or 412 and creates nothing.
    UpdateMissing,
    /// `If-None-Match` on GET answers 304 while the ETag stands, and the whole object after it changed.
    NotModified,
    /// Of eight creators at once one wins.
    CreateRace,
    /// Of eight writers with the same ETag at once one wins.
    UpdateRace,
    /// A GET of a missing key is a 404.
    GetMissing,
    /// Objects of 0 bytes, 1 byte, 64 KiB and over 5 MiB come back as they went.
    Sizes,
    /// A range gives these bytes; one past the end is refused, one over the end is cut.
    Ranges,
    /// A body longer than the caller takes is refused as too long, and one that is as long comes.
    BytesMax,
    /// Keys with spaces, signs and letters beyond ASCII are put, read, listed and deleted like others.
    OddKeys,
    /// A listing is in byte order, exact about its prefix, and goes on after any key.
    ListOrder,
    /// A listing of more than one page loses and doubles nothing.
    ListPages,
    /// Deleting deletes what was named, all of it and nothing else, and may be repeated.
    Delete,
    /// Eight tasks that read, append and compare-and-swap lose and double nothing.
    LostUpdates,
}

impl Check {
    /// Every check, in the order in which [`run`] makes them.
    pub const ALL: &[Self] = &[
        Self::ReadAfterWrite,
        Self::ReadAfterOverwrite,
        Self::ETagOfPutIsThatOfGet,
        Self::StrongETag,
        Self::ETagFollowsContent,
        Self::CreateExisting,
        Self::UpdateCurrent,
        Self::UpdateStale,
        Self::UpdateMissing,
        Self::NotModified,
        Self::CreateRace,
        Self::UpdateRace,
        Self::GetMissing,
        Self::Sizes,
        Self::Ranges,
        Self::BytesMax,
        Self::OddKeys,
        Self::ListOrder,
        Self::ListPages,
        Self::Delete,
        Self::LostUpdates,
    ];

    /// The checks that a store must pass before a manifest may live on it (DESIGN: what the store must give).
    pub(crate) const OF_THE_PROTOCOL: &[Self] = &[
        Self::ReadAfterWrite,
        Self::ReadAfterOverwrite,
        Self::ETagOfPutIsThatOfGet,
        Self::StrongETag,
        Self::ETagFollowsContent,
        Self::CreateExisting,
        Self::UpdateCurrent,
        Self::UpdateStale,
        Self::UpdateMissing,
        Self::NotModified,
        Self::CreateRace,
        Self::UpdateRace,
    ];

    /// The check's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadAfterWrite => "read_after_write",
            Self::ReadAfterOverwrite => "read_after_overwrite",
            Self::ETagOfPutIsThatOfGet => "etag_of_put_is_that_of_get",
            Self::StrongETag => "strong_etag",
            Self::ETagFollowsContent => "etag_follows_content",
            Self::CreateExisting => "create_existing",
            Self::UpdateCurrent => "update_current",
            Self::UpdateStale => "update_stale",
            Self::UpdateMissing => "update_missing",
            Self::NotModified => "not_modified",
            Self::CreateRace => "create_race",
            Self::UpdateRace => "update_race",
            Self::GetMissing => "get_missing",
            Self::Sizes => "sizes",
            Self::Ranges => "ranges",
            Self::BytesMax => "bytes_max",
            Self::OddKeys => "odd_keys",
            Self::ListOrder => "list_order",
            Self::ListPages => "list_pages",
            Self::Delete => "delete",
            Self::LostUpdates => "lost_updates",
        }
    }

    /// The rule in words.
    pub fn rule(self) -> &'static str {
        match self {
            Self::ReadAfterWrite => "read-after-write",
            Self::ReadAfterOverwrite => "read-after-write of a replaced object",
            Self::ETagOfPutIsThatOfGet => "the ETag of a PUT is that of the GET",
            Self::StrongETag => "ETags are strong",
            Self::ETagFollowsContent => "the ETag changes with the content",
            Self::CreateExisting => "`If-None-Match: *` on PUT",
            Self::UpdateCurrent => "`If-Match` on PUT, with the current ETag",
            Self::UpdateStale => "`If-Match` on PUT, with a stale ETag",
            Self::UpdateMissing => "`If-Match` on PUT of a missing key",
            Self::NotModified => "`If-None-Match` on GET (304)",
            Self::CreateRace => "`If-None-Match: *` on PUT is atomic among racing writers",
            Self::UpdateRace => "`If-Match` on PUT is atomic among racing writers",
            Self::GetMissing => "a GET of a missing key is a 404",
            Self::Sizes => "objects of every size come back as they went",
            Self::Ranges => "a GET of a range gives these bytes",
            Self::BytesMax => "a GET gives no more bytes than the caller takes",
            Self::OddKeys => "every key is kept as it is",
            Self::ListOrder => "listings are in byte order, by exact prefix, after any key",
            Self::ListPages => "listings of many pages are whole",
            Self::Delete => "deletion takes what was named and may be repeated",
            Self::LostUpdates => "read, then compare-and-swap loses no update",
        }
    }

    fn run<'a>(self, bench: &'a Bench<'a>) -> BoxFuture<'a, Result<(), Fault>> {
        match self {
            Self::ReadAfterWrite => Box::pin(conditions::read_after_write(bench)),
            Self::ReadAfterOverwrite => Box::pin(conditions::read_after_overwrite(bench)),
            Self::ETagOfPutIsThatOfGet => Box::pin(conditions::etag_of_put_is_that_of_get(bench)),
            Self::StrongETag => Box::pin(conditions::strong_etag(bench)),
            Self::ETagFollowsContent => Box::pin(conditions::etag_follows_content(bench)),
            Self::CreateExisting => Box::pin(conditions::create_existing(bench)),
            Self::UpdateCurrent => Box::pin(conditions::update_current(bench)),
            Self::UpdateStale => Box::pin(conditions::update_stale(bench)),
            Self::UpdateMissing => Box::pin(conditions::update_missing(bench)),
            Self::NotModified => Box::pin(conditions::not_modified(bench)),
            Self::CreateRace => Box::pin(race::creators(bench)),
            Self::UpdateRace => Box::pin(race::updaters(bench)),
            Self::GetMissing => Box::pin(objects::get_missing(bench)),
            Self::Sizes => Box::pin(objects::sizes(bench)),
            Self::Ranges => Box::pin(objects::ranges(bench)),
            Self::BytesMax => Box::pin(objects::bytes_max(bench)),
            Self::OddKeys => Box::pin(objects::odd_keys(bench)),
            Self::ListOrder => Box::pin(listing::order(bench)),
            Self::ListPages => Box::pin(listing::pages(bench)),
            Self::Delete => Box::pin(objects::delete(bench)),
            Self::LostUpdates => Box::pin(counting::lost_updates(bench)),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A store that passed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// What was checked.
    pub passed: Vec<Check>,
    /// Why objects of the suite are still there, if they are.
    pub not_cleaned: Option<StoreError>,
}

/// The first check that a store did not pass.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{check} ({rule}): expected {expected}, got {got}", rule = check.rule())]
#[non_exhaustive]
pub struct Failure {
    /// The check.
    pub check: Check,
    /// What the rule demands.
    pub expected: String,
    /// What came.
    pub got: String,
    /// The request that failed, if the check could not be made at all.
    pub source: Option<StoreError>,
}

/// Runs every check on objects below `<prefix>conformance/`, one after another, and deletes them at the end,
/// also after a failure (not if the future is dropped). Nothing else may lie or write there. Sends about
/// 2,600 requests, most of them PUTs of a few bytes, and moves about 11 MiB. Needs a tokio runtime.
///
/// Failures that pass (time-outs, broken connections, 409, 5xx, requests to slow down) are tried again, and
/// a PUT whose reply was lost is settled by a GET, so that an unreliable network alone fails nothing.
///
/// # Errors
/// The first check that fails, what it expected and what came.
pub async fn run(store: Arc<dyn Store>, clock: &dyn Clock, prefix: &str) -> Result<Report, Failure> {
    let bench = Bench::new(store, clock, format!("{prefix}conformance/"));
    let outcome = run_checks(&bench, Check::ALL).await;
    let not_cleaned = bench.clean().await.err();
    match outcome {
        Ok(()) => Ok(Report {
            passed: Check::ALL.to_vec(),
            not_cleaned,
        }),
        Err((check, Fault::Unfit { expected, got })) => Err(Failure {
            check,
            expected,
            got,
            source: None,
        }),
        Err((check, Fault::Undecided(got))) => Err(Failure {
            check,
            expected: "a winner".to_owned(),
            got,
            source: None,
        }),
        Err((check, Fault::Store(error))) => Err(Failure {
            check,
            expected: "an answer".to_owned(),
            got: error.to_string(),
            source: Some(error),
        }),
    }
}

/// Runs `checks` in order up to the first that fails. Leaves the cleaning to the caller.
pub(crate) async fn run_checks(bench: &Bench<'_>, checks: &[Check]) -> Result<(), (Check, Fault)> {
    for check in checks {
        check.run(bench).await.map_err(|fault| (*check, fault))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
