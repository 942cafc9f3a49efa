//! The newest version of every key in a range, deletions included: an overlay and runs, merged as a stream.

use std::{collections::VecDeque, ops::Bound, sync::Arc};

use crate::{
    access::Purpose,
    head::Run,
    immutable::Unread,
    key_range::KeyRange,
    run::{Direction, RunCursor},
    spawned::Spawned,
    state::State,
    table_store::TableStore,
    version::Entry,
};

/// How many entries are taken from an overlay at once.
const OVERLAY_BATCH: usize = 256;

/// Entries in the order of their keys, each once, in its newest version.
#[derive(Debug)]
pub(crate) struct Versions {
    direction: Direction,
    /// Newest first.
    sources: Vec<Source>,
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
    async fn next(&mut self) -> Result<Option<Entry>, Unread> {
        match self {
            Self::Overlay(cursor) => Ok(cursor.next()),
            Self::Run(cursor) => cursor.next().await,
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
        Self::begin(std::iter::once(overlay).chain(runs), direction).await
    }

    /// Of these runs alone, newest first.
    pub(crate) async fn of_runs(runs: &[Run], store: &Arc<TableStore>) -> Result<Self, Unread> {
        let direction = Direction::Forward;
        let range = KeyRange::all();
        let runs = cursors(runs.iter(), store, &range, direction, Purpose::Maintenance);
        Self::begin(runs, direction).await
    }

    /// Asks all runs for their first entries at once.
    async fn begin(sources: impl Iterator<Item = From>, direction: Direction) -> Result<Self, Unread> {
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
                let next = cursor.next().await?;
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
        Ok(Self { direction, sources })
    }

    /// The next entry; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Entry>, Unread> {
        let Some(place) = self.newest_of_first_key() else {
            return Ok(None);
        };
        let Some(entry) = self.sources.get(place).and_then(|source| source.next.clone()) else {
            return Ok(None);
        };
        // Only once all that hold this key have moved on is it passed on, so that an error loses nothing.
        for source in self.sources.iter_mut().rev() {
            if source.next.as_ref().is_some_and(|next| next.key == entry.key) {
                source.next = source.from.next().await?;
            }
        }
        Ok(Some(entry))
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
    runs.map(move |run| {
        let cursor = RunCursor::new(Arc::clone(store), run, range.clone(), direction, purpose);
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
