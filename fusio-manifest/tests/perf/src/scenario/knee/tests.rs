use super::*;
use crate::scenario::tests::simulated;

#[test]
fn a_shared_handle_sustains_more_than_handles_that_fight() {
    let vars = [
        ("PERF_DURATION_SECS", "15"),
        ("PERF_NUM_READERS", "0"),
        ("PERF_ARRIVALS", "poisson"),
    ];
    simulated(&vars, async |context| {
        let own = find(context, 4, false).await.unwrap();
        let shared = find(context, 4, true).await.unwrap();
        for found in [&own, &shared] {
            assert!(
                found.judgement.failures.is_empty(),
                "{:?}",
                found.judgement.failures
            );
            assert!(found.invalid.is_empty(), "{:?}", found.invalid);
            let point = &found.point;
            let (low, high) = (point.low.unwrap(), point.high.unwrap());
            assert!(low < high && high / low < 1.06, "{point:?}");
            assert!(
                point.p99_ms.unwrap() <= 1_000.0 && point.limited_by.is_some(),
                "{point:?}"
            );
        }
        // HEAD is replaced about 16 times a second, whoever does it; a shared handle puts several commits into one.
        let (own, shared) = (own.point.low.unwrap(), shared.point.low.unwrap());
        assert!((4.0..=17.0).contains(&own), "{own}");
        assert!(shared > 1.5 * own, "{shared} {own}");
    });
}

#[test]
fn writers_beside_each_other_measure_and_close_once() {
    let vars = [("PERF_DURATION_SECS", "10"), ("PERF_NUM_READERS", "0")];
    simulated(&vars, async |context| {
        let (config, outcome) = offer(context, (4, true), 8.0, 1).await.unwrap();
        let cell = context.summarize(&config, &outcome);
        assert_eq!((cell.detail.writes, cell.detail.dropped()), (80, 0));
        assert!(
            cell.detail.requests_per_commit_total.unwrap() <= 1.0,
            "{:?}",
            cell.detail
        );
    });
}
