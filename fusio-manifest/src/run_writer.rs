//! Writes a run: entries in the order of their keys, into as many tables as it takes. A table is stored while the next
//! one is being built, so two lie in memory at most.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    error::{Error, ErrorKind, Result},
    head::TableReference,
    immutable::Destination,
    options::SharedSettings,
    spawned::Spawned,
    table::TableWriter,
    table_store::TableStore,
    version::Version,
};

/// How many tables a run has at most, about, because HEAD names each of them.
const TABLES_MAX: u64 = 64;
/// Bounds of tables in HEAD that make the next ones twice as large.
const BOUND_BYTES: u64 = 4 * 1024;

#[derive(Debug)]
pub(crate) struct RunWriter {
    store: Arc<TableStore>,
    to: Destination,
    block_bytes: u64,
    /// The size at which a table is full, while bounds are short.
    table_bytes: u64,
    table: TableWriter,
    stored: Vec<TableReference>,
    /// The table that is being stored.
    upload: Option<Spawned<Result<TableReference>>>,
    /// The last key of the last full table.
    before: Option<Bytes>,
    bound_bytes: u64,
}

impl RunWriter {
    /// `input_bytes` is about what the run will take.
    pub(crate) fn new(
        store: Arc<TableStore>,
        to: Destination,
        settings: &SharedSettings,
        input_bytes: u64,
    ) -> Self {
        Self {
            store,
            to,
            block_bytes: settings.block_bytes,
            table_bytes: settings.table_bytes.max(input_bytes / TABLES_MAX),
            table: TableWriter::new(to.manifest, settings.block_bytes),
            stored: Vec::new(),
            upload: None,
            before: None,
            bound_bytes: 0,
        }
    }

    /// Appends an entry, whose key is greater than that of the last one.
    pub(crate) async fn add(&mut self, key: &[u8], version: &Version) -> Result<()> {
        if self.table.at_block_end() {
            // Between two blocks the commits of this handle go first.
            tokio::task::yield_now().await;
            if self.table.bytes() >= self.full_at() {
                self.end_table().await?;
            }
        }
        self.table
            .add(key, version)
            .map_err(|error| Error::new(ErrorKind::Corrupt, format!("building a table: {error}")))
    }

    /// Long bounds make tables larger, so that HEAD has room for those of every run.
    fn full_at(&self) -> u64 {
        let larger = self.table_bytes / BOUND_BYTES * self.bound_bytes;
        self.table_bytes.saturating_add(larger)
    }

    async fn end_table(&mut self) -> Result<()> {
        let next = TableWriter::new(self.to.manifest, self.block_bytes);
        let built = std::mem::replace(&mut self.table, next)
            .finish()
            .map_err(|error| Error::new(ErrorKind::Corrupt, format!("building a table: {error}")))?;
        self.uploaded().await?;
        let (store, to) = (Arc::clone(&self.store), self.to);
        let before = self.before.replace(built.last.clone());
        self.upload = Some(Spawned::new(async move {
            store.put(to, built, before.as_deref()).await
        }));
        Ok(())
    }

    /// Waits for the table that is being stored.
    async fn uploaded(&mut self) -> Result<()> {
        if let Some(upload) = self.upload.take() {
            let table = upload.join().await??;
            self.bound_bytes += (table.lower_bound.len() + table.upper_bound.len()) as u64;
            self.stored.push(table);
        }
        Ok(())
    }

    /// The tables, all of them stored; none if nothing was added.
    pub(crate) async fn finish(mut self) -> Result<Vec<TableReference>> {
        if !self.table.is_empty() {
            self.end_table().await?;
        }
        self.uploaded().await?;
        Ok(self.stored)
    }
}
