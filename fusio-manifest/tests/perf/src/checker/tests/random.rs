//! No right history is flagged, and one corruption of a right history always is.

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    super::{ViolationKind, check},
    assert_good, bytes,
    simulated::{Simulated, choose, simulate},
};
use crate::history::{Operation, OperationKind, Outcome, Read, Row};

fn simulated(seed: u64) -> (Simulated, bool) {
    let unknown = seed % 2 == 1;
    let rate = if unknown {
        0.05 * (1 + seed / 2 % 8) as f64
    } else {
        0.0
    };
    (
        simulate(
            seed,
            2 + (seed % 5) as usize,
            100 + (seed % 7) as usize * 60,
            rate,
        ),
        unknown,
    )
}

#[test]
fn right_histories_are_never_flagged() {
    let (mut decided, mut with_unknown, mut placed) = (0, 0, 0);
    for seed in 0..1_000 {
        let (simulated, unknown) = simulated(seed);
        let verdict = check(&simulated.history, Some(&simulated.final_state));
        assert!(verdict.passed(), "seed {seed}: {verdict}");
        assert!(
            verdict.unknown_applied <= simulated.unknown_applied,
            "seed {seed}: {verdict}"
        );
        assert!(
            simulated.unknown_applied <= verdict.unknown_applied + verdict.unknown_open,
            "seed {seed}: {verdict}"
        );
        assert!(
            check(&simulated.history, None).passed(),
            "seed {seed}, without a final state"
        );
        // A client that never got to send anything leaves an unknown commit even in these.
        if !unknown && verdict.unknown_open == 0 {
            assert!(verdict.strictly_serializable(), "seed {seed}: {verdict}");
        }
        with_unknown += u64::from(verdict.unknown > 0);
        decided += u64::from(verdict.unknown > 0 && verdict.strictly_serializable());
        placed += verdict.unknown_applied;
    }
    assert!(
        with_unknown > 400 && placed > 1_000,
        "{with_unknown} histories with unknowns, {placed} placed"
    );
    assert!(
        decided * 2 > with_unknown,
        "only {decided} of {with_unknown} were decided"
    );
}

/// The corruptions that are detected in every history, whatever is unknown in it.
const ALWAYS: [Corruption; 6] = [
    unwritten_value,
    failed_value_read,
    doubled_number,
    final_too_old,
    old_snapshot,
    final_unwritten,
];

/// The corruptions that are detected in every history without unknown commits.
const WITHOUT_UNKNOWN: [Corruption; 8] = [
    old_value,
    present_becomes_absent,
    absent_becomes_present,
    forgotten_commit,
    row_lost,
    final_entry_lost,
    final_entry_old,
    late_commit_point,
];

/// Changes one thing; `None` if the history has nothing of the sort.
type Corruption = fn(&mut Simulated, &mut StdRng) -> Option<()>;

fn always_flagged(corruptions: &[Corruption], unknown: bool) {
    for (number, corruption) in corruptions.iter().enumerate() {
        let mut tried = 0;
        for seed in 0..300 {
            let (mut simulated, has_unknown) = simulated(seed);
            if has_unknown != unknown {
                continue;
            }
            if !unknown {
                // Commits that were under way at the end were never sent.
                simulated
                    .history
                    .operations
                    .retain(|operation| !operation.is_unknown_commit());
            }
            assert_good(&check(&simulated.history, Some(&simulated.final_state)));
            if corruption(&mut simulated, &mut StdRng::seed_from_u64(seed)).is_some() {
                tried += 1;
                let verdict = check(&simulated.history, Some(&simulated.final_state));
                assert!(!verdict.passed(), "seed {seed}, corruption {number} was not seen");
            }
        }
        assert!(tried > 50, "corruption {number} was tried only {tried} times");
    }
}

#[test]
fn one_corruption_is_always_flagged() {
    always_flagged(&ALWAYS, false);
    always_flagged(&WITHOUT_UNKNOWN, false);
}

#[test]
fn some_corruptions_are_flagged_whatever_is_unknown() {
    always_flagged(&ALWAYS, true);
}

/// Replaces the value of the first point read for which there is another one.
fn change_point(
    simulated: &mut Simulated,
    random: &mut StdRng,
    other: impl Fn(
        &[std::collections::BTreeMap<Bytes, Bytes>],
        u64,
        &Bytes,
        Option<&Bytes>,
    ) -> Option<Option<Bytes>>,
) -> Option<()> {
    let Simulated { history, states, .. } = simulated;
    let change = |operation: &Operation| {
        let snapshot = operation.snapshot()?;
        operation
            .reads
            .iter()
            .enumerate()
            .find_map(|(place, read)| match read {
                Read::Point { key, value } => Some((place, other(states, snapshot, key, value.as_ref())?)),
                Read::Range { .. } => None,
            })
    };
    let operation = choose(history, random, |operation| change(operation).is_some())?;
    let (place, new) = change(operation)?;
    if let Read::Point { value, .. } = &mut operation.reads[place] {
        *value = new;
    }
    Some(())
}

fn unwritten_value(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    change_point(simulated, random, |_, _, _, _| {
        Some(Some(bytes("nobody wrote this")))
    })
}

fn failed_value_read(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    let failed: Vec<_> = simulated
        .history
        .operations
        .iter()
        .filter(|operation| matches!(operation.outcome, Outcome::Failed { .. }))
        .flat_map(|operation| operation.writes.clone())
        .collect();
    change_point(simulated, random, |_, _, key, _| {
        failed
            .iter()
            .find(|write| write.key == key && write.value.is_some())
            .map(|write| write.value.clone())
    })
}

