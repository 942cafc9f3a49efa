//! Listings: order, prefixes, and pages.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::bench::{Bench, Fault, unfit};
use crate::store::{ListPage, PutMode, StoreError, StoreErrorKind};

/// More than a page of S3 holds.
const MANY: usize = 1_050;
/// PUTs on the wire while they are written.
const IN_FLIGHT: usize = 16;

pub(super) async fn order(bench: &Bench<'_>) -> Result<(), Fault> {
    // In byte order: `/` comes before digits, digits before `A`, `A` before `a`. Names with a character below
    // `/` beside a folder (`a-1` and `a/0`) are left out: stores over folders list these the other way round,
    // and no key of the engine's asks.
    let inside: Vec<String> = ["a/0", "a/1", "a/10", "a/2", "a0", "aA", "aa"]
        .map(|name| bench.key(&format!("list/{name}")))
        .into();
    let outside = bench.key("list-outside");
    for key in inside.iter().rev().chain([&outside]) {
        bench.seed(key).await?;
    }
    let prefix = bench.key("list/");
    compare(bench, &prefix, None, &inside).await?;
    compare(
        bench,
        &bench.key("list/a/"),
        None,
        inside.get(..4).unwrap_or_default(),
    )
    .await?;
    compare(
        bench,
        &bench.key("list/a/1"),
        None,
        inside.get(1..3).unwrap_or_default(),
    )
    .await?;
    compare(bench, &bench.key("list/b"), None, &[]).await?;
    for (position, key) in inside.iter().enumerate() {
        compare(
            bench,
            &prefix,
            Some(key),
            inside.get(position + 1..).unwrap_or_default(),
        )
        .await?;
    }
    // A place to go on from need not be a key, nor lie below the prefix.
    compare(
        bench,
        &prefix,
        Some(&bench.key("list/a/15")),
        inside.get(3..).unwrap_or_default(),
    )
    .await?;
    compare(
        bench,
        &bench.key("list/a/"),
        Some(&prefix),
        inside.get(..4).unwrap_or_default(),
    )
    .await
}

async fn compare(
    bench: &Bench<'_>,
    prefix: &str,
    after: Option<&str>,
    wanted: &[String],
) -> Result<(), Fault> {
    let listed = all(bench, prefix, after).await?;
    if listed == wanted {
        return Ok(());
    }
    Err(unfit(
        format!("of {prefix:?} after {after:?}: {wanted:?}"),
        format!("{listed:?}"),
    ))
}

pub(super) async fn pages(bench: &Bench<'_>) -> Result<(), Fault> {
    let prefix = bench.key("pages/");
    let keys: Vec<String> = (0..MANY)
        .map(|number| bench.key(&format!("pages/{number:05}")))
        .collect();
    for batch in keys.chunks(IN_FLIGHT) {
        let mut writers = JoinSet::new();
        for key in batch {
            let (store, key, body) = (Arc::clone(&bench.store), key.clone(), bench.body());
            writers.spawn(async move {
                let answer = store.put(&key, body.clone(), PutMode::Overwrite).await;
                (key, body, answer)
            });
        }
        while let Some(ended) = writers.join_next().await {
            match ended {
                Ok((_, _, Ok(_))) => {}
                Ok((key, body, Err(_))) => {
                    bench
                        .put(&key, &body, PutMode::Overwrite)
                        .await?
                        .accepted("a PUT without a condition")?;
                }
                Err(error) => {
                    let message = format!("a writer ended: {error}");
                    return Err(StoreError::new(StoreErrorKind::Unexpected, "PUT", &prefix, message).into());
                }
            }
        }
    }
    let listed = all(bench, &prefix, None).await?;
    if listed == keys {
        return Ok(());
    }
    let missing = keys
        .iter()
        .filter(|key| listed.binary_search(key).is_err())
        .count();
    Err(unfit(
        format!("{MANY} keys in byte order over several pages"),
        format!(
            "{} keys, {missing} of them missing, or out of order",
            listed.len()
        ),
    ))
}

/// Every key of a listing, page after page.
pub(super) async fn all(bench: &Bench<'_>, prefix: &str, after: Option<&str>) -> Result<Vec<String>, Fault> {
    let mut keys: Vec<String> = Vec::new();
    // A store that always promises more must not keep the suite for ever.
    for _ in 0..=MANY {
        let ListPage { objects, more } =
            page(bench, prefix, keys.last().map(String::as_str).or(after)).await?;
        if more && objects.is_empty() {
            return Err(unfit("objects on a page that is not the last", "none"));
        }
        keys.extend(objects.into_iter().map(|object| object.key));
        if !more {
            return Ok(keys);
        }
    }
    Err(unfit("a listing that ends", "pages without end"))
}

async fn page(bench: &Bench<'_>, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
    let mut waits = bench.backoff();
    loop {
        match bench.store.list(prefix, after).await {
            Err(error) if error.is_transient() => waits.wait_or(error).await?,
            answer => return answer,
        }
    }
}
