//! Plain reads: the ranges that a scan asked for, in its order, without an engine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fusio_manifest::{
    Clock,
    store::{GetAnswer, GetOptions, Store},
};

use crate::trace::TracedRequest;

/// Reads them again, so many at once, and returns how long it took. An error if it was not the same bytes.
pub(super) async fn read(
    store: &Arc<dyn Store>,
    clock: &dyn Clock,
    requests: &[TracedRequest],
    in_flight: usize,
) -> Result<Duration, String> {
    let requests: Arc<[TracedRequest]> = requests.into();
    let next = Arc::new(AtomicUsize::new(0));
    let began = clock.now();
    let readers: Vec<_> = (0..in_flight)
        .map(|_| {
            tokio::spawn(read_in_turn(
                Arc::clone(store),
                Arc::clone(&requests),
                Arc::clone(&next),
            ))
        })
        .collect();
    let mut bytes = 0;
    for reader in readers {
        bytes += reader.await.map_err(|error| error.to_string())??;
    }
    let took = clock.now().saturating_sub(began);
    let scanned: u64 = requests.iter().map(|request| request.bytes).sum();
    match bytes == scanned {
        true => Ok(took),
        false => Err(format!("plain reads gave {bytes} bytes, the scan {scanned}")),
    }
}

async fn read_in_turn(
    store: Arc<dyn Store>,
    requests: Arc<[TracedRequest]>,
    next: Arc<AtomicUsize>,
) -> Result<u64, String> {
    let mut bytes = 0;
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let options = GetOptions {
            range: request.range.clone(),
            ..GetOptions::default()
        };
        let answer = store.get(&request.key, options).await;
        match answer.map_err(|error| error.to_string())? {
            GetAnswer::Found { bytes: body, .. } => bytes += body.len() as u64,
            GetAnswer::NotModified => return Err(format!("304 for a plain GET of {}", request.key)),
        }
    }
    Ok(bytes)
}
