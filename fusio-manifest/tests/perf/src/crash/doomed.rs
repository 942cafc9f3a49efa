//! A store whose process dies at a point that it was told of: SIGKILL, sent to itself, before a request or after its answer.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use fusio_manifest::{
    StoreError, StoreErrorKind,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, PutMode, Store},
};
use parking_lot::Mutex;

use super::{
    journal::{Event, Journal},
    order::Role,
    points::{Point, Side, Step},
    stored_head::StoredHead,
};

/// A log object of at least so many bytes is a large transaction: what is spilled is less.
pub(super) const LARGE_BYTES: usize = 32 * 1024;

/// HEADs that are remembered, to tell what the next one changes.
const HEADS_MAX: usize = 16;

/// What the process does just now, where requests alone do not tell.
#[derive(Debug, Default)]
pub(super) struct Phase(AtomicU8);

impl Phase {
    const CREATING: u8 = 1;
    const DESTROYING: u8 = 2;

    pub(super) fn creating(&self) {
        self.0.store(Self::CREATING, Ordering::Relaxed);
    }

    pub(super) fn destroying(&self) {
        self.0.store(Self::DESTROYING, Ordering::Relaxed);
    }

    pub(super) fn neither(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A request, as the store is asked it.
enum Request<'a> {
    Get(&'a str, &'a GetOptions),
    Put(&'a str, &'a Bytes, &'a PutMode),
    Delete(&'a [String]),
    List,
    Versioning,
}

/// Forwards every request, until it kills its process.
pub(super) struct DoomedStore {
    inner: Arc<dyn Store>,
    role: Role,
    phase: Arc<Phase>,
    points: BTreeSet<Point>,
    watch: Mutex<Watch>,
    journal: Arc<Journal>,
}

impl fmt::Debug for DoomedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DoomedStore")
            .field(&self.inner.describe())
            .finish()
    }
}

impl DoomedStore {
    pub(super) fn new(
        inner: Arc<dyn Store>,
        role: Role,
        phase: Arc<Phase>,
        points: BTreeSet<Point>,
        journal: Arc<Journal>,
    ) -> Self {
        Self {
            inner,
            role,
            phase,
            points,
            watch: Mutex::default(),
            journal,
        }
    }

    /// What a request is for; nothing where nobody is to die.
    fn steps(&self, request: &Request<'_>) -> Vec<Step> {
        if self.points.is_empty() {
            return Vec::new();
        }
        match self.phase.0.load(Ordering::Relaxed) {
            Phase::CREATING => created_by(request).into_iter().collect(),
            Phase::DESTROYING => destroyed_by(request).into_iter().collect(),
            _ => self.watch.lock().steps(self.role, request),
        }
    }

    fn die_at(&self, side: Side, steps: &[Step]) {
        let points = steps.iter().map(|step| Point { step: *step, side });
        if let Some(point) = points.into_iter().find(|point| self.points.contains(point)) {
            self.journal.put_down(&Event::Dies {
                point: point.to_string(),
            });
            kill_this_process();
        }
    }

    async fn send<A>(
        &self,
        request: &Request<'_>,
        sent: BoxFuture<'_, Result<A, StoreError>>,
    ) -> Result<A, StoreError> {
        let steps = self.steps(request);
        self.die_at(Side::Before, &steps);
        let answer = sent.await;
        // A PUT that was refused did nothing.
        let done = match (&answer, request) {
            (Ok(_), _) => true,
            (Err(_), Request::Put(..)) => false,
            (Err(error), _) => error.is_definite(),
        };
        if done {
            self.die_at(Side::After, &steps);
        }
        answer
    }
}

impl Store for DoomedStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(async move {
            let request = Request::Get(key, &options);
            let answer = self.send(&request, self.inner.get(key, options.clone())).await;
            if let Ok(GetAnswer::Found { bytes, etag }) = &answer {
                self.saw(key, bytes, etag);
            }
            answer
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            let request = Request::Put(key, &body, &mode);
            let answer = self
                .send(&request, self.inner.put(key, body.clone(), mode.clone()))
                .await;
            match &answer {
                Ok(etag) => self.saw(key, &body, etag),
                Err(error) if is_head(key) && error.kind == StoreErrorKind::PreconditionFailed => {
                    self.watch.lock().lost = true;
                }
                Err(_) => {}
            }
            answer
        })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.send(&Request::Delete(keys), self.inner.delete(keys)).await })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        Box::pin(async move { self.send(&Request::List, self.inner.list(prefix, after)).await })
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn date(&self) -> Option<u64> {
        self.inner.date()
    }

    fn warning(&self) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async move { self.send(&Request::Versioning, self.inner.warning()).await })
    }
}

impl DoomedStore {
    fn saw(&self, key: &str, body: &Bytes, etag: &ETag) {
        if !self.points.is_empty() && is_head(key) {
            self.watch.lock().saw(body, etag);
        }
    }
}

