//! Histories without unknown outcomes.

use super::{
    super::{keys_monotonic, violation::ViolationKind},
    Run, assert_good, assert_kinds, state,
};
use crate::history::{ClientId, Outcome};

/// Two commits of one key, at 1 and 2.
fn two_commits() -> Run {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.commit((2, 3), 1, 2).put("a", "2");
    run
}

#[test]
fn a_right_history_is_strictly_serializable() {
    let mut run = two_commits();
    run.read((4, 5), 2)
        .saw("a", "2")
        .saw("b", "")
        .scanned("", "", &[("a", "2")]);
    let verdict = run.check(Some(&state(2, &[("a", "2")])));
    assert_good(&verdict);
    assert!(verdict.strictly_serializable() && verdict.final_state_checked);
    assert_eq!((verdict.commits, verdict.reads), (2, 3));
}

#[test]
fn a_commit_that_the_final_state_lacks_is_lost() {
    let run = two_commits();
    assert_kinds(
        &run.check(Some(&state(2, &[("a", "1")]))),
        &[ViolationKind::LostWrite],
    );
    assert_kinds(&run.check(Some(&state(2, &[]))), &[ViolationKind::LostWrite]);
}

#[test]
fn a_commit_that_no_read_shows_is_lost() {
    let mut run = two_commits();
    run.read((4, 5), 2).saw("a", "1");
    assert_kinds(&run.check(None), &[ViolationKind::LostWrite]);
}

#[test]
fn an_old_value_at_a_new_snapshot_is_stale() {
    let mut run = two_commits();
    run.read((4, 5), 2).saw("a", "1");
    run.read((6, 7), 2).saw("a", "2");
    assert_kinds(
        &run.check(Some(&state(2, &[("a", "2")]))),
        &[ViolationKind::StaleRead],
    );
}

#[test]
fn an_old_snapshot_after_an_acknowledgement_is_stale() {
    let mut run = two_commits();
    run.read((4, 5), 1).saw("a", "1");
    assert_kinds(&run.check(None), &[ViolationKind::StaleRead]);
}

#[test]
fn equal_times_are_concurrent() {
    let mut run = two_commits();
    run.read((3, 5), 1).saw("a", "1");
    assert_good(&run.check(None));
}

#[test]
fn one_number_told_twice_is_named() {
    let mut run = two_commits();
    run.commit((2, 3), 1, 2).put("b", "3");
    assert_kinds(&run.check(None), &[ViolationKind::DuplicateTxn]);
}

#[test]
fn one_write_at_two_numbers_is_a_duplicate_commit() {
    let mut run = two_commits();
    run.commit((4, 5), 2, 3).put("a", "1");
    assert!(
        run.check(None)
            .counts
            .contains_key(&ViolationKind::DuplicateCommit)
    );
}

#[test]
fn a_commit_that_is_applied_again_is_a_duplicate() {
    let mut run = two_commits();
    run.read((4, 5), 3).saw("a", "1");
    let verdict = run.check(None);
    assert_kinds(
        &verdict,
        &[ViolationKind::DuplicateCommit, ViolationKind::ForeignCommit],
    );
}

#[test]
fn a_number_that_nobody_holds_is_foreign() {
    let mut run = two_commits();
    run.commit((4, 5), 2, 4).put("a", "4");
    assert_kinds(&run.check(None), &[ViolationKind::ForeignCommit]);
    // One number beyond all reason must not be counted up to.
    run.commit((6, 7), 2, u64::MAX).put("a", "5");
    assert_kinds(&run.check(None), &[ViolationKind::ForeignCommit]);
}

#[test]
fn numbers_below_the_snapshot_are_impossible() {
    let mut run = two_commits();
    run.commit((2, 9), 3, 3).put("a", "3");
    assert_kinds(&run.check(None), &[ViolationKind::ImpossibleNumber]);
}

#[test]
fn a_value_that_nobody_wrote_is_named() {
    let mut run = two_commits();
    run.read((4, 5), 2).saw("a", "9");
    run.read((4, 5), 2).saw("never", "9");
    // A value that belongs to another key is as bad.
    run.read((4, 5), 2).saw("b", "2");
    let verdict = run.check(Some(&state(2, &[("a", "2"), ("c", "7")])));
    assert_kinds(&verdict, &[ViolationKind::UnwrittenValue]);
    assert_eq!(verdict.counts[&ViolationKind::UnwrittenValue], 4);
}

