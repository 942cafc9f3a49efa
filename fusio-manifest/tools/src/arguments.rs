//! What the program was asked to do.

use std::{path::PathBuf, time::Duration};

use fusio_manifest::S3Config;
use lexopt::{Arg, ValueExt as _};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Looks at a manifest in a bucket, checks it, and does what operating it needs.

usage: manifest-tool COMMAND s3://BUCKET[/PREFIX] [OPTIONS]

These two change nothing:
  inspect       what HEAD says: sizes, log, runs, pins, collections. One
                request. --garbage: also what nothing references, a LIST for
                each 1,000 objects below the prefix
  verify        reads every object and holds every checksum and every
                invariant against it; names what is broken, what that means,
                what to do

These write:
  maintain      does the maintenance that is due: folds, merges, collects,
                drops expired pins
  pin URL NAME          keeps the newest state under a name
                        [--keep SPAN: 90s, 12h, 30d; else until released]
  release-pin URL NAME  lets go of it
  copy URL TARGET       copies it while others go on writing: the newest state
                        and its pins, HEAD last, into a place without one
                        [--pin NAME: only the state of that pin] [--dry-run]
                        [--resume: goes on with a copy that was stopped]
                        [--target-endpoint URL] [--target-region NAME]
  restore-head URL      writes a lost HEAD anew, from the newest pin that has
                        all it needs [--dry-run] [--from KEY: from the object
                        of that pin] [--file FILE: from a HEAD or a pin in a
                        file]
  destroy URL --yes     removes it, HEAD first

OPTIONS
  --endpoint URL  a compatible store, such as http://127.0.0.1:9000
  --region NAME   the bucket's region
  --timeout SECS  how long a request is repeated that fails; 30. One may take a
                  third of it, and 10 s: more for slow links
  --json          one JSON object instead of words
  -h, --help      this
  -V, --version   the version

Credentials, region and endpoint are found as AWS tools find them: AWS_*
variables, AWS_PROFILE and its files (SSO too), the machine's role.

exit status: 0 done or whole, 1 damage found, 2 could not or wrong usage,
130 interrupted";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Help,
    Version,
    Run(Box<Request>),
}

/// One command on one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) place: Location,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
}

impl Request {
    /// How long one request may take of what is waited for it and its repetitions: for a large object over a slow link as
    /// long as somebody waits who waits long.
    pub(crate) fn one_request(&self) -> Duration {
        const LEAST: Duration = Duration::from_secs(10);
        (self.timeout / 3).max(LEAST.min(self.timeout))
    }
}

/// Where a manifest is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Inspect { garbage: bool },
    Verify,
    Maintain,
    Pin { name: String, keep: Option<Duration> },
    ReleasePin { name: String },
    Copy(CopyRequest),
    RestoreHead { from: From, dry_run: bool },
    Destroy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyRequest {
    pub(crate) target: Location,
    pub(crate) pin: Option<String>,
    pub(crate) resume: bool,
    pub(crate) dry_run: bool,
}

/// Which earlier HEAD is to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    NewestPin,
    Pin(String),
    File(PathBuf),
}

/// What stands on the command line, before it is known what belongs to which command.
#[derive(Default)]
struct Given {
    words: Vec<String>,
    /// The options that were given and are not every command's.
    named: Vec<&'static str>,
    endpoint: Option<String>,
    region: Option<String>,
    target_endpoint: Option<String>,
    target_region: Option<String>,
    keep: Option<Duration>,
    pin: Option<String>,
    from: Option<String>,
    file: Option<PathBuf>,
}

/// Reads the arguments; an error is one line for people.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Wanted, String> {
    let mut given = Given::default();
    let (mut timeout, mut json) = (Duration::from_secs(30), false);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Wanted::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Wanted::Version),
            Arg::Long("json") => json = true,
            Arg::Long("endpoint") => given.endpoint = Some(endpoint(&mut parser)?),
            Arg::Long("region") => given.region = Some(value(&mut parser)?),
            Arg::Long("timeout") => timeout = seconds(&value(&mut parser)?)?,
            Arg::Value(word) => given.words.push(word.string().map_err(text)?),
            Arg::Long(name) => {
                let name = name.to_owned();
                given.option(&name, &mut parser)?;
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    let (command, place) = given.command()?;
    Ok(Wanted::Run(Box::new(Request {
        command,
        place,
        timeout,
        json,
    })))
}

