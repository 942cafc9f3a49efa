//! This repository's engine, as a target.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use fusio_manifest::{
    Attempt, AttemptOutcome, CommitOptions, CommitOutcome, CommitToken, Error, ErrorKind, Freshness,
    KeyRange, Manifest, Options, Receipt, Snapshot,
    store::{BoxFuture, Store},
};

use super::{
    Ask, CommitAnswer, CommitReport, Inventory, ReadReport, Refusal, Stage, Target, TargetHandle,
    TargetSnapshot, snapshot::EngineSnapshot,
};
use crate::{
    history::{Read, Row, State},
    metrics::{AttemptResult, AttemptSample},
    requests::RequestCounts,
    s3::accounting::report_counts,
    simulate::HandleSeeds,
};

/// Opens manifests with these options.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    /// The options of every handle.
    pub options: Options,
    /// Where each handle's randomness comes from, instead of the options: in a simulation.
    pub seeds: Option<Arc<HandleSeeds>>,
}

impl Engine {
    /// The options of the next handle.
    pub(crate) fn next_options(&self) -> Options {
        let mut options = self.options.clone();
        if let Some(seeds) = &self.seeds {
            options.entropy = seeds.next();
        }
        options
    }
}

impl Target for Engine {
    fn create<'a>(
        &'a self,
        store: Arc<dyn Store>,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn TargetHandle>, String>> {
        Box::pin(async move {
            let created = Manifest::create(store, prefix, self.next_options()).await;
            created
                .map(|(manifest, _)| handle(manifest))
                .map_err(|error| error.to_string())
        })
    }

    fn open<'a>(
        &'a self,
        store: Arc<dyn Store>,
        prefix: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn TargetHandle>, String>> {
        Box::pin(async move {
            let opened = Manifest::open(store, prefix, self.next_options()).await;
            opened.map(handle).map_err(|error| error.to_string())
        })
    }
}

fn handle(manifest: Manifest) -> Arc<dyn TargetHandle> {
    Arc::new(EngineHandle(manifest))
}

#[derive(Debug)]
struct EngineHandle(Manifest);

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Without a look.
    Blind,
    /// Read first; what was read must still hold.
    Read,
    /// Read first, and lost with the first lost race.
    ReadOnce,
}

impl EngineHandle {
    async fn commit(&self, key: Bytes, value: Bytes, how: How) -> CommitReport {
        let mut transaction = match self.0.begin().await {
            Ok(transaction) => transaction,
            Err(error) => return failed(&error, None, None),
        };
        let snapshot = Some(transaction.snapshot().txn());
        let mut read = None;
        if how != How::Blind {
            match transaction.get(&key).await {
                Ok(held) => read = Some(held),
                Err(error) => return failed(&error, snapshot, None),
            }
        }
        if let Err(error) = transaction.put(key, value) {
            return failed(&error, snapshot, read);
        }
        let options = CommitOptions {
            timeout: None,
            single_attempt: how == How::ReadOnce,
        };
        match transaction.commit_with(options).await {
            Ok(receipt) => committed(&receipt, snapshot, read),
            Err(error) => failed(&error, snapshot, read),
        }
    }

    async fn view(&self, asks: Vec<Ask>) -> Result<(u64, Vec<Read>), String> {
        let snapshot = self.fresh().await?;
        let reads = read_all(&snapshot, asks).await;
        reads
            .map(|reads| (snapshot.txn(), reads))
            .map_err(|error| error.to_string())
    }

    fn held(&self, snapshot: Result<Snapshot, Error>) -> Result<Arc<dyn TargetSnapshot>, Refusal> {
        let snapshot = snapshot.map_err(|error| Refusal::of(&error))?;
        Ok(Arc::new(EngineSnapshot {
            manifest: self.0.clone(),
            snapshot,
        }))
    }

    async fn fresh(&self) -> Result<Snapshot, String> {
        self.0
            .snapshot(Freshness::Latest)
            .await
            .map_err(|error| error.to_string())
    }
}

