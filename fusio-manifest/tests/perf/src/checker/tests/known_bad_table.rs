//! The anomalies that the literature names, each in the smallest history that shows it: each is caught, and called by
//! its name. `every_anomaly_is_caught_and_named` prints the table with `--nocapture`.

use super::{super::violation::ViolationKind, Run, state};
use crate::history::State;

/// An anomaly by its usual name, a history that shows it, what a new handle then finds, and what the checker calls it.
struct Row {
    anomaly: &'static str,
    run: Run,
    final_state: Option<State>,
    kind: ViolationKind,
}

fn row(
    anomaly: &'static str,
    kind: ViolationKind,
    final_state: Option<State>,
    record: impl FnOnce(&mut Run),
) -> Row {
    let mut run = Run::default();
    record(&mut run);
    Row {
        anomaly,
        run,
        final_state,
        kind,
    }
}

/// Two keys, written by commit 1.
fn two_keys(run: &mut Run) {
    run.commit((0, 1), 0, 1).put("a", "1").put("b", "1");
}

/// Those of Adya's that are about reads and writes of single versions.
fn dirty_and_circular() -> Vec<Row> {
    vec![
        row(
            "G0: writes of two commits interleave",
            ViolationKind::LostWrite,
            Some(state(2, &[("a", "2"), ("b", "1")])),
            |run| {
                two_keys(run);
                run.commit((0, 3), 0, 2).put("a", "2").put("b", "2");
            },
        ),
        row("G1a: aborted read", ViolationKind::DirtyRead, None, |run| {
            run.failed((0, 1), 0).put("a", "1");
            run.read((2, 3), 0).saw("a", "1");
        }),
        row(
            "G1b: intermediate read",
            ViolationKind::IntermediateRead,
            None,
            |run| {
                run.commit((0, 1), 0, 1).put("a", "1").put("a", "2");
                run.read((2, 3), 1).saw("a", "1");
            },
        ),
        row(
            "G1c: circular information flow",
            ViolationKind::FutureRead,
            None,
            |run| {
                run.commit((0, 9), 0, 1).saw("b", "2").put("a", "1");
                run.commit((0, 9), 1, 2).saw("a", "1").put("b", "2");
            },
        ),
        row("G-single: read skew", ViolationKind::TornRead, None, |run| {
            two_keys(run);
            run.commit((2, 9), 1, 2).put("a", "2").put("b", "2");
            run.read((3, 9), 2).saw("a", "2").saw("b", "1");
            run.read((3, 9), 2).saw("b", "2");
        }),
        row(
            "G2-item: three in a circle",
            ViolationKind::WriteSkew,
            None,
            |run| {
                run.commit((0, 1), 0, 1).put("a", "1").put("b", "1").put("c", "1");
                run.commit((2, 9), 1, 2).saw("b", "1").put("a", "2");
                run.commit((2, 9), 1, 3).saw("c", "1").put("b", "3");
                run.commit((2, 9), 1, 4).saw("a", "1").put("c", "4");
            },
        ),
        row("G2: phantom", ViolationKind::Phantom, None, |run| {
            two_keys(run);
            run.commit((2, 9), 1, 2).put("ab", "2");
            run.commit((2, 9), 1, 3)
                .scanned("a", "b", &[("a", "1")])
                .put("z", "3");
        }),
        row("lost update", ViolationKind::LostUpdate, None, |run| {
            two_keys(run);
            run.commit((2, 9), 1, 2).saw("a", "1").put("a", "2");
            run.commit((2, 9), 1, 3).saw("a", "1").put("a", "3");
        }),
        row("write skew", ViolationKind::WriteSkew, None, |run| {
            two_keys(run);
            run.commit((2, 9), 1, 2).saw("a", "1").saw("b", "1").put("b", "2");
            run.commit((2, 9), 1, 3).saw("a", "1").saw("b", "1").put("a", "3");
        }),
    ]
}

/// Those that real time shows, or that no database may ever show.
fn late_doubled_and_lost() -> Vec<Row> {
    vec![
        row("stale read", ViolationKind::StaleRead, None, |run| {
            two_keys(run);
            run.commit((2, 3), 1, 2).put("a", "2");
            run.read((4, 5), 1).saw("a", "1");
        }),
        row(
            "non-monotonic read",
            ViolationKind::NonMonotonicRead,
            None,
            |run| {
                two_keys(run);
                run.commit((2, 9), 1, 2).put("a", "2");
                run.read((3, 4), 2).saw("a", "2");
                run.read((5, 6), 1).saw("a", "1");
            },
        ),
        row("real-time violation", ViolationKind::RealTimeOrder, None, |run| {
            run.commit((0, 1), 0, 2).put("a", "2");
            run.commit((2, 3), 0, 1).put("b", "1");
        }),
        row("duplicate commit", ViolationKind::DuplicateCommit, None, |run| {
            two_keys(run);
            run.commit((2, 3), 1, 2).put("a", "2");
            run.commit((4, 5), 2, 3).put("a", "2");
        }),
        row("unwritten value", ViolationKind::UnwrittenValue, None, |run| {
            two_keys(run);
            run.read((2, 3), 1).saw("a", "7");
        }),
        row(
            "resurrected delete",
            ViolationKind::ResurrectedDelete,
            Some(state(2, &[("a", "1"), ("b", "1")])),
            |run| {
                two_keys(run);
                run.commit((2, 3), 1, 2).put("a", "");
            },
        ),
        row(
            "lost write",
            ViolationKind::LostWrite,
            Some(state(2, &[("a", "1"), ("b", "1")])),
            |run| {
                two_keys(run);
                run.commit((2, 3), 1, 2).put("a", "2");
            },
        ),
    ]
}

#[test]
fn every_anomaly_is_caught_and_named() {
    println!("| anomaly | named | operations in the counterexample |\n|---|---|---|");
    for row in dirty_and_circular().into_iter().chain(late_doubled_and_lost()) {
        let verdict = row.run.check(row.final_state.as_ref());
        let named = verdict
            .violations
            .iter()
            .find(|violation| violation.kind == row.kind);
        let named = named.unwrap_or_else(|| panic!("{}: {verdict}", row.anomaly));
        let lines = named.to_string().lines().count();
        assert!(
            lines <= 5 && named.operations.len() <= 3,
            "{}: too long to read: {named}",
            row.anomaly
        );
        println!(
            "| {} | {:?} | {} |",
            row.anomaly,
            row.kind,
            named.operations.len()
        );
        // Not drowned in other names.
        assert!(verdict.counts.len() <= 2, "{}: {verdict}", row.anomaly);
    }
}
