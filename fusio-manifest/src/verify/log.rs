//! Checks a log object: its checksums, its commits, their numbers and ids.

use std::collections::HashSet;

use super::{
    finding::{Damage, Flaw, Place},
    part::Checked,
    source::{Bits, Source, flaw_of_whole},
};
use crate::{
    error::Result,
    frame::Kind,
    head::{LogReference, Write},
    id::{Folder, ManifestId},
    log,
};

pub(super) async fn check(
    source: &Source,
    manifest: ManifestId,
    reference: &LogReference,
) -> Result<Checked> {
    let mut checked = Checked::default();
    let bytes = match source
        .read_whole(Folder::Log, manifest, &reference.object)
        .await?
    {
        Bits::Read(bytes) => bytes,
        Bits::Gone => return Ok(Checked::gone()),
    };
    if let Some(flaw) = flaw_of_whole(Kind::Log, manifest, &reference.object, &bytes) {
        checked.flaws.push(flaw);
        return Ok(checked);
    }
    match log::decode(manifest, reference, bytes) {
        Err(error) => checked
            .flaws
            .push(Flaw::new(Damage::Malformed, Place::Whole, error.to_string())),
        Ok(object) => {
            for (commit, txn) in object.commits.iter().zip(reference.first_txn..) {
                checked.commits += 1;
                checked.ids.push((txn, commit.id));
                if let Some(detail) = contradiction(txn, &commit.writes) {
                    checked
                        .flaws
                        .push(Flaw::new(Damage::Contradiction, Place::Whole, detail));
                }
            }
        }
    }
    Ok(checked)
}

/// What no transaction writes.
pub(super) fn contradiction(txn: u64, writes: &[Write]) -> Option<String> {
    let mut keys = HashSet::new();
    let twice = writes.iter().find(|write| !keys.insert(&write.key))?;
    Some(format!(
        "commit {txn} writes the key {} twice",
        super::finding::readable(&twice.key)
    ))
}
