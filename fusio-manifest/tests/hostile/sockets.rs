//! The store on the SDK against a server that answers nonsense over a real socket.

use std::{sync::Arc, time::Duration};

use fusio_manifest::{
    Clock as _, Manifest, MemoryStore, Options, RequestMeter, S3Config, S3Store, Store, TokioClock,
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    answers::{self, Case},
    server::{Answer, BUCKET, Elsewhere, Rule, Server},
    table::{Row, hold},
    world::{Operation, PREFIX, built, close, copied, hold_to_its_word, hurried, patient, put, reopened},
};

use Operation::{Commit, CommitLarge, Get, Open, OpenPin, Verify};

/// Real time: short, and long enough for an honest answer on a busy machine.
const REQUEST: Duration = Duration::from_secs(3);
const OPERATION: Duration = Duration::from_secs(4);
/// Only so that what hangs ends: nothing is measured by it.
const HANGS: Duration = Duration::from_secs(120);
/// What the server may get rid of in one answer: what is read of it, and the buffers of the sockets of both sides. Read
/// without a bound, it would be more within the time of one request.
const ANSWER_MAX: u64 = 32 << 20;
/// Answers that are read and forgotten, one after the other, until the request's time is over: that alone bounds them.
pub(crate) const PASSED_OVER: &str = "endless informational answers";
/// Operations at once: most of them wait.
const AT_ONCE: usize = 24;

fn options(seed: u64) -> Options {
    Options {
        request_timeout: REQUEST,
        read_timeout: OPERATION,
        commit_timeout: OPERATION,
        ..hurried(seed)
    }
}

/// The request of an operation that meets the hostile answer.
fn hit(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Open => ("GET", "/HEAD"),
        Get => ("GET", "/table/"),
        Commit => ("PUT", "/HEAD"),
        CommitLarge => ("PUT", "/log/"),
        OpenPin => ("GET", "/pin/"),
        Verify => ("GET", "list-type=2"),
        other => panic!("{other:?}"),
    }
}

async fn connected(server: &Server) -> Arc<dyn Store> {
    let config = S3Config::new(BUCKET)
        .endpoint(server.endpoint())
        .region("us-east-1")
        .credentials("key", "secret");
    let meter = Arc::new(RequestMeter::new());
    Arc::new(S3Store::connect(config, meter).await.unwrap())
}

async fn row(case: Arc<Case>, operation: Operation, store: MemoryStore) -> Row {
    let what = format!("{}, {}", case.name, operation.name());
    let server = Server::start(store.clone()).await;
    let shared = connected(&server).await;
    let handle = operation.handle(Arc::clone(&shared), options(5)).await;
    let (method, target) = hit(operation);
    server.turn(Rule {
        method,
        target,
        applied: case.applied,
        answer: case.answer.clone(),
    });
    let clock = TokioClock::new();
    let began = clock.now();
    let saw = tokio::select! {
        biased;
        saw = operation.run(shared, handle.as_ref(), options(6)) => saw,
        () = clock.sleep(HANGS) => panic!("{what}: no answer"),
    };
    let after = clock.now() - began;
    let (hit, sent) = (server.hit(), server.sent());
    assert!(hit > 0, "{what}: nothing was hit");
    assert!(
        sent <= ANSWER_MAX * hit || case.name == PASSED_OVER,
        "{what}: {sent} bytes of {hit} answers were taken"
    );
    if let Some(handle) = handle {
        close(&handle).await;
    }
    hold_to_its_word(&what, operation, &saw, &store).await;
    Row {
        case: case.name.to_owned(),
        operation: operation.name(),
        saw,
        after,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_a_hostile_server_are_told_what_is_wrong_in_time() {
    let elsewhere = Elsewhere::start().await;
    let store = built().await;
    let cases = answers::cases(&elsewhere.address);
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut work = JoinSet::new();
    for case in cases.into_iter().map(Arc::new) {
        for operation in case.operations {
            let (case, store, at_once) = (Arc::clone(&case), copied(&store).await, Arc::clone(&at_once));
            work.spawn(async move {
                let _turn = at_once.acquire().await.unwrap();
                row(case, *operation, store).await
            });
        }
    }
    let mut rows = Vec::new();
    while let Some(done) = work.join_next().await {
        rows.push(done.unwrap());
    }
    assert_eq!(
        elsewhere.heard(),
        0,
        "requests were sent to where nobody asked for"
    );
    hold("A server that answers nonsense", rows);
}

/// A PUT of HEAD has landed, somebody else has committed since, and the answer carries the ETag of that newer HEAD. A commit on
/// it would overwrite what the handle has not seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_etag_of_a_newer_head_lets_nobodys_commit_be_overwritten() {
    let store = built().await;
    let server = Server::start(store.clone()).await;
    let manifest = Manifest::open(connected(&server).await, PREFIX, patient(5))
        .await
        .unwrap();
    let other = reopened(&store).await;
    server.turn(Rule {
        method: "PUT",
        target: "/HEAD",
        applied: true,
        answer: Answer::Overtaken(other.clone()),
    });
    put(&manifest, "first", "1").await.unwrap();
    put(&manifest, "second", "2").await.unwrap();
    assert_eq!(server.hit(), 1);
    close(&manifest).await;
    other.close().await;
    let reader = reopened(&store).await;
    for key in ["first", "other", "second"] {
        assert!(reader.get(key).await.unwrap().is_some(), "{key} was overwritten");
    }
}
