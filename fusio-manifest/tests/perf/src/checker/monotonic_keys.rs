//! The promise of writers that never write a key twice: keys rise with commits, and none is written twice.

use std::collections::{BTreeMap, HashMap};

use super::{
    Verdict,
    violation::{Findings, ViolationKind},
};
use crate::history::{ClientId, History, Operation, show};

/// Checks that, for each client, the keys of its acknowledged commits rise strictly in the order of their
/// numbers, and that no two of all clients' acknowledged writes are of one key.
///
/// It says nothing about what was read: that is [`super::check`].
pub fn keys_monotonic(history: &History) -> Verdict {
    let mut findings = Findings::new(super::LISTED_MAX);
    let operations = history.operations.iter();
    let mut commits: Vec<_> = operations
        .filter_map(|operation| Some((operation.txn()?, operation)))
        .collect();
    commits.sort_by_key(|(txn, operation)| (*txn, operation.id));
    let mut last: BTreeMap<ClientId, (&[u8], &Operation)> = BTreeMap::new();
    let mut writers: HashMap<&[u8], &Operation> = HashMap::new();
    for (_, operation) in &commits {
        for write in &operation.writes {
            let key = write.key.as_ref();
            if let Some((before, earlier)) = last.insert(operation.client, (key, operation))
                && before >= key
            {
                findings.add(ViolationKind::KeyNotMonotonic, [earlier, operation], || {
                    format!(
                        "client {} wrote {} after {}",
                        operation.client.0,
                        show(key),
                        show(before)
                    )
                });
            }
            if let Some(other) = writers.insert(key, operation) {
                findings.add(ViolationKind::DuplicateKey, [other, operation], || {
                    format!("{} was written twice", show(key))
                });
            }
        }
    }
    Verdict {
        commits: commits.len() as u64,
        ..Verdict::default()
    }
    .with(findings)
}
