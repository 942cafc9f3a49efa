//! The S3 operations that the harness uses, on objects in memory. Every other one answers 501.

use std::{
    future::{Future, ready},
    pin::Pin,
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use s3s::{
    Body, S3, S3Error, S3Request, S3Response, S3Result,
    dto::{
        CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
        DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, GetBucketVersioningInput,
        GetBucketVersioningOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
        HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput,
        PutObjectOutput, StreamingBlob,
    },
    s3_error,
};

use super::{
    digest::Claimed,
    objects::{Buckets, PutCondition, StoredObject, matches},
};
use crate::injection::Tampering;

/// S3's limit on a page of a listing and on one deletion of many objects.
const KEYS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Backend {
    pub(super) buckets: Buckets,
}

/// What an operation of [`S3`] returns: the trait's methods are asynchronous and boxed.
type Answer<'f, T> = Pin<Box<dyn Future<Output = S3Result<S3Response<T>>> + Send + 'f>>;

fn answer<'f, T: Send + 'f>(result: S3Result<T>) -> Answer<'f, T> {
    Box::pin(ready(result.map(S3Response::new)))
}

impl S3 for Backend {
    fn create_bucket<'s, 'f>(
        &'s self,
        request: S3Request<CreateBucketInput>,
    ) -> Answer<'f, CreateBucketOutput>
    where
        's: 'f,
        Self: 'f,
    {
        let created = self.buckets.create(&request.input.bucket);
        answer(if created {
            Ok(CreateBucketOutput::default())
        } else {
            Err(s3_error!(BucketAlreadyOwnedByYou))
        })
    }

    fn head_bucket<'s, 'f>(&'s self, request: S3Request<HeadBucketInput>) -> Answer<'f, HeadBucketOutput>
    where
        's: 'f,
        Self: 'f,
    {
        answer(
            self.buckets
                .require(&request.input.bucket)
                .map(|()| HeadBucketOutput::default()),
        )
    }

    fn get_bucket_versioning<'s, 'f>(
        &'s self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> Answer<'f, GetBucketVersioningOutput>
    where
        's: 'f,
        Self: 'f,
    {
        answer(
            self.buckets
                .require(&request.input.bucket)
                .map(|()| GetBucketVersioningOutput::default()),
        )
    }

    fn put_object<'s, 'f>(&'s self, request: S3Request<PutObjectInput>) -> Answer<'f, PutObjectOutput>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move { self.put(request).await.map(S3Response::new) })
    }

    fn get_object<'s, 'f>(&'s self, request: S3Request<GetObjectInput>) -> Answer<'f, GetObjectOutput>
    where
        's: 'f,
        Self: 'f,
    {
        answer(self.get(&request))
    }

    fn head_object<'s, 'f>(&'s self, request: S3Request<HeadObjectInput>) -> Answer<'f, HeadObjectOutput>
    where
        's: 'f,
        Self: 'f,
    {
        answer(self.head(&request))
    }

    fn list_objects_v2<'s, 'f>(
        &'s self,
        request: S3Request<ListObjectsV2Input>,
    ) -> Answer<'f, ListObjectsV2Output>
    where
        's: 'f,
        Self: 'f,
    {
        answer(self.list(request.input))
    }

    fn delete_object<'s, 'f>(
        &'s self,
        request: S3Request<DeleteObjectInput>,
    ) -> Answer<'f, DeleteObjectOutput>
    where
        's: 'f,
        Self: 'f,
    {
        answer(self.delete(&request.input))
    }

    fn delete_objects<'s, 'f>(
        &'s self,
        request: S3Request<DeleteObjectsInput>,
    ) -> Answer<'f, DeleteObjectsOutput>
    where
        's: 'f,
        Self: 'f,
    {
        answer(self.delete_many(request.input))
    }
}

impl Backend {
    async fn put(&self, mut request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let condition = put_condition(&request.input)?;
        let body = match request.input.body.take() {
            Some(body) => collect(body).await?,
            None => Bytes::new(),
        };
        let tampering = request.extensions.get::<Tampering>().copied();
        let (body, condition) = match tampering {
            Some(Tampering::Corrupt(fault)) => (fault.flip_bit(&body), condition),
            Some(Tampering::IgnoreConditions) => (body, PutCondition::None),
            None => (body, condition),
        };
        // Trailers are there once the body has been read.
        let trailers = request
            .trailing_headers
            .as_ref()
            .and_then(s3s::TrailingHeaders::take);
        let etag = Claimed::of(&request.input, trailers.as_ref()).verify(&body)?;
        let object = StoredObject {
            bytes: body,
            etag: etag.clone(),
            modified: wall_clock(),
        };
        self.buckets
            .put(&request.input.bucket, request.input.key, object, &condition)?;
        Ok(PutObjectOutput {
            e_tag: Some(etag),
            ..PutObjectOutput::default()
        })
    }

    fn get(&self, request: &S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
        let (input, tampering) = (&request.input, request.extensions.get::<Tampering>().copied());
        let object = self.buckets.get(&input.bucket, &input.key)?;
        check_read(&object.etag, &input.if_match, &input.if_none_match, tampering)?;
        let length = to_u64(object.bytes.len());
        let (body, content_range) = match &input.range {
            Some(range) => {
                let part = range.check(length)?;
                let described = format!("bytes {}-{}/{length}", part.start, part.end.saturating_sub(1));
                (
                    object.bytes.slice(to_usize(part.start)..to_usize(part.end)),
                    Some(described),
                )
            }
            None => (object.bytes, None),
        };
        let body = match tampering {
            Some(Tampering::Corrupt(fault)) => fault.flip_bit(&body),
            _ => body,
        };
        Ok(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(to_i64(body.len())),
            content_range,
            body: Some(StreamingBlob::from(Body::from(body))),
            e_tag: Some(object.etag),
            last_modified: Some(object.modified.into()),
            ..GetObjectOutput::default()
        })
    }

    fn head(&self, request: &S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
        let (input, tampering) = (&request.input, request.extensions.get::<Tampering>().copied());
        let object = self.buckets.get(&input.bucket, &input.key)?;
        check_read(&object.etag, &input.if_match, &input.if_none_match, tampering)?;
        Ok(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(to_i64(object.bytes.len())),
            e_tag: Some(object.etag),
            last_modified: Some(object.modified.into()),
            ..HeadObjectOutput::default()
        })
    }

    fn list(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        if input.delimiter.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "Listings by delimiter are not implemented."
            ));
        }
        let max = input
            .max_keys
            .map_or(KEYS_MAX, |max| usize::try_from(max).unwrap_or(0).min(KEYS_MAX));
        let prefix = input.prefix.clone().unwrap_or_default();
        // The continuation token is the last key of the page before.
        let after = input
            .continuation_token
            .as_deref()
            .or(input.start_after.as_deref());
        let (page, more) = self.buckets.page(&input.bucket, &prefix, after, max)?;
        let next = page.last().filter(|_| more).map(|last| last.key.clone());
        let contents: Vec<_> = page
            .into_iter()
            .map(|listed| Object {
                key: Some(listed.key),
                size: Some(to_i64(listed.object.bytes.len())),
                e_tag: Some(listed.object.etag),
                last_modified: Some(listed.object.modified.into()),
                ..Object::default()
            })
            .collect();
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            start_after: input.start_after,
            continuation_token: input.continuation_token,
            max_keys: i32::try_from(max).ok(),
            key_count: i32::try_from(contents.len()).ok(),
            is_truncated: Some(more),
            next_continuation_token: next,
            contents: Some(contents),
            ..ListObjectsV2Output::default()
        })
    }

    fn delete(&self, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
        if input.if_match.is_some() {
            return Err(s3_error!(
                NotImplemented,
                "Conditional deletion is not implemented."
            ));
        }
        self.buckets
            .remove(&input.bucket, std::iter::once(input.key.as_str()))?;
        Ok(DeleteObjectOutput::default())
    }

    fn delete_many(&self, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
        let objects = input.delete.objects;
        if objects.is_empty() || objects.len() > KEYS_MAX {
            return Err(s3_error!(MalformedXML, "A deletion names 1 to 1000 objects."));
        }
        if objects.iter().any(|object| object.e_tag.is_some()) {
            return Err(s3_error!(
                NotImplemented,
                "Conditional deletion is not implemented."
            ));
        }
        self.buckets
            .remove(&input.bucket, objects.iter().map(|object| object.key.as_str()))?;
        let report = |key| DeletedObject {
            key: Some(key),
            ..DeletedObject::default()
        };
        let deleted = match input.delete.quiet {
            Some(true) => None,
            _ => Some(objects.into_iter().map(|object| report(object.key)).collect()),
        };
        Ok(DeleteObjectsOutput {
            deleted,
            ..DeleteObjectsOutput::default()
        })
    }
}

