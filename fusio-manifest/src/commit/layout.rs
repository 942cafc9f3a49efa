//! How the members of a batch stand in the next HEAD: inline, or in log objects; and what has to be done first
//! where they do not fit.

use std::{ops::Range, sync::Arc};

use super::{Submission, stored::Stored};
use crate::{
    error::{Error, ErrorKind},
    frame::FormatError,
    head::{Change, Head, InlineCommit, LogItem},
    id::Nonce,
    limits::{HEAD_BYTES_MAX, LOG_OBJECTS_MAX},
    log_store::Logged,
    mutant::{Broken, Mutant},
    state::State,
};

/// What a reference takes in HEAD, at most.
const REFERENCE_BYTES: usize = 96;
/// What the rest of a HEAD may grow by from one to the next: one more nonce, longer numbers.
const GROWTH_BYTES: usize = 64;

/// What goes into one log object of a batch, about.
const PIECE_BYTES: u64 = 1024 * 1024;

/// The members of a batch as items of the log.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) items: Vec<LogItem>,
    /// The log objects among them.
    pub(super) logged: Logged,
    inline_bytes: usize,
    /// The members, as ranges, that stand inline one behind the other; none writes much more than a piece, so that one
    /// member that drops out does not make all others go to new objects.
    pub(super) stretches: Vec<Range<usize>>,
    /// Some member is too large to stand in HEAD.
    too_large: bool,
}

/// What HEAD has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Its bytes beside inline commits.
    pub(super) fixed: usize,
    /// Its bytes of inline commits.
    pub(super) inline: usize,
    /// How many of them a spill would move out; 0 if none can be made.
    pub(super) spillable: usize,
    /// Its log objects.
    pub(super) objects: usize,
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Put it into HEAD as it is.
    Send,
    /// Wait until a spill has made room.
    AwaitSpill,
    /// Write what would stand inline to a log object first.
    Upload,
    /// HEAD can name no more log objects.
    Refuse,
}

impl Layout {
    /// Lays out `members` behind the last commit of `head`.
    pub(super) fn of(members: &[Submission], head: &Head, broken: Broken) -> Self {
        let mut layout = Self::default();
        let mut next_txn = head.last_txn.saturating_add(1);
        let mut rest = members;
        let mut stretch_bytes = 0;
        while let Some((member, others)) = rest.split_first() {
            match member
                .stored
                .as_ref()
                .and_then(|stored| held(stored, rest, head, broken))
            {
                Some((stored, behind)) => {
                    let reference = stored.at(next_txn);
                    next_txn = next_txn.saturating_add(u64::from(reference.count));
                    layout
                        .logged
                        .insert(reference.object.name, Arc::clone(&stored.content));
                    layout.items.push(LogItem::Object(reference));
                    rest = behind;
                }
                None => {
                    let prepared = &member.prepared;
                    let commit = InlineCommit::new(next_txn, prepared.id, prepared.writes.clone());
                    next_txn = next_txn.saturating_add(1);
                    layout.inline_bytes += commit.encoded_bytes();
                    layout.too_large |= prepared.bytes() > head.settings.transaction_inline_bytes;
                    stretch_bytes += prepared.bytes();
                    let at = members.len() - rest.len();
                    match layout.stretches.last_mut() {
                        Some(last) if last.end == at && stretch_bytes <= PIECE_BYTES => last.end += 1,
                        _ => {
                            stretch_bytes = 0;
                            layout.stretches.push(at..at + 1);
                        }
                    }
                    layout.items.push(LogItem::Inline(Arc::new(commit)));
                    rest = others;
                }
            }
        }
        layout
    }

    /// What to do with it where HEAD has this room.
    pub(super) fn step(&self, room: &Room) -> Step {
        let inline = self
            .items
            .iter()
            .filter(|item| matches!(item, LogItem::Inline(_)));
        let (inline, items) = (inline.count(), self.items.len());
        let references = items - inline;
        let fits = |inline_before: usize, inline_bytes: usize, references: usize| {
            room.fixed + GROWTH_BYTES + inline_before + inline_bytes + references * REFERENCE_BYTES
                <= HEAD_BYTES_MAX
        };
        // Who names no object has nothing to fear from there being as many as HEAD can name.
        if references > 0 && room.objects + references > LOG_OBJECTS_MAX {
            return Step::Refuse;
        }
        if !self.too_large && fits(room.inline, self.inline_bytes, references) {
            return Step::Send;
        }
        let after_spill = room.inline.saturating_sub(room.spillable);
        if !self.too_large && room.spillable > 0 && fits(after_spill, self.inline_bytes, references) {
            return Step::AwaitSpill;
        }
        let uploaded = references + self.stretches.len();
        match inline > 0 && room.objects + uploaded <= LOG_OBJECTS_MAX {
            true if fits(room.inline, 0, uploaded) || room.spillable == 0 => Step::Upload,
            _ if room.spillable > 0 => Step::AwaitSpill,
            true | false => Step::Refuse,
        }
    }

    /// The change of HEAD that it makes, together with what `maintenance` does.
    pub(super) fn change(&self, maintenance: Change) -> Change {
        Change {
            items: self.items.clone(),
            ..maintenance
        }
    }
}

