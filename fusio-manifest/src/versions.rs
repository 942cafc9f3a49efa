//! The newest version of every key in a range, deletions included: an overlay and runs, merged as a stream.

use std::{collections::VecDeque, ops::Bound, sync::Arc};

use tokio::sync::Semaphore;

use crate::{
    access::Purpose,
    head::Run,
    immutable::Unread,
    key_range::KeyRange,
    run::{Direction, RunCursor, SPAN_BLOCKS_MAX},
    spawned::Spawned,
    state::State,
    table_store::TableStore,
    version::Entry,
};

/// How many entries are taken from an overlay at once.
const OVERLAY_BATCH: usize = 256;
/// Requests on the wire at once, of all runs together.
const ON_THE_WIRE: usize = 4;
/// Requests that were sent and whose blocks are not begun: more than are on the wire, because answers come out of order
/// and the first of them is waited for.
const AHEAD_MAX: usize = 2 * ON_THE_WIRE;

/// Entries in the order of their keys, each once, in its newest version.
#[derive(Debug)]
pub(crate) struct Versions {
    direction: Direction,
    /// Newest first.
    sources: Vec<Source>,
    /// How many blocks the next request asks for, and how many requests go ahead: the more the longer it is read.
    span: usize,
}

/// Where versions come from.
#[derive(Debug)]
struct Source {
    from: From,
    /// Its next entry; none at its end.
    next: Option<Entry>,
}

#[derive(Debug)]
enum From {
    Overlay(OverlayCursor),
    // Boxed: much larger, and moved when all of them are begun at once.
    Run(Box<RunCursor>),
}

impl From {
    fn run(&self) -> Option<&RunCursor> {
        match self {
            Self::Overlay(_) => None,
            Self::Run(cursor) => Some(cursor),
        }
    }

    /// The next entry, if it takes no request.
    fn at_hand(&mut self) -> Option<Entry> {
        match self {
            Self::Overlay(cursor) => cursor.next(),
            Self::Run(cursor) => cursor.at_hand(),
        }
    }
}

impl Versions {
    /// Of a state.
    pub(crate) async fn of(
        state: &Arc<State>,
        store: &Arc<TableStore>,
        range: &KeyRange,
        direction: Direction,
    ) -> Result<Self, Unread> {
        let overlay = From::Overlay(OverlayCursor {
            state: Arc::clone(state),
            rest: range.clone(),
            direction,
            batch: VecDeque::new(),
        });
        let runs = cursors(
            state.runs_to_read().iter(),
            store,
            range,
            direction,
            Purpose::Path,
        );
        // A short range is read by few requests.
        Self::begin(std::iter::once(overlay).chain(runs), direction, 1).await
    }

    /// Of these runs alone, newest first.
    pub(crate) async fn of_runs(runs: &[Run], store: &Arc<TableStore>) -> Result<Self, Unread> {
        let direction = Direction::Forward;
        let range = KeyRange::all();
        let runs = cursors(runs.iter(), store, &range, direction, Purpose::Maintenance);
        Self::begin(runs, direction, SPAN_BLOCKS_MAX).await
    }

    /// Asks all runs for their first entries at once.
    async fn begin(
        sources: impl Iterator<Item = From>,
        direction: Direction,
        span: usize,
    ) -> Result<Self, Unread> {
        enum Begun {
            Here(Source),
            Beside(Spawned<Result<Source, Unread>>),
        }
        let begin = |from: From| match from {
            From::Overlay(mut cursor) => Begun::Here(Source {
                next: cursor.next(),
                from: From::Overlay(cursor),
            }),
            From::Run(mut cursor) => Begun::Beside(Spawned::new(async move {
                let next = cursor.next(span).await?;
                let from = From::Run(cursor);
                Ok(Source { from, next })
            })),
        };
        let begun: Vec<Begun> = sources.map(begin).collect();
        let mut sources = Vec::with_capacity(begun.len());
        for source in begun {
            sources.push(match source {
                Begun::Here(source) => source,
                Begun::Beside(source) => source.join().await??,
            });
        }
        Ok(Self {
            direction,
            sources,
            span,
        })
    }

    /// The next entry; `None` at the end. After an error the reader has to be made anew: entries may be missing.
    pub(crate) async fn next(&mut self) -> Result<Option<Entry>, Unread> {
        let Some(place) = self.newest_of_first_key() else {
            return Ok(None);
        };
        let Some(entry) = self.sources.get_mut(place).and_then(|source| source.next.take()) else {
            return Ok(None);
        };
        // All that hold this key move on.
        for older in place + 1..self.sources.len() {
            let next = self.sources.get(older).and_then(|source| source.next.as_ref());
            if next.is_some_and(|next| next.key == entry.key) {
                self.move_on(older).await?;
            }
        }
        self.move_on(place).await?;
        Ok(Some(entry))
    }

