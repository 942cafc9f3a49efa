//! A store in memory that answers as S3 does: for tests, examples and simulations.

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Bound, Range},
    sync::Arc,
};

use bytes::Bytes;
use md5::{Digest as _, Md5};
use parking_lot::Mutex;

use super::{
    BoxFuture, ETag, GetAnswer, GetOptions, ListPage, ListedObject, PutMode, Store, StoreError,
    StoreErrorKind,
    meter::{RequestClass, RequestMeter},
};
use crate::clock::{Clock as _, TokioClock};

/// What one page of a listing, and one deletion, holds at most on S3.
const PAGE: usize = 1_000;

/// The time by the store's Date when a store is made, in milliseconds of Unix time: any will do.
const FIRST_DATE: u64 = 1_700_000_000_000;

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    etag: ETag,
}

/// Objects in memory, with atomic conditions and the answers of S3. Clones share their content. Its `Date` follows
/// tokio's clock, so that it is virtual in a runtime whose time is paused.
#[derive(Clone, Default)]
pub struct MemoryStore {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
    meter: Arc<RequestMeter>,
    clock: TokioClock,
}

impl MemoryStore {
    /// An empty store with a meter of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same content, its requests counted by `meter`.
    #[must_use]
    pub fn with_meter(&self, meter: Arc<RequestMeter>) -> Self {
        Self {
            objects: Arc::clone(&self.objects),
            meter,
            clock: self.clock,
        }
    }

    fn get_now(&self, key: &str, options: &GetOptions) -> Result<GetAnswer, StoreError> {
        let class = match options.if_none_match {
            Some(_) => RequestClass::ConditionalGet,
            None => RequestClass::Get,
        };
        self.meter.count(class);
        let found = self.objects.lock().get(key).cloned();
        let Some(Object { bytes, etag }) = found else {
            return Err(refused("GET", key, 404, "NoSuchKey"));
        };
        if options.if_none_match.as_ref() == Some(&etag) {
            return Ok(GetAnswer::NotModified);
        }
        let bytes = match &options.range {
            Some(range) => slice(&bytes, range).ok_or_else(|| refused("GET", key, 416, "InvalidRange"))?,
            None => bytes,
        };
        if options.bytes_max.is_some_and(|most| bytes.len() as u64 > most) {
            let message = format!(
                "{} bytes, {} at most",
                bytes.len(),
                options.bytes_max.unwrap_or_default()
            );
            return Err(StoreError::new(StoreErrorKind::TooLong, "GET", key, message).with_status(200));
        }
        self.meter.count_bytes(class, bytes.len());
        Ok(GetAnswer::Found { bytes, etag })
    }

    fn put_now(&self, key: &str, body: Bytes, mode: &PutMode) -> Result<ETag, StoreError> {
        let class = match mode {
            PutMode::Overwrite => RequestClass::Put,
            PutMode::Create | PutMode::Update(_) => RequestClass::ConditionalPut,
        };
        self.meter.count(class);
        self.meter.count_bytes(class, body.len());
        let etag = etag_of(&body);
        // One lock over condition and effect is what makes the condition atomic.
        let mut objects = self.objects.lock();
        match (mode, objects.get(key)) {
            (PutMode::Create, Some(_)) => return Err(refused("PUT", key, 412, "PreconditionFailed")),
            (PutMode::Update(_), None) => return Err(refused("PUT", key, 404, "NoSuchKey")),
            (PutMode::Update(expected), Some(current)) if *expected != current.etag => {
                return Err(refused("PUT", key, 412, "PreconditionFailed"));
            }
            (PutMode::Create | PutMode::Update(_) | PutMode::Overwrite, _) => {}
        }
        objects.insert(
            key.to_owned(),
            Object {
                bytes: body,
                etag: etag.clone(),
            },
        );
        Ok(etag)
    }

