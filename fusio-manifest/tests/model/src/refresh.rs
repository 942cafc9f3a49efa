//! Fresh reads and the looks that serve them (`src/refresh.rs`, `src/head_cache.rs`). Looks overtake each other.

use std::sync::Arc;

use crate::{
    broken::Broken,
    head::Head,
    state::{State, Step},
};

/// A fresh read that waits for a look to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waiting {
    /// What was known when it began: less than this it must not return.
    pub(crate) floor: u8,
    /// It was there before the PUT on the wire was sent.
    pub(crate) before_put: bool,
}

/// What a look was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    /// 304: HEAD still was what the look was conditional on.
    NotModified,
    Found(Arc<Head>),
}

/// A GET of HEAD that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Look {
    /// The revision that it is conditional on.
    asked: u8,
    /// Not received yet; none before the store has taken the request.
    reply: Option<Reply>,
    /// Sent after the newest revision was received that the handle has.
    pub(crate) sent_after_newest: bool,
    /// The floors of the reads that it serves.
    serves: Vec<u8>,
}

impl Look {
    /// The same look, with another HEAD in its answer.
    pub(crate) fn exchanged(&self, head: impl Fn(&Head) -> Arc<Head>) -> Self {
        let reply = self.reply.as_ref().map(|reply| match reply {
            Reply::NotModified => Reply::NotModified,
            Reply::Found(found) => Reply::Found(head(found)),
        });
        Self {
            reply,
            ..self.clone()
        }
    }
}

impl State {
    pub(crate) fn is_answered(&self, handle: usize, look: usize) -> bool {
        self.handles[handle].looks[look].reply.is_some()
    }
}

impl Step<'_> {
    /// A fresh read begins: it sends a look, or shares the next one where enough are under way.
    pub(crate) fn read(&mut self, handle: usize) {
        self.state.budget.read -= 1;
        let floor = self.state.history.known_through;
        let in_flight = self.state.handles[handle].looks.len();
        if self.configuration.is_broken_by(Broken::ReadCached) {
            let seen = self.state.handles[handle].cache.last_txn;
            self.returned(seen, &[floor]);
        } else if in_flight < self.configuration.refreshes_in_flight {
            self.send_look(handle, vec![floor]);
        } else if self.configuration.is_broken_by(Broken::RefreshSentTooEarly) {
            if let Some(look) = self.state.handles[handle].looks.last_mut() {
                look.serves.push(floor);
            }
        } else {
            self.state.handles[handle].waiting.push(Waiting {
                floor,
                before_put: false,
            });
        }
    }

    fn send_look(&mut self, handle: usize, serves: Vec<u8>) {
        let handle = &mut self.state.handles[handle];
        handle.looks.push(Look {
            asked: handle.cache.revision,
            reply: None,
            sent_after_newest: true,
            serves,
        });
    }

    /// The store takes a look.
    pub(crate) fn answer_look(&mut self, handle: usize, look: usize) {
        let head = Arc::clone(&self.state.store.head);
        let look = &mut self.state.handles[handle].looks[look];
        look.reply = Some(match head.revision == look.asked {
            true => Reply::NotModified,
            false => Reply::Found(head),
        });
    }

    /// Its answer arrives.
    pub(crate) fn receive_look(&mut self, handle: usize, look: usize) {
        let look = self.state.handles[handle].looks.remove(look);
        let known = self.state.handles[handle].cache.revision;
        let shown = match &look.reply {
            Some(Reply::Found(head)) => head.revision,
            Some(Reply::NotModified) | None => look.asked,
        };
        let overtaken = shown < known;
        if overtaken
            && (look.sent_after_newest || self.configuration.is_broken_by(Broken::OvertakenMeansWentBack))
        {
            self.state.handles[handle].stopped = true;
            return;
        }
        if let Some(Reply::Found(head)) = &look.reply {
            if self.configuration.is_broken_by(Broken::LowerRevisionInstalled) {
                self.state.handles[handle].cache = Arc::clone(head);
            }
            self.install(handle, head);
        }
        let seen = self.state.handles[handle].cache.last_txn;
        self.returned(seen, &look.serves);
        let waiting = std::mem::take(&mut self.state.handles[handle].waiting);
        if !waiting.is_empty() {
            self.send_look(handle, waiting.into_iter().map(|read| read.floor).collect());
        }
    }

    /// An own PUT has landed: whoever waited before it was sent may use the state that it made.
    pub(crate) fn serve_who_came_before_the_put(&mut self, handle: usize) {
        let waiting = std::mem::take(&mut self.state.handles[handle].waiting);
        let (served, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|read| read.before_put);
        self.state.handles[handle].waiting = others;
        let floors: Vec<u8> = served.iter().map(|read| read.floor).collect();
        let seen = self.state.handles[handle].cache.last_txn;
        if !floors.is_empty() {
            self.returned(seen, &floors);
        }
    }

    fn returned(&mut self, seen: u8, floors: &[u8]) {
        self.state.history.stale_read |= floors.iter().any(|floor| seen < *floor);
        self.state.history.known(seen, self.configuration);
    }
}
