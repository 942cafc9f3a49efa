//! The final state: what a new handle saw after everything had come to rest.

use super::{
    blame::{Blame, Seen},
    commits::{Commits, Live},
    judge::{Judgement, judge},
    outcomes::Unplaced,
    replay::differences,
    violation::{Findings, ViolationKind},
};
use crate::history::{History, State};

/// Compares the final state with the end of the replay. Returns how many of its keys depend on where an
/// unknown commit stands.
pub(super) fn check<'h>(
    history: &'h History,
    commits: &Commits<'h>,
    unplaced: &Unplaced<'h>,
    seen: &Seen<'h>,
    state: &'h State,
    findings: &mut Findings,
) -> u64 {
    let told = history
        .operations
        .iter()
        .max_by_key(|operation| operation.txn().max(operation.snapshot()));
    if let Some(operation) = told
        && let Some(last) = operation.txn().max(operation.snapshot())
        && state.txn < last
    {
        findings.add(ViolationKind::WrongFinalState, [operation], || {
            format!(
                "the final state ends at commit {}, but commit {last} was told to a client",
                state.txn
            )
        });
    }
    if state.txn < commits.base_txn {
        return 0;
    }
    let mut live = Live::new(history);
    live.advance(commits, state.txn);
    let open_keys = unplaced.keys();
    let entries = state.entries.iter().map(|(key, value)| (key.as_ref(), value));
    let mut suspects = differences(entries, live.range(b"", None), |key| open_keys.contains(key));
    let nowhere = |key: &&&[u8]| {
        !state.entries.contains_key(**key) && commits.version_at(key, state.txn).value.is_none()
    };
    suspects.extend(open_keys.iter().filter(nowhere).map(|key| (*key, None)));
    let mut left_open = 0;
    for (key, value) in suspects {
        match judge(commits, unplaced, key, value, state.txn) {
            Judgement::Right => {}
            Judgement::Open => left_open += 1,
            Judgement::Wrong => {
                Blame {
                    commits,
                    seen,
                    key,
                    value,
                    position: state.txn,
                }
                .report_final(findings);
            }
        }
    }
    left_open
}