    async fn move_on(&mut self, place: usize) -> Result<(), Unread> {
        let at_hand = self
            .sources
            .get_mut(place)
            .and_then(|source| source.from.at_hand());
        let next = match at_hand {
            Some(entry) => Some(entry),
            None => self.fetch(place).await?,
        };
        if let Some(source) = self.sources.get_mut(place) {
            source.next = next;
        }
        Ok(())
    }

    /// The next entry of a source that has none at hand; none at its end.
    async fn fetch(&mut self, place: usize) -> Result<Option<Entry>, Unread> {
        self.span = (self.span * 2).min(SPAN_BLOCKS_MAX);
        self.ask_ahead().await?;
        match self.sources.get_mut(place).map(|source| &mut source.from) {
            Some(From::Run(cursor)) => cursor.next(self.span).await,
            Some(From::Overlay(_)) | None => Ok(None),
        }
    }

    /// Sends requests until enough are ahead, in the order in which what they ask for is needed, whichever run has it. The
    /// runs of a manifest are of different sizes: so many for each would leave the largest one waiting for its own, and
    /// the others with blocks that nobody needs for long.
    async fn ask_ahead(&mut self) -> Result<(), Unread> {
        let most = self.span.min(AHEAD_MAX);
        loop {
            let cursors = self.sources.iter().filter_map(|source| source.from.run());
            let ahead: usize = cursors.map(RunCursor::asked_ahead).sum();
            if ahead >= most {
                return Ok(());
            }
            let direction = self.direction;
            let cursors = self
                .sources
                .iter_mut()
                .filter_map(|source| match &mut source.from {
                    From::Overlay(_) => None,
                    From::Run(cursor) => Some(cursor),
                });
            let needed_first = cursors
                .filter(|cursor| cursor.unasked().is_some())
                .min_by(|a, b| match direction {
                    Direction::Forward => a.unasked().cmp(&b.unasked()),
                    Direction::Backward => b.unasked().cmp(&a.unasked()),
                });
            // Who needs a footer first waits for it when nothing else comes before.
            match needed_first {
                Some(cursor) if cursor.can_ask() => cursor.ask(self.span).await?,
                _ => return Ok(()),
            };
        }
    }

    /// The newest source that holds the key which comes first.
    fn newest_of_first_key(&self) -> Option<usize> {
        let mut first: Option<(usize, &Entry)> = None;
        for (place, source) in self.sources.iter().enumerate() {
            let Some(next) = &source.next else { continue };
            let comes_first = first.is_none_or(|(_, entry)| match self.direction {
                Direction::Forward => next.key < entry.key,
                Direction::Backward => next.key > entry.key,
            });
            if comes_first {
                first = Some((place, next));
            }
        }
        first.map(|(place, _)| place)
    }
}

fn cursors<'a>(
    runs: impl Iterator<Item = &'a Run>,
    store: &Arc<TableStore>,
    range: &KeyRange,
    direction: Direction,
    purpose: Purpose,
) -> impl Iterator<Item = From> {
    let slots = Arc::new(Semaphore::new(ON_THE_WIRE));
    runs.map(move |run| {
        let (store, slots) = (Arc::clone(store), Arc::clone(&slots));
        let cursor = RunCursor::new(store, run, range.clone(), direction, purpose, slots);
        From::Run(Box::new(cursor))
    })
}

/// Reads an overlay, a batch at a time: it is not copied.
#[derive(Debug)]
struct OverlayCursor {
    state: Arc<State>,
    rest: KeyRange,
    direction: Direction,
    batch: VecDeque<Entry>,
}

impl OverlayCursor {
    fn next(&mut self) -> Option<Entry> {
        if self.batch.is_empty() {
            self.fill();
        }
        self.batch.pop_front()
    }

    fn fill(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let bounds = (self.rest.start.clone(), self.rest.end.clone());
        let range = self.state.overlay.range(bounds);
        let entry = |(key, version): (&bytes::Bytes, &crate::version::Version)| Entry {
            key: key.clone(),
            version: version.clone(),
        };
        match self.direction {
            Direction::Forward => self.batch.extend(range.take(OVERLAY_BATCH).map(entry)),
            Direction::Backward => self.batch.extend(range.rev().take(OVERLAY_BATCH).map(entry)),
        }
        if let Some(last) = self.batch.back() {
            let last = Bound::Excluded(last.key.clone());
            match self.direction {
                Direction::Forward => self.rest.start = last,
                Direction::Backward => self.rest.end = last,
            }
        }
    }
}
