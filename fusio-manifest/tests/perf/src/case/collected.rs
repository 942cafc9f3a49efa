//! What has to hold of a store in the end, once everybody is gone and the retention has passed: nothing lies there that
//! neither the state nor a pin needs, everything does that they need, and both read as they did before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use fusio_manifest::store::Store;

use super::Problem;
use crate::{
    floor::FloorObject,
    history::{History, Operation, OperationId, OperationKind, Outcome, Read, State},
    run::{Cell, CellOutcome, SETTER_UP},
    target::{Ask, Refusal, TargetHandle},
};

/// So many times the retention has to pass with nobody there but one who maintains: one finishes what was begun, another
/// lists what has become garbage since, the last one deletes it.
const ROUNDS: u32 = 3;

/// By how much more than the retention a collection waits, and a request that comes late is late.
const LATE: Duration = Duration::from_secs(4);

/// After every key that clients use.
const BEHIND_ALL: &[u8] = b"~";

/// Objects that were collected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Cases in which something could be.
    pub cases: u64,
    /// Collections that were begun while clients were at it.
    pub collections: u64,
    /// Objects that were deleted then.
    pub deleted: u64,
    /// Objects that were left to the end, and deleted there.
    pub left: u64,
    /// Pins that were there in the end, and read.
    pub pins: u64,
}

impl Collected {
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self {
            cases: self.cases + other.cases,
            collections: self.collections + other.collections,
            deleted: self.deleted + other.deleted,
            left: self.left + other.left,
            pins: self.pins + other.pins,
        }
    }
}

/// Waits until everything is collected that can be, and looks at what is left. What the pins show goes into the history,
/// as a read of when they were made.
pub(super) async fn check(
    cell: &Cell<'_>,
    retention: Duration,
    outcome: &mut CellOutcome,
) -> (Collected, Vec<Problem>) {
    let mut collected = Collected {
        cases: 1,
        ..Collected::default()
    };
    match look(cell, retention, outcome, &mut collected).await {
        Ok(problems) => (collected, problems),
        Err(error) => (collected, vec![problem("NotCollected", error)]),
    }
}

async fn look(
    cell: &Cell<'_>,
    retention: Duration,
    outcome: &mut CellOutcome,
    collected: &mut Collected,
) -> Result<Vec<Problem>, String> {
    let (store, prefix) = (
        cell.store.store(&cell.meters.other),
        cell.store.prefix(&cell.name),
    );
    // By who founded it, who has all the time that it takes.
    let handle = cell.target.create(Arc::clone(&store), &prefix).await?;
    collected.collections = handle.inventory().await?.epoch - 1;
    collected.deleted = cell.store.objects_deleted();
    for _ in 0..ROUNDS {
        cell.clock.sleep(retention + LATE).await;
        // A look, so that it knows what is due.
        handle.view(Vec::new()).await?;
        handle.maintain().await?;
    }
    collected.left = cell.store.objects_deleted() - collected.deleted;
    let inventory = handle.inventory().await?;
    collected.pins = inventory.pins.len() as u64;
    let mut problems = compare(&inventory.references, &listed(&*store, &prefix).await?);
    for name in inventory.pins {
        match pinned(&*handle, &name).await {
            Ok((txn, reads)) => {
                let now = u64::try_from(cell.clock.now().as_nanos()).unwrap_or(u64::MAX);
                let read = taken(&outcome.history, now, (txn, reads));
                outcome.history.operations.push(read);
            }
            Err(why) => problems.push(problem("PinLost", format!("{name}: {why}"))),
        }
    }
    let now = handle.contents().await;
    handle.close().await;
    if let Ok(before) = &outcome.final_state {
        problems.extend(changed(before, now).map(|what| problem("LostByCollection", what)));
    }
    Ok(problems)
}

fn problem(name: &str, text: String) -> Problem {
    Problem {
        name: name.to_owned(),
        text,
    }
}