/// What was seen so far, by which the next request is told from others of its kind.
#[derive(Debug, Default)]
struct Watch {
    heads: VecDeque<(ETag, StoredHead)>,
    /// The last replacement of HEAD was lost, and HEAD was not looked at since.
    lost: bool,
    /// Tables whose blocks were read.
    read: BTreeSet<String>,
}

impl Watch {
    fn saw(&mut self, body: &Bytes, etag: &ETag) {
        self.lost = false;
        let Some(head) = StoredHead::decode(body.clone()) else {
            return;
        };
        // What is not live any more is not being merged.
        self.read.retain(|key| head.footer_offset(key).is_some());
        self.heads.push_back((etag.clone(), head));
        if self.heads.len() > HEADS_MAX {
            self.heads.pop_front();
        }
    }

    fn newest(&self) -> Option<&StoredHead> {
        let heads = self.heads.iter().map(|(_, head)| head);
        heads.max_by_key(|head| head.revision())
    }

    fn steps(&mut self, role: Role, request: &Request<'_>) -> Vec<Step> {
        let step = match request {
            Request::Get(key, _) if is_head(key) => match self.lost {
                true => Step::LookAfterLostRace,
                false => Step::Look,
            },
            Request::Get(key, options) => match (folder(key), role) {
                ("log", _) => Step::CatchUp,
                ("table", Role::Maintainer) if self.reads_blocks(key, options) => Step::MergeRead,
                ("table", _) => Step::ReadTable,
                ("pin", Role::Reader) => Step::OpenPin,
                ("pin", _) => Step::ReadPinned,
                ("list", _) => Step::ReadList,
                _ => return Vec::new(),
            },
            Request::Put(key, body, PutMode::Update(base)) if is_head(key) => {
                return self.head_steps(body, base);
            }
            Request::Put(key, body, _) => match folder(key) {
                "log" if body.len() >= LARGE_BYTES => Step::LargeLog,
                "log" => Step::SpillLog,
                "table" if self.read.is_empty() => Step::FoldTable,
                "table" => Step::MergeTable,
                "pin" => Step::PinCopy,
                "list" => Step::PutList,
                _ => return Vec::new(),
            },
            Request::Delete(_) if self.newest().is_some_and(StoredHead::collects) => Step::DeleteObjects,
            Request::Delete(_) => Step::DeleteList,
            Request::List => Step::CollectList,
            Request::Versioning => return Vec::new(),
        };
        vec![step]
    }

    /// True of a merge's request: one for a footer is anybody's.
    fn reads_blocks(&mut self, key: &str, options: &GetOptions) -> bool {
        let start = options.range.as_ref().map_or(0, |range| range.start);
        let footer = self.newest().and_then(|head| head.footer_offset(key));
        let blocks = footer.is_some_and(|footer| start < footer);
        if blocks {
            self.read.insert(key.to_owned());
        }
        blocks
    }

    fn head_steps(&self, body: &Bytes, base: &ETag) -> Vec<Step> {
        let base = self.heads.iter().find(|(etag, _)| etag == base);
        let Some(((_, base), head)) = base.zip(StoredHead::decode(body.clone())) else {
            return Vec::new();
        };
        let differs = head.differences(base);
        let steps = [
            (differs.commits, Step::CommitHead),
            (differs.large_commits, Step::LargeHead),
            (differs.spill, Step::SpillHead),
            (differs.fold, Step::FoldHead),
            (differs.merge, Step::MergeHead),
            (differs.fence, Step::FenceHead),
            (differs.list_named, Step::NameListHead),
            (differs.list_condemned, Step::CondemnHead),
            (differs.list_dropped, Step::DropListHead),
            (differs.pin_added, Step::PinHead),
            (differs.pin_removed, Step::ReleaseHead),
        ];
        steps
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, step)| step)
            .collect()
    }
}

fn created_by(request: &Request<'_>) -> Option<Step> {
    Some(match request {
        Request::Get(key, _) if is_head(key) => Step::CreateLook,
        Request::Put(key, _, _) if is_head(key) => Step::CreateHead,
        Request::Put(key, _, _) if key.contains("/probe-") => Step::ProbePut,
        Request::Delete(_) => Step::ProbeDelete,
        Request::List => Step::CreateList,
        Request::Versioning => Step::CreateVersioning,
        Request::Get(..) | Request::Put(..) => return None,
    })
}

fn destroyed_by(request: &Request<'_>) -> Option<Step> {
    Some(match request {
        Request::Get(key, _) if is_head(key) => Step::DestroyLook,
        Request::Delete([key]) if is_head(key) => Step::DestroyHead,
        Request::Delete(_) => Step::DestroyObjects,
        Request::List => Step::DestroyList,
        Request::Get(..) | Request::Put(..) | Request::Versioning => return None,
    })
}

fn is_head(key: &str) -> bool {
    key.ends_with("/HEAD")
}

/// What kind of object a key is of.
fn folder(key: &str) -> &str {
    key.rsplit('/').nth(1).unwrap_or_default()
}

/// What nobody can catch or tidy up after.
fn kill_this_process() -> ! {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::KILL);
    }
    // Not reached where there are signals.
    std::process::abort()
}
