//! `manifest-tool`: looks at a manifest in a bucket, checks all of it, and does what operating it needs.
//!
//! `inspect` and `verify` change nothing. The exit status is 0 of a manifest that is whole and of work that was done, 1
//! where damage was found, 2 where it could not do it or was called wrongly, 130 after Ctrl-C.

use std::{io, io::Write as _, process::ExitCode, sync::Arc, time::Duration};

use fusio_manifest::{
    Error, ErrorKind, Inspect, Options, RequestMeter, S3Config, S3Store, StoreError, StoreErrorKind, inspect,
    verify,
};

use arguments::{Command, Location, Request, Wanted};
use progress::Watch;

mod arguments;
mod changes;
mod json;
mod progress;
mod words;

/// Damage was found.
const DAMAGED: u8 = 1;
/// It could not do it.
const FAILED: u8 = 2;
/// As shells say it of a program that was interrupted.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let request = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Wanted::Help) => return print(arguments::HELP, 0),
        Ok(Wanted::Version) => return print(concat!("manifest-tool ", env!("CARGO_PKG_VERSION")), 0),
        Ok(Wanted::Run(request)) => request,
        Err(message) => return fail(&format!("{message}; see manifest-tool --help")),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("no runtime: {error}")),
    };
    let status = runtime.block_on(async {
        tokio::select! {
            biased;
            // First: it listens from when it is first polled, and that must be before anything is sent.
            _ = tokio::signal::ctrl_c() => {
                let _ = writeln!(io::stderr(), "\ninterrupted: {}", changes::after_interrupt(&request.command));
                ExitCode::from(INTERRUPTED)
            }
            status = run(&request) => status,
        }
    });
    // A lookup of credentials may hang on the machine's metadata service: nobody waits for it.
    runtime.shutdown_background();
    status
}

async fn run(request: &Request) -> ExitCode {
    let store = match connect(&request.place, request.one_request()).await {
        Ok(store) => store,
        Err(status) => return status,
    };
    let options = Options {
        read_timeout: request.timeout,
        request_timeout: request.one_request(),
        ..Options::default()
    };
    match &request.command {
        Command::Inspect { garbage } => {
            let what = if *garbage { Inspect::Garbage } else { Inspect::Head };
            match Box::pin(inspect(store, &request.place.prefix, &options, what)).await {
                Ok(seen) if request.json => print(&json::inspection(&seen), 0),
                Ok(seen) => print(&seen.to_string(), 0),
                Err(error) => refuse(&error, &request.place),
            }
        }
        Command::Verify => check(store, request, &options).await,
        _ => Box::pin(changes::run(store, request, options)).await,
    }
}

/// With `limit` as the time for one request.
async fn connect(place: &Location, limit: Duration) -> Result<Arc<S3Store>, ExitCode> {
    let mut config = S3Config::new(&place.bucket).attempt_timeout(limit);
    if let Some(endpoint) = &place.endpoint {
        config = config.endpoint(endpoint);
    }
    if let Some(region) = &place.region {
        config = config.region(region);
    }
    match S3Store::connect(config, Arc::new(RequestMeter::new())).await {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(fail(&error.message)),
    }
}

async fn check(store: Arc<S3Store>, request: &Request, options: &Options) -> ExitCode {
    let mut watch = Watch::new("checking", request.json);
    let checked = verify(store, &request.place.prefix, options, |progress| {
        watch.see(progress);
    });
    let checked = Box::pin(checked).await;
    watch.end();
    match checked {
        Ok(report) => {
            let status = if report.is_clean() { 0 } else { DAMAGED };
            match request.json {
                true => print(&json::verification(&report), status),
                false => print(&words::verification(&report), status),
            }
        }
        Err(error) => {
            // What was found until then is damage whatever came after it.
            let status = refuse(&error, &request.place);
            if watch.found() {
                ExitCode::from(DAMAGED)
            } else {
                status
            }
        }
    }
}

fn print(text: &str, status: u8) -> ExitCode {
    match writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::from(status),
        // Whoever read the output has seen enough of it; the status tells all the same.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(status),
        Err(error) => fail(&format!("writing the output: {error}")),
    }
}

fn fail(message: &str) -> ExitCode {
    // One line, and nothing that a terminal acts on, whatever a store answered.
    let line: Vec<&str> = message
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let words = line.into_iter().filter(|word| !word.is_empty());
    let _ = writeln!(io::stderr(), "error: {}", words.collect::<Vec<_>>().join(" "));
    ExitCode::from(FAILED)
}

/// Says why it could not do it. HEAD that cannot be read is damage.
fn refuse(error: &Error, place: &Location) -> ExitCode {
    let why = error.store_error().map_or(Why::Other, Why::of);
    let status = match why {
        Why::NoBucket => fail(&format!("there is no bucket {}: {error}", place.bucket)),
        Why::NoAnswer => fail(&format!("the store does not answer: {error}")),
        Why::Other => fail(&error.to_string()),
    };
    match error.kind() {
        ErrorKind::Corrupt => ExitCode::from(DAMAGED),
        _ => status,
    }
}

/// What most often is wrong.
enum Why {
    NoBucket,
    NoAnswer,
    Other,
}

impl Why {
    fn of(source: &StoreError) -> Self {
        match source.kind {
            StoreErrorKind::NotFound if source.operation == "LIST" => Self::NoBucket,
            StoreErrorKind::NotFound if source.message.contains("NoSuchBucket") => Self::NoBucket,
            StoreErrorKind::Connection | StoreErrorKind::Timeout => Self::NoAnswer,
            _ => Self::Other,
        }
    }
}
