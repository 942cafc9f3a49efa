//! What is checked before anything of a run is sent: the endpoint, the bucket, the credentials, leftovers of
//! killed runs, and the limit on open files. Each failure is one line that says what to do.

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use fusio_manifest::{
    S3Store, StoreError, StoreErrorKind,
    store::{ListPage, Store as _},
};

use crate::config::WorkloadConfig;

/// Tries before an endpoint counts as dead: with a connect timeout of 3 s well within half a minute.
const TRIES: u32 = 3;

/// Proves that the bucket can be reached and listed, and returns the first keys below `root`: what killed
/// runs left behind. Makes the bucket first if it is missing and that is wanted.
///
/// # Errors
///
/// One line that names the endpoint or the bucket and says what to do.
pub async fn reach(
    store: &S3Store,
    root: &str,
    create_bucket: bool,
    pause: impl AsyncFn(Duration),
) -> Result<ListPage, String> {
    let (mut tries, mut created) = (0, false);
    loop {
        tries += 1;
        let error = match store.list(root, None).await {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        if error.kind == StoreErrorKind::NotFound && create_bucket && !created {
            create(store).await?;
            created = true;
            continue;
        }
        if tries >= TRIES || !error.is_transient() {
            return Err(explain(store, &error));
        }
        pause(Duration::from_millis(500)).await;
    }
}

async fn create(store: &S3Store) -> Result<(), String> {
    let bucket = store.bucket();
    let Err(error) = store.client().create_bucket().bucket(bucket).send().await else {
        return Ok(());
    };
    match error.code() {
        // Another run was faster.
        Some(code) if code.starts_with("BucketAlready") => Ok(()),
        code => Err(format!(
            "bucket {bucket} cannot be created ({}): {} {}",
            store.describe(),
            code.unwrap_or("no answer"),
            error.message().unwrap_or_default()
        )),
    }
}

fn explain(store: &S3Store, error: &StoreError) -> String {
    let (bucket, place) = (store.bucket(), store.describe());
    let detail = &error.message;
    match error.kind {
        StoreErrorKind::NotFound => format!(
            "bucket {bucket} does not exist ({place}): create it, or set PERF_S3_CREATE_BUCKET=1 ({detail})"
        ),
        StoreErrorKind::Denied => format!(
            "not allowed to list bucket {bucket} ({place}): check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
             the policy ({detail})"
        ),
        StoreErrorKind::NotSent => format!("nothing could be sent to bucket {bucket}: {detail}"),
        StoreErrorKind::Connection | StoreErrorKind::Timeout => {
            format!("the endpoint does not answer ({place}): check PERF_S3_ENDPOINT ({detail})")
        }
        _ => format!("bucket {bucket} cannot be listed ({place}): {detail}"),
    }
}

/// Raises the limit on open files as far as a stall of the store needs: every request of three seconds may
/// then hold a connection. So many cells of this load run at once.
///
/// # Errors
///
/// One line with the limit and what is needed.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rates and numbers of clients are bounded"
)]
pub fn raise_open_files(config: &WorkloadConfig, cells_at_once: u32) -> Result<(), String> {
    let rate = f64::from(config.num_writers) * config.writer_rate
        + f64::from(config.num_readers) * config.reader_rate;
    let needed = (rate * f64::from(cells_at_once) * 3.0) as u64 + 512;
    raise_to(needed)
}

#[cfg(unix)]
fn raise_to(needed: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    if enough(limit.maximum) {
        let raised = Rlimit {
            current: Some(needed),
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            return Ok(());
        }
    }
    Err(format!(
        "the limit on open files is {}, this load needs {needed} when the store stalls: raise it (ulimit -n \
         {needed}), or lower PERF_READER_RATE or PERF_NUM_READERS",
        limit.current.unwrap_or_default()
    ))
}

#[cfg(not(unix))]
fn raise_to(_: u64) -> Result<(), String> {
    Ok(())
}
