//! Histories with commits of unknown outcome.

use super::{super::violation::ViolationKind, Run, assert_good, assert_kinds, state};
use crate::history::Outcome;

#[test]
fn an_unknown_commit_may_be_applied_or_not() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.unknown((2, 3)).put("a", "u");
    let not_applied = run.check(Some(&state(1, &[("a", "1")])));
    assert!(not_applied.strictly_serializable(), "{not_applied}");
    assert_eq!(
        (
            not_applied.unknown,
            not_applied.unknown_applied,
            not_applied.unknown_open
        ),
        (1, 0, 0)
    );
    let applied = run.check(Some(&state(2, &[("a", "u")])));
    assert!(applied.strictly_serializable(), "{applied}");
    assert_eq!(
        (applied.unknown, applied.unknown_applied, applied.unknown_open),
        (1, 1, 0)
    );
}

#[test]
fn one_that_fills_a_hole_is_replayed_there() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.unknown((2, 3)).put("a", "u");
    run.commit((4, 5), 1, 3).put("b", "3");
    assert!(
        run.check(Some(&state(3, &[("a", "u"), ("b", "3")])))
            .strictly_serializable()
    );
    // Nobody saw it, and yet the hole proves it: so it is lost.
    let last = state(3, &[("a", "1"), ("b", "3")]);
    let verdict = run.check(Some(&last));
    assert!(!verdict.passed(), "{verdict}");
}

#[test]
fn one_may_land_long_after_its_caller_gave_up() {
    let mut run = Run::default();
    run.unknown((0, 1)).put("a", "u");
    run.commit((2, 3), 0, 1).put("a", "1");
    run.read((4, 5), 1).saw("a", "1");
    run.read((6, 7), 2).saw("a", "u");
    assert!(run.check(None).strictly_serializable());
}

#[test]
fn one_that_is_seen_again_after_it_was_overwritten_is_applied_twice() {
    let mut run = Run::default();
    run.unknown((0, 1)).put("a", "u");
    run.read((2, 3), 1).saw("a", "u");
    run.commit((4, 5), 1, 2).put("a", "2");
    run.read((6, 7), 3).saw("a", "u");
    // Another one leaves room for two, so that only the reads prove it.
    run.unknown((0, 1)).put("z", "other");
    assert!(
        run.check(None)
            .counts
            .contains_key(&ViolationKind::DuplicateCommit)
    );
}

#[test]
fn one_cannot_fill_two_holes() {
    let mut run = Run::default();
    run.unknown((0, 1)).put("a", "u");
    run.commit((2, 3), 0, 3).put("a", "3");
    assert_kinds(&run.check(None), &[ViolationKind::ForeignCommit]);
}

#[test]
fn one_cannot_fill_a_hole_that_is_older_than_itself() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 2).put("a", "2");
    run.unknown((2, 3)).put("b", "u");
    assert_kinds(&run.check(None), &[ViolationKind::ForeignCommit]);
}

#[test]
fn one_that_is_seen_needs_a_number() {
    let mut run = Run::default();
    run.commit((0, 9), 0, 1).put("a", "1");
    run.unknown((0, 9)).put("b", "u");
    run.read((2, 3), 1).saw("b", "u");
    assert_kinds(&run.check(None), &[ViolationKind::DirtyRead]);
}

#[test]
fn one_is_not_seen_before_it_began() {
    let mut run = Run::default();
    run.read((0, 1), 1).saw("a", "u");
    run.unknown((2, 3)).put("a", "u");
    assert!(!run.check(None).passed());
}

#[test]
fn one_that_was_seen_stays() {
    let mut run = Run::default();
    run.unknown((0, 1)).put("a", "u");
    run.read((2, 3), 1).saw("a", "u");
    run.commit((4, 5), 1, 2).put("b", "2");
    let last = state(2, &[("b", "2")]);
    assert_kinds(&run.check(Some(&last)), &[ViolationKind::LostWrite]);
}

#[test]
fn the_reads_of_one_that_is_applied_are_certified_too() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    let unknown = run.unknown((2, 9)).saw("a", "1").put("b", "u");
    unknown.outcome = Outcome::Unknown { snapshot: Some(1) };
    run.commit((2, 3), 1, 2).put("a", "2");
    assert!(!run.check(Some(&state(3, &[("a", "2"), ("b", "u")]))).passed());
    assert!(run.check(Some(&state(2, &[("a", "2")]))).strictly_serializable());
}

#[test]
fn a_delete_of_unknown_outcome_explains_an_absence() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.unknown((2, 3)).put("a", "");
    assert!(run.check(Some(&state(2, &[]))).strictly_serializable());
    assert_kinds(&run.check(Some(&state(1, &[]))), &[ViolationKind::LostWrite]);
}

#[test]
fn order_among_unknown_ones_that_no_read_tells_stays_open_without_alarm() {
    let mut run = Run::default();
    run.unknown((0, 1)).put("a", "u");
    run.unknown((0, 1)).put("b", "v");
    let apart = run.check(Some(&state(2, &[("a", "u"), ("b", "v")])));
    assert!(
        apart.strictly_serializable(),
        "their order matters to nobody: {apart}"
    );
    assert_eq!(apart.unknown_open, 2);
    run.unknown((0, 1)).put("a", "w");
    let together = run.check(Some(&state(3, &[("a", "u"), ("b", "v")])));
    assert_good(&together);
    assert!(together.left_open > 0 && !together.strictly_serializable());
}

#[test]
fn one_in_a_scan_is_seen() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.unknown((2, 3)).put("b", "u");
    run.read((4, 5), 2).scanned("", "", &[("a", "1"), ("b", "u")]);
    assert!(run.check(None).strictly_serializable());
    run.read((4, 5), 2).scanned("", "c", &[("a", "1")]);
    assert!(!run.check(None).passed());
}

#[test]
fn a_long_chain_of_unknown_ones_is_decided() {
    let mut run = Run::default();
    for number in 0..1_000 {
        run.unknown((number * 10, number * 10 + 1))
            .put(&format!("k{number}"), "u");
        run.commit((number * 10 + 2, number * 10 + 3), number * 2, number * 2 + 2)
            .put("a", &number.to_string());
    }
    let verdict = run.check(None);
    assert!(verdict.strictly_serializable(), "{verdict}");
    assert_eq!((verdict.unknown_applied, verdict.unknown_open), (1_000, 0));
}
