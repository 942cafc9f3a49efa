//! The loop that every user of compare-and-swap writes: read, change, write if unchanged.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::bench::{Bench, Fault, unfit};
use crate::store::{PutMode, StoreErrorKind};

const WRITERS: usize = 8;
const STEPS: usize = 10;
/// Lost races that one step bears. Seven others with ten steps each can beat it 70 times; the rest is room
/// for lost replies.
const ATTEMPTS: usize = 500;

/// Each step appends its own name, so that the end shows every step that was lost or applied twice, and so
/// that a writer whose reply was lost finds out by reading.
pub(super) async fn lost_updates(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = &bench.key("lost-updates");
    let start = Bytes::from_static(b"start\n");
    bench
        .put(key, &start, PutMode::Overwrite)
        .await?
        .accepted("a PUT without a condition")?;
    tokio::try_join!(
        writer(bench, key, 0),
        writer(bench, key, 1),
        writer(bench, key, 2),
        writer(bench, key, 3),
        writer(bench, key, 4),
        writer(bench, key, 5),
        writer(bench, key, 6),
        writer(bench, key, 7),
    )?;
    let text = read_text(bench, key).await?.0;
    let mut times = BTreeMap::<&str, usize>::new();
    for line in text.lines() {
        *times.entry(line).or_default() += 1;
    }
    let wanted = (0..WRITERS).flat_map(|writer| (0..STEPS).map(move |step| name(writer, step)));
    let lost = wanted.filter(|name| !times.contains_key(name.as_str())).count();
    let doubled = times.values().filter(|count| **count > 1).count();
    if (lost, doubled) == (0, 0) {
        return Ok(());
    }
    Err(unfit(
        format!("{} updates, each once", WRITERS * STEPS),
        format!("{lost} lost, {doubled} applied more than once"),
    ))
}

async fn writer(bench: &Bench<'_>, key: &str, writer: usize) -> Result<(), Fault> {
    for step in 0..STEPS {
        append(bench, key, &name(writer, step)).await?;
    }
    Ok(())
}

/// Appends one line. It is looked for before each attempt, and an attempt lands only on what was looked at:
/// so an earlier copy whose reply was lost is never applied beside a later one.
async fn append(bench: &Bench<'_>, key: &str, line: &str) -> Result<(), Fault> {
    let mut waits = bench.backoff();
    for _ in 0..ATTEMPTS {
        let (text, etag) = read_text(bench, key).await?;
        if text.lines().any(|other| other == line) {
            return Ok(());
        }
        // Lets the other writers in between, also on a store that answers at once.
        tokio::task::yield_now().await;
        let body = Bytes::from(format!("{text}{line}\n"));
        match bench.store.put(key, body, PutMode::Update(etag)).await {
            Ok(_) => return Ok(()),
            Err(error)
                if matches!(
                    error.kind,
                    StoreErrorKind::PreconditionFailed | StoreErrorKind::Conflict
                ) => {}
            Err(error) if error.is_transient() => waits.wait_or(error).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Fault::Undecided(format!(
        "one writer lost {ATTEMPTS} races in a row"
    )))
}

async fn read_text(bench: &Bench<'_>, key: &str) -> Result<(String, crate::store::ETag), Fault> {
    match bench.read(key).await? {
        Some((bytes, etag)) => Ok((String::from_utf8_lossy(&bytes).into_owned(), etag)),
        None => Err(unfit("the object that is counted in", "404")),
    }
}

fn name(writer: usize, step: usize) -> String {
    format!("{writer}-{step}")
}
