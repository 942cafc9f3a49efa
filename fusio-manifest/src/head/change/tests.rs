use std::sync::Arc;

use super::*;
use crate::{
    head::{InlineCommit, ObjectReference, Place, TableReference},
    id::ManifestId,
    options::SharedSettings,
};

fn name(epoch: u64, nonce: u128) -> ObjectName {
    ObjectName {
        epoch,
        nonce: Nonce::from_bits(nonce),
    }
}

fn object(epoch: u64, nonce: u128) -> ObjectReference {
    ObjectReference {
        name: name(epoch, nonce),
        bytes: 100,
        crc32c: 0,
    }
}

fn id(txn: u64) -> TransactionId {
    TransactionId::from_bits(u128::from(txn))
}

fn inline(txn: u64) -> LogItem {
    LogItem::Inline(Arc::new(InlineCommit::new(txn, id(txn), Vec::new())))
}

/// A log object of two commits.
fn two(first: u64) -> LogItem {
    let ids = [id(first), id(first + 1)];
    LogItem::Object(LogReference::new(first, &ids, object(3, u128::from(first))))
}

fn run(first_txn: u64, last_txn: u64, table: ObjectReference) -> Run {
    Run {
        first_txn,
        last_txn,
        tables: vec![TableReference {
            lower_bound: "".into(),
            upper_bound: "z".into(),
            object: table,
            footer_offset: 50,
        }],
    }
}

/// Runs of commits 1 to 2 and 3 to 4, then 5 and 6 in a log object, 7 inline, 8 and 9 in a log object, 10 inline; of
/// epoch 3.
fn head() -> Head {
    let mut head = Head::first(
        ManifestId::from_bits(1),
        Nonce::from_bits(1),
        SharedSettings::default(),
    );
    head.epoch = 3;
    head.last_txn = 10;
    head.runs = vec![run(3, 4, object(3, 102)), run(1, 2, object(2, 101))];
    head.log = vec![two(5), inline(7), two(8), inline(10)];
    head.check().unwrap();
    head
}

fn fold() -> Fold {
    Fold {
        inputs: vec![
            Input::Object(name(3, 5)),
            Input::Commit(id(7)),
            Input::Object(name(3, 8)),
        ],
        run: run(5, 9, object(3, 200)),
    }
}

fn merge() -> Merge {
    Merge {
        inputs: head().runs,
        run: run(1, 4, object(3, 201)),
    }
}

fn next(head: &Head, change: &Change) -> Result<Head, FormatError> {
    head.replaced(Nonce::from_bits(99), change)
}

#[test]
fn a_fold_takes_the_place_of_the_oldest_items_and_their_ids_are_still_found() {
    let change = Change {
        items: vec![inline(11)],
        fold: Some(fold()),
        ..Change::default()
    };
    let next = next(&head(), &change).unwrap();
    assert_eq!(next.log, [inline(10), inline(11)]);
    let ranges: Vec<_> = next
        .runs
        .iter()
        .map(|run| (run.first_txn, run.last_txn))
        .collect();
    assert_eq!(ranges, [(5, 9), (3, 4), (1, 2)]);
    assert_eq!((next.folded_through(), next.last_txn), (9, 11));
    assert_eq!(next.place(7), Place::Holds(id(7)));
    assert!(matches!(next.place(9), Place::InObject(reference, 1) if reference.object.name == name(3, 8)));
    assert_eq!(next.place(4), Place::Hidden);
    assert_eq!(Head::decode(next.encode().unwrap()).unwrap(), next);
}

#[test]
fn a_fold_stands_only_where_all_its_inputs_do() {
    assert!(head().stands_fold(&fold()));
    // Another transaction at the same number.
    let mut other = head();
    let commit = InlineCommit::new(7, id(70), Vec::new());
    other.log[1] = LogItem::Inline(Arc::new(commit));
    // A spill has taken one of them.
    let mut spilled = head();
    spilled.log[1] = LogItem::Object(LogReference::new(7, &[id(7)], object(3, 7)));
    // Another has folded some of them.
    let mut folded = head();
    folded.log.remove(0);
    folded.runs.insert(0, run(5, 6, object(3, 103)));
    // The collector's fence has been raised since the tables were written.
    let mut fenced = head();
    fenced.epoch = 4;
    // Others have folded all of them.
    let mut gone = head();
    gone.log = vec![inline(10)];
    gone.runs.insert(0, run(5, 9, object(3, 103)));
    for head in [other, spilled, folded, fenced, gone] {
        head.check().unwrap();
        assert!(!head.stands_fold(&fold()));
        let change = Change {
            fold: Some(fold()),
            ..Change::default()
        };
        assert!(next(&head, &change).is_err());
    }
}

#[test]
fn a_merge_takes_the_place_of_neighbours_and_stands_only_where_they_do() {
    let change = Change {
        merge: Some(merge()),
        fold: Some(fold()),
        ..Change::default()
    };
    let merged = next(&head(), &change).unwrap();
    let ranges: Vec<_> = merged
        .runs
        .iter()
        .map(|run| (run.first_txn, run.last_txn))
        .collect();
    assert_eq!(ranges, [(5, 9), (1, 4)]);
    assert!(!merged.stands_merge(&merge()), "it is done");
    let mut fenced = head();
    fenced.epoch = 4;
    let mut rewritten = head();
    rewritten.runs[1] = run(1, 2, object(3, 150));
    for head in [fenced, rewritten] {
        head.check().unwrap();
        assert!(!head.stands_merge(&merge()));
    }
    // One that covers other commits than its inputs.
    let mut wrong = merge();
    wrong.run.last_txn = 3;
    assert!(!head().stands_merge(&wrong));
}

/// HEAD keeps the newest ids, and not more than it may.
#[test]
fn of_the_folded_the_newest_are_kept() {
    let mut head = head();
    head.folded_commits = (0..64)
        .map(|nonce| FoldedCommit {
            txn: 1,
            id: id(1_000 + nonce),
        })
        .collect();
    let change = Change {
        fold: Some(fold()),
        ..Change::default()
    };
    let next = next(&head, &change).unwrap();
    assert_eq!(next.folded_commits.len(), FOLDED_MAX);
    assert_eq!(next.folded_commits.last().unwrap().id, id(7));
    assert_eq!(next.folded_commits[0].id, id(1_001));
}
