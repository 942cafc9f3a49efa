//! A `Store` that lies, over one in memory.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use fusio_manifest::{
    MemoryStore, Store, StoreError, StoreErrorKind,
    store::{BoxFuture, ETag, GetAnswer, GetOptions, ListPage, ListedObject, PutMode},
};

use crate::world::HEAD;

/// What a store lies about, once it has turned.
#[derive(Debug, Clone)]
pub(crate) enum Lie {
    /// A PUT of HEAD is applied, and this is the ETag that it is answered with.
    PutHasETag(String),
    /// The ETag of HEAD's base, also after it was replaced.
    PutHasOldETag,
    /// HEAD has this ETag by every GET; a PUT that is made on it is let through.
    HeadHasETag(String),
    /// Another ETag at each GET of HEAD.
    HeadChangesETag,
    NotModifiedToAll,
    /// Every GET gives these bytes under the key's own ETag.
    Instead(Bytes),
    /// GETs of HEAD give these.
    HeadIs(Bytes),
    /// So many zeros after the end of every object, whatever the caller takes.
    Longer(usize),
    /// HEAD is longer by each GET.
    Grows,
    /// One byte less.
    Shorter,
    /// A range that begins a byte later.
    Shifted,
    /// Of requests of this kind.
    NeverAnswers(&'static str),
    /// This status to all requests of this kind.
    Status(&'static str, u16),
    List(Listed),
    /// Of the PUT of anything but HEAD nothing is known but that its answer came from somebody else; whether it is stored.
    Unbelievable(bool),
    /// Acknowledges deletions and deletes nothing.
    DeletesNothing,
    Date(Option<u64>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Listed {
    FirstPageForEver,
    OutsidePrefix,
    Disordered,
    AMillionAPage,
    Endless,
    EmptyAndMore,
    /// It is empty.
    Nothing,
}

#[derive(Clone)]
pub(crate) struct Liar {
    inner: MemoryStore,
    lie: Lie,
    turned: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    /// The most that was asked for in one GET; `u64::MAX` if one had no bound.
    pub(crate) asked: Arc<AtomicU64>,
}

impl Liar {
    pub(crate) fn over(inner: MemoryStore, lie: Lie) -> Self {
        Self {
            inner,
            lie,
            turned: Arc::default(),
            count: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// From now on it lies.
    pub(crate) fn turn(&self) {
        self.turned(true);
    }

    /// Whether it lies.
    pub(crate) fn turned(&self, lies: bool) {
        self.turned.store(lies, Ordering::SeqCst);
    }

    fn lie(&self) -> Option<&Lie> {
        self.turned.load(Ordering::SeqCst).then_some(&self.lie)
    }

    async fn refusal(&self, operation: &'static str, key: &str) -> Option<StoreError> {
        match self.lie()? {
            Lie::NeverAnswers(which) if *which == operation || *which == "any" => {
                std::future::pending::<()>().await;
                None
            }
            Lie::Status(which, status) if *which == operation || *which == "any" => {
                let kind = StoreError::kind_of_status(*status);
                let error = StoreError::new(kind, operation, key, format!("HTTP {status}"));
                Some(error.with_status(*status))
            }
            _ => None,
        }
    }

    async fn get_lying(&self, key: &str, options: GetOptions) -> Result<GetAnswer, StoreError> {
        self.asked
            .fetch_max(options.most().unwrap_or(u64::MAX), Ordering::SeqCst);
        if let Some(error) = self.refusal("GET", key).await {
            return Err(error);
        }
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let Some(lie) = self.lie() else {
            return self.inner.get(key, options).await;
        };
        let is_head = key == HEAD;
        let about_bytes = match lie {
            Lie::HeadHasETag(_) | Lie::HeadChangesETag | Lie::HeadIs(_) | Lie::Grows => is_head,
            Lie::Instead(_) | Lie::Longer(1..) | Lie::Shorter => true,
            _ => false,
        };
        let unbounded = GetOptions {
            bytes_max: None,
            if_none_match: options.if_none_match.clone().filter(|_| !about_bytes),
            range: options.range.clone(),
        };
        if matches!(lie, Lie::NotModifiedToAll) {
            return Ok(GetAnswer::NotModified);
        }
        let (bytes, etag) = match self.inner.get(key, unbounded).await? {
            GetAnswer::NotModified => return Ok(GetAnswer::NotModified),
            GetAnswer::Found { bytes, etag } => (bytes, etag),
        };
        let longer = |by: usize| Bytes::from([bytes.as_ref(), &vec![0; by]].concat());
        let (bytes, etag) = match lie {
            Lie::HeadHasETag(etag) if is_head => (bytes, ETag::new(etag.as_str())),
            Lie::HeadChangesETag if is_head => (bytes, ETag::new(format!("\"{number}\""))),
            Lie::Instead(other) => (other.clone(), etag),
            Lie::HeadIs(other) if is_head => (other.clone(), ETag::new("\"other\"")),
            Lie::Longer(by) => (longer(*by), etag),
            Lie::Grows if is_head => (longer(usize::try_from(number).unwrap() * 100_000), etag),
            Lie::Shorter => (bytes.slice(..bytes.len() - 1), etag),
            Lie::Shifted if options.range.is_some() => (Bytes::from([&bytes[1..], b"x"].concat()), etag),
            _ => (bytes, etag),
        };
        Ok(GetAnswer::Found { bytes, etag })
    }

    async fn put_lying(&self, key: &str, body: Bytes, mode: PutMode) -> Result<ETag, StoreError> {
        if let Some(error) = self.refusal("PUT", key).await {
            return Err(error);
        }
        if let Some(Lie::Unbelievable(stored)) = self.lie()
            && key != HEAD
        {
            if *stored {
                self.inner.put(key, body, mode).await?;
            }
            let message = "answered by a portal";
            return Err(StoreError::new(StoreErrorKind::Unexpected, "PUT", key, message));
        }
        let base = match &mode {
            PutMode::Update(base) => Some(base.clone()),
            PutMode::Create | PutMode::Overwrite => None,
        };
        let mode = match (self.lie(), &mode) {
            (Some(Lie::HeadHasETag(made_up)), PutMode::Update(etag)) if etag.as_str() == made_up => {
                PutMode::Overwrite
            }
            _ => mode,
        };
        let etag = self.inner.put(key, body, mode).await?;
        match (self.lie(), base) {
            (Some(Lie::PutHasETag(other)), Some(_)) => Ok(ETag::new(other.as_str())),
            (Some(Lie::HeadHasETag(other)), Some(_)) => Ok(ETag::new(other.as_str())),
            (Some(Lie::PutHasOldETag), Some(base)) => Ok(base),
            _ => Ok(etag),
        }
    }

    async fn list_lying(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
        if let Some(error) = self.refusal("LIST", prefix).await {
            return Err(error);
        }
        let Some(Lie::List(listed)) = self.lie() else {
            return self.inner.list(prefix, after).await;
        };
        let object = |key: String| ListedObject { key, bytes: 7 };
        let page = |objects, more| Ok(ListPage { objects, more });
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        match listed {
            Listed::FirstPageForEver => {
                let honest = self.inner.list(prefix, None).await?;
                page(honest.objects, true)
            }
            Listed::OutsidePrefix => page(vec![object("zzz/elsewhere".to_owned())], false),
            Listed::Disordered => {
                let mut honest = self.inner.list(prefix, None).await?;
                honest.objects.reverse();
                page(honest.objects, false)
            }
            Listed::AMillionAPage => {
                let keys = (0..1_000_000).map(|number| object(format!("{prefix}{number:09}")));
                page(keys.collect(), true)
            }
            Listed::Endless => page(vec![object(format!("{prefix}{number:020}"))], true),
            Listed::EmptyAndMore => page(Vec::new(), true),
            Listed::Nothing => page(Vec::new(), false),
        }
    }
}

impl Store for Liar {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(self.get_lying(key, options))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.put_lying(key, body, mode))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let first = keys.first().map_or("", String::as_str);
            match (self.refusal("DELETE", first).await, self.lie()) {
                (Some(error), _) => Err(error),
                (None, Some(Lie::DeletesNothing)) => Ok(()),
                (None, _) => self.inner.delete(keys).await,
            }
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        Box::pin(self.list_lying(prefix, after))
    }

    fn describe(&self) -> String {
        "a lying store".to_owned()
    }

    fn date(&self) -> Option<u64> {
        match self.lie() {
            Some(Lie::Date(date)) => *date,
            _ => self.inner.date(),
        }
    }
}

impl fmt::Debug for Liar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.describe())
    }
}
