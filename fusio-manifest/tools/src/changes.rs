//! The commands that write.

use std::{process::ExitCode, sync::Arc, time::Duration};

use fusio_manifest::{
    CopyOptions, Error, Freshness, Info, Manifest, Options, RestoreFrom, S3Store, copy, restore_head, verify,
};

use crate::{
    DAMAGED,
    arguments::{Command, CopyRequest, From, Location, Request},
    check, connect, fail, json, print,
    progress::Watch,
    refuse, words,
};

/// What somebody should know who pressed Ctrl-C.
pub(crate) fn after_interrupt(command: &Command) -> &'static str {
    match command {
        Command::Inspect { .. } | Command::Verify => "nothing was changed, and the rest was not read",
        Command::Maintain => "commits are where they were; the rest of the maintenance is still due",
        Command::Pin { .. } | Command::ReleasePin { .. } => "it may be done all the same: inspect tells",
        Command::Copy(wanted) if wanted.dry_run => "nothing was changed",
        Command::Copy(_) => {
            "the target has no HEAD unless the copy is whole: run it again with --resume, or verify the target"
        }
        Command::RestoreHead { dry_run: true, .. } => "nothing was changed",
        Command::RestoreHead { .. } => "HEAD may be there all the same: look, and run it again if not",
        Command::Destroy => "run it again to remove the rest; until then nothing can be created there",
    }
}

pub(crate) async fn run(store: Arc<S3Store>, request: &Request, options: Options) -> ExitCode {
    let options = Options {
        commit_timeout: request.timeout,
        ..options
    };
    match &request.command {
        Command::Copy(wanted) => Box::pin(copied(store, request, wanted, &options)).await,
        Command::RestoreHead { from, dry_run } => restored(store, request, from, *dry_run, &options).await,
        Command::Destroy => match Manifest::destroy(store, &request.place.prefix, &options).await {
            Ok(gone) if request.json => print(&json::destroyed(&gone), 0),
            Ok(gone) => print(&words::destroyed(&gone), 0),
            Err(error) => refuse(&error, &request.place),
        },
        other => match on_handle(store, request, other, options).await {
            Ok(text) => print(&text, 0),
            Err(error) => refuse(&error, &request.place),
        },
    }
}

/// What takes an open manifest.
async fn on_handle(
    store: Arc<S3Store>,
    request: &Request,
    command: &Command,
    options: Options,
) -> Result<String, Error> {
    let manifest = Manifest::open(store, &request.place.prefix, options).await?;
    let done = match command {
        Command::Pin { name, keep } => pin(&manifest, name, *keep, request.json).await,
        Command::ReleasePin { name } => manifest.release_pin(name).await.map(|()| match request.json {
            true => json::released(name),
            false => format!("released  \"{name}\": what it alone needs goes with a later collection"),
        }),
        _ => maintain(&manifest, request.json).await,
    };
    manifest.close().await;
    done
}

async fn pin(manifest: &Manifest, name: &str, keep: Option<Duration>, json: bool) -> Result<String, Error> {
    let snapshot = manifest.snapshot(Freshness::Latest).await?;
    let pin = manifest.pin(name, &snapshot, keep).await?;
    Ok(match json {
        true => json::pinned(&pin, snapshot.txn()),
        false => words::pinned(&pin, snapshot.txn()),
    })
}

async fn maintain(manifest: &Manifest, json: bool) -> Result<String, Error> {
    let before = manifest.info()?;
    manifest.maintain().await?;
    // Others may have changed it meanwhile: what is told is what is there now.
    manifest.snapshot(Freshness::Latest).await?;
    let after: Info = manifest.info()?;
    Ok(match json {
        true => json::maintained(&before, &after),
        false => words::maintained(&before, &after),
    })
}

/// Copies, and then checks the copy.
async fn copied(store: Arc<S3Store>, request: &Request, wanted: &CopyRequest, options: &Options) -> ExitCode {
    let target = match connect(&wanted.target, request.one_request()).await {
        Ok(target) => target,
        Err(status) => return status,
    };
    let what = CopyOptions {
        pin: wanted.pin.clone(),
        resume: wanted.resume,
        dry_run: wanted.dry_run,
    };
    let mut watch = Watch::new("copying", request.json);
    let (source_prefix, prefix) = (&request.place.prefix, &wanted.target.prefix);
    let outcome = copy(
        store,
        source_prefix,
        Arc::clone(&target) as _,
        prefix,
        options,
        &what,
        |progress| {
            watch.copied(progress);
        },
    );
    let outcome = Box::pin(outcome).await;
    watch.end();
    let done = match outcome {
        Ok(done) => done,
        Err(error) => {
            // Of the source nothing is listed.
            let listed = error
                .store_error()
                .is_some_and(|source| source.operation == "LIST");
            let place = if listed { &wanted.target } else { &request.place };
            return refuse(&error, place);
        }
    };
    if !request.json {
        let told = print(&words::copied(&done), 0);
        if !done.written || told != ExitCode::SUCCESS {
            return told;
        }
        let of_target = Request {
            command: Command::Verify,
            place: Location::clone(&wanted.target),
            ..request.clone()
        };
        return check(target, &of_target, options).await;
    }
    if !done.written {
        return print(&json::copied(&done, None), 0);
    }
    match Box::pin(verify(target, prefix, options, |_| {})).await {
        Ok(report) => {
            let status = if report.is_clean() { 0 } else { DAMAGED };
            print(&json::copied(&done, Some(&report)), status)
        }
        Err(error) => {
            // It is there all the same.
            print(&json::copied(&done, None), 0);
            refuse(&error, &wanted.target)
        }
    }
}

async fn restored(
    store: Arc<S3Store>,
    request: &Request,
    from: &From,
    dry_run: bool,
    options: &Options,
) -> ExitCode {
    let from = match from {
        From::NewestPin => RestoreFrom::NewestPin,
        From::Pin(key) => RestoreFrom::Pin(key.clone()),
        From::File(file) => match std::fs::read(file) {
            Ok(bytes) => RestoreFrom::Bytes(bytes.into()),
            Err(error) => return fail(&format!("reading {}: {error}", file.display())),
        },
    };
    // What is damaged or missing is told by the result.
    let mut watch = Watch::new("checking", true);
    let outcome = restore_head(
        store,
        &request.place.prefix,
        options,
        &from,
        dry_run,
        |progress| {
            watch.see(progress);
        },
    );
    let outcome = Box::pin(outcome).await;
    watch.end();
    match outcome {
        Ok(restored) if request.json => print(&json::restored(&restored), 0),
        Ok(restored) => print(&words::restored(&restored), 0),
        Err(error) => refuse(&error, &request.place),
    }
}
