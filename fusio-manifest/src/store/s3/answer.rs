//! Sorts what the SDK reports by what it proves.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::{
    body::{is_too_long, shortened},
    credentials,
    transmit::Seen,
};
use crate::store::{ETag, StoreError, StoreErrorKind};

/// One call, for the words of its errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) key: &'a str,
    /// Where the store is.
    pub(super) place: &'a str,
    pub(super) seen: &'a Seen,
}

impl Call<'_> {
    /// An error of this call. Its words may be the store's, which was told of the credentials.
    pub(super) fn error(&self, kind: StoreErrorKind, message: impl Into<String>) -> StoreError {
        let message = self.seen.strike_from(message.into());
        StoreError::new(kind, self.operation, self.key, message)
    }

    /// What the store wrote, short enough for a message. What it repeats of the credentials is struck out first: of a part of
    /// one nobody could tell any more what it is.
    pub(super) fn quoted(&self, text: &str) -> String {
        shortened(&self.seen.strike_from(text.to_owned())).to_owned()
    }

    /// The answer's ETag; an answer without one is of no use.
    pub(super) fn etag(&self) -> Result<ETag, StoreError> {
        self.seen
            .etag()
            .filter(|etag| !etag.as_str().is_empty())
            .ok_or_else(|| {
                self.error(
                    StoreErrorKind::Unexpected,
                    format!("{} answered without an ETag", self.place),
                )
            })
    }

    /// What a failure of the SDK proves.
    pub(super) fn sort<E>(&self, failure: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if !self.seen.transmitted() {
            return self.error(StoreErrorKind::NotSent, unsent(failure));
        }
        let place = self.place;
        match failure {
            SdkError::ServiceError(answer) => {
                let meta = answer.err();
                self.of_answer(
                    answer.raw(),
                    &self.quoted(meta.code().unwrap_or_default()),
                    &self.quoted(meta.message().unwrap_or_default()),
                )
            }
            // The status stands even where the body that explains it broke off; of a success nothing does.
            SdkError::ResponseError(answer) if answer.raw().status().as_u16() >= 300 => {
                self.of_answer(answer.raw(), "", "")
            }
            SdkError::ResponseError(_) if is_too_long(failure) => self.error(
                StoreErrorKind::TooLong,
                format!("the answer of {place} is too long: {}", chain(failure)),
            ),
            SdkError::ResponseError(_) => self.error(
                StoreErrorKind::Connection,
                format!("the answer of {place} broke off: {}", chain(failure)),
            ),
            SdkError::TimeoutError(_) => self.error(
                StoreErrorKind::Timeout,
                format!("no answer from {place} in time: {}", chain(failure)),
            ),
            SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => self.error(
                StoreErrorKind::Timeout,
                format!("no answer from {place} in time: {}", chain(failure)),
            ),
            SdkError::DispatchFailure(_) => self.error(
                StoreErrorKind::Connection,
                format!("the connection to {place} failed: {}", chain(failure)),
            ),
            _ => self.error(StoreErrorKind::Unexpected, chain(failure)),
        }
    }

    fn of_answer(&self, raw: &HttpResponse, code: &str, explanation: &str) -> StoreError {
        let status = raw.status().as_u16();
        let of_credentials = credentials::said_by(code);
        let kind = match code {
            // S3 says 400 where the upload itself was late or damaged. The same bytes may well arrive next
            // time, so these are kept with the failures that are tried again.
            "RequestTimeout" | "IncompleteBody" | "BadDigest" | "XAmzContentSHA256Mismatch" => {
                StoreErrorKind::Server
            }
            _ => of_credentials.map_or(StoreError::kind_of_status(status), |(kind, _)| kind),
        };
        let mut message = match (code, explanation) {
            ("", "") if raw.status().is_success() => {
                format!("HTTP {status}, and a body that cannot be read")
            }
            ("", "") => format!("HTTP {status}"),
            (code, "") => format!("HTTP {status} {code}"),
            ("", explanation) => format!("HTTP {status}: {explanation}"),
            (code, explanation) => format!("HTTP {status} {code}: {explanation}"),
        };
        if let Some((_, advice)) = of_credentials {
            message.push_str("; ");
            message.push_str(advice);
        }
        if matches!(status, 300..=400) && status != 304 {
            if let Some(region) = raw.headers().get("x-amz-bucket-region") {
                let region = self.quoted(region);
                message.push_str(&format!("; the bucket is in region {region}: set that region"));
            } else if status != 400 {
                message.push_str("; the bucket is elsewhere: check the endpoint and the region");
            }
        }
        if let Some(location) = raw.headers().get("location") {
            let location = self.quoted(location);
            message.push_str(&format!("; redirected to {location}, which is not followed"));
        }
        self.error(kind, message).with_status(status)
    }
}

/// The words for a request that never left.
fn unsent<E: Error + 'static>(failure: &SdkError<E, HttpResponse>) -> String {
    match credentials_error(failure) {
        Some(CredentialsError::CredentialsNotLoaded(_)) => "no AWS credentials found: set \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with AWS_PROFILE (for SSO, sign \
             in with `aws sso login`), or give this machine a role"
            .to_owned(),
        Some(error) => format!(
            "the AWS credentials could not be loaded or renewed: {}; the next request tries it again",
            chain(error)
        ),
        None => format!("not sent: {}", chain(failure)),
    }
}

fn credentials_error<'e>(failure: &'e (dyn Error + 'static)) -> Option<&'e CredentialsError> {
    let mut next = Some(failure);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An error and its causes in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_line = cause.to_string();
        if !line.ends_with(&cause_line) {
            line.push_str(": ");
            line.push_str(&cause_line);
        }
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests;
