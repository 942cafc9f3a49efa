//! Checks a table, a few blocks at a time: checksums, the order of its keys, their places, their commits, the filter.

use std::{
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    finding::{Damage, Flaw, KeySpan, Place, readable},
    part::Checked,
    source::{Bits, Source, foreign, wrong_length},
};
use crate::{
    error::Result,
    frame::{HEADER_BYTES, Header, Kind},
    head::{Run, TableReference},
    id::{Folder, ManifestId},
    spawned::Spawned,
    table::{Block, BlockHandle, Footer},
    version::Entry,
};

/// About what one request asks for.
const SPAN_BYTES: u64 = 1024 * 1024;

/// A table, and what it must hold by its place in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tabled {
    pub(super) reference: TableReference,
    txns: RangeInclusive<u64>,
    /// The lower bound of the table after it.
    next: Option<Bytes>,
}

impl Tabled {
    /// The tables of a run.
    pub(super) fn of(run: &Run) -> impl Iterator<Item = Self> {
        let nexts = run
            .tables
            .iter()
            .skip(1)
            .map(|next| Some(next.lower_bound.clone()));
        let nexts = nexts.chain(std::iter::once(None));
        run.tables.iter().zip(nexts).map(|(reference, next)| Self {
            reference: reference.clone(),
            txns: run.first_txn..=run.last_txn,
            next,
        })
    }

    pub(super) fn txns(&self) -> RangeInclusive<u64> {
        self.txns.clone()
    }

    /// The keys that it holds if they are there.
    pub(super) fn keys(&self) -> KeySpan {
        let mut end = self.reference.upper_bound.to_vec();
        // The end of a span is not part of it, and the upper bound may be a key.
        end.push(0);
        (self.reference.lower_bound.clone(), Some(end.into()))
    }
}

pub(super) async fn check(source: &Arc<Source>, manifest: ManifestId, table: &Tabled) -> Result<Checked> {
    let reference = &table.reference;
    let spot = Spot {
        source,
        manifest,
        reference,
    };
    let range = match Footer::range(reference) {
        Ok(range) => range,
        Err(error) => {
            let flaw = Flaw::new(Damage::Malformed, Place::Footer, error.to_string());
            return Ok(Checked::flawed(flaw));
        }
    };
    let Bits::Read(mut bytes) = spot.read(range.start..range.end.saturating_add(1)).await? else {
        return Ok(Checked::gone());
    };
    let mut checked = Checked::default();
    let footer_bytes = range.end - range.start;
    if bytes.len() as u64 > footer_bytes {
        checked.flaws.push(wrong_length(range.end, range.end + 1));
        bytes.truncate(usize::try_from(footer_bytes).unwrap_or(usize::MAX));
    }
    let footer = match Footer::decode(manifest, reference, bytes.clone()) {
        Ok(footer) => footer,
        Err(error) => {
            let flaw = spot
                .flaw_of_footer(&bytes, footer_bytes, error.to_string())
                .await?;
            return Ok(match flaw {
                Some(flaw) => Checked::flawed(flaw),
                None => Checked::gone(),
            });
        }
    };
    let mut walk = Walk {
        table,
        footer: &footer,
        last: None,
        entries: 0,
        whole: true,
        body: 0,
        flaws: Flaws::default(),
    };
    let mut header = None;
    let mut left = spans(&footer).map(|blocks| spot.ask(&footer, blocks));
    let mut next = left.next();
    while let Some(span) = next.take() {
        // While this one is checked the next one comes.
        next = left.next();
        let (start, bytes) = match span.bytes.join().await?? {
            Bits::Read(bytes) => (span.start, bytes),
            Bits::Gone => return Ok(Checked::gone()),
        };
        if start == 0 {
            header = Some(part(start, &bytes, 0..HEADER_BYTES as u64));
        }
        for index in span.blocks {
            if let Some(handle) = footer.block(index) {
                walk.block(index, handle, part(start, &bytes, handle.range.clone()));
            }
        }
        tokio::task::yield_now().await;
    }
    drop(left);
    checked.entries = walk.entries;
    walk.end(&bytes, header.as_deref().unwrap_or_default(), range.end);
    checked.flaws.extend(walk.flaws.list);
    Ok(checked)
}

