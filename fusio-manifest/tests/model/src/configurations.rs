//! Small worlds, each about one part of the protocol, explored to the end.

pub(crate) mod large;

use crate::{
    configuration::{Budget, Configuration, Transaction},
    reached::Reached,
};

const ONE_OF_EACH_FAULT: &[Reached] = &[
    Reached::AllCommitted,
    Reached::RequestLost,
    Reached::ReplyLost,
    Reached::Late,
    Reached::Replayed,
    Reached::AnsweredEarly,
    Reached::Refused,
    Reached::Crash,
    Reached::UnknownCommitted,
    Reached::UnknownNotCommitted,
    Reached::Conflict,
];

/// What the ordinary tests explore.
pub(crate) fn ordinary() -> Vec<Configuration> {
    vec![
        commits(),
        retries(),
        batches(),
        three_handles(),
        spills(),
        large_transactions(),
        folds(),
        racing_folds(),
        merges(),
        log_objects(),
        collection(),
        two_collections(),
        pins(),
        fence(),
        reads(),
    ]
}

/// Two handles fight over one key, under one fault of each kind.
pub(crate) fn commits() -> Configuration {
    let transactions = vec![
        Transaction::of(0).reading(0).writing(0),
        Transaction::of(0).writing(0),
        Transaction::of(1).reading(0).writing(0),
    ];
    Configuration::new("commits", 2, transactions)
        .with(Budget::faults())
        .reaching(ONE_OF_EACH_FAULT)
}

/// A caller that was told "not committed" tries again, beside another handle.
pub(crate) fn retries() -> Configuration {
    let transactions = vec![
        Transaction::of(0).writing(0),
        Transaction::of(0).writing(0).again(0),
        Transaction::of(1).reading(0).writing(1),
    ];
    Configuration::new("retries", 2, transactions)
        .with(Budget::faults())
        .reaching(&[Reached::UnknownNotCommitted, Reached::Late, Reached::Refused])
}

/// Transactions of one handle that conflict with each other share bodies.
pub(crate) fn batches() -> Configuration {
    let transactions = vec![
        Transaction::of(0).writing(0),
        Transaction::of(0).reading(0).writing(1),
        Transaction::of(1).reading(1).writing(0),
    ];
    Configuration::new("batches", 2, transactions)
        .with(Budget::faults())
        .reaching(ONE_OF_EACH_FAULT)
}

/// Three handles, two transactions each.
pub(crate) fn three_handles() -> Configuration {
    let transactions = vec![
        Transaction::of(0).reading(0).writing(1),
        Transaction::of(0).writing(0),
        Transaction::of(1).reading(1).writing(0),
        Transaction::of(1).writing(1),
        Transaction::of(2).reading(0).writing(0),
        Transaction::of(2).writing(1),
    ];
    Configuration::new("three handles", 3, transactions)
        .with(Budget {
            reply_lost: 1,
            ..Budget::default()
        })
        .reaching(&[Reached::AllCommitted, Reached::Conflict, Reached::ReplyLost])
}

/// Spills beside lost races and unknown outcomes; HEAD forgets nonces at once.
pub(crate) fn spills() -> Configuration {
    let transactions = vec![
        Transaction::of(0).writing(0),
        Transaction::of(0).reading(1).writing(0),
        Transaction::of(1).reading(0).writing(1),
    ];
    let mut configuration = Configuration::new("spills", 2, transactions)
        .with(Budget {
            reply_lost: 1,
            late: 1,
            leave: 1,
            spill: 1,
            ..Budget::default()
        })
        .reaching(&[
            Reached::AllCommitted,
            Reached::Spill,
            Reached::ReplyLost,
            Reached::Late,
            Reached::ObjectUnderWay,
            Reached::UnknownCommitted,
            Reached::UnknownNotCommitted,
            Reached::Conflict,
        ]);
    configuration.nonces_kept = 1;
    configuration
}

/// Large transactions lie in log objects ahead of HEAD, together, and one may drop out.
pub(crate) fn large_transactions() -> Configuration {
    let transactions = vec![
        Transaction::of(0).writing(0).large(),
        Transaction::of(0).reading(1).writing(2).large(),
        Transaction::of(1).writing(1),
    ];
    let mut configuration = Configuration::new("large transactions", 2, transactions)
        .with(Budget {
            reply_lost: 1,
            late: 1,
            leave: 1,
            upload: 2,
            ..Budget::default()
        })
        .reaching(&[
            Reached::AllCommitted,
            Reached::Stored,
            Reached::Conflict,
            Reached::UnknownCommitted,
            Reached::UnknownNotCommitted,
        ]);
    configuration.nonces_kept = 1;
    configuration
}

