use super::*;
use crate::{fault::FaultPlan, scenario::tests::adjusted};

#[test]
fn what_was_given_stays_and_the_rest_is_this_scenarios_own() {
    let (settings, said) = adjusted(adjust, &[("PERF_NUM_WRITERS", "3"), ("PERF_LATENCY", "none")]);
    let load = &settings.workload;
    assert_eq!((load.num_writers, load.num_readers), (3, USUAL_READERS));
    assert_eq!(load.duration, USUAL_DURATION);
    assert_eq!(settings.latency(), Some("none"));
    let said = said.unwrap().unwrap();
    assert!(
        said.contains("a row every 10 s; trends are judged from 300 s on"),
        "{said}"
    );
    let (settings, said) = adjusted(adjust, &[("PERF_DURATION_SECS", "20"), ("PERF_FAULTS", "none")]);
    assert_eq!(
        (settings.latency(), settings.store.faults()),
        (Some(USUAL_LATENCY), Some("none"))
    );
    let said = said.unwrap().unwrap();
    assert!(
        said.contains("a row every 1 s; trends are judged in runs of 600 s and more"),
        "{said}"
    );
}

#[test]
fn outages_come_once_in_five_minutes() {
    for (seconds, outages) in [(1_800, 6), (600, 2), (20, 1)] {
        let plan: FaultPlan = usual_faults(Duration::from_secs(seconds)).parse().unwrap();
        assert_eq!(plan.len(), outages + 2);
    }
    assert!(
        usual_faults(USUAL_DURATION).starts_with("any from=150000ms to=152000ms reset; any from=450000ms")
    );
    assert!(usual_faults(Duration::from_secs(20)).starts_with("any from=10000ms to=11000ms reset"));
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    for (variable, value) in [
        ("PERF_STORE", "simulated"),
        ("PERF_MAX_REQUESTS", "1000000"),
        ("PERF_NUM_WRITERS", "0"),
    ] {
        let why = adjusted(adjust, &[(variable, value)]).1.unwrap_err();
        assert!(why.contains(variable) && why.lines().count() == 1, "{why}");
    }
}