/// Neighbouring blocks that are read at once.
fn spans(footer: &Footer) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = next;
        let start = footer.block(first)?.range.start;
        while let Some(block) = footer.block(next)
            && (next == first || block.range.end - start <= SPAN_BYTES)
        {
            next += 1;
        }
        Some(first..next)
    })
}

/// One table in the store.
struct Spot<'a> {
    source: &'a Arc<Source>,
    manifest: ManifestId,
    reference: &'a TableReference,
}

impl Spot<'_> {
    async fn read(&self, range: Range<u64>) -> Result<Bits> {
        let name = self.reference.object.name;
        self.source.read(Folder::Table, self.manifest, name, range).await
    }

    /// Why a footer is not the one that is named. None if the table has gone meanwhile.
    async fn flaw_of_footer(&self, bytes: &Bytes, expected: u64, error: String) -> Result<Option<Flaw>> {
        let Bits::Read(header) = self.read(0..HEADER_BYTES as u64).await? else {
            return Ok(None);
        };
        if let Some(flaw) = foreign(Kind::Table, self.manifest, self.reference.object.bytes, &header) {
            return Ok(Some(flaw));
        }
        let (footer_offset, named) = (self.reference.footer_offset, self.reference.object.bytes);
        let (damage, place, detail) = if bytes.is_empty() {
            let detail = format!("it ends before its footer, at byte {footer_offset}");
            (Damage::Length, Place::Whole, detail)
        } else if (bytes.len() as u64) < expected {
            return Ok(Some(wrong_length(named, footer_offset + bytes.len() as u64)));
        } else if crc32c::crc32c(bytes) == self.reference.object.crc32c {
            (Damage::Malformed, Place::Footer, error)
        } else {
            let detail = "it does not match the checksum of whoever names it";
            (Damage::Checksum, Place::Footer, detail.to_owned())
        };
        Ok(Some(Flaw::new(damage, place, detail)))
    }

    /// Asks for neighbouring blocks, and with the first ones for the header.
    fn ask(&self, footer: &Footer, blocks: Range<usize>) -> Span {
        let range = |index: usize| footer.block(index).map(|handle| handle.range.clone());
        let start = range(blocks.start).map_or(0, |range| range.start);
        let start = if blocks.start == 0 { 0 } else { start };
        let end = range(blocks.end.saturating_sub(1)).map_or(start, |range| range.end);
        let (source, manifest, name) = (Arc::clone(self.source), self.manifest, self.reference.object.name);
        Span {
            start,
            blocks,
            bytes: Spawned::new(async move { source.read(Folder::Table, manifest, name, start..end).await }),
        }
    }
}

/// Blocks that are on their way.
struct Span {
    start: u64,
    blocks: Range<usize>,
    bytes: Spawned<Result<Bits>>,
}

/// A range of what begins at `start`, as far as there is any.
fn part(start: u64, bytes: &Bytes, range: Range<u64>) -> Bytes {
    let place = |at: u64| {
        let at = usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
        at.min(bytes.len())
    };
    bytes.slice(place(range.start)..place(range.end))
}

/// One pass over the entries of a table.
struct Walk<'a> {
    table: &'a Tabled,
    footer: &'a Footer,
    /// The key before; none after a block that could not be read.
    last: Option<Bytes>,
    entries: u64,
    /// Every block so far could be read.
    whole: bool,
    /// The checksum of the body so far.
    body: u32,
    flaws: Flaws,
}

