//! No credentials in anything that people read: canaries are given to the store, everything that can fail is made to fail,
//! and whatever is said is searched for them.

use std::{
    fmt::{self, Display},
    sync::Arc,
    time::Duration,
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use bytes::Bytes;
use fusio_manifest::{
    Error, Freshness, Inspect, Manifest, Options, RequestMeter, S3Config, S3Store, Store, StoreError,
    StoreErrorKind, inspect,
    store::{GetOptions, PutMode},
    verify,
};
use manifest_perf::s3::{
    credentials::Accepted,
    embedded::{EmbeddedConfig, EmbeddedS3},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use said::{ACCESS_KEY, Listener, SECRET, Said, TOKEN, canaries, told};

mod said;

/// Where the AWS SDK tells the access key. SECURITY.md has this list, and the next.
const TELL_THE_ACCESS_KEY: [&str; 4] = [
    "DEBUG aws_smithy_runtime::client::orchestrator::endpoints",
    "TRACE aws_sigv4::http_request::sign",
    "TRACE aws_smithy_runtime::client::orchestrator",
    "TRACE aws_smithy_runtime::client::orchestrator::auth",
];

/// Where it tells whole answers of the store too, which may repeat the access key and the session token.
const TELL_ANSWERS: &str = "TRACE aws_smithy_runtime::client::orchestrator::http";

fn keys() -> Credentials {
    Credentials::new(ACCESS_KEY, SECRET, Some(TOKEN.to_owned()), None, "test")
}

fn server() -> EmbeddedS3 {
    let server = EmbeddedS3::start(EmbeddedConfig {
        latency: "none".parse().unwrap(),
        faults: "none".parse().unwrap(),
        seed: 1,
        bucket: "suite".to_owned(),
        access_key: "nobody".to_owned(),
        secret_key: "nobody".to_owned(),
    })
    .unwrap();
    server.accept(vec![Accepted {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET.to_owned(),
        session_token: Some(TOKEN.to_owned()),
    }]);
    server
}

fn config(endpoint: impl Into<String>) -> S3Config {
    S3Config::new("suite")
        .endpoint(endpoint)
        .region("us-east-1")
        .credentials_provider(keys())
}

async fn connect(config: S3Config) -> Arc<S3Store> {
    Arc::new(
        S3Store::connect(config, Arc::new(RequestMeter::new()))
            .await
            .unwrap(),
    )
}

/// Options with which nothing is waited for long.
fn impatient() -> Options {
    Options {
        commit_timeout: Duration::from_millis(300),
        read_timeout: Duration::from_millis(300),
        ..Options::default()
    }
}

/// All five calls of a store that fails, and what is said.
async fn fail(store: &S3Store, what: &str, said: &mut Said) -> Vec<StoreErrorKind> {
    let keys = ["k".to_owned()];
    let errors: Vec<StoreError> = [
        store.get("k", GetOptions::default()).await.err(),
        store
            .put("k", Bytes::from_static(b"v"), PutMode::Overwrite)
            .await
            .err(),
        store
            .put("k", Bytes::from_static(b"v"), PutMode::Create)
            .await
            .err(),
        store.delete(&keys).await.err(),
        store.list("k", None).await.err(),
        store.warning().await.err(),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert!(!errors.is_empty(), "{what} did not fail");
    errors.iter().for_each(|error| said.error(what, error));
    errors.iter().map(|error| error.kind).collect()
}

/// What an open handle says when its store fails.
async fn fail_open(manifest: &Manifest, what: &str, said: &mut Said) {
    let commit = async {
        let snapshot = manifest.snapshot(Freshness::Cached).await?;
        let mut transaction = manifest.begin_on(snapshot)?;
        transaction.put("k", "v")?;
        transaction.commit().await
    };
    let errors: [Option<Error>; 4] = [
        commit.await.err(),
        manifest.get("k").await.err(),
        manifest.begin().await.err(),
        manifest.pins().await.err(),
    ];
    for error in errors.iter().flatten() {
        said.error(what, error);
        if let Some(token) = error.token() {
            said.debug(what, token);
        }
    }
}

/// A handle that waits for nothing long, of a manifest that was made by one that does.
async fn opened(store: &Arc<S3Store>) -> Manifest {
    let (founder, _) = Manifest::create(store.clone(), "m", Options::default())
        .await
        .unwrap();
    founder.close().await;
    for _ in 0..100 {
        if let Ok(manifest) = Manifest::open(store.clone(), "m", impatient()).await {
            return manifest;
        }
    }
    panic!("no answer in time, a hundred times");
}

async fn every_fault(server: &EmbeddedS3, said: &mut Said) {
    use StoreErrorKind::{Conflict, Connection, Denied, NotFound, NotSent, Server, SlowDown, Timeout};
    let store = connect(config(server.endpoint())).await;
    let manifest = opened(&store).await;
    let missing = store.get("missing", GetOptions::default()).await.unwrap_err();
    assert_eq!(missing.kind, NotFound);
    said.error("404", &missing);
    for (fault, kind) in [
        ("any status=403", Denied),
        ("any status=500", Server),
        ("any status=503", SlowDown),
        ("any status=409", Conflict),
        ("any drop", Connection),
        ("any reset", Connection),
        ("any delay=5s", Timeout),
    ] {
        server.set_faults(fault.parse().unwrap(), 1);
        let store = match kind {
            Timeout => connect(config(server.endpoint()).attempt_timeout(Duration::from_millis(100))).await,
            _ => store.clone(),
        };
        assert!(fail(&store, fault, said).await.contains(&kind), "{fault}");
        fail_open(&manifest, fault, said).await;
    }
    server.set_faults("none".parse().unwrap(), 1);
    let another = S3Config::new("another")
        .endpoint(server.endpoint())
        .region("us-east-1");
    let no_bucket = connect(another.credentials_provider(keys())).await;
    assert!(fail(&no_bucket, "no bucket", said).await.contains(&NotFound));
    let dead = connect(config("http://127.0.0.1:1")).await;
    assert!(fail(&dead, "nobody listens", said).await.contains(&Connection));
    for (what, credentials) in [
        (
            "another secret",
            Credentials::new(
                ACCESS_KEY,
                format!("{SECRET}x"),
                Some(TOKEN.to_owned()),
                None,
                "t",
            ),
        ),
        (
            "another token",
            Credentials::new(ACCESS_KEY, SECRET, Some(format!("{TOKEN}x")), None, "t"),
        ),
        (
            "unknown",
            Credentials::new(
                format!("{ACCESS_KEY}1"),
                SECRET,
                Some(TOKEN.to_owned()),
                None,
                "t",
            ),
        ),
    ] {
        let stranger = connect(config(server.endpoint()).credentials_provider(credentials)).await;
        assert!(fail(&stranger, what, said).await.contains(&Denied), "{what}");
    }
    let failing = connect(config(server.endpoint()).credentials_provider(Failing)).await;
    assert!(fail(&failing, "no credentials", said).await.contains(&NotSent));
    server.accept(Vec::new());
    assert!(fail(&store, "expired", said).await.contains(&Denied));
    fail_open(&manifest, "expired", said).await;
    manifest.close().await;
}

/// What is said of a store that repeats what it is told.
async fn repeated(said: &mut Said) {
    // The token whole, and where a message is cut off.
    for before in [0, 230] {
        let echo = connect(config(echo(before).await)).await;
        let kinds = fail(&echo, "a store that repeats what it is told", said).await;
        assert!(
            kinds.iter().all(|kind| *kind == StoreErrorKind::Denied),
            "{kinds:?}"
        );
        let repeated = &said.0.last().unwrap().1;
        assert!(repeated.contains("x-amz-security-token: (no"), "{repeated}");
        assert!(before > 0 || repeated.contains("AWS4-HMAC-SHA256"), "{repeated}");
        assert!(!repeated.contains("cana"), "{repeated}");
    }
}

#[derive(Debug)]
struct Failing;

impl ProvideCredentials for Failing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::provider_error("it is asleep")))
    }
}

