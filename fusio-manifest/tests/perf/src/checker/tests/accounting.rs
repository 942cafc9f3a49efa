//! Books that balance, and books that do not.

use super::{
    super::{Accounting, account},
    Run, state,
};

/// Two acknowledged commits of keys of their own, a failed one and an unknown one.
fn run() -> Run {
    let mut run = Run::default();
    run.commit((0, 1), 0, 1).put("a", "1");
    run.commit((2, 3), 1, 2).put("b", "2");
    run.failed((4, 5), 2).put("c", "3");
    run.unknown((6, 7)).put("d", "4");
    run
}

fn books(run: &Run, txn: u64, entries: &[(&str, &str)]) -> Accounting {
    account(&run.history, &state(txn, entries))
}

const BALANCED: Accounting = Accounting {
    acknowledged: 2,
    failed: 1,
    unknown: 1,
    unknown_seen: 0,
    lost: 0,
    doubled: 0,
    failed_seen: 0,
};

#[test]
fn books_balance_whether_an_unknown_commit_is_there_or_not() {
    let without = books(&run(), 2, &[("a", "1"), ("b", "2")]);
    assert_eq!(without, BALANCED);
    let with = books(&run(), 3, &[("a", "1"), ("b", "2"), ("d", "4")]);
    assert_eq!(
        with,
        Accounting {
            unknown_seen: 1,
            ..BALANCED
        }
    );
    assert!(without.balanced() && with.balanced());
}

#[test]
fn an_acknowledged_commit_that_is_missing_is_lost() {
    for entries in [&[("b", "2")][..], &[("a", "0"), ("b", "2")]] {
        let books = books(&run(), 2, entries);
        assert_eq!(books, Accounting { lost: 1, ..BALANCED });
        assert!(!books.balanced());
    }
}

#[test]
fn a_number_that_nobody_holds_is_a_commit_that_is_there_twice() {
    let entries = [("a", "1"), ("b", "2")];
    assert_eq!(
        books(&run(), 3, &entries),
        Accounting {
            doubled: 1,
            ..BALANCED
        }
    );
    // An unknown one that is there may hold one of them.
    let entries = [("a", "1"), ("b", "2"), ("d", "4")];
    let books = books(&run(), 4, &entries);
    assert_eq!((books.doubled, books.balanced()), (1, false));
}

#[test]
fn a_number_that_two_were_told_is_doubled() {
    let mut run = run();
    run.commit((8, 9), 0, 2).put("e", "5");
    assert_eq!(books(&run, 2, &[("a", "1"), ("b", "2"), ("e", "5")]).doubled, 1);
}

#[test]
fn a_failed_commit_that_is_there_is_told() {
    let mut entries = vec![("a", "1"), ("b", "2")];
    entries.push(("c", "3"));
    let books = books(&run(), 2, &entries);
    assert_eq!((books.failed_seen, books.balanced()), (1, false));
}

#[test]
fn what_was_overwritten_is_not_lost() {
    let mut run = run();
    run.commit((8, 9), 2, 3).put("a", "5");
    let books = books(&run, 3, &[("a", "5"), ("b", "2")]);
    assert_eq!((books.lost, books.doubled), (0, 0));
}

#[test]
fn an_unknown_commit_explains_what_it_overwrote_or_what_covered_it() {
    let mut over = run();
    over.unknown((8, 9)).put("a", "5");
    assert!(books(&over, 3, &[("a", "5"), ("b", "2")]).balanced());
    // It landed, and the acknowledged one of the same key came after it.
    let mut under = Run::default();
    under.unknown((0, 1)).put("a", "1");
    under.commit((2, 3), 0, 2).put("a", "2");
    assert!(books(&under, 2, &[("a", "2")]).balanced());
}

#[test]
fn a_deletion_counts_like_a_write() {
    let mut run = run();
    run.commit((8, 9), 2, 3).put("a", "");
    assert!(books(&run, 3, &[("b", "2")]).balanced());
    assert_eq!(books(&run, 3, &[("a", "1"), ("b", "2")]).lost, 1);
}
