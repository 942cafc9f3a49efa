//! The log objects that a handle has in memory, and for how long.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::OnceCell;

use super::{KEPT_BYTES_MAX, LogStore};
use crate::{
    head::{Head, LogReference},
    id::ObjectName,
    log::LogObject,
};

/// The bytes of log objects that are kept for followers which have not come to them yet: twice the largest.
const FOLLOWED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// An object that is being read, or has been and is not part of a state yet, or is wanted by a follower; or was written
/// and is not folded yet.
#[derive(Debug)]
struct Flight {
    /// The last of its commits; 0 while that is not known.
    last_txn: u64,
    bytes: u64,
    origin: Origin,
    object: Arc<OnceCell<Arc<LogObject>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Read,
    /// This handle wrote it, and no HEAD that it has seen named it yet.
    Written,
    /// The same, and HEAD names it: this handle will perhaps fold it.
    Named,
}

#[derive(Debug, Default)]
pub(super) struct Flights {
    by_name: BTreeMap<ObjectName, Flight>,
    /// The last commit of the newest state that is known.
    settled_txn: u64,
    /// The first commit that each follower still wants.
    followers: BTreeMap<u64, u64>,
    follower_ids: u64,
}

impl Flights {
    /// Who wrote an object need not read it when it is folded.
    pub(super) fn written(&mut self, name: ObjectName, bytes: u64, content: &Arc<LogObject>) {
        let flight = Flight {
            last_txn: 0,
            bytes,
            origin: Origin::Written,
            object: Arc::new(OnceCell::new_with(Some(Arc::clone(content)))),
        };
        self.by_name.insert(name, flight);
    }

    /// What whoever reads this object shares.
    pub(super) fn of(&mut self, reference: &LogReference) -> Arc<OnceCell<Arc<LogObject>>> {
        let flight = self
            .by_name
            .entry(reference.object.name)
            .or_insert_with(|| Flight {
                last_txn: reference.last_txn(),
                bytes: reference.object.bytes,
                origin: Origin::Read,
                object: Arc::default(),
            });
        Arc::clone(&flight.object)
    }

    /// The state of `head` is known.
    pub(super) fn settled(&mut self, head: &Head) {
        self.settled_txn = self.settled_txn.max(head.last_txn);
        if self.by_name.is_empty() {
            return;
        }
        let named: BTreeMap<ObjectName, u64> = head
            .log_objects()
            .map(|reference| (reference.object.name, reference.last_txn()))
            .collect();
        for (name, flight) in &mut self.by_name {
            if flight.origin == Origin::Read {
                continue;
            }
            if let Some(last_txn) = named.get(name) {
                flight.last_txn = *last_txn;
                flight.origin = Origin::Named;
            } else if flight.origin == Origin::Named || name.epoch < head.epoch {
                // It was folded; or it lies behind the collector's fence, so that no HEAD will ever name it.
                flight.origin = Origin::Read;
            }
        }
        self.let_go();
    }

    /// Lets go of what nobody needs: no look, no fold, no follower.
    fn let_go(&mut self) {
        let settled_txn = self.settled_txn;
        let wanted = self.followers.values().min().copied().unwrap_or(u64::MAX);
        let mut to_fold = 0;
        let mut followed: Vec<(u64, u64, ObjectName)> = Vec::new();
        self.by_name.retain(|name, flight| {
            // Some look waits for it.
            if flight.last_txn > settled_txn {
                return true;
            }
            if flight.origin != Origin::Read && to_fold + flight.bytes <= KEPT_BYTES_MAX {
                to_fold += flight.bytes;
                return true;
            }
            if flight.last_txn >= wanted {
                followed.push((flight.last_txn, flight.bytes, *name));
            }
            flight.last_txn >= wanted
        });
        // Those that are wanted first stay.
        followed.sort_unstable();
        let mut kept = 0;
        for (_, bytes, name) in followed {
            kept += bytes;
            if kept > FOLLOWED_BYTES_MAX {
                self.by_name.remove(&name);
            }
        }
    }
}

