use super::*;
use crate::{
    head::{InlineCommit, LogReference, ObjectReference, Write},
    id::{ManifestId, Nonce, ObjectName, TransactionId},
};

/// A log, item by item: a log object of so many KiB, or an inline commit of so many bytes.
#[derive(Clone, Copy)]
enum Item {
    Object(u64),
    Inline(usize),
}

use Item::{Inline, Object};

fn head(items: &[Item]) -> Head {
    let settings = SharedSettings {
        fold_objects: 4,
        fold_bytes: 1024 * 1024,
        spill_keep_bytes: 2_000,
        ..SharedSettings::default()
    };
    let mut head = Head::first(ManifestId::from_bits(1), Nonce::from_bits(1), settings);
    let item = |(item, txn): (&Item, u64)| {
        let id = TransactionId::from_bits(u128::from(txn));
        match item {
            Object(kib) => {
                let name = ObjectName {
                    epoch: 1,
                    nonce: Nonce::from_bits(u128::from(txn)),
                };
                let object = ObjectReference {
                    name,
                    bytes: kib * 1024,
                    crc32c: 0,
                };
                LogItem::Object(LogReference::new(txn, &[id], object))
            }
            Inline(bytes) => {
                let write = Write {
                    key: "k".into(),
                    value: Some(vec![0; *bytes].into()),
                };
                LogItem::Inline(Arc::new(InlineCommit::new(txn, id, vec![write])))
            }
        }
    };
    head.log = items.iter().zip(1..).map(item).collect();
    head.last_txn = items.len() as u64;
    head.check().unwrap();
    head
}

/// Through which commit a fold would go.
fn planned(items: &[Item], urgency: Urgency) -> Option<u64> {
    let plan = Plan::of(&head(items), urgency)?;
    assert_eq!((plan.first_txn, plan.items.len() as u64), (1, plan.last_txn));
    Some(plan.last_txn)
}

#[test]
fn so_many_objects_or_bytes_are_due() {
    assert_eq!(planned(&[], Urgency::Due), None);
    assert_eq!(planned(&[Object(1); 3], Urgency::Due), None);
    assert_eq!(planned(&[Object(1); 4], Urgency::Due), Some(4));
    assert_eq!(planned(&[Object(1_024)], Urgency::Due), Some(1));
    assert_eq!(planned(&[Inline(100); 50], Urgency::Due), None);
    // What stands behind the last object stays.
    let tail = [[Object(1); 4].as_slice(), &[Inline(100); 9]].concat();
    assert_eq!(planned(&tail, Urgency::Due), Some(4));
}

#[test]
fn a_fold_takes_so_many_bytes_at_once() {
    assert_eq!(planned(&[Object(600); 9], Urgency::Due), Some(4));
    assert_eq!(planned(&[Object(9_000); 9], Urgency::HardLimit), Some(1));
}

#[test]
fn commits_between_objects_go_along_if_they_are_small_or_old() {
    let by_turns = |bytes| [Object(1), Inline(bytes)].repeat(6);
    assert_eq!(
        planned(&by_turns(20), Urgency::Due),
        Some(11),
        "not worth a spill"
    );
    // Of six commits of about 1,000 bytes two stand within the newest 2,000 bytes.
    assert_eq!(planned(&by_turns(1_000), Urgency::Due), Some(9));
    // Young as they are, they go where as many objects as a fold takes lie behind them.
    let alternating = |pairs| [Object(1), Inline(300)].repeat(pairs);
    assert_eq!(planned(&alternating(6), Urgency::Due), None);
    assert_eq!(planned(&alternating(7), Urgency::Due), Some(7));
    assert_eq!(planned(&alternating(8), Urgency::Due), Some(9));
    // None is old enough, so two objects are not enough.
    let large = [Object(1), Object(1), Inline(1_500), Object(1), Object(1)];
    assert_eq!(planned(&large, Urgency::Due), None);
    assert_eq!(planned(&large, Urgency::HardLimit), Some(5));
}

#[test]
fn no_more_commits_go_along_than_head_keeps_the_ids_of() {
    let many = [
        vec![Object(1); 4],
        vec![Inline(500); FOLDED_MAX + 1],
        vec![Object(1)],
        vec![Inline(500); 9],
    ]
    .concat();
    assert_eq!(planned(&many, Urgency::Due), Some(4));
    assert_eq!(
        planned(&many, Urgency::HardLimit),
        Some(4 + FOLDED_MAX as u64 + 2)
    );
}

#[test]
fn who_crosses_the_threshold_folds_and_at_twice_everybody_does() {
    let of = |objects: usize| head(&vec![Object(1); objects]);
    assert!(!is_ours(&of(2), &of(3), false));
    assert!(is_ours(&of(3), &of(4), false));
    assert!(!is_ours(&of(4), &of(5), false));
    assert!(is_ours(&of(4), &of(5), true));
    assert!(is_ours(&of(7), &of(8), false));
}
