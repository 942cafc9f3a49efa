//! Everything at one moment, and one step from it to the next.

use std::sync::Arc;

use crate::{
    caller::Caller,
    configuration::{Budget, Configuration},
    handle::Handle,
    head::Head,
    history::History,
    store::Store,
};

/// A snapshot that somebody reads from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reader {
    pub(crate) head: Arc<Head>,
    /// Older than the retention: it may be told `SnapshotExpired`.
    pub(crate) expired: bool,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) handles: Vec<Handle>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) readers: Vec<Reader>,
    pub(crate) budget: Budget,
    /// The retention has passed since HEAD named its list.
    pub(crate) retention_over: bool,
    pub(crate) history: History,
}

impl State {
    pub(crate) fn first(configuration: &Configuration) -> Self {
        let store = Store::new();
        let handle = Handle::open(Arc::clone(&store.head));
        Self {
            handles: vec![handle; configuration.handles],
            callers: vec![Caller::new(); configuration.transactions.len()],
            readers: Vec::new(),
            budget: configuration.budget,
            retention_over: false,
            history: History::default(),
            store,
        }
    }
}

/// A state in the making.
pub(crate) struct Step<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) state: State,
}