    fn delete_now(&self, keys: &[String]) -> Result<(), StoreError> {
        let Some(first) = keys.first() else { return Ok(()) };
        self.meter.count(RequestClass::Delete);
        if keys.len() > PAGE {
            return Err(refused(
                "DELETE",
                first,
                400,
                "MalformedXML: more than 1,000 keys",
            ));
        }
        let mut objects = self.objects.lock();
        for key in keys {
            objects.remove(key);
        }
        Ok(())
    }

    fn list_now(&self, prefix: &str, after: Option<&str>) -> ListPage {
        self.meter.count(RequestClass::List);
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let objects = self.objects.lock();
        let mut matching = objects
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, object)| ListedObject {
                key: key.clone(),
                bytes: object.bytes.len() as u64,
            });
        let page: Vec<_> = matching.by_ref().take(PAGE).collect();
        ListPage {
            objects: page,
            more: matching.next().is_some(),
        }
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(async move { self.get_now(key, &options) })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move { self.put_now(key, body, &mode) })
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.delete_now(keys) })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        Box::pin(async move { Ok(self.list_now(prefix, after)) })
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn date(&self) -> Option<u64> {
        let passed = u64::try_from(self.clock.now().as_millis()).unwrap_or(u64::MAX);
        Some(FIRST_DATE.saturating_add(passed))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("objects", &self.objects.lock().len())
            .finish_non_exhaustive()
    }
}

/// As S3 does for plain PUTs: equal content, equal ETag. The engine must live with that.
fn etag_of(body: &[u8]) -> ETag {
    let mut etag = String::with_capacity(34);
    etag.push('"');
    for byte in Md5::digest(body) {
        for digit in [byte >> 4, byte & 15] {
            etag.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    etag.push('"');
    ETag::new(etag)
}

/// The part of the range that exists; `None` if none of it does.
fn slice(bytes: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
    (start < end).then(|| bytes.slice(start..end))
}

fn refused(operation: &'static str, key: &str, status: u16, message: &str) -> StoreError {
    let kind: StoreErrorKind = StoreError::kind_of_status(status);
    StoreError::new(kind, operation, key, message).with_status(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance;

    #[tokio::test(start_paused = true)]
    async fn memory_conforms() {
        let store = MemoryStore::new();
        let report = conformance::run(Arc::new(store.clone()), &TokioClock::new(), "t/")
            .await
            .unwrap();
        assert_eq!(report.passed, conformance::Check::ALL);
        assert!(report.not_cleaned.is_none());
        assert_eq!(
            store.list_now("", None),
            ListPage::default(),
            "the suite cleans up after itself"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn memory_conforms_across_threads() {
        conformance::run(Arc::new(MemoryStore::new()), &TokioClock::new(), "t/")
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn every_request_is_counted_in_its_class() {
        let meter = Arc::new(RequestMeter::new());
        let store = MemoryStore::new().with_meter(Arc::clone(&meter));
        let etag = store
            .put("k", Bytes::from_static(b"123"), PutMode::Create)
            .await
            .unwrap();
        store
            .put("k", Bytes::from_static(b"12345"), PutMode::Overwrite)
            .await
            .unwrap();
        store
            .put("k", Bytes::from_static(b"1"), PutMode::Update(etag.clone()))
            .await
            .unwrap_err();
        store.get("k", GetOptions::default()).await.unwrap();
        store
            .get(
                "k",
                GetOptions {
                    if_none_match: Some(etag),
                    range: Some(0..2),
                    bytes_max: None,
                },
            )
            .await
            .unwrap();
        store.list("", None).await.unwrap();
        store.delete(&["k".to_owned()]).await.unwrap();
        let counts = meter.counts();
        let seen = RequestClass::ALL.map(|class| (counts.requests(class), counts.bytes(class)));
        assert_eq!(seen, [(2, 4), (1, 5), (1, 2), (1, 5), (1, 0), (1, 0)]);
    }

    #[test]
    fn etags_are_the_quoted_md5_of_the_content() {
        assert_eq!(etag_of(b"abc").as_str(), "\"900150983cd24fb0d6963f7d28e17f72\"");
    }
}
