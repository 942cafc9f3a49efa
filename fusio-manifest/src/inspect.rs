//! What HEAD says of its manifest, for people and programs that operate it: sizes, runs, log, pins, garbage, age.

use std::{collections::HashSet, sync::Arc, time::Duration};

use crate::{
    access::{Access, Purpose},
    error::{Error, ErrorKind, Result},
    frame::{FORMAT_VERSION, HEADER_BYTES},
    head::{Extent, Head, LogReference, Pin, Run, extents},
    id::{Keys, ManifestId, ObjectName},
    immutable::Unread,
    listing::{Amount, Garbage, Listing},
    maintenance::pin,
    options::{Options, SharedSettings},
    store::{Store, meter::RequestCounts},
};

mod words;

/// What is to be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inspect {
    /// What HEAD says: one GET.
    #[default]
    Head,
    /// Also what nothing references: a LIST for each 1,000 objects below the prefix, and a GET of each pin.
    Garbage,
}

/// A section of HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SectionInfo {
    /// What it holds.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: usize,
}

/// A log object that HEAD names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogObjectInfo {
    /// Its name.
    pub name: ObjectName,
    /// Its first commit.
    pub first_txn: u64,
    /// How many commits it holds.
    pub commits: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// A run that HEAD names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunInfo {
    /// The first commit that it covers.
    pub first_txn: u64,
    /// The last one.
    pub last_txn: u64,
    /// Its tier: runs of one tier are merged into one of the next.
    pub tier: u32,
    /// Of how many tables it consists.
    pub tables: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// A pin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PinnedInfo {
    /// Its name.
    pub name: String,
    /// The revision of HEAD that it keeps.
    pub revision: u64,
    /// The object that holds the copy of that HEAD.
    pub object: ObjectName,
    /// When it expires, in milliseconds of Unix time by the store's Date; `None`: when it is released.
    pub expires_unix_ms: Option<u64>,
}

/// The collection under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectionInfo {
    /// The list of what it is to delete.
    pub list: ObjectName,
    /// When it was listed, in milliseconds of Unix time by the store's Date.
    pub listed_unix_ms: u64,
    /// True if the retention is over and it is being deleted.
    pub condemned: bool,
}

/// What was found out about a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Where it is.
    pub place: String,
    /// Its id.
    pub manifest: ManifestId,
    /// The format version of its HEAD.
    pub format: u8,
    /// Features that a program must know to read it.
    pub reader_features: u64,
    /// Features that a program must know to change it.
    pub writer_features: u64,
    /// The revision of HEAD: how often it was replaced, counted from 1.
    pub revision: u64,
    /// The collector's epoch.
    pub epoch: u64,
    /// The newest commit.
    pub last_txn: u64,
    /// The newest commit that lies in runs.
    pub folded_through: u64,
    /// The settings that all handles share.
    pub settings: SharedSettings,
    /// The bytes of HEAD.
    pub head_bytes: usize,
    /// Its sections.
    pub sections: Vec<SectionInfo>,
    /// The commits that stand in HEAD.
    pub inline_commits: usize,
    /// Their bytes.
    pub inline_bytes: usize,
    /// The log objects, oldest first.
    pub log: Vec<LogObjectInfo>,
    /// The runs, newest first.
    pub runs: Vec<RunInfo>,
    /// The pins.
    pub pins: Vec<PinnedInfo>,
    /// States before this revision can no longer be pinned: what they need may be deleted.
    pub collected_through: u64,
    /// The collection under way, if there is one.
    pub collection: Option<CollectionInfo>,
    /// When the last collection, or the manifest, began, in milliseconds of Unix time by the store's Date.
    pub fenced_unix_ms: Option<u64>,
    /// The store's Date when HEAD was read, in milliseconds of Unix time.
    pub date_unix_ms: Option<u64>,
    /// What nothing references, if that was asked for.
    pub garbage: Option<Garbage>,
    /// The requests that it took.
    pub requests: RequestCounts,
}

impl Inspection {
    /// The log objects together.
    pub fn log_amount(&self) -> Amount {
        Amount::of(self.log.iter().map(|object| object.bytes))
    }

    /// The tables together.
    pub fn table_amount(&self) -> Amount {
        Amount {
            objects: self.runs.iter().map(|run| run.tables as u64).sum(),
            bytes: self.runs.iter().map(|run| run.bytes).sum(),
        }
    }

    /// How long ago the last collection, or the manifest, began, by the store's Date.
    pub fn since_fence(&self) -> Option<Duration> {
        let span = self.date_unix_ms?.saturating_sub(self.fenced_unix_ms?);
        Some(Duration::from_millis(span))
    }
}

