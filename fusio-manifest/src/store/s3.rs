//! The store on S3, or on what speaks its language, by the AWS SDK with its retries turned off.

use std::{error::Error, fmt, ops::Range, sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{BucketVersioningStatus, Delete, ObjectIdentifier},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use md5::{Digest as _, Md5};

use self::{
    answer::{Call, chain},
    body::Content,
    etags::ETags,
    transmit::{LastDate, Seen, Transmit},
};
use super::{
    BoxFuture, ETag, GetAnswer, GetOptions, ListPage, ListedObject, PutMode, Store, StoreError,
    StoreErrorKind,
    meter::{RequestClass, RequestMeter},
};
use crate::clock::{SystemClock, within};

mod answer;
mod body;
mod config;
mod credentials;
mod endpoint;
mod etags;
mod transmit;

pub use config::S3Config;

/// What one deletion takes at most.
const DELETE_MAX: usize = 1_000;

/// One bucket of S3. Clones share connections and credentials.
///
/// Every call sends one request at most: the SDK's retries are off. Each attempt is counted by the store's
/// [`RequestMeter`] as it leaves; requests for credentials and sessions are not.
#[derive(Clone)]
pub struct S3Store {
    shared: Arc<Shared>,
    meter: Arc<RequestMeter>,
}

struct Shared {
    client: Client,
    bucket: String,
    place: String,
    attempt_timeout: Duration,
    date: Arc<LastDate>,
    etags: ETags,
}

impl S3Store {
    /// Finds region and credentials and prepares a client; sends nothing to the bucket yet.
    ///
    /// # Errors
    /// Only of kind [`StoreErrorKind::NotSent`]: no bucket name, no region, or no usable endpoint. Missing
    /// credentials show at the first call.
    pub async fn connect(config: S3Config, meter: Arc<RequestMeter>) -> Result<Self, StoreError> {
        let config::Connected { client, place } = config::connect(&config).await?;
        let shared = Shared {
            client,
            bucket: config.bucket_name().to_owned(),
            place,
            attempt_timeout: config.attempt_span(),
            date: Arc::default(),
            etags: ETags::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            meter,
        })
    }

    /// The same bucket, connections and credentials, its requests counted by `meter`.
    #[must_use]
    pub fn with_meter(&self, meter: Arc<RequestMeter>) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            meter,
        }
    }

    /// The SDK's client, for work on buckets. Its requests are not counted.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.shared.bucket
    }

    fn watch(&self, class: RequestClass, bytes: usize, content: Content) -> (Arc<Seen>, Transmit) {
        let seen = Arc::new(Seen::default());
        let transmit = Transmit {
            class,
            bytes,
            content,
            meter: Arc::clone(&self.meter),
            seen: Arc::clone(&seen),
            date: Arc::clone(&self.shared.date),
        };
        (seen, transmit)
    }

    fn call<'a>(&'a self, operation: &'static str, key: &'a str, seen: &'a Seen) -> Call<'a> {
        Call {
            operation,
            key,
            place: &self.shared.place,
            seen,
        }
    }

    async fn get_object(&self, key: &str, options: GetOptions) -> Result<GetAnswer, StoreError> {
        let class = match options.if_none_match {
            Some(_) => RequestClass::ConditionalGet,
            None => RequestClass::Get,
        };
        let (seen, transmit) = self.watch(class, 0, Content::Object);
        let call = self.call("GET", key, &seen);
        let mut request = self.client().get_object().bucket(self.bucket()).key(key);
        if let Some(etag) = &options.if_none_match {
            request = request.if_none_match(etag.as_str());
        }
        if let Some(range) = &options.range {
            request = request.range(header_of(range).ok_or_else(|| {
                call.error(StoreErrorKind::NotSent, format!("the range {range:?} is empty"))
            })?);
        }
        let work = async {
            let output = match request.customize().interceptor(transmit).send().await {
                Ok(output) => output,
                Err(failure) if not_modified(&failure) => return Ok(GetAnswer::NotModified),
                Err(failure) => return Err(call.sort(&failure)),
            };
            let bytes = body::read(output, &options, call).await?;
            self.meter.count_bytes(class, bytes.len());
            let etag = call.etag()?;
            if options.range.is_none() {
                self.shared.etags.learn(&etag, &bytes);
            }
            Ok(GetAnswer::Found { bytes, etag })
        };
        // The SDK's limit ends at the headers.
        within(&SystemClock, self.shared.attempt_timeout, work)
            .await
            .unwrap_or_else(|| {
                Err(call.error(
                    StoreErrorKind::Timeout,
                    format!("no whole answer from {} in time", self.shared.place),
                ))
            })
    }

    async fn put_object(&self, key: &str, body: Bytes, mode: PutMode) -> Result<ETag, StoreError> {
        let class = match mode {
            PutMode::Overwrite => RequestClass::Put,
            PutMode::Create | PutMode::Update(_) => RequestClass::ConditionalPut,
        };
        let (seen, transmit) = self.watch(class, body.len(), Content::Word);
        let call = self.call("PUT", key, &seen);
        let digest = Md5::digest(&body);
        let request = self
            .client()
            .put_object()
            .bucket(self.bucket())
            .key(key)
            // So that the store refuses an upload that was damaged on its way. Of the ways to say it this one
            // is understood most widely: some compatible stores refuse every `x-amz-checksum-*` header, and
            // some write the SDK's trailing checksums into the object. Stores that check signatures also
            // check the SHA-256 that the SDK signs.
            .content_md5(aws_smithy_types::base64::encode(digest))
            .body(ByteStream::from(body));
        let request = match &mode {
            PutMode::Create => request.if_none_match("*"),
            PutMode::Update(etag) => request.if_match(etag.as_str()),
            PutMode::Overwrite => request,
        };
        match request.customize().interceptor(transmit).send().await {
            Ok(_) => self.etag_of_put(call, &mode, &digest),
            Err(failure) => Err(call.sort(&failure)),
        }
    }

    /// The ETag of what was put, unless the answer shows that it cannot come from the store that put it. Then nothing is
    /// known, as without an answer.
    fn etag_of_put(&self, call: Call<'_>, mode: &PutMode, digest: &[u8]) -> Result<ETag, StoreError> {
        let place = call.place;
        if call.seen.is_page() {
            let message =
                format!("{place} answered with a web page: a proxy or a portal stands before the store");
            return Err(call.error(StoreErrorKind::Unexpected, message));
        }
        let etag = call.etag()?;
        if *mode != PutMode::Overwrite && !self.shared.etags.can_be(&etag, digest) {
            let message = format!(
                "{place} answered with ETag {}, which is not that of what was sent",
                call.quoted(etag.as_str())
            );
            return Err(call.error(StoreErrorKind::Unexpected, message));
        }
        Ok(etag)
    }

    async fn delete_objects(&self, keys: &[String]) -> Result<(), StoreError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let (seen, transmit) = self.watch(RequestClass::Delete, 0, Content::List);
        let call = self.call("DELETE", first, &seen);
        if keys.len() > DELETE_MAX {
            let message = format!("{} keys at once, and {DELETE_MAX} are the most", keys.len());
            return Err(call.error(StoreErrorKind::Rejected, message));
        }
        let batch = delete_of(keys).map_err(|error| call.error(StoreErrorKind::NotSent, chain(&error)))?;
        let request = self.client().delete_objects().bucket(self.bucket()).delete(batch);
        let output = request
            .customize()
            .interceptor(transmit)
            .send()
            .await
            .map_err(|failure| call.sort(&failure))?;
        // One key's failure is no other's; the first decides the kind, since its cause is mostly theirs.
        match output
            .errors()
            .iter()
            .find(|error| error.code() != Some("NoSuchKey"))
        {
            None => Ok(()),
            Some(error) => {
                let key = error.key().unwrap_or(first);
                Err(Call { key, ..call }.error(
                    kind_of_code(error.code().unwrap_or_default()),
                    format!(
                        "{} {} ({} of {} keys were not deleted)",
                        call.quoted(error.code().unwrap_or("no code")),
                        call.quoted(error.message().unwrap_or_default()),
                        output.errors().len(),
                        keys.len(),
                    ),
                ))
            }
        }
    }

    async fn list_objects(&self, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
        let (seen, transmit) = self.watch(RequestClass::List, 0, Content::List);
        let call = self.call("LIST", prefix, &seen);
        let request = self
            .client()
            .list_objects_v2()
            .bucket(self.bucket())
            .prefix(prefix);
        let request = request.set_start_after(after.map(str::to_owned));
        let output = request
            .customize()
            .interceptor(transmit)
            .send()
            .await
            .map_err(|failure| call.sort(&failure))?;
        // What is no list would be taken for an empty one: the SDK passes over what it does not know.
        let Some(more) = output.is_truncated() else {
            let message = format!("{} answered with what is no list", self.shared.place);
            return Err(call.error(StoreErrorKind::Unexpected, message));
        };
        let mut page = ListPage {
            objects: Vec::new(),
            more,
        };
        for object in output.contents.unwrap_or_default() {
            let bytes = object.size().and_then(|size| u64::try_from(size).ok());
            let (Some(key), Some(bytes)) = (object.key, bytes) else {
                return Err(call.error(StoreErrorKind::Unexpected, "an object without a key or a size"));
            };
            page.objects.push(ListedObject { key, bytes });
        }
        if page.more && page.objects.is_empty() {
            return Err(call.error(StoreErrorKind::Unexpected, "an empty page that is not the last"));
        }
        Ok(page)
    }

    async fn versioning(&self) -> Result<Option<String>, StoreError> {
        let (seen, transmit) = self.watch(RequestClass::Get, 0, Content::Word);
        let bucket = self.bucket();
        let request = self.client().get_bucket_versioning().bucket(bucket);
        match request.customize().interceptor(transmit).send().await {
            Ok(answer) if answer.status() == Some(&BucketVersioningStatus::Enabled) => Ok(Some(format!(
                "the bucket {bucket} keeps every version: each HEAD that is replaced stays stored and billed. \
                 Use a bucket without versioning, or let a lifecycle rule expire noncurrent versions"
            ))),
            Ok(_) => Ok(None),
            Err(failure) => match self.call("GET", "?versioning", &seen).sort(&failure) {
                // Not allowed to ask, or a store that does not know the question.
                error if matches!(error.status, Some(400..=407 | 410..=428 | 501)) => Ok(None),
                error => Err(error),
            },
        }
    }
}

