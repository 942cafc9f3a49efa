//! Histories of lists, which the oracle judges too: it and the checker agree on each, though it is told no numbers.

use fusio_manifest::Mutant;

use super::{super::violation::ViolationKind, Run, bytes, state};
use crate::{
    case::{Case, Played},
    checker::check,
    fault::FaultPlan,
    history::{History, Outcome, Read, State},
    oracle,
    run::{Crew, ReaderTask, WriterTask},
};

/// What the oracle and the checker each call a history that is wrong.
struct Bad {
    oracle: &'static str,
    checker: ViolationKind,
    run: Run,
}

fn bad(oracle: &'static str, checker: ViolationKind, record: impl FnOnce(&mut Run)) -> Bad {
    let mut run = Run::default();
    record(&mut run);
    Bad { oracle, checker, run }
}

const A: &str = "list_a";
const B: &str = "list_b";

fn bad_histories() -> Vec<Bad> {
    vec![
        bad("G0", ViolationKind::UnwrittenValue, |run| {
            run.commit((0, 9), 0, 1).put(A, "1").put(B, "10");
            run.commit((0, 9), 1, 2).put(A, "1,2").put(B, "20");
            // The second list came about in the other order.
            run.read((10, 11), 2).saw(A, "1,2").saw(B, "20,10");
        }),
        bad("G1a", ViolationKind::DirtyRead, |run| {
            run.failed((0, 1), 0).put(A, "1");
            run.read((2, 3), 0).saw(A, "1");
        }),
        bad("G1c", ViolationKind::FutureRead, |run| {
            run.commit((0, 9), 0, 1).saw(B, "2").put(A, "1");
            run.commit((0, 9), 1, 2).saw(A, "1").put(B, "2");
        }),
        bad("G-single-item", ViolationKind::TornRead, |run| {
            run.commit((0, 1), 0, 1)
                .saw(A, "")
                .saw(B, "")
                .put(A, "1")
                .put(B, "10");
            run.commit((2, 9), 1, 2)
                .saw(A, "1")
                .saw(B, "10")
                .put(A, "1,2")
                .put(B, "10,20");
            run.read((2, 9), 2).saw(A, "1,2").saw(B, "10");
            run.read((2, 9), 2).saw(B, "10,20");
        }),
        bad("G2-item", ViolationKind::WriteSkew, |run| {
            run.commit((0, 9), 0, 1).saw(A, "").saw(B, "").put(A, "1");
            run.commit((0, 9), 0, 2).saw(A, "").saw(B, "").put(B, "10");
            run.read((10, 11), 2).saw(A, "1").saw(B, "10");
        }),
        bad("lost-update", ViolationKind::LostUpdate, |run| {
            run.commit((0, 1), 0, 1).saw(A, "").put(A, "1");
            run.commit((2, 9), 1, 2).saw(A, "1").put(A, "1,2");
            run.commit((2, 9), 1, 3).saw(A, "1").put(A, "1,3");
        }),
        bad("G-single-item-realtime", ViolationKind::StaleRead, |run| {
            run.commit((0, 1), 0, 1).saw(A, "").put(A, "1");
            run.commit((2, 3), 1, 2).saw(A, "1").put(A, "1,2");
            run.read((4, 5), 1).saw(A, "1");
            run.read((4, 5), 2).saw(A, "1,2");
        }),
        bad("duplicate-elements", ViolationKind::UnwrittenValue, |run| {
            run.commit((0, 1), 0, 1).saw(A, "").put(A, "1");
            run.read((2, 3), 1).saw(A, "1,1");
        }),
    ]
}

#[test]
fn both_flag_what_is_wrong_each_by_its_name() {
    for bad in bad_histories() {
        let verdict = bad.run.check(None);
        assert!(
            verdict.counts.contains_key(&bad.checker),
            "{}: {verdict}",
            bad.oracle
        );
        let opinion = oracle::judge(&bad.run.history, None).unwrap();
        assert!(
            opinion.anomalies.iter().any(|anomaly| anomaly == bad.oracle),
            "{}: {opinion:?}",
            bad.oracle
        );
    }
}

#[test]
fn both_pass_what_is_right() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).saw(A, "").put(A, "1");
    // Unknown, and it landed.
    run.unknown((2, 3)).saw(A, "1").put(A, "1,2");
    // Unknown, and it did not.
    run.unknown((2, 3)).put(B, "10");
    run.conflict((2, 3), 1).saw(A, "1").put(A, "1,4");
    run.commit((4, 5), 2, 3).saw(A, "1,2").put(A, "1,2,3");
    run.read((6, 7), 3).scanned("list_", "list`", &[(A, "1,2,3")]);
    // Equal times are concurrent.
    run.read((5, 7), 2).saw(A, "1,2").saw(B, "");
    let last = state(3, &[(A, "1,2,3")]);
    let verdict = run.check(Some(&last));
    assert!(verdict.passed(), "{verdict}");
    let opinion = oracle::judge(&run.history, Some(&last)).unwrap();
    assert!(opinion.agrees() && opinion.informed, "{opinion:?}");
}

#[test]
fn a_value_that_is_no_list_is_an_error() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put(A, "one");
    let error = oracle::judge(&run.history, None).unwrap_err();
    assert!(error.contains("one is no list"), "{error}");
}

