//! Which step of a collection is due, by what HEAD and the store's Date say.

use crate::head::{Collection, Head};

/// The store tells its Date in whole seconds.
const DATE_STEP_MS: u64 = 1_000;

/// What the collection of a manifest waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Fence,
    Condemn(Collection),
    /// To be deleted by who condemned it; by anybody, where that takes long.
    Delete(Collection, WhoDeletes),
    /// It is dated so far ahead that it would never be condemned: it is dropped, and made anew.
    Drop(Collection),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhoDeletes {
    Condemner,
    Anybody,
}

impl Due {
    /// By what HEAD says, at this Date of the store.
    pub(super) fn of(head: &Head, unix_ms: u64) -> Self {
        let retention = u64::try_from(head.settings.retention.as_millis()).unwrap_or(u64::MAX);
        let over = |since: u64, span: u64| unix_ms >= since.saturating_add(span).saturating_add(DATE_STEP_MS);
        // What a wrong Date dated so far ahead would never be over.
        let far_ahead = |since: u64| since > unix_ms.saturating_add(retention);
        match head.collection {
            None if over(head.fenced_unix_ms, retention) || far_ahead(head.fenced_unix_ms) => Self::Fence,
            None => Self::Nothing,
            Some(list) if list.condemned => {
                let late = over(list.listed_unix_ms, retention.saturating_add(retention / 4))
                    || far_ahead(list.listed_unix_ms);
                let who = if late {
                    WhoDeletes::Anybody
                } else {
                    WhoDeletes::Condemner
                };
                Self::Delete(list, who)
            }
            Some(list) if over(list.listed_unix_ms, retention) => Self::Condemn(list),
            Some(list) if far_ahead(list.listed_unix_ms) => Self::Drop(list),
            Some(_) => Self::Nothing,
        }
    }
}

/// True if there is a step of a collection to be done at this Date of the store, by whoever is asked to.
pub(crate) fn is_due(head: &Head, unix_ms: u64) -> bool {
    Due::of(head, unix_ms) != Due::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        head::ObjectReference,
        id::{ManifestId, Nonce, ObjectName},
        options::SharedSettings,
    };

    const HOUR: u64 = 3_600_000;
    const BEGAN: u64 = 1_000 * HOUR;

    fn head(collection: Option<(u64, bool)>) -> Head {
        let settings = SharedSettings::default();
        let mut head = Head::first(ManifestId::from_bits(1), Nonce::from_bits(1), settings);
        head.fenced_unix_ms = BEGAN;
        head.collection = collection.map(|(listed_unix_ms, condemned)| Collection {
            marked_revision: 1,
            list: ObjectReference {
                name: ObjectName {
                    epoch: 1,
                    nonce: Nonce::from_bits(1),
                },
                bytes: 0,
                crc32c: 0,
            },
            listed_unix_ms,
            condemned,
        });
        head
    }

    fn due(collection: Option<(u64, bool)>, unix_ms: u64) -> &'static str {
        match Due::of(&head(collection), unix_ms) {
            Due::Nothing => "nothing",
            Due::Fence => "fence",
            Due::Condemn(_) => "condemn",
            Due::Delete(_, WhoDeletes::Condemner) => "delete",
            Due::Delete(_, WhoDeletes::Anybody) => "anybody deletes",
            Due::Drop(_) => "drop",
        }
    }

    #[test]
    fn each_step_is_due_after_the_retention_and_a_second_by_the_stores_date() {
        let last = BEGAN + HOUR + DATE_STEP_MS - 1;
        assert_eq!([due(None, last), due(None, last + 1)], ["nothing", "fence"]);
        let listed = |unix_ms| due(Some((BEGAN, false)), unix_ms);
        assert_eq!([listed(last), listed(last + 1)], ["nothing", "condemn"]);
        let late = last + HOUR / 4;
        let condemned = |unix_ms| due(Some((BEGAN, true)), unix_ms);
        assert_eq!([condemned(BEGAN), condemned(late)], ["delete", "delete"]);
        assert_eq!(condemned(late + 1), "anybody deletes");
    }

    #[test]
    fn a_list_of_the_far_future_is_dropped() {
        assert_eq!(due(Some((BEGAN + HOUR, false)), BEGAN), "nothing");
        assert_eq!(due(Some((BEGAN + HOUR + 1, false)), BEGAN), "drop");
    }

    #[test]
    fn what_was_dated_far_ahead_stops_no_collection() {
        let mut head = head(None);
        for (ahead, due) in [
            (HOUR, Due::Nothing),
            (HOUR + 1, Due::Fence),
            (1_000 * HOUR, Due::Fence),
        ] {
            head.fenced_unix_ms = BEGAN + ahead;
            assert_eq!(Due::of(&head, BEGAN), due, "{ahead}");
        }
        let condemned = due(Some((BEGAN + 1_000 * HOUR, true)), BEGAN);
        assert_eq!(condemned, "anybody deletes", "who condemned it may be gone");
    }

    #[test]
    fn a_manifest_that_was_never_fenced_is_due() {
        let mut head = head(None);
        head.fenced_unix_ms = 0;
        assert_eq!(Due::of(&head, BEGAN), Due::Fence);
    }
}
