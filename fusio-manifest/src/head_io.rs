//! Requests for HEAD: the look (a conditional GET, and the log objects that it names and nobody here has seen)
//! and the PUT.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

use crate::{
    access::{Access, Purpose, patience, unread, whole_head},
    clock::Moment,
    error::{Error, ErrorKind, Result},
    head::{Head, Pin},
    head_cache::{Author, Certified, HeadCache, Sent},
    id::ObjectName,
    immutable::Unread,
    log_store::LogStore,
    run,
    spawned::Spawned,
    state::{State, unseen},
    store::{ETag, GetAnswer, PutMode, StoreError, StoreErrorKind},
    table_store::TableStore,
    version::Version,
};

#[derive(Debug)]
pub(crate) struct HeadIo {
    pub(crate) access: Arc<Access>,
    pub(crate) log: Arc<LogStore>,
    pub(crate) tables: Arc<TableStore>,
    pub(crate) cache: HeadCache,
    /// A task brings the runs that reads use up to date.
    catching_up: AtomicBool,
}

/// The answer to a PUT of HEAD.
#[derive(Debug)]
pub(crate) struct PutAnswer {
    /// When the base was seen last before it was sent.
    pub(crate) base_seen: Moment,
    pub(crate) sent: Sent,
    pub(crate) duration: Duration,
    pub(crate) result: Result<ETag, StoreError>,
}

impl HeadIo {
    pub(crate) fn new(
        access: Arc<Access>,
        log: Arc<LogStore>,
        tables: Arc<TableStore>,
        cache: HeadCache,
    ) -> Arc<Self> {
        Arc::new(Self {
            access,
            log,
            tables,
            cache,
            catching_up: AtomicBool::new(false),
        })
    }

    /// Looks at HEAD: one GET, and one more round trip where this handle is further behind than HEAD's tail.
    /// Requests are repeated only if the store asks for patience or does not answer.
    pub(crate) async fn look(self: &Arc<Self>, deadline: Moment) -> Result<Certified> {
        self.look_and_show(deadline, |_, _| {}).await
    }

    /// The same; each HEAD that is new here is shown to `show` before its log objects are read, which may take long
    /// or fail.
    pub(crate) async fn look_and_show(
        self: &Arc<Self>,
        deadline: Moment,
        mut show: impl FnMut(&Head, &ETag),
    ) -> Result<Certified> {
        let mut backoff = patience();
        let mut gone = Gone::default();
        loop {
            let Certified {
                state: known,
                sent: seen,
            } = self.cache.current()?;
            let sent = self.cache.sent();
            let options = whole_head(Some(known.etag.clone()));
            let key = self.access.keys.head();
            match self.access.get(key, options, deadline, Purpose::Path).await {
                Ok(GetAnswer::NotModified) => {
                    self.observe_get(sent);
                    return self.cache.certify(&known, sent);
                }
                Ok(GetAnswer::Found { bytes, etag }) => {
                    self.observe_get(sent);
                    let fetched = Fetched::decode(key, bytes, etag)?;
                    if !self.cache.is_news(&fetched.head, sent)? {
                        fetched.check_etag(&self.access)?;
                        return self.cache.nothing_new(&fetched.head, &fetched.etag, sent);
                    }
                    show(&fetched.head, &fetched.etag);
                    // What it shows is shown; but nothing can be committed on the condition that it stands.
                    fetched.check_etag(&self.access)?;
                    // Meanwhile it may have changed over to newer runs, or others have learnt more.
                    let newest = self.cache.current()?.state;
                    let base = match newest.head.revision < fetched.head.revision {
                        true => newest,
                        false => known,
                    };
                    match fetched.into_state(&self.log, Some(&base), deadline).await {
                        Ok(mut state) => {
                            // What HEAD has not named for half that long may be collected soon.
                            let old = sent.at.saturating_sub(seen.at) > state.head.settings.retention / 2;
                            if old && state.lags() {
                                state = state.caught_up();
                            }
                            let certified = self.cache.install(state, sent, Author::Somebody)?;
                            self.log.settled(&certified.state.head);
                            self.catch_up(&certified.state);
                            return Ok(certified);
                        }
                        Err(Unread::Gone(name)) => gone.again(&self.access, name)?,
                        Err(Unread::Failed(error)) => return Err(error),
                    }
                }
                Err(error) if error.kind == StoreErrorKind::NotFound => return Err(self.head_lost(error)),
                Err(error) => {
                    if !error.is_transient() || !self.access.wait(&mut backoff, deadline).await? {
                        return Err(unread("looking at HEAD", key, error));
                    }
                }
            }
        }
    }

