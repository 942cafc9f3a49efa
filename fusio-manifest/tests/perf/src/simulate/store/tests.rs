use fusio_manifest::{S3Config, S3Store, store::conformance};
use rand::{SeedableRng as _, rngs::StdRng};

use super::*;
use crate::{
    latency::RequestClass,
    s3::embedded::{EmbeddedConfig, EmbeddedS3},
    simulate::{self, VirtualClock},
};

const SEED: u64 = 42;

fn bucket(clock: &VirtualClock, latency: &str, faults: &str) -> SimulatedStore {
    let (latency, faults) = (latency.parse().unwrap(), faults.parse().unwrap());
    SimulatedStore::new(latency, faults, SEED, Arc::new(clock.clone()))
}

fn simulated<T>(latency: &str, faults: &str, work: impl AsyncFnOnce(SimulatedStore, VirtualClock) -> T) -> T {
    simulate::run(async |clock| work(bucket(&clock, latency, faults), clock).await).unwrap()
}

fn body(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// What a request proved and gave, without the words of its error.
fn told<T: fmt::Debug>(what: &str, answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(answer) => format!("{what}: {answer:?}"),
        Err(StoreError {
            kind,
            operation,
            key,
            status,
            ..
        }) => format!("{what}: {operation} {key} {kind:?} {status:?}"),
    }
}

/// Every call there is, with conditions that hold and that do not, and what came of each.
async fn script(store: &dyn Store, run: &str) -> Vec<String> {
    let key = format!("{run}/HEAD");
    let if_none_match = |etag: &ETag| GetOptions {
        if_none_match: Some(etag.clone()),
        range: None,
        bytes_max: None,
    };
    let range = |range| GetOptions {
        if_none_match: None,
        range: Some(range),
        bytes_max: None,
    };
    let stale = ETag::new("\"00000000000000000000000000000000\"");
    let mut log = Vec::new();
    log.push(told("missing", store.get(&key, GetOptions::default()).await));
    log.push(told(
        "update missing",
        store.put(&key, body("0"), PutMode::Update(stale.clone())).await,
    ));
    log.push(told(
        "create",
        store.put(&key, body("body one"), PutMode::Create).await,
    ));
    log.push(told(
        "create again",
        store.put(&key, body("body two"), PutMode::Create).await,
    ));
    log.push(told("get", store.get(&key, GetOptions::default()).await));
    log.push(told("range", store.get(&key, range(2..4)).await));
    log.push(told("out of range", store.get(&key, range(100..200)).await));
    let written = store.put(&key, body("body three"), PutMode::Overwrite).await;
    let etag = written.as_ref().map_or_else(|_| stale.clone(), Clone::clone);
    log.push(told("overwrite", written));
    log.push(told("unchanged", store.get(&key, if_none_match(&etag)).await));
    log.push(told("changed", store.get(&key, if_none_match(&stale)).await));
    log.push(told(
        "stale",
        store.put(&key, body("body four"), PutMode::Update(stale)).await,
    ));
    log.push(told(
        "update",
        store.put(&key, body("body five"), PutMode::Update(etag)).await,
    ));
    log.push(told(
        "empty",
        store
            .put(&format!("{run}/empty"), Bytes::new(), PutMode::Create)
            .await,
    ));
    log.push(told("list", store.list(&format!("{run}/"), None).await));
    log.push(told(
        "list after",
        store.list(&format!("{run}/"), Some(&key)).await,
    ));
    log.push(told("warning", store.warning().await));
    log.push(told(
        "delete",
        store.delete(&[key.clone(), format!("{run}/none")]).await,
    ));
    log.push(told("delete nothing", store.delete(&[]).await));
    log.push(told(
        "delete too much",
        store.delete(&vec![key.clone(); 1_001]).await,
    ));
    log.push(told("gone", store.get(&key, GetOptions::default()).await));
    log.push(told("empty range", store.get(&key, range(3..3)).await));
    log
}

