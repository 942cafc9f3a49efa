//! The same worlds with more in them: minutes each. And one with everything, for random steps.

use super::{
    collection, commits, fence, folds, large_transactions, merges, pins, reads, spills, three_handles,
};
use crate::{
    configuration::{Budget, Configuration, Transaction},
    reached::Reached,
};

/// What `cargo run -p manifest-model -- large` explores.
pub(crate) fn all() -> Vec<Configuration> {
    let mut all = more_of_ordinary();
    all.extend(alike());
    all
}

fn more_of_ordinary() -> Vec<Configuration> {
    vec![
        Configuration {
            name: "three handles, every fault",
            transactions: vec![
                Transaction::of(0).reading(0).writing(0),
                Transaction::of(1).writing(0),
                Transaction::of(2).reading(0).writing(1),
            ],
            handles: 3,
            ..commits()
        },
        more(three_handles(), "three handles, more", |budget| Budget {
            late: 1,
            ..budget
        }),
        more(spills(), "spills, more", |budget| Budget { spill: 2, ..budget }),
        more(large_transactions(), "large transactions, more", |budget| {
            Budget {
                upload: 3,
                spill: 1,
                crash: 1,
                ..budget
            }
        }),
        more(folds(), "folds, more", |budget| Budget { leave: 1, ..budget }),
        more(merges(), "merges, more", |budget| Budget { crash: 1, ..budget }),
        more(collection(), "collections, more", |budget| Budget {
            late: 1,
            collect: 2,
            crash: 0,
            reply_lost: 0,
            ..budget
        })
        .reaching(&[
            Reached::Fold,
            Reached::Deleted,
            Reached::DeleteUnderWay,
            Reached::SecondCollection,
            Reached::ObjectUnderWay,
        ]),
        more(pins(), "pins and readers, more", |budget| Budget {
            reply_lost: 1,
            unpin: 1,
            ..budget
        })
        .reaching(&[
            Reached::Pin,
            Reached::Unpinned,
            Reached::ReplyLost,
            Reached::Deleted,
        ]),
        more(fence(), "fence, more", |budget| Budget { collect: 2, ..budget }),
        more(reads(), "fresh reads, more", |budget| Budget {
            late: 1,
            replayed: 1,
            ..budget
        }),
    ]
}

/// Three handles that all do the same two transactions, each of which reads what the other one writes.
pub(crate) fn three_alike(name: &'static str, budget: Budget, reached: &'static [Reached]) -> Configuration {
    Configuration::alike(name, 3, |handle| {
        vec![
            Transaction::of(handle).reading(0).writing(1),
            Transaction::of(handle).reading(1).writing(0),
        ]
    })
    .with(budget)
    .reaching(reached)
}

/// Three handles, two transactions each, under each kind of fault, each piece of maintenance, and some of them together.
pub(crate) fn alike() -> Vec<Configuration> {
    let none = Budget::default();
    let mut all = alike_under_faults(none);
    all.extend(alike_beside_maintenance(none));
    all
}

fn alike_under_faults(none: Budget) -> Vec<Configuration> {
    use Reached::{
        AllCommitted, AnsweredEarly, Conflict, Crash, Late, Refused, Replayed, ReplyLost, RequestLost,
        UnknownCommitted,
    };
    vec![
        three_alike(
            "three alike, a lost request",
            Budget {
                request_lost: 1,
                ..none
            },
            &[AllCommitted, Conflict, RequestLost],
        ),
        three_alike(
            "three alike, a lost reply",
            Budget {
                reply_lost: 1,
                ..none
            },
            &[AllCommitted, Conflict, ReplyLost],
        ),
        three_alike(
            "three alike, a late request",
            Budget { late: 1, ..none },
            &[AllCommitted, Conflict, Late],
        ),
        three_alike(
            "three alike, a replay by a proxy",
            Budget { replayed: 1, ..none },
            &[AllCommitted, Conflict, Replayed],
        ),
        three_alike(
            "three alike, a proxy's early 409",
            Budget {
                answered_early: 1,
                ..none
            },
            &[AllCommitted, Conflict, AnsweredEarly],
        ),
        three_alike(
            "three alike, a refusal",
            Budget { refused: 1, ..none },
            &[Conflict, Refused],
        ),
        three_alike(
            "three alike, a death",
            Budget { crash: 1, ..none },
            &[Conflict, Crash],
        ),
        three_alike(
            "three alike, a caller that leaves",
            Budget { leave: 1, ..none },
            &[Conflict, UnknownCommitted],
        ),
        three_alike(
            "three alike, a lost reply and a late request",
            Budget {
                reply_lost: 1,
                late: 1,
                ..none
            },
            &[AllCommitted, Conflict, ReplyLost, Late],
        ),
        three_alike("three alike, every fault", Budget::faults(), &[]),
    ]
}

fn alike_beside_maintenance(none: Budget) -> Vec<Configuration> {
    use Reached::{AllCommitted, Conflict, Deleted, Fold, Spill};
    vec![
        three_alike(
            "three alike, a spill",
            Budget { spill: 1, ..none },
            &[AllCommitted, Conflict, Spill],
        ),
        three_alike(
            "three alike, a spill and a fold",
            Budget {
                spill: 1,
                fold: 1,
                ..none
            },
            &[AllCommitted, Conflict, Fold],
        ),
        three_alike(
            "three alike, a spill and a collection",
            Budget {
                spill: 1,
                fold: 1,
                collect: 1,
                ..none
            },
            &[AllCommitted, Conflict, Deleted],
        ),
    ]
}

fn more(mut configuration: Configuration, name: &'static str, budget: fn(Budget) -> Budget) -> Configuration {
    configuration.name = name;
    configuration.budget = budget(configuration.budget);
    configuration
}

/// Three handles, two transactions each, every fault and all maintenance.
pub(crate) fn product() -> Configuration {
    let transactions = vec![
        Transaction::of(0).reading(0).writing(1),
        Transaction::of(0).writing(0).large(),
        Transaction::of(1).reading(1).writing(0),
        Transaction::of(1).deleting(1),
        Transaction::of(2).reading(0).writing(0).large(),
        Transaction::of(2).reading(2).writing(2),
    ];
    let mut configuration = Configuration::new("everything, at random", 3, transactions)
        .with(Budget {
            leave: 2,
            upload: 4,
            spill: 3,
            fold: 2,
            merge: 1,
            collect: 2,
            pin: 2,
            unpin: 1,
            hold: 1,
            read: 3,
            ..Budget::faults()
        })
        .reaching(&[
            Reached::RequestLost,
            Reached::ReplyLost,
            Reached::Late,
            Reached::Replayed,
            Reached::AnsweredEarly,
            Reached::Refused,
            Reached::Crash,
            Reached::UnknownNotCommitted,
            Reached::Conflict,
            Reached::Stored,
            Reached::Spill,
            Reached::Fold,
            Reached::Condemned,
            Reached::Deleted,
        ]);
    configuration.refreshes_in_flight = 2;
    configuration
}