impl TargetHandle for EngineHandle {
    fn put(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport> {
        Box::pin(self.commit(key, value, How::Blind))
    }

    fn rewrite(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport> {
        Box::pin(self.commit(key, value, How::ReadOnce))
    }

    fn update(&self, key: Bytes, value: Bytes) -> BoxFuture<'_, CommitReport> {
        Box::pin(self.commit(key, value, How::Read))
    }

    fn transact<'a>(&'a self, asks: Vec<Ask>, stage: Stage<'a>) -> BoxFuture<'a, (CommitReport, Vec<Read>)> {
        Box::pin(async move {
            let (report, reads, _) = attempt(&self.0, asks, stage).await;
            (report, reads)
        })
    }

    fn view(&self, asks: Vec<Ask>) -> BoxFuture<'_, Result<(u64, Vec<Read>), String>> {
        Box::pin(self.view(asks))
    }

    fn read(&self, key: Bytes) -> BoxFuture<'_, Result<ReadReport, String>> {
        Box::pin(async move {
            let snapshot = self.fresh().await?;
            let value = snapshot.get(&key).await.map_err(|error| error.to_string())?;
            Ok(ReadReport {
                snapshot: snapshot.txn(),
                value,
            })
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Arc<dyn TargetSnapshot>, Refusal>> {
        Box::pin(async move { self.held(self.0.snapshot(Freshness::Latest).await) })
    }

    fn open_pin(&self, name: String) -> BoxFuture<'_, Result<Arc<dyn TargetSnapshot>, Refusal>> {
        Box::pin(async move { self.held(self.0.open_pin(&name).await) })
    }

    fn release_pin(&self, name: String) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            let released = self.0.release_pin(&name).await;
            released.map_err(|error| Refusal::of(&error))
        })
    }

    fn inventory(&self) -> BoxFuture<'_, Result<Inventory, String>> {
        Box::pin(async move {
            let inventory = async {
                let references = self.0.references().await?;
                let pins = self.0.pins().await?.into_iter().map(|pin| pin.name);
                let pins = pins.collect();
                let epoch = self.0.info()?.epoch;
                Ok::<_, Error>(Inventory {
                    epoch,
                    pins,
                    references,
                })
            };
            inventory.await.map_err(|error| error.to_string())
        })
    }

    fn contents(&self) -> BoxFuture<'_, Result<State, String>> {
        Box::pin(async move {
            let snapshot = self.fresh().await?;
            let entries = snapshot
                .scan(KeyRange::all())
                .collect()
                .await
                .map_err(|error| error.to_string())?;
            Ok(State {
                txn: snapshot.txn(),
                entries: BTreeMap::from_iter(entries),
            })
        })
    }

    fn outcome<'a>(&'a self, token: &'a CommitToken) -> BoxFuture<'a, Result<CommitOutcome, String>> {
        Box::pin(async move { self.0.outcome(token).await.map_err(|error| error.to_string()) })
    }

    fn maintain(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.0.maintain().await.map_err(|error| error.to_string()) })
    }

    fn head_bytes(&self) -> usize {
        self.0.info().map_or(0, |info| info.head_bytes)
    }

    fn head_revision(&self) -> u64 {
        self.0.info().map_or(0, |info| info.revision)
    }

    fn maintenance(&self) -> RequestCounts {
        let counts = self.0.info().map(|info| info.maintenance);
        counts.map_or_else(|_| RequestCounts::default(), |counts| report_counts(&counts))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.close())
    }
}

/// Reads what is asked for and writes what `stage` makes of it, in one transaction; with the error, if it failed.
pub(crate) async fn attempt(
    manifest: &Manifest,
    asks: Vec<Ask>,
    stage: Stage<'_>,
) -> (CommitReport, Vec<Read>, Option<Error>) {
    let (mut snapshot, mut reads) = (None, Vec::with_capacity(asks.len()));
    match carry_out(manifest, asks, stage, &mut snapshot, &mut reads).await {
        Ok(receipt) => (committed(&receipt, snapshot, None), reads, None),
        Err(error) => (failed(&error, snapshot, None), reads, Some(error)),
    }
}

