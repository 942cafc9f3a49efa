//! HEAD: the one object that is ever replaced. What it holds, its bytes, and the invariants that every HEAD
//! keeps, checked wherever one is decoded or built.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use crate::{
    frame::{self, FormatError, Kind},
    id::{ManifestId, Nonce},
    options::SharedSettings,
};

pub(crate) use change::{Change, Fold, Input, Merge, Swap};
pub(crate) use edit::{Edit, Objection};
pub(crate) use inline::InlineCommit;
pub(crate) use place::Place;
pub(crate) use records::Write;
pub(crate) use references::{
    Collection, FOLDED_MAX, FoldedCommit, LogReference, ObjectReference, Pin, Run, TableReference,
};
pub(crate) use sections::{Extent, extents};
use sections::{Section, Sections};

mod change;
mod edit;
mod inline;
mod invariants;
mod place;
pub(crate) mod records;
mod references;
mod renewed;
mod salvage;
mod sections;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

/// How many (revision, nonce) pairs HEAD keeps.
pub(crate) const NONCES_KEPT: usize = 16;

/// Feature bits that this program knows: none are needed yet.
const KNOWN_FEATURES: u64 = 0;

/// One HEAD, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) manifest: ManifestId,
    pub(crate) writer_features: u64,
    pub(crate) reader_features: u64,
    pub(crate) revision: u64,
    pub(crate) epoch: u64,
    pub(crate) last_txn: u64,
    /// The last HEADs, oldest first, this one last.
    pub(crate) nonces: Vec<(u64, Nonce)>,
    pub(crate) settings: SharedSettings,
    pub(crate) collected_through: u64,
    /// Oldest first.
    pub(crate) log: Vec<LogItem>,
    /// Log objects that were folded lately, oldest first.
    pub(crate) folded: Vec<LogReference>,
    /// Commits that were folded lately out of HEAD itself, oldest first.
    pub(crate) folded_commits: Vec<FoldedCommit>,
    /// Newest first.
    pub(crate) runs: Vec<Run>,
    pub(crate) pins: Vec<Pin>,
    pub(crate) collection: Option<Collection>,
    /// When the epoch was raised last, by the store's Date: what is due to be collected counts from here. 0: not known.
    pub(crate) fenced_unix_ms: u64,
}

/// One item of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogItem {
    Inline(Arc<InlineCommit>),
    Object(LogReference),
}

impl LogItem {
    pub(crate) fn first_txn(&self) -> u64 {
        match self {
            Self::Inline(commit) => commit.txn,
            Self::Object(reference) => reference.first_txn,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Inline(_) => 1,
            Self::Object(reference) => u64::from(reference.count),
        }
    }

    pub(crate) fn last_txn(&self) -> u64 {
        match self {
            Self::Inline(commit) => commit.txn,
            Self::Object(reference) => reference.last_txn(),
        }
    }
}

impl Head {
    /// The first HEAD of a manifest: no commits.
    pub(crate) fn first(manifest: ManifestId, nonce: Nonce, settings: SharedSettings) -> Self {
        Self {
            manifest,
            writer_features: 0,
            reader_features: 0,
            revision: 1,
            epoch: 1,
            last_txn: 0,
            nonces: vec![(1, nonce)],
            settings,
            collected_through: 0,
            log: Vec::new(),
            folded: Vec::new(),
            folded_commits: Vec::new(),
            runs: Vec::new(),
            pins: Vec::new(),
            collection: None,
            fenced_unix_ms: 0,
        }
    }

    /// The HEAD that replaces this one with `commits` appended, which follow `last_txn` in order.
    #[cfg(test)]
    pub(crate) fn with_commits(
        &self,
        nonce: Nonce,
        commits: &[Arc<InlineCommit>],
    ) -> Result<Self, FormatError> {
        let change = Change {
            items: commits.iter().cloned().map(LogItem::Inline).collect(),
            ..Change::default()
        };
        self.replaced(nonce, &change)
    }

    /// This HEAD's own nonce.
    #[cfg(test)]
    pub(crate) fn nonce(&self) -> Option<Nonce> {
        self.nonces.last().map(|(_, nonce)| *nonce)
    }