#[test]
fn a_failed_commit_never_appears() {
    let mut run = two_commits();
    run.failed((2, 3), 1).put("a", "failed");
    assert_good(&run.check(Some(&state(2, &[("a", "2")]))));
    let last = state(2, &[("a", "failed")]);
    assert_kinds(&run.check(Some(&last)), &[ViolationKind::FailedCommitVisible]);
    run.read((4, 5), 2).saw("a", "failed");
    assert_kinds(&run.check(None), &[ViolationKind::DirtyRead]);
}

#[test]
fn a_failed_transaction_may_see_an_old_state_but_only_one() {
    let mut run = two_commits();
    run.commit((4, 5), 2, 3).put("b", "3");
    run.failed((6, 7), 1).saw("a", "1").saw("b", "");
    assert_good(&run.check(None));
    run.failed((6, 7), 3).saw("a", "1").saw("b", "3");
    run.read((8, 9), 3).saw("a", "2");
    assert_kinds(&run.check(None), &[ViolationKind::TornRead]);
}

#[test]
fn half_of_a_commit_is_torn() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1").put("b", "1");
    run.commit((2, 3), 1, 2).put("a", "2").put("b", "2");
    run.read((4, 5), 2).saw("a", "2").saw("b", "1");
    let last = state(2, &[("a", "2"), ("b", "2")]);
    run.read((4, 5), 2).saw("b", "2");
    assert_kinds(&run.check(Some(&last)), &[ViolationKind::TornRead]);
}

#[test]
fn a_commit_later_than_the_snapshot_is_named() {
    let mut run = two_commits();
    run.read((2, 5), 1).saw("a", "2");
    assert_kinds(&run.check(None), &[ViolationKind::FutureRead]);
}

#[test]
fn an_overwritten_read_of_an_own_write_is_a_lost_update() {
    let mut run = two_commits();
    run.commit((2, 9), 1, 3).saw("a", "1").put("a", "3");
    assert_kinds(&run.check(None), &[ViolationKind::LostUpdate]);
}

#[test]
fn two_that_read_what_the_other_wrote_are_write_skew() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1").put("b", "1");
    run.commit((2, 9), 1, 2).saw("a", "1").put("b", "2");
    run.commit((2, 9), 1, 3).saw("b", "1").put("a", "3");
    assert_kinds(&run.check(None), &[ViolationKind::WriteSkew]);
}

#[test]
fn an_insert_or_a_delete_within_a_scanned_range_is_a_phantom() {
    for value in ["2", ""] {
        let mut run = Run::default();
        run.commit((0, 1), 0, 1).put("b", "1");
        run.commit((2, 9), 1, 2)
            .put(if value.is_empty() { "b" } else { "c" }, value);
        run.commit((2, 9), 1, 3)
            .scanned("a", "d", &[("b", "1")])
            .put("z", "3");
        assert_kinds(&run.check(None), &[ViolationKind::Phantom]);
    }
}

#[test]
fn a_write_outside_the_scanned_range_is_none() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("b", "1");
    run.commit((2, 9), 1, 2).put("d", "2");
    run.commit((2, 9), 1, 3)
        .scanned("a", "d", &[("b", "1")])
        .put("z", "3");
    run.commit((2, 9), 1, 4).scanned("c", "a", &[]).put("z", "4");
    assert_good(&run.check(None));
}

#[test]
fn an_absence_that_came_back_does_no_harm() {
    let mut run = Run::default();
    run.commit((0, 9), 0, 1).put("a", "1");
    run.commit((0, 9), 1, 2).put("a", "");
    run.commit((0, 9), 0, 3).saw("a", "").put("b", "3");
    assert_good(&run.check(None));
}

#[test]
fn snapshots_never_fall_in_real_time() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.commit((2, 9), 1, 2).put("a", "2");
    run.read((3, 4), 2).saw("a", "2");
    run.read((5, 6), 1).saw("a", "1");
    assert_kinds(&run.check(None), &[ViolationKind::NonMonotonicRead]);
}

#[test]
fn a_commit_stands_after_what_was_acknowledged_before_it_began() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 2).put("a", "2");
    run.commit((2, 3), 0, 1).put("a", "1");
    assert_kinds(&run.check(None), &[ViolationKind::RealTimeOrder]);
}

