//! Session credentials expire in mid-run: a provider that renews them costs nobody an error, and one that does not costs
//! clear ones, no wrong word about a commit, and nothing for good.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_config::credential_process::CredentialProcessProvider;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, future},
};
use aws_smithy_types::date_time::{DateTime, Format};
use fusio_manifest::{
    Clock as _, CommitOutcome, Error, ErrorKind, Freshness, Manifest, Options, RequestMeter, S3Config,
    S3Store, StoreErrorKind, SystemClock,
};
use manifest_perf::s3::{credentials::Accepted, embedded::EmbeddedS3};
use parking_lot::Mutex;

use crate::{
    s3_store::server,
    support::{increment, number, put},
};

/// Session credentials of the day of this number.
fn of_day(day: u64) -> Accepted {
    Accepted {
        access_key: format!("ASIA{day:016}"),
        secret_key: format!("secret of day {day}"),
        session_token: Some(format!("token of day {day}")),
    }
}

/// So soon that each request asks the provider again: the SDK asks ten seconds before.
#[expect(
    clippy::disallowed_methods,
    reason = "the SDK holds expiries against this machine's time"
)]
fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_secs(4)
}

/// What a `credential_process` prints.
fn printed(keys: &Accepted) -> String {
    let expiration = DateTime::from(soon()).fmt(Format::DateTime).unwrap();
    format!(
        "{{\"Version\":1,\"AccessKeyId\":\"{}\",\"SecretAccessKey\":\"{}\",\"SessionToken\":\"{}\",\
         \"Expiration\":\"{expiration}\"}}",
        keys.access_key,
        keys.secret_key,
        keys.session_token.as_deref().unwrap()
    )
}

/// Hands out whatever it was given last, as if it expired soon.
#[derive(Clone, Debug)]
struct Handed(Arc<Mutex<Vec<Accepted>>>);

impl Handed {
    /// The first of these to the first request, and so on; the last one to all that follow.
    fn out(&self, keys: impl IntoIterator<Item = Accepted>) {
        *self.0.lock() = keys.into_iter().collect();
    }
}

impl ProvideCredentials for Handed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut keys = self.0.lock();
        let next = if keys.len() > 1 {
            keys.remove(0)
        } else {
            keys[0].clone()
        };
        future::ProvideCredentials::ready(Ok(Credentials::new(
            next.access_key,
            next.secret_key,
            next.session_token,
            Some(soon()),
            "test",
        )))
    }
}

async fn store(server: &EmbeddedS3, provider: impl ProvideCredentials + 'static) -> Arc<S3Store> {
    let config = S3Config::new("suite")
        .endpoint(server.endpoint())
        .region("us-east-1")
        .credentials_provider(provider);
    Arc::new(
        S3Store::connect(config, Arc::new(RequestMeter::new()))
            .await
            .unwrap(),
    )
}

