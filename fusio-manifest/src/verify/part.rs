//! What there is to read: each object once, whoever needs it.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc};

use tokio::task::JoinSet;

use super::{
    finding::{Finding, Flaw, Need, ObjectKind, Place},
    list, log,
    source::Source,
    table::{self, Tabled},
};
use crate::{
    access::Access,
    error::{Error, ErrorKind, Result},
    head::{Collection, Head, LogReference, Pin},
    id::{Folder, ManifestId, ObjectName, TransactionId},
};

/// How many objects are read at once.
const AT_ONCE: usize = 8;

/// What reading one part came to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) flaws: Vec<Flaw>,
    pub(super) gone: bool,
    pub(super) ids: Vec<(u64, TransactionId)>,
    pub(super) commits: u64,
    pub(super) entries: u64,
}

impl Checked {
    pub(super) fn gone() -> Self {
        Self {
            gone: true,
            ..Self::default()
        }
    }

    pub(super) fn flawed(flaw: Flaw) -> Self {
        Self {
            flaws: vec![flaw],
            ..Self::default()
        }
    }
}

/// An object, and what whoever names it says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Log(LogReference),
    Table(Tabled),
    Pin(Pin),
    List(Collection),
}

impl Part {
    pub(super) fn folder(&self) -> Folder {
        match self {
            Self::Log(_) => Folder::Log,
            Self::Table(_) => Folder::Table,
            Self::Pin(_) => Folder::Pin,
            Self::List(_) => Folder::List,
        }
    }

    pub(super) fn name(&self) -> ObjectName {
        match self {
            Self::Log(reference) => reference.object.name,
            Self::Table(table) => table.reference.object.name,
            Self::Pin(pin) => pin.object.name,
            Self::List(collection) => collection.list.name,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Log(reference) => reference.object.bytes,
            Self::Table(table) => table.reference.object.bytes,
            Self::Pin(pin) => pin.object.bytes,
            Self::List(collection) => collection.list.bytes,
        }
    }

    fn txns(&self) -> Option<RangeInclusive<u64>> {
        match self {
            Self::Log(reference) => Some(reference.first_txn..=reference.last_txn()),
            Self::Table(table) => Some(table.txns()),
            Self::Pin(_) | Self::List(_) => None,
        }
    }

    /// Reads it. A pin's copy is read before, because it tells what else there is to read.
    pub(super) async fn check(&self, source: &Arc<Source>, head: &Head) -> Result<Checked> {
        match self {
            Self::Log(reference) => log::check(source, head.manifest, reference).await,
            Self::Table(table) => table::check(source, head.manifest, table).await,
            Self::List(collection) => list::check(source, head, collection).await,
            Self::Pin(_) => Ok(Checked::default()),
        }
    }
}

/// A part, and who needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) part: Part,
    pub(super) needs: Vec<Need>,
}

impl Work {
    pub(super) fn of_pin(pin: &Pin) -> Self {
        Self {
            part: Part::Pin(pin.clone()),
            needs: vec![Need::Pin(pin.name.clone())],
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.part.bytes()
    }

    pub(super) fn key(&self, access: &Access, manifest: ManifestId) -> String {
        access.key(self.part.folder(), manifest, self.part.name())
    }

    pub(super) fn finding(&self, access: &Access, manifest: ManifestId, flaw: Flaw) -> Finding {
        let kind = ObjectKind::from(self.part.folder());
        let mut finding = finding(kind, self.key(access, manifest), flaw);
        finding.needed_by.clone_from(&self.needs);
        finding.txns = self.part.txns();
        if let (Part::Table(table), Place::Whole | Place::Footer) = (&self.part, &finding.place) {
            finding.keys = Some(table.keys());
        }
        finding
    }
}

/// An object that was not there, and who needs it.
#[derive(Debug)]
pub(super) struct Lacking(pub(super) Work);

impl Lacking {
    pub(super) fn of(work: &Work) -> Self {
        Self(work.clone())
    }

    /// False of what only tells of outcomes: a collection may delete it.
    pub(super) fn matters(&self) -> bool {
        self.0.needs.iter().any(|need| *need != Need::Outcomes)
    }