/// Both sides of every action; none of those that depend on how fast the machine is.
const FAULTS: &[&str] = &[
    "none",
    "any drop",
    "any after drop",
    "cas nth=2 reset; get nth=2 reset",
    "cas after reset; get after reset",
    "any status=500",
    "any after status=500",
    "any status=503",
    "put after status=503; get nth=3 status=503",
    "any status=409",
    "any after status=409",
    "any replay",
    "any corrupt",
    "get corrupt",
    "put nth=2 corrupt",
    "any ignore-conditions",
    "put ignore-conditions",
    "get ignore-conditions",
    "any delay=1ms",
    "any after delay=1ms",
    "any to=5ms stall",
    "any p=0.4 drop; any p=0.3 after status=503; get p=0.5 corrupt",
    "any key=*/HEAD p=0.5 replay; list drop; delete after drop",
    "cas key=*HEA? first=2 after drop",
];

/// An embedded endpoint without latency, and the engine's store on it.
async fn embedded() -> (EmbeddedS3, S3Store) {
    let server = EmbeddedS3::start(EmbeddedConfig {
        latency: LatencyProfile::NONE,
        faults: FaultPlan::default(),
        seed: SEED,
        bucket: "bucket".to_owned(),
        access_key: "access".to_owned(),
        secret_key: "secret".to_owned(),
    })
    .unwrap();
    let config = S3Config::new("bucket")
        .endpoint(server.endpoint())
        .region("us-east-1")
        .credentials("access", "secret");
    let store = S3Store::connect(config, Arc::default()).await.unwrap();
    (server, store)
}

#[tokio::test]
async fn every_fault_is_told_and_counted_as_the_embedded_endpoint_has_it() {
    let (server, s3) = embedded().await;
    for (number, faults) in FAULTS.iter().enumerate() {
        let plan: FaultPlan = faults.parse().unwrap();
        let run = format!("run-{number}");
        server.set_faults(plan.clone(), SEED);
        let meter = Arc::new(RequestMeter::new());
        let expected = script(&s3.with_meter(Arc::clone(&meter)), &run).await;
        let seen = std::thread::spawn(move || {
            simulated("none", faults, async |store, _| {
                let meter = Arc::new(RequestMeter::new());
                let log = script(&store.with_meter(Arc::clone(&meter)), &run).await;
                (log, meter.counts())
            })
        });
        let (log, counts) = seen.join().unwrap();
        for (simulated, embedded) in log.iter().zip(&expected) {
            assert_eq!(simulated, embedded, "{faults}");
        }
        assert_eq!((counts, log.len()), (meter.counts(), expected.len()), "{faults}");
    }
}

#[tokio::test]
async fn a_late_arrival_is_applied_after_its_client_was_cut_off() {
    async fn late(store: &dyn Store, clock: &dyn Clock) -> [String; 3] {
        let sent = store.put("late/k", body("late"), PutMode::Create).await;
        let mut found = store.get("late/k", GetOptions::default()).await;
        while found.is_err() {
            clock.sleep(Duration::from_millis(1)).await;
            found = store.get("late/k", GetOptions::default()).await;
        }
        let again = store.put("late/k", body("again"), PutMode::Create).await;
        [told("sent", sent), told("found", found), told("again", again)]
    }
    let (server, s3) = embedded().await;
    let faults = "cas nth=1 late=30ms";
    server.set_faults(faults.parse().unwrap(), SEED);
    let expected = late(&s3, &fusio_manifest::SystemClock).await;
    let seen = std::thread::spawn(move || {
        simulated("none", faults, async |store, clock| {
            let seen = late(&store, &clock).await;
            // Cut off at once, applied 30 ms later.
            assert!(clock.now() >= Duration::from_millis(30), "{clock:?}");
            assert!(clock.now() < Duration::from_millis(32), "{clock:?}");
            seen
        })
    });
    assert_eq!(seen.join().unwrap(), expected);
}

#[test]
fn the_simulated_store_conforms() {
    for latency in ["none", "s3-standard"] {
        simulated(latency, "none", async |store, clock| {
            let report = conformance::run(Arc::new(store), &clock, "c/").await.unwrap();
            assert_eq!(report.passed, conformance::Check::ALL);
            assert!(report.not_cleaned.is_none());
        });
    }
}

