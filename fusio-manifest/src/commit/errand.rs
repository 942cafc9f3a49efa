//! Changes of HEAD that somebody waits for and that commit nothing: pins. They ride along with commits; where nobody
//! commits a HEAD is sent for them alone.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::oneshot;

use super::{body::Body, publish::Published, wire::Wire};
use crate::{
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::{Change, Edit, Objection},
    limits::HEAD_BYTES_MAX,
    log_store::Logged,
    state::State,
};

/// What an edit adds to HEAD at most.
pub(super) const EDIT_BYTES: usize = 256;

/// Made, or why it cannot be.
pub(super) type Answer = Result<Option<Objection>>;

#[derive(Debug)]
pub(super) struct Errand {
    pub(super) edit: Edit,
    pub(super) deadline: Moment,
    pub(super) reply: oneshot::Sender<Answer>,
}

#[derive(Debug, Default)]
pub(super) struct Errands(VecDeque<Errand>);

impl Errands {
    pub(super) fn push(&mut self, errand: Errand) {
        self.0.push_back(errand);
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(errand) = self.0.pop_front() {
            // Nobody may be waiting any more.
            let _ = errand.reply.send(answer);
        }
    }

    /// What the HEAD that follows `state` should carry; those that it cannot are told why.
    pub(super) fn edit(&mut self, state: &State, now: Moment) -> Option<(Edit, Moment)> {
        while let Some(errand) = self.0.front() {
            match state.head.objection(&errand.edit) {
                Some(Objection::Made) => self.answer(Ok(None)),
                Some(objection) => self.answer(Ok(Some(objection))),
                None if now >= errand.deadline => self.answer(Err(Error::new(
                    ErrorKind::Unavailable,
                    "the deadline passed before HEAD could be replaced; it was not done",
                ))),
                None if matches!(errand.edit, Edit::AddPin(_)) && !has_room(state) => {
                    self.answer(Ok(Some(Objection::NoRoom)));
                }
                None => return Some((errand.edit.clone(), errand.deadline)),
            }
        }
        None
    }

    /// A HEAD that carries `edit` has landed: true if it was an errand.
    fn made(&mut self, edit: &Edit) -> bool {
        let ours = self.are_at(edit);
        if ours {
            self.answer(Ok(None));
        }
        ours
    }

    /// True if the next one is this.
    fn are_at(&self, edit: &Edit) -> bool {
        self.0.front().is_some_and(|errand| errand.edit == *edit)
    }

    /// What became of a HEAD with `edit` is an error, or not known.
    fn failed(&mut self, edit: &Edit, error: Error) {
        if self.are_at(edit) {
            self.answer(Err(error));
        }
    }
}

/// True if the HEAD that follows has room for an edit.
fn has_room(state: &State) -> bool {
    state.head_bytes + EDIT_BYTES <= HEAD_BYTES_MAX
}

impl Wire {
    /// What the HEAD that follows `state` carries beside commits and what was written: what somebody waits for, else the
    /// next step of a collection.
    pub(super) fn edit_for(&mut self, state: &State, asked: bool) -> Option<Edit> {
        let now = self.io.access.clock.now();
        if let Some((edit, _)) = self.errands.edit(state, now) {
            return Some(edit);
        }
        let edit = match asked || self.begins_beside {
            true => self.collector.edit(&state.head, asked),
            false => self.collector.begun(&state.head),
        };
        edit.filter(|edit| !matches!(edit, Edit::NameList(_)) || has_room(state))
    }

    /// Sends a HEAD for the next errand alone; false if there is none.
    pub(super) async fn run_errand(&mut self) -> bool {
        let now = self.io.access.clock.now();
        let base = match self.writable_state() {
            Ok(base) => base,
            Err(error) => {
                while !self.errands.0.is_empty() {
                    self.errands.answer(Err(error.clone()));
                }
                return false;
            }
        };
        let Some((edit, deadline)) = self.errands.edit(&base, now) else {
            return false;
        };
        let change = Change {
            edit: Some(edit.clone()),
            ..Change::default()
        };
        if let Err(error) = self.send_alone(base, &change, deadline).await {
            self.errands.failed(&edit, error);
        }
        true
    }

    /// Sends a HEAD that commits nothing. Losing its race is no error.
    pub(super) async fn send_alone(
        &mut self,
        base: Arc<State>,
        change: &Change,
        deadline: Moment,
    ) -> Result<()> {
        let nonce = self.nonce()?;
        let body = Body::build(base, nonce, change, None, Logged::new())?;
        self.before_sending(&body);
        match self.publisher.publish(&body, &[], deadline).await {
            Published::Landed { sent, certified } => {
                self.edited(&body);
                if let Some(certified) = certified {
                    self.refresher.serve_waiting(sent, &certified);
                }
                self.upkeep.landed();
                Ok(())
            }
            Published::Lost => Ok(()),
            Published::Refused(error) => Err(error),
            Published::Unknown(_) if self.is_over(&body) => Ok(()),
            Published::Unknown(cause) => Err(unknown(&cause)),
        }
    }

    /// True of a body that HEAD has moved past, further than it keeps nonces: whether it landed or lost, it never will any
    /// more, and what stands in HEAD now tells what is left to do. Of an errand somebody waits to be told.
    fn is_over(&self, body: &Body) -> bool {
        let current = self.io.cache.current();
        let moved = current.is_ok_and(|current| current.state.head.revision > body.base.head.revision);
        let awaited = body.edit.as_ref().is_some_and(|edit| self.errands.are_at(edit));
        moved && !awaited
    }

    /// The edit that `body` carries is in HEAD.
    pub(super) fn edited(&mut self, body: &Body) {
        if let Some(edit) = &body.edit
            && !self.errands.made(edit)
        {
            self.collector.landed(edit, &body.head);
        }
    }

    /// What became of `body` is not known, or it was refused: so is what it carried beside its commits.
    pub(super) fn not_edited(&mut self, body: &Body, error: impl FnOnce() -> Error) {
        if let Some(edit) = &body.edit {
            self.errands.failed(edit, error());
        }
    }
}

pub(super) fn unknown(cause: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("whether a HEAD that only maintains has landed is unknown: {cause}"),
    )
}