    /// What of it is needed by a HEAD that was read after it was looked for.
    pub(super) fn still(mut self, head: &Head, now: &Head) -> Option<Work> {
        let (folder, name) = (self.0.part.folder(), self.0.part.name());
        let pinned = |pins: &[Pin], of: &str| pins.iter().find(|pin| pin.name == of).cloned();
        self.0.needs.retain(|need| match need {
            Need::Head => now.live().any(|live| live == (folder, name)),
            // The same pin, not another one of that name.
            Need::Pin(of) => pinned(&now.pins, of).is_some_and(|pin| pinned(&head.pins, of) == Some(pin)),
            Need::Outcomes => false,
        });
        (!self.0.needs.is_empty()).then_some(self.0)
    }
}

pub(super) fn finding(kind: ObjectKind, object: String, flaw: Flaw) -> Finding {
    Finding {
        object,
        kind,
        damage: flaw.damage,
        place: flaw.place,
        detail: flaw.detail,
        needed_by: Vec::new(),
        txns: None,
        keys: flaw.keys,
    }
}

/// Parts, each once. Two that name one object differently are two.
#[derive(Debug, Default)]
pub(super) struct Works(BTreeMap<(Folder, ObjectName), Vec<Work>>);

impl Works {
    /// What a HEAD names, but for its pins.
    pub(super) fn of_head(head: &Head) -> Self {
        let mut works = Self::default();
        works.add_state(head, &Need::Head);
        if let Some(collection) = head.collection {
            works.need(Part::List(collection), Need::Head);
        }
        for reference in &head.folded {
            works.need(Part::Log(*reference), Need::Outcomes);
        }
        works
    }

    /// What the state of a HEAD consists of.
    pub(super) fn add_state(&mut self, head: &Head, need: &Need) {
        for reference in head.log_objects() {
            self.need(Part::Log(*reference), need.clone());
        }
        for table in head.runs.iter().flat_map(Tabled::of) {
            self.need(Part::Table(table), need.clone());
        }
    }

    fn need(&mut self, part: Part, need: Need) {
        self.add(Work {
            part,
            needs: vec![need],
        });
    }

    pub(super) fn add(&mut self, work: Work) {
        let same_name = self.0.entry((work.part.folder(), work.part.name())).or_default();
        match same_name.iter_mut().find(|known| known.part == work.part) {
            None => same_name.push(work),
            Some(known) => {
                for need in work.needs {
                    if !known.needs.contains(&need) {
                        known.needs.push(need);
                    }
                }
            }
        }
    }

    pub(super) fn contains(&self, work: &Work) -> bool {
        let same_name = self.0.get(&(work.part.folder(), work.part.name()));
        same_name.is_some_and(|works| works.iter().any(|known| known.part == work.part))
    }

    /// Takes out what `done` has.
    pub(super) fn remove(&mut self, done: &Self) {
        for works in self.0.values_mut() {
            works.retain(|work| !done.contains(work));
        }
    }

    pub(super) fn into_list(self) -> Vec<Work> {
        self.0.into_values().flatten().collect()
    }

    pub(super) fn list(&self) -> impl Iterator<Item = &Work> {
        self.0.values().flatten()
    }
}

/// Does the same to all of these, some at once, and returns what came of it in their order. The first error ends it.
pub(super) async fn side_by_side<T, R, F>(
    items: Vec<T>,
    work: impl Fn(T) -> F,
    mut step: impl FnMut(&R),
) -> Result<Vec<R>>
where
    R: Send + 'static,
    F: Future<Output = Result<R>> + Send + 'static,
{
    let mut left = items.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut results = BTreeMap::new();
    loop {
        while running.len() < AT_ONCE
            && let Some((place, item)) = left.next()
        {
            let one = work(item);
            running.spawn(async move { (place, one.await) });
        }
        match running.join_next().await {
            None => return Ok(results.into_values().collect()),
            Some(Ok((place, result))) => {
                let result = result?;
                step(&result);
                results.insert(place, result);
            }
            Some(Err(stopped)) => {
                let message = format!("reading was stopped: {stopped}");
                return Err(Error::new(ErrorKind::Closed, message));
            }
        }
    }
}