async fn founded(store: &Arc<S3Store>) -> Manifest {
    let store: Arc<S3Store> = Arc::clone(store);
    Manifest::create(store, "m", Options::default()).await.unwrap().0
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whole at any moment: the process may be reading it.
fn write_whole(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

/// What the clients of a run have done.
#[derive(Default)]
struct Progress {
    done: [AtomicU64; 4],
    failed: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Progress {
    fn count(&self, client: usize, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => {
                self.done[client].fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => self.failed.lock().push(format!("{error:?}")),
        }
    }

    /// Until each client has done so much more: what it began before is over then.
    async fn until_all_did(&self, more: u64) {
        let counts = || self.done.each_ref().map(|count| count.load(Ordering::Relaxed));
        let before = counts();
        while counts()
            .iter()
            .zip(before)
            .any(|(now, before)| *now < before + more)
        {
            assert_eq!(*self.failed.lock(), Vec::<String>::new());
            SystemClock.sleep(Duration::from_millis(1)).await;
        }
    }
}

/// `process` prints the credentials of the day, and those of the day before are dropped in mid-run.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_while_session_credentials_rotate() {
    let file = folder("rotation").join("credentials.json");
    write_whole(&file, &printed(&of_day(0)));
    let server = server("");
    server.accept(vec![of_day(0)]);
    let process = CredentialProcessProvider::new(format!("cat '{}'", file.display()));
    let store = store(&server, process).await;
    let shared = founded(&store).await;
    let own = Manifest::open(store, "m", Options::default()).await.unwrap();
    let progress = Arc::new(Progress::default());
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let manifest = if client == 0 { own.clone() } else { shared.clone() };
            let progress = Arc::clone(&progress);
            tokio::spawn(async move {
                while !progress.stop.load(Ordering::Relaxed) {
                    let key = format!("of {client}");
                    let outcome = match client {
                        3 => manifest.get(key).await.map(|_| ()),
                        _ => increment(&manifest, &key).await.map(|_| ()),
                    };
                    progress.count(client, outcome);
                }
            })
        })
        .collect();
    for day in 1..=5 {
        // As long as they live, older session credentials hold beside newer ones.
        server.accept(vec![of_day(day - 1), of_day(day)]);
        write_whole(&file, &printed(&of_day(day)));
        progress.until_all_did(3).await;
        server.accept(vec![of_day(day)]);
        progress.until_all_did(3).await;
    }
    progress.stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(*progress.failed.lock(), Vec::<String>::new());
    for client in 0..3 {
        let value = own.get(format!("of {client}")).await.unwrap();
        let done = progress.done[client].load(Ordering::Relaxed);
        assert_eq!(
            number(value.as_ref()),
            done,
            "what client {client} committed is there once"
        );
        assert!(done >= 30);
    }
    own.close().await;
    shared.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_are_a_definite_refusal_and_the_handle_works_again() {
    let server = server("");
    server.accept(vec![of_day(0)]);
    let provider = Handed(Arc::default());
    provider.out([of_day(0)]);
    let manifest = founded(&store(&server, provider.clone()).await).await;
    put(&manifest, "before", "1").await.unwrap();
    server.accept(vec![of_day(1)]);

    let refused = put(&manifest, "never", "1").await.unwrap_err();
    let failures = [
        manifest.get("before").await.unwrap_err(),
        manifest.snapshot(Freshness::Latest).await.unwrap_err(),
        manifest.release_pin("p").await.unwrap_err(),
        refused.clone(),
    ];
    for error in failures {
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(!error.is_retryable() && !error.outcome_unknown(), "{error}");
        let answer = error.store_error().unwrap();
        assert_eq!(
            (answer.kind, answer.status),
            (StoreErrorKind::Denied, Some(400)),
            "{error}"
        );
        for word in ["ExpiredToken", "have expired", "aws sso login"] {
            assert!(error.to_string().contains(word), "{error}");
        }
    }
    assert!(refused.to_string().contains("is not durable"), "{refused}");
    let known = manifest.snapshot(Freshness::Cached).await.unwrap();
    assert_eq!(
        known.get("before").await.unwrap().as_deref(),
        Some(b"1".as_slice())
    );

    provider.out([of_day(1)]);
    let receipt = put(&manifest, "after", "1").await.unwrap();
    assert_eq!(receipt.txn, Some(2), "what was refused has taken no place");
    assert_eq!(manifest.get("never").await.unwrap(), None);
    manifest.maintain().await.unwrap();
    manifest.close().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_sends_nothing_and_is_asked_again() {
    let file = folder("failing").join("credentials.json");
    write_whole(&file, &printed(&of_day(0)));
    let server = server("");
    server.accept(vec![of_day(0)]);
    let process = CredentialProcessProvider::new(format!("cat '{}'", file.display()));
    let manifest = founded(&store(&server, process).await).await;
    put(&manifest, "before", "1").await.unwrap();
    let requests = || {
        server
            .request_counts()
            .values()
            .map(|class| class.requests)
            .sum::<u64>()
    };
    for broken in [
        "",
        "no JSON, but secret-canary",
        "{\"Version\":1,\"SecretAccessKey\":\"secret-canary\"}",
    ] {
        let before = requests();
        match broken {
            "" => fs::remove_file(&file).unwrap(),
            text => write_whole(&file, text),
        }
        for error in [
            put(&manifest, "never", "1").await.unwrap_err(),
            manifest.get("before").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
            assert_eq!(
                error.store_error().unwrap().kind,
                StoreErrorKind::NotSent,
                "{error}"
            );
            assert!(
                error.to_string().contains("could not be loaded or renewed"),
                "{error}"
            );
            assert!(
                !format!("{error} {error:?} {error:#?}").contains("canary"),
                "{error:?}"
            );
        }
        assert_eq!(requests(), before, "{broken}");
    }
    write_whole(&file, &printed(&of_day(0)));
    assert_eq!(put(&manifest, "after", "1").await.unwrap().txn, Some(2));
    assert_eq!(manifest.get("never").await.unwrap(), None);
    manifest.close().await;
}

/// A copy went unanswered before they expired: what is said of the next request says nothing about that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_reply_was_lost_stays_unknown_when_credentials_expire() {
    for (fault, outcome) in [
        ("cas after nth=1 drop", CommitOutcome::Committed { txn: 2 }),
        ("cas before nth=1 drop", CommitOutcome::StillUnknown),
    ] {
        let server = server("");
        server.accept(vec![of_day(0)]);
        let provider = Handed(Arc::default());
        provider.out([of_day(0)]);
        let manifest = founded(&store(&server, provider.clone()).await).await;
        put(&manifest, "before", "1").await.unwrap();

        server.accept(vec![of_day(0), of_day(2)]);
        server.accept(vec![of_day(0)]);
        server.set_faults(fault.parse().unwrap(), 1);
        // The PUT is signed by good ones, whatever comes after it by ones that have expired.
        provider.out([of_day(0), of_day(2)]);
        let error = put(&manifest, "unknown", "1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommitUnknown, "{fault}: {error}");
        assert!(error.to_string().contains("ExpiredToken"), "{fault}: {error}");

        provider.out([of_day(0)]);
        let found = manifest.outcome(error.token().unwrap()).await.unwrap();
        assert_eq!(found, outcome, "{fault}");
        let there = manifest.get("unknown").await.unwrap().is_some();
        assert_eq!(there, outcome != CommitOutcome::StillUnknown, "{fault}");
        manifest.close().await;
    }
}

/// What a policy that allows to read alone leaves, and one that does not allow to delete.
#[tokio::test(flavor = "multi_thread")]
async fn less_rights_do_less_and_break_nothing() {
    let server = server("");
    server.accept(vec![of_day(0)]);
    let provider = Handed(Arc::default());
    provider.out([of_day(0)]);
    let store = store(&server, provider).await;
    server.set_faults("delete status=403".parse().unwrap(), 1);
    let writer = founded(&store).await;
    for count in 1..=10 {
        put(&writer, "k", &count.to_string()).await.unwrap();
    }
    writer.maintain().await.unwrap();
    let pinned = writer.snapshot(Freshness::Latest).await.unwrap();
    writer.pin("p", &pinned, None).await.unwrap();
    writer.close().await;

    server.set_faults("put status=403; delete status=403".parse().unwrap(), 1);
    let reader = Manifest::open(store.clone(), "m", Options::default())
        .await
        .unwrap();
    assert_eq!(reader.get("k").await.unwrap().as_deref(), Some(b"10".as_slice()));
    let snapshot = reader.open_pin("p").await.unwrap();
    assert_eq!(
        snapshot.get("k").await.unwrap().as_deref(),
        Some(b"10".as_slice())
    );
    for error in [
        put(&reader, "k", "11").await.unwrap_err(),
        reader.pin("q", &snapshot, None).await.unwrap_err(),
        reader.release_pin("p").await.unwrap_err(),
        Manifest::create(store.clone(), "n", Options::default())
            .await
            .unwrap_err(),
        Manifest::destroy(store, "m", &Options::default())
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    }
    assert_eq!(reader.get("k").await.unwrap().as_deref(), Some(b"10".as_slice()));
    assert_eq!(reader.pins().await.unwrap().len(), 1);
    reader.close().await;
}
