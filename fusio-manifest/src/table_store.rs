//! Tables in the store, read by ranges, with a bounded cache of what was read.

use std::{
    hash::{BuildHasherDefault, DefaultHasher},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use quick_cache::{OptionsBuilder, Weighter, sync::Cache};

use crate::{
    access::{Access, Purpose},
    clock::{Moment, within},
    error::{Error, ErrorKind, Result},
    frame::FormatError,
    head::{ObjectReference, Run, TableReference},
    id::{Folder, ManifestId, ObjectName},
    immutable::{Destination, Portion, Unread},
    spawned::Spawned,
    table::{Block, Built, Footer, lower_bound},
};

/// Footers that are loaded before anybody needs them: those of a million small entries.
const FOOTER_BYTES_WARMED: u64 = 2 * 1024 * 1024;

/// A footer, under its table and the place after all blocks; or a block, under its table and its place.
type Place = (ObjectName, u64);

#[derive(Debug, Clone)]
enum Part {
    Footer(Arc<Footer>),
    Block(Arc<Block>),
}

#[derive(Debug, Clone, Copy)]
struct Bytes;

impl Weighter<Place, Part> for Bytes {
    fn weight(&self, _: &Place, part: &Part) -> u64 {
        let bytes = match part {
            Part::Footer(footer) => footer.bytes(),
            Part::Block(block) => block.bytes(),
        };
        (bytes + size_of::<Place>() + size_of::<Part>()) as u64
    }
}

/// Hashes alike in every process: a run in virtual time has to evict the same blocks each time.
type Hasher = BuildHasherDefault<DefaultHasher>;

#[derive(Debug)]
pub(crate) struct TableStore {
    access: Arc<Access>,
    manifest: ManifestId,
    cache: Cache<Place, Part, Bytes, Hasher>,
    read_timeout: Duration,
}

impl TableStore {
    pub(crate) fn new(
        access: Arc<Access>,
        manifest: ManifestId,
        cache_bytes: u64,
        read_timeout: Duration,
    ) -> Arc<Self> {
        // About a block an item. One shard: its lock is held for a look into a map, and how many a machine has
        // cores must not decide what is evicted.
        let items = usize::try_from(cache_bytes / (64 * 1024))
            .unwrap_or(usize::MAX)
            .max(16);
        let mut options = OptionsBuilder::new();
        options
            .shards(1)
            .estimated_items_capacity(items)
            .weight_capacity(cache_bytes);
        let cache = match options.build() {
            Ok(options) => Cache::with_options(options, Bytes, Hasher::default(), Default::default()),
            // Only if a setting is missing.
            Err(_) => Cache::with(items, cache_bytes, Bytes, Hasher::default(), Default::default()),
        };
        Arc::new(Self {
            access,
            manifest,
            cache,
            read_timeout,
        })
    }

    /// When a read that begins now has to be answered.
    pub(crate) fn deadline(&self) -> Moment {
        self.access.clock.now().saturating_add(self.read_timeout)
    }

    /// The footer of a table.
    pub(crate) async fn footer(
        &self,
        table: &TableReference,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<Arc<Footer>, Unread> {
        let load = async {
            let range = Footer::range(table).map_err(|error| self.damaged(table, &error))?;
            let bytes = self.read(table, range, deadline, purpose).await?;
            Footer::decode(self.manifest, table, bytes)
                .map(|footer| Part::Footer(Arc::new(footer)))
                .map_err(|error| self.damaged(table, &error))
        };
        match self.once(footer_place(table), load, deadline).await? {
            Part::Footer(footer) => Ok(footer),
            Part::Block(_) => Err(misplaced()),
        }
    }

    /// One block of it.
    pub(crate) async fn block(
        &self,
        table: &TableReference,
        footer: &Footer,
        index: usize,
        deadline: Moment,
    ) -> Result<Arc<Block>, Unread> {
        let handle = footer.block(index).ok_or_else(misplaced)?;
        let load = async {
            let bytes = self
                .read(table, handle.range.clone(), deadline, Purpose::Path)
                .await?;
            Block::decode(handle, bytes)
                .map(|block| Part::Block(Arc::new(block)))
                .map_err(|error| self.damaged(table, &error))
        };
        let place = (table.object.name, handle.range.start);
        match self.once(place, load, deadline).await? {
            Part::Block(block) => Ok(block),
            Part::Footer(_) => Err(misplaced()),
        }
    }

    /// Blocks that lie one behind the other, by one request. They pass the cache by: who reads many in a row reads
    /// each once, and would drive out what others read again and again.
    pub(crate) async fn blocks(
        &self,
        table: &TableReference,
        footer: &Footer,
        blocks: Range<usize>,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<Vec<Arc<Block>>, Unread> {
        let handles: Option<Vec<_>> = blocks.map(|index| footer.block(index)).collect();
        let handles = handles.ok_or_else(misplaced)?;
        let (Some(first), Some(last)) = (handles.first(), handles.last()) else {
            return Ok(Vec::new());
        };
        let start = first.range.start;
        let bytes = self.read(table, start..last.range.end, deadline, purpose).await?;
        let place = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX).min(bytes.len());
        let decode = |handle: &&crate::table::BlockHandle| {
            let stored = bytes.slice(place(handle.range.start)..place(handle.range.end));
            Block::decode(handle, stored)
                .map(Arc::new)
                .map_err(|error| self.damaged(table, &error))
        };
        handles.iter().map(decode).collect()
    }

    /// The footer, if it is in memory.
    pub(crate) fn footer_in_memory(&self, table: &TableReference) -> Option<Arc<Footer>> {
        match self.cache.get(&footer_place(table)) {
            Some(Part::Footer(footer)) => Some(footer),
            Some(Part::Block(_)) | None => None,
        }
    }

    /// The block, if it is in memory.
    pub(crate) fn block_in_memory(
        &self,
        table: &TableReference,
        footer: &Footer,
        index: usize,
    ) -> Option<Arc<Block>> {
        let place = (table.object.name, footer.block(index)?.range.start);
        match self.cache.get(&place) {
            Some(Part::Block(block)) => Some(block),
            Some(Part::Footer(_)) | None => None,
        }
    }

    /// Begins to load the footers of these runs that are not in memory, newest first, as many as are worth it.
    pub(crate) fn warm(self: &Arc<Self>, runs: &[Run]) -> Vec<Spawned<()>> {
        let mut left = FOOTER_BYTES_WARMED;
        let mut loads = Vec::new();
        for table in runs.iter().flat_map(|run| &run.tables) {
            let bytes = table.object.bytes.saturating_sub(table.footer_offset);
            if bytes > left {
                break;
            }
            left -= bytes;
            if self.footer_in_memory(table).is_some() {
                continue;
            }
            let (store, table) = (Arc::clone(self), table.clone());
            loads.push(Spawned::new(async move {
                let deadline = store.deadline();
                if let Err(unread) = store.footer(&table, deadline, Purpose::Path).await {
                    // Who needs it asks again, and is told.
                    tracing::debug!(?unread, "a footer could not be loaded ahead");
                }
            }));
        }
        loads
    }

    /// Writes a table, and returns how HEAD names it. `before` is the last key of the table before it in its run.
    pub(crate) async fn put(
        &self,
        to: Destination,
        built: Built,
        before: Option<&[u8]>,
    ) -> Result<TableReference> {
        let bytes = built.bytes.len() as u64;
        let name = self.access.put_new(Folder::Table, to, built.bytes).await?;
        let table = TableReference {
            lower_bound: lower_bound(before, &built.first),
            upper_bound: built.upper_bound,
            object: ObjectReference {
                name,
                bytes,
                crc32c: built.footer_crc32c,
            },
            footer_offset: built.footer_offset,
        };
        // Who wrote it need not read it.
        self.cache
            .insert(footer_place(&table), Part::Footer(Arc::new(built.footer)));
        Ok(table)
    }

    /// Loads a part; who comes while it is being loaded waits for it.
    async fn once(
        &self,
        place: Place,
        load: impl Future<Output = Result<Part, Unread>>,
        deadline: Moment,
    ) -> Result<Part, Unread> {
        let limit = deadline.saturating_sub(self.access.clock.now());
        let loaded = self.cache.get_or_insert_async(&place, load);
        // Another's load may have a later deadline than this one's.
        within(&*self.access.clock, limit, loaded)
            .await
            .unwrap_or_else(|| {
                let message = format!("table {} could not be read in time", place.0);
                Err(Error::new(ErrorKind::Unavailable, message).into())
            })
    }

    async fn read(
        &self,
        table: &TableReference,
        range: Range<u64>,
        deadline: Moment,
        purpose: Purpose,
    ) -> Result<bytes::Bytes, Unread> {
        let name = table.object.name;
        self.access
            .read(
                Folder::Table,
                self.manifest,
                name,
                Portion::Range(range),
                deadline,
                purpose,
            )
            .await
    }

    fn damaged(&self, table: &TableReference, error: &FormatError) -> Unread {
        let key = self.access.key(Folder::Table, self.manifest, table.object.name);
        error.in_object(&key).into()
    }
}

fn footer_place(table: &TableReference) -> Place {
    (table.object.name, table.footer_offset)
}

fn misplaced() -> Unread {
    Error::new(ErrorKind::Corrupt, "a table was read where it has no block").into()
}
