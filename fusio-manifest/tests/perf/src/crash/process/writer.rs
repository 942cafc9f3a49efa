//! Commits transactions of every kind: blind puts, read-modify-writes, deletions, scans, and large ones, which are log
//! objects. Two tasks share the handle, so that some commits share a PUT.

use bytes::Bytes;
use fusio_manifest::Manifest;

use super::{LARGE_KEYS, LARGE_VALUE_BYTES, LARGE_WRITES, Process, large_key, mark};
use crate::{
    crash::doomed::LARGE_BYTES,
    history::{OperationKind, Write},
    target::{Ask, engine::attempt},
};

/// A transaction of more writes is a large one.
pub(crate) const SMALL_WRITES_MAX: usize = 4;

const _: () = assert!(LARGE_WRITES as usize > SMALL_WRITES_MAX);
const _: () = assert!(LARGE_WRITES as usize * LARGE_VALUE_BYTES > LARGE_BYTES);

pub(super) async fn live(process: &Process) -> Result<(), String> {
    let Some(manifest) = process.open().await? else {
        return Ok(());
    };
    tokio::join!(write(process, &manifest, 0), write(process, &manifest, 1));
    manifest.close().await;
    Ok(())
}

async fn write(process: &Process, manifest: &Manifest, task: u32) {
    let client = process.order.number * 2 + task;
    let mut number = 0;
    while !process.stop.is_set() {
        number += 1;
        let (asks, mut writes) = draw(process, client, number);
        writes.push(mark(client, number));
        let operation = process
            .journal
            .invoke(client, OperationKind::Commit, writes.clone());
        let (report, reads, error) = attempt(manifest, asks, Box::new(|_| writes)).await;
        process.journal.answer(operation, reads, report.told());
        if let Some(error) = error {
            process.note("commit", &error);
        }
        process.rest().await;
    }
}

/// What a transaction reads and writes. Values are unlike any other.
pub(crate) fn draw(process: &Process, client: u32, number: u32) -> (Vec<Ask>, Vec<Write>) {
    let value = |place: u32| Bytes::from(format!("{client}.{number}.{place}"));
    let put = |place: u32, key: Bytes| Write {
        key,
        value: Some(value(place)),
    };
    let key = process.pool_key();
    match process.draw(0..100) {
        0..40 => {
            let keys = (0..process.draw(1..4)).map(|place| put(place, process.pool_key()));
            (Vec::new(), keys.collect())
        }
        40..65 => (vec![Ask::Key(key.clone())], vec![put(0, key)]),
        65..80 => (vec![process.pool_range()], vec![put(0, key)]),
        80..90 => (Vec::new(), vec![Write { key, value: None }]),
        _ => {
            let first = process.draw(0..LARGE_KEYS);
            let large = (0..LARGE_WRITES).map(|place| {
                let mut bytes = value(place).to_vec();
                bytes.resize(LARGE_VALUE_BYTES, b'.');
                Write {
                    key: large_key((first + place) % LARGE_KEYS),
                    value: Some(Bytes::from(bytes)),
                }
            });
            (Vec::new(), large.collect())
        }
    }
}
