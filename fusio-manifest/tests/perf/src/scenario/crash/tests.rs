use super::*;
use crate::scenario::tests::adjusted;

#[test]
fn what_was_given_stays_and_the_rest_is_this_scenarios_own() {
    let (settings, said) = adjusted(adjust, &[("PERF_NUM_WRITERS", "3"), ("PERF_DURATION_SECS", "10")]);
    let load = &settings.workload;
    assert_eq!((load.num_writers, load.num_readers), (3, USUAL_READERS));
    assert_eq!(settings.kills, Some(5));
    assert!(
        said.unwrap()
            .unwrap()
            .contains("5 are killed at random moments, one every 2.00 s")
    );
    let (settings, _) = adjusted(adjust, &[("PERF_KILLS", "200"), ("PERF_DURATION_SECS", "100")]);
    assert_eq!(settings.kills, Some(200));
    let (settings, _) = adjusted(adjust, &[("PERF_DURATION_SECS", "0.5")]);
    assert_eq!(settings.kills, Some(1));
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