impl Given {
    /// An option that only some commands have.
    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
        let named = match name {
            "garbage" => "garbage",
            "resume" => "resume",
            "dry-run" => "dry-run",
            "yes" => "yes",
            "keep" => {
                self.keep = Some(span(&value(parser)?)?);
                "keep"
            }
            "pin" => {
                self.pin = Some(value(parser)?);
                "pin"
            }
            "from" => {
                self.from = Some(value(parser)?);
                "from"
            }
            "file" => {
                self.file = Some(parser.value().map_err(text)?.into());
                "file"
            }
            "target-endpoint" => {
                self.target_endpoint = Some(endpoint(parser)?);
                "target-endpoint"
            }
            "target-region" => {
                self.target_region = Some(value(parser)?);
                "target-region"
            }
            other => return Err(format!("there is no option --{other}")),
        };
        self.named.push(named);
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.named.contains(&name)
    }

    fn command(mut self) -> Result<(Command, Location), String> {
        let names = "inspect, verify, maintain, pin, release-pin, copy, restore-head or destroy";
        let mut words = std::mem::take(&mut self.words).into_iter();
        let command = words.next().ok_or_else(|| format!("no command: {names}"))?;
        let (second, options): (Option<&str>, &[&str]) = match command.as_str() {
            "inspect" => (None, &["garbage"]),
            "verify" if self.has("garbage") => {
                return Err("verify always tells of garbage: leave --garbage out".to_owned());
            }
            "verify" | "maintain" => (None, &[]),
            "pin" => (Some("a name for the pin"), &["keep"]),
            "release-pin" => (Some("the name of the pin"), &[]),
            "copy" => (
                Some("the target, s3://BUCKET/PREFIX"),
                &["pin", "resume", "dry-run", "target-endpoint", "target-region"],
            ),
            "restore-head" => (None, &["from", "file", "dry-run"]),
            "destroy" => (None, &["yes"]),
            other => return Err(format!("no command \"{other}\": {names}")),
        };
        if let Some(stranger) = self.named.iter().find(|name| !options.contains(name)) {
            return Err(format!("{command} has no option --{stranger}"));
        }
        let url = words.next().ok_or("where is the manifest? s3://BUCKET/PREFIX")?;
        let mut place = location(&url)?;
        place.endpoint = self.endpoint.take();
        place.region = self.region.take();
        let second = match second {
            None => String::new(),
            Some(what) => words.next().ok_or_else(|| format!("{command} needs {what}"))?,
        };
        if let Some(more) = words.next() {
            return Err(format!("{command} does not know what to do with \"{more}\""));
        }
        let command = match command.as_str() {
            "inspect" => Command::Inspect {
                garbage: self.has("garbage"),
            },
            "verify" => Command::Verify,
            "maintain" => Command::Maintain,
            "pin" => Command::Pin {
                name: second,
                keep: self.keep,
            },
            "release-pin" => Command::ReleasePin { name: second },
            "copy" => Command::Copy(self.copy(&second, &place)?),
            "restore-head" => Command::RestoreHead {
                dry_run: self.has("dry-run"),
                from: self.source()?,
            },
            _ if self.has("yes") => Command::Destroy,
            _ => {
                let told =
                    "destroy deletes the manifest and all of its pins for good: add --yes if that is meant";
                return Err(told.to_owned());
            }
        };
        Ok((command, place))
    }

    fn copy(mut self, url: &str, source: &Location) -> Result<CopyRequest, String> {
        let mut target = location(url)?;
        // Of the same store, unless another one is named.
        let (endpoint, region) = (self.target_endpoint.take(), self.target_region.take());
        target.endpoint = endpoint.or_else(|| source.endpoint.clone());
        target.region = region.or_else(|| source.region.clone());
        if target == *source {
            return Err("source and target are the same place".to_owned());
        }
        Ok(CopyRequest {
            target,
            resume: self.has("resume"),
            dry_run: self.has("dry-run"),
            pin: self.pin,
        })
    }

    fn source(self) -> Result<From, String> {
        match (self.from, self.file) {
            (None, None) => Ok(From::NewestPin),
            (Some(key), None) => Ok(From::Pin(key)),
            (None, Some(file)) => Ok(From::File(file)),
            (Some(_), Some(_)) => Err("--from or --file, not both".to_owned()),
        }
    }
}

fn value(parser: &mut lexopt::Parser) -> Result<String, String> {
    let value = parser.value().map_err(text)?;
    value.string().map_err(text)
}

fn text(error: impl Into<lexopt::Error>) -> String {
    error.into().to_string()
}

/// One that holds no credentials, which would be told with it.
fn endpoint(parser: &mut lexopt::Parser) -> Result<String, String> {
    let endpoint = value(parser)?;
    let config = S3Config::new("any").endpoint(&endpoint);
    config.validate().map_err(|error| error.message)?;
    Ok(endpoint)
}

const DAY: u64 = 24 * 3_600;

fn seconds(value: &str) -> Result<Duration, String> {
    match value.parse() {
        Ok(seconds @ 1..=DAY) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("--timeout {value}: 1 to {DAY} seconds")),
    }
}

/// A span of time: a number and its unit.
fn span(value: &str) -> Result<Duration, String> {
    let wrong = || format!("--keep {value}: a number and s, m, h or d, such as 12h");
    let unit = value.chars().last().and_then(|unit| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3_600),
        'd' => Some(DAY),
        _ => None,
    });
    let unit = unit.ok_or_else(wrong)?;
    let number: u64 = value
        .get(..value.len() - 1)
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    // Ten years: more is meant to be for ever, and there is a way to say that.
    match number.checked_mul(unit) {
        Some(seconds @ 1..=315_360_000) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("--keep {value}: 1s to 3650d")),
    }
}

/// Bucket and prefix of a URL. A URL that names HEAD itself means its manifest.
fn location(url: &str) -> Result<Location, String> {
    let wrong = || format!("{url} is not s3://BUCKET or s3://BUCKET/PREFIX");
    let rest = url.strip_prefix("s3://").ok_or_else(wrong)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if bucket.is_empty() || !bucket.bytes().all(allowed) || prefix.contains(['?', '#']) {
        return Err(wrong());
    }
    let prefix = prefix.trim_matches('/');
    let prefix = match prefix.strip_suffix("HEAD") {
        Some(inner) if inner.is_empty() || inner.ends_with('/') => inner.trim_end_matches('/'),
        _ => prefix,
    };
    Ok(Location {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        ..Location::default()
    })
}

#[cfg(test)]
mod tests;