#[test]
fn a_store_that_ignores_conditions_does_not_conform() {
    simulated("none", "put ignore-conditions", async |store, clock| {
        assert!(conformance::run(Arc::new(store), &clock, "c/").await.is_err());
    });
}

#[test]
fn each_request_takes_its_draw_and_the_time_of_its_bytes() {
    simulated("s3-standard", "none", async |store, clock| {
        let profile = LatencyProfile::S3_STANDARD;
        let mut rng = StdRng::seed_from_u64(SEED);
        let mut expected = Duration::ZERO;
        let large = Bytes::from(vec![7; 1 << 20]);
        store.put("k", large.clone(), PutMode::Overwrite).await.unwrap();
        expected += profile.draw(RequestClass::Put, 1 << 20, &mut rng);
        assert_eq!(clock.now(), expected);
        let etag = store.put("new", body("1"), PutMode::Create).await.unwrap();
        expected += profile.draw(RequestClass::Cas, 1, &mut rng);
        assert_eq!(clock.now(), expected);
        store.get("k", GetOptions::default()).await.unwrap();
        expected += profile.draw(RequestClass::Get, 0, &mut rng) + Duration::from_millis(20);
        assert_eq!(clock.now(), expected);
        let options = GetOptions {
            if_none_match: Some(etag),
            range: None,
            bytes_max: None,
        };
        store.get("new", options).await.unwrap();
        expected += profile.draw(RequestClass::Get, 0, &mut rng);
        assert_eq!(clock.now(), expected);
    });
}

#[test]
fn delays_and_stalls_last_to_the_nanosecond() {
    let faults = "put delay=5ms; get after delay=7ms; list from=10ms to=40ms stall";
    simulated("get=1,put=2,cas=3,per_mib=0", faults, async |store, clock| {
        let ms = |ms| Duration::from_millis(ms);
        store.put("k", body("1"), PutMode::Overwrite).await.unwrap();
        assert_eq!(clock.now(), ms(2 + 5));
        store.get("k", GetOptions::default()).await.unwrap();
        assert_eq!(clock.now(), ms(7 + 1 + 7));
        store.list("", None).await.unwrap();
        assert_eq!(clock.now(), ms(40));
        // Begun anew, and so are its windows.
        store.set_faults("list from=10ms to=40ms stall".parse().unwrap(), SEED);
        store.list("", None).await.unwrap();
        assert_eq!(clock.now(), ms(40 + 1));
    });
}

#[test]
fn a_stall_times_out_as_on_s3_and_the_request_is_applied_when_it_ends() {
    simulated(
        "get=1,put=2,cas=3,per_mib=0",
        "cas to=60s stall",
        async |store, clock| {
            let error = store.put("k", body("1"), PutMode::Create).await.unwrap_err();
            assert_eq!((error.kind, clock.now()), (StoreErrorKind::Timeout, ATTEMPT_MAX));
            clock.sleep(Duration::from_secs(49)).await;
            assert!(store.get("k", GetOptions::default()).await.is_err());
            clock.sleep(Duration::from_secs(1)).await;
            store.get("k", GetOptions::default()).await.unwrap();
        },
    );
}

#[test]
fn a_request_is_applied_after_its_delay_though_its_caller_went_away() {
    simulated("get=1,put=60,cas=60,per_mib=0", "none", async |store, clock| {
        tokio::select! {
            biased;
            _ = store.put("k", body("1"), PutMode::Create) => panic!("60 ms have not passed"),
            () = clock.sleep(Duration::from_millis(10)) => {}
        }
        clock.sleep(Duration::from_millis(48)).await;
        assert!(store.get("k", GetOptions::default()).await.is_err(), "{clock:?}");
        clock.sleep(Duration::from_millis(1)).await;
        store.get("k", GetOptions::default()).await.unwrap();
    });
}

#[test]
fn a_store_without_latency_still_takes_time() {
    for faults in ["none", "any late=1s"] {
        simulated("none", faults, async |store, clock| {
            for _ in 0..10 {
                let _ = store.get("k", GetOptions::default()).await;
            }
            assert_eq!(clock.now(), 10 * SHORTEST, "{faults}");
        });
    }
}
