//! The store that a run measures: the embedded endpoint, a real one or a simulated one, a prefix of the run's own
//! on it, and every request counted by purpose.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use fusio_manifest::{
    Clock, Entropy as _, OsEntropy, RequestCounts, RequestMeter, S3Store, SeededEntropy, store::Store,
};

use crate::{
    fault::{FaultPlan, FiredFaults},
    latency::LatencyProfile,
    s3::{
        accounting::{Budget, BudgetedStore},
        embedded::{EmbeddedConfig, EmbeddedS3},
        preflight,
        request_log::LoggedRequest,
    },
    settings::{Settings, StoreSettings},
    simulate::SimulatedStore,
};

pub use address::Address;
use address::{EMBEDDED_ACCESS_KEY, EMBEDDED_BUCKET, EMBEDDED_SECRET};
use leftovers::{delete_below, runs_of};

mod address;
mod leftovers;

/// All runs work below this, so that what a killed one left is found by the next.
const ROOT: &str = "fusio-manifest-perf/";

/// What requests are for.
#[derive(Debug, Default)]
pub struct Meters {
    /// Commits of the measured writers.
    pub writers: Arc<RequestMeter>,
    /// Reads of the measured readers.
    pub readers: Arc<RequestMeter>,
    /// The bare requests that the engine is compared to.
    pub floor: Arc<RequestMeter>,
    /// Opening, probing, the final check, cleaning up.
    pub other: Arc<RequestMeter>,
}

impl Meters {
    /// Everything that was sent.
    pub fn total(&self) -> RequestCounts {
        [&self.writers, &self.readers, &self.floor, &self.other]
            .iter()
            .fold(RequestCounts::default(), |sum, meter| sum.plus(&meter.counts()))
    }
}

/// Where the objects are.
enum Bucket {
    /// Reached over HTTP; with the server that is behind it, if it is in this process.
    S3(S3Store, Option<EmbeddedS3>),
    Simulated(SimulatedStore),
}

impl Bucket {
    fn store(&self, meter: Arc<RequestMeter>, budget: Arc<Budget>) -> Arc<dyn Store> {
        match self {
            Self::S3(s3, _) => Arc::new(BudgetedStore::new(s3.with_meter(meter), budget)),
            Self::Simulated(simulated) => Arc::new(BudgetedStore::new(simulated.with_meter(meter), budget)),
        }
    }

    fn set_faults(&self, faults: FaultPlan, seed: u64) {
        match self {
            Self::S3(_, Some(server)) => server.set_faults(faults, seed),
            Self::S3(_, None) => {}
            Self::Simulated(simulated) => simulated.set_faults(faults, seed),
        }
    }

