//! Whether a key can have had a value in the state after a commit.

use bytes::Bytes;

use super::{
    commits::{Commits, Writer},
    outcomes::{Unplaced, may_stand},
};

/// What follows from one key of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The state holds it, wherever the unknown commits stand.
    Right,
    /// It depends on where an unknown commit stands, or on one that is already reported.
    Open,
    /// No place of the unknown commits makes it right.
    Wrong,
}

/// Judges that `key` is `shown` in the state after commit `at`.
pub(super) fn judge<'h>(
    commits: &Commits<'h>,
    unplaced: &Unplaced<'h>,
    key: &[u8],
    shown: Option<&Bytes>,
    at: u64,
) -> Judgement {
    let latest = commits.version_at(key, at);
    // The state that is known holds from `latest.txn` to `at`, unless an undecided commit stands between.
    let between = |deletes: bool| {
        let of_key = unplaced
            .of_key(key)
            .filter(move |floating| !deletes || floating.deletes(key));
        of_key.filter(|floating| may_stand(floating, commits, latest.txn, at))
    };
    if latest.value == shown {
        return if between(false).next().is_none() {
            Judgement::Right
        } else {
            Judgement::Open
        };
    }
    let Some(value) = shown else {
        return if between(true).next().is_none() {
            Judgement::Wrong
        } else {
            certain(between(false), latest.txn, at)
        };
    };
    let Some(Writer::Operation(writer)) = commits.writer(key, value) else {
        return Judgement::Wrong;
    };
    let Some(own) = unplaced.get(writer.id) else {
        return Judgement::Wrong;
    };
    if own.contradicted {
        return Judgement::Open;
    }
    if !may_stand(own, commits, latest.txn, at) {
        return Judgement::Wrong;
    }
    certain(between(false), latest.txn, at)
}

/// A state that one undecided commit explains is certain if that commit can stand nowhere else, and no other
/// one interferes.
fn certain<'a, 'h: 'a>(
    mut between: impl Iterator<Item = &'a super::outcomes::Floating<'h>>,
    after: u64,
    to: u64,
) -> Judgement {
    match (between.next(), between.next()) {
        (Some(only), None) if only.low > after && only.high <= to => Judgement::Right,
        _ => Judgement::Open,
    }
}
