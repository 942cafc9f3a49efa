//! The requests of a simulated store: what each one is, and how it is applied to the objects in memory.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use fusio_manifest::{
    MemoryStore, RequestClass as Billed, StoreError, StoreErrorKind,
    store::{ETag, GetAnswer, GetOptions, ListPage, PutMode, Store as _},
};

use crate::{injection::Tampering, latency::RequestClass};

/// What the XML of a deletion holds for each key beside the key.
const XML_OF_DELETED: usize = 40;
/// What the XML of a listing holds for each object beside the key.
const XML_OF_LISTED: usize = 200;

/// A request. It owns what it needs: what has left is applied also when nobody waits for it any more.
pub(super) trait Operation: Send + Sync + 'static {
    /// What it is answered with.
    type Answer: Send + 'static;

    /// As errors name it.
    const NAME: &'static str;

    /// For latency and faults.
    fn class(&self) -> RequestClass;

    /// For the bill.
    fn billed(&self) -> Billed;

    /// The key that faults go by: of a listing the prefix, empty if an S3 request would name none in its address.
    fn key(&self) -> &str;

    /// The key that errors go by.
    fn subject(&self) -> &str {
        self.key()
    }

    /// The length of the request's body.
    fn bytes_in(&self) -> usize {
        0
    }

    /// Applies it, all at once.
    fn apply(
        &self,
        objects: &MemoryStore,
        tampering: Option<Tampering>,
    ) -> impl Future<Output = Result<Self::Answer, StoreError>> + Send;

    /// The length of the answer's body.
    fn bytes_out(_answer: &Self::Answer) -> usize {
        0
    }
}

/// Reads an object.
pub(super) struct Get {
    pub(super) key: String,
    pub(super) options: GetOptions,
}

impl Operation for Get {
    type Answer = GetAnswer;
    const NAME: &'static str = "GET";

    fn class(&self) -> RequestClass {
        RequestClass::Get
    }

    fn billed(&self) -> Billed {
        match self.options.if_none_match {
            Some(_) => Billed::ConditionalGet,
            None => Billed::Get,
        }
    }

    fn key(&self) -> &str {
        &self.key
    }

    async fn apply(
        &self,
        objects: &MemoryStore,
        tampering: Option<Tampering>,
    ) -> Result<GetAnswer, StoreError> {
        let mut options = self.options.clone();
        if tampering == Some(Tampering::IgnoreConditions) {
            options.if_none_match = None;
        }
        let answer = objects.get(&self.key, options).await?;
        Ok(match (answer, tampering) {
            (GetAnswer::Found { bytes, etag }, Some(Tampering::Corrupt(fault))) => GetAnswer::Found {
                bytes: fault.flip_bit(&bytes),
                etag,
            },
            (answer, _) => answer,
        })
    }

    fn bytes_out(answer: &GetAnswer) -> usize {
        match answer {
            GetAnswer::NotModified => 0,
            GetAnswer::Found { bytes, .. } => bytes.len(),
        }
    }
}

/// Writes an object.
pub(super) struct Put {
    pub(super) key: String,
    pub(super) body: Bytes,
    pub(super) mode: PutMode,
}

impl Operation for Put {
    type Answer = ETag;
    const NAME: &'static str = "PUT";

    fn class(&self) -> RequestClass {
        match self.mode {
            PutMode::Overwrite => RequestClass::Put,
            PutMode::Create | PutMode::Update(_) => RequestClass::Cas,
        }
    }

    fn billed(&self) -> Billed {
        match self.mode {
            PutMode::Overwrite => Billed::Put,
            PutMode::Create | PutMode::Update(_) => Billed::ConditionalPut,
        }
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn bytes_in(&self) -> usize {
        self.body.len()
    }

    async fn apply(&self, objects: &MemoryStore, tampering: Option<Tampering>) -> Result<ETag, StoreError> {
        let mode = match tampering {
            // Uploads carry the digest of what was sent, so that the store refuses what arrived: with a 400, but
            // of a kind that is tried again.
            Some(Tampering::Corrupt(fault)) if fault.flip_bit(&self.body) != self.body => {
                let message = "HTTP 400 BadDigest: one bit of the body has flipped";
                let error = StoreError::new(StoreErrorKind::Server, Self::NAME, &self.key, message);
                return Err(error.with_status(400));
            }
            Some(Tampering::IgnoreConditions) => PutMode::Overwrite,
            Some(Tampering::Corrupt(_)) | None => self.mode.clone(),
        };
        objects.put(&self.key, self.body.clone(), mode).await
    }
}

/// Deletes objects; of 1 to 1,000 keys.
pub(super) struct Delete {
    pub(super) keys: Vec<String>,
    /// Counts those that were there.
    pub(super) deleted: Arc<AtomicU64>,
}

impl Operation for Delete {
    type Answer = ();
    const NAME: &'static str = "DELETE";

    fn class(&self) -> RequestClass {
        RequestClass::Delete
    }

    fn billed(&self) -> Billed {
        Billed::Delete
    }

    fn key(&self) -> &str {
        // The keys of a deletion stand in its body.
        ""
    }

    fn subject(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    fn bytes_in(&self) -> usize {
        self.keys.iter().map(|key| key.len() + XML_OF_DELETED).sum()
    }

    async fn apply(&self, objects: &MemoryStore, _: Option<Tampering>) -> Result<(), StoreError> {
        for key in &self.keys {
            let was_there = objects.get(key, GetOptions::default()).await.is_ok();
            self.deleted.fetch_add(u64::from(was_there), Ordering::Relaxed);
        }
        objects.delete(&self.keys).await
    }
}

/// Lists a page of keys.
pub(super) struct List {
    pub(super) prefix: String,
    pub(super) after: Option<String>,
}

impl Operation for List {
    type Answer = ListPage;
    const NAME: &'static str = "LIST";

    fn class(&self) -> RequestClass {
        RequestClass::List
    }

    fn billed(&self) -> Billed {
        Billed::List
    }

    fn key(&self) -> &str {
        &self.prefix
    }

    async fn apply(&self, objects: &MemoryStore, _: Option<Tampering>) -> Result<ListPage, StoreError> {
        objects.list(&self.prefix, self.after.as_deref()).await
    }

    fn bytes_out(page: &ListPage) -> usize {
        page.objects
            .iter()
            .map(|object| object.key.len() + XML_OF_LISTED)
            .sum()
    }
}

/// Asks whether the bucket keeps every version. It does not.
pub(super) struct GetVersioning;

impl Operation for GetVersioning {
    type Answer = Option<String>;
    const NAME: &'static str = "GET";

    fn class(&self) -> RequestClass {
        RequestClass::Get
    }

    fn billed(&self) -> Billed {
        Billed::Get
    }

    fn key(&self) -> &str {
        ""
    }

    fn subject(&self) -> &str {
        "?versioning"
    }

    async fn apply(&self, objects: &MemoryStore, _: Option<Tampering>) -> Result<Option<String>, StoreError> {
        objects.warning().await
    }
}
