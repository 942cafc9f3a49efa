//! The handle: what people use.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    access::Access,
    commit::{
        CommitQueue, Prepared, Wire,
        due::is_due,
        fate::{Evidence, Fate},
    },
    destroy::{self, Destroyed},
    error::{Error, ErrorKind, Result},
    genesis::{self, Creation, Found},
    head::Run,
    head_cache::{Certified, HeadCache},
    head_io::HeadIo,
    id::{Keys, ManifestId, TransactionId},
    key_range::KeyRange,
    log_store::LogStore,
    mutant::Mutant,
    options::{Options, SharedSettings},
    receipt::{CommitOutcome, CommitToken, Receipt},
    refresh::Refresher,
    snapshot::{Scan, Snapshot},
    store::{Store, meter::RequestCounts},
    transaction::Transaction,
};

/// How often a fresh read begins again because what it reads has been collected meanwhile.
const EXPIRED_MAX: u32 = 3;
mod pins;
#[cfg(feature = "mutants")]
mod references;
mod watching;

pub use pins::PinInfo;

/// How new a state has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It holds every commit that was acknowledged before the call: one GET, which others may share.
    Latest,
    /// It was the newest one at some time within this span: no request if the cached state is young enough,
    /// else one GET.
    Within(Duration),
    /// Whatever this handle saw last: no request.
    Cached,
}

/// An open manifest: an ordered map from byte keys to byte values under one prefix of one bucket.
///
/// A clone is the same handle. All methods may be called from any number of tasks; commits of one handle
/// that are made at once share a PUT. Any number of handles, in any number of processes, may have the same
/// manifest open.
///
/// Call [`close`](Self::close) before the runtime stops: a runtime that is shut down drops the task that owns
/// the wire, and commits that are under way then end as unknown.
#[derive(Debug, Clone)]
pub struct Manifest(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    io: Arc<HeadIo>,
    refresher: Arc<Refresher>,
    queue: CommitQueue,
    options: Options,
}

/// What a handle knows of its manifest, without a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// The manifest's id.
    pub manifest: ManifestId,
    /// The revision of HEAD that was seen last.
    pub revision: u64,
    /// The number of the newest commit in it.
    pub txn: u64,
    /// The size of HEAD in bytes.
    pub head_bytes: usize,
    /// The bytes of commits in HEAD.
    pub inline_bytes: usize,
    /// The log objects that HEAD names, of at most [`limits::LOG_OBJECTS_MAX`](crate::limits::LOG_OBJECTS_MAX).
    pub log_objects: usize,
    /// Their bytes.
    pub log_bytes: u64,
    /// The runs that HEAD names.
    pub runs: usize,
    /// The tables of which they consist.
    pub tables: usize,
    /// Their bytes.
    pub run_bytes: u64,
    /// The last commit in them; 0 if there are none.
    pub folded_through: u64,
    /// Requests that this handle has sent for maintenance: nobody waited for them.
    pub maintenance: RequestCounts,
    /// The pins, of at most [`limits::PINS_MAX`](crate::limits::PINS_MAX).
    pub pins: usize,
    /// How often what nothing references was looked for, counted from 1.
    pub epoch: u64,
    /// States before this revision can no longer be pinned: what they need may be deleted.
    pub collected_through: u64,
    /// The settings that all handles share.
    pub settings: SharedSettings,
}

impl Manifest {
    /// Opens the manifest under `prefix`, making it if there is none.
    ///
    /// Before it makes one it proves that the store keeps the conditions that commits rely on.
    ///
    /// # Errors
    ///
    /// [`UnfitStore`](ErrorKind::UnfitStore) names the condition that does not hold;
    /// [`HeadLost`](ErrorKind::HeadLost) if objects of a manifest lie there without their HEAD.
    pub async fn create(store: Arc<dyn Store>, prefix: &str, options: Options) -> Result<(Self, Creation)> {
        options.validate()?;
        let access = Arc::new(Access::new(store, Keys::new(prefix)?, &options));
        let log = LogStore::new(Arc::clone(&access));
        let (found, creation) = genesis::create(&log, &access, &options).await?;
        Ok((Self::start(access, log, found, options), creation))
    }

