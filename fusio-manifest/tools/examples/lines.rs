//! Lines `KEY VALUE` into a manifest and out of it: the writer and the reader of the procedures in OPERATIONS.md, and a way
//! to keep what can still be read of a damaged one.
//!
//! ```text
//! lines create URL [--retention SECS]            makes a manifest
//! lines put    URL [--batch LINES]               commits what it reads, a transaction for each LINES lines (1), on one
//!                                                handle; says of each transaction what became of it
//! lines get    URL [--pin NAME]                  prints all of the newest state, or of a pin's
//! ```

use std::{
    error::Error as StdError,
    io::{self, BufRead as _, Write as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use fusio_manifest::{
    Error, Freshness, KeyRange, Manifest, Options, RequestMeter, S3Config, S3Store, SharedSettings,
};

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {}", told(error.as_ref()));
            ExitCode::from(2)
        }
    }
}

/// An error of the engine begins with its kind: what to do next depends on it.
fn told(error: &(dyn StdError + 'static)) -> String {
    match error.downcast_ref::<Error>() {
        Some(error) => format!("{:?}: {error}", error.kind()),
        None => error.to_string(),
    }
}

async fn run(words: &[String]) -> Result<bool, Box<dyn StdError>> {
    let (command, url, option) = match words {
        [command, url] => (command.as_str(), url, None),
        [command, url, name, value] => (command.as_str(), url, Some((name.as_str(), value.as_str()))),
        _ => return Err("lines create|put|get s3://BUCKET/PREFIX [OPTION VALUE]".into()),
    };
    let (bucket, prefix) = url
        .strip_prefix("s3://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or("the URL is not s3://BUCKET/PREFIX")?;
    let meter = Arc::new(RequestMeter::new());
    let store = Arc::new(S3Store::connect(S3Config::new(bucket), meter).await?);
    match (command, option) {
        ("create", None) => create(store, prefix, SharedSettings::default()).await,
        ("create", Some(("--retention", seconds))) => {
            let retention = Duration::from_secs(seconds.parse()?);
            let shared = SharedSettings {
                retention,
                ..SharedSettings::default()
            };
            create(store, prefix, shared).await
        }
        ("put", None) => put(store, prefix, 1).await,
        ("put", Some(("--batch", lines))) => put(store, prefix, lines.parse()?).await,
        ("get", None) => get(store, prefix, None).await,
        ("get", Some(("--pin", name))) => get(store, prefix, Some(name)).await,
        _ => Err(format!("{command} does not know {option:?}").into()),
    }
}

async fn create(
    store: Arc<S3Store>,
    prefix: &str,
    shared: SharedSettings,
) -> Result<bool, Box<dyn StdError>> {
    let options = Options {
        shared,
        ..Options::default()
    };
    let (manifest, creation) = Manifest::create(store, prefix, options).await?;
    println!("{creation:?}: manifest {}", manifest.info()?.manifest);
    manifest.close().await;
    Ok(true)
}

/// True if every transaction was committed.
async fn put(store: Arc<S3Store>, prefix: &str, batch: usize) -> Result<bool, Box<dyn StdError>> {
    let manifest = Manifest::open(store, prefix, Options::default()).await?;
    // It waits on the main thread: what the handle does beside goes on, on others.
    let mut lines = io::stdin().lock().lines();
    let (mut all, mut open) = (true, true);
    while open {
        let mut writes = Vec::new();
        while writes.len() < batch.max(1) {
            match lines.next() {
                Some(line) => writes.push(line?),
                None => {
                    open = false;
                    break;
                }
            }
        }
        if writes.is_empty() {
            continue;
        }
        let said = match commit(&manifest, &writes).await {
            Ok(txn) => format!("commit {txn}"),
            Err(error) => {
                all = false;
                told(&error)
            }
        };
        println!("{said}");
        io::stdout().flush()?;
    }
    manifest.close().await;
    Ok(all)
}

async fn commit(manifest: &Manifest, lines: &[String]) -> Result<u64, Error> {
    let mut transaction = manifest.begin_on(manifest.snapshot(Freshness::Cached).await?)?;
    for line in lines {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        transaction.put(key.to_owned(), value.to_owned())?;
    }
    Ok(transaction.commit().await?.txn.unwrap_or_default())
}

async fn get(store: Arc<S3Store>, prefix: &str, pin: Option<&str>) -> Result<bool, Box<dyn StdError>> {
    let manifest = Manifest::open(store, prefix, Options::default()).await?;
    let snapshot = match pin {
        Some(name) => manifest.open_pin(name).await?,
        None => manifest.snapshot(Freshness::Latest).await?,
    };
    let mut scan = snapshot.scan(KeyRange::all());
    let mut out = io::stdout().lock();
    while let Some((key, value)) = scan.next().await? {
        let (key, value) = (String::from_utf8_lossy(&key), String::from_utf8_lossy(&value));
        writeln!(out, "{key} {value}")?;
    }
    manifest.close().await;
    Ok(true)
}