    fn fired_faults(&self) -> FiredFaults {
        match self {
            Self::S3(_, Some(server)) => server.fired_faults(),
            Self::S3(_, None) => FiredFaults::default(),
            Self::Simulated(simulated) => simulated.fired_faults(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::S3(s3, _) => s3.describe(),
            Self::Simulated(simulated) => simulated.describe(),
        }
    }
}

/// A store, ready to be measured.
pub struct StoreUnderTest {
    bucket: Bucket,
    faults: FaultPlan,
    seed: u64,
    prefix: String,
    /// Of a real store.
    endpoint: Option<String>,
    budget: Arc<Budget>,
    clock: Arc<dyn Clock>,
    keep: bool,
    /// Runs that were killed and left objects, by prefix.
    pub stale: Vec<String>,
    /// The counts of this run, unless its cells have meters of their own.
    pub meters: Arc<Meters>,
}

impl fmt::Debug for StoreUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUnderTest")
            .field("bucket", &self.bucket.describe())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl StoreUnderTest {
    /// Starts or reaches the store, and checks that it can be used.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong and what to do.
    pub async fn connect(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let meters = Arc::new(Meters::default());
        let (latency, faults) = (latency(&settings.store)?, faults(&settings.store)?);
        let seed = settings.seed;
        let bucket = match &settings.store {
            StoreSettings::Embedded { .. } => {
                preflight::raise_open_files(&settings.workload, settings.cells_at_once)?;
                embedded(latency, &faults, seed, &meters).await?
            }
            StoreSettings::S3 { bucket, endpoint, .. } => {
                preflight::raise_open_files(&settings.workload, settings.cells_at_once)?;
                real(bucket, endpoint.as_deref(), &meters).await?
            }
            StoreSettings::Simulated { .. } => {
                let clock = Arc::clone(&clock);
                Bucket::Simulated(SimulatedStore::new(latency, faults.clone(), seed, clock))
            }
        };
        let (stale, nonce) = match &bucket {
            Bucket::S3(s3, _) => (leftovers(s3, settings, &*clock).await?, OsEntropy.bits()),
            // Made for this run, and gone with it.
            Bucket::Simulated(_) => (Vec::new(), SeededEntropy::new(seed).bits()),
        };
        let nonce = nonce.map_err(|error| error.to_string())?;
        Ok(Self {
            bucket,
            faults,
            seed,
            prefix: format!("{ROOT}{nonce:016x}/"),
            endpoint: match &settings.store {
                StoreSettings::S3 { endpoint, .. } => endpoint.clone(),
                StoreSettings::Embedded { .. } | StoreSettings::Simulated { .. } => None,
            },
            budget: Arc::new(Budget::new(settings.max_requests)),
            clock,
            keep: settings.keep,
            stale,
            meters,
        })
    }

    /// The store, its requests counted by `meter` and bounded by the run's budget.
    pub fn store(&self, meter: &Arc<RequestMeter>) -> Arc<dyn Store> {
        self.bucket.store(Arc::clone(meter), Arc::clone(&self.budget))
    }

    /// A prefix of this run's own, and below it this name.
    pub fn prefix(&self, name: &str) -> String {
        format!("{}{name}/", self.prefix)
    }

    /// True once PERF_MAX_REQUESTS has stopped a request.
    pub fn budget_spent(&self) -> bool {
        self.budget.is_spent()
    }

    /// How another process reaches the bucket; none if it is in this one's memory alone.
    pub fn address(&self) -> Option<Address> {
        let Bucket::S3(s3, server) = &self.bucket else {
            return None;
        };
        let endpoint = match server {
            Some(server) => Some(server.endpoint()),
            None => self.endpoint.clone(),
        };
        Some(Address {
            bucket: s3.bucket().to_owned(),
            endpoint,
            embedded: server.is_some(),
        })
    }

    /// How many requests PERF_MAX_REQUESTS leaves; none if there is no bound.
    pub fn budget_left(&self) -> Option<u64> {
        self.budget.left()
    }

    /// The latest requests as the server saw them, if it is in this process.
    pub(crate) fn request_log(&self) -> Option<VecDeque<LoggedRequest>> {
        match &self.bucket {
            Bucket::S3(_, Some(server)) => Some(server.requests().latest),
            Bucket::S3(_, None) | Bucket::Simulated(_) => None,
        }
    }

    /// How many objects were deleted from a simulated bucket; of others nobody counts.
    pub fn objects_deleted(&self) -> u64 {
        match &self.bucket {
            Bucket::S3(..) => 0,
            Bucket::Simulated(simulated) => simulated.objects_deleted(),
        }
    }

    /// Windows and counts of the injected faults begin anew.
    pub fn restart_faults(&self) {
        self.bucket.set_faults(self.faults.clone(), self.seed);
    }

    /// Which faults have fired since then.
    pub fn fired_faults(&self) -> FiredFaults {
        self.bucket.fired_faults()
    }

    /// Nothing is broken on purpose any more, until [`restart_faults`](Self::restart_faults).
    pub fn calm(&self) {
        self.bucket.set_faults(FaultPlan::default(), self.seed);
    }

    /// Deletes whatever the run wrote, unless it is to be kept. Returns what people should know.
    pub async fn clean_up(&self) -> Option<String> {
        if self.keep {
            return Some(format!(
                "kept as PERF_KEEP asks: {} in {}",
                self.prefix,
                self.bucket.describe()
            ));
        }
        let store = self.store(&self.meters.other);
        for _ in 0..3 {
            match delete_below(&*store, &self.prefix).await {
                Ok(()) => return None,
                Err(error) => {
                    tracing::warn!(%error, "cleaning up");
                    self.clock.sleep(Duration::from_secs(1)).await;
                }
            }
        }
        Some(format!(
            "not everything could be deleted below {} in {}: delete it by hand",
            self.prefix,
            self.bucket.describe()
        ))
    }
}

fn latency(store: &StoreSettings) -> Result<LatencyProfile, String> {
    let text = store.latency().unwrap_or("none");
    text.parse().map_err(|error| format!("PERF_LATENCY: {error}"))
}

fn faults(store: &StoreSettings) -> Result<FaultPlan, String> {
    let text = store.faults().unwrap_or_default();
    text.parse().map_err(|error| format!("PERF_FAULTS: {error}"))
}

async fn embedded(
    latency: LatencyProfile,
    faults: &FaultPlan,
    seed: u64,
    meters: &Meters,
) -> Result<Bucket, String> {
    let config = EmbeddedConfig {
        latency,
        faults: faults.clone(),
        seed,
        bucket: EMBEDDED_BUCKET.to_owned(),
        access_key: EMBEDDED_ACCESS_KEY.to_owned(),
        secret_key: EMBEDDED_SECRET.to_owned(),
    };
    let server = EmbeddedS3::start(config).map_err(|error| error.to_string())?;
    let address = Address {
        bucket: EMBEDDED_BUCKET.to_owned(),
        endpoint: Some(server.endpoint()),
        embedded: true,
    };
    let s3 = address.connect(&meters.other).await?;
    Ok(Bucket::S3(s3, Some(server)))
}

async fn real(bucket: &str, endpoint: Option<&str>, meters: &Meters) -> Result<Bucket, String> {
    let address = Address {
        bucket: bucket.to_owned(),
        endpoint: endpoint.map(str::to_owned),
        embedded: false,
    };
    let s3 = address.connect(&meters.other).await?;
    Ok(Bucket::S3(s3, None))
}

/// Proves that the bucket can be used, and finds what killed runs left in it.
async fn leftovers(s3: &S3Store, settings: &Settings, clock: &dyn Clock) -> Result<Vec<String>, String> {
    let create_bucket = matches!(
        &settings.store,
        StoreSettings::S3 {
            create_bucket: true,
            ..
        }
    );
    let pause = async |span| clock.sleep(span).await;
    let mut page = preflight::reach(s3, ROOT, create_bucket, pause).await?;
    // Pages may be full of what is nobody's.
    while let (true, Some(last)) = (page.more && runs_of(ROOT, &page).is_empty(), page.objects.last()) {
        let after = last.key.clone();
        page = s3
            .list(ROOT, Some(&after))
            .await
            .map_err(|error| error.to_string())?;
    }
    Ok(runs_of(ROOT, &page))
}

/// Deletes what runs left in the bucket of the settings, whether they were killed or are still writing: it must have no
/// other user. Returns what it deleted.
///
/// # Errors
///
/// One line: why it cannot.
pub async fn delete_leftovers(settings: &Settings, clock: &dyn Clock) -> Result<Vec<String>, String> {
    let StoreSettings::S3 { bucket, endpoint, .. } = &settings.store else {
        return Err("PERF_STORE is not s3: only a real bucket has leftovers".to_owned());
    };
    let Bucket::S3(s3, _) = real(bucket, endpoint.as_deref(), &Meters::default()).await? else {
        return Ok(Vec::new());
    };
    let mut deleted = Vec::new();
    loop {
        let runs = leftovers(&s3, settings, clock).await?;
        if runs.is_empty() {
            return Ok(deleted);
        }
        for run in runs {
            delete_below(&s3, &run)
                .await
                .map_err(|error| format!("{run} cannot be deleted: {}", error.message))?;
            deleted.push(run);
        }
    }
}
