use std::path::Path;

use super::*;

fn read(vars: &[(&str, &str)]) -> Settings {
    Settings::from_env(vars.iter().copied()).unwrap()
}

fn refusal(vars: &[(&str, &str)]) -> String {
    let message = Settings::from_env(vars.iter().copied()).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn an_empty_environment_is_the_baseline() {
    let settings = read(&[("PATH", "/bin"), ("PERF_SEED", "")]);
    assert_eq!(settings.workload, WorkloadConfig::default());
    assert_eq!(
        (settings.seed, settings.commits, settings.in_flight),
        (42, 1_000, 1_024)
    );
    assert_eq!(settings.latency(), Some("s3-standard"));
    assert!(settings.out.ends_with("target/perf") && settings.out.is_absolute());
    assert!(!settings.is_set("PERF_SEED"));
}

#[test]
fn a_default_of_a_scenario_yields_to_what_was_given() {
    for (vars, seconds) in [(&[][..], 20), (&[("PERF_DURATION_SECS", "120")][..], 120)] {
        let mut settings = read(vars);
        settings.set_unless_given("PERF_DURATION_SECS", Duration::from_secs(20), |settings| {
            &mut settings.workload.duration
        });
        assert_eq!(settings.workload.duration, Duration::from_secs(seconds));
    }
}

#[test]
fn every_default_of_the_table_is_the_default_in_force() {
    for setting in SETTINGS {
        if setting.default.is_empty() || setting.name.starts_with("PERF_S3_") {
            continue;
        }
        let mut explicit = read(&[(setting.name, setting.default)]);
        assert!(explicit.is_set(setting.name));
        explicit.given = Given::default();
        assert_eq!(explicit, read(&[]), "{}", setting.name);
    }
}

#[test]
fn every_setting_of_the_table_has_an_effect() {
    let s3 = [("PERF_STORE", "s3"), ("PERF_S3_BUCKET", "bucket")];
    for setting in SETTINGS {
        let value = match setting.name {
            "PERF_WRITER_KIND" => "writer",
            "PERF_ARRIVALS" => "poisson",
            "PERF_S3_BUCKET" => "other",
            "PERF_S3_ENDPOINT" => "http://localhost:8333",
            "PERF_KEY_OVERLAP_RATIO" => "0.75",
            "PERF_HANDLES" | "PERF_PARALLEL" => "7",
            "PERF_KEYS" => "7777",
            "PERF_KEEP" | "PERF_S3_CREATE_BUCKET" | "PERF_GATE_LATENCY" => "1",
            "PERF_STORE" => continue,
            _ => "77",
        };
        let base: &[_] = if setting.name.starts_with("PERF_S3_") {
            &s3
        } else {
            &[]
        };
        let mut changed = read(&[base, &[(setting.name, value)]].concat());
        let mut usual = read(base);
        (changed.given, usual.given) = (Given::default(), Given::default());
        assert_ne!(changed, usual, "{}", setting.name);
    }
}

#[test]
fn a_bad_number_is_named_with_its_value_and_range() {
    assert_eq!(
        refusal(&[("PERF_DURATION_SECS", "2m")]),
        "PERF_DURATION_SECS is \"2m\", allowed: a number from 0.1 to 86400 (seconds). \
         Correct it, or unset it for the default 120"
    );
    assert_eq!(
        refusal(&[("PERF_WRITER_RATE", "0")]),
        "PERF_WRITER_RATE is \"0\", allowed: a number above 0 up to 10000 (commits/s). \
         Correct it, or unset it for the default 0.1"
    );
    assert_eq!(
        refusal(&[("PERF_MAX_REQUESTS", "-1")]),
        "PERF_MAX_REQUESTS is \"-1\", allowed: a number from 1 to 18446744073709551615 (requests). \
         Correct it, or unset it to go without it"
    );
    assert_eq!(
        refusal(&[("PERF_KEEP", "yes")]),
        "PERF_KEEP is \"yes\", allowed: 0, 1. Correct it, or unset it for the default 0"
    );
}

#[test]
fn every_number_refuses_nonsense_by_its_own_name() {
    let text = [
        "PERF_CASE",
        "PERF_COMPARE",
        "PERF_FAULTS",
        "PERF_OUT",
        "PERF_SUMMARY",
        "PERF_S3_BUCKET",
        "PERF_S3_ENDPOINT",
    ];
    let numbers = SETTINGS.iter().filter(|setting| !setting.unit.contains('`'));
    for name in numbers
        .map(|setting| setting.name)
        .filter(|name| !text.contains(name))
    {
        for nonsense in ["NaN", "-1", "1e99", "Not A Value"] {
            let message = refusal(&[(name, nonsense)]);
            assert!(
                message.starts_with(&format!("{name} is {nonsense:?}")),
                "{message}"
            );
        }
    }
}

#[test]
fn an_unknown_setting_names_the_nearest_one() {
    assert_eq!(
        refusal(&[("PERF_NUM_WRITTERS", "2")]),
        "PERF_NUM_WRITTERS is not a setting; the nearest one is PERF_NUM_WRITERS. Rename it, or unset it"
    );
    assert!(refusal(&[("PERF_DURATION", "2")]).contains("PERF_DURATION_SECS"));
}

#[test]
fn settings_of_linux_perf_are_let_through() {
    assert_eq!(
        read(&[("PERF_EXEC_PATH", "/usr/lib/perf"), ("PERF_PAGER", "less")]),
        read(&[])
    );
}

#[test]
fn a_value_that_is_not_one_is_refused_with_what_is() {
    assert_eq!(
        refusal(&[("PERF_KEYS", "64")]),
        "PERF_KEYS is \"64\", allowed: a number from 1000 to 10000000 (keys). Correct it, or unset it for the default 1000000"
    );
    assert_eq!(
        refusal(&[("PERF_STORE", "tape")]),
        "PERF_STORE is \"tape\", allowed: embedded, s3, simulated. \
         Correct it, or unset it for the default embedded"
    );
}

#[test]
fn an_endpoint_with_credentials_is_refused_and_not_repeated() {
    let store = [("PERF_STORE", "s3"), ("PERF_S3_BUCKET", "bucket")];
    for url in [
        "http://user:canary@host",
        "http://canary@host:1",
        "user:canary@host",
        "http://host/?token=canary",
    ] {
        let message = refusal(&[store.as_slice(), &[("PERF_S3_ENDPOINT", url)]].concat());
        assert!(
            message.starts_with("PERF_S3_ENDPOINT is not allowed: "),
            "{message}"
        );
        assert!(!message.contains("canary"), "{message}");
    }
    let message = refusal(&[store.as_slice(), &[("PERF_S3_ENDPOINT", "localhost:9000")]].concat());
    assert!(
        message.contains("localhost:9000 must begin with http://"),
        "{message}"
    );
}

#[test]
fn contradictions_say_what_to_do() {
    let bucket = ("PERF_S3_BUCKET", "bucket");
    for name in ["PERF_LATENCY", "PERF_FAULTS"] {
        assert_eq!(
            refusal(&[("PERF_STORE", "s3"), bucket, (name, "none")]),
            format!("{name} has no effect with PERF_STORE=s3: unset it, or set PERF_STORE=embedded")
        );
    }
    assert_eq!(
        refusal(&[bucket]),
        "PERF_S3_BUCKET has no effect with PERF_STORE=embedded: unset it, or set PERF_STORE=s3"
    );
    for name in ["PERF_S3_BUCKET", "PERF_S3_ENDPOINT", "PERF_S3_CREATE_BUCKET"] {
        assert_eq!(
            refusal(&[("PERF_STORE", "simulated"), (name, "1")]),
            format!("{name} has no effect with PERF_STORE=simulated: unset it, or set PERF_STORE=s3")
        );
    }
    assert_eq!(
        refusal(&[("PERF_STORE", "s3")]),
        "PERF_STORE=s3 needs a bucket: set PERF_S3_BUCKET"
    );
    assert_eq!(
        refusal(&[("PERF_NUM_WRITERS", "0"), ("PERF_NUM_READERS", "0")]),
        "PERF_NUM_WRITERS and PERF_NUM_READERS: num_writers + num_readers is 0, \
         allowed: at least one client: set one of them to 1 or more"
    );
}

#[test]
fn a_simulated_store_has_the_latencies_and_faults_of_the_embedded_one() {
    let simulated =
        |more: &[(&'static str, &'static str)]| read(&[&[("PERF_STORE", "simulated")], more].concat()).store;
    let usual = simulated(&[]);
    assert!(usual.is_simulated());
    assert_eq!(
        (usual.name(), usual.latency(), usual.faults()),
        ("simulated", Some("s3-standard"), None)
    );
    let other = simulated(&[("PERF_LATENCY", "s3-express"), ("PERF_FAULTS", "cas drop")]);
    assert_eq!(
        (other.latency(), other.faults()),
        (Some("s3-express"), Some("cas drop"))
    );
}

#[test]
fn a_real_store_keeps_what_it_was_given() {
    let settings = read(&[
        ("PERF_STORE", "s3"),
        ("PERF_S3_BUCKET", "bucket"),
        ("PERF_S3_ENDPOINT", "http://localhost:8333"),
        ("PERF_OUT", "/results"),
    ]);
    let StoreSettings::S3 {
        bucket,
        endpoint,
        create_bucket,
    } = &settings.store
    else {
        panic!("{:?}", settings.store)
    };
    assert_eq!(
        (bucket.as_str(), endpoint.as_deref()),
        ("bucket", Some("http://localhost:8333"))
    );
    assert!(!create_bucket);
    assert_eq!(
        (settings.latency(), settings.out.as_path()),
        (None, Path::new("/results"))
    );
}
