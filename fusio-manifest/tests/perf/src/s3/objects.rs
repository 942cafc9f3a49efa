//! Buckets and objects in memory. Each operation is atomic: one lock guards them all, and no operation
//! holds it for longer than a look-up or a page of a listing.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    time::SystemTime,
};

use bytes::Bytes;
use parking_lot::Mutex;
use s3s::{
    S3Result,
    dto::{ETag, ETagCondition},
    s3_error,
};

/// One version of an object; clones share the bytes.
#[derive(Debug, Clone)]
pub(super) struct StoredObject {
    pub(super) bytes: Bytes,
    pub(super) etag: ETag,
    pub(super) modified: SystemTime,
}

/// One object of a listing.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) object: StoredObject,
}

/// What a PUT demands of the object that is there.
#[derive(Debug)]
pub(super) enum PutCondition {
    None,
    /// If-None-Match: *
    Absent,
    /// If-Match
    Matches(ETagCondition),
}

type Objects = BTreeMap<String, StoredObject>;

#[derive(Debug, Default)]
pub(super) struct Buckets(Mutex<BTreeMap<String, Objects>>);

impl Buckets {
    /// False if there is such a bucket already.
    pub(super) fn create(&self, bucket: &str) -> bool {
        let mut buckets = self.0.lock();
        let new = !buckets.contains_key(bucket);
        if new {
            buckets.insert(bucket.to_owned(), Objects::new());
        }
        new
    }

    pub(super) fn require(&self, bucket: &str) -> S3Result<()> {
        self.within(bucket, |_| Ok(()))
    }

    /// Writes if the condition holds, and answers as S3 does if not: 412, or 404 for If-Match on a missing key.
    pub(super) fn put(
        &self,
        bucket: &str,
        key: String,
        object: StoredObject,
        condition: &PutCondition,
    ) -> S3Result<()> {
        self.within(bucket, |objects| {
            match (condition, objects.get(&key)) {
                (PutCondition::None, _) | (PutCondition::Absent, None) => {}
                (PutCondition::Matches(_), None) => return Err(s3_error!(NoSuchKey)),
                (PutCondition::Matches(want), Some(there)) if matches(want, &there.etag) => {}
                (PutCondition::Absent | PutCondition::Matches(_), Some(_)) => {
                    return Err(s3_error!(PreconditionFailed));
                }
            }
            objects.insert(key, object);
            Ok(())
        })
    }

    pub(super) fn get(&self, bucket: &str, key: &str) -> S3Result<StoredObject> {
        self.within(bucket, |objects| {
            objects.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey))
        })
    }

    /// Keys that do not exist are no error.
    pub(super) fn remove<'a>(&self, bucket: &str, keys: impl Iterator<Item = &'a str>) -> S3Result<()> {
        // Collected and freed outside the lock: the bytes may be many.
        let keys: BTreeSet<&str> = keys.collect();
        let removed: Vec<_> = self.within(bucket, |objects| {
            Ok(keys.into_iter().filter_map(|key| objects.remove(key)).collect())
        })?;
        drop(removed);
        Ok(())
    }

    /// Up to `max` objects whose keys begin with `prefix` and come after `after`, and whether there are more.
    pub(super) fn page(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        max: usize,
    ) -> S3Result<(Vec<Listed>, bool)> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.within(bucket, |objects| {
            let mut rest = objects
                .range::<str, _>((start, Bound::Unbounded))
                .take_while(|(key, _)| key.starts_with(prefix))
                .map(|(key, object)| Listed {
                    key: key.clone(),
                    object: object.clone(),
                });
            let page: Vec<_> = rest.by_ref().take(max).collect();
            let more = !page.is_empty() && rest.next().is_some();
            Ok((page, more))
        })
    }

    fn within<T>(&self, bucket: &str, work: impl FnOnce(&mut Objects) -> S3Result<T>) -> S3Result<T> {
        let mut buckets = self.0.lock();
        let objects = buckets.get_mut(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        work(objects)
    }
}

/// If-Match, by the strong comparison that RFC 9110 asks for.
pub(super) fn matches(condition: &ETagCondition, etag: &ETag) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(want) => want.strong_cmp(etag),
    }
}