#[test]
fn a_deleted_key_that_returns_is_named() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.commit((2, 3), 1, 2).put("a", "");
    let last = state(2, &[("a", "1")]);
    assert_kinds(&run.check(Some(&last)), &[ViolationKind::ResurrectedDelete]);
    run.read((4, 5), 2).saw("a", "1");
    assert_kinds(&run.check(None), &[ViolationKind::ResurrectedDelete]);
    run.read((6, 7), 2).saw("a", "");
    assert_kinds(&run.check(None), &[ViolationKind::StaleRead]);
}

#[test]
fn an_overwritten_value_that_returns_is_named() {
    let mut run = two_commits();
    run.commit((4, 5), 2, 3).put("b", "3");
    run.read((2, 6), 2).saw("a", "2");
    run.read((6, 7), 3).saw("a", "1");
    assert_kinds(&run.check(None), &[ViolationKind::ResurrectedWrite]);
}

#[test]
fn scans_come_in_order_and_within_their_range() {
    let rows: [&[(&str, &str)]; 3] = [
        &[("b", "2"), ("a", "1")],
        &[("a", "1"), ("a", "1")],
        &[("a", "1"), ("z", "9")],
    ];
    for rows in rows {
        let mut run = Run::default();
        run.commit((0, 1), 0, 1).put("a", "1").put("b", "2").put("z", "9");
        run.read((2, 3), 1).scanned("a", "c", rows);
        assert_kinds(&run.check(None), &[ViolationKind::BadScan]);
    }
}

#[test]
fn a_scan_that_misses_a_row_is_named() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1").put("b", "2");
    run.read((2, 3), 1).scanned("a", "", &[("a", "1")]);
    assert_kinds(&run.check(None), &[ViolationKind::LostWrite]);
}

#[test]
fn a_final_state_before_the_last_acknowledgement_is_wrong() {
    let run = two_commits();
    assert_kinds(
        &run.check(Some(&state(1, &[("a", "1")]))),
        &[ViolationKind::WrongFinalState],
    );
    let beyond = state(1, &[("a", "2")]);
    assert_kinds(&run.check(Some(&beyond)), &[ViolationKind::WrongFinalState]);
}

#[test]
fn a_run_may_begin_with_a_state() {
    let mut run = Run::default();
    run.history.base = state(7, &[("a", "old"), ("b", "old")]);
    run.commit((0, 1), 7, 8).saw("a", "old").put("a", "new");
    run.read((2, 3), 8).scanned("", "", &[("a", "new"), ("b", "old")]);
    assert_good(&run.check(Some(&state(8, &[("a", "new"), ("b", "old")]))));
    run.read((4, 5), 6).saw("a", "old");
    let stale = [ViolationKind::StaleRead, ViolationKind::NonMonotonicRead];
    assert_kinds(&run.check(None), &stale);
}

#[test]
fn broken_records_are_not_blamed_on_the_engine() {
    let mut run = two_commits();
    run.commit((9, 8), 2, 3).put("c", "3");
    run.push(
        crate::history::OperationKind::Commit,
        (9, 10),
        Outcome::Ok {
            snapshot: 3,
            txn: None,
        },
    )
    .put("d", "4");
    run.failed((9, 10), 3).put("a", "2");
    let verdict = run.check(None);
    assert_kinds(&verdict, &[ViolationKind::BadRecord]);
    assert_eq!(verdict.counts[&ViolationKind::BadRecord], 3);
}

#[test]
fn many_violations_are_counted_and_few_are_listed() {
    let mut run = two_commits();
    for _ in 0..100 {
        run.read((4, 5), 2).saw("a", "9");
    }
    let verdict = run.check(None);
    assert_eq!(verdict.counts[&ViolationKind::UnwrittenValue], 100);
    assert_eq!(verdict.violations.len(), 5);
    let text = verdict.to_string();
    assert!(
        text.contains("UnwrittenValue: a read at commit 2 shows a=9, but commit 2 made that 2"),
        "{text}"
    );
    assert!(text.contains("100 in all"), "{text}");
}

#[test]
fn monotonic_writers_never_repeat_a_key_nor_go_back() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("key_000001", "1");
    run.commit((2, 3), 1, 3).put("key_000003", "3");
    run.commit((2, 3), 1, 2).put("key_000002", "2").client = ClientId(2);
    assert_good(&keys_monotonic(&run.history));
    run.commit((4, 5), 3, 4).put("key_000002", "4");
    let both = [ViolationKind::KeyNotMonotonic, ViolationKind::DuplicateKey];
    assert_kinds(&keys_monotonic(&run.history), &both);
}
