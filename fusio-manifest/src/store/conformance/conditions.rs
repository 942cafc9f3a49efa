//! Conditions and ETags, one request after another.

use super::bench::{Bench, Fault, unfit};
use crate::store::{GetAnswer, GetOptions, PutMode, StoreErrorKind};

pub(super) async fn read_after_write(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("read-after-write");
    let (body, _) = bench.seed(&key).await?;
    bench.expect(&key, &body, "after a PUT").await.map(drop)
}

pub(super) async fn read_after_overwrite(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("read-after-overwrite");
    for _ in 0..3 {
        let (body, _) = bench.seed(&key).await?;
        bench
            .expect(&key, &body, "after a PUT that replaced an object")
            .await?;
    }
    Ok(())
}

pub(super) async fn etag_of_put_is_that_of_get(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("etag-of-put");
    let (body, put) = bench.seed(&key).await?;
    let got = bench.expect(&key, &body, "after a PUT").await?;
    if put == got {
        Ok(())
    } else {
        Err(unfit(format!("the PUT's ETag {put} on GET"), got.as_str()))
    }
}

pub(super) async fn strong_etag(bench: &Bench<'_>) -> Result<(), Fault> {
    let (_, etag) = bench.seed(&bench.key("strong-etag")).await?;
    if etag.is_weak() {
        Err(unfit("a strong ETag", etag.as_str()))
    } else {
        Ok(())
    }
}

pub(super) async fn etag_follows_content(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("etag-follows-content");
    let (_, first) = bench.seed(&key).await?;
    let (_, second) = bench.seed(&key).await?;
    if first == second {
        return Err(unfit("another ETag for other content", format!("{second} again")));
    }
    Ok(())
}

pub(super) async fn create_existing(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("create-existing");
    let (first, second) = (bench.body(), bench.body());
    bench
        .put(&key, &first, PutMode::Create)
        .await?
        .accepted("a PUT with `If-None-Match: *` of a missing key")?;
    bench.expect(&key, &first, "after it was created").await?;
    bench.put(&key, &second, PutMode::Create).await?.refused(
        "a PUT with `If-None-Match: *` of an existing key",
        &[StoreErrorKind::PreconditionFailed],
    )?;
    bench
        .expect(&key, &first, "after a second PUT with `If-None-Match: *`")
        .await
        .map(drop)
}

pub(super) async fn update_current(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("update-current");
    let (_, mut etag) = bench.seed(&key).await?;
    for _ in 0..3 {
        let body = bench.body();
        etag = bench
            .put(&key, &body, PutMode::Update(etag))
            .await?
            .accepted("a PUT with the current ETag in `If-Match`")?;
        bench.expect(&key, &body, "after a PUT with `If-Match`").await?;
    }
    Ok(())
}

pub(super) async fn update_stale(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("update-stale");
    let (_, stale) = bench.seed(&key).await?;
    let (current, _) = bench.seed(&key).await?;
    let late = bench.body();
    bench.put(&key, &late, PutMode::Update(stale)).await?.refused(
        "a PUT with a stale ETag in `If-Match`",
        &[StoreErrorKind::PreconditionFailed],
    )?;
    bench
        .expect(&key, &current, "after a PUT with a stale ETag")
        .await
        .map(drop)
}

pub(super) async fn update_missing(bench: &Bench<'_>) -> Result<(), Fault> {
    let (_, etag) = bench.seed(&bench.key("update-missing-other")).await?;
    let key = bench.key("update-missing");
    bench
        .put(&key, &bench.body(), PutMode::Update(etag))
        .await?
        .refused(
            "a PUT with `If-Match` of a missing key",
            &[StoreErrorKind::PreconditionFailed, StoreErrorKind::NotFound],
        )?;
    match bench.read(&key).await? {
        None => Ok(()),
        Some(_) => Err(unfit("no object after a refused PUT", "an object")),
    }
}

pub(super) async fn not_modified(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("not-modified");
    let (_, known) = bench.seed(&key).await?;
    let options = GetOptions {
        if_none_match: Some(known),
        range: None,
        bytes_max: None,
    };
    if bench.get(&key, options.clone()).await? != GetAnswer::NotModified {
        return Err(unfit(
            "304 to a GET with the current ETag in `If-None-Match`",
            "the object",
        ));
    }
    let (body, etag) = bench.seed(&key).await?;
    match bench.get(&key, options).await? {
        answer if answer == (GetAnswer::Found { bytes: body, etag }) => Ok(()),
        GetAnswer::Found { .. } => Err(unfit("the object as it is after it changed", "another one")),
        GetAnswer::NotModified => Err(unfit("the object, since it changed", "304")),
    }
}