fn doubled_number(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    let numbers: Vec<_> = simulated
        .history
        .operations
        .iter()
        .filter_map(Operation::txn)
        .collect();
    let operation = choose(&mut simulated.history, random, |operation| {
        operation.txn().is_some()
    })?;
    let Outcome::Ok { txn: Some(txn), .. } = &mut operation.outcome else {
        return None;
    };
    *txn = numbers.into_iter().find(|number| number != txn)?;
    Some(())
}

fn final_too_old(simulated: &mut Simulated, _: &mut StdRng) -> Option<()> {
    let last = simulated
        .history
        .operations
        .iter()
        .filter_map(Operation::txn)
        .max()?;
    simulated.final_state.txn = last - 1;
    simulated.final_state.entries = simulated.states[usize::try_from(last).unwrap() - 1].clone();
    Some(())
}

/// A read shows a right state, but one from before a commit that was acknowledged when it began.
fn old_snapshot(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    let Simulated { history, states, .. } = simulated;
    let acknowledged: Vec<_> = history
        .operations
        .iter()
        .filter_map(|operation| Some((operation.completed?, operation.txn()?)))
        .collect();
    let known = |operation: &Operation| {
        acknowledged
            .iter()
            .filter(|(time, _)| *time < operation.invoked)
            .map(|(_, txn)| *txn)
            .max()
    };
    let fresh = |operation: &Operation| {
        let ok = matches!(operation.outcome, Outcome::Ok { .. });
        ok && operation.kind == OperationKind::Read && known(operation).is_some()
    };
    let operation = choose(history, random, fresh)?;
    let old = known(operation)? - 1;
    operation.outcome = Outcome::Ok {
        snapshot: old,
        txn: None,
    };
    let state = &states[usize::try_from(old).unwrap()];
    for read in &mut operation.reads {
        match read {
            Read::Point { key, value } => *value = state.get(key).cloned(),
            Read::Range { from, to, rows } => {
                let now = state.range(from.clone()..to.clone().unwrap());
                *rows = now
                    .map(|(key, value)| Row {
                        key: key.clone(),
                        value: value.clone(),
                    })
                    .collect();
            }
        }
    }
    Some(())
}

fn old_value(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    change_point(simulated, random, |states, snapshot, key, value| {
        let older = states[..usize::try_from(snapshot).unwrap()]
            .iter()
            .filter_map(|state| state.get(key));
        older
            .filter(|older| Some(*older) != value)
            .last()
            .map(|older| Some(older.clone()))
    })
}

fn present_becomes_absent(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    change_point(simulated, random, |_, _, _, value| value.map(|_| None))
}

fn absent_becomes_present(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    change_point(simulated, random, |states, _, key, value| match value {
        Some(_) => None,
        None => states
            .iter()
            .find_map(|state| state.get(key))
            .map(|other| Some(other.clone())),
    })
}

fn forgotten_commit(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    let id = choose(&mut simulated.history, random, |operation| {
        operation.txn().is_some()
    })?
    .id;
    simulated
        .history
        .operations
        .retain(|operation| operation.id != id);
    Some(())
}

fn row_lost(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    let full = |read: &Read| matches!(read, Read::Range { rows, .. } if !rows.is_empty());
    let wanted = |operation: &Operation| operation.snapshot().is_some() && operation.reads.iter().any(full);
    let operation = choose(&mut simulated.history, random, wanted)?;
    if let Some(Read::Range { rows, .. }) = operation.reads.iter_mut().find(|read| full(read)) {
        rows.remove(random.random_range(0..rows.len()));
    }
    Some(())
}

fn final_entry_lost(simulated: &mut Simulated, _: &mut StdRng) -> Option<()> {
    simulated.final_state.entries.pop_first().map(|_| ())
}

fn final_entry_old(simulated: &mut Simulated, _: &mut StdRng) -> Option<()> {
    let Simulated {
        final_state, states, ..
    } = simulated;
    for state in states.iter() {
        for (key, value) in state {
            if final_state.entries.get(key) != Some(value) {
                final_state.entries.insert(key.clone(), value.clone());
                return Some(());
            }
        }
    }
    None
}

fn final_unwritten(simulated: &mut Simulated, _: &mut StdRng) -> Option<()> {
    simulated
        .final_state
        .entries
        .insert(bytes("k3"), bytes("nobody wrote this"));
    Some(())
}

/// A transaction that failed because what it had read was overwritten is told that it is committed, last.
fn late_commit_point(simulated: &mut Simulated, random: &mut StdRng) -> Option<()> {
    let Simulated {
        history,
        states,
        final_state,
        ..
    } = simulated;
    let now = states.last()?;
    let overwritten = |operation: &Operation| {
        let changed = |read: &Read| match read {
            Read::Point { key, value } => now.get(key) != value.as_ref(),
            Read::Range { .. } => false,
        };
        matches!(operation.outcome, Outcome::Failed { snapshot: Some(_) })
            && operation.reads.iter().any(changed)
    };
    let operation = choose(history, random, overwritten)?;
    let txn = final_state.txn + 1;
    operation.outcome = Outcome::Ok {
        snapshot: operation.snapshot()?,
        txn: Some(txn),
    };
    final_state.txn = txn;
    for write in &operation.writes {
        match &write.value {
            Some(value) => final_state.entries.insert(write.key.clone(), value.clone()),
            None => final_state.entries.remove(&write.key),
        };
    }
    let verdict = check(history, Some(final_state));
    let expected = [
        ViolationKind::LostUpdate,
        ViolationKind::WriteSkew,
        ViolationKind::Phantom,
    ];
    assert!(
        verdict.counts.keys().any(|kind| expected.contains(kind)),
        "{verdict}"
    );
    Some(())
}
