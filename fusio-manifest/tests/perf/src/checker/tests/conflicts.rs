//! Conflicts that were told with reason, and without.

use super::{
    super::{conflicts_justified, violation::ViolationKind},
    Run, assert_good, state,
};

fn unjustified(run: &Run) -> u64 {
    let verdict = conflicts_justified(&run.history, None);
    let of_kind = verdict.counts.get(&ViolationKind::UnjustifiedConflict);
    assert_eq!(verdict.counts.len(), usize::from(of_kind.is_some()), "{verdict}");
    of_kind.copied().unwrap_or_default()
}

/// A commit of `a` at 1, then one of the key at 2, invoked at 10, and one that read `a` at snapshot 1, wrote
/// it, and was told of a conflict at `told`.
fn overtaken(key: &str, told: u64) -> Run {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.commit((10, 20), 1, 2).put(key, "2");
    run.conflict((5, told), 1).saw("a", "1").put("a", "3");
    run
}

#[test]
fn a_key_that_was_overwritten_is_a_reason() {
    let run = overtaken("a", 15);
    let verdict = conflicts_justified(&run.history, None);
    assert_good(&verdict);
    assert_eq!((verdict.conflicts, verdict.left_open), (1, 0));
    // The whole history is right, too: a conflict is no commit.
    assert_good(&run.check(None));
}

#[test]
fn another_key_is_none() {
    assert_eq!(unjustified(&overtaken("b", 15)), 1);
}

#[test]
fn a_commit_that_began_after_the_answer_is_none() {
    assert_eq!(unjustified(&overtaken("a", 9)), 1);
    assert_eq!(unjustified(&overtaken("a", 10)), 0);
}

#[test]
fn a_commit_that_the_snapshot_holds_is_none() {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.conflict((5, 15), 1).saw("a", "1").put("a", "3");
    assert_eq!(unjustified(&run), 1);
}

#[test]
fn what_it_only_wrote_is_none() {
    let mut run = Run::default();
    run.commit((0, 20), 0, 1).put("a", "1");
    run.conflict((5, 15), 0).saw("b", "").put("a", "3");
    assert_eq!(unjustified(&run), 1);
}

#[test]
fn one_that_conflicted_itself_overwrote_nothing() {
    let mut run = Run::default();
    run.conflict((5, 15), 0).saw("a", "").put("a", "1");
    run.conflict((5, 15), 0).saw("a", "").put("a", "2");
    assert_eq!(unjustified(&run), 2);
}

#[test]
fn a_row_that_came_into_a_scanned_range_is_a_reason() {
    for (key, expected) in [("b", 0), ("d", 1)] {
        let mut run = Run::default();
        run.commit((0, 20), 0, 1).put(key, "1");
        run.conflict((5, 15), 0).scanned("a", "d", &[]).put("x", "1");
        assert_eq!(unjustified(&run), expected, "{key}");
    }
}

#[test]
fn an_unknown_commit_is_a_reason_where_it_may_stand() {
    let mut run = Run::default();
    run.unknown((0, 4)).put("a", "1");
    run.conflict((5, 15), 0).saw("a", "").put("a", "2");
    let told = |last: Option<(u64, &[(&str, &str)])>| {
        let last = last.map(|(txn, entries)| state(txn, entries));
        let verdict = conflicts_justified(&run.history, last.as_ref());
        (verdict.passed(), verdict.left_open)
    };
    assert_eq!(told(Some((1, &[("a", "1")]))), (true, 0));
    // It never landed.
    assert_eq!(told(Some((0, &[]))), (false, 0));
    // Nobody looked whether it did.
    assert_eq!(told(None), (true, 1));
}