    /// The nonce of an earlier revision, while it is remembered.
    pub(crate) fn nonce_of(&self, revision: u64) -> Option<Nonce> {
        self.nonces
            .iter()
            .rev()
            .find(|(known, _)| *known == revision)
            .map(|(_, nonce)| *nonce)
    }

    /// The commits that HEAD carries itself, oldest first.
    pub(crate) fn inline_commits(&self) -> impl DoubleEndedIterator<Item = &Arc<InlineCommit>> {
        self.log.iter().filter_map(|item| match item {
            LogItem::Inline(commit) => Some(commit),
            LogItem::Object(_) => None,
        })
    }

    /// The bytes that they take.
    pub(crate) fn inline_bytes(&self) -> usize {
        self.inline_commits().map(|commit| commit.encoded_bytes()).sum()
    }

    /// The log objects, oldest first.
    pub(crate) fn log_objects(&self) -> impl DoubleEndedIterator<Item = &LogReference> {
        self.log.iter().filter_map(|item| match item {
            LogItem::Inline(_) => None,
            LogItem::Object(reference) => Some(reference),
        })
    }

    /// The last commit that lies in runs; 0 if none does.
    pub(crate) fn folded_through(&self) -> u64 {
        self.runs.first().map_or(0, |run| run.last_txn)
    }

    /// Feature bits that forbid this program to write.
    pub(crate) fn unknown_writer_features(&self) -> u64 {
        self.writer_features & !KNOWN_FEATURES
    }

    pub(crate) fn encode(&self) -> Result<Bytes, FormatError> {
        let message = |message: &dyn Fn(&mut BytesMut) -> Result<(), prost::EncodeError>| {
            let mut bytes = BytesMut::new();
            message(&mut bytes).map_err(|error| FormatError::damaged(error.to_string()))?;
            Ok::<_, FormatError>(bytes)
        };
        let log = wire::Log {
            live: self.log_objects().map(|reference| reference.to_wire()).collect(),
            folded: self.folded.iter().map(|reference| reference.to_wire()).collect(),
            folded_commits: self
                .folded_commits
                .iter()
                .map(|commit| commit.to_wire())
                .collect(),
        };
        let runs = wire::Runs {
            runs: self.runs.iter().map(Run::to_wire).collect(),
        };
        let upkeep = wire::Upkeep {
            pins: self.pins.iter().map(Pin::to_wire).collect(),
            collection: self.collection.map(Collection::to_wire),
            fenced_unix_ms: self.fenced_unix_ms,
        };
        let meta = self.meta_to_wire();
        let body = sections::join(&[
            (Section::Meta, message(&|bytes| meta.encode(bytes))?),
            (
                Section::Inline,
                inline::encode(self.inline_commits().rev().map(Arc::as_ref))?,
            ),
            (Section::Log, message(&|bytes| log.encode(bytes))?),
            (Section::Runs, message(&|bytes| runs.encode(bytes))?),
            (Section::Upkeep, message(&|bytes| upkeep.encode(bytes))?),
        ])?;
        Ok(frame::seal(Kind::Head, self.manifest, &body))
    }

    pub(crate) fn decode(framed: Bytes) -> Result<Self, FormatError> {
        let (manifest, body) = frame::open(Kind::Head, framed)?;
        let mut sections = Sections::split(body)?;
        let meta: wire::Meta = message(sections.take(Section::Meta)?, "meta")?;
        // Before anything else is read: what these bits stand for may change its meaning.
        let unknown = meta.reader_features & !KNOWN_FEATURES;
        if unknown != 0 {
            return Err(FormatError::UnknownFeatures { bits: unknown });
        }
        let inline = inline::decode(sections.take(Section::Inline)?)?;
        let log: wire::Log = message(sections.take(Section::Log)?, "log")?;
        let runs: wire::Runs = message(sections.take(Section::Runs)?, "runs")?;
        let upkeep: wire::Upkeep = message(sections.take(Section::Upkeep)?, "upkeep")?;
        let head = Self {
            manifest,
            writer_features: meta.writer_features,
            reader_features: meta.reader_features,
            revision: meta.revision,
            epoch: meta.epoch,
            last_txn: meta.last_txn,
            nonces: nonces_from_wire(meta.nonces)?,
            settings: settings_from_wire(meta.settings)?,
            collected_through: meta.collected_through,
            log: join_log(inline, log.live)?,
            folded: log
                .folded
                .into_iter()
                .map(LogReference::from_wire)
                .collect::<Result<_, _>>()?,
            folded_commits: log
                .folded_commits
                .into_iter()
                .map(FoldedCommit::from_wire)
                .collect::<Result<_, _>>()?,
            runs: runs
                .runs
                .into_iter()
                .map(Run::from_wire)
                .collect::<Result<_, _>>()?,
            pins: upkeep
                .pins
                .into_iter()
                .map(Pin::from_wire)
                .collect::<Result<_, _>>()?,
            collection: upkeep.collection.map(Collection::from_wire).transpose()?,
            fenced_unix_ms: upkeep.fenced_unix_ms,
        };
        head.check()?;
        Ok(head)
    }

