//! The program as people and scripts call it, against the endpoint that the harness embeds: exit status, output, one line
//! of error.

#![expect(clippy::unwrap_used, reason = "tests, and what they share")]

use std::{
    process::{Command, Output},
    sync::Arc,
};

use fusio_manifest::{
    Freshness, Manifest, Options, RequestMeter, S3Config, S3Store, SharedSettings, Store as _,
    store::{GetAnswer, GetOptions, PutMode},
};
use manifest_perf::{
    fault::FaultPlan,
    latency::LatencyProfile,
    s3::embedded::{EmbeddedConfig, EmbeddedS3},
};

mod changes;

const KEY: &str = "tool";
const SECRET: &str = "tool-secret";
const PREFIX: &str = "tables/orders";

fn server() -> EmbeddedS3 {
    server_with("none")
}

fn server_with(faults: &str) -> EmbeddedS3 {
    EmbeddedS3::start(EmbeddedConfig {
        latency: LatencyProfile::NONE,
        faults: faults.parse::<FaultPlan>().unwrap(),
        seed: 1,
        bucket: "bucket".to_owned(),
        access_key: KEY.to_owned(),
        secret_key: SECRET.to_owned(),
    })
    .unwrap()
}

async fn store(server: &EmbeddedS3) -> S3Store {
    let config = S3Config::new("bucket")
        .endpoint(server.endpoint())
        .region("us-east-1")
        .credentials(KEY, SECRET);
    S3Store::connect(config, Arc::new(RequestMeter::new()))
        .await
        .unwrap()
}

/// A manifest with commits in HEAD, log objects, tables and a pin.
async fn furnish(store: &S3Store) {
    let shared = SharedSettings {
        spill_bytes: 4_000,
        spill_keep_bytes: 1_000,
        transaction_inline_bytes: 1_000,
        fold_objects: 4,
        ..SharedSettings::default()
    };
    let options = Options {
        shared,
        ..Options::default()
    };
    let (manifest, _) = Manifest::create(Arc::new(store.clone()), PREFIX, options)
        .await
        .unwrap();
    for number in 0..60 {
        let write = async |txn: &mut fusio_manifest::Transaction| {
            txn.put(format!("key {number}"), vec![b'v'; 300])?;
            Ok::<_, fusio_manifest::Error>(())
        };
        manifest.transact(write).await.unwrap();
        if number % 10 == 0 {
            manifest.maintain().await.unwrap();
        }
    }
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    manifest.pin("nightly", &snapshot, None).await.unwrap();
    manifest.close().await;
}

/// The program with this machine's AWS settings out of its way.
fn program(endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manifest-tool"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .env("HOME", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    command
}

