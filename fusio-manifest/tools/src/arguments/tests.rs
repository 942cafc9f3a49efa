//! Command lines.

use super::*;

fn parsed(line: &str) -> Result<Wanted, String> {
    parse(lexopt::Parser::from_args(line.split_whitespace()))
}

fn request(line: &str) -> Request {
    match parsed(line) {
        Ok(Wanted::Run(request)) => *request,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn options_may_stand_anywhere() {
    let asked = request("--json inspect --garbage s3://b/a/b/ --endpoint http://x:1 --timeout 5");
    assert_eq!(asked.command, Command::Inspect { garbage: true });
    assert_eq!(
        (asked.place.bucket.as_str(), asked.place.prefix.as_str()),
        ("b", "a/b")
    );
    assert_eq!(asked.place.endpoint.as_deref(), Some("http://x:1"));
    assert!(asked.json && asked.timeout == Duration::from_secs(5));
    assert_eq!(parsed("verify --help"), Ok(Wanted::Help));
    assert_eq!(parsed("-V"), Ok(Wanted::Version));
}

#[test]
fn who_waits_long_gives_one_request_longer() {
    for (timeout, one) in [(1, 1), (10, 10), (30, 10), (31, 10), (300, 100)] {
        let asked = request(&format!("verify s3://b --timeout {timeout}"));
        assert_eq!(asked.one_request().as_secs(), one, "{timeout}");
    }
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
        assert_eq!(request(&format!("verify {url}")).place.prefix, prefix, "{url}");
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
        (
            "copy s3://b/p s3://c/p --target-endpoint http://u:p@h",
            "user name",
        ),
        ("verify s3://b --endpoint", "endpoint"),
        ("verify s3://b --timeout 0", "--timeout 0"),
        ("verify s3://b --fast", "--fast"),
        ("verify s3://b more", "more"),
        ("verify s3://b --garbage", "--garbage"),
        ("inspect s3://b --yes", "inspect has no option --yes"),
        ("destroy s3://b", "--yes"),
        ("destroy s3://b --dry-run --yes", "--dry-run"),
        ("pin s3://b", "a name"),
        ("pin s3://b n --keep 12", "--keep 12"),
        ("pin s3://b n --keep 0h", "--keep 0h"),
        ("pin s3://b n --keep 99999999999999999999d", "--keep"),
        ("pin s3://b n --keep 9999d", "3650d"),
        ("copy s3://b/p", "the target"),
        ("copy s3://b/p elsewhere", "elsewhere is not s3://"),
        ("copy s3://b/p s3://b/p/", "the same place"),
        ("copy s3://b/p s3://c/p --target-endpoint here", "http://"),
        ("restore-head s3://b --from k --file f", "not both"),
        ("restore-head s3://b --resume", "--resume"),
    ] {
        let message = parsed(line).unwrap_err();
        assert!(
            message.contains(word) && message.lines().count() == 1,
            "{line}: {message}"
        );
    }
}

#[test]
fn each_command_gets_what_is_its_own() {
    let span = |line: &str| match request(line).command {
        Command::Pin { keep, .. } => keep,
        other => panic!("{other:?}"),
    };
    assert_eq!(span("pin s3://b n --keep 90s"), Some(Duration::from_secs(90)));
    assert_eq!(
        span("pin s3://b n --keep 12h"),
        Some(Duration::from_secs(12 * 3_600))
    );
    assert_eq!(span("pin s3://b n"), None);
    let Command::Copy(copy) =
        request("copy s3://b/p s3://c --endpoint http://x --resume --pin n --target-region r").command
    else {
        panic!("no copy");
    };
    assert_eq!(copy.target.endpoint.as_deref(), Some("http://x"), "the source's");
    assert_eq!(copy.target.region.as_deref(), Some("r"));
    assert_eq!(
        (copy.pin.as_deref(), copy.resume, copy.dry_run),
        (Some("n"), true, false)
    );
    let from = |line: &str| match request(line).command {
        Command::RestoreHead { from, .. } => from,
        other => panic!("{other:?}"),
    };
    assert_eq!(from("restore-head s3://b"), From::NewestPin);
    assert_eq!(
        from("restore-head s3://b --from a/b"),
        From::Pin("a/b".to_owned())
    );
    assert_eq!(from("restore-head s3://b --file f"), From::File("f".into()));
    assert_eq!(request("destroy s3://b --yes").command, Command::Destroy);
}