impl Walk<'_> {
    fn block(&mut self, index: usize, handle: &BlockHandle, stored: Bytes) {
        self.body = crc32c::crc32c_append(self.body, &stored);
        let complete = stored.len() as u64 == handle.range.end - handle.range.start;
        let matches = complete && handle.matches(&stored);
        let block = match Block::decode(handle, stored) {
            Ok(block) => block,
            Err(error) => {
                let damage = match (complete, matches) {
                    (false, _) => Damage::Length,
                    (true, false) => Damage::Checksum,
                    (true, true) => Damage::Malformed,
                };
                self.flaws
                    .unreadable(index, damage, error.to_string(), self.keys_of(index));
                (self.whole, self.last) = (false, None);
                return;
            }
        };
        for place in 0..block.len() {
            if let Some(entry) = block.entry(place) {
                self.entry(index, handle, &entry, place == 0);
            }
        }
    }

    /// The keys that lie in a block if they are there.
    fn keys_of(&self, index: usize) -> KeySpan {
        let separator = |index: usize| self.footer.block(index).map(|handle| handle.separator.clone());
        let first = match index {
            0 => self.table.reference.lower_bound.clone(),
            _ => separator(index).unwrap_or_default(),
        };
        (first, separator(index + 1).or_else(|| self.table.next.clone()))
    }

    fn entry(&mut self, index: usize, handle: &BlockHandle, entry: &Entry, first: bool) {
        self.entries += 1;
        let (key, reference) = (&entry.key, &self.table.reference);
        let next = self.footer.block(index + 1).map(|next| &next.separator);
        let ordered = self.last.as_ref().is_none_or(|last| last < key);
        let wrong = if first && !ordered {
            "is not greater than the one before"
        } else if first && *key < handle.separator {
            "is less than the separator of its block"
        } else if next.is_some_and(|next| key >= next) {
            "is not less than the separator of the next block"
        } else if *key < reference.lower_bound || *key > reference.upper_bound {
            "lies outside the bounds of its table"
        } else if self.table.next.as_ref().is_some_and(|next| key >= next) {
            "belongs into the next table"
        } else if !self.table.txns.contains(&entry.version.txn) {
            "was written by a commit that is not of its run"
        } else if !self.footer.may_hold(key) {
            "is not in the filter"
        } else {
            self.last = Some(key.clone());
            return;
        };
        self.last = Some(key.clone());
        let detail = format!(
            "the key {} of commit {} {wrong}",
            readable(key),
            entry.version.txn
        );
        self.flaws.contradiction(index, detail, self.keys_of(index));
    }

    /// What only the end can tell: the counts, and the header.
    fn end(&mut self, footer: &[u8], header: &[u8], bytes: u64) {
        if self.whole && self.entries != self.footer.entries() {
            let detail = format!(
                "{} entries where the footer names {}",
                self.entries,
                self.footer.entries()
            );
            self.flaws
                .list
                .push(Flaw::new(Damage::Contradiction, Place::Footer, detail));
        }
        let body = crc32c::crc32c_append(self.body, footer);
        let header = match Header::read(header) {
            Err(error) => Flaw::new(Damage::Checksum, Place::Header, error.to_string()),
            Ok(header) if header.kind() != Some(Kind::Table) => Flaw::new(
                Damage::Foreign,
                Place::Header,
                "it is that of another kind of object",
            ),
            Ok(header) if header.length.saturating_add(HEADER_BYTES as u64) != bytes => Flaw::new(
                Damage::Foreign,
                Place::Header,
                "it is that of a table of another length",
            ),
            Ok(header) if self.whole && header.crc32c != body => Flaw::new(
                Damage::Checksum,
                Place::Header,
                "its checksum of the body is not the body's",
            ),
            Ok(_) => return,
        };
        self.flaws.list.push(header);
    }
}

/// What was found in one table: neighbours that are hit alike are told together.
#[derive(Default)]
struct Flaws {
    list: Vec<Flaw>,
    contradictions: usize,
}

impl Flaws {
    /// More are counted and not told.
    const CONTRADICTIONS_TOLD: usize = 8;

    fn unreadable(&mut self, index: usize, damage: Damage, detail: String, keys: KeySpan) {
        if let Some(last) = self.list.last_mut()
            && let Place::Blocks(blocks) = &last.place
            && last.damage == damage
            && blocks.end() + 1 == index
        {
            last.place = Place::Blocks(*blocks.start()..=index);
            if let Some((_, end)) = &mut last.keys {
                *end = keys.1;
            }
            return;
        }
        let flaw = Flaw::new(damage, Place::Blocks(index..=index), detail);
        self.list.push(flaw.of_keys(keys.0, keys.1));
    }

    fn contradiction(&mut self, index: usize, detail: String, keys: KeySpan) {
        self.contradictions += 1;
        if self.contradictions <= Self::CONTRADICTIONS_TOLD {
            let flaw = Flaw::new(Damage::Contradiction, Place::Blocks(index..=index), detail);
            self.list.push(flaw.of_keys(keys.0, keys.1));
        }
    }
}