fn run(server: &EmbeddedS3, arguments: &[&str]) -> Output {
    program(&server.endpoint(), arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What it printed, if it exited so.
fn printed(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    text(&output.stdout)
}

fn error(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = text(&output.stderr);
    assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
    text
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

async fn objects(store: &S3Store, folder: &str) -> Vec<String> {
    let page = store.list(PREFIX, None).await.unwrap();
    let keys = page.objects.into_iter().map(|object| object.key);
    keys.filter(|key| key.contains(folder)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_manifest_is_told_in_words_and_as_json() {
    let server = server();
    let store = store(&server).await;
    furnish(&store).await;
    let url = format!("s3://bucket/{PREFIX}");
    let before = objects(&store, "").await;

    let words = printed(&run(&server, &["inspect", &url, "--garbage"]), 0);
    assert!(
        words
            .lines()
            .all(|line| line.len() <= 80 || line.starts_with("at ")),
        "{words}"
    );
    for word in [
        "revision",
        "commit 60",
        "\"nightly\"",
        "garbage",
        "tier",
        "retention 60 min",
    ] {
        assert!(words.contains(word), "{word} is missing:\n{words}");
    }
    let facts = json(&printed(
        &run(&server, &["inspect", &url, "--json", "--garbage"]),
        0,
    ));
    assert_eq!(facts["last_txn"], 60);
    assert_eq!(facts["pins"][0]["name"], "nightly");
    assert_eq!(facts["requests"]["get"], 2, "HEAD and the pin");
    let listed = facts["log"].as_array().unwrap().len() as u64
        + facts["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["tables"].as_u64().unwrap())
            .sum::<u64>();
    let garbage = facts["garbage"]["own"]["objects"].as_u64().unwrap();
    // HEAD, the pin, what HEAD names, and the rest.
    assert_eq!(2 + listed + garbage, before.len() as u64, "{facts:#}");

    let output = run(&server, &["verify", &url]);
    let words = printed(&output, 0);
    assert!(
        words.contains("nothing is broken") && words.contains("commit 60"),
        "{words}"
    );
    assert!(
        output.stderr.is_empty(),
        "no progress where nobody looks: {output:?}"
    );
    let facts = json(&printed(&run(&server, &["verify", &url, "--json"]), 0));
    assert_eq!((&facts["clean"], &facts["pins"]), (&true.into(), &1.into()));
    assert_eq!(objects(&store, "").await, before, "it changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_named_and_tells_by_the_exit_status() {
    let server = server();
    let store = store(&server).await;
    furnish(&store).await;
    let url = format!("s3://bucket/{PREFIX}");
    let table = objects(&store, "/table/").await.remove(0);
    let GetAnswer::Found { bytes, .. } = store.get(&table, GetOptions::default()).await.unwrap() else {
        panic!("no table");
    };
    let mut broken = bytes.to_vec();
    broken[60] ^= 1;
    store
        .put(&table, broken.into(), PutMode::Overwrite)
        .await
        .unwrap();
    let output = run(&server, &["verify", &url]);
    let words = printed(&output, 1);
    assert!(words.contains("DAMAGED") && words.contains(&table), "{words}");
    let told = text(&output.stderr);
    assert!(
        told.contains(&table) && told.contains("block 0") && told.contains("Restore it"),
        "{told}"
    );
    let facts = json(&printed(&run(&server, &["verify", &url, "--json"]), 1));
    assert_eq!(facts["findings"][0]["object"], table.as_str());
    assert_eq!(facts["findings"][0]["damage"], "checksum");

    let head = format!("{PREFIX}/HEAD");
    store.delete(std::slice::from_ref(&head)).await.unwrap();
    let facts = json(&printed(&run(&server, &["verify", &url, "--json"]), 1));
    assert_eq!(facts["findings"][0]["object"], head.as_str());
    assert_eq!(facts["copies"].as_array().unwrap().len(), 1, "the pin");
    store
        .put(&head, "no HEAD".into(), PutMode::Overwrite)
        .await
        .unwrap();
    let output = run(&server, &["inspect", &url]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains(&head));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_cannot_look_at_is_one_line_and_status_2() {
    let server = server();
    for (arguments, word) in [
        (&["verify", "s3://bucket/nothing"][..], "no manifest at"),
        (&["inspect", "s3://bucket/nothing"], "no manifest at"),
        (&["verify", "s3://nobucket/p"], "nobucket"),
        (&["inspect", "s3://nobucket/p", "--garbage"], "no bucket nobucket"),
        (&["verify", "bucket/p"], "is not s3://"),
        (&["verify"], "where is the manifest"),
        (&["repair", "s3://bucket"], "no command \"repair\""),
    ] {
        let told = error(&run(&server, arguments));
        assert!(told.contains(word), "{arguments:?}: {told}");
    }
    let dead = program(
        "http://127.0.0.1:1",
        &["verify", "s3://bucket/p", "--timeout", "1"],
    )
    .output();
    assert!(error(&dead.unwrap()).contains("does not answer"));
    let mut nobody = program(&server.endpoint(), &["verify", "s3://bucket/p"]);
    nobody
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    assert!(error(&nobody.output().unwrap()).contains("no AWS credentials found"));
    let mut stranger = program(&server.endpoint(), &["inspect", "s3://bucket/p"]);
    stranger.env("AWS_SECRET_ACCESS_KEY", "wrong");
    assert!(error(&stranger.output().unwrap()).contains("403"));
    let help = printed(&run(&server, &["--help"]), 0);
    assert!(
        help.contains("exit status") && help.lines().all(|line| line.len() <= 80),
        "{help}"
    );
}

/// As AWS tools do: that of S3 goes before that of all services.
#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_s3_is_found_in_a_profile() {
    let server = server();
    furnish(&store(&server).await).await;
    let file = std::env::temp_dir().join(format!("manifest-tool-profile-{}", std::process::id()));
    let asked = |all: &str, of_s3: &str| {
        let text = format!(
            "[profile p]\nregion = us-east-1\nendpoint_url = {all}\nservices = s\n\n\
             [services s]\ns3 =\n  endpoint_url = {of_s3}\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = program("", &["inspect", "s3://bucket/tables/orders"]);
        command
            .env_remove("AWS_ENDPOINT_URL")
            .env("AWS_CONFIG_FILE", &file)
            .env("AWS_PROFILE", "p");
        command.output().unwrap()
    };
    let words = printed(&asked("http://127.0.0.1:1", &server.endpoint()), 0);
    assert!(words.contains(&server.endpoint()), "{words}");
    let with_user = server
        .endpoint()
        .replace("http://", "http://canary-user:canary-secret@");
    let told = error(&asked(&server.endpoint(), &with_user));
    assert!(told.contains("user name") && !told.contains("canary"), "{told}");
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credentials_are_told_wherever_they_stand() {
    let server = server();
    furnish(&store(&server).await).await;
    let plain = server.endpoint();
    let with_user = plain.replace("http://", "http://canary-user:canary-secret@");
    let asked = |endpoint: &str, arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = program(endpoint, arguments);
        command.env("RUST_LOG", "trace").envs(variables.iter().copied());
        command.output().unwrap()
    };
    let verify = ["verify", "s3://bucket/tables/orders"];
    let argument = [verify.as_slice(), &["--endpoint", &with_user]].concat();
    let token = [("AWS_SESSION_TOKEN", "canary-session-token")];
    let secret = [
        ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
        ("AWS_ACCESS_KEY_ID", "canary-access-key"),
    ];
    for (output, word) in [
        (asked(&plain, &argument, &[]), "user name"),
        (asked(&with_user, &verify, &[]), "user name"),
        (
            asked(&plain, &verify, &[("AWS_ENDPOINT_URL_S3", &with_user)]),
            "user name",
        ),
        (asked(&plain, &verify, &token), "InvalidToken"),
        (asked(&plain, &verify, &secret), "InvalidAccessKeyId"),
        (
            asked(
                "http://127.0.0.1:1",
                &[verify.as_slice(), &["--timeout", "1"]].concat(),
                &secret,
            ),
            "does not answer",
        ),
    ] {
        let told = error(&output);
        assert!(told.contains(word) && !told.contains("canary"), "{told}");
    }
}

/// The signal comes while a request hangs: it ends at once, and says so.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_it_cleanly() {
    // Takes connections and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let child = program(&endpoint, &["verify", "s3://bucket/p"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let connected = listener.accept().unwrap();
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(text(&output.stderr).contains("nothing was changed"), "{output:?}");
    drop(connected);
}
