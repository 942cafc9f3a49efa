//! A store whose requests for HEAD, log objects and tables go wrong as a script says.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use fusio_manifest::{
    MemoryStore, Store, StoreError, StoreErrorKind,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode},
};

use crate::support::pause;

pub(crate) use fault::{Fault, Gate, Hook};

mod fault;

struct Scripted {
    fault: Fault,
    then: Option<Hook>,
}

/// The requests for one kind of object: what is to happen to those that come, and those that came.
#[derive(Default)]
struct Lane {
    puts: VecDeque<Scripted>,
    gets: VecDeque<Scripted>,
    sent: Vec<(String, Bytes)>,
    read: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Head,
    Log,
    Table,
}

impl Kind {
    fn of(key: &str) -> Option<Self> {
        match key {
            head if head.ends_with("/HEAD") => Some(Self::Head),
            log if log.contains("/log/") => Some(Self::Log),
            table if table.contains("/table/") => Some(Self::Table),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Script {
    lanes: [Lane; 3],
    late: Vec<(String, Bytes, PutMode)>,
    tables_refused: bool,
}

impl Script {
    fn lane(&mut self, kind: Kind) -> &mut Lane {
        &mut self.lanes[kind as usize]
    }
}

/// A store that passes everything on but what its script has a fault for. Clones share the script.
#[derive(Clone)]
pub(crate) struct FaultyStore {
    inner: MemoryStore,
    script: Arc<parking_lot::Mutex<Script>>,
    latency: Duration,
}

impl FaultyStore {
    pub(crate) fn over(inner: MemoryStore) -> Self {
        Self {
            inner,
            script: Arc::default(),
            latency: Duration::ZERO,
        }
    }

    /// The same, with every request for HEAD, a log object or a table taking this long.
    pub(crate) fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// The fault of the next PUT of HEAD that has none yet.
    pub(crate) fn on_put(&self, fault: Fault) {
        self.script_put(Kind::Head, fault, None);
    }

    /// The same, with what happens before its answer.
    pub(crate) fn on_put_then(&self, fault: Fault, then: Hook) {
        self.script_put(Kind::Head, fault, Some(then));
    }

    /// The fault of the next GET of HEAD that has none yet.
    pub(crate) fn on_get(&self, fault: Fault) {
        self.script_get(Kind::Head, fault, None);
    }

    /// The same, with what happens before its answer.
    pub(crate) fn on_get_then(&self, fault: Fault, then: Hook) {
        self.script_get(Kind::Head, fault, Some(then));
    }

    /// The fault of the next PUT of a log object that has none yet.
    pub(crate) fn on_log_put(&self, fault: Fault) {
        self.script_put(Kind::Log, fault, None);
    }

    /// The same, with what happens before its answer.
    pub(crate) fn on_log_put_then(&self, fault: Fault, then: Hook) {
        self.script_put(Kind::Log, fault, Some(then));
    }

    /// The fault of the next GET of a log object that has none yet.
    pub(crate) fn on_log_get(&self, fault: Fault) {
        self.script_get(Kind::Log, fault, None);
    }

    /// The fault of the next PUT of a table that has none yet.
    pub(crate) fn on_table_put(&self, fault: Fault) {
        self.script_put(Kind::Table, fault, None);
    }

    /// The fault of the next GET of a table, or of a part of one, that has none yet.
    pub(crate) fn on_table_get(&self, fault: Fault) {
        self.script_get(Kind::Table, fault, None);
    }

    /// No table can be written any more.
    pub(crate) fn refuse_tables(&self) {
        self.script.lock().tables_refused = true;
    }

    fn script_put(&self, kind: Kind, fault: Fault, then: Option<Hook>) {
        let scripted = Scripted { fault, then };
        self.script.lock().lane(kind).puts.push_back(scripted);
    }

    fn script_get(&self, kind: Kind, fault: Fault, then: Option<Hook>) {
        let scripted = Scripted { fault, then };
        self.script.lock().lane(kind).gets.push_back(scripted);
    }

    /// Forgets the faults that did not come to pass.
    pub(crate) fn heal(&self) {
        let mut script = self.script.lock();
        script.tables_refused = false;
        for lane in &mut script.lanes {
            lane.puts.clear();
            lane.gets.clear();
        }
    }

    /// Lets the requests arrive that are late.
    pub(crate) async fn deliver_late(&self) -> Vec<Result<ETag, StoreError>> {
        let late = std::mem::take(&mut self.script.lock().late);
        let mut answers = Vec::new();
        for (key, body, mode) in late {
            answers.push(self.inner.put(&key, body, mode).await);
        }
        answers
    }

    /// The bodies of the PUTs of HEAD so far.
    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        let mut script = self.script.lock();
        let sent = &script.lane(Kind::Head).sent;
        sent.iter().map(|(_, body)| body.clone()).collect()
    }

    /// How many GETs of HEAD were sent so far.
    pub(crate) fn looks(&self) -> usize {
        self.script.lock().lane(Kind::Head).read
    }

    /// The keys of the PUTs of log objects so far.
    pub(crate) fn log_puts(&self) -> Vec<String> {
        let mut script = self.script.lock();
        let sent = &script.lane(Kind::Log).sent;
        sent.iter().map(|(key, _)| key.clone()).collect()
    }

    /// The keys of the PUTs of tables so far.
    pub(crate) fn table_puts(&self) -> Vec<String> {
        let mut script = self.script.lock();
        let sent = &script.lane(Kind::Table).sent;
        sent.iter().map(|(key, _)| key.clone()).collect()
    }

    /// How many GETs of tables, or of parts of them, were sent so far.
    pub(crate) fn table_reads(&self) -> usize {
        self.script.lock().lane(Kind::Table).read
    }

    /// How many GETs of log objects were sent so far.
    pub(crate) fn log_reads(&self) -> usize {
        self.script.lock().lane(Kind::Log).read
    }

    pub(crate) fn forget_requests(&self) {
        for lane in &mut self.script.lock().lanes {
            lane.sent.clear();
            lane.read = 0;
        }
    }

    async fn put_scripted(
        &self,
        kind: Kind,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<ETag, StoreError> {
        let scripted = {
            let mut script = self.script.lock();
            let lane = script.lane(kind);
            lane.sent.push((key.to_owned(), body.clone()));
            let scripted = lane.puts.pop_front();
            if matches!(kind, Kind::Table) && script.tables_refused {
                return Err(status("PUT", key, 403));
            }
            scripted
        };
        pause_if(self.latency).await;
        let apply = async || self.inner.put(key, body.clone(), mode.clone()).await;
        let Some(Scripted { fault, then }) = scripted else {
            return apply().await;
        };
        let answer = match &fault {
            Fault::Pass | Fault::Shows(..) | Fault::HoldAfter(_) => apply().await,
            Fault::LostRequest => Err(failed("PUT", key, StoreErrorKind::Timeout)),
            Fault::ConnectionBefore => Err(failed("PUT", key, StoreErrorKind::Connection)),
            Fault::StatusBefore(code) => Err(status("PUT", key, *code)),
            Fault::LostReply => apply()
                .await
                .and_then(|_| Err(failed("PUT", key, StoreErrorKind::Timeout))),
            Fault::ConnectionAfter => apply()
                .await
                .and_then(|_| Err(failed("PUT", key, StoreErrorKind::Connection))),
            Fault::StatusAfter(code) => apply().await.and_then(|_| Err(status("PUT", key, *code))),
            Fault::Replay => {
                let _first = apply().await;
                apply().await
            }
            Fault::Late | Fault::ReplayRaces(_) => {
                self.script
                    .lock()
                    .late
                    .push((key.to_owned(), body.clone(), mode.clone()));
                Err(match fault {
                    Fault::ReplayRaces(code) => status("PUT", key, code),
                    _ => failed("PUT", key, StoreErrorKind::Timeout),
                })
            }
            Fault::Delay(span) => {
                pause_if(*span).await;
                apply().await
            }
            Fault::HoldBefore(gate) => {
                gate.pass().await;
                apply().await
            }
        };
        run(then).await;
        if let Fault::HoldAfter(gate) = &fault {
            gate.pass().await;
        }
        answer
    }

    async fn get_scripted(
        &self,
        kind: Kind,
        key: &str,
        options: GetOptions,
    ) -> Result<GetAnswer, StoreError> {
        let scripted = {
            let mut script = self.script.lock();
            let lane = script.lane(kind);
            lane.read += 1;
            lane.gets.pop_front()
        };
        pause_if(self.latency).await;
        let apply = async || self.inner.get(key, options.clone()).await;
        let Some(Scripted { fault, then }) = scripted else {
            return apply().await;
        };
        let answer = match &fault {
            Fault::Pass | Fault::HoldAfter(_) | Fault::Replay => apply().await,
            Fault::LostRequest | Fault::LostReply | Fault::Late => {
                Err(failed("GET", key, StoreErrorKind::Timeout))
            }
            Fault::ConnectionBefore | Fault::ConnectionAfter => {
                Err(failed("GET", key, StoreErrorKind::Connection))
            }
            Fault::StatusBefore(code) | Fault::StatusAfter(code) | Fault::ReplayRaces(code) => {
                Err(status("GET", key, *code))
            }
            Fault::Delay(span) => {
                pause_if(*span).await;
                apply().await
            }
            Fault::HoldBefore(gate) => {
                gate.pass().await;
                apply().await
            }
            Fault::Shows(_, etag) if options.if_none_match.as_ref() == Some(etag) => {
                Ok(GetAnswer::NotModified)
            }
            Fault::Shows(bytes, etag) => Ok(GetAnswer::Found {
                bytes: bytes.clone(),
                etag: etag.clone(),
            }),
        };
        run(then).await;
        if let Fault::HoldAfter(gate) = &fault {
            gate.pass().await;
        }
        answer
    }
}

async fn run(then: Option<Hook>) {
    if let Some(then) = then {
        then().await;
    }
}

async fn pause_if(span: Duration) {
    if !span.is_zero() {
        pause(span).await;
    }
}

fn failed(operation: &'static str, key: &str, kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, operation, key, "scripted")
}

fn status(operation: &'static str, key: &str, code: u16) -> StoreError {
    failed(operation, key, StoreError::kind_of_status(code)).with_status(code)
}

impl Store for FaultyStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        match Kind::of(key) {
            Some(kind) => Box::pin(self.get_scripted(kind, key, options)),
            None => self.inner.get(key, options),
        }
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        match Kind::of(key) {
            Some(kind) => Box::pin(self.put_scripted(kind, key, body, mode)),
            None => self.inner.put(key, body, mode),
        }
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.delete(keys)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        self.inner.list(prefix, after)
    }

    fn describe(&self) -> String {
        "faulty memory".to_owned()
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
