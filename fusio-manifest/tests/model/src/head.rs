//! HEAD: what it names, and what holds of every one of them (`src/head.rs`, `src/head/*` of the engine).

use crate::configuration::TransactionId;

/// Recognizes the HEAD of a revision: whose it is, and his how many-th on the same base.
///
/// The engine draws 128 bits. Nonces are only ever compared together with their revision, and an author's
/// attempts are counted for each base, so equal numbers mean equal bodies here too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Nonce {
    pub(crate) author: u8,
    pub(crate) attempt: u8,
}

/// An immutable object. `number` counts the names that `author` ever drew, before and after its crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectName {
    pub(crate) epoch: u8,
    pub(crate) author: u8,
    pub(crate) number: u8,
}

/// Commits `first_txn..first_txn + count`, in an object of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogReference {
    pub(crate) first_txn: u8,
    pub(crate) count: u8,
    pub(crate) object: ObjectName,
    /// Only where there is one commit.
    pub(crate) id: Option<TransactionId>,
}

impl LogReference {
    pub(crate) fn new(first_txn: u8, ids: &[TransactionId], object: ObjectName) -> Self {
        let id = match ids {
            [only] => Some(*only),
            _ => None,
        };
        Self {
            first_txn,
            count: count(ids),
            object,
            id,
        }
    }

    pub(crate) fn last_txn(&self) -> u8 {
        self.first_txn + self.count - 1
    }

    pub(crate) fn holds(&self, txn: u8) -> bool {
        (self.first_txn..=self.last_txn()).contains(&txn)
    }
}

/// How many there are: explorations have a handful of everything.
pub(crate) fn count<T>(items: &[T]) -> u8 {
    u8::try_from(items.len()).unwrap_or(u8::MAX)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LogItem {
    Inline { txn: u8, id: TransactionId },
    Object(LogReference),
}

impl LogItem {
    pub(crate) fn first_txn(&self) -> u8 {
        match self {
            Self::Inline { txn, .. } => *txn,
            Self::Object(reference) => reference.first_txn,
        }
    }

    pub(crate) fn count(&self) -> u8 {
        match self {
            Self::Inline { .. } => 1,
            Self::Object(reference) => reference.count,
        }
    }

    pub(crate) fn last_txn(&self) -> u8 {
        self.first_txn() + self.count() - 1
    }
}

/// The newest version of every key written by commits `first_txn..=last_txn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) first_txn: u8,
    pub(crate) last_txn: u8,
    pub(crate) table: ObjectName,
}

/// A state that the collector spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pin {
    pub(crate) revision: u8,
    pub(crate) object: ObjectName,
}

/// The collection under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Collection {
    pub(crate) marked_revision: u8,
    pub(crate) list: ObjectName,
    pub(crate) condemned: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Head {
    pub(crate) revision: u8,
    pub(crate) epoch: u8,
    pub(crate) last_txn: u8,
    /// The last HEADs, oldest first, this one last.
    pub(crate) nonces: Vec<(u8, Nonce)>,
    pub(crate) collected_through: u8,
    /// Oldest first.
    pub(crate) log: Vec<LogItem>,
    pub(crate) folded: Vec<LogReference>,
    /// Newest first.
    pub(crate) runs: Vec<Run>,
    pub(crate) pins: Vec<Pin>,
    pub(crate) collection: Option<Collection>,
}

/// Who took a place in the order of commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Holds(TransactionId),
    Empty,
    InObject(LogReference, usize),
    Hidden,
}

impl Head {
    pub(crate) fn first() -> Self {
        let nonce = Nonce {
            author: u8::MAX,
            attempt: 0,
        };
        Self {
            revision: 1,
            epoch: 1,
            last_txn: 0,
            nonces: vec![(1, nonce)],
            collected_through: 0,
            log: Vec::new(),
            folded: Vec::new(),
            runs: Vec::new(),
            pins: Vec::new(),
            collection: None,
        }
    }

    pub(crate) fn nonce_of(&self, revision: u8) -> Option<Nonce> {
        let mut known = self.nonces.iter();
        known.find(|(of, _)| *of == revision).map(|(_, nonce)| *nonce)
    }

    pub(crate) fn place(&self, txn: u8) -> Place {
        if txn > self.last_txn {
            return Place::Empty;
        }
        let holds = |item: &&LogItem| (item.first_txn()..=item.last_txn()).contains(&txn);
        let reference = match self.log.iter().find(holds) {
            Some(LogItem::Inline { id, .. }) => return Place::Holds(*id),
            Some(LogItem::Object(reference)) => Some(reference),
            None => self.folded.iter().find(|reference| reference.holds(txn)),
        };
        match reference {
            Some(reference) => match reference.id {
                Some(id) => Place::Holds(id),
                None => Place::InObject(*reference, usize::from(txn - reference.first_txn)),
            },
            None => Place::Hidden,
        }
    }

    /// The commits that HEAD carries itself, oldest first.
    pub(crate) fn inline_commits(&self) -> impl DoubleEndedIterator<Item = (u8, TransactionId)> {
        self.log.iter().filter_map(|item| match item {
            LogItem::Inline { txn, id } => Some((*txn, *id)),
            LogItem::Object(_) => None,
        })
    }

    /// The objects that its state consists of, as far as it names them: log objects and tables.
    pub(crate) fn state_objects(&self) -> Vec<ObjectName> {
        let log = self.log.iter().filter_map(|item| match item {
            LogItem::Inline { .. } => None,
            LogItem::Object(reference) => Some(reference.object),
        });
        log.chain(self.runs.iter().map(|run| run.table)).collect()
    }

    /// Every live object that it names.
    pub(crate) fn live_objects(&self) -> Vec<ObjectName> {
        let mut live = self.state_objects();
        live.extend(self.pins.iter().map(|pin| pin.object));
        live.extend(self.collection.iter().map(|collection| collection.list));
        live
    }

    /// I1: runs and log cover `1..=last_txn` exactly.
    pub(crate) fn commits_are_contiguous(&self) -> bool {
        let runs = self.runs.iter().rev().map(|run| (run.first_txn, run.last_txn));
        let log = self.log.iter().map(|item| (item.first_txn(), item.last_txn()));
        let mut next = 1;
        for (first, last) in runs.chain(log) {
            if first != next || last < first {
                return false;
            }
            next = last + 1;
        }
        next == self.last_txn + 1
    }

    /// Where `ids` stand inline, one behind the other, from `first_txn` on.
    pub(crate) fn inline_at(&self, first_txn: u8, ids: &[TransactionId]) -> Option<usize> {
        let start = self.log.iter().position(|item| item.first_txn() == first_txn)?;
        let items = self.log.get(start..start + ids.len())?;
        let same = items.iter().zip(ids).all(|(item, id)| match item {
            LogItem::Inline { id: standing, .. } => standing == id,
            LogItem::Object(_) => false,
        });
        same.then_some(start)
    }

    /// The last commit that its runs hold.
    pub(crate) fn folded_through(&self) -> u8 {
        self.runs.first().map_or(0, |run| run.last_txn)
    }
}