    /// Brings the runs that reads use up to date, beside them: first what reading the new ones takes, then the change.
    pub(crate) fn catch_up(self: &Arc<Self>, state: &State) {
        if !state.lags() || self.catching_up.swap(true, Ordering::SeqCst) {
            return;
        }
        let io = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                while let Ok(Certified { state, .. }) = io.cache.current()
                    && state.lags()
                {
                    for load in io.tables.warm(&state.head.runs) {
                        // It has told why, if it failed; who needs the footer asks again.
                        let _ = load.join().await;
                    }
                    io.catch_up_now();
                }
                io.catching_up.store(false, Ordering::SeqCst);
                // Who came between the last look and this line has found the task still there.
                let lags = io.cache.current().is_ok_and(|certified| certified.state.lags());
                if !lags || io.catching_up.swap(true, Ordering::SeqCst) {
                    break;
                }
            }
        });
    }

    /// The same at once: footers are loaded by who needs them.
    pub(crate) fn catch_up_now(&self) {
        // Each failure means that a newer state has come.
        while let Ok(Certified { state, .. }) = self.cache.current()
            && state.lags()
            && !self.cache.exchange(&state, state.caught_up())
        {}
    }

    /// The newest version of a key in a state.
    pub(crate) async fn version(self: &Arc<Self>, state: &State, key: &[u8]) -> Result<Option<Version>> {
        if let Some(version) = state.overlay.get(key) {
            return Ok(Some(version.clone()));
        }
        let deadline = self.tables.deadline();
        match run::find(&self.tables, state.runs_to_read(), key, deadline).await {
            Ok(version) => Ok(version),
            Err(unread) => Err(Box::pin(self.unreadable(unread, deadline)).await),
        }
    }

    /// Begins to read what a state holds of a key, if that takes a request.
    pub(crate) fn read_ahead(self: &Arc<Self>, key: &[u8]) -> Option<Spawned<()>> {
        let state = self.cache.current().ok()?.state;
        let unread =
            !state.overlay.contains_key(key) && run::is_unread(&self.tables, state.runs_to_read(), key);
        unread.then(|| {
            let (io, key) = (Arc::clone(self), key.to_vec());
            Spawned::new(async move {
                let deadline = io.tables.deadline();
                // Who reads it after the look at HEAD shares the request, or asks again and is told.
                let _ = run::find(&io.tables, state.runs_to_read(), &key, deadline).await;
            })
        })
    }

    /// Why a table could not be read. One that is gone was collected, unless HEAD still names it.
    pub(crate) async fn unreadable(self: &Arc<Self>, unread: Unread, deadline: Moment) -> Error {
        let name = match unread {
            Unread::Failed(error) => return error,
            Unread::Gone(name) => name,
        };
        let newest = match self.look(deadline).await {
            Ok(certified) => certified.state,
            Err(error) => return error,
        };
        let mut tables = newest.head.runs.iter().flat_map(|run| &run.tables);
        if tables.any(|table| table.object.name == name) {
            return lost(&self.access, "table", name);
        }
        // Whoever begins again must not begin on the same runs.
        self.catch_up_now();
        Error::new(
            ErrorKind::SnapshotExpired,
            format!("table {name} is gone: the state that is read is older than the retention; begin again"),
        )
    }

    /// The same of a state that a pin keeps, which HEAD's own references do not tell of.
    pub(crate) async fn unreadable_though_pinned(self: &Arc<Self>, pin: Option<&Pin>, error: Error) -> Error {
        let Some(pin) = pin.filter(|_| error.kind() == ErrorKind::SnapshotExpired) else {
            return error;
        };
        match Box::pin(self.look(self.tables.deadline())).await {
            Ok(newest) if newest.state.head.pins.contains(pin) => Error::new(
                ErrorKind::Corrupt,
                format!(
                    "pin {:?} needs an object that somebody deleted from {}: {error}",
                    pin.name,
                    self.access.store.describe()
                ),
            ),
            Ok(_) => error,
            Err(failed) => failed,
        }
    }

    fn observe_get(&self, sent: Sent) {
        let latency = self.access.clock.now().saturating_sub(sent.at);
        self.cache.observe_get(latency);
    }

    /// Sends one PUT of HEAD, on the condition that it still has `base`'s ETag.
    pub(crate) async fn put(&self, body: Bytes, base: &ETag, purpose: Purpose) -> PutAnswer {
        let sent = self.cache.sent();
        let base_seen = self.cache.seen(base).unwrap_or(sent.at);
        let mode = PutMode::Update(base.clone());
        let key = self.access.keys.head();
        let limit = self.access.request_timeout;
        let result = self.access.put(key, body, mode, purpose, limit).await;
        // An ETag that can be no condition, or that the bytes before had, shows that the answer is not about this PUT.
        // What it says besides is not believed either: HEAD itself tells.
        let result = result.and_then(|etag| match etag.flaw() {
            Some(flaw) => Err(useless(key, &format!("an ETag {flaw}"))),
            None if etag == *base => Err(useless(key, "the ETag of what was replaced")),
            None => Ok(etag),
        });
        let duration = self.access.clock.now().saturating_sub(sent.at);
        if result.is_ok() {
            self.cache.observe_put(duration);
        }
        PutAnswer {
            base_seen,
            sent,
            duration,
            result,
        }
    }

    pub(crate) fn head_lost(&self, error: StoreError) -> Error {
        Error::from_store_as(
            ErrorKind::HeadLost,
            format!(
                "HEAD of an open manifest is gone from {}; it is never made anew",
                self.access.store.describe()
            ),
            error,
        )
    }
}

