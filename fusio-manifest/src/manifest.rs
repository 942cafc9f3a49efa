//! The handle: what people use.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    commit::{
        CommitQueue, Prepared, Wire,
        body::{Evidence, Fate},
    },
    error::{Error, ErrorKind, Result},
    genesis::{self, Creation, Found},
    head_cache::{Certified, HeadCache},
    head_io::HeadIo,
    id::{Keys, ManifestId, TransactionId},
    key_range::KeyRange,
    mutant::Mutant,
    options::{Options, SharedSettings},
    receipt::{CommitOutcome, CommitToken, Receipt},
    refresh::Refresher,
    snapshot::{Scan, Snapshot},
    store::Store,
    transaction::Transaction,
};

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
    /// The bytes of commits in HEAD, of at most [`limits::INLINE_BYTES_MAX`](crate::limits::INLINE_BYTES_MAX).
    pub inline_bytes: usize,
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
        let keys = Keys::new(prefix);
        let (found, creation) = genesis::create(&store, &keys, &options).await?;
        Ok((Self::start(store, keys, found, options), creation))
    }

    /// Opens the manifest under `prefix`: one GET.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is none; [`Unsupported`](ErrorKind::Unsupported) if a newer
    /// version wrote it; [`Corrupt`](ErrorKind::Corrupt) if HEAD is damaged.
    pub async fn open(store: Arc<dyn Store>, prefix: &str, options: Options) -> Result<Self> {
        options.validate()?;
        let keys = Keys::new(prefix);
        let found = genesis::open(&*store, &keys, &options).await?;
        Ok(Self::start(store, keys, found, options))
    }

    fn start(store: Arc<dyn Store>, keys: Keys, found: Found, options: Options) -> Self {
        let io = Arc::new(HeadIo {
            store,
            keys,
            clock: Arc::clone(&options.clock),
            entropy: Arc::clone(&options.entropy),
            request_timeout: options.request_timeout,
            cache: HeadCache::new(Arc::clone(&options.clock), found.state, found.sent_at),
        });
        let refresher = Refresher::new(Arc::clone(&io), options.refreshes_in_flight, options.read_timeout);
        let wire = Wire::new(Arc::clone(&io), Arc::clone(&refresher), &options);
        let queue = CommitQueue::start(wire, Arc::clone(&options.clock), options.commit_queue);
        Self(Arc::new(Handle {
            io,
            refresher,
            queue,
            options,
        }))
    }

    /// The value of a key, with every commit that was acknowledged before the call: one GET.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
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
                if self.0.io.clock.now().saturating_sub(cached.sent.at) <= bound {
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

    /// Begins a transaction on a snapshot of this manifest.
    pub fn begin_on(&self, snapshot: Snapshot) -> Result<Transaction> {
        let manifest = self.0.io.cache.current()?.state.head.manifest;
        if snapshot.state().head.manifest != manifest {
            let theirs = snapshot.state().head.manifest;
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("the snapshot is of manifest {theirs}, this handle has {manifest} open"),
            ));
        }
        let id = TransactionId::draw(&*self.0.io.entropy)?;
        Ok(Transaction::new(self.clone(), id, snapshot))
    }

    /// What became of a commit that ended as [`CommitUnknown`](ErrorKind::CommitUnknown): one GET.
    ///
    /// Says `NotCommitted` only when it can never be committed any more.
    pub async fn outcome(&self, token: &CommitToken) -> Result<CommitOutcome> {
        let state = self.refresh().await?.state;
        if token.manifest != state.head.manifest {
            return Err(Error::new(ErrorKind::Invalid, "the token is of another manifest"));
        }
        Ok(match Evidence::of(token).fate(&state.head, &state.etag) {
            Fate::Landed => CommitOutcome::Committed {
                txn: token.expected_txn,
            },
            Fate::Dead => CommitOutcome::NotCommitted,
            Fate::AtBase | Fate::NotVisible => CommitOutcome::StillUnknown,
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
            settings: state.head.settings,
        })
    }

    /// Takes no more commits, and returns when those that were made are answered.
    pub async fn close(&self) {
        self.0.queue.close().await;
    }

    pub(crate) async fn submit(&self, prepared: Prepared, timeout: Option<Duration>) -> Result<Receipt> {
        self.0
            .queue
            .commit(prepared, timeout.unwrap_or(self.0.options.commit_timeout))
            .await
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// A mark that a later look can be held against.
    pub(crate) fn mark(&self) -> u64 {
        self.0.io.cache.mark()
    }

    fn view(&self, certified: Certified) -> Snapshot {
        Snapshot::new(certified, Arc::clone(&self.0.io.clock))
    }

    async fn refresh(&self) -> Result<Certified> {
        if self.0.options.broken_by(Mutant::ReadCached) {
            return self.0.io.cache.current();
        }
        self.0.refresher.refresh().await
    }
}
