//! The programs as scripts call them: exit status, one line of error, files whole or untouched.

#![expect(clippy::unwrap_used, reason = "tests, and what they share")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use manifest_perf::nights::{self, Night};

fn nights(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nights"));
    command.args(arguments).env_remove("PERF_SUMMARY");
    command.output().unwrap()
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
    text
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn row(folder: &Path, day: &str) -> String {
    let night = Night {
        night: day.to_owned(),
        store: "embedded".to_owned(),
        verdict: "pass".to_owned(),
        write_p50_ms: Some(60.0),
        ..Night::default()
    };
    let path = folder.join(format!("{day}.csv"));
    fs::write(&path, nights::write(&[night]).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn nights_are_added_once_and_drawn() {
    let folder = folder("added");
    let [history, page] = ["history.csv", "index.html"].map(|name| folder.join(name));
    let (history, page) = (history.to_str().unwrap(), page.to_str().unwrap());
    let [first, second] = ["2026-01-01", "2026-01-02"].map(|day| row(&folder, day));
    assert!(nights(&["add", history, &second, &first]).status.success());
    let before = fs::read(history).unwrap();
    let told = error(&nights(&["add", history, &first]));
    assert!(told.contains("2026-01-01 of embedded already"), "{told}");
    fs::write(&second, "night,store\n2026-01-02,embedded\n").unwrap();
    error(&nights(&["add", history, &second]));
    assert_eq!(
        fs::read(history).unwrap(),
        before,
        "what was refused must change nothing"
    );
    assert!(nights(&["add", history, &first, "--replace"]).status.success());
    assert_eq!(fs::read(history).unwrap(), before);
    assert!(nights(&["draw", history, page]).status.success());
    assert!(fs::read_to_string(page).unwrap().contains("2026-01-02</th>"));
    fs::write(history, &before[..before.len() - 10]).unwrap();
    let drawn = fs::read(page).unwrap();
    error(&nights(&["draw", history, page]));
    assert_eq!(fs::read(page).unwrap(), drawn);
}

#[test]
fn a_night_without_numbers_fails_and_leaves_its_row() {
    let folder = folder("empty");
    let path = folder.to_str().unwrap();
    let judge = |more: &[&str]| {
        let base = ["judge", "--store", "aws", "--night", "2026-01-01", "--in", path];
        nights(&[base.as_slice(), more].concat())
    };
    for (more, why) in [
        (&[][..], "no repeat of the baseline left its numbers"),
        (
            &["--failed", "baseline-1 did not pass"],
            "baseline-1 did not pass",
        ),
    ] {
        let output = judge(more);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let line = format!("NIGHT 2026-01-01 aws: fail ({why})");
        assert!(String::from_utf8(output.stdout).unwrap().contains(&line));
        let text = fs::read_to_string(folder.join("night.csv")).unwrap();
        assert_eq!(
            nights::parse("night.csv", &text).unwrap()[0].reason.as_deref(),
            Some(why)
        );
    }
}

#[test]
fn wrong_arguments_are_refused_in_one_line() {
    for arguments in [
        &[][..],
        &["draw", "only.csv"],
        &["add", "history.csv"],
        &["judge", "--store", "aws"],
        &["judge", "--stoer", "aws"],
        &["judge", "--store"],
    ] {
        assert!(
            error(&nights(arguments)).contains("usage: nights"),
            "{arguments:?}"
        );
    }
    let day = ["judge", "--store", "aws", "--night", "tomorrow", "--in", "."];
    assert!(error(&nights(&day)).contains("is not a day"));
}

#[test]
fn only_a_real_bucket_has_leftovers() {
    let output = Command::new(env!("CARGO_BIN_EXE_delete-leftovers"))
        .env("PERF_STORE", "embedded")
        .output()
        .unwrap();
    assert!(error(&output).contains("PERF_STORE is not s3"));
}