/// The answer to a PUT of HEAD that nothing can be based on.
pub(crate) fn useless(key: &str, what: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unexpected,
        "PUT",
        key,
        format!("answered with {what}"),
    )
}

/// The log objects that were missing where HEAD named them.
#[derive(Debug, Default)]
pub(crate) struct Gone(Vec<ObjectName>);

impl Gone {
    /// HEAD may have moved on while the object was read, so it is looked at again; an object that HEAD still
    /// names then is lost.
    pub(crate) fn again(&mut self, access: &Access, name: ObjectName) -> Result<()> {
        if self.0.contains(&name) {
            return Err(lost(access, "log object", name));
        }
        self.0.push(name);
        Ok(())
    }
}

/// An object that HEAD names is not there.
pub(crate) fn lost(access: &Access, what: &str, name: ObjectName) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!(
            "{what} {name} is gone from {}, and HEAD at \"{}\" still names it: somebody deleted it; restore it, or the \
             commits in it are lost",
            access.store.describe(),
            access.keys.head()
        ),
    )
}

/// A HEAD as it was read.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) head: Head,
    pub(crate) etag: ETag,
    bytes: usize,
}

impl Fetched {
    pub(crate) fn decode(key: &str, bytes: Bytes, etag: ETag) -> Result<Self> {
        let length = bytes.len();
        let head = Head::decode(bytes).map_err(|error| error.in_object(key))?;
        Ok(Self {
            head,
            etag,
            bytes: length,
        })
    }

    /// An error if nothing could be committed on the condition that HEAD has this ETag.
    pub(crate) fn check_etag(&self, access: &Access) -> Result<()> {
        let Some(flaw) = self.etag.flaw() else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::UnfitStore,
            format!(
                "{} gives \"{}\" an ETag {flaw}: no commit can be made on it",
                access.store.describe(),
                access.keys.head()
            ),
        ))
    }

    /// The state that it stands for, with the log objects read that `known`, an earlier state of the same
    /// manifest, has not seen.
    pub(crate) async fn into_state(
        self,
        log: &Arc<LogStore>,
        known: Option<&State>,
        deadline: Moment,
    ) -> Result<State, Unread> {
        let Self { head, etag, bytes } = self;
        let missing = unseen(&head, known.map_or(0, |known| known.head.last_txn));
        let logged = log
            .load_all(head.manifest, missing, deadline, Purpose::Path)
            .await?;
        let state = match known {
            Some(known) => known.follow(head, etag, bytes, &logged),
            None => State::build(head, etag, bytes, &logged),
        };
        Ok(state?)
    }
}
