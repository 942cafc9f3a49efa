//! The S3 store over real HTTP, against the endpoint that the harness embeds.

use std::sync::Arc;

use fusio_manifest::{
    ErrorKind, Freshness, Manifest, Options, RequestClass, RequestMeter, S3Config, S3Store, StoreErrorKind,
    SystemClock,
    store::{GetOptions, PutMode, Store, conformance},
};
use manifest_perf::{
    fault::FaultPlan,
    latency::LatencyProfile,
    s3::embedded::{EmbeddedConfig, EmbeddedS3},
};

const ACCESS_KEY: &str = "suite";
const SECRET: &str = "suite-secret";

pub(crate) fn server(faults: &str) -> EmbeddedS3 {
    EmbeddedS3::start(EmbeddedConfig {
        latency: LatencyProfile::NONE,
        faults: if faults.is_empty() {
            FaultPlan::default()
        } else {
            faults.parse().unwrap()
        },
        seed: 1,
        bucket: "suite".to_owned(),
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET.to_owned(),
    })
    .unwrap()
}

pub(crate) fn config(server: &EmbeddedS3) -> S3Config {
    S3Config::new("suite")
        .endpoint(server.endpoint())
        .region("us-east-1")
        .credentials(ACCESS_KEY, SECRET)
}

async fn store(server: &EmbeddedS3) -> (S3Store, Arc<RequestMeter>) {
    let meter = Arc::new(RequestMeter::new());
    (
        S3Store::connect(config(server), Arc::clone(&meter))
            .await
            .unwrap(),
        meter,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_s3_store_passes_the_conformance_suite() {
    let server = server("");
    let (store, _) = store(&server).await;
    let report = conformance::run(Arc::new(store), &SystemClock, "conformance/")
        .await
        .unwrap();
    assert_eq!(report.passed, conformance::Check::ALL);
    assert!(report.not_cleaned.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_the_stores_date_refusals_too() {
    let server = server("");
    let (store, _) = store(&server).await;
    assert_eq!(store.date(), None);
    store.get("missing", GetOptions::default()).await.unwrap_err();
    // The server's clock is this machine's: later than when this test was written.
    assert!(store.date().unwrap() > 1_700_000_000_000, "{:?}", store.date());
}

#[tokio::test(flavor = "multi_thread")]
async fn create_refuses_a_store_that_ignores_conditions_and_names_the_condition() {
    let server = server("any ignore-conditions");
    let (store, _) = store(&server).await;
    let error = Manifest::create(Arc::new(store), "m", Options::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnfitStore);
    assert!(error.to_string().contains("If-None-Match: *"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_counted_as_the_server_counts_it() {
    let server = server("");
    let (store, meter) = store(&server).await;
    let (manifest, _) = Manifest::create(Arc::new(store), "m", Options::default())
        .await
        .unwrap();
    for number in 0..20 {
        let mut transaction = manifest.begin().await.unwrap();
        transaction.put(format!("key {number}"), "value").unwrap();
        transaction.commit().await.unwrap();
        manifest.snapshot(Freshness::Latest).await.unwrap();
    }
    manifest.close().await;
    let by_server: u64 = server.request_counts().values().map(|class| class.requests).sum();
    assert_eq!(meter.counts().total(), by_server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_over_http_is_one_put_and_a_fresh_read_one_conditional_get() {
    let server = server("");
    let (store, meter) = store(&server).await;
    let (manifest, _) = Manifest::create(Arc::new(store), "m", Options::default())
        .await
        .unwrap();
    let before = meter.counts();
    for number in 0..50 {
        let mut transaction = manifest.begin().await.unwrap();
        transaction.put(format!("key {number}"), "value").unwrap();
        transaction.commit().await.unwrap();
    }
    for number in 0..50 {
        assert!(manifest.get(format!("key {number}")).await.unwrap().is_some());
    }
    manifest.close().await;
    let sent = meter.counts().since(&before);
    assert_eq!(sent.requests(RequestClass::ConditionalPut), 50);
    assert_eq!(sent.requests(RequestClass::ConditionalGet), 50);
    assert_eq!(sent.total(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_refused_and_not_repeated_in_the_error() {
    let server = server("");
    let wrong = config(&server).credentials(ACCESS_KEY, "canary-of-the-secret");
    let store = S3Store::connect(wrong, Arc::new(RequestMeter::new()))
        .await
        .unwrap();
    let error = store.get("k", GetOptions::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied);
    assert!(
        !format!("{error} {error:?} {store:?}").contains("canary"),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_over_http_is_unknown_to_the_store_and_committed_to_the_caller() {
    let server = server("");
    let (store, _) = store(&server).await;
    let (manifest, _) = Manifest::create(Arc::new(store.clone()), "m", Options::default())
        .await
        .unwrap();

    server.set_faults("cas after nth=1 drop".parse().unwrap(), 1);
    let mut transaction = manifest.begin().await.unwrap();
    transaction.put("k", "v").unwrap();
    let receipt = transaction.commit().await.unwrap();
    assert_eq!(receipt.txn, Some(1));
    assert_eq!(manifest.get("k").await.unwrap().as_deref(), Some(b"v".as_slice()));
    manifest.close().await;

    server.set_faults("cas after nth=1 drop".parse().unwrap(), 1);
    let error = store
        .put("other", bytes::Bytes::new(), PutMode::Create)
        .await
        .unwrap_err();
    assert!(!error.is_definite(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_damaged_on_its_way_is_refused_and_nothing_is_stored() {
    let server = server("");
    let (store, _) = store(&server).await;
    server.set_faults("put nth=1 corrupt".parse().unwrap(), 1);
    store
        .put("k", bytes::Bytes::from_static(b"value"), PutMode::Create)
        .await
        .unwrap_err();
    let missing = store.get("k", GetOptions::default()).await.unwrap_err();
    assert_eq!(missing.kind, StoreErrorKind::NotFound);
}