/// Somebody who takes commits in their order: log objects that others of the handle have read or written are kept until he
/// has come to them, so that he need not read them again.
#[derive(Debug)]
pub(crate) struct Follower {
    log: Arc<LogStore>,
    id: u64,
}

impl Follower {
    /// One who wants commits from this one on.
    pub(crate) fn new(log: Arc<LogStore>, txn: u64) -> Self {
        let id = {
            let mut flights = log.flights.lock();
            flights.follower_ids += 1;
            let id = flights.follower_ids;
            flights.followers.insert(id, txn);
            id
        };
        Self { log, id }
    }

    /// He wants no commit before this one any more.
    pub(crate) fn has_come_to(&self, txn: u64) {
        let mut flights = self.log.flights.lock();
        flights.followers.insert(self.id, txn);
        flights.let_go();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut flights = self.log.flights.lock();
        flights.followers.remove(&self.id);
        flights.let_go();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        head::ObjectReference,
        id::{ManifestId, Nonce, TransactionId},
        options::SharedSettings,
    };

    const MIB: u64 = 1 << 20;

    fn head(epoch: u64, last_txn: u64) -> Head {
        let mut head = Head::first(
            ManifestId::from_bits(1),
            Nonce::from_bits(1),
            SharedSettings::default(),
        );
        head.epoch = epoch;
        head.last_txn = last_txn;
        head
    }

    /// Of one commit of a mebibyte.
    fn reference(txn: u64) -> LogReference {
        let object = ObjectReference {
            name: ObjectName {
                epoch: 1,
                nonce: Nonce::from_bits(u128::from(1_000 - txn)),
            },
            bytes: MIB,
            crc32c: 0,
        };
        LogReference::new(txn, &[TransactionId::from_bits(1)], object)
    }

    fn kept(flights: &Flights) -> Vec<u64> {
        let mut kept: Vec<u64> = flights.by_name.values().map(|flight| flight.last_txn).collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn what_was_read_stays_while_a_follower_wants_it_and_at_most_sixteen_mebibytes_of_it() {
        let mut flights = Flights::default();
        flights.followers.insert(1, 5);
        flights.followers.insert(2, 9);
        for txn in 1..=40 {
            let _object = flights.of(&reference(txn));
        }
        flights.settled(&head(1, 39));
        let mut expected: Vec<u64> = (5..=20).collect();
        expected.push(40);
        assert_eq!(
            kept(&flights),
            expected,
            "the first wanted, and what a look waits for"
        );
        flights.followers.insert(1, 12);
        flights.settled(&head(1, 40));
        assert_eq!(kept(&flights), (9..=20).chain([40]).collect::<Vec<_>>());
        flights.followers.clear();
        flights.let_go();
        assert_eq!(kept(&flights), []);
    }

    #[test]
    fn what_no_head_can_name_any_more_is_let_go() {
        let mut flights = Flights::default();
        let object = Arc::new(LogObject { commits: Vec::new() });
        let name = |epoch| ObjectName {
            epoch,
            nonce: Nonce::from_bits(7),
        };
        flights.written(name(1), MIB, &object);
        flights.written(name(2), MIB, &object);
        flights.settled(&head(1, 0));
        assert_eq!(flights.by_name.len(), 2, "it may be about to be named");
        flights.settled(&head(2, 0));
        let left: Vec<_> = flights.by_name.keys().copied().collect();
        assert_eq!(left, [name(2)], "the other lies behind the fence");
    }

    #[test]
    fn what_was_written_and_named_stays_until_it_is_folded() {
        let mut flights = Flights::default();
        let object = Arc::new(LogObject { commits: Vec::new() });
        let named = reference(1);
        flights.written(named.object.name, MIB, &object);
        let mut head = head(1, 1);
        head.log = vec![crate::head::LogItem::Object(named)];
        flights.settled(&head);
        head.epoch = 2;
        flights.settled(&head);
        assert_eq!(kept(&flights), [1], "HEAD names it, whatever its epoch");
        head.log.clear();
        flights.settled(&head);
        assert_eq!(kept(&flights), []);
    }
}