async fn carry_out(
    manifest: &Manifest,
    asks: Vec<Ask>,
    stage: Stage<'_>,
    snapshot: &mut Option<u64>,
    reads: &mut Vec<Read>,
) -> Result<Receipt, Error> {
    let mut transaction = manifest.begin().await?;
    *snapshot = Some(transaction.snapshot().txn());
    for ask in asks {
        reads.push(match ask {
            Ask::Key(key) => {
                let value = transaction.get(&key).await?;
                point(key, value.as_ref())
            }
            Ask::Range(from, to) => {
                let rows = transaction.scan(KeyRange::between(&from, &to)).collect().await?;
                range(from, to, &rows)
            }
        });
    }
    for write in stage(reads) {
        match write.value {
            Some(value) => transaction.put(write.key, value)?,
            None => transaction.delete(write.key)?,
        }
    }
    transaction.commit().await
}

/// Reads all that is asked for of one state.
pub(crate) async fn read_all(snapshot: &Snapshot, asks: Vec<Ask>) -> Result<Vec<Read>, Error> {
    let mut reads = Vec::with_capacity(asks.len());
    for ask in asks {
        reads.push(match ask {
            Ask::Key(key) => {
                let value = snapshot.get(&key).await?;
                point(key, value.as_ref())
            }
            Ask::Range(from, to) => {
                let rows = snapshot.scan(KeyRange::between(&from, &to)).collect().await?;
                range(from, to, &rows)
            }
        });
    }
    Ok(reads)
}

// Values are copied: a slice would keep the object in memory that it was read from.

pub(super) fn point(key: Bytes, value: Option<&Bytes>) -> Read {
    Read::Point {
        key,
        value: value.map(|value| Bytes::copy_from_slice(value)),
    }
}

pub(super) fn range(from: Bytes, to: Bytes, rows: &[(Bytes, Bytes)]) -> Read {
    let rows = rows.iter().map(|(key, value)| Row {
        key: Bytes::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
    });
    Read::Range {
        from,
        to: Some(to),
        rows: rows.collect(),
    }
}

fn committed(receipt: &Receipt, snapshot: Option<u64>, read: Option<Option<Bytes>>) -> CommitReport {
    let answer = match receipt.txn {
        Some(txn) => CommitAnswer::Committed { txn },
        None => CommitAnswer::Failed("a commit that wrote was given no number".to_owned()),
    };
    CommitReport {
        attempts: samples(&receipt.attempts),
        snapshot,
        read,
        answer,
        token: None,
    }
}

fn failed(error: &Error, snapshot: Option<u64>, read: Option<Option<Bytes>>) -> CommitReport {
    let answer = if error.kind() == ErrorKind::Conflict {
        CommitAnswer::Conflict
    } else if error.is_conflict() {
        CommitAnswer::Lost
    } else if error.outcome_unknown() {
        CommitAnswer::Unknown(error.to_string())
    } else {
        CommitAnswer::Failed(error.to_string())
    };
    CommitReport {
        attempts: samples(error.attempts()),
        snapshot,
        read,
        answer,
        token: error.token().cloned(),
    }
}

fn samples(attempts: &[Attempt]) -> Vec<AttemptSample> {
    attempts
        .iter()
        .map(|attempt| AttemptSample {
            outcome: result_of(attempt.outcome),
            sent: attempt.sent,
            duration: attempt.duration,
            window: (attempt.sent + attempt.duration).saturating_sub(attempt.base_seen),
        })
        .collect()
}

fn result_of(outcome: AttemptOutcome) -> AttemptResult {
    match outcome {
        AttemptOutcome::Committed => AttemptResult::Committed,
        AttemptOutcome::LostRace => AttemptResult::LostRace,
        AttemptOutcome::LostConflict => AttemptResult::LostConflict,
        AttemptOutcome::OwnEarlierSuccess => AttemptResult::OwnEarlierSuccess,
        AttemptOutcome::HeadMissing => AttemptResult::HeadMissing,
        AttemptOutcome::Refused => AttemptResult::Refused,
        // `AttemptOutcome` may grow: what is not known here proves nothing here.
        _ => AttemptResult::Unknown,
    }
}