/// Commits are folded away under a transaction's feet, and under those of a commit whose outcome is unknown.
pub(crate) fn folds() -> Configuration {
    let transactions = vec![
        Transaction::of(0).writing(0),
        Transaction::of(0).writing(1),
        Transaction::of(1).reading(0).writing(1),
    ];
    let mut configuration = Configuration::new("folds", 2, transactions)
        .with(Budget {
            reply_lost: 1,
            spill: 2,
            fold: 1,
            ..Budget::default()
        })
        .reaching(&[
            Reached::AllCommitted,
            Reached::Fold,
            Reached::ReplyLost,
            Reached::Conflict,
        ]);
    configuration.nonces_kept = 1;
    configuration
}

/// Two handles fold the same objects.
pub(crate) fn racing_folds() -> Configuration {
    let transactions = vec![Transaction::of(0).writing(0), Transaction::of(1).writing(1)];
    let mut configuration = Configuration::new("racing folds", 2, transactions)
        .with(Budget {
            reply_lost: 1,
            late: 1,
            spill: 2,
            fold: 2,
            ..Budget::default()
        })
        .reaching(&[Reached::AllCommitted, Reached::TwoRuns, Reached::ObjectUnderWay]);
    configuration.nonces_kept = 1;
    configuration
}

/// Log objects beside a spill and a collection.
pub(crate) fn log_objects() -> Configuration {
    let transactions = vec![Transaction::of(0).writing(0), Transaction::of(1).writing(1)];
    Configuration::new("log objects", 2, transactions)
        .with(Budget {
            spill: 2,
            collect: 1,
            ..Budget::default()
        })
        .reaching(&[Reached::AllCommitted, Reached::Spill])
}

/// Runs with deletions in them are merged while others fold and commit.
pub(crate) fn merges() -> Configuration {
    let transactions = vec![
        Transaction::of(0).writing(0),
        Transaction::of(0).deleting(0),
        Transaction::of(1).reading(0).writing(1),
    ];
    let mut configuration = Configuration::new("merges", 2, transactions)
        .with(Budget {
            reply_lost: 1,
            spill: 2,
            fold: 2,
            merge: 1,
            ..Budget::default()
        })
        .reaching(&[
            Reached::AllCommitted,
            Reached::TwoRuns,
            Reached::Merge,
            Reached::ReplyLost,
        ]);
    configuration.nonces_kept = 1;
    configuration
}

/// A collection beside a spill and a fold, with lost replies and deaths at every point of it.
pub(crate) fn collection() -> Configuration {
    let transactions = vec![Transaction::of(0).writing(0)];
    Configuration::new("collection", 2, transactions)
        .with(Budget {
            reply_lost: 1,
            crash: 1,
            spill: 1,
            fold: 1,
            collect: 1,
            ..Budget::default()
        })
        .reaching(&[
            Reached::Fold,
            Reached::Condemned,
            Reached::Deleted,
            Reached::ReplyLost,
            Reached::Crash,
        ])
}

/// Two collections, at once and one after the other, with deletions and objects that arrive late.
pub(crate) fn two_collections() -> Configuration {
    let transactions = vec![Transaction::of(0).writing(0)];
    Configuration::new("two collections", 2, transactions)
        .with(Budget {
            late: 1,
            spill: 1,
            collect: 2,
            ..Budget::default()
        })
        .reaching(&[
            Reached::Deleted,
            Reached::DeleteUnderWay,
            Reached::SecondCollection,
            Reached::ObjectUnderWay,
        ])
}

/// Pins and readers beside a collection.
pub(crate) fn pins() -> Configuration {
    let transactions = vec![Transaction::of(0).writing(0)];
    Configuration::new("pins and readers", 2, transactions)
        .with(Budget {
            spill: 1,
            fold: 1,
            collect: 1,
            pin: 1,
            hold: 1,
            ..Budget::default()
        })
        .reaching(&[
            Reached::Pin,
            Reached::ReaderExpired,
            Reached::ReaderServed,
            Reached::Deleted,
        ])
}

/// Writers that sleep between the PUT of an object and their HEAD, while collectors pass.
pub(crate) fn fence() -> Configuration {
    let transactions = vec![
        Transaction::of(0).writing(0).large(),
        Transaction::of(1).writing(1),
    ];
    Configuration::new("fence", 2, transactions)
        .with(Budget {
            late: 1,
            upload: 2,
            collect: 1,
            ..Budget::default()
        })
        .reaching(&[
            Reached::AllCommitted,
            Reached::Stored,
            Reached::Condemned,
            Reached::Deleted,
            Reached::DeleteUnderWay,
        ])
}

/// Fresh reads whose looks overtake each other and the handle's own commits.
pub(crate) fn reads() -> Configuration {
    let transactions = vec![Transaction::of(0).writing(0), Transaction::of(1).writing(0)];
    let mut configuration = Configuration::new("fresh reads", 2, transactions)
        .with(Budget {
            reply_lost: 1,
            read: 3,
            ..Budget::default()
        })
        .reaching(&[Reached::AllCommitted, Reached::TwoLooks, Reached::ReplyLost]);
    configuration.refreshes_in_flight = 2;
    configuration
}
