//! The store that a run measures: the embedded endpoint or a real one, a prefix of the run's own on it, and
//! every request counted by purpose.

use std::{fmt, sync::Arc, time::Duration};

use fusio_manifest::{
    Clock, Entropy as _, OsEntropy, RequestCounts, RequestMeter, S3Config, S3Store,
    store::{ListPage, Store},
};

use crate::{
    fault::FaultPlan,
    s3::{
        accounting::{Budget, BudgetedStore},
        embedded::{EmbeddedConfig, EmbeddedS3},
        preflight,
    },
    settings::{Settings, StoreSettings},
};

/// All runs work below this, so that what a killed one left is found by the next.
const ROOT: &str = "fusio-manifest-perf/";

const EMBEDDED_BUCKET: &str = "perf";
const EMBEDDED_ACCESS_KEY: &str = "embedded";
const EMBEDDED_SECRET: &str = "embedded-secret";

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

/// A store, ready to be measured.
pub struct StoreUnderTest {
    s3: S3Store,
    embedded: Option<(EmbeddedS3, FaultPlan, u64)>,
    prefix: String,
    budget: Arc<Budget>,
    clock: Arc<dyn Clock>,
    keep: bool,
    /// Runs that were killed and left objects, by prefix.
    pub stale: Vec<String>,
    /// The counts of this run.
    pub meters: Meters,
}

impl fmt::Debug for StoreUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUnderTest")
            .field("s3", &self.s3)
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
        preflight::raise_open_files(&settings.workload)?;
        let meters = Meters::default();
        let (s3, embedded) = match &settings.store {
            StoreSettings::Embedded { latency, faults } => {
                let (s3, embedded) = embedded(settings.seed, latency, faults.as_deref(), &meters).await?;
                (s3, Some(embedded))
            }
            StoreSettings::S3 { bucket, endpoint, .. } => {
                let mut config = S3Config::new(bucket);
                if let Some(endpoint) = endpoint {
                    config = config.endpoint(endpoint);
                }
                let s3 = S3Store::connect(config, Arc::clone(&meters.other))
                    .await
                    .map_err(|error| error.message)?;
                (s3, None)
            }
        };
        let create_bucket = matches!(
            &settings.store,
            StoreSettings::S3 {
                create_bucket: true,
                ..
            }
        );
        let pause = async |span| clock.sleep(span).await;
        let leftovers = preflight::reach(&s3, ROOT, create_bucket, pause).await?;
        let nonce = OsEntropy.bits().map_err(|error| error.to_string())?;
        Ok(Self {
            s3,
            embedded,
            prefix: format!("{ROOT}{nonce:016x}/"),
            budget: Arc::new(Budget::new(settings.max_requests)),
            clock,
            keep: settings.keep,
            stale: runs_of(&leftovers),
            meters,
        })
    }

    /// The store, its requests counted by `meter` and bounded by the run's budget.
    pub fn store(&self, meter: &Arc<RequestMeter>) -> Arc<dyn Store> {
        let metered = self.s3.with_meter(Arc::clone(meter));
        Arc::new(BudgetedStore::new(metered, Arc::clone(&self.budget)))
    }

    /// A prefix of this run's own, and below it this name.
    pub fn prefix(&self, name: &str) -> String {
        format!("{}{name}/", self.prefix)
    }

    /// True once PERF_MAX_REQUESTS has stopped a request.
    pub fn budget_spent(&self) -> bool {
        self.budget.is_spent()
    }

    /// Windows and counts of the injected faults begin anew.
    pub fn restart_faults(&self) {
        if let Some((server, faults, seed)) = &self.embedded {
            server.set_faults(faults.clone(), *seed);
        }
    }

    /// Deletes whatever the run wrote, unless it is to be kept. Returns what people should know.
    pub async fn clean_up(&self) -> Option<String> {
        if self.keep {
            return Some(format!(
                "kept as PERF_KEEP asks: {} in {}",
                self.prefix,
                self.s3.describe()
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
            self.s3.describe()
        ))
    }
}

async fn embedded(
    seed: u64,
    latency: &str,
    faults: Option<&str>,
    meters: &Meters,
) -> Result<(S3Store, (EmbeddedS3, FaultPlan, u64)), String> {
    let faults: FaultPlan = match faults {
        Some(text) => text.parse().map_err(|error| format!("PERF_FAULTS: {error}"))?,
        None => FaultPlan::default(),
    };
    let config = EmbeddedConfig {
        latency: latency
            .parse()
            .map_err(|error| format!("PERF_LATENCY: {error}"))?,
        faults: faults.clone(),
        seed,
        bucket: EMBEDDED_BUCKET.to_owned(),
        access_key: EMBEDDED_ACCESS_KEY.to_owned(),
        secret_key: EMBEDDED_SECRET.to_owned(),
    };
    let server = EmbeddedS3::start(config).map_err(|error| error.to_string())?;
    let config = S3Config::new(EMBEDDED_BUCKET)
        .endpoint(server.endpoint())
        .region("us-east-1")
        .credentials(EMBEDDED_ACCESS_KEY, EMBEDDED_SECRET);
    let s3 = S3Store::connect(config, Arc::clone(&meters.other))
        .await
        .map_err(|error| error.message)?;
    Ok((s3, (server, faults, seed)))
}

/// The runs that keys below the root belong to.
fn runs_of(page: &ListPage) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    for object in &page.objects {
        let run = object
            .key
            .strip_prefix(ROOT)
            .and_then(|rest| rest.split('/').next());
        let prefix = format!("{ROOT}{}/", run.unwrap_or_default());
        if runs.last() != Some(&prefix) {
            runs.push(prefix);
        }
    }
    runs
}

async fn delete_below(store: &dyn Store, prefix: &str) -> Result<(), fusio_manifest::StoreError> {
    loop {
        let page = store.list(prefix, None).await?;
        if page.objects.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
        store.delete(&keys).await?;
    }
}
