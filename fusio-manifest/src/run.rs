//! Runs: one key looked up in all of them, and one of them read in order.

use std::{collections::VecDeque, ops::Bound, ops::Range, sync::Arc};

use tokio::sync::Semaphore;

use crate::{
    access::Purpose,
    clock::Moment,
    head::{Run, TableReference},
    immutable::Unread,
    key_range::KeyRange,
    spawned::Spawned,
    table::{Block, Footer},
    table_store::TableStore,
    version::{Entry, Version},
};

/// The most blocks that are asked for by one request, once a reader has shown that it reads on.
pub(crate) const SPAN_BLOCKS_MAX: usize = 8;

/// Which way a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// The newest version of a key in these runs, newest first. Asks all that may hold it at once: none waits for another
/// one to say that it does not.
pub(crate) async fn find(
    store: &Arc<TableStore>,
    runs: &[Run],
    key: &[u8],
    deadline: Moment,
) -> Result<Option<Version>, Unread> {
    let mut asked = Vec::new();
    for table in runs.iter().filter_map(|run| run.table_of(key)) {
        match in_memory(store, table, key) {
            Known::Absent => {}
            // Nothing newer has to be asked.
            Known::Holds(version) if asked.is_empty() => return Ok(Some(version)),
            Known::Holds(_) | Known::Unread => asked.push(table),
        }
    }
    if let [only] = asked.as_slice() {
        return find_in(store, only, key, deadline).await;
    }
    let lookup = |table: &TableReference| {
        let (store, table, key) = (Arc::clone(store), table.clone(), key.to_vec());
        Spawned::new(async move { find_in(&store, &table, &key, deadline).await })
    };
    let lookups: Vec<_> = asked.into_iter().map(lookup).collect();
    for lookup in lookups {
        if let Some(version) = lookup.join().await?? {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// True if a request is needed to tell what these runs hold of a key.
pub(crate) fn is_unread(store: &TableStore, runs: &[Run], key: &[u8]) -> bool {
    let tables = runs.iter().filter_map(|run| run.table_of(key));
    let mut known = tables.map(|table| in_memory(store, table, key));
    let decided = known.find(|known| !matches!(known, Known::Absent));
    matches!(decided, Some(Known::Unread))
}

/// What memory tells of a key in a table.
enum Known {
    Absent,
    Holds(Version),
    Unread,
}

fn in_memory(store: &TableStore, table: &TableReference, key: &[u8]) -> Known {
    let Some(footer) = store.footer_in_memory(table) else {
        return Known::Unread;
    };
    if !footer.may_hold(key) {
        return Known::Absent;
    }
    match store.block_in_memory(table, &footer, footer.block_of(key)) {
        Some(block) => block.find(key).map_or(Known::Absent, Known::Holds),
        None => Known::Unread,
    }
}

async fn find_in(
    store: &TableStore,
    table: &TableReference,
    key: &[u8],
    deadline: Moment,
) -> Result<Option<Version>, Unread> {
    let footer = store.footer(table, deadline, Purpose::Path).await?;
    if !footer.may_hold(key) {
        return Ok(None);
    }
    let block = store
        .block(table, &footer, footer.block_of(key), deadline)
        .await?;
    Ok(block.find(key))
}

/// Reads the part of one run that lies in a range, entry by entry, deletions included.
#[derive(Debug)]
pub(crate) struct RunCursor {
    store: Arc<TableStore>,
    range: KeyRange,
    direction: Direction,
    purpose: Purpose,
    /// The tables that are not begun yet, in the order of reading.
    tables: VecDeque<TableReference>,
    /// The table that is being read, and its blocks that are not asked for yet.
    table: Option<(TableReference, Arc<Footer>, Range<usize>)>,
    /// Requests under way, in the order of reading.
    ahead: VecDeque<Spawned<Result<Vec<Arc<Block>>, Unread>>>,
    /// Blocks that came and are not begun yet.
    ready: VecDeque<Arc<Block>>,
    /// The block that is being read, and its entries that are left.
    block: Option<(Arc<Block>, Range<usize>)>,
    /// Bounds how many requests of all cursors of one reader are on the wire, beside the first of each: these go at once,
    /// so that the first entry takes one round trip of however many runs.
    slots: Arc<Semaphore>,
    begun: bool,
}

impl RunCursor {
    pub(crate) fn new(
        store: Arc<TableStore>,
        run: &Run,
        range: KeyRange,
        direction: Direction,
        purpose: Purpose,
        slots: Arc<Semaphore>,
    ) -> Self {
        let mut tables: VecDeque<TableReference> = run
            .tables
            .iter()
            .filter(|table| meets(table, &range))
            .cloned()
            .collect();
        if direction == Direction::Backward {
            tables.make_contiguous().reverse();
        }
        Self {
            store,
            range,
            direction,
            purpose,
            tables,
            table: None,
            ahead: VecDeque::new(),
            ready: VecDeque::new(),
            block: None,
            slots,
            begun: false,
        }
    }

    /// The next entry; `None` at the end of the range. Asks for `span` blocks if none are on their way. After an error, or
    /// if the future is dropped, blocks may be missing: the reader has to be made anew.
    pub(crate) async fn next(&mut self, span: usize) -> Result<Option<Entry>, Unread> {
        loop {
            if let Some(entry) = self.at_hand() {
                return Ok(Some(entry));
            }
            if self.ahead.is_empty() && !self.ask(span).await? {
                return Ok(None);
            }
            if let Some(request) = self.ahead.pop_front() {
                let mut blocks = request.join().await??;
                if self.direction == Direction::Backward {
                    blocks.reverse();
                }
                self.ready.extend(blocks);
            }
        }
    }

    /// How many requests are on their way, or have come and are not begun.
    pub(crate) fn asked_ahead(&self) -> usize {
        self.ahead.len()
    }

    /// Before which key the next request will be needed: the bound of the first block that is not asked for yet.
    pub(crate) fn unasked(&self) -> Option<&[u8]> {
        if let Some((table, footer, blocks)) = self.table.as_ref().filter(|(_, _, blocks)| !blocks.is_empty())
        {
            // Of the first block a footer knows no bound below, of the last one none above.
            let (place, end) = match self.direction {
                Direction::Forward => (blocks.start, &table.lower_bound),
                Direction::Backward => (blocks.end, &table.upper_bound),
            };
            let bound = footer.separator(place).filter(|bound| !bound.is_empty());
            return Some(bound.unwrap_or(end));
        }
        let next = self.tables.front()?;
        Some(match self.direction {
            Direction::Forward => &next.lower_bound,
            Direction::Backward => &next.upper_bound,
        })
    }

    /// True if that request can be sent without waiting for a footer.
    pub(crate) fn can_ask(&self) -> bool {
        let left = self
            .table
            .as_ref()
            .is_some_and(|(_, _, blocks)| !blocks.is_empty());
        let in_memory = |table: &TableReference| self.store.footer_in_memory(table).is_some();
        left || self.tables.front().is_some_and(in_memory)
    }

    /// The next entry, if it takes no request.
    pub(crate) fn at_hand(&mut self) -> Option<Entry> {
        loop {
            if let Some((block, left)) = self.block.as_mut() {
                let index = match self.direction {
                    Direction::Forward => left.next(),
                    Direction::Backward => left.next_back(),
                };
                if let Some(entry) = index.and_then(|index| block.entry(index)) {
                    return Some(entry);
                }
            }
            let block = self.ready.pop_front();
            self.block = block.map(|block| {
                let entries = entries_in(&block, &self.range);
                (block, entries)
            });
            self.block.as_ref()?;
        }
    }

    /// Sends a request for the next blocks, `span` at most; false at the end of the range.
    pub(crate) async fn ask(&mut self, span: usize) -> Result<bool, Unread> {
        loop {
            if let Some((table, footer, blocks)) = self.table.as_mut().filter(|(_, _, left)| !left.is_empty())
            {
                let span = next_span(blocks, span, self.direction);
                let request = Request {
                    store: Arc::clone(&self.store),
                    table: table.clone(),
                    footer: Arc::clone(footer),
                    purpose: self.purpose,
                };
                let slots = self.begun.then(|| Arc::clone(&self.slots));
                self.begun = true;
                self.ahead.push_back(Spawned::new(async move {
                    let _slot = match &slots {
                        // Never closed.
                        Some(slots) => slots.acquire().await.ok(),
                        None => None,
                    };
                    request.send(span).await
                }));
                return Ok(true);
            }
            let Some(next) = self.tables.front() else {
                return Ok(false);
            };
            let deadline = self.store.deadline();
            let footer = self.store.footer(next, deadline, self.purpose).await?;
            let blocks = blocks_in(&footer, &self.range);
            self.table = self.tables.pop_front().map(|table| (table, footer, blocks));
        }
    }
}

/// A request for blocks of one table.
struct Request {
    store: Arc<TableStore>,
    table: TableReference,
    footer: Arc<Footer>,
    purpose: Purpose,
}

impl Request {
    async fn send(self, span: Range<usize>) -> Result<Vec<Arc<Block>>, Unread> {
        let Self {
            store,
            table,
            footer,
            purpose,
        } = &self;
        // From now on, however long it has waited for its turn.
        let deadline = store.deadline();
        match (span.len(), purpose) {
            // A short read may be repeated.
            (1, Purpose::Path) => {
                let block = store.block(table, footer, span.start, deadline).await?;
                Ok(vec![block])
            }
            _ => store.blocks(table, footer, span, deadline, *purpose).await,
        }
    }
}

/// Takes up to `most` blocks from the end of `left` that comes first.
fn next_span(left: &mut Range<usize>, most: usize, direction: Direction) -> Range<usize> {
    match direction {
        Direction::Forward => {
            let end = left.start.saturating_add(most).min(left.end);
            let span = left.start..end;
            left.start = end;
            span
        }
        Direction::Backward => {
            let start = left.end.saturating_sub(most).max(left.start);
            let span = start..left.end;
            left.end = start;
            span
        }
    }
}

/// True if the table may hold a key of the range.
fn meets(table: &TableReference, range: &KeyRange) -> bool {
    let ends_before = match &range.start {
        Bound::Included(start) => table.upper_bound < start,
        Bound::Excluded(start) => table.upper_bound <= start,
        Bound::Unbounded => false,
    };
    let begins_after = match &range.end {
        Bound::Included(end) => table.lower_bound > end,
        Bound::Excluded(end) => table.lower_bound >= end,
        Bound::Unbounded => false,
    };
    !(ends_before || begins_after || range.is_empty())
}

/// The blocks that may hold a key of the range.
fn blocks_in(footer: &Footer, range: &KeyRange) -> Range<usize> {
    let first = match &range.start {
        Bound::Included(start) | Bound::Excluded(start) => footer.block_of(start),
        Bound::Unbounded => 0,
    };
    let last = match &range.end {
        Bound::Included(end) | Bound::Excluded(end) => footer.block_of(end) + 1,
        Bound::Unbounded => footer.blocks(),
    };
    first..last.max(first)
}

/// The entries of a block that lie in the range.
fn entries_in(block: &Block, range: &KeyRange) -> Range<usize> {
    let first = match &range.start {
        Bound::Included(start) => block.position(start, false),
        Bound::Excluded(start) => block.position(start, true),
        Bound::Unbounded => 0,
    };
    let last = match &range.end {
        Bound::Included(end) => block.position(end, true),
        Bound::Excluded(end) => block.position(end, false),
        Bound::Unbounded => block.len(),
    };
    first..last.max(first)
}