#[test]
fn without_lists_the_oracle_has_nothing_to_go_by() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    let opinion = oracle::judge(&run.history, None).unwrap();
    assert_eq!(opinion, oracle::Opinion::default());
}

/// A case of which every operation is one on lists.
fn of_lists(seed: u64, faults: &FaultPlan) -> Case {
    let drawn = Case::draw(seed);
    let writers = drawn.crew.writers.iter().map(|_| WriterTask::Append);
    let mut readers: Vec<_> = drawn.crew.readers.iter().map(|_| ReaderTask::Scan).collect();
    readers.push(ReaderTask::Scan);
    Case {
        crew: Crew {
            writers: writers.collect(),
            readers,
        },
        faults: faults.clone(),
        ..drawn
    }
}

fn opinion(played: &Played) -> oracle::Opinion {
    oracle::judge(&played.history, played.final_state.as_ref()).unwrap()
}

/// The history without a word of the engine's about order.
fn without_numbers(history: &History) -> History {
    let mut history = history.clone();
    for operation in &mut history.operations {
        operation.outcome = match operation.outcome {
            Outcome::Ok { txn, .. } => Outcome::Ok {
                snapshot: 0,
                txn: txn.map(|_| 0),
            },
            Outcome::Failed { .. } => Outcome::Failed { snapshot: None },
            Outcome::Conflict { .. } => Outcome::Conflict { snapshot: 0 },
            Outcome::Unknown { .. } => Outcome::Unknown { snapshot: None },
        };
    }
    history
}

#[test]
fn both_pass_the_engine_and_the_oracle_needs_no_numbers() {
    let (mut lists, mut unknown) = (0, 0);
    for seed in 0..60 {
        let case = of_lists(seed, &Case::draw(seed).faults);
        let played = case.play(None);
        assert!(played.passed(), "{case}: {:?}", played.problems);
        let told = opinion(&played);
        let blind = oracle::judge(&without_numbers(&played.history), played.final_state.as_ref());
        assert_eq!(blind.unwrap(), told, "{case}");
        lists += told.transactions;
        unknown += played.tally.unknown;
    }
    assert!(
        lists > 3_000 && unknown > 20,
        "{lists} transactions, {unknown} unknown"
    );
}

#[test]
fn what_the_oracle_flags_the_checker_flags() {
    let mut flagged = 0;
    for mutant in [
        Mutant::SkipKeyValidation,
        Mutant::ReadCached,
        Mutant::SkipOwnIdCheck,
        Mutant::SpillLeavesOutLast,
    ] {
        for seed in 0..25 {
            let case = of_lists(seed, &Case::draw(seed).faults);
            let played = case.play(Some(mutant));
            let told = opinion(&played);
            let verdict = check(&played.history, played.final_state.as_ref());
            assert!(
                told.agrees() || !verdict.passed(),
                "{mutant:?}, {case}: only the oracle flags it: {told:?}"
            );
            flagged += u64::from(!told.agrees());
        }
    }
    assert!(flagged > 25, "{flagged}");
}

/// A list in one read of the history, and what stands there; the last that has at least two elements.
fn a_read_of_two(history: &mut History) -> Option<&mut Read> {
    let answered = |outcome: &Outcome| matches!(outcome, Outcome::Ok { txn: None, .. });
    let reads = history
        .operations
        .iter_mut()
        .filter(|operation| answered(&operation.outcome))
        .flat_map(|operation| &mut operation.reads);
    reads
        .filter(|read| match read {
            Read::Range { rows, .. } => rows.iter().any(|row| row.value.contains(&b',')),
            Read::Point { .. } => false,
        })
        .last()
}

/// Another list in the place of one.
type Corruption = fn(&str) -> String;

#[test]
fn both_flag_one_list_that_is_corrupted() {
    let corruptions: [(&str, Corruption); 3] = [
        ("an element is missing", |list| {
            list.split_once(',')
                .map_or_else(String::new, |(_, rest)| rest.to_owned())
        }),
        ("two elements are swapped", |list| {
            let mut elements: Vec<&str> = list.split(',').collect();
            elements.swap(0, 1);
            elements.join(",")
        }),
        ("an element is there twice", |list| format!("{list},{list}")),
    ];
    for (what, corrupt) in corruptions {
        let mut tried = 0;
        for seed in 0..30 {
            let mut played = of_lists(seed, &FaultPlan::default()).play(None);
            let Some(Read::Range { rows, .. }) = a_read_of_two(&mut played.history) else {
                continue;
            };
            let row = rows.iter_mut().find(|row| row.value.contains(&b',')).unwrap();
            let list = std::str::from_utf8(&row.value).unwrap();
            row.value = bytes(&corrupt(list));
            tried += 1;
            let final_state: Option<&State> = played.final_state.as_ref();
            let verdict = check(&played.history, final_state);
            assert!(
                !verdict.passed(),
                "seed {seed}: {what}, and the checker passes it"
            );
            let told = opinion(&played);
            assert!(!told.agrees(), "seed {seed}: {what}, and the oracle passes it");
        }
        assert!(tried > 15, "{what}: {tried}");
    }
}