impl Room {
    /// The room in the HEAD that follows `state`, once what `maintenance` does is done.
    pub(super) fn after(state: &State, maintenance: &Change, spillable: usize) -> Self {
        // What cannot be built is told by who sends it.
        let next = maintenance.maintains().then(|| {
            let next = state.head.replaced(Nonce::from_bits(0), maintenance)?;
            let bytes = next.encode()?.len();
            Ok::<_, FormatError>((bytes, next))
        });
        let (bytes, head) = match &next {
            Some(Ok((bytes, next))) => (*bytes, next),
            Some(Err(_)) | None => (state.head_bytes, &state.head),
        };
        let inline = head.inline_bytes();
        Self {
            fixed: bytes.saturating_sub(inline),
            inline,
            spillable,
            objects: head.log_objects().count(),
        }
    }

    /// True if there is room at all.
    pub(super) fn is_left(&self) -> bool {
        self.fixed + GROWTH_BYTES + self.inline <= HEAD_BYTES_MAX
    }
}

/// Nothing more can be named: what a commit is told then.
pub(super) fn full() -> Error {
    Error::new(
        ErrorKind::Full,
        format!(
            "no room: HEAD names {LOG_OBJECTS_MAX} log objects already, the most that it may, because they could not be \
             folded: see what the store says of tables"
        ),
    )
}

/// The members behind those that `stored` holds, if the batch begins with all of these, in its order.
///
/// A log object whose transactions did not all come through validation again can no longer be named; nor can one
/// behind the collector's fence.
fn held<'a>(
    stored: &'a Arc<Stored>,
    members: &'a [Submission],
    head: &Head,
    broken: Broken,
) -> Option<(&'a Arc<Stored>, &'a [Submission])> {
    if broken.by(Mutant::ObjectNamedWithoutMember) {
        let others = |member: &Submission| !member.stored.as_ref().is_some_and(|it| Arc::ptr_eq(it, stored));
        return Some((
            stored,
            members
                .split_at(members.iter().position(others).unwrap_or(members.len()))
                .1,
        ));
    }
    let count = stored.content.commits.len();
    let (these, behind) = members.split_at_checked(count)?;
    let same = stored
        .ids()
        .zip(these)
        .all(|(id, member)| member.prepared.id == id);
    (same && stored.object.name.epoch >= head.epoch).then_some((stored, behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        head::{LogReference, ObjectReference},
        id::{Nonce, ObjectName, TransactionId},
    };

    fn layout(inline: usize, inline_bytes: usize, references: usize) -> Layout {
        let commit = Arc::new(InlineCommit::new(1, TransactionId::from_bits(1), Vec::new()));
        let name = ObjectName {
            epoch: 1,
            nonce: Nonce::from_bits(1),
        };
        let object = ObjectReference {
            name,
            bytes: 0,
            crc32c: 0,
        };
        let reference = LogReference::new(1, &[TransactionId::from_bits(1)], object);
        let mut items = vec![LogItem::Inline(commit); inline];
        items.extend(vec![LogItem::Object(reference); references]);
        Layout {
            items,
            inline_bytes,
            stretches: (inline > 0).then_some(0..inline).into_iter().collect(),
            ..Layout::default()
        }
    }

    const EMPTY: Room = Room {
        fixed: 1_000,
        inline: 0,
        spillable: 0,
        objects: 0,
    };

    #[test]
    fn what_fits_is_sent() {
        assert_eq!(layout(1, 100, 0).step(&EMPTY), Step::Send);
        let full = HEAD_BYTES_MAX - EMPTY.fixed - GROWTH_BYTES;
        assert_eq!(layout(9, full, 0).step(&EMPTY), Step::Send);
        assert_eq!(layout(9, full + 1, 0).step(&EMPTY), Step::Upload);
    }

    #[test]
    fn a_spill_is_waited_for_where_it_makes_room() {
        let crowded = Room {
            inline: HEAD_BYTES_MAX - 2_000,
            spillable: HEAD_BYTES_MAX - 20_000,
            ..EMPTY
        };
        assert_eq!(layout(9, 10_000, 0).step(&crowded), Step::AwaitSpill);
        // Too much even then: a log object, which HEAD has room to name at once.
        assert_eq!(layout(9, HEAD_BYTES_MAX, 0).step(&crowded), Step::Upload);
        // No room to name anything.
        let tight = Room {
            inline: HEAD_BYTES_MAX - 1_050,
            ..crowded
        };
        assert_eq!(layout(9, HEAD_BYTES_MAX, 0).step(&tight), Step::AwaitSpill);
        assert_eq!(layout(0, 0, 1).step(&tight), Step::AwaitSpill);
    }

    #[test]
    fn what_is_too_large_to_stand_inline_is_written_apart() {
        let large = Layout {
            too_large: true,
            ..layout(1, 20_000, 0)
        };
        assert_eq!(large.step(&EMPTY), Step::Upload);
        // All in one object, however large: HEAD can name one more.
        let larger = Layout {
            too_large: true,
            ..layout(5, 3 << 20, 0)
        };
        let objects = LOG_OBJECTS_MAX - 1;
        assert_eq!(larger.step(&Room { objects, ..EMPTY }), Step::Upload);
    }

    #[test]
    fn head_names_so_many_objects_and_no_more() {
        let room = |objects| Room { objects, ..EMPTY };
        assert_eq!(layout(0, 0, 1).step(&room(LOG_OBJECTS_MAX - 1)), Step::Send);
        assert_eq!(layout(0, 0, 1).step(&room(LOG_OBJECTS_MAX)), Step::Refuse);
        assert_eq!(
            layout(1, HEAD_BYTES_MAX, 0).step(&room(LOG_OBJECTS_MAX)),
            Step::Refuse
        );
        assert_eq!(layout(1, 100, 0).step(&room(LOG_OBJECTS_MAX)), Step::Send);
        assert_eq!(layout(1, 100, 0).step(&room(LOG_OBJECTS_MAX + 1)), Step::Send);
    }
}
