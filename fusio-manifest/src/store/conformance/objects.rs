//! Bytes, ranges, names and deletion.

use bytes::Bytes;

use super::bench::{Bench, Fault, shown, unfit};
use crate::store::{GetAnswer, GetOptions, PutMode, StoreErrorKind};

/// Keys that HTTP, XML or a file system could spoil.
const ODD: [&str; 10] = [
    "a b",
    "a+b",
    "a%b",
    "a%20b",
    "a%2Fb",
    "a&b=c?d#e",
    "a'b(c)!*~",
    "a:b@c,d;e$f",
    "\u{fc}ber",
    "\u{65e5}\u{672c}/\u{1f980}",
];

pub(super) async fn get_missing(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("get-missing");
    match bench.get(&key, GetOptions::default()).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
        Err(error) => Err(unfit("404", shown(&error))),
        Ok(_) => Err(unfit("404", "an object")),
    }
}

pub(super) async fn sizes(bench: &Bench<'_>) -> Result<(), Fault> {
    for length in [0, 1, 64 << 10, (5 << 20) + 1] {
        let key = bench.key(&format!("sizes-{length}"));
        let body = pattern(length);
        let put = bench
            .put(&key, &body, PutMode::Overwrite)
            .await?
            .accepted("a PUT")?;
        let got = bench.expect(&key, &body, "after a PUT").await?;
        if put != got {
            return Err(unfit(
                format!("the ETag {put} of the PUT of {length} bytes"),
                got.as_str(),
            ));
        }
    }
    Ok(())
}

pub(super) async fn ranges(bench: &Bench<'_>) -> Result<(), Fault> {
    const LENGTH: u64 = 10_000;
    let key = bench.key("ranges");
    let body = pattern(10_000);
    let etag = bench
        .put(&key, &body, PutMode::Overwrite)
        .await?
        .accepted("a PUT")?;
    for (start, end) in [(0, 1), (0, 10_000), (17, 4_711), (9_999, 10_000), (9_000, 20_000)] {
        let options = GetOptions {
            if_none_match: None,
            range: Some(start as u64..end as u64),
            bytes_max: None,
        };
        let wanted = body.slice(start..end.min(body.len()));
        match bench.get(&key, options).await? {
            GetAnswer::Found { bytes, etag: got } if bytes == wanted && got == etag => {}
            GetAnswer::Found { bytes, etag: got } => {
                return Err(unfit(
                    format!("bytes {start}..{end} of {LENGTH} under the ETag {etag}"),
                    format!("{} bytes, or others, under {got}", bytes.len()),
                ));
            }
            GetAnswer::NotModified => return Err(unfit("bytes to an unconditional GET", "304")),
        }
    }
    let beyond = GetOptions {
        if_none_match: None,
        range: Some(LENGTH..LENGTH + 1),
        bytes_max: None,
    };
    match bench.get(&key, beyond).await {
        Err(error) if error.status == Some(416) => Ok(()),
        Err(error) => Err(unfit("416 to a range past the end", shown(&error))),
        Ok(_) => Err(unfit("416 to a range past the end", "bytes")),
    }
}

pub(super) async fn bytes_max(bench: &Bench<'_>) -> Result<(), Fault> {
    let key = bench.key("bytes-max");
    let body = pattern(10_000);
    bench
        .put(&key, &body, PutMode::Overwrite)
        .await?
        .accepted("a PUT")?;
    let ask = async |range, most| {
        let options = GetOptions {
            if_none_match: None,
            range,
            bytes_max: Some(most),
        };
        bench.get(&key, options).await
    };
    for (range, most, wanted) in [
        (None, 10_000, body.clone()),
        (None, u64::MAX, body.clone()),
        (Some(10..20), 10, body.slice(10..20)),
        // The end of an object is no longer than it is, however far the range goes.
        (Some(9_990..30_000), 10, body.slice(9_990..)),
    ] {
        match ask(range.clone(), most).await? {
            GetAnswer::Found { bytes, .. } if bytes == wanted => {}
            answer => {
                let got = format!("{answer:?}");
                return Err(unfit(format!("{} bytes, {most} at most", wanted.len()), got));
            }
        }
    }
    for (range, most) in [(None, 9_999), (None, 0), (Some(10..20), 9)] {
        match ask(range, most).await {
            Err(error) if error.kind == StoreErrorKind::TooLong => {}
            Err(error) => return Err(unfit(format!("too long for {most} bytes"), shown(&error))),
            Ok(_) => return Err(unfit(format!("no more than {most} bytes"), "more")),
        }
    }
    Ok(())
}

pub(super) async fn odd_keys(bench: &Bench<'_>) -> Result<(), Fault> {
    let prefix = bench.key("odd/");
    let mut keys: Vec<String> = ODD.iter().map(|name| bench.key(&format!("odd/{name}"))).collect();
    let mut bodies = Vec::new();
    for key in &keys {
        bodies.push(bench.seed(key).await?.0);
    }
    for (key, body) in keys.iter().zip(&bodies) {
        bench.expect(key, body, &format!("under the key {key:?}")).await?;
    }
    keys.sort();
    let listed = super::listing::all(bench, &prefix, None).await?;
    if listed != keys {
        return Err(unfit(format!("a listing of {keys:?}"), format!("{listed:?}")));
    }
    bench.delete(&keys).await?;
    for key in &keys {
        if bench.read(key).await?.is_some() {
            return Err(unfit(
                format!("no object under {key:?} after its deletion"),
                "an object",
            ));
        }
    }
    Ok(())
}

pub(super) async fn delete(bench: &Bench<'_>) -> Result<(), Fault> {
    let [one, two, kept, missing] =
        ["one", "two", "one-kept", "missing"].map(|name| bench.key(&format!("delete/{name}")));
    for key in [&one, &two] {
        bench.seed(key).await?;
    }
    let (body, _) = bench.seed(&kept).await?;
    // A second time nothing is left, which must not be an error.
    for _ in 0..2 {
        bench.delete(&[one.clone(), missing.clone(), two.clone()]).await?;
        for key in [&one, &two, &missing] {
            if bench.read(key).await?.is_some() {
                return Err(unfit("no object after its deletion", "an object"));
            }
        }
    }
    bench.expect(&kept, &body, "after others were deleted").await?;
    // What was deleted can be created again.
    bench
        .put(&one, &bench.body(), PutMode::Create)
        .await?
        .accepted("a PUT with `If-None-Match: *` after a deletion")?;
    Ok(())
}

/// Bytes without a period, so that a lost or doubled block shows.
fn pattern(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}
