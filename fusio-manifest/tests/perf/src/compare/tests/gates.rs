use super::{
    super::gate::{Gated, Order, judge},
    *,
};

/// So many repeats whose read percentiles are these, all else alike.
fn repeats(reads: &[f64]) -> Vec<Columns> {
    (reads.iter())
        .map(|ms| Columns {
            read_p50_ms: Some(*ms),
            read_p99_ms: Some(*ms * 4.0),
            ..row().columns
        })
        .collect()
}

const USUAL: [f64; 6] = [27.0, 27.3, 26.8, 27.1, 26.9, 27.2];

fn gated(old: &[f64], new: &[f64], order: Order) -> Gated {
    let gate = judge(&repeats(old), &repeats(new), order);
    let mut lines = gate
        .lines
        .iter()
        .filter(|line| line.metric == Metric::Read(Percentile::P50));
    let gated = lines.next().unwrap().gated;
    let fails = matches!(gated, Gated::Regression | Gated::TooFew);
    assert_eq!(gate.failures().is_empty(), !fails, "{:?}", gate.failures());
    gated
}

#[test]
fn a_regression_is_beyond_chance_and_beyond_what_halves_differ_by() {
    let by = |factor: f64| USUAL.map(|ms| ms * factor);
    assert_eq!(gated(&USUAL, &USUAL, Order::ByTurns), Gated::Within);
    // Separate in their ranks, but by less than anybody cares about.
    assert_eq!(gated(&USUAL, &by(1.025), Order::ByTurns), Gated::Within);
    assert_eq!(gated(&USUAL, &by(1.06), Order::ByTurns), Gated::Regression);
    assert_eq!(gated(&USUAL, &by(0.94), Order::ByTurns), Gated::Better);
    // Far apart at the median, but one in two repeats of either side is slow.
    let mixed = [27.0, 60.0, 26.8, 60.5, 26.9, 61.0];
    let slow = [61.2, 27.5, 61.5, 61.7, 27.4, 61.9];
    assert_eq!(gated(&mixed, &slow, Order::ByTurns), Gated::Within);
}

#[test]
fn what_was_not_measured_by_turns_must_exceed_what_the_machine_adds() {
    let slower = USUAL.map(|ms| ms * 1.05);
    assert_eq!(gated(&USUAL, &slower, Order::ByTurns), Gated::Regression);
    let apart = Order::Apart(Machine::of_store("embedded"));
    assert_eq!(gated(&USUAL, &slower, apart), Gated::Within);
    assert_eq!(
        gated(&USUAL, &USUAL.map(|ms| ms * 1.15), apart),
        Gated::Regression
    );
}

#[test]
fn too_few_repeats_fail_rather_than_pass() {
    let five = [27.0, 27.3, 26.8, 27.1, 26.9];
    assert_eq!(gated(&five, &USUAL, Order::ByTurns), Gated::TooFew);
    // Of 60 numbers 6 and 6 repeats cannot tell: the clearest outcome is more likely than 1 % / 60.
    let many = |factor: f64| -> Vec<Columns> {
        (0..15)
            .flat_map(|cell| {
                repeats(&USUAL.map(|ms| ms * factor))
                    .into_iter()
                    .map(move |columns| Columns {
                        config_label: format!("w{cell}"),
                        ..columns
                    })
            })
            .collect()
    };
    let gate = judge(&many(1.0), &many(2.0), Order::ByTurns);
    assert_eq!(gate.lines.len(), 60);
    assert!(
        gate.lines.iter().all(|line| line.gated == Gated::TooFew),
        "{gate:?}"
    );
}

#[test]
fn runs_by_turns_go_through_the_gate_and_counts_must_grow_in_most_of_them() {
    let run = |ms: f64, requests: f64| {
        let mut run = recording();
        (run.rows[0].columns.read_p50_ms, run.rows[0].columns.read_p99_ms) = (Some(ms), Some(ms * 4.0));
        detail(&mut run.rows[0]).requests_per_read = Some(requests);
        run
    };
    let side = |factor: f64, grown: usize| -> Vec<Recording> {
        let runs = USUAL.iter().enumerate();
        runs.map(|(turn, ms)| run(ms * factor, if turn < grown { 1.5 } else { 1.0 }))
            .collect()
    };
    let failures = |new: &[Recording]| turns::hold(&side(1.0, 0), new, false).unwrap().failures;
    assert_eq!(failures(&side(1.0, 3)), Vec::<String>::new());
    assert_eq!(
        failures(&side(1.0, 4)),
        ["w1_r0.1: requests_per_read grew in 4 of 6 turns"]
    );
    let slower = failures(&side(1.15, 0));
    assert_eq!(slower.len(), 2, "{slower:?}");
    assert!(
        slower[0].contains("read_p50_ms went from 27.1 to 31.1 (+15.0%)"),
        "{slower:?}"
    );
    let one = |new| turns::hold(&[run(27.0, 1.0)], &[new], false).unwrap().failures;
    assert!(one(run(60.0, 1.0)).is_empty() && one(run(27.0, 2.0)).len() == 1);
    let error = turns::hold(&side(1.0, 0)[..5], &side(1.0, 0), false).unwrap_err();
    assert!(error.starts_with("5 runs against 6: "), "{error}");
}