    /// Opens the manifest under `prefix`: one GET, and one of each log object, all at once.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is none; [`Unsupported`](ErrorKind::Unsupported) if a newer
    /// version wrote it; [`Corrupt`](ErrorKind::Corrupt) if HEAD is damaged.
    pub async fn open(store: Arc<dyn Store>, prefix: &str, options: Options) -> Result<Self> {
        options.validate()?;
        let access = Arc::new(Access::new(store, Keys::new(prefix)?, &options));
        let log = LogStore::new(Arc::clone(&access));
        let found = genesis::open(&log, &access, &options).await?;
        Ok(Self::start(access, log, found, options))
    }

    /// Removes the manifest under `prefix`, and what an earlier removal or the probe of a store has left there. HEAD goes
    /// first. What is not the engine's stays, and is told.
    ///
    /// Killed anywhere, it is finished by calling it again; until then `create` refuses the prefix. Open handles are told
    /// [`HeadLost`](ErrorKind::HeadLost); what one of them is writing at that moment may be left, for another call.
    /// HEAD is deleted without a condition, for lack of one in S3's language that every store knows: do not create a
    /// manifest, copy one or restore its HEAD under the same prefix while this runs, nor, if it ends in an error or tells of
    /// a request that went [`unanswered`](Destroyed::unanswered), for 15 minutes: a late copy of that request would delete
    /// the new HEAD, or objects of a copy of this very manifest.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](ErrorKind::Corrupt) if HEAD is damaged, so that it is not known what belongs to it, and
    /// [`Unsupported`](ErrorKind::Unsupported) if a newer version wrote it: nothing is deleted then.
    pub async fn destroy(store: Arc<dyn Store>, prefix: &str, options: &Options) -> Result<Destroyed> {
        destroy::destroy(store, prefix, options).await
    }

    fn start(access: Arc<Access>, log: Arc<LogStore>, found: Found, options: Options) -> Self {
        let broken = options.broken();
        let cache = HeadCache::new(Arc::clone(&options.clock), found.state, found.sent_at, broken);
        let io = HeadIo::new(access, log, found.tables, cache);
        let refresher = Refresher::new(
            Arc::clone(&io),
            options.refreshes_in_flight,
            options.read_timeout,
            broken,
        );
        let wire = Wire::new(Arc::clone(&io), Arc::clone(&refresher), &options);
        let queue = CommitQueue::start(wire, Arc::clone(&io), &options);
        Self(Arc::new(Handle {
            io,
            refresher,
            queue,
            options,
        }))
    }

