//! Handles of one manifest, what they hold, and what is known of the manifest.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    Clock as _, Error, ErrorKind, Freshness, KeyRange, Maintenance, Manifest, MemoryStore, Options,
    SeededEntropy, SharedSettings, Store as _, TokioClock, Verification, store::PutMode, verify,
};

use crate::{
    Verdict,
    commits::Unknown,
    ensure,
    faulty::{Fault, FaultyStore, Lane, Late, deliver},
    genesis::{HEAD, PREFIX, PROFILES, first_head, settings},
    input::Input,
    model::Model,
    operation::Operation,
    pins::Kept,
    reads::Held,
    succeeds,
    transactions::Open,
};

/// Longer sequences find what two shorter ones would, and slower.
const STEPS_MAX: u32 = 160;
const SLOTS: usize = 4;
/// For how many operations after a fault its handle may say that the store does not answer.
const EXCUSED: u32 = 6;

/// One handle, and its way to the store.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) manifest: Manifest,
    pub(crate) faults: FaultyStore,
    fired: u64,
    excused_until: u32,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) clock: TokioClock,
    pub(crate) shared: SharedSettings,
    latency: Duration,
    late: Late,
    pub(crate) handles: Vec<Handle>,
    pub(crate) model: Model,
    pub(crate) unknown: Vec<Unknown>,
    pub(crate) transactions: [Option<Open>; SLOTS],
    pub(crate) snapshots: [Option<Held>; SLOTS],
    pub(crate) pins: BTreeMap<u8, Kept>,
    /// Values differ, so that what is read tells who wrote it.
    values: u64,
    seeds: u64,
    step: u32,
}

impl World {
    pub(crate) async fn new(input: &mut Input<'_>) -> Result<Self, String> {
        let profile = input.below(PROFILES);
        let (count, latency) = (2 + input.index(2), input.one_of(&[0, 1, 20]));
        let store = MemoryStore::new();
        let first = first_head(profile).await?;
        let put = store.put(HEAD, first, PutMode::Create).await;
        put.map_err(|error| error.to_string())?;
        let mut world = Self {
            store,
            clock: TokioClock::new(),
            shared: settings(profile),
            latency: Duration::from_millis(latency),
            late: Late::default(),
            handles: Vec::new(),
            model: Model::default(),
            unknown: Vec::new(),
            transactions: Default::default(),
            snapshots: Default::default(),
            pins: BTreeMap::new(),
            values: 0,
            seeds: 0,
            step: 0,
        };
        for _ in 0..count {
            let faults = FaultyStore::over(world.store.clone(), world.latency, Arc::clone(&world.late));
            let manifest = world.open_over(faults.clone()).await;
            world.handles.push(Handle {
                manifest: succeeds("opening it", manifest)?,
                faults,
                fired: 0,
                excused_until: 0,
            });
        }
        Ok(world)
    }

    pub(crate) fn options(&mut self) -> Options {
        self.seeds += 1;
        Options {
            clock: Arc::new(self.clock),
            entropy: Arc::new(SeededEntropy::new(self.seeds)),
            cache_bytes: 1 << 20,
            // One of them leaves it to the others.
            maintenance: match self.seeds % 3 {
                2 => Maintenance::OnDemand,
                _ => Maintenance::Beside,
            },
            ..Options::default()
        }
    }

    async fn open_over(&mut self, faults: FaultyStore) -> Result<Manifest, Error> {
        let options = self.options();
        Manifest::open(Arc::new(faults), PREFIX, options).await
    }

    /// A handle that has seen nothing before and meets no faults.
    pub(crate) async fn observer(&mut self) -> Result<Manifest, String> {
        let options = self.options();
        let opened = Manifest::open(Arc::new(self.store.clone()), PREFIX, options).await;
        succeeds("opening it anew", opened)
    }

    /// A value that was never written before.
    pub(crate) fn value(&mut self, input: &mut Input<'_>) -> Bytes {
        self.values += 1;
        let length = input.one_of(&[0, 0, 30, 300, 900]);
        Bytes::from(format!("{}{}", self.values, ".".repeat(length)))
    }

    /// Does what the input says, to its end, and then what holds of every manifest.
    pub(crate) async fn run(&mut self, input: &mut Input<'_>, tell: &mut impl FnMut(&str)) -> Verdict {
        while !input.is_empty() && self.step < STEPS_MAX {
            self.step += 1;
            let handle = input.index(self.handles.len());
            self.operation(handle, input, tell).await?;
            self.settle().await?;
            self.note_faults();
        }
        tell("the end");
        self.end().await
    }

