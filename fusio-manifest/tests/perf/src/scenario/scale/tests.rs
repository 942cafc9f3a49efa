//! The scenario at small sizes: in virtual time, and with a reader in a process of its own.

use std::fs;

use fusio_manifest::SystemClock;

use super::{judge::judge, reader::Warm, *};
use crate::{interrupt::Interrupt, scenario::tests::simulated};

/// Where the test binary finds the test that is the reader.
const READER: &str =
    "scenario::scale::tests::a_reader_in_a_process_of_its_own_tells_what_it_saw_and_its_memory";

fn warm(scale: &Scale) -> &Warm {
    scale.in_the_end.warm.as_ref().unwrap()
}

/// Runs of a few blocks each, so that everything there is happens within 20,000 keys.
#[test]
fn twenty_thousand_keys_cost_what_a_million_do() {
    simulated(&[("PERF_KEYS", "20000")], async |context| {
        let scale = carry_out(context, "no test").await.unwrap();
        let fields = scale.fields();
        let judgement = judge(&scale, &fields, Some("s3-standard"));
        assert!(judgement.failures.is_empty(), "{:?}", judgement.failures);
        assert_eq!(
            (fields.cold_round_trips, fields.cold_round_trips_after_fold),
            (3, 3)
        );
        assert_eq!((fields.updates, fields.requests_per_commit), (2_000, Some(1.0)));
        assert_eq!(warm(&scale).digest.entries, 20_000);
        // The log of 2,000 updates lies beside what was folded.
        assert!(
            fields.cold_bytes > fields.cold_bytes_after_fold + 200_000,
            "{fields:?}"
        );
        // A commit of 64 updates is a PUT of HEAD; about every seventh time 48 KiB of them are spilled.
        let spills = fields.spill_puts_per_mib.unwrap();
        assert!((15.0..25.0).contains(&spills), "{spills}");
        assert!(
            (2_000 / 64..2_000 / 30).contains(&scale.updated.head_puts.requests),
            "{:?}",
            scale.updated
        );
        assert_eq!((fields.peak_rss_mb, scale.served), (None, None));
        assert!(fields.scan_ratio.unwrap() > 0.2, "{fields:?}");
    });
}

#[test]
fn a_seed_decides_every_number() {
    let numbers = |seed| {
        let vars = [("PERF_KEYS", "3000"), ("PERF_SEED", seed)];
        simulated(&vars, async |context| {
            serde_json::to_string(&carry_out(context, "no test").await.unwrap().fields()).unwrap()
        })
    };
    assert_eq!(numbers("7"), numbers("7"));
    assert_ne!(numbers("7"), numbers("8"));
}

/// What is told apart is what the bounds are about.
#[test]
fn each_bound_fails_for_itself() {
    simulated(&[("PERF_KEYS", "1000")], async |context| {
        let mut scale = carry_out(context, "no test").await.unwrap();
        let fields = scale.fields();
        let broken = |change: fn(&mut ScaleFields)| {
            let mut fields = fields.clone();
            change(&mut fields);
            judge(&scale, &fields, Some("s3-standard")).failures.join("; ")
        };
        assert_eq!(broken(|_| {}), "");
        for (change, named) in [
            (
                (|fields| fields.cold_round_trips = 4) as fn(&mut ScaleFields),
                "cold open to first value: 4 round trips",
            ),
            (|fields| fields.cold_bytes = 4_000_000, "4000000 bytes"),
            (
                |fields| fields.cold_bytes_after_fold = 2_000_000,
                "just after a fold: 3 round trips and 2000000 bytes",
            ),
            (
                |fields| fields.cold_round_trips_after_fold = 4,
                "just after a fold: 4 round trips",
            ),
            (|fields| fields.peak_rss_mb = Some(64.0), "memory: 64.0 MB"),
            (
                |fields| fields.requests_per_commit = Some(1.01),
                "requests per commit: 1.01",
            ),
            (
                |fields| fields.head_bytes_max = 300 * 1024,
                "largest HEAD: 307200",
            ),
        ] {
            let told = broken(change);
            assert!(told.contains(named) && !told.contains("; "), "{named}: {told}");
        }
        scale.own_process = cfg!(target_os = "linux");
        scale.updated.spills.bytes = 64 << 20;
        scale.served = Some(Upkeep::default());
        let warm = scale.in_the_end.warm.as_mut().unwrap();
        (warm.scan_bytes, warm.digest) = (64 << 20, Digest::default());
        let fields = ScaleFields {
            scan_ratio: Some(0.69),
            maintenance_requests_per_mib: Some(33.0),
            ..fields
        };
        let told = judge(&scale, &fields, Some("s3-standard")).failures.join("; ");
        for named in [
            "did not tell its memory",
            "scan / plain GETs of the same bytes: 0.690",
            "maintenance requests per MiB of log: 33.0",
            "the server saw other requests",
            "the scan showed 0 entries",
        ] {
            assert!(told.contains(named) || !scale.own_process, "{named}: {told}");
        }
        let told = judge(&scale, &fields, Some("none")).failures.join("; ");
        assert!(!told.contains("plain GETs"), "{told}");
    });
}

/// This very test, run again, is the reader.
#[test]
fn a_reader_in_a_process_of_its_own_tells_what_it_saw_and_its_memory() {
    if let Some(done) = process::read_if_asked() {
        return done.unwrap();
    }
    let out = std::env::temp_dir().join(format!("manifest-perf-scale-{}", std::process::id()));
    let vars = [
        ("PERF_OUT", out.to_str().unwrap()),
        ("PERF_STORE", "embedded"),
        ("PERF_LATENCY", "none"),
        ("PERF_KEYS", "2000"),
    ];
    let settings = Settings::from_env(vars).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let context = Context::open("scale", settings, Arc::new(SystemClock), Interrupt::new())
            .await
            .unwrap();
        let scale = carry_out(&context, READER).await.unwrap();
        let fields = scale.fields();
        assert_eq!((fields.keys, warm(&scale).digest), (2_000, expected(&scale)));
        assert_eq!((fields.updates, fields.requests_per_commit), (200, Some(1.0)));
        let served = scale.served.unwrap();
        assert!(served.same_as(&scale.updated), "{served:?} {:?}", scale.updated);
        if cfg!(target_os = "linux") {
            // The memory of another process: this one holds the store, and half a dozen tests.
            let (start, peak) = (fields.start_rss_mb.unwrap(), fields.peak_rss_mb.unwrap());
            assert!(start > 1.0 && peak >= start && peak < 200.0, "{start} {peak}");
        }
        let error = process::ask(&context, "no such test", assignment(scale.dataset, "p/", true)).await;
        assert!(error.unwrap_err().contains("ended without an answer"));
        let missing = process::ask(&context, READER, assignment(scale.dataset, "no such/", true)).await;
        assert!(missing.unwrap_err().contains("no such/HEAD"));
    });
    fs::remove_dir_all(&out).unwrap();
}

#[test]
fn faults_are_refused_and_the_load_is_told() {
    let adjusted = |vars: &[(&str, &str)]| adjust(&mut Settings::from_env(vars.iter().copied()).unwrap());
    let refused = adjusted(&[("PERF_FAULTS", "cas drop")]).unwrap_err();
    assert!(refused.starts_with("PERF_FAULTS: "), "{refused}");
    let told = adjusted(&[("PERF_KEYS", "2000"), ("PERF_TASKS", "3")])
        .unwrap()
        .unwrap();
    assert!(
        told.contains("2000 keys of 100 bytes, 200 updates by 3 tasks, 2000 reads")
            && told.contains("process of its own"),
        "{told}"
    );
}
