//! The verbs that write: what they do, what they refuse, and what is there when they are stopped.

use std::{process::Stdio, sync::Arc};

use fusio_manifest::{
    KeyRange, Manifest, Options, Store as _,
    store::{GetAnswer, GetOptions, PutMode},
};
use manifest_perf::s3::embedded::EmbeddedS3;

use crate::{PREFIX, error, furnish, json, objects, printed, program, run, server, server_with, store, text};

const URL: &str = "s3://bucket/tables/orders";
const TARGET: &str = "s3://bucket/copies/orders";

/// All that a manifest holds, by a handle of its own.
async fn content(server: &EmbeddedS3, prefix: &str) -> Vec<(String, usize)> {
    let store = Arc::new(store(server).await);
    let manifest = Manifest::open(store, prefix, Options::default()).await.unwrap();
    let scan = manifest.scan(KeyRange::all()).await.unwrap();
    let entries = scan.collect().await.unwrap();
    manifest.close().await;
    let entries = entries.iter();
    entries.map(|(key, value)| (text(key), value.len())).collect()
}

async fn keys_below(server: &EmbeddedS3, prefix: &str) -> Vec<String> {
    let page = store(server).await.list(prefix, None).await.unwrap();
    page.objects.into_iter().map(|object| object.key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_copied_verified_and_destroyed() {
    let server = server();
    let store = store(&server).await;
    furnish(&store).await;
    let before = content(&server, PREFIX).await;

    let dry = printed(&run(&server, &["copy", URL, TARGET, "--dry-run"]), 0);
    assert!(dry.contains("would copy") && dry.contains("\"nightly\""), "{dry}");
    assert!(keys_below(&server, "copies/").await.is_empty());
    let words = printed(&run(&server, &["copy", URL, TARGET]), 0);
    assert!(
        words.contains("HEAD last") && words.contains("nothing is broken"),
        "{words}"
    );
    assert_eq!(content(&server, "copies/orders").await, before);
    let again = error(&run(&server, &["copy", URL, TARGET, "--resume"]));
    assert!(
        again.contains("there is a HEAD") && again.contains("revision"),
        "{again}"
    );
    let facts = printed(
        &run(
            &server,
            &["copy", URL, "s3://bucket/pinned", "--pin", "nightly", "--json"],
        ),
        0,
    );
    let facts = json(&facts);
    assert_eq!(
        (&facts["written"], &facts["verification"]["clean"]),
        (&true.into(), &true.into())
    );
    assert_eq!(facts["pins"].as_array().unwrap().len(), 0);
    for (from, to, words) in [
        (URL, "s3://nobucket/p", "there is no bucket nobucket"),
        (
            "s3://nobucket/p",
            TARGET,
            "no manifest at \"p/HEAD\" in s3://nobucket",
        ),
    ] {
        let told = error(&run(&server, &["copy", from, to]));
        assert!(told.contains(words), "{told}");
    }
    let none = error(&run(
        &server,
        &["copy", URL, "s3://bucket/more", "--pin", "weekly"],
    ));
    assert!(none.contains("no pin \"weekly\""), "{none}");

    let unsure = error(&run(&server, &["destroy", URL]));
    assert!(unsure.contains("--yes"), "{unsure}");
    assert_eq!(content(&server, PREFIX).await, before);
    let gone = printed(&run(&server, &["destroy", URL, "--yes"]), 0);
    assert!(gone.starts_with("destroyed HEAD and"), "{gone}");
    assert!(objects(&store, "").await.is_empty());
    assert_eq!(content(&server, "copies/orders").await, before);
}

/// A request of the killed process arrives when another has finished its work.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_cannot_be_opened_and_is_finished_by_another() {
    let server = server_with("put key=copies/*/table/* first=1 delay=3s");
    let store = store(&server).await;
    furnish(&store).await;
    let mut child = program(&server.endpoint(), &["copy", URL, TARGET])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Its table waits; a log object is there before.
    loop {
        assert_eq!(child.try_wait().unwrap(), None, "it has ended");
        let keys = keys_below(&server, "copies/").await;
        if keys.iter().any(|key| key.contains("/log/")) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let none = error(&run(&server, &["inspect", TARGET]));
    assert!(none.contains("no manifest"), "{none}");
    let refused = error(&run(&server, &["copy", URL, TARGET]));
    assert!(refused.contains("resume"), "{refused}");
    let words = printed(&run(&server, &["copy", URL, TARGET, "--resume"]), 0);
    assert!(
        words.contains("were there already") && words.contains("nothing is broken"),
        "{words}"
    );
    assert_eq!(
        content(&server, "copies/orders").await,
        content(&server, PREFIX).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_the_source_ends_a_copy_with_status_1() {
    let server = server();
    let store = store(&server).await;
    furnish(&store).await;
    let facts = json(&printed(&run(&server, &["inspect", URL, "--json"]), 0));
    let name = facts["log"][0]["name"].as_str().unwrap().to_owned();
    let log = objects(&store, &name).await.remove(0);
    store.delete(std::slice::from_ref(&log)).await.unwrap();
    let output = run(&server, &["copy", URL, TARGET]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains(&log), "{output:?}");
    assert!(
        !keys_below(&server, "copies/")
            .await
            .iter()
            .any(|key| key.ends_with("HEAD"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_head_is_restored_and_none_is_written_over() {
    let server = server();
    let store = store(&server).await;
    furnish(&store).await;
    let before = content(&server, PREFIX).await;
    let head = format!("{PREFIX}/HEAD");
    let there = error(&run(&server, &["restore-head", URL]));
    assert!(there.contains("there is a HEAD"), "{there}");
    let GetAnswer::Found { bytes, .. } = store.get(&head, GetOptions::default()).await.unwrap() else {
        panic!("no HEAD");
    };
    store.delete(std::slice::from_ref(&head)).await.unwrap();
    let dry = printed(&run(&server, &["restore-head", URL, "--dry-run"]), 0);
    assert!(
        dry.contains("nothing was written") && objects(&store, "HEAD").await.is_empty(),
        "{dry}"
    );
    let words = printed(&run(&server, &["restore-head", URL]), 0);
    assert!(words.contains("commit 60") && words.contains("/pin/"), "{words}");
    assert_eq!(content(&server, PREFIX).await, before);
    printed(&run(&server, &["verify", URL]), 0);

    // From a file, and from the object of one pin.
    let file = std::env::temp_dir().join(format!("manifest-tool-head-{}", std::process::id()));
    std::fs::write(&file, &bytes).unwrap();
    let pin = objects(&store, "/pin/").await.remove(0);
    for (option, value) in [("--file", file.to_str().unwrap()), ("--from", &pin)] {
        store.delete(std::slice::from_ref(&head)).await.unwrap();
        let facts = json(&printed(
            &run(&server, &["restore-head", URL, option, value, "--json"]),
            0,
        ));
        assert_eq!(
            (&facts["written"], &facts["last_txn"]),
            (&true.into(), &60.into()),
            "{facts:#}"
        );
        printed(&run(&server, &["verify", URL]), 0);
    }
    std::fs::write(&file, "no HEAD").unwrap();
    store.delete(std::slice::from_ref(&head)).await.unwrap();
    let output = run(&server, &["restore-head", URL, "--file", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(objects(&store, "HEAD").await.is_empty());
    let missing = error(&run(
        &server,
        &["restore-head", URL, "--file", "/nonexistent/HEAD"],
    ));
    assert!(missing.contains("/nonexistent/HEAD"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_and_maintenance_by_hand() {
    let server = server();
    let store = store(&server).await;
    furnish(&store).await;
    let words = printed(&run(&server, &["pin", URL, "by-hand", "--keep", "12h"]), 0);
    assert!(
        words.contains("\"by-hand\"") && words.contains("commit 60"),
        "{words}"
    );
    let taken = error(&run(&server, &["pin", URL, "by-hand"]));
    assert!(taken.contains("already"), "{taken}");
    let facts = json(&printed(&run(&server, &["inspect", URL, "--json"]), 0));
    let (now, pin) = (facts["date_unix_ms"].as_u64().unwrap(), &facts["pins"][1]);
    let left = pin["expires_unix_ms"].as_u64().unwrap() - now;
    assert!(left > 11 * 3_600_000 && left <= 12 * 3_600_000, "{left}");
    printed(&run(&server, &["release-pin", URL, "by-hand"]), 0);
    let gone = error(&run(&server, &["release-pin", URL, "by-hand"]));
    assert!(gone.contains("no pin \"by-hand\""), "{gone}");
    let facts = json(&printed(&run(&server, &["maintain", URL, "--json"]), 0));
    assert_eq!(
        (&facts["pins"]["after"], &facts["epoch"]["before"]),
        (&1.into(), &1.into())
    );
    let words = printed(&run(&server, &["maintain", URL]), 0);
    assert!(
        words.contains("log_objects") && words.contains("requests"),
        "{words}"
    );
    let head = format!("{PREFIX}/HEAD");
    store
        .put(&head, "no HEAD".into(), PutMode::Overwrite)
        .await
        .unwrap();
    assert_eq!(run(&server, &["maintain", URL]).status.code(), Some(1));
}