impl Store for S3Store {
    fn get<'a>(&'a self, key: &'a str, options: GetOptions) -> BoxFuture<'a, Result<GetAnswer, StoreError>> {
        Box::pin(self.get_object(key, options))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        mode: PutMode,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.put_object(key, body, mode))
    }

    fn delete<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.delete_objects(keys))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, StoreError>> {
        Box::pin(self.list_objects(prefix, after))
    }

    fn describe(&self) -> String {
        format!("s3://{} at {}", self.shared.bucket, self.shared.place)
    }

    fn date(&self) -> Option<u64> {
        self.shared.date.unix_ms()
    }

    fn warning(&self) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(self.versioning())
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store")
            .field("bucket", &self.shared.bucket)
            .field("place", &self.shared.place)
            .finish_non_exhaustive()
    }
}

/// The Range header, whose end is inclusive; `None` of an empty range, which HTTP cannot say.
fn header_of(range: &Range<u64>) -> Option<String> {
    let last = range.end.checked_sub(1).filter(|last| *last >= range.start)?;
    Some(format!("bytes={}-{last}", range.start))
}

/// The SDK takes a 304 for an error.
fn not_modified<E>(failure: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata + Error + 'static,
{
    failure
        .raw_response()
        .is_some_and(|raw| raw.status().as_u16() == 304)
}

fn delete_of(keys: &[String]) -> Result<Delete, aws_sdk_s3::error::BuildError> {
    let objects = keys
        .iter()
        .map(|key| ObjectIdentifier::builder().key(key).build())
        .collect::<Result<Vec<_>, _>>()?;
    Delete::builder().set_objects(Some(objects)).quiet(true).build()
}

/// The errors of single keys come without a status.
fn kind_of_code(code: &str) -> StoreErrorKind {
    match code {
        "AccessDenied" => StoreErrorKind::Denied,
        "SlowDown" | "ServiceUnavailable" => StoreErrorKind::SlowDown,
        "InternalError" => StoreErrorKind::Server,
        _ => StoreErrorKind::Unexpected,
    }
}

#[cfg(test)]
mod tests;