    /// The value of a key, with every commit that was acknowledged before the call: one GET, or two at once where the
    /// key was not read or written lately.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        let key = key.as_ref();
        for _ in 0..EXPIRED_MAX {
            // Beside the look at HEAD: mostly the newest state holds of this key what the known one does.
            let _ahead = self.0.io.read_ahead(key);
            match self.snapshot(Freshness::Latest).await?.get(key).await {
                // The runs that this handle reads from are too old, though HEAD is not.
                Err(error) if error.kind() == ErrorKind::SnapshotExpired => self.0.io.catch_up_now(),
                result => return result,
            }
        }
        self.snapshot(Freshness::Latest).await?.get(key).await
    }

    /// The entries of a range, in key order, of one state that holds every commit acknowledged before the
    /// call: one GET.
    pub async fn scan(&self, range: KeyRange) -> Result<Scan> {
        Ok(self.snapshot(Freshness::Latest).await?.scan(range))
    }

    /// A state as new as asked for.
    pub async fn snapshot(&self, freshness: Freshness) -> Result<Snapshot> {
        let certified = match freshness {
            Freshness::Latest => self.refresh().await?,
            Freshness::Cached => self.0.io.cache.current()?,
            Freshness::Within(bound) => {
                let cached = self.0.io.cache.current()?;
                if self.0.io.access.clock.now().saturating_sub(cached.sent.at) <= bound {
                    cached
                } else {
                    self.refresh().await?
                }
            }
        };
        Ok(self.view(certified))
    }

    /// Begins a transaction: on the cached state where that is likely to be the newest one, else after a look
    /// at HEAD. Either way it commits only if what it read still holds then.
    pub async fn begin(&self) -> Result<Transaction> {
        let snapshot = if self.0.io.cache.begin_on_cached() {
            self.view(self.0.io.cache.current()?)
        } else {
            self.snapshot(Freshness::Latest).await?
        };
        self.begin_on(snapshot)
    }

    /// Begins a transaction on a snapshot of this manifest that is no pin's.
    pub fn begin_on(&self, snapshot: Snapshot) -> Result<Transaction> {
        if snapshot.is_pinned() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "a pinned state can be read, no transaction can begin on it",
            ));
        }
        let manifest = self.0.io.cache.current()?.state.head.manifest;
        if snapshot.state().head.manifest != manifest {
            let theirs = snapshot.state().head.manifest;
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("the snapshot is of manifest {theirs}, this handle has {manifest} open"),
            ));
        }
        let id = TransactionId::draw(&*self.0.io.access.entropy)?;
        Ok(Transaction::new(self.clone(), id, snapshot))
    }

    /// What became of a commit that ended as [`CommitUnknown`](ErrorKind::CommitUnknown): one GET; where only a
    /// log object tells, one more.
    ///
    /// Says `NotCommitted` only when it can never be committed any more.
    pub async fn outcome(&self, token: &CommitToken) -> Result<CommitOutcome> {
        let state = self.refresh().await?.state;
        if token.manifest != state.head.manifest {
            return Err(Error::new(ErrorKind::Invalid, "the token is of another manifest"));
        }
        let deadline = self
            .0
            .io
            .access
            .clock
            .now()
            .saturating_add(self.0.options.read_timeout);
        let evidence = Evidence::of(token, self.0.options.broken());
        Ok(match evidence.found_out(&self.0.io.log, &state, deadline).await {
            Fate::Landed => CommitOutcome::Committed {
                txn: token.expected_txn,
            },
            Fate::Dead => CommitOutcome::NotCommitted,
            Fate::AtBase if self.0.options.broken_by(Mutant::AtBaseToldAsNotCommitted) => {
                CommitOutcome::NotCommitted
            }
            Fate::AtBase | Fate::NotVisible | Fate::InObject(..) => CommitOutcome::StillUnknown,
        })
    }

    /// What this handle knows, without a request.
    pub fn info(&self) -> Result<Info> {
        let state = self.0.io.cache.current()?.state;
        Ok(Info {
            manifest: state.head.manifest,
            revision: state.head.revision,
            txn: state.head.last_txn,
            head_bytes: state.head_bytes,
            inline_bytes: state.head.inline_bytes(),
            log_objects: state.head.log_objects().count(),
            log_bytes: state
                .head
                .log_objects()
                .map(|reference| reference.object.bytes)
                .sum(),
            runs: state.head.runs.len(),
            tables: state.head.runs.iter().map(|run| run.tables.len()).sum(),
            run_bytes: state.head.runs.iter().map(Run::bytes).sum(),
            folded_through: state.head.folded_through(),
            maintenance: self.0.io.access.maintenance.counts(),
            pins: state.head.pins.len(),
            epoch: state.head.epoch,
            collected_through: state.head.collected_through,
            settings: state.head.settings,
        })
    }

    /// Does the maintenance that is due, and returns when it is done.
    ///
    /// Handles maintain the manifest as they commit; this is for a process that does nothing else. It costs
    /// nothing where nothing is due, as far as this handle knows: look at HEAD first to be sure.
    ///
    /// # Errors
    ///
    /// What the store answered. Nothing is lost then: commits stay where they are.
    pub async fn maintain(&self) -> Result<()> {
        // Due is what HEAD and the store's Date say, and a handle that sends nothing learns neither.
        if self.collection_may_be_due()? {
            self.refresh().await?;
        }
        self.0.queue.maintain(self.0.options.commit_timeout).await
    }

    /// Takes no more commits, and returns when those that were made are answered and the maintenance that was
    /// begun is done.
    pub async fn close(&self) {
        self.0.queue.close().await;
    }

    fn collection_may_be_due(&self) -> Result<bool> {
        let head = &self.0.io.cache.current()?.state.head;
        let unix_ms = self.0.io.access.date_may_be();
        Ok(unix_ms.is_some_and(|unix_ms| is_due(head, unix_ms)))
    }

    pub(crate) async fn submit(&self, prepared: Prepared, timeout: Option<Duration>) -> Result<Receipt> {
        self.0
            .queue
            .commit(prepared, timeout.unwrap_or(self.0.options.commit_timeout))
            .await
    }

    pub(crate) fn io(&self) -> &Arc<HeadIo> {
        &self.0.io
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// A mark that a later look can be held against.
    pub(crate) fn mark(&self) -> u64 {
        self.0.io.cache.mark()
    }

    fn view(&self, certified: Certified) -> Snapshot {
        Snapshot::new(certified, Arc::clone(&self.0.io))
    }

    async fn refresh(&self) -> Result<Certified> {
        if self.0.options.broken_by(Mutant::ReadCached) {
            return self.0.io.cache.current();
        }
        self.0.refresher.refresh().await
    }
}