/// Reads HEAD of the manifest under `prefix` and tells what it says; changes nothing.
///
/// # Errors
///
/// [`NotFound`](ErrorKind::NotFound) if there is no manifest; [`Corrupt`](ErrorKind::Corrupt) if its HEAD, or, where
/// garbage is asked for, a pin, cannot be read: [`verify`](crate::verify()) tells more.
pub async fn inspect(
    store: Arc<dyn Store>,
    prefix: &str,
    options: &Options,
    what: Inspect,
) -> Result<Inspection> {
    options.validate()?;
    let access = Access::new(store, Keys::new(prefix)?, options);
    let deadline = || access.clock.now().saturating_add(options.read_timeout);
    // Before HEAD: what is written after it is no garbage.
    let listing = match what {
        Inspect::Head => None,
        Inspect::Garbage => Some(Listing::read(&access, deadline).await?),
    };
    let place = format!("\"{}\" in {}", access.keys.head(), access.store.describe());
    let Some((bytes, _)) = access.read_head(deadline(), Purpose::Maintenance).await? else {
        let message = format!("no manifest at {place}: check bucket and prefix");
        return Err(Error::new(ErrorKind::NotFound, message));
    };
    let head = Head::decode(bytes.clone()).map_err(|error| error.in_object(access.keys.head()))?;
    let garbage = match listing {
        None => None,
        Some(listing) => {
            let mut named: HashSet<_> = head.live().collect();
            for kept in &head.pins {
                match pin::read(&access, head.manifest, kept, deadline(), Purpose::Maintenance).await {
                    Ok(copy) => named.extend(copy.needed()),
                    Err(Unread::Failed(error)) => return Err(error),
                    Err(Unread::Gone(name)) => {
                        let message = format!("pin {:?}: object {name} is not there", kept.name);
                        return Err(Error::new(ErrorKind::Corrupt, message));
                    }
                }
            }
            Some(listing.garbage(head.manifest, head.epoch, &named))
        }
    };
    Ok(Inspection {
        place,
        date_unix_ms: access.store.date(),
        garbage,
        requests: access.maintenance.counts(),
        ..said(&head, &bytes)
    })
}

/// What HEAD says by itself.
fn said(head: &Head, bytes: &[u8]) -> Inspection {
    let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let sections = extents(body).unwrap_or_default();
    let section = |extent: &Extent| SectionInfo {
        name: extent.name(),
        bytes: extent.bytes,
    };
    let collection = head.collection.map(|collection| CollectionInfo {
        list: collection.list.name,
        listed_unix_ms: collection.listed_unix_ms,
        condemned: collection.condemned,
    });
    Inspection {
        place: String::new(),
        manifest: head.manifest,
        format: FORMAT_VERSION,
        reader_features: head.reader_features,
        writer_features: head.writer_features,
        revision: head.revision,
        epoch: head.epoch,
        last_txn: head.last_txn,
        folded_through: head.folded_through(),
        settings: head.settings,
        head_bytes: bytes.len(),
        sections: sections.iter().map(section).collect(),
        inline_commits: head.inline_commits().count(),
        inline_bytes: head.inline_bytes(),
        log: head.log_objects().map(LogObjectInfo::of).collect(),
        runs: head
            .runs
            .iter()
            .map(|run| RunInfo::of(run, &head.settings))
            .collect(),
        pins: head.pins.iter().map(PinnedInfo::of).collect(),
        collected_through: head.collected_through,
        collection,
        fenced_unix_ms: Some(head.fenced_unix_ms).filter(|unix_ms| *unix_ms != 0),
        date_unix_ms: None,
        garbage: None,
        requests: RequestCounts::default(),
    }
}

impl LogObjectInfo {
    fn of(reference: &LogReference) -> Self {
        Self {
            name: reference.object.name,
            first_txn: reference.first_txn,
            commits: u64::from(reference.count),
            bytes: reference.object.bytes,
        }
    }
}

impl RunInfo {
    fn of(run: &Run, settings: &SharedSettings) -> Self {
        Self {
            first_txn: run.first_txn,
            last_txn: run.last_txn,
            tier: crate::commit::tier(run.bytes(), settings.tier_ratio),
            tables: run.tables.len(),
            bytes: run.bytes(),
        }
    }
}

impl PinnedInfo {
    fn of(pin: &Pin) -> Self {
        Self {
            name: pin.name.clone(),
            revision: pin.revision,
            object: pin.object.name,
            expires_unix_ms: Some(pin.expires_unix_ms).filter(|unix_ms| *unix_ms != 0),
        }
    }
}