    fn meta_to_wire(&self) -> wire::Meta {
        let nonces = self.nonces.iter().map(|(revision, nonce)| wire::RevisionNonce {
            revision: *revision,
            nonce: Bytes::copy_from_slice(&nonce.to_bytes()),
        });
        wire::Meta {
            writer_features: self.writer_features,
            reader_features: self.reader_features,
            revision: self.revision,
            epoch: self.epoch,
            last_txn: self.last_txn,
            nonces: nonces.collect(),
            settings: Some(settings_to_wire(&self.settings)),
            collected_through: self.collected_through,
        }
    }
}

fn message<M: prost::Message + Default>(bytes: Bytes, name: &str) -> Result<M, FormatError> {
    M::decode(bytes).map_err(|error| FormatError::damaged(format!("section {name}: {error}")))
}

fn nonces_from_wire(nonces: Vec<wire::RevisionNonce>) -> Result<Vec<(u64, Nonce)>, FormatError> {
    nonces
        .into_iter()
        .map(|pair| {
            Nonce::from_slice(&pair.nonce)
                .map(|nonce| (pair.revision, nonce))
                .ok_or_else(|| FormatError::damaged("a nonce that is not 16 bytes"))
        })
        .collect()
}

fn settings_to_wire(settings: &SharedSettings) -> wire::Settings {
    wire::Settings {
        retention_ms: u64::try_from(settings.retention.as_millis()).unwrap_or(u64::MAX),
        spill_bytes: settings.spill_bytes,
        spill_keep_bytes: settings.spill_keep_bytes,
        transaction_inline_bytes: settings.transaction_inline_bytes,
        fold_objects: settings.fold_objects,
        fold_bytes: settings.fold_bytes,
        log_objects_max: settings.log_objects_max,
        runs_max: settings.runs_max,
        tier_ratio: settings.tier_ratio,
        table_bytes: settings.table_bytes,
        block_bytes: settings.block_bytes,
    }
}

fn settings_from_wire(settings: Option<wire::Settings>) -> Result<SharedSettings, FormatError> {
    let settings = settings.ok_or_else(|| FormatError::damaged("no settings"))?;
    let settings = SharedSettings {
        retention: std::time::Duration::from_millis(settings.retention_ms),
        spill_bytes: settings.spill_bytes,
        spill_keep_bytes: settings.spill_keep_bytes,
        transaction_inline_bytes: settings.transaction_inline_bytes,
        fold_objects: settings.fold_objects,
        fold_bytes: settings.fold_bytes,
        log_objects_max: settings.log_objects_max,
        runs_max: settings.runs_max,
        tier_ratio: settings.tier_ratio,
        table_bytes: settings.table_bytes,
        block_bytes: settings.block_bytes,
    };
    settings
        .validate()
        .map_err(|error| FormatError::damaged(error.to_string()))?;
    Ok(settings)
}

/// Inline commits come newest first, references oldest first; the log is both in the order of commits.
fn join_log(
    inline: Vec<InlineCommit>,
    references: Vec<wire::LogReference>,
) -> Result<Vec<LogItem>, FormatError> {
    let mut log: Vec<LogItem> = Vec::with_capacity(inline.len() + references.len());
    let mut references = references
        .into_iter()
        .map(LogReference::from_wire)
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .peekable();
    for commit in inline.into_iter().rev() {
        while let Some(reference) = references.next_if(|reference| reference.first_txn < commit.txn) {
            log.push(LogItem::Object(reference));
        }
        log.push(LogItem::Inline(Arc::new(commit)));
    }
    log.extend(references.map(LogItem::Object));
    Ok(log)
}