/// A store that answers every request with 403 and a message that has the whole head of the request in it behind so many
/// dots, what tells credentials first.
async fn echo(before: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                let mut piece = [0; 4096];
                match stream.read(&mut piece).await {
                    Ok(length) if length > 0 => head.extend_from_slice(&piece[..length]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&head).replace(['<', '>', '&'], " ");
            let mut lines: Vec<&str> = head.lines().collect();
            lines.sort_by_key(|line| {
                let first = ["x-amz-security-token", "authorization"];
                first
                    .iter()
                    .position(|name| line.starts_with(name))
                    .unwrap_or(first.len())
            });
            let message = format!("{}{}", ".".repeat(before), lines.join("\n"));
            let body = format!("<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>");
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    endpoint
}

/// A whole life without faults, and what the types of it show.
async fn life(server: &EmbeddedS3, said: &mut Said) {
    let given = config(server.endpoint());
    said.debug("S3Config", &given);
    said.debug(
        "S3Config, fixed",
        &config("http://127.0.0.1:1").credentials(ACCESS_KEY, SECRET),
    );
    let store = connect(given).await;
    said.debug("S3Store", &store);
    said.0.push(("describe".to_owned(), store.describe()));
    let options = Options::default();
    let (manifest, creation) = Manifest::create(store.clone(), "life", options.clone())
        .await
        .unwrap();
    said.debug("Creation", &creation);
    for number in 0..20 {
        let mut transaction = manifest.begin().await.unwrap();
        transaction.put(format!("k{number}"), "v").unwrap();
        said.debug("Transaction", &transaction);
        said.debug("Receipt", &transaction.commit().await.unwrap());
    }
    let snapshot = manifest.snapshot(Freshness::Latest).await.unwrap();
    said.debug("Snapshot", &snapshot);
    said.debug("PinInfo", &manifest.pin("p", &snapshot, None).await.unwrap());
    manifest.maintain().await.unwrap();
    said.debug("Manifest", &manifest);
    said.debug("Options", &options);
    said.debug("Info", &manifest.info().unwrap());
    said.debug("RequestMeter", &RequestMeter::new());
    let seen = inspect(store.clone(), "life", &options, Inspect::Garbage)
        .await
        .unwrap();
    said.debug("Inspection", &seen);
    said.0.push(("inspection".to_owned(), seen.to_string()));
    said.debug(
        "Verification",
        &verify(store.clone(), "life", &options, |_| {}).await.unwrap(),
    );
    manifest.close().await;
    said.debug(
        "Destroyed",
        &Manifest::destroy(store, "life", &options).await.unwrap(),
    );
    said.debug("EmbeddedS3", server);
    for endpoint in [
        format!("http://{ACCESS_KEY}:{SECRET}@127.0.0.1:1"),
        format!("http://127.0.0.1:1/?X-Amz-Security-Token={TOKEN}"),
        format!("{SECRET}@127.0.0.1"),
    ] {
        let config = config(endpoint);
        said.debug("S3Config with an endpoint that holds credentials", &config);
        let refused = S3Store::connect(config, Arc::new(RequestMeter::new()))
            .await
            .unwrap_err();
        assert_eq!(refused.kind, StoreErrorKind::NotSent);
        said.error("an endpoint that holds credentials", &refused);
    }
}

/// On one thread, so that the listener of this thread hears all of it.
#[tokio::test]
async fn no_credentials_are_told_by_errors_debug_output_and_the_log() {
    // While there is one listener, whether an event is of interest may be decided by a thread that has none.
    let _another = tracing::Dispatch::new(Listener::default());
    let listener = Listener::default();
    let _heard = tracing::subscriber::set_default(listener.clone());
    let mut said = Said::default();
    let server = server();
    life(&server, &mut said).await;
    every_fault(&server, &mut said).await;
    assert!(said.0.len() > 150, "{}", said.0.len());
    assert_eq!(said.leaks(), Vec::<String>::new());

    {
        let mut lines = listener.0.lock();
        let heard = |begins: &str| {
            lines
                .iter()
                .filter(|line| line.target.starts_with(begins))
                .count()
        };
        assert!(
            heard("fusio_manifest") > 0 && heard("aws_smithy_runtime") > 100,
            "nobody was heard"
        );
        assert_eq!(told(&lines, &[ACCESS_KEY]), TELL_THE_ACCESS_KEY);
        lines.clear();
    }

    repeated(&mut said).await;
    assert_eq!(said.leaks(), Vec::<String>::new());
    let targets = told(&listener.0.lock(), &[ACCESS_KEY, TOKEN]);
    assert_eq!(
        targets,
        [TELL_THE_ACCESS_KEY.as_slice(), &[TELL_ANSWERS]].concat()
    );
}

/// Were there a leak, the test above would find it.
#[tokio::test]
async fn a_leak_would_be_found_wherever_it_is() {
    #[derive(Debug)]
    struct Careless {
        #[expect(dead_code, reason = "shown by Debug")]
        secret: &'static str,
    }
    impl Display for Careless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("nothing")
        }
    }
    impl std::error::Error for Careless {}
    let mut said = Said::default();
    said.debug("careless", &Careless { secret: SECRET });
    said.error("careless", &Careless { secret: TOKEN });
    said.error(
        "store",
        &StoreError::new(StoreErrorKind::Denied, "GET", "k", ACCESS_KEY),
    );
    assert_eq!(said.leaks().len(), 3);

    let _another = tracing::Dispatch::new(Listener::default());
    let listener = Listener::default();
    let _heard = tracing::subscriber::set_default(listener.clone());
    tracing::trace!(target: "fusio_manifest::careless", secret = SECRET, "signed");
    let _span = tracing::trace_span!(target: "fusio_manifest::careless", "signing", token = ?TOKEN).entered();
    tracing::warn!("{ACCESS_KEY} is not known");
    let lines = listener.0.lock();
    let found: Vec<_> = lines.iter().flat_map(|line| canaries(&line.text)).collect();
    assert_eq!(found, [SECRET, TOKEN, ACCESS_KEY]);
}
