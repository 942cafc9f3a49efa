//! Writers that race on one condition: exactly one may win.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::bench::{Bench, Fault, shown, unfit};
use crate::store::{ETag, PutMode, StoreError, StoreErrorKind};

const RACERS: usize = 8;
/// Rounds that must have a winner.
const ROUNDS: usize = 10;

/// Each round on a key of its own, so that a few can run side by side: some stores hold racing writers up
/// for seconds.
pub(super) async fn creators(bench: &Bench<'_>) -> Result<(), Fault> {
    for wave in 0..ROUNDS / 5 {
        tokio::try_join!(
            create_round(bench, wave * 5),
            create_round(bench, wave * 5 + 1),
            create_round(bench, wave * 5 + 2),
            create_round(bench, wave * 5 + 3),
            create_round(bench, wave * 5 + 4),
        )?;
    }
    Ok(())
}

/// Repeated until it has a winner.
async fn create_round(bench: &Bench<'_>, round: usize) -> Result<(), Fault> {
    let mut waits = bench.backoff();
    for attempt in 0_usize.. {
        let key = bench.key(&format!("create-race-{round}-{attempt}"));
        if race(bench, &key, &PutMode::Create).await?.is_some() {
            break;
        }
        waits.wait_or(undecided(round)).await?;
    }
    Ok(())
}

/// All rounds on one key, each from what the one before left.
pub(super) async fn updaters(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("update-race");
    let mut waits = bench.backoff();
    let (_, mut base) = bench.seed(&key).await?;
    let mut decided = 0;
    while decided < ROUNDS {
        match race(bench, &key, &PutMode::Update(base.clone())).await? {
            Some(etag) => (base, decided) = (etag, decided + 1),
            None => {
                waits.wait_or(undecided(decided)).await?;
                // A straggler of this round may have landed meanwhile.
                let Some((_, etag)) = bench.read(&key).await? else {
                    return Err(unfit("the object that was raced for", "404"));
                };
                base = etag;
            }
        }
    }
    Ok(())
}

fn undecided(round: usize) -> Fault {
    Fault::Undecided(format!(
        "no winner among {RACERS} racing writers in round {round}, again and again"
    ))
}

/// One round. `None` if nobody won, which busy stores and lost replies may cause.
async fn race(bench: &Bench<'_>, key: &str, mode: &PutMode) -> Result<Option<ETag>, Fault> {
    let bodies: Vec<Bytes> = (0..RACERS).map(|_| bench.body()).collect();
    let mut racers = JoinSet::new();
    for (racer, body) in bodies.iter().cloned().enumerate() {
        let (store, key, mode) = (Arc::clone(&bench.store), key.to_owned(), mode.clone());
        racers.spawn(async move { (racer, store.put(&key, body, mode).await) });
    }
    let mut accepted = Vec::new();
    let mut failed = None;
    while let Some(ended) = racers.join_next().await {
        match ended {
            Ok((racer, Ok(_))) => accepted.push(racer),
            Ok((_, Err(error))) if lost(&error) => {}
            Ok((_, Err(error))) => failed = Some(error),
            Err(error) => {
                let message = format!("a racing writer ended: {error}");
                failed = Some(StoreError::new(StoreErrorKind::Unexpected, "PUT", key, message));
            }
        }
    }
    if let Some(error) = failed {
        return Err(match error.status {
            Some(400 | 405 | 501) => {
                unfit("racing writers to be accepted or refused with 412", shown(&error))
            }
            _ => error.into(),
        });
    }
    let now = bench.read(key).await?;
    let holder = now
        .as_ref()
        .and_then(|(bytes, _)| bodies.iter().position(|body| body == bytes));
    match (accepted.as_slice(), holder) {
        // The winner's reply was lost, or a refusal was of a second copy of its request.
        ([], holder) => Ok(holder.and(now).map(|(_, etag)| etag)),
        ([winner], Some(holder)) if *winner == holder => Ok(now.map(|(_, etag)| etag)),
        ([_], Some(_)) => Err(unfit(
            format!("one winner among {RACERS} racing writers"),
            "two that were applied",
        )),
        ([_], None) => Err(unfit("the winner's bytes after a race", "something else")),
        (many, _) => Err(unfit(
            format!("one winner among {RACERS} racing writers"),
            format!("{}", many.len()),
        )),
    }
}

/// Refused, or unknown.
fn lost(error: &StoreError) -> bool {
    error.status != Some(501)
        && (error.is_transient()
            || matches!(
                error.kind,
                StoreErrorKind::PreconditionFailed | StoreErrorKind::Conflict | StoreErrorKind::NotFound
            ))
}
