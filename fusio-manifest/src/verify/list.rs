//! Checks the list of a collection: nothing that HEAD needs may stand in it.

use std::collections::HashSet;

use super::{
    finding::{Damage, Flaw, ObjectKind, Place},
    part::Checked,
    source::{Bits, Source, flaw_of_whole},
};
use crate::{
    error::Result,
    frame::Kind,
    head::{Collection, Head},
    id::{Folder, ObjectName},
    maintenance::list,
};

/// More are counted and not told.
const TOLD: usize = 8;

pub(super) async fn check(source: &Source, head: &Head, collection: &Collection) -> Result<Checked> {
    let (manifest, object) = (head.manifest, &collection.list);
    let bytes = match source.read_whole(Folder::List, manifest, object).await? {
        Bits::Read(bytes) => bytes,
        Bits::Gone => return Ok(Checked::gone()),
    };
    if let Some(flaw) = flaw_of_whole(Kind::List, manifest, object, &bytes) {
        return Ok(Checked::flawed(flaw));
    }
    let listed = match list::decode(manifest, bytes) {
        Ok(listed) => listed,
        Err(error) => {
            let flaw = Flaw::new(Damage::Malformed, Place::Whole, error.to_string());
            return Ok(Checked::flawed(flaw));
        }
    };
    let live: HashSet<(Folder, ObjectName)> = head.live().collect();
    let mut checked = Checked::default();
    let wrong = listed.iter().filter_map(|(folder, name)| {
        let kind = ObjectKind::from(*folder).name();
        if live.contains(&(*folder, *name)) {
            Some(format!("it names {kind}/{name}, which HEAD needs"))
        } else if name.epoch >= object.name.epoch {
            // What is not behind the fence may become needed yet.
            Some(format!(
                "it names {kind}/{name}, which is not older than the list"
            ))
        } else {
            None
        }
    });
    let flaw = |detail| Flaw::new(Damage::Contradiction, Place::Whole, detail);
    checked.flaws.extend(wrong.take(TOLD).map(flaw));
    Ok(checked)
}