fn put_condition(input: &PutObjectInput) -> S3Result<PutCondition> {
    match (&input.if_match, &input.if_none_match) {
        (None, None) => Ok(PutCondition::None),
        (None, Some(ETagCondition::Any)) => Ok(PutCondition::Absent),
        (Some(etag), None) => Ok(PutCondition::Matches(etag.clone())),
        _ => Err(s3_error!(
            NotImplemented,
            "A header you provided implies functionality that is not implemented."
        )),
    }
}

/// The conditions of a GET or HEAD: 412 for If-Match, 304 for If-None-Match.
fn check_read(
    etag: &ETag,
    if_match: &Option<ETagCondition>,
    if_none_match: &Option<ETagCondition>,
    tampering: Option<Tampering>,
) -> S3Result<()> {
    if matches!(tampering, Some(Tampering::IgnoreConditions)) {
        return Ok(());
    }
    if if_match.as_ref().is_some_and(|want| !matches(want, etag)) {
        return Err(s3_error!(PreconditionFailed));
    }
    match if_none_match {
        Some(ETagCondition::Any) => Err(not_modified(etag)),
        Some(ETagCondition::ETag(known)) if known.weak_cmp(etag) => Err(not_modified(etag)),
        _ => Ok(()),
    }
}

/// s3s heeds no status on a GetObject that succeeded, so this is an error; 304 must carry the ETag.
fn not_modified(etag: &ETag) -> S3Error {
    let mut error = s3_error!(NotModified);
    if let Ok(value) = etag.to_http_header() {
        error.set_headers(HeaderMap::from_iter([(header::ETAG, value)]));
    }
    error
}

/// The body is in memory, so the only thing that can fail is the check of its signed hash.
async fn collect(body: StreamingBlob) -> S3Result<Bytes> {
    let collected = Body::from(body).collect().await;
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| s3_error!(BadDigest, "The body is not what was signed: {error}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "clients of S3 are shown Last-Modified; nothing is decided by it"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn to_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn to_usize(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