/// Every object of the manifest.
async fn listed(store: &dyn Store, prefix: &str) -> Result<BTreeSet<String>, String> {
    let mut keys = BTreeSet::new();
    loop {
        let after = keys.last().cloned();
        let page = store
            .list(prefix, after.as_deref())
            .await
            .map_err(|error| error.to_string())?;
        keys.extend(page.objects.into_iter().map(|object| object.key));
        if !page.more {
            break;
        }
    }
    keys.remove(&FloorObject::key(prefix));
    Ok(keys)
}

/// Objects that nothing needs, and objects that are not there.
fn compare(needed: &BTreeSet<String>, there: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let garbage: Vec<&String> = there.difference(needed).collect();
    if let Some(first) = garbage.first() {
        let text = format!(
            "{} objects that nothing needs are left, {first} for one",
            garbage.len()
        );
        problems.push(problem("Garbage", text));
    }
    let lost: Vec<&String> = needed.difference(there).collect();
    if let Some(first) = lost.first() {
        let text = format!("{} objects that are needed are gone, {first} for one", lost.len());
        problems.push(problem("ObjectLost", text));
    }
    problems
}

/// Everything, of the state under a name.
async fn pinned(handle: &dyn TargetHandle, name: &str) -> Result<(u64, Vec<Read>), String> {
    let text = |refusal: Refusal| refusal.to_string();
    let snapshot = handle.open_pin(name.to_owned()).await.map_err(text)?;
    let all = Ask::Range(Bytes::new(), Bytes::from_static(BEHIND_ALL));
    match snapshot.read(vec![all]).await {
        (reads, None) => Ok((snapshot.txn(), reads)),
        (_, Some(refusal)) => Err(text(refusal)),
    }
}

/// Of when it was made no more is known than that it was after the beginning.
fn taken(history: &History, now: u64, (txn, reads): (u64, Vec<Read>)) -> Operation {
    Operation {
        id: OperationId(history.operations.len() as u64),
        client: SETTER_UP,
        kind: OperationKind::Read,
        invoked: 0,
        completed: Some(now),
        reads,
        writes: Vec::new(),
        outcome: Outcome::Ok {
            snapshot: txn,
            txn: None,
        },
    }
}

/// What a collection has changed of the state, which it must not.
fn changed(before: &State, now: Result<State, String>) -> Option<String> {
    let now = match now {
        Ok(now) => now,
        Err(error) => return Some(error),
    };
    let (old, new): (&BTreeMap<_, _>, _) = (&before.entries, &now.entries);
    (*before != now).then(|| {
        format!(
            "{} keys at commit {} before, {} at commit {} after",
            old.len(),
            before.txn,
            new.len(),
            now.txn
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> BTreeSet<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    fn names(problems: &[Problem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.name.as_str()).collect()
    }

    #[test]
    fn what_is_there_in_vain_and_what_is_gone_is_told() {
        let needed = keys(&["HEAD", "log/1", "table/2"]);
        assert_eq!(compare(&needed, &needed), []);
        let more = keys(&["HEAD", "log/1", "pin/3", "table/2"]);
        assert_eq!(names(&compare(&needed, &more)), ["Garbage"]);
        let other = keys(&["HEAD", "log/1", "table/4"]);
        assert_eq!(names(&compare(&needed, &other)), ["Garbage", "ObjectLost"]);
    }

    #[test]
    fn a_state_that_a_collection_has_changed_is_told() {
        let before = State {
            txn: 3,
            entries: BTreeMap::from([(Bytes::from("key"), Bytes::from("value"))]),
        };
        assert_eq!(changed(&before, Ok(before.clone())), None);
        let told = changed(&before, Ok(State::default())).unwrap();
        assert_eq!(told, "1 keys at commit 3 before, 0 at commit 0 after");
        assert!(changed(&before, Err("gone".to_owned())).is_some());
    }
}
