use rand::{SeedableRng as _, rngs::StdRng};

use super::*;

fn sorted_draws_ms(profile: &LatencyProfile, class: RequestClass, seed: u64) -> Vec<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut draws: Vec<f64> = (0..20_000)
        .map(|_| profile.draw(class, 0, &mut rng).as_secs_f64() * 1_000.0)
        .collect();
    draws.sort_unstable_by(f64::total_cmp);
    draws
}

fn near(got: f64, want: f64, share: f64) -> bool {
    (got - want).abs() <= want * share
}

#[test]
fn draws_have_the_median_and_sigma_of_their_class() {
    for (class, median_ms, sigma) in [
        (RequestClass::Get, 27.0, 0.62),
        (RequestClass::Put, 60.0, 0.29),
        (RequestClass::Cas, 61.0, 0.14),
        (RequestClass::Delete, 60.0, 0.29),
        (RequestClass::List, 27.0, 0.62),
    ] {
        let draws = sorted_draws_ms(&LatencyProfile::S3_STANDARD, class, 42);
        let median = draws[draws.len() / 2];
        assert!(near(median, median_ms, 0.03), "{class}: median {median}");
        let logs: Vec<f64> = draws.iter().map(|ms| ms.ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64;
        assert!(
            near(variance.sqrt(), sigma, 0.03),
            "{class}: sigma {}",
            variance.sqrt()
        );
    }
}

#[test]
fn draws_come_near_the_published_percentiles() {
    for (class, p95, p99) in [(RequestClass::Get, 75.0, 114.0), (RequestClass::Cas, 77.0, 85.0)] {
        let draws = sorted_draws_ms(&LatencyProfile::S3_STANDARD, class, 7);
        assert!(near(draws[draws.len() * 95 / 100], p95, 0.05), "{class} p95");
        assert!(near(draws[draws.len() * 99 / 100], p99, 0.05), "{class} p99");
    }
}

#[test]
fn a_seed_decides_the_draws() {
    let profile = LatencyProfile::S3_EXPRESS;
    assert_eq!(
        sorted_draws_ms(&profile, RequestClass::Get, 1),
        sorted_draws_ms(&profile, RequestClass::Get, 1)
    );
    assert_ne!(
        sorted_draws_ms(&profile, RequestClass::Get, 1),
        sorted_draws_ms(&profile, RequestClass::Get, 2)
    );
}

#[test]
fn every_draw_takes_as_much_of_the_seed() {
    let mut by_profile = [LatencyProfile::NONE, LatencyProfile::S3_STANDARD]
        .map(|profile| (profile, StdRng::seed_from_u64(5)));
    for class in RequestClass::ALL {
        for (profile, rng) in &mut by_profile {
            profile.draw(class, 10, rng);
        }
    }
    let [(_, a), (_, b)] = &mut by_profile;
    assert_eq!(a.next_u64(), b.next_u64());
}

#[test]
fn bytes_cost_20_ms_a_mib() {
    let profile = LatencyProfile::S3_STANDARD;
    assert_eq!(profile.transfer(1 << 20), Duration::from_millis(20));
    assert_eq!(profile.transfer(1 << 19), Duration::from_millis(10));
    assert_eq!(LatencyProfile::NONE.transfer(1 << 30), Duration::ZERO);
    let with_body = profile.draw(RequestClass::Put, 1 << 20, &mut StdRng::seed_from_u64(3));
    let without = profile.draw(RequestClass::Put, 0, &mut StdRng::seed_from_u64(3));
    assert_eq!(with_body - without, Duration::from_millis(20));
}

#[test]
fn draws_are_bounded() {
    let slow: LatencyProfile = "get=60000:3,put=0,cas=0,per_mib=10000".parse().unwrap();
    let draws = sorted_draws_ms(&slow, RequestClass::Get, 1);
    assert!(draws.iter().all(|ms| *ms <= 60_000.0));
    assert_eq!(slow.transfer(u64::MAX), LONGEST);
}

#[test]
fn none_draws_nothing() {
    let draws = sorted_draws_ms(&LatencyProfile::NONE, RequestClass::Cas, 9);
    assert!(draws.iter().all(|ms| *ms == 0.0));
}

#[test]
fn text_round_trips() {
    for text in [
        "s3-standard",
        "s3-express",
        "none",
        "get=1:0.5,put=2,cas=3.25:0.125,per_mib=0.5",
    ] {
        let profile: LatencyProfile = text.parse().unwrap();
        assert_eq!(profile.to_string(), text);
    }
    let spaced: LatencyProfile = " get = 27:0.62, put=60:0.29 ,cas=61:0.14".parse().unwrap();
    assert_eq!(spaced, LatencyProfile::S3_STANDARD);
}

#[test]
fn errors_name_the_field_and_what_is_allowed() {
    for (text, problem) in [
        (
            "s4-standard",
            "`s4-standard` is neither a profile's name nor a field=value",
        ),
        ("", "`` is neither"),
        ("get=1,put=1", "`cas` is missing"),
        ("get=1,put=1,cas=1,list=1", "there is no field `list`"),
        ("get=1,get=1,put=1,cas=1", "`get` is given twice"),
        (
            "get=fast,put=1,cas=1",
            "get is `fast`, not a number from 0 to 60000",
        ),
        ("get=-1,put=1,cas=1", "get is `-1`"),
        ("get=NaN,put=1,cas=1", "get is `NaN`"),
        (
            "get=1:9,put=1,cas=1",
            "sigma of get is `9`, not a number from 0 to 3",
        ),
    ] {
        let message = text.parse::<LatencyProfile>().unwrap_err().to_string();
        assert!(message.contains(problem), "{message}");
        assert!(
            message.contains("s3-standard, s3-express, none, or get="),
            "{message}"
        );
    }
}