    async fn operation(
        &mut self,
        handle: usize,
        input: &mut Input<'_>,
        tell: &mut impl FnMut(&str),
    ) -> Verdict {
        let operation = Operation::of(input.below(32));
        tell(&format!("{}: handle {handle}: {operation:?}", self.step));
        match operation {
            Operation::Write => self.write(handle, input).await,
            Operation::Begin => self.begin(handle, input).await,
            Operation::InTransaction => self.in_transaction(input).await,
            Operation::Commit => self.commit(input).await,
            Operation::CommitAll => self.commit_all().await,
            Operation::CompareAndSet => self.compare_and_set(handle, input).await,
            Operation::Get => self.get(handle, input).await,
            Operation::Scan => self.scan(handle, input).await,
            Operation::Snapshot => self.snapshot(handle, input).await,
            Operation::ReadSnapshot => self.read_snapshot(input).await,
            Operation::Pin => self.pin(handle, input).await,
            Operation::OpenPin => self.open_pin(handle, input).await,
            Operation::ReleasePin => self.release_pin(handle, input).await,
            Operation::Maintain => self.maintain(handle).await,
            Operation::Reopen => self.reopen(handle).await,
            Operation::Wait => {
                let ms = input.one_of(&[5, 100, 1_000, 2_500, 11_000, 40_000]);
                self.clock.sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
            Operation::Fault => {
                self.arm(handle, input);
                Ok(())
            }
            Operation::LatePut => {
                deliver(&self.late, &self.store).await;
                Ok(())
            }
        }
    }

    fn arm(&mut self, handle: usize, input: &mut Input<'_>) {
        let lane = match input.below(8) {
            0..=2 => Lane::PutHead,
            3 | 4 => Lane::GetHead,
            5 => Lane::PutObject,
            6 => Lane::GetObject,
            _ => Lane::ListOrDelete,
        };
        let fault = match input.below(10) {
            0 => Fault::LostRequest,
            1 | 2 => Fault::LostReply,
            3 => Fault::Refused(503),
            4 => Fault::Refused(409),
            5 => Fault::AppliedAnd(500),
            6 | 7 => Fault::Late,
            8 => Fault::Twice,
            _ => Fault::Slow(u64::from(input.byte()) * 20),
        };
        // 409 answers conditions, which reads and deletions have not.
        let fault = match (lane, fault) {
            (Lane::PutHead | Lane::PutObject, _) => fault,
            (_, Fault::Refused(409)) => Fault::Refused(500),
            _ => fault,
        };
        if let Some(handle) = self.handles.get(handle) {
            // Outages too: several in a row. But an engine whose every PUT is sent twice is told that it is refused.
            let times = match fault {
                Fault::Twice => 1,
                _ => input.one_of(&[1, 1, 2, 12]),
            };
            for _ in 0..times {
                handle.faults.arm(lane, fault);
            }
        }
    }

    async fn maintain(&mut self, handle: usize) -> Verdict {
        let manifest = self.manifest(handle)?;
        match manifest.maintain().await {
            Ok(()) => Ok(()),
            Err(error) => self.excused(handle, "maintaining", &error),
        }
    }

    async fn reopen(&mut self, handle: usize) -> Verdict {
        let manifest = self.manifest(handle)?;
        manifest.close().await;
        let closed = match manifest.snapshot(Freshness::Cached).await {
            Err(error) => Err(error),
            Ok(snapshot) => match manifest.begin_on(snapshot) {
                Err(error) => Err(error),
                Ok(mut transaction) => {
                    succeeds("staging", transaction.put("key", "value"))?;
                    transaction.commit().await
                }
            },
        };
        ensure!(
            closed
                .as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::Closed),
            "a closed handle says {closed:?}"
        );
        // Its transactions end with it.
        for open in &mut self.transactions {
            open.take_if(|open| open.handle == handle);
        }
        let faults = FaultyStore::over(self.store.clone(), self.latency, Arc::clone(&self.late));
        let opened = succeeds("opening it again", self.open_over(faults.clone()).await)?;
        if let Some(place) = self.handles.get_mut(handle) {
            *place = Handle {
                manifest: opened,
                faults,
                fired: 0,
                excused_until: 0,
            };
        }
        Ok(())
    }

    pub(crate) fn manifest(&self, handle: usize) -> Result<Manifest, String> {
        let handle = self.handles.get(handle).ok_or("there is no such handle")?;
        Ok(handle.manifest.clone())
    }

    fn note_faults(&mut self) {
        for handle in &mut self.handles {
            let fired = handle.faults.fired();
            if fired != handle.fired {
                handle.fired = fired;
                handle.excused_until = self.step + EXCUSED;
            }
        }
    }

    /// An error that faults of this handle explain.
    pub(crate) fn excused(&self, handle: usize, doing: &str, error: &Error) -> Verdict {
        let at = self.handles.get(handle).ok_or("there is no such handle")?;
        let faulty = at.faults.fired() != at.fired || self.step <= at.excused_until;
        let kinds = [ErrorKind::Unavailable, ErrorKind::DeadlineExceeded];
        ensure!(
            faulty && kinds.contains(&error.kind()),
            "{doing} ended as {:?} though {}: {error}",
            error.kind(),
            if faulty {
                "faults excuse other errors"
            } else {
                "nothing was at fault"
            }
        );
        Ok(())
    }

    /// What holds of every manifest, whatever was done to it.
    async fn end(&mut self) -> Verdict {
        for handle in &self.handles {
            handle.faults.disarm();
        }
        self.transactions = Default::default();
        while deliver(&self.late, &self.store).await {}
        self.settle().await?;
        for handle in &self.handles {
            handle.manifest.close().await;
        }
        self.settle().await?;
        let (clean, report) = self.checked().await?;
        ensure!(clean, "it is damaged: {:?}", report.findings);
        let last = self.model.last();
        let observer = self.observer().await?;
        let info = succeeds("asking what is known", observer.info())?;
        ensure!(
            info.txn == last,
            "{} commits are there, {last} were made",
            info.txn
        );
        let expected: Vec<_> = self.model.range(&KeyRange::all(), last).into_iter().collect();
        let snapshot = succeeds("looking", observer.snapshot(Freshness::Latest).await)?;
        let forward = succeeds("scanning", snapshot.scan(KeyRange::all()).collect().await)?;
        ensure!(forward == expected, "it holds {forward:?}, not {expected:?}");
        observer.close().await;
        Ok(())
    }

    async fn checked(&mut self) -> Result<(bool, Verification), String> {
        let options = self.options();
        let report = verify(Arc::new(self.store.clone()), PREFIX, &options, |_| {}).await;
        let report = succeeds("verifying", report)?;
        Ok((report.is_clean(), report))
    }
}
