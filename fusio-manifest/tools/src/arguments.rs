//! What the program was asked to do.

use std::time::Duration;

use fusio_manifest::S3Config;
use lexopt::{Arg, ValueExt as _};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Looks at a manifest in a bucket, or checks all of it. Changes nothing.

usage: manifest-tool inspect s3://BUCKET[/PREFIX] [--garbage] [OPTIONS]
       manifest-tool verify  s3://BUCKET[/PREFIX] [OPTIONS]

inspect   what HEAD says: sizes, log, runs, pins, collections. One request.
          --garbage  also what nothing references: a LIST for each 1,000
                     objects below the prefix
verify    reads every object and holds every checksum and every invariant
          against it; names what is broken, what that means, what to do

OPTIONS
  --endpoint URL  a compatible store, such as http://127.0.0.1:9000
  --region NAME   the bucket's region
  --timeout SECS  how long a request is repeated that fails; 30
  --json          one JSON object instead of words
  -h, --help      this
  -V, --version   the version

Credentials, region and endpoint are found as AWS tools find them: AWS_*
variables, AWS_PROFILE and its files (SSO too), the machine's role.

exit status: 0 whole, 1 damage found, 2 could not look or wrong usage,
130 interrupted";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Help,
    Version,
    Run(Request),
}

/// One look at one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Inspect { garbage: bool },
    Verify,
}

/// Reads the arguments; an error is one line for people.
pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Wanted, String> {
    let mut request = Request {
        command: Command::Verify,
        bucket: String::new(),
        prefix: String::new(),
        endpoint: None,
        region: None,
        timeout: Duration::from_secs(30),
        json: false,
    };
    let (mut command, mut url, mut garbage) = (None, None, false);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Wanted::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Wanted::Version),
            Arg::Long("json") => request.json = true,
            Arg::Long("garbage") => garbage = true,
            Arg::Long("endpoint") => request.endpoint = Some(value(&mut parser)?),
            Arg::Long("region") => request.region = Some(value(&mut parser)?),
            Arg::Long("timeout") => request.timeout = seconds(&value(&mut parser)?)?,
            Arg::Value(word) if command.is_none() => command = Some(word.string().map_err(text)?),
            Arg::Value(word) if url.is_none() => url = Some(word.string().map_err(text)?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    request.command = match command.as_deref() {
        Some("inspect") => Command::Inspect { garbage },
        Some("verify") if garbage => {
            return Err("verify always tells of garbage: leave --garbage out".to_owned());
        }
        Some("verify") => Command::Verify,
        Some(other) => return Err(format!("no command \"{other}\": inspect or verify")),
        None => return Err("no command: inspect or verify".to_owned()),
    };
    (request.bucket, request.prefix) = place(&url.ok_or("where is the manifest? s3://BUCKET/PREFIX")?)?;
    if let Some(endpoint) = &request.endpoint {
        let config = S3Config::new(&request.bucket).endpoint(endpoint);
        config.validate().map_err(|error| error.message)?;
    }
    Ok(Wanted::Run(request))
}

fn value(parser: &mut lexopt::Parser) -> Result<String, String> {
    let value = parser.value().map_err(text)?;
    value.string().map_err(text)
}

fn text(error: impl Into<lexopt::Error>) -> String {
    error.into().to_string()
}

fn seconds(value: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 3_600;
    match value.parse() {
        Ok(seconds @ 1..=DAY) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("--timeout {value}: 1 to {DAY} seconds")),
    }
}

/// Bucket and prefix of a URL. A URL that names HEAD itself means its manifest.
fn place(url: &str) -> Result<(String, String), String> {
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
    Ok((bucket.to_owned(), prefix.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Wanted, String> {
        parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    fn request(line: &str) -> Request {
        match parsed(line) {
            Ok(Wanted::Run(request)) => request,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn options_may_stand_anywhere() {
        let asked = request("--json inspect --garbage s3://b/a/b/ --endpoint http://x:1 --timeout 5");
        assert_eq!(asked.command, Command::Inspect { garbage: true });
        assert_eq!((asked.bucket.as_str(), asked.prefix.as_str()), ("b", "a/b"));
        assert_eq!(asked.endpoint.as_deref(), Some("http://x:1"));
        assert!(asked.json && asked.timeout == Duration::from_secs(5));
        assert_eq!(parsed("verify --help"), Ok(Wanted::Help));
        assert_eq!(parsed("-V"), Ok(Wanted::Version));
    }

    #[test]
    fn a_manifest_is_found_by_its_prefix_or_its_head() {
        for (url, prefix) in [
            ("s3://b", ""),
            ("s3://b/", ""),
            ("s3://b/HEAD", ""),
            ("s3://b/t/HEAD", "t"),
            ("s3://b/AHEAD", "AHEAD"),
        ] {
            assert_eq!(request(&format!("verify {url}")).prefix, prefix, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, word) in [
            ("", "no command"),
            ("check s3://b", "\"check\""),
            ("verify", "where"),
            ("verify b/p", "b/p is not s3://"),
            ("verify s3://", "is not s3://"),
            ("verify s3:///p", "is not s3://"),
            ("verify s3://b/p?x=1", "is not s3://"),
            ("verify s3://b --endpoint localhost:1", "http://"),
            ("verify s3://b --endpoint http://u:p@h", "user name"),
            ("verify s3://b --endpoint", "endpoint"),
            ("verify s3://b --timeout 0", "--timeout 0"),
            ("verify s3://b --fast", "--fast"),
            ("verify s3://b more", "more"),
            ("verify s3://b --garbage", "--garbage"),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(
                message.contains(word) && message.lines().count() == 1,
                "{line}: {message}"
            );
        }
    }
}
