//! An S3 endpoint inside the process, on loopback, over real HTTP with real signatures.

use std::{
    error::Error, fmt, io, net::SocketAddr, sync::Arc, sync::mpsc, thread, thread::JoinHandle, time::Duration,
};

use s3s::service::S3ServiceBuilder;
use tokio::sync::oneshot;

use super::{
    backend::Backend,
    credentials::{Accepted, KeyRing},
    endpoint::Endpoint,
    request_log::{RequestCounts, RequestSnapshot},
    server,
};
use crate::{
    fault::{FaultPlan, FiredFaults},
    latency::LatencyProfile,
    timer::TimerThread,
};

#[cfg(test)]
mod tests;

/// The response header that tells the injected delay which really elapsed, in microseconds.
pub const DELAY_HEADER: &str = "x-perf-delay-us";

/// Threads that serve requests: two, so that hashing a large body does not hold up all others.
const WORKERS: usize = 2;

/// How long a stop waits for what the workers are just computing.
const STOP_MAX: Duration = Duration::from_secs(5);

/// What an [`EmbeddedS3`] is started with. Where it listens is not among it: on 127.0.0.1 alone.
#[derive(Clone)]
pub struct EmbeddedConfig {
    /// The delay of each request.
    pub latency: LatencyProfile,
    /// What goes wrong; its windows count from the start.
    pub faults: FaultPlan,
    /// Decides the draws of delays and of faults. Which request meets which draw follows from their order of
    /// arrival, which a seed cannot fix.
    pub seed: u64,
    /// A bucket that exists from the start.
    pub bucket: String,
    /// Requests signed with another access key are refused with 403.
    pub access_key: String,
    /// The same of the secret key.
    pub secret_key: String,
}

impl fmt::Debug for EmbeddedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the keys.
        f.debug_struct("EmbeddedConfig")
            .field("latency", &self.latency)
            .field("faults", &self.faults)
            .field("seed", &self.seed)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// A running endpoint, empty at first, gone with all its objects when dropped.
///
/// # What it gives
///
/// Path-style CreateBucket, HeadBucket, GetBucketVersioning, PutObject, GetObject, HeadObject, ListObjectsV2
/// without delimiter, DeleteObject and DeleteObjects; others answer 501. Conditions are atomic and answer as
/// S3: 412 if they do not hold, 404 for If-Match on a missing key, 304 with the ETag for If-None-Match of a
/// GET, 409 only by a fault. Digests that come with a PUT are checked (400). ETags are quoted MD5s.
///
/// Each request, once it has arrived whole, is held for a draw from the profile, and **then** applied; the
/// time for an answer's bytes follows. What really elapsed is told in [`DELAY_HEADER`] and in the log. A
/// request that has arrived whole is applied also if its client hangs up, unless the endpoint is stopped.
///
/// It has threads of its own and can be dropped in any context; stopping takes some milliseconds.
#[derive(Debug)]
pub struct EmbeddedS3 {
    address: SocketAddr,
    endpoint: Arc<Endpoint>,
    keys: KeyRing,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The endpoint could not be started: what failed, and why.
#[derive(Debug)]
pub struct StartError {
    step: &'static str,
    source: io::Error,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the embedded S3 cannot start: {}: {}", self.step, self.source)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

fn failed(step: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError { step, source }
}

impl EmbeddedS3 {
    /// Starts an endpoint on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// The bucket's name is not one that S3 allows, or the system gives no thread or no socket.
    pub fn start(config: EmbeddedConfig) -> Result<Self, StartError> {
        if !s3s::path::check_bucket_name(&config.bucket) {
            let error = io::Error::new(io::ErrorKind::InvalidInput, config.bucket);
            return Err(failed("S3 allows no bucket of this name")(error));
        }
        let delays = TimerThread::start("perf-s3-delay").map_err(failed("the thread for delays"))?;
        let keys = KeyRing::default();
        let endpoint = Arc::new(build(config, delays, &keys));
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::sync_channel(1);
        let served = Arc::clone(&endpoint);
        let thread = thread::Builder::new()
            .name("perf-s3".to_owned())
            .spawn(move || run(served, &ready, stopped))
            .map_err(failed("the thread of the server"))?;
        let gone = |_| failed("the thread of the server")(io::Error::other("it ended"));
        let address = started.recv().map_err(gone)??;
        Ok(Self {
            address,
            endpoint,
            keys,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The URL for clients; use path-style addressing.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on takes these credentials and no others, whatever it was started with. Those that it took before are
    /// refused as expired: 400 ExpiredToken, as S3 does.
    pub fn accept(&self, credentials: Vec<Accepted>) {
        self.keys.accept(credentials);
    }

    /// Replaces the plan of faults: its windows, counts and draws begin now. Requests that have arrived
    /// already keep the fault that they met.
    pub fn set_faults(&self, plan: FaultPlan, seed: u64) {
        self.endpoint.set_faults(plan, seed);
    }

    /// What has fired since the plan was set.
    pub fn fired_faults(&self) -> FiredFaults {
        self.endpoint.fired_faults()
    }

    /// The requests so far: counts of all, and the latest one by one. Copies up to 10 MB.
    pub fn requests(&self) -> RequestSnapshot {
        self.endpoint.log.snapshot()
    }

    /// The counts alone: cheap enough to ask for often.
    pub fn request_counts(&self) -> RequestCounts {
        self.endpoint.log.counts()
    }

    /// Stops: closes the port and all connections; requests that are being delayed are never applied.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for EmbeddedS3 {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed; there is nothing else to tell.
            let _ = thread.join();
        }
    }
}

fn build(config: EmbeddedConfig, delays: TimerThread, keys: &KeyRing) -> Endpoint {
    let backend = Backend::default();
    backend.buckets.create(&config.bucket);
    let mut service = S3ServiceBuilder::new(backend);
    keys.accept(vec![Accepted {
        access_key: config.access_key,
        secret_key: config.secret_key,
        session_token: None,
    }]);
    service.set_auth(keys.clone());
    service.set_access(keys.clone());
    Endpoint::new(
        service.build(),
        config.latency,
        config.faults,
        config.seed,
        delays,
    )
}

/// The thread of the server: makes the runtime, reports the address, serves until stopped, and takes the
/// runtime down again, which must not happen on a thread of another runtime.
fn run(
    endpoint: Arc<Endpoint>,
    ready: &mpsc::SyncSender<Result<SocketAddr, StartError>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("perf-s3-worker")
        .enable_io()
        .build();
    let runtime = match runtime.map_err(failed("the runtime")) {
        Ok(runtime) => runtime,
        Err(error) => return report(ready, Err(error)),
    };
    runtime.block_on(async {
        match server::listen().map_err(failed("listening on 127.0.0.1")) {
            Ok((listener, address)) => {
                report(ready, Ok(address));
                server::accept(listener, endpoint, stopped).await;
            }
            Err(error) => report(ready, Err(error)),
        }
    });
    runtime.shutdown_timeout(STOP_MAX);
}

fn report(ready: &mpsc::SyncSender<Result<SocketAddr, StartError>>, outcome: Result<SocketAddr, StartError>) {
    // The receiver waits for exactly this.
    let _ = ready.send(outcome);
}
